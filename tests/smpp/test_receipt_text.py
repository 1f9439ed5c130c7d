"""The fields of receipts that are not in the canonical form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.receipt_text import Fields, fields, read, spelled

DATE = "2611111200"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # labels that nobody knows, and loose words
        ("id:7 stat:DELIVRD err:000 IMSI:460012345678901 MSC:8613800100500",
         Fields("7", stat="DELIVRD", err="000")),
        ("IMSI:460012345678901 id:7 MCC:460 stat:UNDELIV MNC:01 err:021 text:x",
         Fields("7", stat="UNDELIV", err="021", text="x")),
        ("id:7 final stat:DELIVRD yes err:000 done",
         Fields("7", stat="DELIVRD", err="000", whole_id="7 final")),
        ("receipt id:7 for you: stat:EXPIRED", Fields("7", stat="EXPIRED")),
        ("id:7 x:y:z stat:DELIVRD", Fields("7", stat="DELIVRD")),
        ("stat:MK:0001 id:7 err:9", Fields("7", stat="MK:0001", err="9")),
        ("stat:ID:0012 id:7", Fields("7", stat="ID:0012")),
        ("stat: MK:0001 id: 7", Fields("7", stat="MK:0001")),
        # labels with nothing behind them
        ("id:7 stat: err:001", Fields("7", err="001")),
        ("id: stat:DELIVRD", Fields(stat="DELIVRD")),
        ("id:7 stat:DELIVRD err: IMSI:46001", Fields("7", stat="DELIVRD")),
        # names of labels
        ("Id:7 Stat:DELIVRD Err:0", Fields("7", stat="DELIVRD", err="0")),
        ("msgid:7 status:FAILED error:5", Fields("7", stat="FAILED", err="5")),
        ("msg_id:7 state:FAILED errcode:5", Fields("7", stat="FAILED", err="5")),
        ("message id:7 message_state:FAILED error code:5", Fields("7", stat="FAILED", err="5")),
        ("MessageId: 7 Status: FAILED Error_Code: 5", Fields("7", stat="FAILED", err="5")),
        ("SMS-ID:7 SMS-STATUS:FAILED", Fields("7", stat="FAILED")),
        ("id:7 delivery status:FAILED", Fields("7", stat="FAILED")),
        (f"id:7 submitdate:{DATE} donedate:{DATE} stat:DELIVRD",
         Fields("7", submit_date=DATE, done_date=DATE, stat="DELIVRD")),
        (f"id:7 submit_date:{DATE} done_date:{DATE} stat:DELIVRD",
         Fields("7", submit_date=DATE, done_date=DATE, stat="DELIVRD")),
        (f"id:7 sub date:{DATE} Done Date:{DATE} stat:DELIVRD",
         Fields("7", submit_date=DATE, done_date=DATE, stat="DELIVRD")),
        (f"id:7 submitted:1 delivered:0 submit time:{DATE} stat:UNDELIV",
         Fields("7", "1", "0", DATE, stat="UNDELIV")),
        # what stands between
        ("id:7,stat:DELIVRD,err:000", Fields("7", stat="DELIVRD", err="000")),
        ("id:7; stat:DELIVRD; err:000;", Fields("7", stat="DELIVRD", err="000")),
        ("id:7\tstat:DELIVRD\r\nerr:000\n", Fields("7", stat="DELIVRD", err="000")),
        ("id : 7   stat :DELIVRD", Fields("7", stat="DELIVRD")),
        ("id=7 stat=DELIVRD err=000", Fields("7", stat="DELIVRD", err="000")),
        ("id=7&stat=DELIVRD&err=000", Fields("7", stat="DELIVRD", err="000")),
        ("id=7&imsi=46001&stat=DELIVRD&mnc=1", Fields("7", stat="DELIVRD")),
        ("id:7|stat:DELIVRD|err:000", Fields("7", stat="DELIVRD", err="000")),
        ("(id:7 stat:DELIVRD err:000)", Fields("7", stat="DELIVRD", err="000")),
        ('{"id":"7","stat":"DELIVRD","err":"000"}', Fields("7", stat="DELIVRD", err="000")),
        ("{'id': '7', 'stat': 'DELIVRD'}", Fields("7", stat="DELIVRD")),
        (f"id:7sub:001dlvrd:001submit date:{DATE}done date:{DATE}stat:DELIVRDerr:000text:x",
         Fields("7", "001", "001", DATE, DATE, "DELIVRD", "000", "x")),
        # dates of two words
        ("id:7 done date:2026-11-11 12:00:05 stat:DELIVRD",
         Fields("7", done_date="2026-11-11 12:00:05", stat="DELIVRD")),
        ("id:7 done date:26/11/11 12:00 stat:DELIVRD",
         Fields("7", done_date="26/11/11 12:00", stat="DELIVRD")),
        (f"id:7 done date:{DATE} 12 stat:DELIVRD", Fields("7", done_date=DATE, stat="DELIVRD")),
        # ids
        ("id:AB 12 sub:001 stat:DELIVRD", Fields("AB", "001", stat="DELIVRD", whole_id="AB 12")),
        ("id:a:b-c.d/e stat:DELIVRD", Fields("a:b-c.d/e", stat="DELIVRD")),
        ("id:{ab-cd} stat:DELIVRD", Fields("{ab-cd}", stat="DELIVRD")),
        ("{id:{ab-cd},stat:DELIVRD}", Fields("{ab-cd}", stat="DELIVRD")),
        ("sid:1 uuid:2 paid:3 stat:DELIVRD id:7", Fields("7", stat="DELIVRD")),
        # the text is the sender's
        ("id:7 stat:DELIVRD text:id:9 stat:REJECTD",
         Fields("7", stat="DELIVRD", text="id:9 stat:REJECTD")),
        ("text:see id:7 stat:DELIVRD", Fields("7", stat="DELIVRD", text="see")),
        ("id:7 err:1 text:two words stat:DELIVRD",
         Fields("7", err="1", text="two words", stat="DELIVRD")),
        ("text:id:9 stat:REJECTD id:7 stat:DELIVRD",
         Fields("7", stat="DELIVRD", text="id:9 stat:REJECTD")),
        ("id:7 text:now stat:REJECTD or id:9 stat:DELIVRD err:0",
         Fields("7", stat="DELIVRD", err="0", text="now stat:REJECTD or id:9")),
        # the first of a label counts
        ("id:7 id:8 stat:DELIVRD stat:REJECTD", Fields("7", stat="DELIVRD")),
        ("nothing at all", Fields()),
        ("", Fields()),
    ],
)  # fmt: skip
def test_fields(text: str, found: Fields) -> None:
    assert fields(text) == found
    assert read(text.encode(), 0) == found


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"ab\x11cd", "ab_cd"),
        (b"ab\x00cd", "ab@cd"),
        (b"ab\x00 cd\x00\x00", "ab cd"),
        (b"\x1b(ab\x1b)\x1b\x65", "{ab}\u20ac"),
        (b"ab\tcd\r\n", "ab\tcd\r\n"),
        (b"plain_@$", "plain_@$"),
    ],
)
def test_octets_that_are_gsm_in_a_text_that_is_ascii(octets: bytes, text: str) -> None:
    assert spelled(octets.decode("latin-1")) == text


@given(st.binary(max_size=300), st.integers(0, 255))
def test_any_octets(octets: bytes, data_coding: int) -> None:
    assert isinstance(read(octets, data_coding), Fields)


@given(
    st.permutations(["id:77", "sub:001", "dlvrd:000", "stat:UNDELIV", "err:0b1", "IMSI:46001"]),
    st.sampled_from([" ", "  ", "\n", ", ", ";", "\t"]),
)
def test_in_every_order_the_same_is_found(labels: list[str], between: str) -> None:
    assert fields(between.join(labels)) == Fields("77", "001", "000", None, None, "UNDELIV", "0b1")

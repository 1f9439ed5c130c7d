"""Receipts in the forms that carriers send, and none that makes the parser fail."""

from datetime import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp import receipts, tlv
from gateway.smpp.pdu import DataSm, DeliverSm
from gateway.smpp.receipt_states import STATES, STATS, StateWords
from gateway.smpp.receipts import Claim, IdBase, Receipt, canonical, parse

TEXT = (
    "id:0123456789 sub:001 dlvrd:001 submit date:2611111200 done date:2611111201"
    " stat:DELIVRD err:000 text:hello there"
)
CANONICAL = Receipt(
    ref_raw="0123456789",
    state=2,
    error="000",
    submit_date="2611111200",
    done_date="2611111201",
    submitted=1,
    delivered=1,
    text="hello there",
)


def parsed(text: str | bytes, tlvs: tlv.Tlvs = (), esm_class: int = 4) -> Receipt:
    octets = text.encode("latin-1") if isinstance(text, str) else text
    receipt = parse(DeliverSm(esm_class=esm_class, short_message=octets, tlvs=tlvs))
    assert receipt is not None
    return receipt


def changed(**fields: object) -> Receipt:
    return msgspec.structs.replace(CANONICAL, **fields)


class TestForms:
    def test_canonical(self) -> None:
        assert parsed(TEXT) == CANONICAL

    @pytest.mark.parametrize(
        ("text", "receipt"),
        [
            (TEXT.replace("text:", "Text:"), CANONICAL),
            (TEXT.upper().replace("HELLO THERE", "hello there"), CANONICAL),
            (TEXT.replace("sub:001 dlvrd:001 ", ""), changed(submitted=None, delivered=None)),
            (TEXT.replace(" text:hello there", ""), changed(text=None)),
            (TEXT.replace("err:000", "err:21b"), changed(error="21b")),
            (TEXT.replace(" err:000", ""), changed(error=None)),
            (TEXT.replace("000 text", "000  text").replace(":", ": "), CANONICAL),
            (TEXT.replace(" ", "\n").replace("hello\nthere", "hello there"), CANONICAL),
            (TEXT.replace(" text:hello there", "\0"), changed(text=None)),
            ("text:hello there " + TEXT.replace(" text:hello there", ""), CANONICAL),
            (TEXT.replace(" sub", ", sub").replace(" stat", "; stat"), CANONICAL),
            (TEXT + " id:9 stat:REJECTD", changed(text="hello there id:9 stat:REJECTD")),
            (TEXT.replace("hello there", ""), changed(text=None)),
            (TEXT.replace("sub:001", "sub:x"), changed(submitted=None)),
            ("id:7 stat:EXPIRED", Receipt("7", 3)),
            ("", Receipt("")),
            ("gibberish", Receipt("")),
        ],
    )
    def test_variants(self, text: str, receipt: Receipt) -> None:
        assert parsed(text) == receipt

    @pytest.mark.parametrize(
        "ref",
        [
            "0123456789",
            "38601fa",
            "4F6E8A2C-5B1D-4C7E-9A3F-0D2B6C8E1F57",
            "0d2b6c8e1f574f6e8a2c5b1d4c7e9a3f",
            "12345678901234567890",
            "SAR-447911123456-4f6e-2-1",
        ],
    )
    def test_ids(self, ref: str) -> None:
        assert parsed(TEXT.replace("0123456789", ref)).ref_raw == ref
        assert parsed(f"ID: {ref}\0 STAT:DELIVRD").ref_raw == ref

    @pytest.mark.parametrize("ref", ["9" * 65, "f" * 80, "x" * receipts.MAX_ID])
    def test_an_id_may_be_longer_than_the_book_has_room_for(self, ref: str) -> None:
        assert parsed(TEXT.replace("0123456789", ref)) == changed(ref_raw=ref)
        assert parsed("", ((0x001E, ref.encode()),)).ref_raw == ref

    def test_an_id_too_long_to_be_one_is_none(self) -> None:
        ref = "9" * (receipts.MAX_ID + 1)
        assert parsed(TEXT.replace("0123456789", ref)) == changed(ref_raw="")

    @pytest.mark.parametrize(
        ("written", "ref"),
        [
            (b"ab\x11cd", "ab_cd"),  # GSM 03.38 has _ at 0x11
            (b"ab\x00cd", "ab@cd"),
            (b"ab\x02cd", "ab$cd"),
            (b"ab\x01cd", "ab\u00a3cd"),
            (b"ab\x1b<cd\x1b>", "ab[cd]"),
            (b"ab_cd", "ab_cd"),
            (b"ab@cd", "ab@cd"),
            (b"abcd\0", "abcd"),
            (b"ab/cd+ef==", "ab/cd+ef=="),
            (b"{ab-cd}", "{ab-cd}"),
        ],
    )
    def test_ids_with_characters_that_alphabets_disagree_about(
        self, written: bytes, ref: str
    ) -> None:
        assert parsed(b"id:" + written + b" sub:001 stat:DELIVRD err:000").ref_raw == ref

    def test_an_id_may_have_spaces_inside_where_it_is_known_as_such(self) -> None:
        found = parsed("id:AB 12 sub:001 stat:DELIVRD err:000")
        assert (found.ref_raw, found.also) == ("AB", (Claim("AB 12", 2, None),))

    @pytest.mark.parametrize(("stat", "state"), STATES.items())
    def test_states(self, stat: str, state: int) -> None:
        assert parsed(TEXT.replace("DELIVRD", stat)).state == state
        assert parsed(f"id:1 stat:{stat.lower()}").state == state
        assert state in STATS

    def test_an_unknown_state_is_none(self) -> None:
        receipt = changed(state=None, word="PERHAPS")
        assert parsed(TEXT.replace("DELIVRD", "PERHAPS")) == receipt

    @pytest.mark.parametrize(
        ("stat", "state", "word"),
        [
            ("UNDELIV", 5, None),
            ("Undeliv", 5, None),
            ("FAILED", 5, "FAILED"),
            ("UNDELIVRD", 5, "UNDELIVRD"),
            ("mk:0001", 5, "mk:0001"),
            ("5", 5, "5"),
            ("DELIVERED", 2, None),
            ("WHATEVER", None, "WHATEVER"),
        ],
    )
    def test_the_carriers_own_word_is_kept(
        self, stat: str, state: int | None, word: str | None
    ) -> None:
        assert parsed(TEXT.replace("DELIVRD", stat)) == changed(state=state, word=word)

    def test_words_may_mean_something_else_to_a_carrier(self) -> None:
        pdu = DeliverSm(esm_class=4, short_message=TEXT.replace("DELIVRD", "GONE").encode())
        assert parse(pdu, StateWords({"gone": 8})) == changed(state=8, word="GONE")

    def test_text_in_ucs2(self) -> None:
        text = TEXT.replace("hello there", "你好")
        pdu = DeliverSm(esm_class=4, data_coding=8, short_message=text.encode("utf-16-be"))
        assert parse(pdu) == changed(text="你好")

    def test_the_text_of_a_canonical_receipt_keeps_its_padding(self) -> None:
        text = TEXT.replace("id:0123456789", "id:你好").replace("hello there", " hello there,")
        pdu = DeliverSm(esm_class=4, data_coding=8, short_message=text.encode("utf-16-be"))
        assert parse(pdu) == changed(ref_raw="你好", text=" hello there,")

    @pytest.mark.parametrize("data_coding", [0, 1, 3, 4, 8, 0xF1])
    @pytest.mark.parametrize("alphabet", ["ascii", "utf-16-be", "utf-16-le", "utf-16", "utf-8-sig"])
    @pytest.mark.parametrize("text", [TEXT, TEXT.replace("err:000", "err:000 IMSI:46001")])
    def test_text_in_another_alphabet_than_its_data_coding_says(
        self, data_coding: int, alphabet: str, text: str
    ) -> None:
        octets = text.encode(alphabet)
        pdu = DeliverSm(esm_class=4, data_coding=data_coding, short_message=octets)
        assert parse(pdu) == CANONICAL

    @pytest.mark.parametrize("data_coding", [0, 8])
    def test_packed_septets(self, data_coding: int) -> None:
        bits = sum(octet << 7 * place for place, octet in enumerate(TEXT.encode()))
        octets = bits.to_bytes(-(-7 * len(TEXT) // 8), "little")
        pdu = DeliverSm(esm_class=4, data_coding=data_coding, short_message=octets)
        assert parse(pdu) == CANONICAL

    def test_text_behind_a_user_data_header(self) -> None:
        octets = bytes.fromhex("050003840101") + TEXT.encode()
        assert parse(DeliverSm(esm_class=0x44, short_message=octets)) == CANONICAL

    def test_the_payload_is_read_where_the_text_beside_it_says_nothing(self) -> None:
        payload = tlv.MESSAGE_PAYLOAD.of(TEXT.encode())
        assert parsed("delivery receipt", (payload,)) == CANONICAL

    @pytest.mark.parametrize("kind", [DeliverSm, DataSm])
    def test_text_in_message_payload(self, kind: type[DeliverSm] | type[DataSm]) -> None:
        payload = tlv.MESSAGE_PAYLOAD.of(TEXT.encode())
        assert parse(kind(esm_class=4, tlvs=(payload,))) == CANONICAL


class TestParameters:
    BOTH = (tlv.RECEIPTED_MESSAGE_ID.of("38601fa"), tlv.MESSAGE_STATE.of(5))

    @pytest.mark.parametrize("kind", [DeliverSm, DataSm])
    @pytest.mark.parametrize("esm_class", [0, 4])
    def test_alone(self, kind: type[DeliverSm] | type[DataSm], esm_class: int) -> None:
        error = tlv.NETWORK_ERROR_CODE.of(tlv.NetworkError(3, 27))
        pdu = kind(esm_class=esm_class, tlvs=(*self.BOTH, error))
        assert parse(pdu) == Receipt("38601fa", 5, network_error=tlv.NetworkError(3, 27))

    TEXT_SAYS = Claim("0123456789", 2, None)

    def test_are_believed_before_the_text(self) -> None:
        receipt = changed(ref_raw="38601fa", state=5, also=(self.TEXT_SAYS,))
        assert parsed(TEXT, self.BOTH) == receipt

    def test_either_may_be_missing(self) -> None:
        assert parsed(TEXT, self.BOTH[:1]) == changed(ref_raw="38601fa", also=(self.TEXT_SAYS,))
        assert parsed(TEXT, self.BOTH[1:]) == changed(state=5)

    def test_that_agree_with_the_text_say_nothing_more(self) -> None:
        both = tlv.RECEIPTED_MESSAGE_ID.of("123456789"), tlv.MESSAGE_STATE.of(2)
        assert parsed(TEXT, both) == changed(ref_raw="123456789")

    @pytest.mark.parametrize(
        ("octets", "state"),
        [
            (b"\x05", 5),
            (b"\x00\x05", 5),
            (b"\x05\x00", 5),
            (b"\x00\x00\x00\x05", 5),
            (b"5", 5),
            (b"5\0", 5),
            (b"UNDELIV\0", 5),
            (b"FAILED", 5),
            (b"\x08", 8),
            (b"\x09", 9),
            (b"\x63", 2),  # no state: the text's counts
            (b"", 2),
            (b"\x00", 2),  # SMPP 3.4 has no state 0
        ],
    )
    def test_a_message_state_in_any_form(self, octets: bytes, state: int) -> None:
        assert parsed(TEXT, ((0x0427, octets),)).state == state

    def test_a_scheduled_message_is_one_where_nothing_says_otherwise(self) -> None:
        assert parsed("", ((0x001E, b"7\0"), (0x0427, b"\0"))) == Receipt("7", 0)

    @pytest.mark.parametrize(
        ("stat", "state", "word"),
        [("MK:0001", 5, "MK:0001"), ("SOMETHING", 5, "SOMETHING"), ("REJECT", 5, None)],
    )
    def test_the_word_of_the_text_is_kept_unless_it_says_something_else(
        self, stat: str, state: int, word: str | None
    ) -> None:
        found = parsed(TEXT.replace("DELIVRD", stat), self.BOTH[1:])
        assert (found.state, found.word) == (state, word)

    def test_where_their_id_is_unknown_the_text_has_its_say(self) -> None:
        found = parsed(TEXT.replace("DELIVRD", "EXPIRED"), self.BOTH)
        assert found.also == (Claim("0123456789", 3, None),)
        found = parsed("id:7 err:1", self.BOTH)
        assert found.also == (Claim("7", 5, None),)

    @pytest.mark.parametrize("octets", [b"38601fa", b"38601fa\0", b"38601fa\0\0", b" 38601fa"])
    def test_an_id_with_or_without_its_end(self, octets: bytes) -> None:
        assert parsed("", ((0x001E, octets), (0x0427, b"\2"))) == Receipt("38601fa", 2)

    def test_that_make_no_sense_leave_it_to_the_text(self) -> None:
        assert parsed(TEXT, ((0x001E, b"\0"), (0x0427, b"\x63"))) == CANONICAL


class TestWhatIsAReceipt:
    @pytest.mark.parametrize(
        "esm_class", [0x04, 0x44, 0x84, 0x07, 0x24, 0x64, 0x0C, 0x14, 0x1C, 0x2C, 0x3C, 0xFC]
    )
    def test_receipts(self, esm_class: int) -> None:
        assert parsed(TEXT, esm_class=esm_class) == CANONICAL

    @pytest.mark.parametrize("esm_class", [0x20, 0x60, 0x28, 0x30, 0x38, 0xA3])
    def test_intermediate_notifications(self, esm_class: int) -> None:
        assert parsed(TEXT, esm_class=esm_class) == changed(intermediate=True)

    @pytest.mark.parametrize("esm_class", [0x00, 0x03, 0x40, 0x80, 0x08, 0x10, 0x18])
    @pytest.mark.parametrize("alphabet", ["ascii", "utf-16-be", "utf-16-le"])
    def test_what_only_its_text_says_to_be_one(self, esm_class: int, alphabet: str) -> None:
        pdu = DeliverSm(esm_class=esm_class, data_coding=8, short_message=TEXT.encode(alphabet))
        assert parse(pdu) == changed(marked=False)

    @pytest.mark.parametrize("esm_class", [0x00, 0x03, 0x40, 0x08, 0x10, 0x18])
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "STOP",
            "What is the stat of my order?",
            "stat:DELIVRD",
            "id:7 err:000",
            "my id: none; status? stat:",
            "the static state of 7",
        ],
    )
    def test_texts_of_phones_are_none(self, esm_class: int, text: str) -> None:
        assert parse(DeliverSm(esm_class=esm_class, short_message=text.encode())) is None
        port = tlv.SOURCE_PORT.of(9)
        assert parse(DeliverSm(esm_class=esm_class, tlvs=(port,))) is None

    def test_a_text_of_a_phone_with_the_id_of_a_message_is_none(self) -> None:
        ref = tlv.RECEIPTED_MESSAGE_ID.of("38601fa")
        assert parse(DeliverSm(short_message=b"Yes, please", tlvs=(ref,))) is None

    def test_an_id_beside_a_text_that_tells_a_state_is_one(self) -> None:
        ref = tlv.RECEIPTED_MESSAGE_ID.of("38601fa")
        receipt = parse(DeliverSm(short_message=b"stat:EXPIRED err:1", tlvs=(ref,)))
        assert receipt == Receipt("38601fa", 3, "1")


LABELS = ["id:", "ID :", "sub:", "dlvrd:", "submit date:", "done date:", "stat:", "err:", "Text:"]
VALUES = ["DELIVRD", "001", "2611111200", "0", "\0", ":", ",", " ", "x" * 70, "9" * 5000, "é"]


class TestFuzz:
    @given(st.binary(max_size=200), st.integers(0, 255), st.integers(0, 255))
    def test_octets(self, octets: bytes, esm_class: int, data_coding: int) -> None:
        pdu = DeliverSm(esm_class=esm_class, data_coding=data_coding, short_message=octets)
        assert isinstance(parse(pdu), Receipt | None)

    @given(st.lists(st.sampled_from(LABELS + VALUES), max_size=20).map("".join))
    def test_labels_and_values_in_any_order(self, text: str) -> None:
        found = parsed(text)
        assert found.state is None or found.state in STATS
        assert len(found.ref_raw) <= receipts.MAX_ID

    @given(st.permutations(["id:77", "sub:001", "dlvrd:000", "stat:UNDELIV", "err:0b1"]))
    def test_every_order_says_the_same(self, labels: list[str]) -> None:
        expected = Receipt("77", 5, "0b1", submitted=1, delivered=0)
        assert parsed(" ".join(labels)) == expected

    @given(st.lists(st.tuples(st.sampled_from([0x1E, 0x427, 0x423, 0x424]), st.binary(max_size=9))))
    def test_parameters(self, tlvs: list[tuple[int, bytes]]) -> None:
        assert isinstance(parse(DeliverSm(tlvs=tuple(tlvs))), Receipt | None)


class TestDate:
    @pytest.mark.parametrize(
        ("raw", "moment"),
        [
            ("2611110305", datetime(2026, 11, 11, 3, 5)),  # noqa: DTZ001
            ("261111030507", datetime(2026, 11, 11, 3, 5, 7)),  # noqa: DTZ001
            ("20261111030507", datetime(2026, 11, 11, 3, 5, 7)),  # noqa: DTZ001
            ("202611110305", datetime(2026, 11, 11, 3, 5)),  # noqa: DTZ001
            ("201311110305", datetime(2013, 11, 11, 3, 5)),  # noqa: DTZ001
            ("2026-11-11 03:05:07", datetime(2026, 11, 11, 3, 5, 7)),  # noqa: DTZ001
            ("2026/11/11 03:05", datetime(2026, 11, 11, 3, 5)),  # noqa: DTZ001
            ("26-11-11 03:05", datetime(2026, 11, 11, 3, 5)),  # noqa: DTZ001
            ("26.11.11 03:05:07", datetime(2026, 11, 11, 3, 5, 7)),  # noqa: DTZ001
            ("20261111T030507Z", datetime(2026, 11, 11, 3, 5, 7)),  # noqa: DTZ001
            ("0000000000", None),
            ("000000000000", None),
            ("2613110305", None),
            ("26111103", None),
            ("\u0662" * 10, None),
            ("", None),
            (None, None),
        ],
    )
    def test_forms(self, raw: str | None, moment: datetime | None) -> None:
        assert receipts.date(raw) == moment

    @given(st.text("0123456789", max_size=16))
    def test_any_digits(self, raw: str) -> None:
        assert isinstance(receipts.date(raw), datetime | None)


class TestCanonical:
    @pytest.mark.parametrize(
        ("response", "response_base", "receipt", "receipt_base"),
        [
            ("38601FA", "text", "38601fa", "text"),
            ("0038601fa", "text", "38601FA", "text"),
            ("38601fa\0", "text", " 38601fa ", "text"),
            ("38601fa", "hex", "0059113978", "dec"),
            ("59113978", "dec", "038601FA", "hex"),
            ("0x38601fa", "hex", "59113978", "text"),
            ("000", "text", "0", "text"),
            ("0000", "hex", "0", "dec"),
            ("4F6E-8A2C", "hex", "4f6e-8a2c", "dec"),
            ("0x38601FA", "text", "38601fa", "text"),
            ("0X0038601FA", "text", "0038601fa", "text"),
            ("ab_cd", "text", "AB\x11CD", "text"),
            ("ab@cd$", "text", "ab\x00cd\x02", "text"),
            ("ab{cd}", "text", "ab\x1b(cd\x1b)", "text"),
            ("x7", "text", "X7", "text"),
        ],
    )
    def test_both_forms_of_an_id_meet(
        self, response: str, response_base: IdBase, receipt: str, receipt_base: IdBase
    ) -> None:
        assert canonical(response, response_base) == canonical(receipt, receipt_base)

    @pytest.mark.parametrize("base", ["text", "dec", "hex"])
    def test_no_id_meets_none(self, base: IdBase) -> None:
        assert canonical("\0", base) == ""
        assert canonical("0", base) == "0"

    @pytest.mark.parametrize("ref", ["1_0", "+10", "-10", "1 0", "\u0661\u0660"])
    def test_only_digits_are_a_number(self, ref: str) -> None:
        assert canonical(ref, "dec") == ref

    @given(st.integers(0, 16**64 - 1), st.integers(0, 5), st.booleans())
    def test_hex_and_decimal_of_any_number_meet(self, n: int, zeros: int, upper: bool) -> None:
        written = f"{n:x}".upper() if upper else f"{n:x}"
        padded = (
            ("0" * zeros + written)[-64:] if len(written) + zeros > 64 else "0" * zeros + written
        )
        decimal = str(n)
        assert canonical(padded, "hex") == decimal
        assert len(decimal) > receipts.MAX_ID or canonical(decimal.zfill(64), "dec") == decimal

    @given(st.text(max_size=6000), st.sampled_from(["text", "dec", "hex"]))
    def test_anything_has_a_form_and_it_lasts(self, ref: str, base: IdBase) -> None:
        assert canonical(canonical(ref, "text"), "text") == canonical(ref, "text")
        canonical(ref, base)

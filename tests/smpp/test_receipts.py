"""Receipts in the forms that carriers send, and none that makes the parser fail."""

from datetime import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp import receipts, tlv
from gateway.smpp.pdu import DataSm, DeliverSm
from gateway.smpp.receipts import STATES, STATS, IdBase, Receipt, canonical, parse

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

    def test_an_id_too_long_to_be_one_is_none(self) -> None:
        assert parsed(TEXT.replace("0123456789", "9" * 65)) == changed(ref_raw="")

    @pytest.mark.parametrize(("stat", "state"), STATES.items())
    def test_states(self, stat: str, state: int) -> None:
        assert parsed(TEXT.replace("DELIVRD", stat)).state == state
        assert parsed(f"id:1 stat:{stat.lower()}").state == state
        assert state in STATS

    def test_an_unknown_state_is_none(self) -> None:
        assert parsed(TEXT.replace("DELIVRD", "PERHAPS")) == changed(state=None)

    def test_text_in_ucs2(self) -> None:
        text = TEXT.replace("hello there", "你好")
        pdu = DeliverSm(esm_class=4, data_coding=8, short_message=text.encode("utf-16-be"))
        assert parse(pdu) == changed(text="你好")

    def test_the_text_of_a_canonical_receipt_keeps_its_padding(self) -> None:
        text = TEXT.replace("id:0123456789", "id:你好").replace("hello there", " hello there,")
        pdu = DeliverSm(esm_class=4, data_coding=8, short_message=text.encode("utf-16-be"))
        assert parse(pdu) == changed(ref_raw="你好", text=" hello there,")

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

    def test_are_believed_before_the_text(self) -> None:
        assert parsed(TEXT, self.BOTH) == changed(ref_raw="38601fa", state=5)

    def test_either_may_be_missing(self) -> None:
        assert parsed(TEXT, self.BOTH[:1]) == changed(ref_raw="38601fa")
        assert parsed(TEXT, self.BOTH[1:]) == changed(state=5)

    def test_that_make_no_sense_leave_it_to_the_text(self) -> None:
        assert parsed(TEXT, ((0x001E, b"\0"), (0x0427, b"\x63"))) == CANONICAL


class TestWhatIsAReceipt:
    @pytest.mark.parametrize("esm_class", [0x04, 0x44, 0x84, 0x07])
    def test_receipts(self, esm_class: int) -> None:
        assert parsed(TEXT, esm_class=esm_class) == CANONICAL

    @pytest.mark.parametrize("esm_class", [0x20, 0x60])
    def test_intermediate_notifications(self, esm_class: int) -> None:
        assert parsed(TEXT, esm_class=esm_class) == changed(intermediate=True)

    @pytest.mark.parametrize("esm_class", [0x00, 0x03, 0x40, 0x08, 0x10, 0x18])
    def test_others_are_none_whatever_their_text(self, esm_class: int) -> None:
        assert parse(DeliverSm(esm_class=esm_class, short_message=TEXT.encode())) is None
        port = tlv.SOURCE_PORT.of(9)
        assert parse(DeliverSm(esm_class=esm_class, tlvs=(port,))) is None


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
            ("0000000000", None),
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

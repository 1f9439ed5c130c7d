"""How ids in receipts relate to ids in responses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.receipt_ids import (
    DOUBTS,
    HINTS,
    Form,
    Reading,
    ReceiptId,
    ReceiptIds,
    readings,
    shows,
    telling,
    written,
)
from gateway.smpp.receipts import canonical

UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


@pytest.mark.parametrize(
    ("response", "receipt", "form"),
    [
        ("0123456789", "123456789", "same"),
        ("38601FA", "38601fa", "same"),
        (UUID, UUID.upper(), "same"),
        ("1A", "26", "hex-dec"),
        ("0000001a", "0000000026", "hex-dec"),
        ("0x1A", "26", "hex-dec"),
        ("26", "1A", "dec-hex"),
        ("26", "0x1a", "dec-hex"),
        ("0026", "1a", "dec-hex"),
    ],
)
def test_ids_meet_in_one_form(response: str, receipt: str, form: Form) -> None:
    assert written(receipt, form) == canonical(response, "text")
    assert canonical(response, "text") in [ref for _, ref in readings(receipt)]


@pytest.mark.parametrize("wrapped", ["<{}>", "[{}]", "({})", "{{{}}}", "'{}'", '"{}"', "`{}`"])
@pytest.mark.parametrize(("response", "receipt"), [("0123", "123"), ("1A", "26"), (UUID, UUID)])
def test_an_id_in_brackets_or_quotes_is_the_one_without(
    response: str, receipt: str, wrapped: str
) -> None:
    found = [ref for _, ref in readings(wrapped.format(receipt))]
    assert canonical(response, "text") in found
    assert canonical(wrapped.format(receipt), "text") in found  # a response may have had them too


@given(st.integers(0, 2**64 - 1), st.integers(0, 4), st.booleans())
def test_any_number_meets_itself_in_any_base(number: int, zeros: int, upper: bool) -> None:
    pad = "0" * zeros
    as_hex = f"{number:X}" if upper else f"{number:x}"
    assert written(pad + str(number), "hex-dec") == canonical(pad + as_hex, "text")
    assert written(pad + as_hex, "dec-hex") == canonical(pad + str(number), "text")


@pytest.mark.parametrize(
    ("receipt", "form"),
    [("1g", "dec-hex"), ("1a", "hex-dec"), ("a-b", "dec-hex"), ("\u0663", "hex-dec"),
     ("\u0663", "dec-hex"), ("-5", "hex-dec"), ("1_0", "dec-hex")],
)  # fmt: skip
def test_what_is_no_number_in_a_base_is_not_read_in_it(receipt: str, form: Form) -> None:
    assert written(receipt, form) is None


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ("26", [("same", "26"), ("hex-dec", "1a"), ("dec-hex", "38")]),
        ("1A", [("same", "1a"), ("dec-hex", "26")]),
        ("7", [("same", "7")]),
        ("m-26", [("same", "m-26")]),
        ("", []),
        (UUID.upper(), [("same", UUID), ("same", UUID.replace("-", "")), ("same", f"{{{UUID}}}")]),
        ("f" * 64 + "1", [("same", "f" * 64 + "1"), ("same", "f" * 64),
                          ("dec-hex", str(int("f" * 64 + "1", 16)))]),
    ],
)  # fmt: skip
def test_what_an_id_may_stand_for(ref: str, found: list[tuple[Form, str]]) -> None:
    assert readings(ref) == [Reading(*one) for one in found]


def test_a_uuid_is_one_with_and_without_its_dashes() -> None:
    spellings = {UUID, UUID.replace("-", ""), f"{{{UUID}}}"}
    for spelling in spellings:
        assert {ref for form, ref in readings(spelling) if form == "same"} == spellings


@pytest.mark.parametrize(
    ("ref", "long"),
    [("12345678", True), ("0012345678", True), ("0000012345", False), ("1A", False), (UUID, True)],
)
def test_ids_that_are_too_long_to_fit_by_chance(ref: str, long: bool) -> None:
    assert telling(ref) is long


@pytest.mark.parametrize(
    ("ref", "form", "shown"),
    [("26", "hex-dec", True), ("26", "same", True), ("7", "same", False), ("07", "dec-hex", False),
     (UUID, "same", True), ("m-7", "same", True), ("a", "dec-hex", True)],
)  # fmt: skip
def test_which_ids_show_in_which_form_they_are(ref: str, form: Form, shown: bool) -> None:
    assert shows(ref, form) is shown


@pytest.mark.parametrize("stated", ["auto", "same"])
def test_a_receipt_without_an_id_speaks_of_nothing(stated: ReceiptId) -> None:
    assert ReceiptIds(stated).candidates("") == []
    assert ReceiptIds(stated).likeliest("") == ""


def test_a_stated_form_is_the_only_one() -> None:
    ids = ReceiptIds("hex-dec")
    assert ids.candidates("26") == [("hex-dec", "1a")]
    assert ids.likeliest("26") == "1a"
    ids.learn("same")
    assert not any(ids.doubt("same") for _ in range(10))
    assert ids.candidates("26") == [("hex-dec", "1a")]


def test_what_is_learnt_comes_first_and_stays() -> None:
    ids = ReceiptIds("auto")
    assert ids.likeliest("26") == ""
    assert [form for form, _ in ids.candidates("26")] == ["same", "hex-dec", "dec-hex"]
    ids.learn("hex-dec")
    ids.learn("same")
    assert ids.learnt == "hex-dec"
    assert ids.candidates("26")[0] == ("hex-dec", "1a")
    assert ids.likeliest("26") == "1a"


def test_what_is_learnt_gives_way_to_what_fits_instead() -> None:
    ids = ReceiptIds("auto")
    ids.learn("hex-dec")
    assert [ids.doubt("same") for _ in range(DOUBTS - 1)] == [False] * (DOUBTS - 1)
    assert not ids.doubt("dec-hex")
    assert ids.doubt("same")
    assert ids.learnt == "same"
    assert not ids.doubt("hex-dec")


def test_hints_that_all_say_the_same_teach() -> None:
    ids = ReceiptIds("auto")
    assert [ids.hint("hex-dec") for _ in range(HINTS)] == [False] * (HINTS - 1) + [True]
    assert ids.learnt == "hex-dec"


def test_hints_that_do_not_teach_nothing() -> None:
    ids = ReceiptIds("auto")
    assert not ids.hint("same")
    assert not any(ids.hint("hex-dec") for _ in range(20))
    assert ids.learnt is None


@pytest.mark.parametrize(
    ("ref", "learnt", "certain"),
    [("m-26", None, "same"), ("m-26", "hex-dec", "same"), ("7", None, "same"),
     ("26", None, None), ("26", "hex-dec", "hex-dec"), (UUID, None, "same")],
)  # fmt: skip
def test_in_which_form_an_id_is_meant_for_sure(
    ref: str, learnt: Form | None, certain: Form | None
) -> None:
    ids = ReceiptIds("auto")
    if learnt is not None:
        ids.learn(learnt)
    assert ids.certain(ids.candidates(ref)) == certain

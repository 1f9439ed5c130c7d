import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.recipients import normalise


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("+447400123456", "447400123456"),
        ("447400123456", "447400123456"),
        ("+2901234", "2901234"),  # 7 digits
        ("491512345678901", "491512345678901"),  # 15 digits
        ("870773123456", "870773123456"),  # a satellite phone
    ],
)
def test_numbers(written: str, digits: str) -> None:
    assert normalise(written) == digits


@pytest.mark.parametrize(
    "written",
    [
        "",
        "+",
        "++447400123456",
        "447400",
        "4915123456789012",
        "07400123456",
        "+0447400123456",
        "00447400123456",
        "+44 7400 123456",
        "+44-7400-123456",
        " 447400123456",
        "447400123456\n",
        "٤٤٧٤٠٠١٢٣٤٥٦",
        "447400123456".translate({ord("4"): 0xFF14}),  # a fullwidth four
        "44740012345²",
        "+9991234567",  # no such country code
        "tel:447400123456",
    ],
)
def test_what_is_no_number(written: str) -> None:
    assert normalise(written) is None


@given(st.text())
def test_what_comes_back_is_a_number_and_stays_so(written: str) -> None:
    digits = normalise(written)
    if digits is not None:
        assert digits.isascii()
        assert digits.isdigit()
        assert 7 <= len(digits) <= 15
        assert written in (digits, f"+{digits}")
        assert normalise(digits) == digits

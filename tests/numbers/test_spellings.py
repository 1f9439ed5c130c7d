"""Phones with several numbers are one phone."""

import pytest

from gateway.numbers import canonical, read
from gateway.numbers import spellings as numbers_of
from tests.numbers.test_plans import numbers


@pytest.mark.parametrize(
    "spellings",
    [
        ("525512345678", "5215512345678"),  # Mexico
        ("528112345678", "5218112345678"),
        ("541112345678", "5491112345678"),  # Argentina
        ("543515123456", "5493515123456"),
        ("551187654321", "5511987654321"),  # Brazil
        ("552171234567", "5521971234567"),
        ("558899123456", "5588999123456"),
        ("22997123456", "2290197123456"),  # Benin
        ("22921301234", "2290121301234"),
        ("378886377", "3780549886377", "390549886377"),  # San Marino
        ("970599123456", "972599123456"),  # Palestine
        ("970569123456", "972569123456"),
        ("590690123456", "33690123456"),  # Guadeloupe
        ("262692123456", "33692123456"),  # Réunion
    ],
    ids=lambda spellings: spellings[0],
)
def test_all_spellings_of_a_phone_are_read_and_have_one_name(spellings: tuple[str, ...]) -> None:
    for one in spellings:
        assert set(spellings) <= numbers_of(one)
        assert {canonical(other) for other in numbers_of(one)} == {canonical(one)}
    assert len({canonical(one) for one in spellings}) == 1
    for one in spellings:
        assert read(one) == read(f"+{one}") == one  # dialled as it was written


@pytest.mark.parametrize(
    "number",
    [
        "8613912345678",
        "447700900123",
        "12025550123",
        "33612345678",
        "33639981234",
        "390612345678",
        "393331234567",
        "551133334444",  # a fixed line in São Paulo
        "5511912345678",  # a mobile that never had eight digits
        "5511987654321",
        "525512345678",
        "541112345678",
        "972501234567",  # Israel
        "972542345678",
        "2290197123456",
        "3780549886377",
        "37866661212",
    ],
)
def test_a_phone_with_one_number_keeps_it(number: str) -> None:
    assert canonical(number) == number


def test_two_phones_are_never_made_one() -> None:
    """Brazil's 9 before a fixed line, and 1 before what is no Mexican number."""
    assert canonical("5511933334444") != canonical("551133334444")
    assert canonical("5211234567890") == "5211234567890"
    assert canonical("5509987654321") == "5509987654321"


def test_the_name_of_a_name_is_itself() -> None:
    for number in numbers(60):
        assert canonical(canonical(number)) == canonical(number)

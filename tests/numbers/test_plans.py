"""The tables against `phonenumbers`, from whose data they are made."""

import random
from collections.abc import Iterator

import phonenumbers
import pytest
from phonenumbers import PhoneNumber, PhoneNumberType

from gateway.numbers import CODES, REGIONS, Kind, kind_of, load, plans, region_of
from gateway.numbers.plans import plan_of, region_named

KINDS = {
    PhoneNumberType.FIXED_LINE: Kind.FIXED,
    PhoneNumberType.MOBILE: Kind.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: Kind.FIXED_OR_MOBILE,
    PhoneNumberType.TOLL_FREE: Kind.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE: Kind.PREMIUM,
    PhoneNumberType.SHARED_COST: Kind.SHARED_COST,
    PhoneNumberType.VOIP: Kind.VOIP,
    PhoneNumberType.PERSONAL_NUMBER: Kind.PERSONAL,
    PhoneNumberType.PAGER: Kind.PAGER,
    PhoneNumberType.UAN: Kind.UNIVERSAL,
    PhoneNumberType.VOICEMAIL: Kind.VOICEMAIL,
}


def parsed(digits: str) -> PhoneNumber:
    """These digits as `phonenumbers` has them, taken as they are: its parser would mend some."""
    code = next(digits[:size] for size in (1, 2, 3) if digits[:size] in CODES)
    national = digits[len(code) :]
    zeros = len(national) - len(national.lstrip("0"))
    return PhoneNumber(
        country_code=int(code),
        national_number=int(national or "0"),
        italian_leading_zero=zeros > 0 or None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )


def numbers(count: int) -> Iterator[str]:
    """Numbers of every country code, some that exist and more that do not, always the same ones."""
    chance = random.Random(20261126)
    for code in sorted(CODES):
        names = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]
        examples = [
            phonenumbers.national_significant_number(example)
            for name in names
            for kind in KINDS
            if (example := phonenumbers.example_number_for_type(name, kind)) is not None
        ]
        for _ in range(count):
            if examples and chance.random() < 0.8:
                digits = list(chance.choice(examples))
                for _ in range(chance.randint(0, 3)):
                    digits[chance.randrange(len(digits))] = chance.choice("0123456789")
                own = "".join(digits)
            else:
                own = "".join(chance.choices("0123456789", k=chance.randint(5, 12)))
            if 7 <= len(code + own) <= 15 and own.strip("0"):
                yield code + own


def test_the_table_says_what_its_source_says() -> None:
    compared = 0
    for digits in numbers(100):
        theirs = parsed(digits)
        plan = plan_of(digits)
        assert plan is not None
        ours = plan.exact(digits)
        assert (ours is not None) == phonenumbers.is_valid_number(theirs), digits
        if ours is not None:
            compared += 1
            assert ours.kind is KINDS[phonenumbers.number_type(theirs)], digits
            region = phonenumbers.region_code_for_number(theirs)
            assert ours.region == (None if region == "001" else region), digits
    assert compared > 5_000


def test_every_region_and_code_is_there() -> None:
    assert REGIONS == phonenumbers.SUPPORTED_REGIONS
    assert {str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE} == CODES


@pytest.mark.parametrize("name", sorted(REGIONS))
def test_examples_of_every_region_are_numbers_of_their_kind(name: str) -> None:
    for kind in KINDS:
        example = phonenumbers.example_number_for_type(name, kind)
        if example is None:
            continue
        digits = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)[1:]
        if len(digits) >= 7:
            assert kind_of(digits) is KINDS[phonenumbers.number_type(example)], digits
            assert region_of(digits) == phonenumbers.region_code_for_number(example)


@pytest.mark.parametrize(
    ("number", "kind", "region"),
    [
        ("8613912345678", Kind.MOBILE, "CN"),
        ("8615412345678", Kind.MOBILE, "CN"),  # a range that is not opened yet, among mobiles
        ("861069001234", Kind.FIXED, "CN"),
        ("8610", Kind.SHORT, None),
        ("447400123456", Kind.MOBILE, "GB"),
        ("447700900123", Kind.MOBILE, "GB"),  # kept for drama, among mobiles
        ("442079460123", Kind.FIXED, "GB"),
        ("448081570123", Kind.TOLL_FREE, "GB"),
        ("449098790123", Kind.PREMIUM, "GB"),
        ("447797123456", Kind.MOBILE, "JE"),
        ("12025550123", Kind.FIXED_OR_MOBILE, "US"),
        ("14165550123", Kind.FIXED_OR_MOBILE, "CA"),
        ("18765550123", Kind.MOBILE, "JM"),
        ("19005550123", Kind.PREMIUM, "US"),
        ("77011234567", Kind.MOBILE, "KZ"),
        ("79161234567", Kind.MOBILE, "RU"),
        ("390612345678", Kind.FIXED, "IT"),
        ("393331234567", Kind.MOBILE, "IT"),
        ("5215512345678", Kind.FIXED_OR_MOBILE, "MX"),  # as it was dialled until 2019
        ("551187654321", Kind.MOBILE, "BR"),  # as it was before its ninth digit
        ("870773123456", Kind.MOBILE, None),
        ("881612345678", Kind.MOBILE, None),
        ("979123456789", Kind.PREMIUM, None),
        ("80012345678", Kind.TOLL_FREE, None),
        ("112", Kind.EMERGENCY, None),
        ("911", Kind.EMERGENCY, None),
        ("86110", Kind.EMERGENCY, None),
        ("44999", Kind.EMERGENCY, None),
        ("60123", Kind.SHORT, None),
        ("9991234567", Kind.UNKNOWN, None),
    ],
)
def test_kinds_and_regions(number: str, kind: Kind, region: str | None) -> None:
    assert kind_of(number) is kind
    assert region_of(number) == region


@pytest.mark.parametrize(
    ("region", "dialled", "foreign"),
    [
        ("US", "011447700900123", "447700900123"),
        ("AU", "0011447700900123", "447700900123"),
        ("JP", "010447700900123", "447700900123"),
        ("RU", "810447700900123", "447700900123"),
        ("GB", "00861391234", "861391234"),
        ("US", "2025550123", None),
    ],
)
def test_what_is_dialled_before_foreign_numbers(
    region: str, dialled: str, foreign: str | None
) -> None:
    assert region_named(region).from_abroad(dialled) == foreign


def test_once_all_plans_are_read_none_is_when_a_number_comes_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load()
    monkeypatch.setattr(plans, "Plan", None)  # one that was read now would fail
    for code in CODES:
        assert plan_of(f"{code}123456789") is not None

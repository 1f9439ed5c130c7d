"""The prefix table against `phonenumbers`, from whose data it is made."""

import importlib
import random
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import phonenumbers
import pytest
from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_number
from phonenumbers.tzdata import TIMEZONE_DATA

from gateway.numbers import canonical
from gateway.policy import regions
from gateway.policy.regions import CODES, NOWHERE, REGIONS, place_of

NO_ZONES = (UNKNOWN_TIMEZONE,)
"""What `phonenumbers` says of an invalid number, and of a number of no country."""


@pytest.fixture(scope="module")
def generator() -> Any:
    return importlib.import_module("tools.prefixes")


def is_corrected(generator: Any, digits: str) -> bool:
    """Whether the corrections may say something else of a number than `phonenumbers`."""
    stated = (*" ".join(generator.EXACT).split(), *generator.MOBILE_ANYWHERE)
    code = next(digits[:size] for size in (1, 2, 3) if digits[:size] in TIMEZONE_DATA)
    return digits.startswith(stated) or any(
        generator.zones_named(generator.longest(prefix, generator.ZONES), "")
        != generator.zones_named(generator.longest(prefix, TIMEZONE_DATA), "")
        for prefix in (digits, code)
    )


def valid_numbers(prefixes: list[str]) -> Iterator[tuple[str, phonenumbers.PhoneNumber]]:
    """Up to two valid numbers under each prefix that belong to a country, always the same ones."""
    chance = random.Random(20261122)
    for prefix in prefixes:
        found = 0
        for _ in range(10):
            size = 11 if prefix[0] in "17" else chance.choice((10, 11, 11, 12, 12, 13))
            digits = prefix + "".join(chance.choices("0123456789", k=size - len(prefix)))
            try:
                number = phonenumbers.parse("+" + digits)
            except phonenumbers.NumberParseException:
                continue
            written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            if written == "+" + digits and time_zones_for_number(number) != NO_ZONES:
                yield digits, number
                found += 1
            if found == 2:
                break


def assert_agrees(generator: Any, digits: str, number: phonenumbers.PhoneNumber) -> bool:
    """Asserts that we place a number as `phonenumbers` does; says whether exactly so.

    Only where a correction says so or a region has leading digits of its own may we know better:
    `phonenumbers` gives a mobile number of Kazakhstan all the zones of Russia."""
    region = phonenumbers.region_code_for_number(number)
    zones = set(generator.zones_named(time_zones_for_number(number), region))
    place = place_of(digits)
    assert place.region == region, digits
    assert place.zones, digits
    if place.zones == zones or is_corrected(generator, digits):
        return True
    assert place.zones <= zones, digits
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region or "")
    assert metadata is not None
    assert metadata.leading_digits, digits
    return False


def test_agrees_with_phonenumbers_at_every_boundary(generator: Any) -> None:
    prefixes = sorted({*TIMEZONE_DATA, *regions.TABLE})
    numbers = [*valid_numbers(prefixes)]
    agreed = [assert_agrees(generator, *number) for number in numbers]
    assert sum(not is_corrected(generator, digits) for digits, _ in numbers) > 9_000
    assert agreed.count(False) < len(agreed) // 500


def test_agrees_with_phonenumbers_on_every_kind_of_number(generator: Any) -> None:
    asked = 0
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in phonenumbers.PhoneNumberType.values():
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None or time_zones_for_number(number) == NO_ZONES:
                continue
            digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
            if digits.startswith("1") and len(digits) != 11:
                continue  # seven digits that are dialled only within Canada
            assert_agrees(generator, digits, number)
            asked += 1
    assert asked > 1000


def test_the_table_is_what_the_generator_writes(generator: Any) -> None:
    written = {prefix: (answer.region, set(answer.zones)) for prefix, answer in generator.table()}
    loaded = {
        prefix: (place.subdivision or place.region, set(place.zones))
        for prefix, place in regions.TABLE.items()
    }
    assert loaded == written, "run python -m tools.prefixes"


@pytest.mark.parametrize(
    ("number", "region", "subdivision", "zones"),
    [
        ("33612345678", "FR", None, {"Europe/Paris"}),
        # Overseas departments are in France's plan too, hours away from its clock.
        ("33690123456", "GP", None, {"America/Guadeloupe"}),
        ("33692123456", "RE", None, {"Indian/Reunion"}),
        ("33639012345", "YT", None, {"Indian/Mayotte"}),
        ("33694123456", "GF", None, {"America/Cayenne"}),
        ("33696123456", "MQ", None, {"America/Martinique"}),
        ("33639981234", "FR", None, {"Europe/Paris"}),  # kept for documentation
        ("8613812345678", "CN", None, {"Asia/Shanghai"}),
        ("919812345678", "IN", None, {"Asia/Kolkata"}),
        ("15125550100", "US", "US-TX", {"America/Chicago"}),
        ("19155550100", "US", "US-TX", {"America/Denver"}),
        ("13105550100", "US", "US-CA", {"America/Los_Angeles"}),
        ("12125550100", "US", "US-NY", {"America/New_York"}),
        ("17135550100", "US", "US-TX", {"America/Chicago"}),
        ("12025550100", "US", "US-DC", {"America/New_York"}),
        ("12085550100", "US", "US-ID", {"America/Boise", "America/Los_Angeles"}),
        ("14165550100", "CA", "CA-ON", {"America/Toronto"}),
        ("19025550100", "CA", None, {"America/Halifax"}),  # Nova Scotia or Prince Edward Island
        ("18765550100", "JM", None, {"America/Jamaica"}),
        ("212612345678", "MA", None, {"Africa/Casablanca"}),
        ("77011234567", "KZ", None, {"Asia/Almaty", "Asia/Aqtobe"}),
        ("74951234567", "RU", None, {"Europe/Moscow"}),
        ("870773123456", None, None, set()),
    ],
)
def test_places(number: str, region: str | None, subdivision: str | None, zones: set[str]) -> None:
    place = place_of(number)
    assert (place.region, place.subdivision, set(place.zones)) == (region, subdivision, zones)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("590690123456", "33690123456"),
        ("596696123456", "33696123456"),
        ("262692123456", "33692123456"),
        ("262639012345", "33639012345"),
        ("594694123456", "33694123456"),
        ("525512345678", "5215512345678"),
        ("526641234567", "5216641234567"),
        ("541123456789", "5491123456789"),
        ("5511987654321", "551187654321"),
        ("2290197123456", "22997123456"),
    ],
)
def test_a_phone_is_in_one_place_in_whichever_spelling(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)
    assert place_of(one) == place_of(other)


@pytest.mark.parametrize(
    ("number", "region", "size"),
    [("18005550100", "US", 42), ("79161234567", "RU", 16), ("61412345678", "AU", 9)],
)
def test_numbers_tied_to_no_place_may_be_anywhere(number: str, region: str, size: int) -> None:
    place = place_of(number)
    assert (place.region, len(place.zones)) == (region, size)


def test_an_area_code_not_in_service_is_somewhere_in_its_country() -> None:
    assert place_of("12005550100") is place_of("1")


@pytest.mark.parametrize("number", ["", "0", "012345678", "9991234567", "2101234567", "٣٣٦١٢٣٤"])
def test_a_country_code_that_does_not_exist(number: str) -> None:
    assert place_of(number) is NOWHERE


def test_codes_are_the_first_digits_of_every_country_code() -> None:
    codes = {str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE}
    heads = {f"{head:03}" for head in range(1000)}
    assert {head for head in heads if {head[:1], head[:2], head} & codes} == CODES


def test_every_state_has_an_area_code() -> None:
    states = {name for name in REGIONS if name.startswith("US-")}
    assert len(states) == 51  # with the District of Columbia
    assert {"CA-AB", "CA-BC", "CA-MB", "CA-NB", "CA-NL", "CA-ON", "CA-QC", "CA-SK"} <= REGIONS


def test_every_time_zone_is_in_use() -> None:
    listed = (resources.files("tzdata") / "zoneinfo/zone.tab").read_text()
    names = {row.split("\t")[2] for row in listed.splitlines() if not row.startswith("#")}
    assert {zone for place in regions.TABLE.values() for zone in place.zones} <= names


def test_what_is_kept_at_hand_is_bounded(
    monkeypatch: pytest.MonkeyPatch, weigh: Callable[[object], int]
) -> None:
    monkeypatch.setattr(regions, "RECENT", 10)
    first = place_of("12125550100")
    for area in range(200, 220):
        place_of(f"1{area}5550100")
    kept = weigh(vars(regions))
    for area in range(220, 1000):
        place_of(f"1{area}5550100")
    assert weigh(vars(regions)) < kept + 10 * 500
    assert place_of("12125550100") is first

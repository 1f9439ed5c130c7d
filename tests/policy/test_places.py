"""Numbers whose places are known from sources that know nothing of `phonenumbers`.

`places.csv` has a number, the time zone where such a phone is, ``only`` where it can be on no other
clock, the place, and the source (`tools/corrections.py` says what those are): exchanges in split
area codes that nobody lists, exchanges that are listed, mobile numbers of countries with several
clocks, territories.
"""

import csv
import importlib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gateway.policy import regions
from gateway.policy.regions import place_of

with Path(__file__).with_name("places.csv").open(encoding="utf-8", newline="") as file:
    CASES = list(csv.DictReader(file, delimiter=";"))


@pytest.fixture(scope="module")
def generator() -> Any:
    return importlib.import_module("tools.prefixes")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['number']}-{case['zone']}")
def test_a_number_is_looked_for_where_it_is(case: dict[str, str], generator: Any) -> None:
    clocks = {generator.clock(zone) for zone in place_of(case["number"].removeprefix("+")).zones}
    true = generator.clock(case["zone"])
    assert true in clocks, case["where"]
    if case["only"]:
        assert clocks == {true}, case["where"]


def test_every_number_of_a_country_is_on_a_clock_of_that_country(generator: Any) -> None:
    """But for codes that countries share, and places that tzdata does not list as countries."""
    shared = {"AC", "AU", "CA", "CC", "CX", "IL", "RE", "TA", "TR", "US", "XK", "YT"}

    @cache
    def clocks_of(country: str) -> set[object]:
        return {generator.clock(zone) for zone in generator.COUNTRIES.get(country, ())}

    for prefix, place in regions.TABLE.items():
        if place.region is not None and place.region not in shared:
            foreign = [z for z in place.zones if generator.clock(z) not in clocks_of(place.region)]
            assert not foreign, (prefix, place)


def test_every_clock_of_a_country_is_on_some_number_of_it(generator: Any) -> None:
    """But for those that the corrections give a reason to leave out."""
    kept: dict[str, set[object]] = {}
    for place in regions.TABLE.values():
        if place.region is not None:
            kept.setdefault(place.region, set()).update(map(generator.clock, place.zones))
    for region, clocks in kept.items():
        for zone in generator.COUNTRIES.get(region, ()):
            silent = (region, zone) in generator.SILENT
            assert silent or generator.clock(zone) in clocks, (region, zone)


def test_what_lies_over_an_area_code_is_where_that_is(generator: Any) -> None:
    for group in generator.OVERLAYS:
        clocks = set()
        for area in group.split():
            for exchange in (f"1{area}{number}" for number in range(200, 1000)):
                listed = {exchange, exchange[:-1], exchange[:-2]} & generator.ZONES.keys()
                place = place_of(f"{exchange}0142")
                if not listed and place is not place_of("1"):  # `1`: not in service yet
                    clocks.add(frozenset(map(generator.clock, place.zones)))
        assert len(clocks) == 1, group

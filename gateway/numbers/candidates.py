"""What digits may stand for: a number with its country code, or a national one of a country.

Each is checked against the plans. Which of two was meant is for `gateway.numbers.meaning` to say.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from gateway.numbers.plans import DOCUMENTED, PHONES, TEXTING, Kind, Range, Region, plan_of
from gateway.numbers.spellings import OVERSEAS, canonical

LONGEST: Final = 15
"""Digits of an E.164 number (ITU-T E.164, 6.1)."""

SHORTEST: Final = 7
"""Digits below which nothing is a number with its country code: short codes have up to six."""


_area_code = re.compile(r"1(?!37|96|.11)[2-9][0-8]\d[2-9]\d{6}").fullmatch
"""North America's numbers by their form: area codes have no 9 in the middle, 37 and 96 are kept,
and N11 are services. It opens some six a year, and none is near another."""


NEW_AREA: Final = Range(Kind.FIXED_OR_MOBILE, "US")
"""What numbers are with an area code that the plans do not list; most are the United States'."""


class Candidate(NamedTuple):
    """A number that what was written may stand for; ``certain`` where the plans list it."""

    number: str
    certain: bool
    kind: Kind
    region: str | None


def international(digits: str) -> Candidate | None:
    """The number of these digits with their country code: as they are where they are one, else
    without the trunk prefix that people leave behind the country code (``+44 07…``)."""
    plan = plan_of(digits)
    if plan is None or len(digits) < SHORTEST:
        return None
    size = len(plan.code)
    own = digits[size:]
    shorter = [region.without_prefix(own) for region in plan.regions]
    shorter.append(own[1:] if own.startswith("0") else None)
    rest = (one for one in shorter if one is not None and len(one) < len(own))
    return _first([digits, *(plan.code + one for one in rest)])


def national(digits: str, region: Region) -> Candidate | None:
    """The number of these digits as they are written within a region. Only of phones is it guessed
    there that a range has been opened: at home short codes have up to a dozen digits."""
    own = [digits]
    without = region.without_prefix(digits)
    if without is not None:
        own.append(without)
    codes = (region.code, *OVERSEAS.get(region.code, ()))
    found = _first(number for code in codes for one in own if _is_of_home(number := code + one))
    if found is None or not (found.certain or found.kind in PHONES):
        return None
    # What France writes 0690 is dialled under Guadeloupe's code.
    return found if len(codes) == 1 else found._replace(number=canonical(found.number))


def _is_of_home(number: str) -> bool:
    """Whether what follows the country code is written at home too. What older spellings have more
    than the one that stands (Mexico's 1) was dialled from abroad alone."""
    plan = plan_of(number)
    return len(canonical(number)) >= len(number) or plan is None or plan.exact(number) is not None


def at_home(digits: str, country_code: str) -> Candidate | None:
    """The national number of these digits in the country that a carrier states, which may be given
    with an area code (``1876`` for Jamaica)."""
    plan = plan_of(country_code)
    if plan is None:
        return None
    found = national(digits, plan.regions[0])
    if found is None and country_code != plan.code:
        return _first([country_code + digits])
    return found


def is_listed(number: str) -> bool:
    """Whether the plans list a number, or another spelling of its phone."""
    plan = plan_of(number)
    if plan is None or len(number) > LONGEST:
        return False
    standing = canonical(number)
    return plan.exact(number) is not None or (standing != number and is_listed(standing))


def plainly_national(digits: str, region: Region) -> str | None:
    """The number of these digits where a glance tells that it is a phone of this region, or one
    with its country code that cannot be national; None where it takes more."""
    plan = plan_of(region.code)
    if plan is None:
        return None
    rest = region.without_prefix(digits)
    possible = False
    for one in (digits,) if rest is None else (digits, rest):
        number = region.code + one
        if len(number) in plan.lengths:
            possible = True
            exact = plan.exact(number)
            if exact is not None:
                return number if exact.kind in TEXTING else None
        elif canonical(number) != number:
            possible = True
    if possible and national(digits, region) is not None:
        return None
    return digits if is_listed(digits) else None


def _first(numbers: Iterable[str]) -> Candidate | None:
    """The first of these that the plans list; else the first that they leave room for."""
    possible = None
    for number in numbers:
        found = candidate_of(number)
        if found is not None and found.certain:
            return found
        possible = possible or found
    return possible


def candidate_of(number: str) -> Candidate | None:
    """What a number is, None where there is none such."""
    plan = plan_of(number)
    if plan is None or not SHORTEST <= len(number) <= LONGEST:
        return None
    exact = plan.exact(number)
    if exact is not None:
        return Candidate(number, True, exact.kind, exact.region)
    standing = canonical(number)
    if standing != number:
        known = candidate_of(standing)
        return known and known._replace(number=number)
    near = plan.near(number) or DOCUMENTED.get((number[:7], len(number)))
    if near is None and _area_code(number):
        near = NEW_AREA
    return Candidate(number, False, near.kind, near.region) if near is not None else None


def is_of_new_area(number: str) -> bool:
    """Whether a number has an area code that the plans do not list: it is one where somebody says
    that its country is North America's, and may as well be a national one of another."""
    plan = plan_of(number)
    return bool(_area_code(number)) and plan is not None and plan.near(number) is None

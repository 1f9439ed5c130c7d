"""Which number it is that somebody wrote: a tenant (`read`), or a carrier (`from_carrier`).

A number is international (``+44…``, ``0044…``, or its bare digits) or national (``07…``, or what is
left of that without the zero), and bare digits can be either: ``13012345678`` is a phone in
Maryland and one in China. Both readings are made by the plans. Where both give a number, one that
sends and gets texts goes before one that does not (bare German digits look like a fixed line's in
many a town), then what the type of number says, then the country that somebody stated. What a
tenant wrote is refused where that would text a stranger abroad.
"""

from typing import Final

from gateway.numbers.candidates import (
    SHORTEST,
    Candidate,
    at_home,
    candidate_of,
    international,
    is_listed,
    is_of_new_area,
    national,
    plainly_national,
)
from gateway.numbers.plans import (
    NANP,
    NONE,
    REGIONS,
    TEXTING,
    Kind,
    Plan,
    Region,
    is_emergency,
    plan_of,
    region_named,
)
from gateway.numbers.spellings import canonical
from gateway.numbers.written import LONGEST, NumberError, parse

MEND: Final = "write + and the country code, then the number as it is dialled from abroad"

TON_INTERNATIONAL, TON_NATIONAL, TON_SUBSCRIBER = 1, 2, 4
"""Types of number that say which reading is meant (SMPP 3.4, 5.2.5). A subscriber's number is what
is dialled within a place, so at most national."""

NATIONAL: Final = 11
"""Digits that a phone's number has at home, at most, but for a few in Austria and Germany."""

TON_NO_PHONE: Final = frozenset({3, 5, 6})
"""Network-specific, alphanumeric and abbreviated addresses: services and names, not phones."""


def read(written: str, region: str | None = None) -> str:
    """The E.164 digits of a number as they are dialled.

    Args:
        written: what somebody wrote.
        region: ISO 3166 alpha-2: whose numbers those without a country code are.

    Raises:
        NumberError: it is no number, or a national one of nobody knows which country; a sentence
            with the mend.
        KeyError: there is no such region.
    """
    digits = written[1:] if written[:1] == "+" else written
    if len(digits) <= LONGEST and digits.isascii() and digits.isdigit():
        # What nearly all numbers are, in 0.4 to 1.5 µs; what follows takes ten times that.
        if region is None or digits is not written:
            plan = plan_of(digits)
            if plan is not None and len(digits) in plan.heads.get(digits[plan.head], NONE):
                return digits
            if is_listed(digits):
                return digits
        else:
            number = plainly_national(digits, region_named(region))
            if number is not None:
                return number
    return _read(written, None if region is None else region_named(region))


def _read(written: str, region: Region | None) -> str:
    digits, plus = parse(written)
    stated = plus or digits.startswith("00")
    found = international(digits.removeprefix("00"))
    if not (stated or (region is not None and region.code == NANP)):
        found = _without_new_area(found)
    if region is not None and not plus:
        home = national(digits, region)
        if home is not None and found is not None and _is_doubtful(home, found, region):
            raise NumberError(
                written,
                f"may be a fixed line of {region.name} and a phone of +{found.number}; {MEND}",
            )
        found = _likelier(home, found)
        foreign = region.from_abroad(digits)
        if found is None and foreign:
            found = international(foreign)
    if found is None:
        digits = digits.removeprefix("00")
        why = f"{_why_not(digits)}; {MEND}" if stated else _why_neither(digits, region)
        raise NumberError(written, why)
    return found.number


def _is_doubtful(home: Candidate, abroad: Candidate, region: Region) -> bool:
    """Whether to ask rather than text a stranger: bare digits that are a fixed line at home, whose
    zero a spreadsheet may have taken, and a phone in another country."""
    if home.kind in TEXTING or abroad.kind not in TEXTING:
        return False
    return not abroad.number.startswith(region.code)


def from_carrier(written: str, ton: int, country_code: str) -> str | None:
    """The E.164 digits of a source or destination as a carrier writes it.

    Args:
        written: the address.
        ton: its type of number.
        country_code: the digits of the country whose national numbers the carrier writes, empty
            where nobody has said.

    Returns:
        None where nobody can know whose number it is: a national one of no stated country, digits
        that are no number, or may be a fixed line's, a short code, a name.
    """
    if ton in TON_NO_PHONE:
        return None
    try:
        digits, plus = parse(written)
    except NumberError:
        return None
    stated = plus or digits.startswith("00")
    if not (stated or country_code) and ton in {TON_NATIONAL, TON_SUBSCRIBER}:
        return None
    digits = digits.removeprefix("00")
    home = at_home(digits, country_code) if country_code else None
    if home is None and country_code and ton in {TON_NATIONAL, TON_SUBSCRIBER} and not stated:
        # Mexico's 1 and ten digits, which only the carrier's word tells from North America's.
        spelled = candidate_of(country_code + digits)
        home = spelled if spelled is not None and spelled.certain else None
    abroad = international(digits)
    said = ton == TON_INTERNATIONAL and country_code
    if not (stated or said or country_code.startswith(NANP)):
        abroad = _without_new_area(abroad)
    stated = stated or ton == TON_INTERNATIONAL
    if not (stated or country_code) and len(digits) <= NATIONAL and not _texts(abroad):
        return None  # North America's ten digits look like a fixed line abroad one time in ten
    found = _likelier(home, abroad, international=stated)
    return found.number if found is not None else None


def _without_new_area(found: Candidate | None) -> Candidate | None:
    """It, where more than its form says that it is North America's: ``13815556789`` is one of
    China's mobiles, and may be a number of area code 381 one day."""
    return None if found is not None and is_of_new_area(found.number) else found


def _texts(found: Candidate | None) -> bool:
    return found is not None and found.kind in TEXTING


def same_phone(one: str, other: str) -> bool:
    """Whether two spellings mean one phone. Either may be written as it is at home in the country
    of the other, or be no number that a plan has."""
    if one == other:
        return True
    one, other = _digits(one), _digits(other)
    if not one or not other:
        return False
    return _name(one) == _name(other) or _is_at_home(one, other) or _is_at_home(other, one)


def _digits(written: str) -> str:
    """The digits of what was written, empty where it has none, or more than digits."""
    try:
        return parse(written).digits
    except NumberError:
        return ""


def _name(digits: str) -> str:
    """What tells a phone from others, whatever zeros its number is written with."""
    digits = digits.lstrip("0")
    found = international(digits)
    return digits if found is None else canonical(found.number)


def _is_at_home(digits: str, national: str) -> bool:
    """Whether a national number is this one's in its country."""
    number = digits.lstrip("0")
    plan = plan_of(number)
    home = at_home(national, plan.code) if plan is not None else None
    return home is not None and canonical(home.number) == _name(number)


def _likelier(
    home: Candidate | None, abroad: Candidate | None, *, international: bool = False
) -> Candidate | None:
    """The one that was meant, of a national and an international number of the same digits, where
    nothing but the digits tells, or where it was said that they are ``international``."""
    if home is None or abroad is None:
        return home or abroad
    if (home.kind in TEXTING) != (abroad.kind in TEXTING):
        return home if home.kind in TEXTING else abroad
    if international and (abroad.certain or not home.certain):
        return abroad
    return home


# --- why not ---


def _why_not(digits: str) -> str:
    """What is wrong with digits that should be a number with its country code."""
    if len(digits) < SHORTEST:
        return "is too short for a number with its country code"
    plan = plan_of(digits)
    if plan is None:
        return f"has no country code: no country's numbers begin with {digits[:3]}"
    return _missing(digits, plan)


def _missing(digits: str, plan: Plan) -> str:
    country = f"+{plan.code}" + (f" ({name})" if (name := plan.regions[0].name) else "")
    if len(digits) not in plan.lengths:
        least, most = plan.lengths[0], plan.lengths[-1]
        lengths = str(least) if least == most else f"{least} to {most}"
        return f"has {len(digits)} digits, and numbers of {country} have {lengths}"
    head = digits[: plan.head.stop]
    return f"is no number: none of {country} with {len(digits)} digits begins with {head}"


def _why_neither(digits: str, region: Region | None) -> str:
    """What is wrong with bare digits."""
    if len(digits) < SHORTEST:
        return f"is a short code or an emergency number, and texts go to phones; {MEND}"
    if region is not None:
        return f"is neither a number of {region.name} nor one with its country code; {MEND}"
    why = "begins with 0, so it is a national number" if digits[0] == "0" else _why_not(digits)
    return f"{why}; {MEND}, or state the region that national numbers are of (default_region)"


def check_region(name: str) -> None:
    """Raises ValueError, which tells the mend, where no region has this name."""
    if name not in REGIONS:
        hint = f"; did you mean {name.upper()!r}?" if name.upper() in REGIONS else ""
        raise ValueError(
            f"{name[:40]!r} is no region that has phone numbers{hint}; give the two capital "
            "letters of its ISO 3166 code, such as 'CN' or 'GB'"
        )


def kind_of(number: str) -> Kind:
    """What a number is for, given E.164 digits. A short code is given as it is dialled, or behind
    its country code."""
    found = candidate_of(number)
    if found is not None:
        return found.kind
    plan = plan_of(number)
    if is_emergency(number) or (
        plan is not None and plan.regions[0].is_emergency(number.removeprefix(plan.code))
    ):
        return Kind.EMERGENCY
    return Kind.SHORT if len(number) < SHORTEST else Kind.UNKNOWN


def region_of(number: str) -> str | None:
    """The region (ISO 3166 alpha-2) of E.164 digits; None for numbers of no country, and for what
    is too short to tell."""
    found = candidate_of(number)
    if found is not None:
        return found.region
    plan = plan_of(number) if len(number) >= SHORTEST else None
    return plan.regions[0].name if plan is not None else None

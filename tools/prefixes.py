"""Writes `gateway/policy/prefixes.txt`: where a phone number is, by its leading digits.

The source is `phonenumbers`, which knows more than a gateway needs and takes longer than a gateway
has, less what `tools/corrections.py` says that it has wrong. Its answer for a number depends on
three things: the region, the kind of number (one tied to a place, or one that may be anywhere in
its country, as toll-free and most mobile numbers are), and the time zones of the prefix. All three
follow from leading digits, so the table is exact and not a sample: this program walks the digits,
carrying along what is left of every pattern, and stops where every number that can still follow has
the same answer. `tests/policy/test_regions.py` checks the outcome against `phonenumbers` itself,
`tests/policy/test_places.py` against other sources.

Run ``python -m tools.prefixes`` after an update of `phonenumbers` or `tzdata`, and read the diff.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import phonenumbers
from holidays import country_holidays
from phonenumbers.geodata import GEOCODE_DATA
from phonenumbers.phonenumberutil import is_number_type_geographical
from phonenumbers.tzdata import TIMEZONE_DATA

from tools.corrections import (
    AREAS,
    CITIES,
    CORRECTED,
    EXACT,
    MOBILE_ANYWHERE,
    ONLY,
    OVERLAYS,
    SILENT,
    STATED,
)

TARGET = Path(__file__).parent.parent / "gateway/policy/prefixes.txt"
DIGITS = "0123456789"
NANP = "1"
NPA = 4
"""Digits of a North American number that name its area: the country code and the area code."""

NANP_LENGTH = 10
"""Digits of a North American number after the country code."""

Skeleton = tuple[str, ...]
"""A pattern without choices of length: for each position, the digits it allows."""

HEADER = """\
# Where a phone number is, by its leading digits; the longest prefix wins.
# prefix (120[68] is 1206 and 1208), region or region-subdivision ("-" for none), time zones
# Written by tools/prefixes.py from phonenumbers {version}, tzdata {tzdata}; do not edit.
"""

KINDS = {
    "premium_rate": phonenumbers.PhoneNumberType.PREMIUM_RATE,
    "toll_free": phonenumbers.PhoneNumberType.TOLL_FREE,
    "shared_cost": phonenumbers.PhoneNumberType.SHARED_COST,
    "voip": phonenumbers.PhoneNumberType.VOIP,
    "personal_number": phonenumbers.PhoneNumberType.PERSONAL_NUMBER,
    "pager": phonenumbers.PhoneNumberType.PAGER,
    "uan": phonenumbers.PhoneNumberType.UAN,
    "voicemail": phonenumbers.PhoneNumberType.VOICEMAIL,
    "fixed_line": phonenumbers.PhoneNumberType.FIXED_LINE,
    "mobile": phonenumbers.PhoneNumberType.MOBILE,
}
"""The kinds of number in the order in which `phonenumbers` tries them."""

MISNAMED = {"Washington State": "WA", "Washington D.C.": "DC", "British Colombia": "BC"}
"""Names in the geocoder's data that are no state's own."""

SPELLINGS = {"521": "52"}
"""Older spellings of numbers: what follows the one places a number as it does behind the other. A 1
stood before Mexican mobile numbers until 2019."""


class Answer(NamedTuple):
    """What is said of a number: ``US-TX`` or ``FR`` (None for none), and its time zones."""

    region: str | None
    zones: tuple[str, ...]


class Tree(NamedTuple):
    """What is said of the numbers under a prefix that do not all share one answer."""

    children: dict[str, "Answer | Tree"]


def skeletons(pattern: str) -> list[Skeleton]:
    """Every skeleton of a pattern of `phonenumbers`, which uses only digits, ``\\d``, ``[…]``,
    ``(?:…)``, ``|``, ``?``, ``{m}`` and ``{m,n}``."""
    found, end = _alternatives(pattern, 0)
    if end != len(pattern):
        raise ValueError(f"{pattern!r}: cannot be read from position {end} on")
    return found


def _alternatives(pattern: str, at: int) -> tuple[list[Skeleton], int]:
    found: list[Skeleton] = []
    branch: list[Skeleton] = [()]
    while at < len(pattern) and pattern[at] != ")":
        if pattern[at] == "|":
            found += branch
            branch, at = [()], at + 1
            continue
        atom, at = _atom(pattern, at)
        low, high, at = _repeats(pattern, at)
        repeated: list[Skeleton] = [()]
        choices = [*repeated] if low == 0 else []
        for count in range(1, high + 1):
            repeated = [head + tail for head in repeated for tail in atom]
            if count >= low:
                choices += repeated
        branch = [head + tail for head in branch for tail in choices]
    return found + branch, at


def _atom(pattern: str, at: int) -> tuple[list[Skeleton], int]:
    if pattern.startswith("(?:", at):
        found, at = _alternatives(pattern, at + 3)
        return found, at + 1
    if pattern.startswith("\\d", at):
        return [(DIGITS,)], at + 2
    if pattern[at] == "[":
        end = pattern.index("]", at)
        return [(_class(pattern[at + 1 : end]),)], end + 1
    if pattern[at] in DIGITS:
        return [(pattern[at],)], at + 1
    raise ValueError(f"{pattern!r}: cannot be read from position {at} on")


def _class(body: str) -> str:
    allowed = ""
    while body:
        if body[1:2] == "-":
            allowed += DIGITS[int(body[0]) : int(body[2]) + 1]
            body = body[3:]
        else:
            allowed += body[0]
            body = body[1:]
    return allowed


def _repeats(pattern: str, at: int) -> tuple[int, int, int]:
    if pattern.startswith("?", at):
        return 0, 1, at + 1
    if pattern.startswith("{", at):
        end = pattern.index("}", at)
        low, _, high = pattern[at + 1 : end].partition(",")
        return int(low), int(high or low), end + 1
    return 1, 1, at


class Kind(NamedTuple):
    """What is left, after some digits, of the patterns of one kind of number in one region.

    ``lengths`` are those that a national number of this kind may have, empty for any."""

    kind: int
    lengths: tuple[int, ...]
    left: list[Skeleton]

    def step(self, digit: str) -> "Kind":
        return self._replace(left=[rest[1:] for rest in self.left if rest and digit in rest[0]])

    def complete(self, consumed: int) -> set[int]:
        """The lengths of the national numbers that still match, if every digit may follow."""
        lengths = {consumed + len(rest) for rest in self.left}
        return lengths.intersection(self.lengths) if self.lengths else lengths


class Region(NamedTuple):
    """A region after some digits: its kinds, and, where it has leading digits of its own within
    the country code, what is left of those (an empty one: they matched)."""

    name: str
    general: Kind
    kinds: list[Kind]
    leading: list[Skeleton] | None
    zones: tuple[str, ...]

    def step(self, digit: str) -> "Region":
        leading = self.leading and [
            rest[1:] for rest in self.leading if not rest or digit in rest[0]
        ]
        kinds = [kind.step(digit) for kind in self.kinds]
        return self._replace(
            general=self.general.step(digit),
            kinds=[kind for kind in kinds if kind.left],
            leading=leading,
        )

    @property
    def settled(self) -> bool:
        """Only the length of a number still matters, not its further digits."""
        kinds = [self.general, *self.kinds]
        return not any(self.leading or []) and all(
            part == DIGITS for kind in kinds for rest in kind.left for part in rest
        )

    def kind(self, consumed: int, length: int) -> int | None:
        """The kind of a number of this length, None where it is not a number."""
        if length not in self.general.complete(consumed):
            return None
        found = [kind.kind for kind in self.kinds if length in kind.complete(consumed)]
        return found[0] if found else None


def regions_of(code: str) -> list[Region]:
    """The regions of a country code, in the order in which `phonenumbers` asks them."""
    found = []
    for name in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]:
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(name)
        if metadata is None:
            raise LookupError(f"phonenumbers lists {name} without describing it")
        described = {kind: getattr(metadata, kind) for kind in ("general_desc", *KINDS)}
        general, *kinds = (
            Kind(
                KINDS.get(name, phonenumbers.PhoneNumberType.UNKNOWN),
                tuple(desc.possible_length),
                skeletons(desc.national_number_pattern),
            )
            for name, desc in described.items()
            if desc is not None and desc.national_number_pattern
        )
        leading = skeletons(metadata.leading_digits) if metadata.leading_digits else None
        home = _completed(home_zones(code, leading or []), name)
        found.append(Region(name, general, kinds, leading, home))
    return found


def home_zones(code: str, leading: list[Skeleton]) -> tuple[str, ...]:
    """Where a number of a region may be if it is not tied to a place: anywhere in the country code.
    But a region with leading digits of its own (Kazakhstan within 7, the islands of the Caribbean
    within 1) cannot be elsewhere; `phonenumbers` does not go so far, and names all of Russia."""
    own = tuple("".join((code, *digits)) for skeleton in leading for digits in product(*skeleton))
    under = (named for prefix, named in TIMEZONE_DATA.items() if prefix.startswith(own))
    zones = {zone for named in under for zone in named}
    return tuple(sorted(zones)) or ZONES[code]


class Walk:
    """The answers of one country code, found by walking its numbers digit by digit."""

    def __init__(self, code: str, states: dict[str, str]) -> None:
        self.code = code
        self.states = states
        region = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)][0]
        self.root = Answer(region, zones_named(ZONES[code], region))
        self.inner = {key[:size] for key in ZONES for size in range(1, len(key))}

    def lines(self) -> Iterator[tuple[str, Answer]]:
        yield self.code, self.root
        tree = self.visit(self.code, regions_of(self.code))
        yield from self.flatten(self.code, tree)

    def visit(self, prefix: str, regions: list[Region]) -> Answer | Tree | None:
        """What is said of the numbers under a prefix, None where there are none."""
        regions = [region for region in regions if region.general.left]
        if not any(region.kinds for region in regions):
            return None
        open_area = self.code == NANP and len(prefix) < NPA
        if not open_area and prefix not in self.inner and all(region.settled for region in regions):
            return self.settle(prefix, regions)
        children: dict[str, Answer | Tree] = {}
        for digit in DIGITS:
            child = self.visit(prefix + digit, [region.step(digit) for region in regions])
            if child is not None:
                children[digit] = child
        if not children:
            return None
        first, *others = children.values()
        same = isinstance(first, Answer) and all(other == first for other in others)
        return first if same else Tree(children)

    def settle(self, prefix: str, regions: list[Region]) -> Answer | None:
        consumed = len(prefix) - len(self.code)
        lengths = {length for region in regions for length in region.general.complete(consumed)}
        if self.code == NANP:
            # Not Canada's numbers of 7 digits that begin with 310 and are dialled only from within:
            # they would blur the Los Angeles area code.
            lengths &= {NANP_LENGTH}
        found = {self.answer(prefix, consumed, length, regions) for length in lengths}
        answers = [answer for answer in found if answer is not None]
        if len(answers) <= 1:
            return answers[0] if answers else None
        # The length decides, which a prefix does not tell: every zone, the less exact region.
        names = {answer.region for answer in answers}
        zones = sorted({zone for answer in answers for zone in answer.zones})
        return Answer(names.pop() if len(names) == 1 else self.root.region, tuple(zones))

    def answer(
        self, prefix: str, consumed: int, length: int, regions: list[Region]
    ) -> Answer | None:
        for region in regions:
            kind = region.kind(consumed, length)
            if region.leading or (region.leading is None and kind is not None):
                if kind is None:
                    return None
                if self.tied(kind):
                    state = self.states.get(prefix[:NPA], "")
                    name = state if state.startswith(f"{region.name}-") else region.name
                    return Answer(name, zones_named(longest(prefix, ZONES), region.name))
                return Answer(region.name, zones_named(region.zones, region.name))
        return None

    def tied(self, kind: int) -> bool:
        """Whether numbers of a kind are tied to a place within the country."""
        if self.code in MOBILE_ANYWHERE and kind == phonenumbers.PhoneNumberType.MOBILE:
            return False
        return is_number_type_geographical(kind, int(self.code))

    def flatten(self, prefix: str, node: Answer | Tree | None) -> Iterator[tuple[str, Answer]]:
        if isinstance(node, Answer):
            if node != self.root:
                yield prefix, node
        elif node is not None:
            for digit, child in node.children.items():
                yield from self.flatten(prefix + digit, child)


def longest(prefix: str, zones: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The time zones of the longest known prefix of a prefix."""
    sizes = range(len(prefix), 0, -1)
    return next(zones[prefix[:size]] for size in sizes if prefix[:size] in zones)


def area_states() -> dict[str, str]:
    """``1`` and area code -> ``US-TX``: what the geocoder says of the area code itself, or else of
    most of the exchanges within it; none where that names several provinces."""
    codes = {
        name: f"{country}-{code}"
        for country, calendar in (("US", country_holidays("US")), ("CA", country_holidays("CA")))
        for code in calendar.subdivisions
        for name in (code, *(n for n, of in calendar.subdivisions_aliases.items() if of == code))
    }
    codes |= {name: codes[code] for name, code in MISNAMED.items()}
    votes: dict[str, Counter[str]] = {}
    for prefix, names in GEOCODE_DATA.items():
        name = names.get("en", "").rpartition(", ")[2]
        if prefix.startswith(NANP) and len(prefix) >= NPA and name in codes:
            # The area code's own entry outweighs those of all its exchanges.
            weight = 1_000_000 if len(prefix) == NPA else 1
            votes.setdefault(prefix[:NPA], Counter())[codes[name]] += weight
    several = {area for area, names in GEOCODE_DATA.items() if "/" in names.get("en", "")}
    return {
        area: counted.most_common(1)[0][0] for area, counted in votes.items() if area not in several
    }


# --- time zones ---

_TZDATA: Final = resources.files("tzdata") / "zoneinfo"
RELEASE: Final = version("tzdata")
"""Of the time zones, by year and number."""


def _countries() -> dict[str, tuple[str, ...]]:
    """The zones of each country, as tzdata lists them in ``zone.tab``."""
    found: dict[str, list[str]] = {}
    for row in (_TZDATA / "zone.tab").read_text().splitlines():
        if not row.startswith("#"):
            country, _, zone, *_ = row.split("\t")
            found.setdefault(country, []).append(zone)
    return {country: tuple(zones) for country, zones in found.items()}


COUNTRIES: Final = _countries()


def _renamed() -> dict[str, str]:
    """Old time zone names -> the names in use (``Asia/Calcutta`` -> ``Asia/Kolkata``).

    A name in use is one that tzdata lists in ``zone.tab``; systems may lack the others."""
    current = {zone for zones in COUNTRIES.values() for zone in zones}
    links = [
        row.split() for row in (_TZDATA / "tzdata.zi").read_text().splitlines() if row[:2] == "L "
    ]
    return {old: new for _, new, old in links if old not in current and new in current}


RENAMED: Final = _renamed()


@cache
def clock(zone: str) -> tuple[timedelta | None, ...]:
    """What the clocks of a zone show from the year of tzdata's release on, for three years: equal
    for zones between which it makes no difference where a phone is."""
    with (_TZDATA / RENAMED.get(zone, zone)).open("rb") as file:
        info = ZoneInfo.from_file(file, zone)
    begin = datetime(int(RELEASE[:4]), 1, 1, tzinfo=UTC)
    return tuple((begin + timedelta(days=day)).astimezone(info).utcoffset() for day in range(1096))


def zones_named(zones: Iterable[str], region: str) -> tuple[str, ...]:
    """Time zones of a region in order, as they are called and as they should be. Where none of
    them is a zone of that country (Romania's for Estonia), those of its own that show the same."""
    named = {CORRECTED.get((region, z), RENAMED.get(z, z)) for z in zones}
    own = COUNTRIES.get(region, ())
    if own and named.isdisjoint(own):
        clocks = {clock(zone) for zone in named}
        named = {zone for zone in own if clock(zone) in clocks} or {*own}
    return tuple(sorted(named))


def _completed(zones: Iterable[str], region: str) -> tuple[str, ...]:
    """Zones where a number of a country may be, with a zone for each clock that is kept there."""
    found = [CORRECTED.get((region, z), RENAMED.get(z, z)) for z in zones]
    clocks = {clock(zone) for zone in found}
    for zone in COUNTRIES.get(region, ()):
        if clock(zone) not in clocks and (region, zone) not in SILENT:
            clocks.add(clock(zone))
            found.append(zone)
    return tuple(found)


def _zones() -> dict[str, tuple[str, ...]]:
    """The time zones of prefixes: those of `phonenumbers`, corrected."""
    zones = dict(TIMEZONE_DATA)
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        if str(code) in zones:
            zones[str(code)] = _completed(zones[str(code)], regions[0])
    for prefix, written in ONLY.items():
        allowed = written.split()
        for key in [key for key in zones if key.startswith(prefix)]:
            kept = tuple(zone for zone in zones[key] if zone in allowed)
            zones[key] = kept or (allowed[0],)
        zones.setdefault(prefix, (allowed[0],))
    for stated in STATED:
        for prefix in stated.under.split():
            for key in [key for key in zones if key.startswith(prefix)]:
                del zones[key]
            zones[prefix] = tuple(stated.zones.split())
    return zones | _areas(zones)


def _areas(zones: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The time zones of the North American area codes that lie in several, and of the exchanges in
    them: an exchange whose place is known has its place's, any other all of the area's."""
    listed: dict[str, list[str]] = {}
    for prefix in {*zones, *GEOCODE_DATA}:
        if prefix.startswith(NANP) and len(prefix) >= NPA:
            listed.setdefault(prefix[1:NPA], []).append(prefix)
    groups = [group.split() for group in OVERLAYS]
    alone = set(listed) - {area for group in groups for area in group}
    found: dict[str, tuple[str, ...]] = {}
    for group in (*groups, *([area] for area in sorted(alone))):
        stated = next((AREAS[area] for area in group if area in AREAS), None)
        keys = [key for area in group for key in listed.get(area, ()) if key in zones]
        seen = {zone for key in keys for zone in zones[key]}
        possible = tuple(stated.split()) if stated else tuple(sorted(seen))
        if stated is None and len({clock(zone) for zone in possible}) < 2:
            continue
        for area in group:
            found[NANP + area] = possible
            for key in listed.get(area, ()):
                if len(key) > NPA:
                    place = GEOCODE_DATA.get(key, {}).get("en", "")
                    found[key] = (
                        tuple(CITIES[place].split()) if place in CITIES else longest(key, zones)
                    )
    return found


ZONES: Final = _zones()


# --- the table ---


def table() -> Iterator[tuple[str, Answer]]:
    states = area_states()
    for code in sorted(str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE):
        if code not in ZONES:
            yield code, Answer(None, ())
            continue
        for prefix, answer in Walk(code, states).lines():
            yield prefix, answer
            for older, newer in SPELLINGS.items():
                if prefix.startswith(newer) and prefix != newer:
                    yield older + prefix.removeprefix(newer), answer
    for prefixes, (region, zones) in EXACT.items():
        for prefix in prefixes.split():
            yield prefix, Answer(region, tuple(zones.split()))


def gathered(rows: Iterable[tuple[str, Answer]]) -> Iterator[tuple[str, Answer]]:
    """Prefixes that share an answer and all but the last digit, as one: ``1208[024]``."""
    families: dict[tuple[str, Answer], list[str]] = {}
    for prefix, answer in rows:
        families.setdefault((prefix[:-1], answer), []).append(prefix[-1])
    for (stem, answer), last in families.items():
        yield stem + (last[0] if len(last) == 1 else f"[{''.join(last)}]"), answer


def main() -> None:
    lines = sorted(
        " ".join((prefix, answer.region or "-", *answer.zones)) + "\n"
        for prefix, answer in gathered(table())
    )
    TARGET.write_text(
        HEADER.format(version=phonenumbers.__version__, tzdata=RELEASE) + "".join(lines)
    )
    sys.stdout.write(f"{TARGET.name}: {len(lines)} lines, {TARGET.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()

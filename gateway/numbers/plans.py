"""The numbering plans of the world: which numbers there are, of which kind and region.

The tables `plans.txt` and `ranges.txt` beside this module are written by ``tools/ranges.py`` from
the data of `phonenumbers`, which is not needed to run. What they say of a number is exact. Plans
open new ranges all the time, though, and tables lag behind; so a number is held to exist as well
where its first digits, `HEAD` of them after the country code, are those of other numbers of its
length. This module is no reader of what people write: that is `gateway.numbers.meaning`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

HEAD: Final = 2
"""Digits after the country code within which a new range is taken for one. Fewer would take what no
plan has, a Chinese mobile beginning with 12; more would refuse what was opened last month."""

NANP: Final = "1"
NANP_HEAD: Final = 4
"""North America opens area codes, which have three digits, and no exchange begins with 0 or 1."""


class Kind(StrEnum):
    """What a number is for."""

    MOBILE = "mobile"
    FIXED = "fixed"
    FIXED_OR_MOBILE = "fixed or mobile"
    PREMIUM = "premium"
    TOLL_FREE = "toll-free"
    SHARED_COST = "shared cost"
    VOIP = "voip"
    PERSONAL = "personal"
    PAGER = "pager"
    UNIVERSAL = "universal access"
    VOICEMAIL = "voicemail"
    EMERGENCY = "emergency"
    SHORT = "short code"
    UNKNOWN = "unknown"


LETTERS: Final[Mapping[str, Kind]] = {
    "m": Kind.MOBILE,
    "f": Kind.FIXED,
    "b": Kind.FIXED_OR_MOBILE,
    "p": Kind.PREMIUM,
    "t": Kind.TOLL_FREE,
    "s": Kind.SHARED_COST,
    "v": Kind.VOIP,
    "n": Kind.PERSONAL,
    "g": Kind.PAGER,
    "u": Kind.UNIVERSAL,
    "x": Kind.VOICEMAIL,
}
"""The kinds as ``ranges.txt`` writes them."""

TEXTING: Final = frozenset(
    {
        Kind.MOBILE,
        Kind.FIXED_OR_MOBILE,
        Kind.TOLL_FREE,
        Kind.VOIP,
        Kind.PERSONAL,
        Kind.PAGER,
    }
)
"""The kinds that send and get texts. North American toll-free numbers do, and phones there are all
`FIXED_OR_MOBILE`."""


LINES: Final = frozenset({Kind.FIXED, Kind.MOBILE, Kind.FIXED_OR_MOBILE})

PHONES: Final = TEXTING - {Kind.TOLL_FREE, Kind.PAGER} | {Kind.FIXED}
"""The kinds of people's own numbers."""


class Range(NamedTuple):
    """What is known of a number: ``region`` is ISO 3166 alpha-2, None for numbers of no country."""

    kind: Kind
    region: str | None


DOCUMENTED: Final[Mapping[tuple[str, int], Range]] = {
    ("3532091", 12): Range(Kind.FIXED, "IE"),  # 020 91x xxxx, kept by ComReg
}
"""Numbers, by seven digits and length, that are kept for examples and drama and that are not near
any others, as those of all other plans are: 07700 900xxx in Britain, 555-01xx in North America."""

Ranges = Mapping[int, Range]
"""By the digits of a number with its country code."""

NONE: Final[Ranges] = {}


def _either(one: Kind, other: Kind) -> Kind:
    """The kind of a number that may be of either."""
    if one is other:
        return one
    return Kind.FIXED_OR_MOBILE if {one, other} <= LINES else Kind.UNKNOWN


class Region:
    """How one region writes its numbers.

    Attributes:
        code: its country code.
        name: ISO 3166 alpha-2, None for a code of no country.
    """

    def __init__(self, line: str) -> None:
        self.code, name, self._abroad, self._home, self._emergency = line.split(" ")
        self.name = None if name == "-" else name

    @cached_property
    def _abroad_pattern(self) -> re.Pattern[str] | None:
        return None if self._abroad == "-" else re.compile(self._abroad)

    @cached_property
    def _home_pattern(self) -> re.Pattern[str] | None:
        pattern, _, _ = self._home.partition("~")
        return None if pattern == "-" else re.compile(pattern)

    @cached_property
    def _emergency_pattern(self) -> re.Pattern[str] | None:
        return None if self._emergency == "-" else re.compile(self._emergency)

    def from_abroad(self, digits: str) -> str | None:
        """What follows the prefix for foreign numbers (``011`` in the United States)."""
        found = self._abroad_pattern.match(digits) if self._abroad_pattern is not None else None
        return digits[found.end() :] if found is not None else None

    def without_prefix(self, digits: str) -> str | None:
        """A national number without what is dialled before it at home: a trunk zero, a carrier's
        selection code, Argentina's 15; None where there is none of it."""
        found = self._home_pattern.match(digits) if self._home_pattern is not None else None
        if found is None or not found.group():
            return None
        _, _, becomes = self._home.partition("~")
        if becomes and found.lastindex is not None and found.group(found.lastindex) is not None:
            return found.expand(becomes) + digits[found.end() :]
        return digits[found.end() :]

    def is_emergency(self, digits: str) -> bool:
        """Whether these digits call for help here."""
        pattern = self._emergency_pattern
        return pattern is not None and pattern.fullmatch(digits) is not None


class Plan:
    """The numbers of one country code.

    Attributes:
        code: the country code.
        deciding: how many digits of a number decide at most what the table says of it.
        regions: those that share it, the main one first.
        head: where in a number the digits are by which `heads` are found.
        heads: by those digits, the lengths of numbers that are taken for numbers. Those that begin
            with a zero are here only where every number of that head exists: a zero may as well be
            one that is dialled at home alone.
        lengths: all there are.
    """

    __slots__ = ("_ends", "_ranges", "code", "deciding", "head", "heads", "lengths", "regions")

    def __init__(self, code: str, regions: Sequence[Region], lines: Sequence[str]) -> None:
        self.code = code
        self.regions = regions
        size = len(code)
        head = NANP_HEAD if code == NANP else HEAD
        self.head = slice(size, size + head)
        self.heads: dict[str, dict[int, Range]] = {}
        self._ranges: dict[str, Ranges] = {}
        known: dict[str, Ranges] = {}
        for line in lines:
            key, _, text = line.partition(" ")
            ranges = known.get(text)
            if ranges is None:
                ranges = known[text] = dict(self._described(text))
            stem, _, last = key.partition("[")
            prefixes = [stem + digit for digit in last.rstrip("]")] or [stem]
            self._ranges.update(dict.fromkeys(prefixes, ranges))
            for start in {prefix[:head] for prefix in prefixes}:
                self._found(start, head, ranges, whole=len(prefixes[0]) <= head)
        self._ends = sorted({size + len(prefix) for prefix in self._ranges})
        self.deciding = self._ends[-1] if self._ends else 0
        self.lengths = sorted({length for ranges in known.values() for length in ranges})

    def _described(self, text: str) -> Iterator[tuple[int, Range]]:
        main = self.regions[0].name
        for token in text.split(" "):
            digits = token.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ-")
            region = token[len(digits) :]
            name = None if region == "-" else region or main
            yield len(self.code) + int(digits[:-1]), Range(LETTERS[digits[-1]], name)

    def _found(self, start: str, head: int, ranges: Ranges, *, whole: bool) -> None:
        """Numbers that begin so exist; ``whole`` says that all of them do."""
        if len(start) < head:
            for digit in "0123456789":
                self._found(start + digit, head, ranges, whole=whole)
            return
        if start[0] == "0" and not whole:
            return
        block = self.heads.setdefault(start, {})
        for length, one in ranges.items():
            known = block.setdefault(length, one)
            if known != one:
                region = known.region if known.region == one.region else self.regions[0].name
                block[length] = Range(_either(known.kind, one.kind), region)

    def exact(self, number: str) -> Range | None:
        """What the table says of a number; None where it has no such number."""
        size, known = len(self.code), self._ranges
        for end in self._ends:
            ranges = known.get(number[size:end])
            if ranges is not None:
                return ranges.get(len(number))
        return None

    def near(self, number: str) -> Range | None:
        """What is known of the numbers that begin like this one and are as long."""
        return self.heads.get(number[self.head], NONE).get(len(number))


def plan_of(number: str) -> Plan | None:
    """The plan that a number belongs to by its first digits, None where there is none."""
    start = number[:3]
    try:
        return _by_start[start]
    except KeyError:
        code = next((start[:size] for size in (1, 2, 3) if start[:size] in _regions), None)
        plan = _plans.get(code or "")
        if plan is None and code is not None:
            # A plan is read when the first number of its country comes along: all take 100 ms.
            plan = _plans[code] = Plan(code, _regions[code], _lines(code))
        if len(start) == 3 and start.isascii() and start.isdigit():
            _by_start[start] = plan
        return plan


def load() -> None:
    """Read the plans of all countries: 70 ms and 11 MB once, so that no batch to many countries
    takes that while others wait."""
    for code in _regions:
        plan_of(code)


def region_named(name: str) -> Region:
    """The region with this ISO 3166 code. Raises KeyError where there is none."""
    return _by_name[name]


def _load(name: str) -> str:
    return (Path(__file__).with_name(name)).read_text("ascii")


def _lines(code: str) -> list[str]:
    """What ``ranges.txt`` says of a country code."""
    return _sections()[code].splitlines()


def _sections() -> dict[str, str]:
    if not _texts:
        _, *sections = _load("ranges.txt").split("\n= ")
        _texts.update((code, body) for code, _, body in (s.partition("\n") for s in sections))
    return _texts


def is_emergency(digits: str) -> bool:
    """Whether these digits call for help anywhere."""
    return any(region.is_emergency(digits) for region in _by_name.values())


_texts: Final[dict[str, str]] = {}
_all: Final = [Region(line) for line in _load("plans.txt").splitlines() if line[0] != "#"]
_by_name: Final = {region.name: region for region in _all if region.name is not None}
_regions: Final = {
    code: [region for region in _all if region.code == code]
    for code in dict.fromkeys(region.code for region in _all)
}
_plans: Final[dict[str, Plan]] = {}
_by_start: Final[dict[str, Plan | None]] = {}

REGIONS: Final = frozenset(_by_name)
"""Every region that has numbers."""

CODES: Final = frozenset(_regions)
"""Every country code."""

"""Writes `gateway/numbers/plans.txt` and `ranges.txt`: what numbers there are, by country.

The source is `phonenumbers`, whose patterns say which national numbers each region has, of which
length and kind. A pattern takes microseconds to try, a region has a dozen, and none tells what is
near a number. So this program walks the digits with what is left of every pattern, and stops where
every number that can still follow has the same answer. The outcome says of a number exactly what
`phonenumbers` does: `tests/numbers/test_plans.py` compares the two.

Run ``python -m tools.ranges`` after an update of `phonenumbers`, and read the diff.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import phonenumbers

from tools.prefixes import DIGITS, Skeleton, skeletons

TARGET = Path(__file__).parent.parent / "gateway/numbers"
NO_COUNTRY = "001"
"""What `phonenumbers` calls the region of a code that belongs to no country."""

LETTERS = {
    "premium_rate": "p",
    "toll_free": "t",
    "shared_cost": "s",
    "voip": "v",
    "personal_number": "n",
    "pager": "g",
    "uan": "u",
    "voicemail": "x",
    "fixed_line": "f",
    "mobile": "m",
}
"""The kinds of number in the order in which `phonenumbers` tries them, with the letters that
`gateway.numbers.plans.Kind` has for them."""

FIXED, MOBILE, BOTH = "f", "m", "b"

PLANS_HEADER = """\
# How each region writes its numbers: code, region (- for none), what is dialled before foreign
# numbers and before national ones (a pattern; ~ and what the rest becomes), emergency numbers.
# The first region of a code is its main one.
# Written by tools/ranges.py from phonenumbers {version}; do not edit.
"""
RANGES_HEADER = """\
# Which national numbers there are, by the digits that they begin with: lengths, each with its kind
# (m mobile, f fixed, b either, p premium, t toll-free, s shared cost, v VoIP, n personal, g pager,
# u universal access, x voicemail) and, where a country code has several regions, its region.
# 20[35] is 203 and 205. "= 86" begins the numbers of country code 86.
# Written by tools/ranges.py from phonenumbers {version}; do not edit.
"""


class Range(NamedTuple):
    """Numbers of one length: ``kind`` is one of `LETTERS`, or `BOTH`."""

    length: int
    kind: str
    region: str


Ranges = tuple[Range, ...]


class Tree(NamedTuple):
    """What there is under a prefix whose numbers do not all share one answer."""

    children: dict[str, "Ranges | Tree"]


class Pattern(NamedTuple):
    """What is left, after some digits, of the patterns of one kind; ``lengths`` are those that a
    national number of the kind may have, empty for any."""

    kind: str
    lengths: tuple[int, ...]
    left: list[Skeleton]

    def step(self, digit: str) -> "Pattern":
        return self._replace(left=_step(self.left, digit))

    def complete(self, consumed: int) -> set[int]:
        """The lengths of the numbers that still match, if every digit may follow."""
        found = {consumed + len(rest) for rest in self.left}
        return found.intersection(self.lengths) if self.lengths else found


class Region(NamedTuple):
    """What is left of a region's patterns; ``leading`` is what its numbers begin with, None where
    the patterns alone tell them from those of its neighbours."""

    name: str
    general: Pattern
    kinds: list[Pattern]
    leading: list[Skeleton] | None

    def step(self, digit: str) -> "Region":
        return self._replace(
            general=self.general.step(digit),
            kinds=[kind for kind in (k.step(digit) for k in self.kinds) if kind.left],
            leading=None if self.leading is None else _lead(self.leading, digit),
        )

    @property
    def there(self) -> bool:
        """Whether a number of this region can still follow."""
        return bool(self.general.left) and (self.leading is None or bool(self.leading))

    @property
    def settled(self) -> bool:
        """Only the length of a number still matters, not its further digits."""
        patterns = [self.general, *self.kinds]
        return not any(self.leading or []) and all(
            digits == DIGITS for pattern in patterns for rest in pattern.left for digits in rest
        )

    def kind(self, consumed: int, length: int) -> str | None:
        """The kind of a number of this length, None where there is none."""
        if length not in self.general.complete(consumed):
            return None
        found = [kind.kind for kind in self.kinds if length in kind.complete(consumed)]
        if not found:
            return None
        return BOTH if found[0] == FIXED and MOBILE in found else found[0]


def _step(left: list[Skeleton], digit: str) -> list[Skeleton]:
    return [rest[1:] for rest in left if rest and digit in rest[0]]


def _lead(leading: list[Skeleton], digit: str) -> list[Skeleton]:
    return [rest[1:] for rest in leading if not rest or digit in rest[0]]


def metadata_of(code: int, region: str) -> phonenumbers.PhoneMetadata:
    """What `phonenumbers` knows of a region."""
    if region == NO_COUNTRY:
        found = phonenumbers.PhoneMetadata.metadata_for_nongeo_region(code)
    else:
        found = phonenumbers.PhoneMetadata.metadata_for_region(region)
    if found is None:
        raise LookupError(f"phonenumbers lists {region} without describing it")
    return found


def region_of(code: int, name: str) -> Region:
    """A region with its whole patterns."""
    metadata = metadata_of(code, name)
    described = {kind: getattr(metadata, kind) for kind in ("general_desc", *LETTERS)}
    general, *kinds = (
        Pattern(
            LETTERS.get(kind, ""),
            tuple(desc.possible_length),
            skeletons(desc.national_number_pattern),
        )
        for kind, desc in described.items()
        if desc is not None and desc.national_number_pattern
    )
    leading = skeletons(metadata.leading_digits) if metadata.leading_digits else None
    return Region("-" if name == NO_COUNTRY else name, general, kinds, leading)


def visit(consumed: int, regions: list[Region]) -> Ranges | Tree:
    """The numbers that begin with some digits."""
    regions = [region for region in regions if region.there]
    if not any(region.kinds for region in regions):
        return ()
    if all(region.settled for region in regions):
        return settle(consumed, regions)
    children: dict[str, Ranges | Tree] = {}
    for digit in DIGITS:
        child = visit(consumed + 1, [region.step(digit) for region in regions])
        if child:
            children[digit] = child
    if not children:
        return ()
    first, *others = children.values()
    same = isinstance(first, Tree) is False and all(other == first for other in others)
    if same and len(children) == len(DIGITS) and not isinstance(first, Tree):
        return first
    return Tree(children)


def settle(consumed: int, regions: list[Region]) -> Ranges:
    """The numbers under a prefix that decides all but the length."""
    lengths = {length for region in regions for length in region.general.complete(consumed)}
    found = []
    for length in sorted(lengths):
        for region in regions:
            kind = region.kind(consumed, length)
            if region.leading is not None or kind is not None:
                if kind is not None:
                    found.append(Range(length, kind, region.name))
                break
    return tuple(found)


def flatten(prefix: str, node: Ranges | Tree) -> Iterator[tuple[str, Ranges]]:
    """Every prefix with what there is under it."""
    if not isinstance(node, Tree):
        if node:
            yield prefix, node
        return
    for digit, child in node.children.items():
        yield from flatten(prefix + digit, child)


def gathered(node: Ranges | Tree) -> Iterator[tuple[str, Ranges]]:
    """The same, prefixes that share an answer and all but the last digit as one: ``20[024]``."""
    families: dict[tuple[str, Ranges], list[str]] = {}
    for prefix, ranges in flatten("", node):
        families.setdefault((prefix[:-1], ranges), []).append(prefix[-1:])
    for (stem, ranges), last in families.items():
        yield stem + (last[0] if len(last) == 1 else f"[{''.join(last)}]"), ranges


def range_lines(code: int, names: tuple[str, ...]) -> Iterator[str]:
    yield f"= {code}"
    tree = visit(0, [region_of(code, name) for name in names])
    for prefix, ranges in sorted(gathered(tree)):
        tokens = (f"{one.length}{one.kind}{one.region if len(names) > 1 else ''}" for one in ranges)
        yield " ".join((prefix, *tokens))


def plan_line(code: int, name: str) -> str:
    metadata = metadata_of(code, name)
    abroad = metadata.international_prefix or "-"
    home = metadata.national_prefix_for_parsing or "-"
    if metadata.national_prefix_transform_rule:
        home += f"~{metadata.national_prefix_transform_rule}"
    short = (
        None if name == NO_COUNTRY else phonenumbers.PhoneMetadata.short_metadata_for_region(name)
    )
    emergency = "-"
    if short is not None and short.emergency is not None:
        emergency = short.emergency.national_number_pattern or "-"
    region = "-" if name == NO_COUNTRY else name
    return " ".join((str(code), region, abroad, home, emergency))


def main() -> None:
    codes = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items(), key=lambda item: str(item[0]))
    for target, header, lines in (
        ("plans.txt", PLANS_HEADER, [plan_line(code, n) for code, names in codes for n in names]),
        (
            "ranges.txt",
            RANGES_HEADER,
            [s for code, names in codes for s in range_lines(code, names)],
        ),
    ):
        path = TARGET / target
        text = header.format(version=phonenumbers.__version__) + "".join(f"{s}\n" for s in lines)
        path.write_text(text)
        sys.stdout.write(f"{path.name}: {len(lines)} lines, {len(text)} bytes\n")


if __name__ == "__main__":
    main()

"""Recipients: numbers that no phone has, or those of a file.

The ranges are the ones that numbering plans keep for films and examples, as far as they are mobile
or wide and the gateway takes them for numbers (`gateway.numbers`).
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final

from gateway import numbers

_US = (
    "201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 "
    "239 240 248 251 252 253 254 256 260 262 267 269 270 276 281 301 302 303 304 305 307 308 309 "
    "310 312 313 314 315 316 317 318 319 320 321 323 325 330 334 336 337 339 347 351 352 360 361 "
    "386 401 402 404 405 406 407 408 409 410 412 413 414 415 417 419 423 425 432 434 435 440 443"
)

RANGES: Final[Mapping[str, Sequence[tuple[str, int]]]] = {
    "GB": [("447700900", 3)],
    "FR": [("3363998", 4)],
    "IE": [("3532091", 5)],
    "US": [(f"1{area}55501", 2) for area in _US.split()],
}
"""By region: what numbers begin with, and how many digits follow. Ofcom keeps 07700 900xxx, Arcep
06 39 98 xx xx, ComReg 020 91x xxxx, and North America 555-01xx in each area code."""

STRIDE: Final = 100_003
"""Neighbouring messages go to numbers so far apart, and so to all the ranges. A prime, so that
every number has its turn."""

MOST: Final = 10_000_000
"""Numbers in a file."""


class Recipients:
    """Numbers in a fixed order, the first again behind the last.

    Attributes:
        name: what they are, for people.
    """

    def __init__(self, name: str, ranges: Sequence[tuple[str, int]]) -> None:
        self.name = name
        self._ranges = ranges
        self._ends = list(accumulate(10**digits if digits else 1 for _, digits in ranges))
        self._stride = STRIDE if self._ends[-1] % STRIDE else 1

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> str:
        place = index * self._stride % len(self)
        at = bisect_right(self._ends, place)
        prefix, digits = self._ranges[at]
        return f"{prefix}{self._ends[at] - 1 - place:0{digits}}" if digits else prefix


def in_regions(names: str) -> Recipients:
    """Of regions as ``GB,FR``, or ``all``. Raises ValueError."""
    chosen = list(RANGES) if names == "all" else [name.strip() for name in names.split(",")]
    for name in chosen:
        if name not in RANGES:
            raise ValueError(
                f"{name!r} is no file, and no region that keeps numbers for examples: "
                f"all, or some of {','.join(RANGES)}"
            )
    ranges = [one for name in dict.fromkeys(chosen) for one in RANGES[name]]
    return Recipients(f"numbers that no phone has ({', '.join(dict.fromkeys(chosen))})", ranges)


def in_lines(name: str, lines: Iterable[str]) -> Recipients:
    """Those of a file with a number a line. Raises ValueError, which names the line."""
    found = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            found.append((numbers.read(text), 0))
        except numbers.NumberError as error:
            raise ValueError(f"line {number}: {error}") from None
        if len(found) > MOST:
            raise ValueError(f"it has more than {MOST:,} numbers")
    if not found:
        raise ValueError("it has no numbers")
    return Recipients(f"the numbers of {name}", found)

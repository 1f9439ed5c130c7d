"""What a gateway does a second, from two looks at its metrics. Pure."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

ACCEPTED: Final = "gateway_messages_accepted_total"
ENDED: Final = "gateway_messages_final_total"
ANSWERED: Final = "gateway_parts_submitted_total"

LINE: Final = re.compile(
    rf'^({ACCEPTED}|{ENDED}|{ANSWERED}){{[^}}]*?(?:tenant|carrier)="([^"]*)"[^}}]*}} (\S+)',
    re.MULTILINE,
)


class Counts(msgspec.Struct, frozen=True):
    """What had been counted ``at`` a moment, by metric and by tenant or carrier."""

    at: float
    numbers: Mapping[tuple[str, str], float]


class Rates(msgspec.Struct, frozen=True):
    """Messages that were accepted and ended and parts that carriers answered, a second; in all and
    by tenant or carrier. Without a first look nothing is known."""

    accepted: float | None = None
    answered: float | None = None
    ended: float | None = None
    tenants: Mapping[str, float] = {}
    carriers: Mapping[str, float] = {}


def counts(page: str, now: float) -> Counts:
    """What a page of metrics says."""
    numbers: dict[tuple[str, str], float] = {}
    for metric, name, value in LINE.findall(page):
        numbers[metric, name] = numbers.get((metric, name), 0.0) + float(value)
    return Counts(now, numbers)


def rates(before: Counts | None, now: Counts) -> Rates:
    """What was done between two looks. What a restart counts anew is not below nothing."""
    if before is None or now.at <= before.at:
        return Rates()
    span = now.at - before.at

    def of(metric: str) -> dict[str, float]:
        return {
            name: round(max(0.0, number - before.numbers.get((one, name), 0.0)) / span, 1)
            for (one, name), number in now.numbers.items()
            if one == metric
        }

    accepted, answered, ended = of(ACCEPTED), of(ANSWERED), of(ENDED)
    return Rates(_sum(accepted), _sum(answered), _sum(ended), accepted, answered)


def _sum(each: Mapping[str, float]) -> float:
    return round(sum(each.values()), 1)

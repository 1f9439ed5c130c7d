"""What the store has counted, in the words of the API. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gateway.api.schema import Figures, StatsRow
from gateway.policy.prices import MILLION
from gateway.queue.tallies import HOUR, Stat

ENDED: Final = ("delivered", "failed", "expired", "unknown")
"""The outcomes by which a carrier's reach is measured: not those where the gateway, the tenant or
the recipient had the last word."""


def rows(stats: Iterable[Stat]) -> Sequence[StatsRow]:
    """A row for each hour, campaign, variant and carrier, in this order."""
    found: dict[tuple[int, str, str, str], list[Stat]] = {}
    for stat in stats:
        place = (stat.hour, stat.campaign or "", stat.variant or "", stat.carrier)
        found.setdefault(place, []).append(stat)
    return [_row(found[place]) for place in sorted(found)]


def _row(stats: Sequence[Stat]) -> StatsRow:
    place = stats[0]
    plain: dict[str, int] = {}
    named: dict[str, dict[str, int]] = {}
    for stat in stats:
        kind, *names = stat.code.split(" ")
        if kind == "ended":
            _add(named, "outcomes", names[0], stat.number)
            kind, names = "codes", names[1:]
        elif not names:
            plain[kind] = stat.number
        for name in names:
            _add(named, kind, name, stat.number)
    outcomes = named.get("outcomes", {})
    return StatsRow(
        place.hour * HOUR,
        place.campaign,
        place.variant,
        place.carrier or None,
        accepted=plain.get("accepted", 0),
        refused=named.get("refused", {}),
        deferred=named.get("deferred", {}),
        sent=plain.get("sent", 0),
        parts=plain.get("parts", 0),
        outcomes=outcomes,
        codes=named.get("codes", {}),
        inbound=plain.get("inbound", 0),
        optouts=plain.get("optouts", 0),
        ruled_out=named.get("ruled_out", {}),
        figures=_figures(outcomes, plain.get("cost", 0)) if place.carrier else None,
    )


def _figures(outcomes: Mapping[str, int], cost: int) -> Figures | None:
    """What the counts of a carrier come to; None where that is nothing."""
    ended = sum(outcomes.get(one, 0) for one in ENDED)
    if not ended:
        return Figures(cost / MILLION) if cost else None
    reach, unknown = (round(outcomes.get(one, 0) / ended, 4) for one in ("delivered", "unknown"))
    return Figures(cost / MILLION, reach, unknown)


def _add(named: dict[str, dict[str, int]], kind: str, name: str, number: int) -> None:
    counts = named.setdefault(kind, {})
    counts[name] = counts.get(name, 0) + number

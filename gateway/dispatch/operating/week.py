"""What the store has counted hour by hour, of all tenants together: how many of what each carrier
has taken it reaches, beside the median of seven days, and what the rules hold back and refuse.

Asked of the store hour by hour, and only while somebody wants to know; an hour that is over is
asked for once, and kept as a few numbers for each carrier.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Final, NamedTuple

from gateway.dispatch.serving.counted import ENDED
from gateway.ops.views import ReachHour, ReachView, RuleView
from gateway.queue.operators import OperatorStore
from gateway.queue.tallies import HOUR

DAY: Final = 24
"""Hours that are told of one by one."""

WEEK: Final = 7 * DAY
"""Hours before the present one whose median a carrier is compared with."""

LEAST: Final = 20
"""Outcomes from which on the share of an hour says something."""

FRESH: Final = 5.0
"""Seconds for which the present hour is not asked for anew."""

DUTY: Final = 50.0
"""How many times as long as the asking took it is not done again: 2 % of the store's reader."""

AT_ONCE: Final = 0.1
"""Seconds that one look may spend on hours that are over: it goes on with the next."""

SETTLED: Final = 60
"""Seconds after its end from which on an hour changes no more."""

RULED, CODED, DEFERRED = "ruled_out", "refused", "deferred"


class Hour(NamedTuple):
    """What is kept of an hour: outcomes by carrier, how many of them tell of its reach and the
    share that is delivered, and by (kind, name) what was held or refused; ``over`` where it will
    not change."""

    outcomes: Mapping[str, Mapping[str, int]]
    shares: Mapping[str, tuple[int, float]]
    held: Mapping[tuple[str, str], int]
    over: bool


class Week:
    """The hours of a week.

    Args:
        clock: Unix time.
    """

    def __init__(self, store: OperatorStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._hours: dict[int, Hour] = {}
        self._told: dict[str, ReachView] = {}
        self._asking = False
        self._stale_at = 0.0

    async def look(self) -> None:
        """Ask for what is not known; one asks for all who want to know."""
        if self._asking or time.monotonic() < self._stale_at:
            return
        self._asking = True
        began = time.monotonic()
        try:
            present = int(self._clock() // HOUR)
            for gone in [hour for hour in self._hours if hour < present - WEEK]:
                del self._hours[gone]
            wanted = [
                hour
                for hour in range(present, present - WEEK - 1, -1)
                if hour not in self._hours or not self._hours[hour].over
            ]
            self._told.clear()
            for hour in wanted:
                self._hours[hour] = await self._asked(hour)
                if time.monotonic() - began >= AT_ONCE:
                    break
        finally:
            took = time.monotonic() - began
            whole = len(self._hours) > WEEK
            self._stale_at = time.monotonic() + (max(FRESH, DUTY * took) if whole else 10 * took)
            self._asking = False

    async def _asked(self, hour: int) -> Hour:
        outcomes: dict[str, dict[str, int]] = {}
        held: Counter[tuple[str, str]] = Counter()
        for one in await self._store.counted_in(hour):
            kind, _, name = one.code.partition(" ")
            if kind == "ended" and one.carrier:
                of = outcomes.setdefault(one.carrier, {})
                outcome = name.partition(" ")[0]
                of[outcome] = of.get(outcome, 0) + one.number
            elif kind in (RULED, CODED, DEFERRED):
                held[kind, name] += one.number
        over = self._clock() >= (hour + 1) * HOUR + SETTLED
        shares = {}
        for carrier, of in outcomes.items():
            if whole := sum(of.get(one, 0) for one in ENDED):
                shares[carrier] = (whole, of.get("delivered", 0) / whole)
        return Hour(outcomes, shares, held, over)

    def reach(self, carrier: str) -> ReachView:
        """What a carrier reaches, as far as was asked."""
        if not self._told:
            self._told = self._tell()
        return self._told.get(carrier) or _reach(carrier, {}, [], 0)

    def _tell(self) -> dict[str, ReachView]:
        """What each carrier reaches."""
        present = int(self._clock() // HOUR)
        usual: dict[str, list[float]] = {}
        for number, hour in self._hours.items():
            if number < present:
                for carrier, (whole, share) in hour.shares.items():
                    if whole >= LEAST:
                        usual.setdefault(carrier, []).append(share)
        day = {n: self._hours[n] for n in range(present, present - DAY, -1) if n in self._hours}
        names = dict.fromkeys(name for hour in day.values() for name in hour.outcomes)
        return {
            name: _reach(
                name,
                {n: hour for n, hour in day.items() if name in hour.shares},
                usual.get(name, []),
                sum(hour.outcomes.get(name, {}).get("unknown", 0) for hour in day.values()),
            )
            for name in (*names, *(usual.keys() - names.keys()))
        }

    def rules(self) -> tuple[tuple[RuleView, ...], dict[str, int]]:
        """What each rule has put off and refused in the last 24 hours and in this one, the most
        first; and what was refused when it was submitted, by code."""
        present = int(self._clock() // HOUR)
        day: Counter[tuple[str, str]] = Counter()
        for hour, one in self._hours.items():
            if hour > present - DAY:
                day.update(one.held)
        this = self._hours[present].held if present in self._hours else {}
        names = dict.fromkeys(name for kind, name in day if kind in (RULED, DEFERRED))
        rules = [
            RuleView(
                rule=name,
                refused=day[RULED, name],
                refused_hour=this.get((RULED, name), 0),
                deferred=day[DEFERRED, name],
                deferred_hour=this.get((DEFERRED, name), 0),
            )
            for name in names
        ]
        rules.sort(key=lambda one: (-one.refused - one.deferred, one.rule))
        codes = {name: number for (kind, name), number in day.items() if kind == CODED}
        return tuple(rules), codes


def _reach(
    carrier: str, hours: Mapping[int, Hour], usual: Sequence[float], unknown: int
) -> ReachView:
    """What a carrier reaches, given the hours of a day, the newest first, and usual shares."""
    enough = (n for n, hour in hours.items() if hour.shares[carrier][0] >= LEAST)
    newest = next(enough, None)
    return ReachView(
        carrier=carrier,
        reach=None if newest is None else hours[newest].shares[carrier][1],
        reach_at=None if newest is None else newest * HOUR,
        median=median(usual) if usual else None,
        median_hours=len(usual),
        unknown=unknown,
        hours=tuple(
            ReachHour(at=n * HOUR, outcomes=hour.outcomes[carrier], reach=hour.shares[carrier][1])
            for n, hour in hours.items()
        ),
    )

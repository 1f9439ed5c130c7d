"""Rates that hold over all nodes: which part of each is this node's, as what nodes want changes.

Each node says of each rate what it wants, ten times a second where something is wanted: all of it
while messages wait for the rate, else a little more than it has used of late. All come to the same
parts by that: what a node wants, up to its weight's share of what the others leave. The store adds
up what nodes have, and gives none more than the others have told that they do not use: so together
they never have more than the rate. What a node that is dead had is its own until its time is over.

Pure: ``now`` is any clock in seconds.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from gateway.queue.store import Ask, Granted

HEADROOM: Final = 1.05
"""How much of what was used of late a node wants: who needs more finds out within two looks."""

STEPS: Final = 128
"""Steps in which wants are told, so that they rarely change."""

MEMORY: Final = 0.2
"""Seconds over which use falls to what it is by now; it rises at once."""

RESERVE: Final = 0.01
"""Of a rate, what nodes keep by weight though they want nothing: the first message of a node need
not wait until it has been heard."""

NEAR: Final = 1e-3
"""Parts that differ by less are the same."""


class Rate(NamedTuple):
    """One rate, as this node sees it.

    Attributes:
        name: the same at all nodes.
        weight: of this node among all.
        whole: parts per second, over all nodes.
        passed: parts that were ever sent here under it.
        short: messages wait for it.
    """

    name: str
    weight: float
    whole: float
    passed: float
    short: bool


class Claim(NamedTuple):
    """What a node wants of a rate, of 1, and its weight."""

    want: float
    weight: float


def shared_out(claims: Mapping[int, Claim]) -> dict[int, float]:
    """The part of each node: what it wants, but of what is left no more than its weight's share;
    what nobody wants is shared by weight too, for whoever wants something next. A node without
    weight has none."""
    total = sum(one.weight for one in claims.values())
    parts = dict.fromkeys(claims, 0.0)
    if not total:
        return parts
    left = 1.0
    rest = {
        node: one._replace(want=max(one.want, RESERVE * one.weight / total))
        for node, one in claims.items()
        if one.weight
    }
    while rest:
        level = left / sum(one.weight for one in rest.values())
        content = [node for node, one in rest.items() if one.want <= one.weight * level]
        for node in content or list(rest):
            one = rest.pop(node)
            parts[node] = min(one.want, one.weight * level)
            left -= parts[node]
    if left > 0.0:
        for node, one in claims.items():
            parts[node] += left * one.weight / total
    return parts


class _Own:
    """What is known of a rate here: ``part`` is what this node goes by; ``quiet``, that nothing of
    it is to be told unless something is sent under it."""

    __slots__ = ("ask", "before", "part", "quiet", "short", "told", "use", "want", "weight")

    def __init__(self, rate: Rate) -> None:
        self.weight = rate.weight
        self.before = rate.passed
        self.short = self.quiet = False
        self.use = self.want = 0.0
        self.part = 0.0
        self.ask = rate.weight
        self.told: Ask | None = None


def _says_nothing_new(rate: Rate, own: _Own) -> bool:
    return not rate.short and rate.passed == own.before and rate.weight == own.weight


class Grants:
    """The parts of a node, numbered ``me``."""

    def __init__(self) -> None:
        self.me = 0
        self._own: dict[str, _Own] = {}
        self._wanting = True
        self._at = -math.inf

    def __bool__(self) -> bool:
        """Whether there is any rate."""
        return bool(self._own)

    @property
    def wanting(self) -> bool:
        """Whether this node wants something, or has something to tell."""
        return self._wanting

    def untold(self) -> None:
        """What was told last may not have been heard."""
        for own in self._own.values():
            own.told, own.quiet = None, False

    def part(self, name: str) -> float:
        """Of a rate, what this node may use."""
        own = self._own.get(name)
        return own.part if own else 0.0

    def forget(self) -> list[str]:
        """What this node had may be others' by now; returns what it has no part of any more."""
        gone = [name for name, own in self._own.items() if own.part]
        for own in self._own.values():
            own.part, own.told, own.quiet = 0.0, None, False
        return gone

    def asks(self, rates: Iterable[Rate], now: float) -> list[Ask]:
        """What to tell of these rates, which are all that there are."""
        seconds = min(max(now - self._at, 0.0), MEMORY)
        self._at = now
        known, self._own = self._own, {}
        found = []
        for rate in rates:
            own = self._own[rate.name] = known.get(rate.name) or _Own(rate)
            if own.quiet and _says_nothing_new(rate, own):
                continue  # as nearly all, where there are thousands
            self._measure(own, rate, seconds)
            ask = Ask(rate.name, own.want, own.weight, own.part, own.ask)
            own.quiet = ask == own.told and not (own.use or own.short)
            if ask != own.told:
                own.told = ask
                found.append(ask)
        self._wanting = bool(found) or any(own.want or own.short for own in self._own.values())
        return found

    def _measure(self, own: _Own, rate: Rate, seconds: float) -> None:
        passed, own.before = rate.passed - own.before, rate.passed
        if seconds:
            now = max(passed / seconds / rate.whole, 0.0)
            own.use = max(now, own.use + (now - own.use) * min(1.0, seconds / MEMORY))
            if own.use < NEAR:
                own.use = 0.0
        own.want = min(1.0, math.ceil(own.use * HEADROOM * STEPS) / STEPS)
        if rate.short and own.short:
            own.want = 1.0
        own.short, own.weight = rate.short, rate.weight

    def take(self, rows: Sequence[Granted]) -> list[str]:
        """Go by what the nodes have told; returns the names whose part here is another."""
        claims: dict[str, dict[int, Claim]] = {}
        held: dict[str, float] = {}
        for row in rows:
            claims.setdefault(row.name, {})[row.node] = Claim(row.want, row.weight)
            if row.node == self.me:
                held[row.name] = row.held
        changed = []
        for name, mine in held.items():
            own = self._own.get(name)
            if own is None:
                continue
            due = shared_out(claims[name])[self.me]
            if abs(due - mine) < NEAR:
                due = mine
            own.ask, own.quiet = due, False
            part = min(mine, due)
            if due > mine:
                own.told = None  # ask again until the others have left it
            if part != own.part:
                own.part = part
                changed.append(name)
        return changed

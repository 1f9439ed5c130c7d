"""A guard against traffic pumping: somebody has one-time passwords sent to numbers of their own,
one after the other in a range, and earns a share of what each costs.

Of what a tenant has sent to one range lately, so many are usual; what goes far beyond that, and
beyond what is small anyway, is held. It goes later, where the rise is over before it expires: then
it was no attack, or what is left of one. Only ranges that are watched are counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Annotated, Final, NamedTuple

import msgspec

from gateway.facts import NOTHING, Facts
from gateway.message import URGENT, Message
from gateway.numbers import region_of
from gateway.policy.destinations import Places
from gateway.policy.rules import Defer, Verdicts

RANGE: Final = 4
"""Digits that the numbers of a range differ in: operators give out blocks of ten thousand."""

RANGES: Final = 50_000
"""Ranges of tenants that are remembered, some 10 MB; the half that was counted first is forgotten
when there are more."""

DAY: Final = 86_400.0

GROWTH: Final = 1.5
"""How many times the usual count is taken for learning at most: a steady attack is to become usual
in days, and is reported all the while."""


class PumpingOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[policy.pumping]``.

    Attributes:
        least: one-time passwords to a range in the time of a count that are nothing unusual.
        factor: how many times the usual number is too many.
        minutes: the time of a count.
        hold_minutes: how long those too many are held before it is looked again.
    """

    least: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 20
    factor: Annotated[float, msgspec.Meta(ge=1.5, le=1000)] = 5.0
    minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 10
    hold_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 5


class _Count(NamedTuple):
    """Of a range: which time is counted, how many went in it, and how many usually do."""

    slot: int
    passed: int
    usual: float


class _Memo(NamedTuple):
    """What is known of ranges, by tenant and name, in counts of so many minutes."""

    minutes: int
    counts: dict[str, dict[str, _Count]]


class _Row(NamedTuple):
    """A count of so many minutes, as nodes share it."""

    minutes: int
    counted: _Count


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Memo).decode
_decode_row = msgspec.msgpack.Decoder(_Row).decode


class Ranges:
    """Counts one-time passwords by tenant and range."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], _Count] = {}
        self._options = PumpingOptions()
        self._changed = False
        self._untold: Counter[tuple[str, str]] = Counter()

    def memo(self) -> bytes | None:
        """All that is known, to be kept; None where nothing has changed since the last time."""
        if not self._changed:
            return None
        self._changed = False
        found: dict[str, dict[str, _Count]] = {}
        for (tenant, name), count in self._counts.items():
            found.setdefault(tenant, {})[name] = count
        return _encode(_Memo(self._options.minutes, found))

    def recall(self, memo: bytes) -> None:
        """Take over what was kept. Counts of other minutes are forgotten by `configure`."""
        minutes, found = _decode(memo)
        self._options = msgspec.structs.replace(self._options, minutes=minutes)
        self._counts = {
            (tenant, name): count for tenant, of in found.items() for name, count in of.items()
        }

    def configure(self, options: PumpingOptions) -> None:
        """Count by these options from now on."""
        if options.minutes != self._options.minutes:
            self._counts.clear()
        self._options = options

    def rooms(self, tenant: str, ranges: Iterable[str], now: float) -> dict[str, int]:
        """How many more may go to each of these ranges now."""
        least, factor = self._options.least, self._options.factor
        rooms = {}
        for name in ranges:
            count = self._now(tenant, name, now)
            rooms[name] = max(0, max(least, ceil(factor * count.usual)) - count.passed)
        return rooms

    def note(self, tenant: str, ranges: Iterable[str], now: float, step: int = 1) -> None:
        """One more goes to each of these ranges, as often as it is named; with a ``step`` of -1 one
        that was noted does not go after all."""
        for name in ranges:
            count = self._now(tenant, name, now)
            self._counts[tenant, name] = count._replace(passed=max(0, count.passed + step))
            self._untold[tenant, name] += step
            self._changed = True
        if len(self._counts) > RANGES:
            for key in list(self._counts)[: RANGES // 2]:
                del self._counts[key]
        if len(self._untold) > RANGES:  # nobody asks for it: no other node counts
            self._untold.clear()

    # --- what several nodes count together ---

    def take_untold(self) -> dict[tuple[str, str], int]:
        """How many were noted here of each tenant and range since the last call."""
        untold, self._untold = self._untold, Counter()
        return dict(untold)

    def not_told(self, untold: Mapping[tuple[str, str], int]) -> None:
        """That is still to be told."""
        self._untold.update(untold)

    def revised(self, row: bytes | None, step: int, now: float) -> bytes:
        """What all nodes have counted of a range by now, from what is on record of it, with so many
        more."""
        minutes, known = _decode_row(row) if row else _Row(0, _Count(0, 0, 0.0))
        count = self._rolled(known if minutes == self._options.minutes else None, now)
        count = count._replace(passed=max(0, count.passed + step))
        return _encode(_Row(self._options.minutes, count))

    def know(self, tenant: str, name: str, row: bytes) -> None:
        """All nodes have counted so many; and this one those that it has not told."""
        count = _decode_row(row).counted
        passed = max(0, count.passed + self._untold[tenant, name])
        self._counts[tenant, name] = count._replace(passed=passed)

    def _now(self, tenant: str, name: str, now: float) -> _Count:
        return self._rolled(self._counts.get((tenant, name)), now)

    def _rolled(self, known: _Count | None, now: float) -> _Count:
        width = self._options.minutes * 60
        slot = int(now // width)
        if known is None:
            return _Count(slot, 0, 0.0)
        if known.slot == slot:
            return known
        share = min(1.0, width / DAY)
        learnt = min(known.passed, max(GROWTH * known.usual, self._options.least))
        usual = known.usual * (1 - share) + learnt * share
        return _Count(slot, 0, usual * (1 - share) ** max(0, slot - known.slot - 1))


class Pumping:
    """Defers one-time passwords to a range in which there are far more than usual.

    Args:
        watched: the regions and ranges that are.
    """

    name = "pumping"
    wants = NOTHING

    def __init__(self, options: PumpingOptions, watched: Sequence[str]) -> None:
        self._hold = options.hold_minutes * 60.0
        self._watched = Places(watched)

    def ranges(self, messages: Iterable[Message]) -> list[str]:
        """The watched ranges that one-time passwords are for, each as often as it is."""
        return [
            message.to[:-RANGE]
            for message in messages
            if message.category == URGENT
            and not message.exempt
            and self._watched.has(message.to, region_of(message.to))
        ]

    def judge(self, messages: Sequence[Message], facts: Facts, now: float) -> Verdicts:
        if not facts.rooms:
            return {}
        rooms = dict(facts.rooms)
        verdicts: Verdicts = {}
        for index, message in enumerate(messages):
            name = message.to[:-RANGE]
            if message.category != URGENT or name not in rooms or message.exempt:
                continue
            if rooms[name] > 0:
                rooms[name] -= 1
                continue
            until = min(max(message.due, now) + self._hold, message.expires_at)
            verdicts[index] = Defer(self.name, until, WHY)
        return verdicts


class PumpingAgain:
    """The same rule for those that were held and are about to go."""

    name = Pumping.name
    wants = NOTHING

    def __init__(self, rule: Pumping) -> None:
        self._rule = rule

    def judge(self, messages: Sequence[Message], facts: Facts, now: float) -> Verdicts:
        if not facts.rooms:
            return {}
        late = [index for index, message in enumerate(messages) if was_held(message)]
        found = self._rule.judge([messages[index] for index in late], facts, now)
        return {late[index]: verdict for index, verdict in found.items()}


WHY: Final = "far more one-time passwords than usual go to numbers like this one"


def was_held(message: Message) -> bool:
    """Whether a one-time password may have been held."""
    return message.category == URGENT and message.due > message.accepted_at

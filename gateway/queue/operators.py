"""What operators ask of a store, beside what the flow of messages asks (`gateway.queue.store`).

Rare, and over everything there is; so an engine answers each in slices, and no other call waits
long for one of these. What is promised of calls there is promised here.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

import msgspec

from gateway.message import LaneKey, Message
from gateway.queue.store import NEWEST, Owed, Record, Refused, Store

KEPT: Final = 400 * 86_400.0
"""Seconds for which the records of changes are kept: a year, and a month to ask for them."""


SAMPLED: Final = 60.0
"""Seconds for which a sample of a lane stands."""

MOST_LANES: Final = 20_000
"""Lanes whose samples are kept; then all are taken anew."""

DIGITS: Final = 9
"""Digits at the end of a number by which it is found where it may stand without its country code:
in what carriers sent that is held."""


def held_of(tenant: str | None) -> str:
    """How the keys begin of what is held for a tenant, or of all that is held."""
    return "" if tenant is None else f"[{msgspec.json.encode(tenant).decode()},"


class QueueCount(NamedTuple):
    """What waits in the store of one lane.

    Attributes:
        due, later: messages that are due, and that will be.
        parts: of all of them, by a sample.
        since: since when the first is due.
        next_due: when the next of the others will be.
    """

    lane: LaneKey
    due: int
    later: int
    parts: int
    since: float | None
    next_due: float | None


class Which(msgspec.Struct, frozen=True):
    """Messages: those that have all of what is given."""

    tenant: str | None = None
    campaign: str | None = None
    category: str | None = None
    route: str | None = None

    def takes(self, lane: LaneKey) -> bool:
        """Whether messages of a lane are meant."""
        return (
            self.tenant in (None, lane.tenant)
            and self.campaign in (None, lane.campaign)
            and self.category in (None, lane.category)
            and self.route in (None, lane.route)
        )


class Owing(NamedTuple):
    """A carrier that owes receipts.

    Attributes:
        before: for messages that it took before this moment.
        alive: and that expire after this one.
    """

    carrier: str
    before: float
    alive: float = 0.0


class Counted(NamedTuple):
    """What was counted of a campaign under one code (`gateway.queue.tallies.Key`), and in which
    hours first and last."""

    tenant: str
    campaign: str
    code: str
    number: int
    first: int
    last: int


class HourCount(NamedTuple):
    """What was counted in an hour under one code (`gateway.queue.tallies.Key`), of all tenants and
    campaigns together; ``carrier`` is empty where it is of none."""

    carrier: str
    code: str
    number: int


class Means:
    """How many parts the messages of a lane have on average. What a sample says stands for a
    minute: to take one of each of a thousand lanes is ten times as dear as to count what waits.
    For one thread."""

    def __init__(self) -> None:
        self._of: dict[int, tuple[float, float]] = {}

    def of(self, lane: int, now: float, sample: Callable[[], Sequence[Message]]) -> float:
        """The mean of a lane, by its number."""
        mean, at = self._of.get(lane, (1.0, -math.inf))
        if abs(now - at) >= SAMPLED:
            if len(self._of) >= MOST_LANES:
                self._of.clear()
            taken = sample()
            mean = sum(one.parts for one in taken) / len(taken) if taken else 1.0
            self._of[lane] = (mean, now)
        return mean


class Found(NamedTuple):
    """Messages with their tenants, and where to go on looking: None where that was all."""

    records: Sequence[tuple[str, Record]]
    next: str | None


class Change(NamedTuple):
    """A record of what somebody changed, in words of the layer above."""

    number: int
    at: float
    body: bytes


class Vitals(NamedTuple):
    """How a database server fares that has the store.

    Attributes:
        sizes: octets of each table, with its indexes.
        dead: rows of each that are gone and take up room still.
        oldest_transaction: seconds for which the oldest open transaction has kept dead rows from
            being cleared away.
        standbys: servers that follow this one.
        lags: octets that each has still to write, by its name.
    """

    sizes: Mapping[str, int]
    dead: Mapping[str, int]
    oldest_transaction: float
    standbys: int
    lags: Mapping[str, float]


class NodeState(NamedTuple):
    """A node that shares the storage, or did.

    Attributes:
        here: it is the one that is asked.
        alive: it works; else it has ended, or is silent for longer than its lease.
        version, config: of its program, and the digest of its configuration.
        share: the part of all phones that it sends to.
        behind: notices that it does not go by yet.
        moved: it is to send nothing, see `OperatorStore.move`.
        slots: how many slots of each carrier it has (`gateway.queue.store.Slot`).
        ahead: seconds by which its clock is ahead of the storage's, as it has told lately.
    """

    number: int
    name: str
    here: bool
    alive: bool
    version: str
    config: str
    share: float
    behind: int
    moved: bool = False
    slots: Mapping[str, int] = MappingProxyType({})
    ahead: float = 0.0


class OperatorStore(Store, Protocol):
    """A store that operators can ask."""

    async def nodes(self) -> Sequence[NodeState]:
        """The nodes that share the storage, by number; none where it is never shared."""

    async def ahead(self) -> float:
        """Seconds by which this machine's clock is at least ahead of the storage's, below 0 where
        it is behind; 0 where the time that asking takes may be all there is, or they are one."""

    async def introduce(
        self, version: str, config: str, binds: Mapping[str, int], ahead: float
    ) -> None:
        """Tell the others what this node is, see `NodeState`, and how many binds (pairs, where they
        are of two kinds) each carrier may have."""

    async def move(self, name: str, *, away: bool) -> None:
        """Have a node give all it has of phones and slots to others, for as long as there are some,
        or take its part again. Holds over its restart."""

    async def vitals(self) -> Vitals | None:
        """How its server fares; None where it has none."""

    async def waiting(self, now: float) -> Sequence[QueueCount]:
        """What waits, by lane."""

    async def lease_where(self, which: Which, last: int, limit: int) -> list[Message]:
        """Lease up to ``limit`` waiting messages, numbered up to ``last`` (to cancel them)."""

    async def waiting_where(self, which: Which, last: int = NEWEST) -> int:
        """How many messages wait, due or not, numbered up to ``last``."""

    async def owed_count(self, owed: Owing) -> int:
        """How many messages a carrier owes receipts for. Those whose id it never gave are not
        among them: nobody knows any more which carrier has them."""

    async def owed_about(self, carrier: str, most: int) -> int:
        """How many messages a carrier owes receipts for, to look at again and again: nothing is
        written for it, so that some are missing which it took within the last half minute; and it
        is not counted on once about ``most`` were found."""

    async def owed(self, owed: Owing, after: str, limit: int) -> tuple[list[Owed], str | None]:
        """Some ``limit`` of them, and where to go on."""

    async def requeue(self, owed: Owing, numbers: Sequence[int], now: float) -> list[Message]:
        """Put those that are sent still back to waiting, due now and marked
        `Message.maybe_duplicate`; receipts that still come for them match nothing."""

    async def find_any(self, number: int) -> tuple[str, Record] | None:
        """What became of a message, and whose it is."""

    async def search(self, phones: Sequence[str], after: str | None, limit: int) -> Found:
        """The messages to any of these numbers: those without an outcome, the newest first, and
        then tenant by tenant those with one, the latest first. Looks for a bounded time, so that
        there may be a ``next`` though nothing was found."""

    async def tenants(self) -> Sequence[str]:
        """All tenants there ever were."""

    async def live_to(
        self, phones: Collection[str], below: int = NEWEST
    ) -> tuple[list[tuple[str, Record]], int | None]:
        """Messages without an outcome to any of these numbers among the next that are numbered
        ``below``, and where to go on, None at the end."""

    async def erase_events(
        self, tenant: str, phones: Collection[str], after: int
    ) -> tuple[int, int | None]:
        """Erase what some of a tenant's events after a ``seq`` tell of phones, which are given in
        all of their spellings (`gateway.queue.events.erase`), with the keys of their messages and
        what is kept beside their outcomes. Returns how many events that were, and where to go on,
        None at the end."""

    async def erase_records(self, tenant: str | None, phones: Collection[str]) -> int:
        """Erase what else a tenant has on record of phones, or everybody with None: consents, what
        counts against caps, failures, refusals, what is held, and the texts of opt-outs. Opt-outs
        stay. Returns how many records that were."""

    async def refused(self, phones: Collection[str], limit: int) -> Sequence[Refused]:
        """The latest messages to any of these numbers that were not accepted, the newest first."""

    async def scrub(self) -> bool:
        """Have nothing left on the storage of what was deleted or erased; False where that is not
        done, and what is free in it may still show some."""

    async def campaigns(self, tenant: str | None, since: int, limit: int) -> Sequence[Counted]:
        """What was counted, since an hour, of the campaigns that something was counted of last."""

    async def counted_in(self, hour: int) -> Sequence[HourCount]:
        """What was counted in an hour since the epoch, by carrier and code."""

    async def note_change(self, number: int | None, at: float, body: bytes) -> int:
        """Keep a record of a change, a new one or in the place of another; returns its number.
        Those older than `KEPT` go."""

    async def changes(self, before: int, limit: int) -> Sequence[Change]:
        """The records of changes numbered below ``before``, the newest first."""

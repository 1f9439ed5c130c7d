"""What a simulated carrier does with a message, and when: no sockets here.

A `Carrier` decides the fate of each submission, keeps what it took for a while so that it can be
asked for and cancelled, and has for each account the deliveries (receipts and inbound messages) that
wait for their time. ``now`` is in seconds on any clock.
"""

from bisect import bisect
from collections import deque
from collections.abc import Mapping
from heapq import heappop, heappush
from itertools import accumulate, count
from random import Random
from typing import Final, Generic, TypeVar

import msgspec

from gateway.smpp.pdu import DataSm, DeliverSm, SubmitSm
from gateway.smpp.receipts import STATES
from gateway.smpp.simulator.options import SimulatorOptions
from gateway.smpp.simulator.receipt import DELETED, DELIVERED, IDS, RECEIPTS, Taken
from gateway.smpp.status import Status

MAX_KNOWN: Final = 100_000
"""Messages kept for query_sm and cancel_sm, the oldest forgotten first: some 50 MB."""

MAX_WAITING: Final = 1_000_000
"""Deliveries that wait on one account; past it, submissions get ESME_RMSGQFUL and phones' texts are
lost, as at a carrier whose store is full."""

EARLY_LEAD: Final = 0.05
"""By how much a response is held back for its receipt to come first, in seconds."""

_WANTS_DELIVERED = (1, 3)
_WANTS_FAILED = (1, 2)

_TEXTS = ("Hello", "Yes please", "Thanks, see you at 8", "谢谢", "Qué bueno", "Who is this?", "OK", "?")
_OPTOUTS = ("STOP", "stop", "TD", "T", "退订", "Unsubscribe")
_OPTOUT_SHARE = 0.1

T = TypeVar("T")


class Odds(Generic[T]):
    """Draws one of several results by their shares of 1; ``rest`` has what is left."""

    def __init__(self, shares: Mapping[T, float], rest: T) -> None:
        self._bounds = list(accumulate(shares.values()))
        self._results = [*shares, rest]

    def draw(self, random: Random) -> T:
        return self._results[bisect(self._bounds, random.random()) if self._bounds else 0]


class Statistics(msgspec.Struct, frozen=True):
    """What a simulated carrier has done so far.

    Attributes:
        binds: binds that are up.
        submits: submissions answered, by status; dropped ones among those of status 0.
        receipts: receipts sent, again after a lost connection or a temporary refusal included.
        inbound: texts from phones sent.
        answered: deliveries accepted by the other side.
        refused: deliveries it refused.
        waiting: deliveries that wait for their time or for a bind.
        dropped: connections closed on purpose.
    """

    binds: int
    submits: Mapping[int, int]
    receipts: int
    inbound: int
    answered: int
    refused: int
    waiting: int
    dropped: int


class Account:
    """What waits to be delivered to one system_id, on whichever of its binds receives."""

    def __init__(self, system_id: str) -> None:
        self.system_id = system_id
        self._waiting: list[tuple[float, int, Taken | DeliverSm]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, due: float, delivery: Taken | DeliverSm) -> None:
        heappush(self._waiting, (due, next(self._order), delivery))

    def next_due(self) -> float | None:
        return self._waiting[0][0] if self._waiting else None

    def take_due(self, now: float, limit: int) -> list[Taken | DeliverSm]:
        waiting = self._waiting
        due: list[Taken | DeliverSm] = []
        while waiting and waiting[0][0] <= now and len(due) < limit:
            due.append(heappop(waiting)[2])
        return due


class Carrier:
    """The fate of messages, as `SimulatorOptions` has it. ``epoch`` is what to add to ``now`` to get
    Unix seconds."""

    def __init__(self, options: SimulatorOptions, now: float, epoch: float) -> None:
        self._options = options
        self._epoch = epoch
        self._random = Random(options.seed)  # noqa: S311 - faults, not secrets
        self._phones = Random(options.seed + 1)  # noqa: S311
        self._errors = Odds({Status[n]: s for n, s in options.errors.items()}, Status.ESME_ROK)
        self._states = Odds({STATES[n]: s for n, s in options.receipt_states.items()}, DELIVERED)
        self._ids = IDS[options.receipt_ids]
        self._receipt = RECEIPTS[options.receipt_form]
        self._numbers = count(options.first_id)
        self._tokens, self._refilled_at = options.rate, now
        self._known: dict[str, Taken] = {}
        self._known_order: deque[str] = deque()

    def judge(self, account: Account, now: float) -> int:
        """The status of the next submission."""
        rate = self._options.rate
        if rate:
            self._tokens = min(rate, self._tokens + (now - self._refilled_at) * rate)
            self._refilled_at = now
            if self._tokens < 1:
                return Status.ESME_RTHROTTLED
            self._tokens -= 1
        if len(account) >= MAX_WAITING:
            return Status.ESME_RMSGQFUL
        return self._errors.draw(self._random)

    def chance(self, share: float) -> bool:
        """Whether something that happens with this share happens now."""
        return share > 0 and self._random.random() < share

    def take(self, account: Account, pdu: SubmitSm, now: float) -> tuple[Taken, float]:
        """Take a message, and plan its receipt if one is asked for.

        Returns:
            the message, and when its response is due.
        """
        options = self._options
        draw = self._random.random
        answer_at = now + options.latency
        if options.latency_jitter:
            answer_at += draw() * options.latency_jitter
        done_at = answer_at + options.receipt_delay
        if options.receipt_jitter:
            done_at += draw() * options.receipt_jitter
        state = self._states.draw(self._random)
        ref, receipt_ref = self._ids(next(self._numbers))
        wanted = _WANTS_DELIVERED if state == DELIVERED else _WANTS_FAILED
        reported = pdu.registered_delivery & 3 in wanted
        if reported and self.chance(options.early_receipts):
            done_at = now
            answer_at += EARLY_LEAD
        epoch = self._epoch
        taken = Taken(ref, receipt_ref, pdu, state, now + epoch, done_at + epoch)
        self._remember(taken)
        if reported and not self.chance(options.lost_receipts):
            account.add(done_at, taken)
        return taken, answer_at

    def _remember(self, taken: Taken) -> None:
        if len(self._known_order) == MAX_KNOWN:
            del self._known[self._known_order.popleft()]
        self._known[taken.ref] = taken
        self._known_order.append(taken.ref)

    def find(self, ref: str) -> Taken | None:
        """A message that was taken, by the id in its response."""
        return self._known.get(ref)

    def is_done(self, taken: Taken, now: float) -> bool:
        return taken.done_at <= now + self._epoch

    def cancel(self, ref: str, now: float) -> bool:
        """Let a message that is not done end as DELETED; whether it did."""
        taken = self._known.get(ref)
        if taken is None or self.is_done(taken, now):
            return False
        taken.state = DELETED
        return True

    def pdu(self, delivery: Taken | DeliverSm) -> DeliverSm | DataSm:
        """The PDU that delivers a receipt or a text."""
        return self._receipt(delivery) if isinstance(delivery, Taken) else delivery

    def inbound(self) -> DeliverSm:
        """The next text from a phone."""
        random = self._phones
        optout = random.random() < _OPTOUT_SHARE
        text = random.choice(_OPTOUTS if optout else _TEXTS)
        coding, octets = (0, text.encode()) if text.isascii() else (8, text.encode("utf-16-be"))
        return DeliverSm(
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr=f"447700{random.randrange(1_000_000):06}",
            destination_addr=self._options.inbound_to,
            data_coding=coding,
            short_message=octets,
        )

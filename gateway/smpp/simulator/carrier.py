"""What a simulated carrier does with a message, and when: no sockets here.

A `Carrier` decides the fate of each submission, keeps what it took for a while so that it can be
asked for and cancelled, and has for each account the deliveries (receipts and inbound messages)
that wait for their time. ``now`` is in seconds on any clock.
"""

import math
from bisect import bisect
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from itertools import accumulate, count
from random import Random
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from gateway.smpp.pdu import DataSm, DeliverSm, SubmitSm
from gateway.smpp.receipt_states import BY_STAT
from gateway.smpp.simulator.options import SimulatorOptions
from gateway.smpp.simulator.receipt import DELETED, DELIVERED, IDS, RECEIPTS, Taken
from gateway.smpp.simulator.stamps import Stamps
from gateway.smpp.status import Status

MAX_KNOWN: Final = 100_000
"""Messages kept for query_sm and cancel_sm, the oldest forgotten first: some 50 MB."""

MAX_WAITING: Final = 1_000_000
"""Deliveries that wait on one account; past it, submissions get ESME_RMSGQFUL and phones' texts are
lost, as at a carrier whose store is full."""

MAX_ACCOUNTS: Final = 1000
"""System_ids where anybody may bind; more than any test has carriers."""

EARLY_LEAD: Final = 0.05
"""By how much a response is held back for its receipt to come first, in seconds."""

_WANTS_DELIVERED = (1, 3)
_WANTS_FAILED = (1, 2)

_TEXTS = (
    "Hello",
    "Yes please",
    "Thanks, see you at 8",
    "谢谢",
    "Qué bueno",
    "Who is this?",
    "OK",
    "?",
)
OPTOUTS: Final[Mapping[str, Sequence[str]]] = {
    "447700######": ("STOP", "stop", "Stop please", "Unsubscribe"),
    "86139########": ("T", "TD", "R", "退订", "回T退订", "拒收"),
}
"""The phones that text, # for any digit, and how they opt out: as the notices of their country tell
them to."""

_OPTOUT_SHARE = 0.1

Delivery = Taken | DeliverSm
"""A receipt, by the message that it is on, or a text from a phone."""

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


class Bind(Protocol):
    """A connection that is bound to an account."""

    @property
    def receives(self) -> bool: ...

    def wake(self) -> None:
        """Look for deliveries."""


class Account:
    """A system_id: its binds, and what waits to be delivered on whichever of them receives."""

    def __init__(self, system_id: str) -> None:
        self.system_id = system_id
        self.binds: set[Bind] = set()
        self._waiting: list[tuple[float, int, Delivery]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, due: float, delivery: Delivery) -> None:
        heappush(self._waiting, (due, next(self._order), delivery))

    def wake(self) -> None:
        """Let the binds that receive look for deliveries."""
        for bind in self.binds:
            if bind.receives:
                bind.wake()

    def next_due(self) -> float:
        """When the next delivery is due; never (infinity) where none waits."""
        return self._waiting[0][0] if self._waiting else math.inf

    def take_due(self, now: float, limit: int) -> list[Delivery]:
        """Take up to ``limit`` deliveries that are due, the longest due first."""
        waiting = self._waiting
        due: list[Delivery] = []
        while waiting and waiting[0][0] <= now and len(due) < limit:
            due.append(heappop(waiting)[2])
        return due


class Carrier:
    """The fate of messages, as `SimulatorOptions` has it. ``epoch`` is what to add to ``now`` to
    get Unix seconds. ``stamps`` is told what is taken, and when."""

    def __init__(self, options: SimulatorOptions, now: float, epoch: float) -> None:
        self.epoch = epoch
        self.stamps = Stamps()
        self.accounts: dict[str, Account] = {}
        self.submits: Counter[int] = Counter()
        self.receipts = self.inbound = self.answered = self.refused = self.dropped = 0
        self._random = Random(options.seed)  # noqa: S311 - faults, not secrets
        self._phones = Random(options.seed + 1)  # noqa: S311
        self._ids = IDS[options.receipt_ids]
        self._receipt = RECEIPTS[options.receipt_form]
        self._numbers = count(options.first_id)
        self._known: dict[str, Taken] = {}
        self._known_order: deque[str] = deque()
        self.behave(options, now)

    def behave(self, options: SimulatorOptions, now: float) -> None:
        """Have these habits and faults from now on. Accounts, ids and forms stay as they are."""
        self.options = options
        self._errors = Odds({Status[n]: s for n, s in options.errors.items()}, Status.ESME_ROK)
        self._states = Odds({BY_STAT[n]: s for n, s in options.receipt_states.items()}, DELIVERED)
        self._poison = options.poison.encode()
        self._tokens, self._refilled_at = options.rate, now

    def statistics(self) -> Statistics:
        """What it has done so far."""
        accounts = self.accounts.values()
        return Statistics(
            binds=sum(len(account.binds) for account in accounts),
            submits=dict(self.submits),
            receipts=self.receipts,
            inbound=self.inbound,
            answered=self.answered,
            refused=self.refused,
            waiting=sum(map(len, accounts)),
            dropped=self.dropped,
        )

    def admit(self, system_id: str, password: str) -> tuple[int, Account | None]:
        """The status of a bind, and the account where it is 0."""
        options = self.options
        known = options.accounts or self.accounts
        if system_id not in known and (options.accounts or len(known) >= MAX_ACCOUNTS):
            return Status.ESME_RINVSYSID, None
        if options.accounts and options.accounts[system_id] != password:
            return Status.ESME_RINVPASWD, None
        account = self.accounts.setdefault(system_id, Account(system_id))
        if len(account.binds) >= options.max_binds:
            return Status.ESME_RBINDFAIL, None
        return Status.ESME_ROK, account

    def judge(self, account: Account, now: float) -> int:
        """The status of the next submission."""
        rate = self.options.rate
        if rate:
            self._tokens = min(max(rate, 1.0), self._tokens + (now - self._refilled_at) * rate)
            self._refilled_at = now
            if self._tokens < 1:
                return Status.ESME_RTHROTTLED
            self._tokens -= 1
        if len(account) >= MAX_WAITING:
            return Status.ESME_RMSGQFUL
        return self._errors.draw(self._random)

    def answer_at(self, now: float) -> float:
        """When the response to a submission is due."""
        jitter = self.options.latency_jitter
        return now + self.options.latency + (self._random.random() * jitter if jitter else 0.0)

    def chokes(self, pdu: SubmitSm) -> bool:
        """Whether the connection closes before the submission is taken."""
        poison = self._poison
        return bool(poison) and poison in pdu.short_message

    def drops(self) -> bool:
        """Whether the connection closes on the next submission."""
        return self._chance(self.options.drop)

    def repeats(self) -> bool:
        """Whether the response comes twice."""
        return self._chance(self.options.repeated)

    def take(
        self, account: Account, pdu: SubmitSm, now: float, answer_at: float
    ) -> tuple[Taken, float]:
        """Take a message, and plan its receipt if one is asked for.

        Returns:
            the message, and when its response is due: later than ``answer_at`` where the receipt
            is to come first.
        """
        options = self.options
        jitter = options.receipt_jitter
        done_at = answer_at + options.receipt_delay
        if jitter:
            done_at += self._random.random() * jitter
        state = self._states.draw(self._random)
        wanted = _WANTS_DELIVERED if state == DELIVERED else _WANTS_FAILED
        reported = pdu.registered_delivery & 3 in wanted
        if reported and self._chance(options.early_receipts):
            done_at = now
            answer_at += EARLY_LEAD
        ref, receipt_ref = self._ids(next(self._numbers))
        epoch = self.epoch
        taken = Taken(ref, receipt_ref, pdu, state, now + epoch, done_at + epoch)
        self.stamps.add(taken.taken_at, pdu)
        if len(self._known_order) == MAX_KNOWN:
            del self._known[self._known_order.popleft()]
        self._known[ref] = taken
        self._known_order.append(ref)
        if reported and not self._chance(options.lost_receipts):
            account.add(done_at, taken)
        return taken, answer_at

    def find(self, ref: str) -> Taken | None:
        """A message that was taken, by the id in its response."""
        return self._known.get(ref)

    def is_done(self, taken: Taken, now: float) -> bool:
        """Whether a message has its final state."""
        return taken.done_at <= now + self.epoch

    def cancel(self, ref: str, now: float) -> bool:
        """Let a message that is not done end as DELETED; whether it did."""
        taken = self._known.get(ref)
        if taken is None or self.is_done(taken, now):
            return False
        taken.state = DELETED
        return True

    def pdu(self, delivery: Delivery) -> DeliverSm | DataSm:
        """What delivers a receipt or a text; counts it as sent."""
        if isinstance(delivery, Taken):
            self.receipts += 1
            return self._receipt(delivery)
        self.inbound += 1
        return delivery

    def text(self) -> DeliverSm:
        """The next text from a phone."""
        random = self._phones
        phone, optouts = random.choice(list(OPTOUTS.items()))
        text = random.choice(optouts if random.random() < _OPTOUT_SHARE else _TEXTS)
        head, size = phone.rstrip("#"), phone.count("#")
        coding, octets = (0, text.encode()) if text.isascii() else (8, text.encode("utf-16-be"))
        return DeliverSm(
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr=f"{head}{random.randrange(10**size):0{size}}",
            destination_addr=self.options.inbound_to,
            data_coding=coding,
            short_message=octets,
        )

    def _chance(self, share: float) -> bool:
        return share > 0 and self._random.random() < share

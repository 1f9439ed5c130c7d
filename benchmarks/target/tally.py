"""What became of the messages of one step, and second by second over the whole run. Pure: times are
seconds on the driver's clock, numbers those of messages, from ``first`` up."""

from array import array
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from benchmarks.arrivals import percentile

Stage = Literal["accepted", "arrived", "answered", "outcome"]
STAGES: Final[tuple[Stage, ...]] = ("accepted", "arrived", "answered", "outcome")
"""The reply to the request has come; a simulated carrier has the message (`gateway simulate
--stamp`); the carrier's answer had come, by the gateway's clock; the event of the outcome has come.
"""

GOOD: Final = frozenset({"delivered", "sent"})
"""Outcomes that are no loss."""

OUTCOMES: Final = GOOD | {"failed", "expired", "cancelled", "blocked", "unknown"}

_OFFERED, _ACCEPTED, _REFUSED, _ENDED = range(4)


class Error(msgspec.Struct):
    """Why something was refused."""

    code: str
    message: str = ""


class Result(msgspec.Struct, gc=False):
    """What a reply says of one message."""

    parts: int = 0
    error: Error | None = None


class Detail(msgspec.Struct, gc=False):
    """What an event adds: ``sent_at`` is when the carrier had taken the message, in Unix
    seconds."""

    sent_at: float | None = None


class Event(msgspec.Struct, gc=False):
    """An event, as far as it matters here."""

    seq: int
    type: str
    key: str | None = None
    detail: Detail | None = None


class Second(NamedTuple):
    """What happened in a second that ended ``at`` seconds after the start of the run: messages a
    second, and how long those took in seconds that got to the stage that is judged by; None where
    none did."""

    at: float
    offered: float
    accepted: float
    ended: float
    p50: float | None
    p99: float | None


class Timeline:
    """The run, second by second."""

    def __init__(self) -> None:
        self.seconds: list[Second] = []
        self.offered = self.accepted = self.ended = 0
        self.recent: list[float] = []
        self._last = (0.0, 0, 0, 0)

    def tick(self, at: float) -> None:
        """A second has passed."""
        now = (at, self.offered, self.accepted, self.ended)
        took = at - self._last[0]
        if took <= 0:
            return
        rates = [(after - before) / took for after, before in zip(now, self._last, strict=True)]
        self._last = now
        ordered, self.recent = sorted(self.recent), []
        p50, p99 = (percentile(ordered, p) if ordered else None for p in (50, 99))
        self.seconds.append(Second(at, rates[1], rates[2], rates[3], p50, p99))


class Tally:
    """One step.

    Attributes:
        outcomes, refused: messages by outcome, and by code.
        late: seconds by which a batch left too late at worst: the load generator's own fault.
        parts: of what was accepted, as the replies say.
    """

    def __init__(self, first: int, judged: Stage, timeline: Timeline, *, stamped: bool) -> None:
        """``stamped``: `arrived` will be told."""
        self.first = first
        self.outcomes: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.late = 0.0
        self.accepted = self.parts = 0
        self.lasted = 0.0
        self._judged = judged
        self._timeline = timeline
        self._due = array("d")
        self._otp = bytearray()
        self._state = bytearray()
        self._times: dict[tuple[Stage, bool], array[float]] = {
            (stage, otp): array("d") for stage in STAGES for otp in (False, True)
        }
        self._expected: dict[str, deque[int]] | None = {} if stamped else None
        self._numbers: dict[int, str] = {}

    # --- what happens ---

    def offer(self, recipients: Sequence[str], due: float, now: float, *, otp: bool) -> None:
        """The next messages leave; they were due at ``due``."""
        number = self.first + self.offered
        count = len(recipients)
        self._due.extend([due] * count)
        self._otp += bytes([otp]) * count
        self._state += bytes([_OFFERED]) * count
        self.late = max(self.late, now - due)
        self._timeline.offered += count
        if self._expected is not None:
            for index, recipient in enumerate(recipients, number):
                self._expected.setdefault(recipient, deque()).append(index)
                self._numbers[index] = recipient

    def answer(self, number: int, results: Sequence[Result], now: float) -> None:
        """The reply on the messages from ``number`` on has come."""
        accepted = 0
        for index, result in enumerate(results, number - self.first):
            if result.error is None:
                accepted += 1
                self.parts += result.parts
                if self._state[index] == _OFFERED:
                    self._state[index] = _ACCEPTED
                self._took("accepted", index, now)
            else:
                self.refused[result.error.code] += 1
                self._state[index] = _REFUSED
                self._unexpect(index)
        self.accepted += accepted
        self._timeline.accepted += accepted

    def refuse(self, number: int, count: int, code: str) -> None:
        """A request was refused as a whole."""
        self.answer(number, [Result(error=Error(code))] * count, 0.0)

    def end(self, number: int, outcome: str, sent_at: float | None, now: float) -> None:
        """A message's event has come; ``sent_at`` by our clock."""
        index = number - self.first
        if not 0 <= index < self.offered or self._state[index] in {_ENDED, _REFUSED}:
            return
        self._state[index] = _ENDED
        self.outcomes[outcome] += 1
        self._timeline.ended += 1
        if outcome in GOOD:
            self._took("outcome", index, now)
        else:
            self._unexpect(index)
        if sent_at is not None:
            self._took("answered", index, sent_at)

    def arrive(self, recipient: str, at: float) -> None:
        """A simulated carrier has a message to this number; the longest due of those that are on
        their way."""
        waiting = (self._expected or {}).get(recipient)
        if waiting:
            index = waiting.popleft()
            self._numbers.pop(index, None)
            if not waiting and self._expected is not None:
                del self._expected[recipient]
            self._took("arrived", index - self.first, at)

    def _unexpect(self, index: int) -> None:
        if self._expected is None:
            return
        recipient = self._numbers.pop(index + self.first, None)
        waiting = self._expected.get(recipient or "")
        if waiting:
            waiting.remove(index + self.first)

    def _took(self, stage: Stage, index: int, at: float) -> None:
        seconds = at - self._due[index]
        self._times[stage, bool(self._otp[index])].append(seconds)
        if stage == self._judged:
            self._timeline.recent.append(seconds)

    # --- what it comes to ---

    @property
    def offered(self) -> int:
        return len(self._due)

    @property
    def unanswered(self) -> int:
        return self.offered - self.accepted - self.refused.total()

    @property
    def open(self) -> int:
        """Messages that are neither refused nor have an outcome."""
        return self.offered - self.refused.total() - self.outcomes.total()

    @property
    def lost(self) -> float:
        """The share that was refused, failed, or has no outcome yet."""
        good = sum(self.outcomes[outcome] for outcome in GOOD)
        return 1 - good / self.offered if self.offered else 0.0

    def ordered(self, stage: Stage, *, otp: bool | None = None) -> list[float]:
        """How long messages took to a stage, ascending: all, or the one-time passwords, or the
        others."""
        kinds: Iterable[bool] = (False, True) if otp is None else (otp,)
        return sorted(x for kind in kinds for x in self._times[stage, kind])

    def counts(self) -> Mapping[str, int]:
        """What became of the messages, in words."""
        refused = {f"refused, {code}": n for code, n in sorted(self.refused.items())}
        open_ = {"without an outcome": self.open} if self.open else {}
        return {**dict(sorted(self.outcomes.items())), **refused, **open_}

"""What is sent: batches of messages by their shares of texts, sizes and one-time passwords. Pure;
the same seed gives the same messages."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from random import Random
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from benchmarks.load import TEXTS, TextKind
from benchmarks.target.fictional import Recipients
from benchmarks.target.schedule import Schedule
from gateway.api.frames import frame
from gateway.message import Category

T = TypeVar("T")

PASSWORD: Final = "{code} is your code. It is good for five minutes; tell it to nobody."

_encode = msgspec.msgpack.Encoder().encode


class Mix(Generic[T]):
    """Draws by weights."""

    def __init__(self, weights: Mapping[T, float]) -> None:
        self.choices: Sequence[T] = list(weights)
        self.bounds = list(accumulate(weights.values()))
        self._single = len(self.choices) == 1

    def draw(self, random: Random) -> T:
        if self._single:
            return self.choices[0]
        return random.choices(self.choices, cum_weights=self.bounds)[0]


class Batch(NamedTuple):
    """Messages for one request: those from ``first`` on, due at ``due`` seconds from the start, to
    ``recipients``; ``tenant`` is the number of the one who submits them."""

    first: int
    due: float
    tenant: int
    otp: bool
    recipients: Sequence[str]
    request: Mapping[str, Any]

    def frame(self) -> bytes:
        """The request, under the number of its first message."""
        return frame(_encode(self.request))


class Traffic:
    """The messages of one run."""

    def __init__(
        self,
        *,
        run: str,
        recipients: Recipients,
        texts: Mapping[TextKind, float],
        batches: Mapping[int, float],
        otp: float,
        tenants: Sequence[float],
        category: Category,
        sender: str | None,
        seed: int,
    ) -> None:
        """``texts``, ``batches`` and ``tenants`` are weights; ``otp`` is the share of messages that
        are one-time passwords, each in a request of its own; ``run`` names the campaign."""
        self.campaign = f"load-test-{run}"
        self._run = run
        self._recipients = recipients
        self._texts = Mix(texts)
        self._batches = Mix(batches)
        self._tenants = Mix(dict(enumerate(tenants)))
        mean = sum(size * weight for size, weight in batches.items()) / sum(batches.values())
        self._otp = otp * mean / (1 - otp + otp * mean)
        self._random = Random(seed)
        self._defaults: dict[str, Any] = {"category": category, "campaign": self.campaign}
        if sender is not None:
            self._defaults["from"] = sender

    def batches(self, schedule: Schedule, first: int, most: int) -> Iterator[Batch]:
        """What is due by a schedule, numbered from ``first`` on, ``most`` messages at most."""
        random, total = self._random, min(schedule.total, most)
        done = 0
        while done < total:
            otp = random.random() < self._otp
            size = min(1 if otp else self._batches.draw(random), total - done)
            yield self._batch(first + done, size, schedule.due(done), otp=otp)
            done += size

    def samples(self) -> list[Mapping[str, Any]]:
        """A message of each kind, to be quoted before anything is sent."""
        texts = [(TEXTS[kind], self._defaults) for kind in self._texts.choices]
        if self._otp:
            texts.append((PASSWORD, {**self._defaults, "category": "otp"}))
        return [
            {**defaults, "to": self._recipients[index], "text": _filled(text, index)}
            for index, (text, defaults) in enumerate(texts)
        ]

    def number(self, key: str | None) -> int | None:
        """The number of the message with this key, None where it is of no message of this run."""
        run, _, number = (key or "").partition("-")
        return int(number) if run == self._run and number.isdecimal() else None

    def _batch(self, first: int, size: int, due: float, *, otp: bool) -> Batch:
        random = self._random
        recipients = [self._recipients[number] for number in range(first, first + size)]
        messages = []
        for number, to in enumerate(recipients, first):
            text = PASSWORD if otp else TEXTS[self._texts.draw(random)]
            messages.append({"to": to, "text": _filled(text, number), "key": self.key(number)})
        defaults = {**self._defaults, "category": "otp"} if otp else self._defaults
        request = {"op": "submit", "id": first, "messages": messages, "defaults": defaults}
        return Batch(first, due, self._tenants.draw(random), otp, recipients, request)

    def key(self, number: int) -> str:
        return f"{self._run}-{number}"


def _filled(text: str, number: int) -> str:
    return text.format(name=f"Kim {number % 977}", code=f"{number % 899_981 + 100_000}")

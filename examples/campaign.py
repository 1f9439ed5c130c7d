"""The campaign of the demo: who is texted what. Nothing is sent from here.

A made-up shop, Harbour & Vale, announces its winter sale, ships orders and lets people sign in; its
texts are in ``texts.toml``. As on every real list, some rows cannot be sent.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from gateway.api.wire import Message
from gateway.message import Category

TEXTS: Final = Path(__file__).with_name("texts.toml")
SENDER: Final = "10690001"
SALE, REMINDER = "winter-sale", "fitting-reminder"


class Kind(msgspec.Struct, frozen=True):
    """Texts of one kind, see ``texts.toml``."""

    what: str
    share: int
    category: Category
    language: str
    numbers: list[str]
    texts: list[str]


class Texts(msgspec.Struct, frozen=True):
    """``texts.toml``."""

    names: dict[str, list[str]]
    kinds: dict[str, Kind]


class Night(NamedTuple):
    """A country, and what its mobile numbers look like."""

    name: str
    region: str
    zone: str
    numbers: str

    def clock(self, now: float) -> datetime:
        """What its clocks show."""
        return datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(self.zone))


AROUND_THE_WORLD: Final = (
    Night("New Zealand", "NZ", "Pacific/Auckland", "6421#######"),
    Night("Japan", "JP", "Asia/Tokyo", "8190########"),
    Night("Pakistan", "PK", "Asia/Karachi", "92300#######"),
    Night("South Africa", "ZA", "Africa/Johannesburg", "2782#######"),
    Night("Ghana", "GH", "Africa/Accra", "23324#######"),
    Night("Uruguay", "UY", "America/Montevideo", "59899######"),
    Night("Peru", "PE", "America/Lima", "519########"),
    Night("Costa Rica", "CR", "America/Costa_Rica", "50687######"),
)
"""Three or four hours apart: somewhere it is always between midnight and four or so."""


def night(now: float) -> Night:
    """Where it is nearest to two in the morning."""

    def distance(place: Night) -> float:
        clock = place.clock(now)
        hours = abs(clock.hour + clock.minute / 60 - 2)
        return min(hours, 24 - hours)

    return min(AROUND_THE_WORLD, key=distance)


class Draft(NamedTuple):
    """A message to submit, and what it is."""

    what: str
    message: Message


class Campaign:
    """All messages of the demo: the same every time, but for where it is night.

    Args:
        size: messages that can be sent; some more cannot.
        now: Unix seconds.
        seed: another one makes another list.

    Attributes:
        drafts: what is submitted, in order; each has a key.
        opted_out: numbers that have opted out, and are on the list none the less.
        night: where it is night.
        asleep: numbers there that the sale is announced to.
    """

    def __init__(self, size: int, now: float, seed: int = 11) -> None:
        self._random = Random(seed)
        self._numbers: set[str] = set()
        texts = msgspec.toml.decode(TEXTS.read_bytes(), type=Texts)
        self._names, self._kinds = texts.names, texts.kinds
        self.night = night(now)
        self.opted_out: list[str] = []
        self.asleep: list[str] = []
        self.drafts = [*self._usual(size), *self._special(size, now), *self._mistakes(now)]
        self._random.shuffle(self.drafts)
        for index, draft in enumerate(self.drafts):
            draft.message["key"] = f"demo-{seed}-{index}"

    def _usual(self, size: int) -> Iterator[Draft]:
        for kind in self._kinds.values():
            for _ in range(size * kind.share // 100):
                yield self._draft(kind, kind.what)

    def _special(self, size: int, now: float) -> Iterator[Draft]:
        sale, sign_in = self._kinds["sale"], self._kinds["sign_in"]
        there = [self.night.numbers]
        for _ in range(size // 20):
            draft = self._draft(msgspec.structs.replace(sale, numbers=there), "sale, at night")
            self.asleep.append(draft.message["to"])
            yield draft
        for _ in range(size // 200):
            yield self._draft(msgspec.structs.replace(sign_in, numbers=there), "sign-in, at night")
        for _ in range(size // 200):
            draft = self._draft(sale, "sale, opted out")
            self.opted_out.append(draft.message["to"])
            yield draft
        for _ in range(size // 200):
            draft = self._draft(self._kinds["fitting"], "reminder, in an hour")
            draft.message["send_at"] = now + 3600
            draft.message["campaign"] = REMINDER
            yield draft

    def _mistakes(self, now: float) -> Iterator[Draft]:
        """Rows as real lists have them."""
        to, text = "+447400111222", "Harbour & Vale: hello!"
        mistakes: tuple[Message, ...] = (
            {"to": "07400 111222", "text": text},
            {"to": "+44", "text": text},
            {"to": "n/a", "text": text},
            {"to": to, "text": ""},
            {"to": to, "text": text, "from": "BigBank"},
            {"to": to, "text": "very long " * 5000},
            {"to": to, "text": "【海岸百货】", "encoding": "gsm7"},
            {"to": to, "text": text, "expires_at": now - 60},
            {"to": to, "text": text, "send_at": now + 800 * 86_400},
        )
        for message in mistakes:
            yield Draft("mistakes", message)

    def _draft(self, kind: Kind, what: str) -> Draft:
        random = self._random
        text = random.choice(kind.texts).format(
            name=random.choice(self._names[kind.language]),
            code=f"HV{random.randrange(10_000):04}",
            order=f"{random.randrange(10**7):07}",
            otp=f"{random.randrange(10**6):06}",
        )
        message: Message = {
            "to": self._number(random.choice(kind.numbers)),
            "text": text,
            "category": kind.category,
        }
        if kind.category == "marketing":
            message["campaign"] = SALE
        return Draft(what, message)

    def _number(self, pattern: str) -> str:
        """A number that looks like ``pattern`` and that nobody has had yet."""
        digits, rest = pattern.rstrip("#"), pattern.count("#")
        while True:
            number = f"+{digits}{self._random.randrange(10**rest):0{rest}}"
            if number not in self._numbers:
                self._numbers.add(number)
                return number

"""The tables of the store, as dictionaries, and what all calls begin with.

Each concern is a class on `Tables` in a module of its own, and the store is all of them together.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import msgspec
import trio

from gateway.errors import StoreError, StoreFenced
from gateway.facts import Use
from gateway.message import Event, Handed, Life, Message, WaitingState
from gateway.queue.consents import Consent
from gateway.queue.failing import Failing
from gateway.queue.operators import Change
from gateway.queue.signals import Signals
from gateway.queue.store import (
    Consumer,
    Held,
    HeldKind,
    Import,
    Known,
    OptoutEntry,
    Owed,
    Ref,
    Refused,
    Staged,
    TemplateVersion,
)
from gateway.queue.tallies import Key

K = TypeVar("K")
V = TypeVar("V")


class Row(msgspec.Struct):
    """A message without an outcome. ``place`` is where it stands in the diagram of `store`."""

    message: Message
    place: str
    at: float
    deadline: float = 0.0
    states: bytes = b""
    handed: Handed | None = None


class Told(msgspec.Struct, frozen=True):
    """An event as stored: its encoding, without ``seq``, and what of it is looked for."""

    seq: int
    event: Event
    encoded: bytes
    message: int | None
    life: Life | None = None


class Node(msgspec.Struct):
    """What is known of the node that has the store, and of those that had it."""

    token: int = 0
    clean: bool = True
    last_id: int = 0
    last_accepted: float = 0.0


class Tables:
    """What there is, for whoever has it open."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._is_open = False
        self._token = 0
        self._signals = Signals()
        self._node = Node()
        self._rows: dict[int, Row] = {}
        self._keys: dict[tuple[str, str], tuple[Known, float]] = {}
        self._parts: dict[Ref, tuple[int, int, float]] = {}
        self._told: dict[str, list[Told]] = {}
        self._last_seq: dict[str, int] = {}
        self._held: dict[tuple[HeldKind, str], Held] = {}
        self._optouts: dict[tuple[str, str], dict[str, OptoutEntry]] = {}
        self._uses: dict[tuple[str, str], dict[tuple[int, int], tuple[Use, int]]] = {}
        self._consents: dict[tuple[str, str], list[Consent]] = {}
        self._imports: dict[tuple[str, str], tuple[Import, float]] = {}  # since when it stands so
        self._staged: dict[tuple[str, str, int], Staged] = {}
        self._failing: dict[tuple[str, str], Failing] = {}
        self._refused: list[Refused] = []
        self._consumers: dict[tuple[str, str], Consumer] = {}
        self._memos: dict[str, bytes] = {}
        self._accounts: Counter[tuple[str, str]] = Counter()
        self._charges: dict[int, dict[str, int]] = {}
        self._templates: dict[tuple[str, str], list[TemplateVersion]] = {}
        self._tallies: dict[int, dict[Key, int]] = {}  # by the hour
        self._changes: dict[int, Change] = {}
        self._last_change = 0
        self.epoch = "memory"
        self.restored = False

    async def _enter(self) -> None:
        if not self._is_open:
            raise StoreError("memory: the store is not open")
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def _change(self) -> None:
        """Begin a call that changes something."""
        await self._enter()
        if self._token != self._node.token:
            why = "memory: another node has taken the store over"
            self._signals.fenced(why)
            raise StoreFenced(why)

    def _waiting(self) -> list[Row]:
        return [row for row in self._rows.values() if row.place == "waiting"]

    def _state(self, row: Row) -> WaitingState:
        if row.place == "sent":
            return "sent"
        later = row.place == "waiting" and row.message.due > self._clock()
        return "deferred" if later else "queued"


def states_of(row: Row) -> bytes:
    """The state of each part."""
    return row.states or bytes(row.message.parts)


def owed_by(row: Row) -> Owed:
    """What a carrier owes of a message that it has."""
    return Owed(row.message, states_of(row), row.at, row.handed)


def forget(table: dict[K, V], is_old: Callable[[V], bool], limit: int) -> int:
    """Drop what is old, up to so many; returns how many."""
    old = [key for key, value in table.items() if is_old(value)][:limit]
    for key in old:
        del table[key]
    return len(old)

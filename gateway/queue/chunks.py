"""What the event loop knows of chunks: rows of many messages, from which each leaves in its time.

An engine has two tables of them here: ``arrived`` what was accepted together and went straight to
a lane, ``taken`` what carriers have taken. A message leaves its chunk when a call is made, not when
that is committed, so that each call finds what those before it have left; where a call fails, its
messages stay. A chunk goes with the last of them, once it is sure that all of them have left. What
waits for too long is *shelved*: written into rows where each message is found by itself.
"""

import math
from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from itertools import count
from typing import Final, NamedTuple

import msgspec

from gateway.message import Category

AGE: Final = 30.0
"""Seconds after which what is left of a chunk is shelved, with the next settlements."""

MOST: Final = 131_072
"""Messages from which on the oldest chunks of a table are shelved, some 15 to 30 MB of memory."""

AT_ONCE: Final = 512
"""Messages from which on no more chunks are shelved with a settlement: a few milliseconds, and
100,000 messages a second, so that more go than come."""

BLOCK: Final = 2_048
"""Messages from which on no more chunks are shelved in the same transaction: some 20 ms."""

Owner = tuple[str, Category]
"""A tenant and a category."""


class Chunk(msgspec.Struct):
    """A row.

    Attributes:
        messages: those that it was made of.
        left: how many of them are not known to have left it.
        at: since when it is there.
        due: when the first of them is to be looked for.
        owners: whose they are, where that is asked for.
        refs: the carriers' ids of their parts, whichever carrier gave them.
    """

    messages: Sequence[int]
    left: int
    at: float
    due: float = math.inf
    owners: Collection[Owner] = ()
    refs: frozenset[str] = frozenset()


class Leaving(NamedTuple):
    """Messages that leave their chunks with a call, by their number; how many leave each chunk; and
    the chunks that go, since nothing is left in them."""

    chunk_of: dict[int, int]
    sizes: Counter[int]
    emptied: list[int]


NOBODY: Final = Leaving({}, Counter(), [])


class Chunks:
    """The chunks of one table and who is in them, the oldest first.

    Args:
        last: the highest number that one has.
    """

    def __init__(self, last: int = 0) -> None:
        self._numbers = count(last + 1)
        self._chunk_of: dict[int, int] = {}
        self._open: dict[int, Chunk] = {}
        self._late: list[int] = []
        self._empty: list[int] = []
        self._under_way = 0

    def note(
        self,
        messages: Sequence[int],
        at: float,
        due: float = math.inf,
        owners: Collection[Owner] = (),
        refs: frozenset[str] = frozenset(),
        number: int | None = None,
    ) -> int:
        """The number of a new chunk, where it has none yet."""
        if number is None:
            number = self.number()
        self._chunk_of.update(dict.fromkeys(messages, number))
        self._open[number] = Chunk(messages, len(messages), at, due, owners, refs)
        return number

    def number(self) -> int:
        """A number for a chunk; in any thread."""
        return next(self._numbers)

    def holds(self, message: int) -> bool:
        """Whether a message is in a chunk."""
        return message in self._chunk_of

    def leave(self, messages: Iterable[int]) -> Leaving:
        """Those of these messages that are in chunks leave them with a call that is made now; what
        becomes of it is to be told to `left` or `stay`."""
        pop, chunks = self._chunk_of.pop, self._open
        chunk_of = {message: number for message in messages if (number := pop(message, 0))}
        sizes = Counter(chunk_of.values())
        emptied, self._empty = self._empty, []
        emptied += [n for n, size in sizes.items() if n in chunks and chunks[n].left == size]
        self._under_way += 1
        return Leaving(chunk_of, sizes, emptied)

    def left(self, leaving: Leaving) -> None:
        """A call has been done."""
        self._under_way -= 1
        for number, size in leaving.sizes.items():
            chunk = self._open.get(number)
            if chunk is not None:
                chunk.left -= size
                if not chunk.left:
                    del self._open[number]
                    if number not in leaving.emptied:
                        self._empty.append(number)  # others have left meanwhile: it goes next time

    def stay(self, leaving: Leaving) -> None:
        """A call has failed. What was shelved meanwhile is in its rows."""
        self._under_way -= 1
        for message, number in leaving.chunk_of.items():
            if number in self._open:
                self._chunk_of[message] = number
        self._empty += [number for number in leaving.emptied if number not in self._open]

    def never_came(self, messages: Iterable[int]) -> None:
        """Messages are in no chunk after all, though they were noted so."""
        leaving = self.leave(messages)
        self.left(leaving)
        self._empty += leaving.emptied

    def ripe(self, now: float) -> dict[int, Sequence[int]]:
        """Take out chunks that are to be shelved now, the oldest, with their messages."""
        found: dict[int, Sequence[int]] = {}
        size = 0
        while self._open and size < AT_ONCE:
            number, chunk = next(iter(self._open.items()))
            if chunk.at > now - AGE and len(self._chunk_of) <= MOST:
                break
            found[number] = chunk.messages
            size += chunk.left
            self.forget(number)
        return found

    def late(self) -> list[int]:
        """Take out the chunks that were to be shelved with a call that has failed. Nobody looks for
        a message in them, so whatever is done next begins with them."""
        found, self._late = self._late, []
        return found

    def be_late(self, numbers: Iterable[int]) -> None:
        """A call has failed that was to shelve chunks."""
        self._late += numbers

    def aged(self, now: float, before: float) -> list[int]:
        """The chunks that are there for long, from before a moment, or, by a clock that was set
        back, from after now."""
        return [
            number
            for number, chunk in self._open.items()
            if not max(before, now - AGE) <= chunk.at <= now
        ]

    def due(self, now: float) -> list[int]:
        """The chunks that have messages to be looked for."""
        return [number for number, chunk in self._open.items() if chunk.due <= now]

    def with_any(self, messages: Iterable[int]) -> list[int]:
        """The chunks that these messages are in."""
        chunk_of = self._chunk_of
        return sorted({number for m in messages if (number := chunk_of.get(m))})

    def with_refs(self, refs: Collection[str]) -> list[int]:
        """The chunks that have parts with some of these ids."""
        return [number for number, chunk in self._open.items() if not chunk.refs.isdisjoint(refs)]

    def all(self) -> list[int]:
        """All chunks."""
        return [*self._open]

    def messages(self, numbers: Iterable[int]) -> Iterable[int]:
        """What chunks were made of."""
        for number in numbers:
            if number in self._open:
                yield from self._open[number].messages

    def block(self, numbers: deque[int]) -> list[int]:
        """Take out as many of these chunks, off the queue, as one transaction is to shelve, after
        those that are late."""
        found, size = self.late(), 0
        while numbers and size < BLOCK:
            number = numbers.popleft()
            if number in self._open:
                size += self._open[number].left
                found.append(number)
                self.forget(number)
        return found

    def forget(self, number: int) -> None:
        """A chunk is none any more, or never came to be."""
        chunk_of = self._chunk_of
        chunk = self._open.pop(number, None)
        for message in chunk.messages if chunk else ():
            if chunk_of.get(message) == number:
                del chunk_of[message]

    def counts(self) -> Counter[Owner]:
        """How many messages are left in chunks that are of one owner each."""
        found = Counter[Owner]()
        for chunk in self._open.values():
            for owner in chunk.owners:
                found[owner] += chunk.left
        return found

    def oldest(self) -> dict[Owner, float]:
        """Since when there are chunks with messages of each owner."""
        found: dict[Owner, float] = {}
        for chunk in self._open.values():
            for owner in chunk.owners:
                found.setdefault(owner, chunk.at)
        return found

    @property
    def under_way(self) -> bool:
        """Whether calls that were made may not be done yet."""
        return self._under_way > 0

"""What was learnt of carriers' receipts, kept over a restart: the form of their ids, and whether
long messages have one receipt or several. Stated options are never kept, and come first."""

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from gateway.dispatch.carriers.carriers import Carrier
from gateway.queue.store import Store
from gateway.smpp.receipt_ids import Form

NAME: Final = "receipts"
"""Under which the store remembers it."""


class Lesson(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was learnt of one carrier; None where nothing was."""

    ids: Form | None = None
    long: Literal["each", "one"] | None = None


_decode = msgspec.msgpack.Decoder(dict[str, Lesson]).decode


class Lessons:
    """What is known of all carriers, by their ids."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[str, Lesson] = {}

    async def load(self) -> None:
        """Remember what was learnt before. Raises StoreError."""
        kept = await self._store.recall(NAME)
        if kept is not None:
            try:
                self._kept = _decode(kept)
            except msgspec.DecodeError:  # of a later version: it is learnt anew
                self._kept = {}

    def teach(self, carriers: Iterable[Carrier]) -> None:
        """Tell carriers what is known of them and they have not learnt themselves."""
        for carrier in carriers:
            lesson = self._kept.get(carrier.options.id, Lesson())
            correlator = carrier.correlator
            if lesson.ids is not None:
                correlator.ids.learn(lesson.ids)
            if lesson.long is not None:
                correlator.long.learn(lesson.long)

    async def save(self, carriers: Iterable[Carrier]) -> None:
        """Keep what carriers have learnt, if it is anything new. Raises StoreError."""
        lessons = dict(self._kept)
        for carrier in carriers:
            name, correlator = carrier.options.id, carrier.correlator
            before = lessons.get(name, Lesson())
            lesson = Lesson(
                before.ids if correlator.ids.is_stated else correlator.ids.learnt,
                before.long if correlator.long.is_stated else correlator.long.learnt,
            )
            if lesson != before:
                lessons[name] = lesson
        if lessons != self._kept:
            await self._store.remember(NAME, msgspec.msgpack.encode(lessons))
            self._kept = lessons

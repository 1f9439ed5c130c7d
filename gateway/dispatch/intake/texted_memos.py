"""Puts on record who texted phones last, and knows it again: after a restart, and of phones that
have come from another node, which puts it on record when it gives them up."""

from collections.abc import Callable
from typing import Final

import trio

from gateway.dispatch.intake.texted import MEMO, Texted, read
from gateway.errors import StoreError
from gateway.queue.store import Store

SOME: Final = 2_000
"""Phones that are looked at at a time: some milliseconds."""


class TextedMemos:
    """What nodes have put on record of it, each its own."""

    def __init__(self, store: Store, texted: Texted, clock: Callable[[], float]) -> None:
        self._store = store
        self._texted = texted
        self._clock = clock
        self._name = MEMO
        self._names = [MEMO]

    def begin(self, node: int, nodes: int) -> None:
        """This is one of so many nodes."""
        if nodes > 1:
            self._name = f"{MEMO}-{node}"
            self._names = [MEMO, *(f"{MEMO}-{number}" for number in range(nodes))]

    async def load(self) -> None:
        """Learn of this node's phones what is on record, and not known better. Raises
        StoreError."""
        found = [await self._store.recall(name) for name in self._names]
        for memo in sorted((read(one) for one in found if one is not None), reverse=True):
            for generation in reversed(memo.generations):
                for carrier, tenants in generation.items():
                    phones = [*tenants]
                    for start in range(0, len(phones), SOME):
                        some = phones[start : start + SOME]
                        mine = filter(self._store.sends_to, some)
                        self._texted.learn(carrier, {phone: tenants[phone] for phone in mine})
                        await trio.lowlevel.checkpoint()

    async def keep(self) -> None:
        """Put on record what is known, where that has changed. Raises StoreError."""
        memo = self._texted.memo(self._clock())
        if memo is None:
            return
        try:
            await self._store.remember(self._name, memo)
        except StoreError:
            self._texted.not_kept()
            raise

    async def leave(self) -> None:
        """Put on record, and forget, what is known of phones that are other nodes' now. Raises
        StoreError."""
        await self.keep()
        phones = self._texted.phones()
        for start in range(0, len(phones), SOME):
            some = phones[start : start + SOME]
            self._texted.drop([one for one in some if not self._store.sends_to(one)])
            await trio.lowlevel.checkpoint()

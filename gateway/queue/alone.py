"""What a store answers of other nodes where there are none: nothing, at no cost."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import trio

from gateway.message import Message
from gateway.queue.operators import NodeState
from gateway.queue.store import Ask, Granted, Heard, HeldKind, Slot


class _Remembers(Protocol):
    async def remember(self, name: str, value: bytes) -> None: ...


class Alone:
    """A store that one node has; see `gateway.queue.store.Store`."""

    lapsed = shared = False

    def elsewhere(self, _messages: Sequence[Message]) -> Collection[int]:
        return ()

    def sends_to(self, _phone: str) -> bool:
        return True

    def taker(self, _phone: str) -> int | None:
        return None

    def look_for(self, _refs: Collection[str]) -> None:
        pass

    async def until_taken(self, _texts: Sequence[str]) -> None:
        pass

    async def revise(
        self,
        _kind: HeldKind,
        _keys: Sequence[str],
        change: Callable[[Mapping[str, bytes]], Mapping[str, bytes]],
        _expires_at: float,
    ) -> Mapping[str, bytes]:
        return change({})

    async def heard(self) -> Heard:
        await trio.sleep_forever()

    async def newest(self) -> int:
        return 0

    async def nodes(self) -> Sequence[NodeState]:
        return ()

    async def ahead(self) -> float:
        return 0.0

    async def introduce(
        self, _version: str, _config: str, _binds: Mapping[str, int], _ahead: float
    ) -> None:
        pass

    async def move(self, _name: str, *, away: bool) -> None:
        pass

    async def vacate(self, _slots: Collection[Slot]) -> None:
        pass

    async def agree(self: _Remembers, name: str, value: bytes, _before: bytes | None) -> int:
        await self.remember(name, value)
        return 0

    async def grant(self, _asks: Sequence[Ask]) -> Sequence[Granted]:
        return ()

    async def heeded(self, _notice: int) -> None:
        pass

"""A store in memory, for tests: the same promises but durability, and no threads.

What it holds survives `MemoryStore.open` after an end of either kind, in order or not, so that
recovery can be tested. It looks through everything for most of its answers, so it is no store for
many messages.
"""

from copy import copy

import msgspec
import trio

from gateway.message import LaneKey
from gateway.queue.alone import Alone
from gateway.queue.memory.accepting import Accepting
from gateway.queue.memory.consumers import Consumers
from gateway.queue.memory.erasing import Erasing
from gateway.queue.memory.facts import TellsFacts
from gateway.queue.memory.leasing import Leasing
from gateway.queue.memory.operators import Operators
from gateway.queue.memory.pruning import Pruning
from gateway.queue.memory.reading import Reading
from gateway.queue.memory.settling import Settling
from gateway.queue.memory.templates import Templates
from gateway.queue.signals import Signals
from gateway.queue.store import Count, Recovery


class MemoryStore(
    Accepting,
    TellsFacts,
    Leasing,
    Settling,
    Reading,
    Consumers,
    Operators,
    Erasing,
    Templates,
    Pruning,
    Alone,
):
    """A `gateway.queue.store.Store` that is gone with the process.

    Args:
        clock: tells Unix time: what is due, and when something was recorded.
    """

    def beside(self) -> "MemoryStore":
        """Another store on what this one holds, not open: as of a second process."""
        other = copy(self)
        other._is_open = False  # noqa: SLF001  one of its own kind
        return other

    async def open(self) -> Recovery:
        await trio.lowlevel.checkpoint()
        node = self._node
        clean = node.clean
        node.token += 1
        self._token = node.token
        self._signals = Signals()
        for row in self._rows.values():
            if row.place == "leased":
                row.place = "waiting"
                row.message = msgspec.structs.replace(row.message, maybe_duplicate=True)
        self._is_open, node.clean = True, False
        lanes: dict[LaneKey, float] = {}
        counts: dict[tuple[str, str, str], int] = {}
        for row in self._rows.values():
            m = row.message
            if row.place == "waiting":
                lanes[m.lane] = min(m.due, lanes.get(m.lane, m.due))
            what = (m.tenant, m.category, self._state(row))
            counts[what] = counts.get(what, 0) + 1
        return Recovery(
            node=None,
            token=node.token,
            clean=clean,
            last_id=node.last_id,
            last_accepted=node.last_accepted,
            lanes=lanes,
            counts=[msgspec.convert((*what, n), Count) for what, n in counts.items()],
            held=list(self._held.values()),
        )

    async def aclose(self, *, in_doubt: bool = False) -> None:
        await trio.lowlevel.checkpoint()
        if self._is_open and not in_doubt and self._token == self._node.token:
            for row in self._rows.values():
                if row.place == "leased":
                    row.place = "waiting"
            self._node.clean = True
        self._is_open = False

    async def until_fenced(self) -> None:
        await self._signals.until_fenced()

    async def remember(self, name: str, value: bytes) -> None:
        await self._change()
        self._memos[name] = value

    async def recall(self, name: str) -> bytes | None:
        await self._enter()
        return self._memos.get(name)

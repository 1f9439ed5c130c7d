"""The newest events of every tenant, in memory, so that a subscriber that keeps up reads no disk.

It holds what was committed, in order, and lets go of the oldest chunks of all tenants together
once they are too much. What it does not hold is in the file.
"""

from collections import deque
from itertools import takewhile
from typing import Final

from gateway.queue.store import EventChunk

TAIL_BYTES: Final = 8 * 1024 * 1024
"""Bytes of event bodies: some 40,000 events, about a second of full load, of all tenants."""

CHUNK_COST: Final = 256
"""Bytes that a chunk costs beside its body, so that many small ones are bounded too."""


class EventTail:
    """The last ``seq`` of each tenant, and the chunks that end there.

    Args:
        last: the last ``seq`` given to each tenant.
    """

    def __init__(self, last: dict[str, int]) -> None:
        self._last = last
        self._forgotten: dict[str, int] = {}
        # Where other nodes have given some: what comes before is not here, or not all of it.
        self._since: dict[str, int] = {}
        self._chunks: dict[str, deque[EventChunk]] = {}
        self._order: deque[EventChunk] = deque()
        self._bytes = 0

    def last(self, tenant: str) -> int:
        """The last ``seq`` given, 0 for none."""
        return self._last.get(tenant, 0)

    def append(self, chunk: EventChunk) -> None:
        """Put in a chunk of this node's. It follows the last one, unless others have given some."""
        last = self._last.get(chunk.tenant, 0)
        if chunk.first != last + 1:
            if chunk.last <= last:
                return
            self._since[chunk.tenant] = chunk.first
        self._last[chunk.tenant] = chunk.last
        self._chunks.setdefault(chunk.tenant, deque()).append(chunk)
        self._order.append(chunk)
        self._bytes += len(chunk.body) + CHUNK_COST
        while self._bytes > TAIL_BYTES:
            oldest = self._order.popleft()
            self._bytes -= len(oldest.body) + CHUNK_COST
            self._chunks[oldest.tenant].popleft()

    def skip(self, tenant: str, seq: int) -> None:
        """Other nodes have given events up to ``seq``, which are not here."""
        if seq > self.last(tenant):
            self._last[tenant] = seq
            self._since[tenant] = seq + 1

    def release(self, tenant: str) -> None:
        """Hold no events of a tenant: those that are stored have changed."""
        self._chunks.pop(tenant, None)
        self._order = deque(chunk for chunk in self._order if chunk.tenant != tenant)
        self._bytes = sum(len(chunk.body) + CHUNK_COST for chunk in self._order)

    def forget(self, tenant: str, seq: int) -> None:
        """Events up to ``seq`` are not kept any more."""
        self._forgotten[tenant] = seq

    def after(self, tenant: str, seq: int, limit: int) -> list[EventChunk] | None:
        """The chunks with events after ``seq``, about ``limit`` of them; None where it does not
        hold them all."""
        seq = max(seq, self._forgotten.get(tenant, 0))
        if seq >= self.last(tenant):
            return []
        if seq + 1 < self._since.get(tenant, 0):
            return None
        chunks = self._chunks.get(tenant)
        if not chunks or chunks[0].first > seq + 1:
            return None
        # From the end, where a subscriber that keeps up is.
        newer = list(takewhile(lambda chunk: chunk.last > seq, reversed(chunks)))
        return [*takewhile(lambda chunk: chunk.first <= seq + limit, reversed(newer))]

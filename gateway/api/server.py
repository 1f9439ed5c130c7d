"""The API server: takes connections in, bounds how many there are, and lets go of them in order.

What happens on a connection is `gateway.api.connection`'s; what a request does is the backend's.
"""

from collections.abc import Sequence
from typing import Final

import trio

from gateway.api.backend import Backend
from gateway.api.connection import Connection
from gateway.api.listen import Listener
from gateway.api.options import ServerOptions
from gateway.api.shared import ServerStats, Shared

_TURNED_AWAY: Final = 64
"""Connections at a time that are told why there is no room for them. Further ones are closed
without a word, lest turning away cost what the limit on connections is to save."""


class Server:
    """Serves the API on listeners that `gateway.api.listen.listen` has opened."""

    def __init__(self, backend: Backend, options: ServerOptions | None = None) -> None:
        self._shared = Shared(backend, options or ServerOptions())
        self._accepting = trio.CancelScope()
        self._turned_away = 0

    @property
    def stats(self) -> ServerStats:
        return self._shared.stats

    async def run(
        self,
        listeners: Sequence[Listener],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled; the listeners are closed then. Reports as started once clients
        can connect."""
        async with trio.open_nursery() as nursery:
            self._shared.requests = nursery
            task_status.started()
            with self._accepting:
                await trio.serve_listeners(self._serve, list(listeners), handler_nursery=nursery)
            await trio.sleep_forever()

    async def drain(self) -> None:
        """Take no more connections and no more work (``shutting_down``), and return once what was
        in flight is answered. Events still flow and may be acknowledged until `run` is cancelled;
        how long to wait is the caller's to bound."""
        self._shared.draining = True
        self._accepting.cancel()
        while self._shared.stats.in_flight:
            await self._shared.progress.park()

    async def _serve(self, stream: trio.abc.Stream) -> None:
        shared = self._shared
        try:
            if shared.stats.connections >= shared.options.max_connections:
                await self._turn_away(stream)
                return
            shared.stats.accepted += 1
            shared.stats.connections += 1
            try:
                await Connection(stream, shared).run()
            finally:
                shared.stats.connections -= 1
        finally:
            await trio.aclose_forcefully(stream)

    async def _turn_away(self, stream: trio.abc.Stream) -> None:
        if self._turned_away >= _TURNED_AWAY:
            self._shared.stats.closed["too_many"] += 1
            return
        self._turned_away += 1
        try:
            await Connection(stream, self._shared).turn_away()
        finally:
            self._turned_away -= 1

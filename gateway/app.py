"""The composition root: builds everything, owns the task tree, signals, reload and shutdown order.

Shutdown nests. First nothing new is accepted and what is in flight on the API is answered; then
nothing more is released, the windows empty and the binds unbind, under a deadline; then what was
settled is durable, leased messages go back to waiting, and the store is let go of.
"""

import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
import trio

from gateway import __version__
from gateway.api.listen import listen, server_context
from gateway.api.server import Server
from gateway.config import Settings
from gateway.dispatch.core import Dispatch
from gateway.errors import ConfigError
from gateway.ops import admin
from gateway.ops.metrics import Metrics
from gateway.queue.sqlite import SqliteStore
from gateway.queue.store import Store

log = structlog.get_logger(__name__)

DRAIN = 20.0
"""Seconds that a shutdown waits for carriers to answer what is in their windows."""

ANSWER = 5.0
"""Seconds that a shutdown waits for requests on the API to be answered."""


class App:
    """A running gateway.

    Args:
        settings: what to begin with.
        reload: reads the configuration anew; raises ConfigError.
    """

    def __init__(self, settings: Settings, reload: Callable[[], Settings]) -> None:
        self._settings = settings
        self._reload = reload
        self._metrics = Metrics()
        self._accepting = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until SIGTERM or SIGINT. Reports as started once tenants can connect.

        Raises:
            StoreError, ConfigError: it cannot start, and why.
        """
        settings = self._settings
        metrics = self._metrics
        store = SqliteStore(settings.queue, observe=metrics.store_commit_seconds.observe)
        async with self._opened(store) as dispatch, trio.open_nursery() as nursery:
            await nursery.start(dispatch.run)
            dispatch.configure(settings.dispatch)
            server = Server(dispatch.service, settings.api.limits)
            self._watch(dispatch, server)
            tls = server_context(settings.api.tls) if settings.api.tls else None
            listeners = await listen(settings.api.listen, tls)
            await nursery.start(
                admin.serve,
                settings.admin,
                metrics,
                self._health,
                lambda: self._ready(dispatch),
            )
            await nursery.start(server.run, listeners)
            self._accepting = True
            log.info("serving", version=__version__, listen=list(settings.api.listen))
            task_status.started()
            await self._signals(dispatch)
            await self._shut_down(dispatch, server)
            nursery.cancel_scope.cancel()
        log.info("stopped")

    @asynccontextmanager
    async def _opened(self, store: Store) -> AsyncIterator[Dispatch]:
        recovery = await store.open()
        try:
            dispatch = Dispatch(store, self._metrics, time.time)
            dispatch.recover(recovery)
            yield dispatch
        finally:
            with trio.CancelScope(shield=True):
                await store.aclose()

    async def _signals(self, dispatch: Dispatch) -> None:
        """Reload on SIGHUP; return on SIGTERM and SIGINT."""
        with trio.open_signal_receiver(signal.SIGHUP, signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                if number != signal.SIGHUP:
                    log.info("stopping", signal=signal.Signals(number).name)
                    return
                try:
                    settings = self._reload()
                except ConfigError as error:
                    log.error("reload_refused", errors=error.errors)
                    continue
                dispatch.configure(settings.dispatch)
                log.info("reloaded")

    async def _shut_down(self, dispatch: Dispatch, server: Server) -> None:
        self._accepting = False
        with trio.move_on_after(ANSWER):
            await server.drain()
        with trio.move_on_after(DRAIN) as draining:
            await dispatch.drain()
        if draining.cancelled_caught:
            log.warning("carriers_did_not_answer", seconds=DRAIN)

"""The composition root: builds everything, owns the task tree, signals, reload and shutdown order.

Shutdown nests. First nothing new is accepted and what is in flight on the API is answered; then
nothing more is released, the windows empty and the binds unbind, under a deadline; then what was
settled is durable, leased messages go back to waiting, and the store is let go of.
"""

import gc
import os
import signal
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import structlog
import trio

from gateway import __version__, numbers
from gateway.api.listen import listen, reload_certificates, server_context
from gateway.api.server import Server
from gateway.config import Settings
from gateway.config.changes import changes
from gateway.config.expiring import expiries
from gateway.dispatch import gauges
from gateway.dispatch.core import Dispatch
from gateway.dispatch.operating.operator import Operator
from gateway.errors import ConfigError, StoreFenced
from gateway.ops.admin import Health
from gateway.ops.admin.serving import serve as serve_admin
from gateway.ops.machine import Expiries, Machine
from gateway.ops.metrics import Metrics
from gateway.ops.notify import Notifier
from gateway.ops.operations import Running
from gateway.ops.reloads import Reloads
from gateway.ops.views import Diff
from gateway.queue import backends
from gateway.queue.moving import refuse_moved
from gateway.queue.operators import OperatorStore

log = structlog.get_logger(__name__)

DRAIN = 20.0
"""Seconds that a shutdown waits for carriers to answer what is in their windows."""

COLLECT = (50_000, 20, 50)
"""Allocations between garbage collections. Messages make next to no cycles, but many objects: with
Python's 700, collecting is a tenth of all work."""

SIGNALS: Final = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
"""To reload, and to stop."""

ANSWER = 5.0
"""Seconds that a shutdown waits for requests on the API to be answered."""


class App:
    """A gateway that can be run once.

    Args:
        settings: what to begin with.
        reload: reads the configuration anew; raises ConfigError.
    """

    def __init__(self, settings: Settings, reload: Callable[[], Settings]) -> None:
        self._settings = self._last = settings
        self._reload = reload
        self._metrics = Metrics()
        self._notifier = Notifier(os.environ)
        self._reloads = Reloads(self._metrics, settings.digest, time.time())
        self._machine = Machine(self._file(), self._expiries)
        self._reloading = trio.Lock()
        self._accepting = False
        self._tls: ssl.SSLContext | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until SIGTERM or SIGINT. Reports as started once tenants can connect.

        Raises:
            StoreError, ConfigError, GatewayError: it cannot start, and why.
        StoreFenced: another process has taken the store over.
        """
        try:
            async with trio.open_nursery() as nursery:
                # Around all else: to open or close a large store may outlast a watchdog.
                nursery.start_soon(self._notifier.feed_watchdog)
                await self._serve(task_status)
                nursery.cancel_scope.cancel()
        except* StoreFenced as fenced:
            first: BaseException = fenced
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            log.error("fenced", reason=str(first))
            raise StoreFenced(f"{first}; this one has stopped") from None
        log.info("stopped")

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        settings = self._settings
        store = backends.make(settings.queue, self._metrics.store_commit_seconds.observe)
        if settings.queue.backend == "memory":
            log.warning("nothing_survives")
        async with self._opened(store) as dispatch, trio.open_nursery() as nursery:
            # From here on a signal waits for its turn; before, it can cut nothing short.
            with trio.open_signal_receiver(*SIGNALS) as signals:
                await nursery.start(dispatch.run)
                dispatch.configure(settings.dispatch)
                server = Server(dispatch.service, settings.api.limits)
                self._feed_gauges(dispatch, server)
                nursery.start_soon(self._machine.run)
                await nursery.start(self._serve_admin, dispatch, store)
                numbers.load()
                if settings.api.tls is not None:
                    self._tls = server_context(settings.api.tls)
                await nursery.start(server.run, await listen(settings.api.listen, self._tls))
                self._accepting = True
                gc.freeze()
                gc.set_threshold(*COLLECT)
                log.info("serving", version=__version__, listen=settings.api.listen)
                task_status.started()
                await self._notifier.ready(f"serving version {__version__}")
                await self._until_told_to_stop(dispatch, signals)
            await self._shut_down(dispatch, server)
            nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def _opened(self, store: OperatorStore) -> AsyncIterator[Dispatch]:
        recovery = await store.open()
        dispatch = Dispatch(store, self._metrics, time.time)
        try:
            await refuse_moved(store, backends.where(self._settings.queue))
            dispatch.recover(recovery)
            yield dispatch
        finally:
            with trio.CancelScope(shield=True):
                await store.aclose(in_doubt=dispatch.in_doubt)

    async def _serve_admin(
        self,
        dispatch: Dispatch,
        store: OperatorStore,
        *,
        task_status: trio.TaskStatus[list[str]],
    ) -> None:
        configuration = _Configuration(self, dispatch)

        def healthy() -> Health:
            return Health(("the store does not take writes",) if dispatch.failing else ())

        def ready() -> Health:
            reasons = []
            if not self._accepting:
                reasons.append("submissions are not accepted")
            up = any(carrier.up for carrier in dispatch.fleet.carriers)
            if not up and dispatch.nodes.sends:
                reasons.append("no bind is up")
            return Health(tuple(reasons))

        await serve_admin(
            self._settings.admin,
            self._metrics,
            Operator(
                dispatch,
                store,
                configuration,
                self._metrics,
                time.time,
                lambda: self._machine.full_in,
            ),
            healthy=healthy,
            ready=ready,
            latest=lambda: self._last.admin,
            task_status=task_status,
        )

    async def _until_told_to_stop(self, dispatch: Dispatch, signals: AsyncIterator[int]) -> None:
        """Reload on SIGHUP; return on SIGTERM and SIGINT."""
        async for number in signals:
            if number != signal.SIGHUP:
                log.info("stopping", signal=signal.Signals(number).name)
                return
            await self.reload(dispatch)

    @property
    def running(self) -> Running:
        """What runs."""
        return self._reloads.running

    async def reload(self, dispatch: Dispatch) -> Diff:
        """Read the configuration anew; returns what changed, or why nothing did."""
        async with self._reloading:
            await self._notifier.reloading()
            diff, said = await self._read_anew(dispatch)
            await self._notifier.ready(said)
            return diff

    async def diff(self) -> Diff:
        """What that would change now."""
        digest = self.running.digest
        try:
            settings = await trio.to_thread.run_sync(self._reload)
        except ConfigError as error:
            return Diff(running=digest, file=None, made=(), waiting=(), errors=tuple(error.errors))
        made, waiting = changes(self._settings, self._last, settings)
        return Diff(
            running=digest,
            file=settings.digest,
            made=tuple(made),
            waiting=tuple(waiting),
            errors=(),
        )

    async def _read_anew(self, dispatch: Dispatch) -> tuple[Diff, str]:
        """Take the configuration as it is now, if it has no mistakes; returns what came of it, for
        programs and for a person."""
        try:
            settings = await trio.to_thread.run_sync(self._reload)
            if self._tls is not None and settings.api.tls is not None:
                reload_certificates(self._tls, settings.api.tls)
        except ConfigError as error:
            log.error("reload_refused", errors=error.errors)
            self._reloads.refused(time.time())
            diff = Diff(
                running=self.running.digest,
                file=None,
                made=(),
                waiting=(),
                errors=tuple(error.errors),
            )
            return (
                diff,
                "serving; the new configuration has mistakes, the old one holds: see the log",
            )
        dispatch.configure(settings.dispatch)
        made, waiting = changes(self._settings, self._last, settings)
        self._last = settings
        self._reloads.done(settings.digest, time.time(), waiting=bool(waiting))
        await trio.to_thread.run_sync(self._machine.look_at_expiries)
        log.info("reloaded", changed=made)
        diff = Diff(
            running=settings.digest,
            file=settings.digest,
            made=tuple(made),
            waiting=tuple(waiting),
            errors=(),
        )
        if waiting:
            log.warning("restart_needed", keys=waiting)
            return diff, "serving; some of the new configuration waits for a restart: see the log"
        return diff, "serving by the new configuration"

    async def _shut_down(self, dispatch: Dispatch, server: Server) -> None:
        self._accepting = False
        await self._notifier.stopping()
        with trio.move_on_after(ANSWER):
            await server.drain()
        with trio.move_on_after(DRAIN) as draining:
            await dispatch.drain()
        if draining.cancelled_caught:
            parts = dispatch.fleet.in_use
            log.warning("carriers_did_not_answer", seconds=DRAIN, parts=parts)

    def _file(self) -> str | None:
        """The file of the store, where it has one."""
        return self._settings.queue.path if self._settings.queue.backend == "sqlite" else None

    def _expiries(self) -> Expiries:
        return expiries(self._last, datetime.now(UTC).date())

    def _feed_gauges(self, dispatch: Dispatch, server: Server) -> None:
        """Say where the metrics that go up and down are read."""
        metrics = self._metrics
        gauges.feed(metrics, dispatch, time.time)
        self._machine.feed(metrics)
        limit = self._settings.api.limits.max_connections
        metrics.api_connections_limit.feed(lambda: {(): limit})
        metrics.api_connections_ended.feed(
            lambda: {(reason,): count for reason, count in server.stats.closed.items()}
        )
        metrics.api_connections.feed(lambda: {(): server.stats.connections})


class _Configuration:
    """The configuration as operators see it (`gateway.ops.operations.Configuration`)."""

    def __init__(self, app: App, dispatch: Dispatch) -> None:
        self._app = app
        self._dispatch = dispatch

    @property
    def running(self) -> Running:
        return self._app.running

    async def diff(self) -> Diff:
        return await self._app.diff()

    async def reload(self) -> Diff:
        return await self._app.reload(self._dispatch)

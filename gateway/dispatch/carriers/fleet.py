"""The carriers and binds that run: started, replaced and let go of as the configuration says."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import structlog
import trio

from gateway.dispatch.carriers.carriers import Carrier, Sink
from gateway.dispatch.options import CarrierOptions
from gateway.dispatch.settling.correlation import Budget
from gateway.ops.metrics import Metrics
from gateway.ops.problems import ProblemError
from gateway.smpp.bind import Bind, BindListener
from gateway.smpp.options import BindOptions

log = structlog.get_logger(__name__)

GRACE = 10.0
"""Seconds that binds which a reload removed or changed may take to end in order. Those that take
their places begin after that."""


class CarrierSettings(msgspec.Struct, frozen=True):
    """A carrier with its binds.

    Attributes:
        options: what the account as a whole needs.
        binds: one for each session.
        identity: equal for two settings whose binds need not be made anew.
    """

    options: CarrierOptions
    binds: tuple[BindOptions, ...]
    identity: object


class MakeBind(Protocol):
    """Makes a bind, see `gateway.smpp.bind.Bind`."""

    def __call__(
        self, options: BindOptions, name: str, listener: BindListener, *, clock: Callable[[], float]
    ) -> Bind: ...


class Fleet:
    """Runs the binds of all carriers in a nursery of its own."""

    def __init__(
        self,
        *,
        sink: Sink,
        metrics: Metrics,
        clock: Callable[[], float],
        on_room: Callable[[], None],
        make_bind: MakeBind,
    ) -> None:
        self._sink = sink
        self._metrics = metrics
        self._clock = clock
        self._on_room = on_room
        self._make_bind = make_bind
        self._budget = Budget()
        self._nursery: trio.Nursery | None = None
        self._settings: dict[str, CarrierSettings] = {}
        self._carriers: dict[str, Carrier] = {}
        self._scopes: dict[Bind, trio.CancelScope] = {}
        self._ended: dict[Bind, trio.Event] = {}

    @property
    def carriers(self) -> Sequence[Carrier]:
        return list(self._carriers.values())

    @property
    def in_use(self) -> dict[str, int]:
        """How many parts are unanswered, by carrier; of those that have any."""
        parts = {c.options.id: sum(bind.in_use for bind in c.all_binds) for c in self.carriers}
        return {name: count for name, count in parts.items() if count}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hold the binds' tasks, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            await trio.sleep_forever()

    def configure(self, settings: Sequence[CarrierSettings]) -> None:
        """Run these carriers from now on. A bind that did not change is left alone; those that go
        end in order, and what they had in flight is settled as usual."""
        wanted = {one.options.id: one for one in settings}
        for name in self._carriers.keys() - wanted.keys():
            gone = self._carriers.pop(name)
            gone.retire()
            self._let_go(gone)
            del self._settings[name]
        for name, new in wanted.items():
            old = self._settings.get(name)
            carrier = self._carriers.get(name)
            if carrier is None:
                carrier = Carrier(
                    new.options, self._sink, self._metrics, self._clock, self._on_room, self._budget
                )
                self._carriers[name] = carrier
            else:
                carrier.reconfigure(new.options)
            if old is None or old.identity != new.identity:
                self._let_go(carrier)
                names = [f"{name}-{number}" for number in range(1, len(new.binds) + 1)]
                carrier.use(self._start(carrier, new.binds, carrier.all_binds, names))
            self._settings[name] = new

    def bind(self, name: str) -> tuple[Carrier, Bind]:
        """A bind by its name, with its carrier. Raises ProblemError where there is none."""
        for carrier in self._carriers.values():
            for bind in carrier.all_binds:
                if bind.name == name:
                    return carrier, bind
        raise ProblemError("not_found", f"there is no bind {name!r}")

    def let_go(self, carrier: Carrier, bind: Bind) -> None:
        """End one bind in order; its place stays empty until `replace`."""
        if self._nursery is not None:
            self._nursery.start_soon(self._end, carrier, bind)

    def replace(self, carrier: Carrier, bind: Bind) -> None:
        """End one bind in order, and make another in its place."""
        self.let_go(carrier, bind)
        [made] = self._start(carrier, [bind.options], [bind], [bind.name])
        carrier.use([made if one is bind else one for one in carrier.all_binds])

    async def drain(self) -> None:
        """End every bind in order; how long that may take is the caller's to limit."""
        async with trio.open_nursery() as nursery:
            for carrier in self._carriers.values():
                for bind in carrier.all_binds:
                    nursery.start_soon(bind.drain)

    def _start(
        self,
        carrier: Carrier,
        binds: Sequence[BindOptions],
        before: Sequence[Bind],
        names: Sequence[str],
    ) -> tuple[Bind, ...]:
        """Start binds in the place of others: each once the one that it replaces has ended, since a
        carrier that allows so many sessions refuses one more."""
        if self._nursery is None:
            raise AssertionError("configured before it runs")
        made = tuple(
            self._make_bind(options, name, carrier, clock=trio.current_time)
            for options, name in zip(binds, names, strict=True)
        )
        for place, bind in enumerate(made):
            self._scopes[bind] = trio.CancelScope()
            after = [self._ended[one] for one in before[place :: len(made)] if one in self._ended]
            self._ended[bind] = trio.Event()
            self._nursery.start_soon(self._run, bind, after)
        return made

    async def _run(self, bind: Bind, after: Sequence[trio.Event]) -> None:
        with self._scopes[bind]:
            for ended in after:
                await ended.wait()
            await bind.run()
        del self._scopes[bind]
        self._ended.pop(bind).set()

    def _let_go(self, carrier: Carrier) -> None:
        if self._nursery is not None:
            for bind in carrier.all_binds:
                self._nursery.start_soon(self._end, carrier, bind)

    async def _end(self, carrier: Carrier, bind: Bind) -> None:
        with trio.move_on_after(GRACE):
            await carrier.handed_over(bind)
            await bind.drain()
        if bind in self._scopes:
            self._scopes[bind].cancel()

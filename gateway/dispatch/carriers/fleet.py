"""The carriers and binds that run: started, replaced and let go of as the configuration says."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import msgspec
import structlog
import trio

from gateway.dispatch.carriers.carriers import Carrier, Sink
from gateway.dispatch.options import CarrierOptions
from gateway.dispatch.settling.correlation import Budget
from gateway.ops.metrics import Metrics
from gateway.ops.problems import ProblemError
from gateway.smpp.bind import Bind, BindListener, Left
from gateway.smpp.options import BindOptions

log = structlog.get_logger(__name__)

GRACE = 10.0
"""Seconds that binds which a reload removed or changed may take to end in order. Those that take
their places begin after that."""

HASTE = 0.3
"""Seconds where they must not be there any more in a moment."""


class CarrierSettings(msgspec.Struct, frozen=True):
    """A carrier with its binds.

    Attributes:
        options: what the account as a whole needs.
        binds: one for each session that it may have; of two kinds, as many of each, one kind first.
        identity: equal for two settings whose binds need not be made anew.
        mine: the slots whose binds run here, where nodes share them; None where all do. A slot is a
            bind, or one of each kind.
        left: the sessions whose places they take, by slot, see `gateway.smpp.bind.Left`.
    """

    options: CarrierOptions
    binds: tuple[BindOptions, ...]
    identity: object
    mine: tuple[int, ...] | None = None
    left: Mapping[int, Left] = MappingProxyType({})

    @property
    def slots(self) -> int:
        """How many slots it has."""
        return len(self.binds) // max(1, len({one.mode for one in self.binds}))

    def here(self) -> dict[str, BindOptions]:
        """The binds that run here, by name."""
        return {
            f"{self.options.id}-{place + 1}": one
            for place, one in enumerate(self.binds)
            if self.mine is None or place % self.slots in self.mine
        }

    def slot(self, bind: str) -> int:
        """The slot of a bind of this name."""
        return (int(bind.rpartition("-")[2]) - 1) % self.slots


class MakeBind(Protocol):
    """Makes a bind, see `gateway.smpp.bind.Bind`."""

    def __call__(
        self,
        options: BindOptions,
        name: str,
        listener: BindListener,
        *,
        clock: Callable[[], float],
        left: Left | None,
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
        self._slots: dict[Bind, tuple[str, int]] = {}

    @property
    def carriers(self) -> Sequence[Carrier]:
        return list(self._carriers.values())

    @property
    def in_use(self) -> dict[str, int]:
        """How many parts are unanswered, by carrier; of those that have any."""
        parts = {c.options.id: sum(bind.in_use for bind in c.all_binds) for c in self.carriers}
        return {name: count for name, count in parts.items() if count}

    @property
    def occupied(self) -> set[tuple[str, int]]:
        """The carriers and slots that have sessions, or may: also of binds that are ending."""
        return set(self._slots.values())

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hold the binds' tasks, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            await trio.sleep_forever()

    def configure(self, settings: Sequence[CarrierSettings], grace: float = GRACE) -> None:
        """Run these carriers from now on. A bind that did not change is left alone; those that go
        end in order, within ``grace`` seconds, and what they had in flight is settled as usual."""
        wanted = {one.options.id: one for one in settings}
        for name in self._carriers.keys() - wanted.keys():
            gone = self._carriers.pop(name)
            gone.retire()
            self._let_go(gone, gone.all_binds, grace)
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
                self._let_go(carrier, carrier.all_binds, grace)
                carrier.use(self._start(carrier, new, new.here(), carrier.all_binds))
            elif old.mine != new.mine:
                self._change_slots(carrier, new, grace)
            self._settings[name] = new

    def _change_slots(self, carrier: Carrier, new: CarrierSettings, grace: float) -> None:
        """Others of its binds are this node's now."""
        here = new.here()
        self._let_go(carrier, [one for one in carrier.all_binds if one.name not in here], grace)
        known = {one.name: one for one in carrier.all_binds if one.name in here}
        more = {name: options for name, options in here.items() if name not in known}
        # One that was here a moment ago, and is ending.
        before = [one for one in self._ended if one.name in more]
        known |= {one.name: one for one in self._start(carrier, new, more, before)}
        carrier.use([known[name] for name in here])

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
            self._nursery.start_soon(self._end, carrier, bind, GRACE)

    def replace(self, carrier: Carrier, bind: Bind) -> None:
        """End one bind in order, and make another in its place."""
        self.let_go(carrier, bind)
        settings = self._settings[carrier.options.id]
        [made] = self._start(carrier, settings, {bind.name: bind.options}, [bind])
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
        settings: CarrierSettings,
        binds: Mapping[str, BindOptions],
        before: Sequence[Bind],
    ) -> tuple[Bind, ...]:
        """Start binds in the place of others: each once the one that it replaces has ended, since a
        carrier that allows so many sessions refuses one more."""
        if self._nursery is None:
            raise AssertionError("configured before it runs")
        made = tuple(
            self._make_bind(
                options,
                name,
                carrier,
                clock=trio.current_time,
                left=settings.left.get(settings.slot(name)),
            )
            for name, options in binds.items()
        )
        for place, bind in enumerate(made):
            self._scopes[bind] = trio.CancelScope()
            after = [self._ended[one] for one in before[place :: len(made)] if one in self._ended]
            self._ended[bind] = trio.Event()
            self._slots[bind] = carrier.options.id, settings.slot(bind.name)
            self._nursery.start_soon(self._run, bind, after)
        return made

    async def _run(self, bind: Bind, after: Sequence[trio.Event]) -> None:
        with self._scopes[bind]:
            for ended in after:
                await ended.wait()
            await bind.run()
        del self._scopes[bind], self._slots[bind]
        self._ended.pop(bind).set()

    def _let_go(self, carrier: Carrier, binds: Sequence[Bind], grace: float) -> None:
        if self._nursery is not None:
            for bind in binds:
                self._nursery.start_soon(self._end, carrier, bind, grace)

    async def _end(self, carrier: Carrier, bind: Bind, grace: float) -> None:
        with trio.move_on_after(grace):
            await carrier.handed_over(bind)
            await bind.drain()
        if bind in self._scopes:
            self._scopes[bind].cancel()

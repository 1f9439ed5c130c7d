"""What a node does of what it hears of the others: the binds and rates that are its own."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

import msgspec
import pytest
import structlog
import trio

from gateway.dispatch import gauges
from gateway.dispatch.nodes import LINGER
from gateway.queue.memory import MemoryStore
from gateway.queue.operators import NodeState
from gateway.queue.scheduler import SchedulerOptions, Share
from gateway.queue.store import Ask, Granted, Heard, OwnSlots, Recovery, Slot
from tests.dispatch.conftest import START, FlakyStore, World, opened


class SharedStore(MemoryStore):
    """A store that other nodes share, as a test says.

    Attributes:
        lapsed: others may take what this node has.
        tell: what it is told is heard.
        introduced: the binds that this node has told of, each time.
        vacated: the slots that it gave up.
        others: what the other node wants of rates.
        astray: seconds by which the clock is ahead of the storage's.
    """

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.lapsed = False
        self.tell, self._heard = trio.open_memory_channel[Heard](100)
        self.introduced: list[Mapping[str, int]] = []
        self.vacated: list[Slot] = []
        self.grants = 0
        self.granted: dict[str, Granted] = {}
        self.others: list[Granted] = []
        self.astray = self.told_ahead = 0.0

    async def open(self) -> Recovery:
        return msgspec.structs.replace(await super().open(), node=0, nodes=2)

    async def heard(self) -> Heard:
        return await self._heard.receive()

    async def introduce(
        self, _version: str, _config: str, binds: Mapping[str, int], ahead: float
    ) -> None:
        self.introduced.append(binds)
        self.told_ahead = ahead

    async def nodes(self) -> Sequence[NodeState]:
        return [
            NodeState(0, "a", True, True, "1.0", "c0ffee", 0.5, 0, False, {"alpha": 2}),
            NodeState(1, "b", False, True, "1.0", "decaf", 0.5, 3, True, {"alpha": 1}),
            NodeState(2, "c", False, False, "0.9", "decaf", 0.0, 7, False, {"alpha": 1}),
        ]

    async def ahead(self) -> float:
        return self.astray

    async def grant(self, asks: Sequence[Ask]) -> Sequence[Granted]:
        self.grants += 1
        for ask in asks:
            self.granted[ask.name] = Granted(ask.name, 0, ask.want, ask.weight, ask.ask)
        return [*self.granted.values(), *self.others]

    async def vacate(self, slots: Collection[Slot]) -> None:
        self.vacated += slots


class Node:
    """One of two nodes."""

    def __init__(self, world: World, store: SharedStore) -> None:
        self.world = world
        self.store = store

    async def hear(
        self,
        *numbers: int,
        of: int = 4,
        leaving: Collection[int] = (),
        inherited: Collection[int] = (),
    ) -> None:
        """Others of the slots are its own, some of them after a silent node."""
        heard = Heard(
            slots={"alpha": OwnSlots(numbers, of)},
            leaving=[Slot("alpha", n) for n in leaving],
            inherited={Slot("alpha", n): "b" for n in inherited},
        )
        await self.store.tell.send(heard)
        await self.world.calm()

    async def wanted(self, others: list[Granted]) -> None:
        """Another node has told what it wants of rates."""
        self.store.others = others
        await self.store.tell.send(Heard(rates=True))

    async def sent(self, parts: int) -> int:
        """Answer all that is sent until it is so many parts; returns how many it is then."""
        binds = self.world.made.values()
        while sum(len(bind.sent) for bind in binds) < parts:
            for bind in binds:
                if bind.flying:
                    bind.reply()
            await trio.sleep(0.01)
        return sum(len(bind.sent) for bind in binds)

    @property
    def up(self) -> list[str]:
        """The binds that are up."""
        return sorted(name for name, bind in self.world.made.items() if bind.up)


@pytest.fixture
async def node(autojump_clock: object, make_settings: Any) -> AsyncIterator[Node]:
    """A node, with a carrier of four binds that takes 100 parts a second."""
    beginning = START - trio.current_time()
    store = SharedStore(lambda: beginning + trio.current_time())
    carriers = [make_settings(binds=4, rate=100)]
    async with opened(FlakyStore(store, beginning), carriers=carriers) as world:
        yield Node(world, store)


async def test_the_binds_of_its_slots_run(node: Node) -> None:
    assert node.store.introduced == [{"alpha": 4}]
    assert node.up == []
    await node.hear(1, 3)
    assert node.up == ["alpha-2", "alpha-4"]
    kept = node.world.made["alpha-2"]
    await node.hear(1)
    assert node.up == ["alpha-2"]
    await node.hear(0, 1, 2, 3)
    assert node.up == ["alpha-1", "alpha-2", "alpha-3", "alpha-4"]
    assert node.world.made["alpha-2"] is kept


async def test_what_a_silent_node_had_may_have_sessions_still(
    node: Node, autojump_clock: object
) -> None:
    await node.hear(0, 1, inherited=[1])
    first, second = (node.world.made[f"alpha-{n}"].left for n in (1, 2))
    assert first is None
    assert second is not None
    assert (second.whose, round(second.until - trio.current_time())) == ("node b", LINGER)
    await trio.sleep(LINGER)
    await node.hear(0)
    await node.hear(0, 1)
    assert node.world.made["alpha-2"].left is None


async def test_so_may_a_gateway_that_has_not_ended_in_order(autojump_clock: object) -> None:
    beginning = START - trio.current_time()
    store = MemoryStore(lambda: beginning + trio.current_time())
    lefts = []
    for in_doubt in (True, False, False):
        async with opened(FlakyStore(store, beginning)) as world:
            lefts.append(world.bind.left and world.bind.left.whose)
        await store.aclose(in_doubt=in_doubt)
    assert lefts == [None, "the gateway before this one", None]


async def test_a_slot_is_vacated_once_what_was_sent_is_answered(node: Node) -> None:
    await node.hear(0)
    await node.world.accepted("a")
    bind = node.world.made["alpha-1"]
    await node.hear(1, leaving=[0])
    assert (node.up, node.store.vacated) == (["alpha-1", "alpha-2"], [])
    bind.reply()
    await node.world.calm()
    await node.hear(1, leaving=[0])
    assert (node.up, node.store.vacated) == (["alpha-2"], [Slot("alpha", 0)])


async def test_a_pair_of_binds_is_one_slot(node: Node, make_settings: Any) -> None:
    both = make_settings(binds=4)
    binds = tuple(
        msgspec.structs.replace(one, mode=mode)
        for mode in ("transmitter", "receiver")
        for one in both.binds
    )
    await node.world.configure(
        carriers=[msgspec.structs.replace(both, binds=binds, identity="pairs")]
    )
    await node.hear(1)
    assert node.up == ["alpha-2", "alpha-6"]
    await node.hear(0)
    assert node.up == ["alpha-1", "alpha-5"]


async def test_a_reload_with_fewer_binds(node: Node, make_settings: Any) -> None:
    """What is beyond them ends at once, and is given up when it has."""
    await node.hear(0, 3)
    await node.world.configure(carriers=[make_settings(binds=2)])
    assert node.up == ["alpha-1"]
    await node.hear(0, of=2, leaving=[3])
    assert (node.up, node.store.vacated) == (["alpha-1"], [Slot("alpha", 3)])
    assert node.store.introduced[-1] == {"alpha": 2}


async def test_it_has_no_sessions_when_others_may_take_its_place(node: Node) -> None:
    """Not even such as have something under way; and has them again where nobody did."""
    await node.hear(0, 1)
    [ident] = await node.world.accepted("a")
    node.store.lapsed = True
    await trio.sleep(0.5)
    assert node.up == []
    await node.hear(0, 1, 2)
    assert node.up == []
    node.store.lapsed = False
    await trio.sleep(0.2)
    assert node.up == ["alpha-1", "alpha-2", "alpha-3"]
    assert await node.world.states([ident]) == ["queued"]


async def test_it_sends_at_its_part_of_rates(node: Node) -> None:
    """Half of it while the other one wants as much; nearly all while that one wants nothing."""
    [carrier] = node.world.dispatch.fleet.carriers
    names = ("carrier alpha", "tenant acme")
    await node.world.configure(scheduler=SchedulerOptions({"acme": Share(rate=50, burst=5)}))
    await node.store.tell.send(Heard(share=0.5))
    await node.hear(0, 1)
    for want, part in ((0.0, 0.5), (1.0, 0.005)):  # it wants nothing itself
        await node.wanted([Granted(name, 1, want, 0.5, want) for name in names])
        await trio.sleep(0.5)
        assert [node.world.dispatch.nodes.part(name) for name in names] == [part, part]
        assert carrier.limit(START) == pytest.approx(100 * part)
    for want, seconds in ((1.0, 30 / 25), (0.0, 30 / 50)):
        await node.wanted([Granted("tenant acme", 1, want, 0.5, want)])
        before = await node.sent(0)
        await node.world.accepted(*["a"] * 60)
        sent = await node.sent(before + 20)
        began = trio.current_time()
        await node.sent(sent + 30)
        assert trio.current_time() - began == pytest.approx(seconds, rel=0.15)
        await node.sent(before + 60)


async def test_rates_that_nobody_wants_are_hardly_asked_for(node: Node) -> None:
    await node.hear(0, 1)
    await trio.sleep(1.0)
    before = node.store.grants
    await trio.sleep(3.0)
    assert 1 <= node.store.grants - before <= 2
    before = node.store.grants
    await node.wanted([Granted("carrier alpha", 1, 1.0, 0.5, 0.5)])
    await trio.sleep(1.0)
    assert node.store.grants > before


async def test_it_tells_of_all_nodes_in_its_metrics(node: Node) -> None:
    """Also of one that is dead, whose slots are nobody's."""
    metrics = node.world.metrics
    gauges.feed(metrics, node.world.dispatch, node.world.clock)
    assert metrics.node_up.values() == {}
    await node.hear(0, 1)
    await node.store.tell.send(Heard(counts=[]))
    await node.world.calm()
    assert metrics.node_up.values() == {("a",): 1, ("b",): 1, ("c",): 0}
    assert metrics.node_moved.values() == {("a",): 0, ("b",): 1, ("c",): 0}
    assert metrics.node_phones.values() == {("a",): 0.5, ("b",): 0.5, ("c",): 0}
    assert metrics.node_behind.values() == {("a",): 0, ("b",): 3, ("c",): 0}
    assert metrics.node_slots.values()["b", "alpha"] == 1
    assert set(metrics.node_info.values()) == {("a", "1.0", "c0ffee"), ("b", "1.0", "decaf")}
    assert metrics.slots_unused.values() == {("alpha",): 1}


@pytest.mark.parametrize(("astray", "told"), [(1.9, []), (3_600.0, [3_600.0]), (-2.14, [-2.1])])
async def test_it_warns_of_a_clock_that_is_not_the_database_s(
    node: Node, astray: float, told: list[float]
) -> None:
    """Once a minute, however often it looks."""
    node.store.astray = astray
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            await node.store.tell.send(Heard(counts=[]))
            await node.world.calm()
    assert [line["ahead"] for line in lines if line["event"] == "clock_differs"] == told
    assert node.store.told_ahead == astray

"""Nodes share the binds of carriers: who has which, and that nobody has one that another has."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from gateway.queue.postgresql import PostgresStore, holding, slots
from gateway.queue.postgresql.slots import Live
from gateway.queue.store import Ask, Heard, OwnSlots, Slot
from tests.queue.nodes import Node, opener
from tests.servers import Postgres

BINDS = st.dictionaries(st.sampled_from("xyz"), st.integers(1, 9))
NODES = st.lists(st.tuples(st.booleans(), BINDS), min_size=1, max_size=6).map(
    lambda found: [Live(number, *one) for number, one in enumerate(found)]
)


@given(live=NODES)
def test_all_binds_are_somebodys_and_every_sender_has_one_of_each(live: list[Live]) -> None:
    those = slots.senders(live)
    assert those
    for carrier, binds in slots.allowed(live).items():
        shares = [slots.due(carrier, binds, those, node.number) for node in live]
        assert sum(shares) == binds
        mine = [share for node, share in zip(live, shares, strict=True) if node.number in those]
        assert min(mine) >= 1
        assert max(mine) - min(mine) <= 1


@pytest.mark.parametrize(
    ("moved", "binds", "expected"),
    [
        ([0, 0, 0], 9, [0, 1, 2]),
        ([0, 0, 0], 2, [0, 1]),
        ([1, 0, 0], 2, [1, 2]),
        ([1, 0, 1], 9, [1]),
        ([1, 1, 1], 9, [0, 1, 2]),  # somebody has to
    ],
)
def test_who_sends(moved: list[int], binds: int, expected: list[int]) -> None:
    live = [Live(n, bool(one), {"x": 50, "y": binds}) for n, one in enumerate(moved)]
    assert slots.senders(live) == expected


def test_nodes_whose_configurations_differ_go_by_the_least() -> None:
    live = [Live(0, False, {"x": 4, "y": 2}), Live(1, False, {"x": 3}), Live(2, False, {})]
    assert slots.allowed(live) == {"x": 3, "y": 2}


def test_what_is_odd_is_not_always_the_same_nodes() -> None:
    had = Counter(
        node for n in range(60) for node in range(3) if slots.due(f"c{n}", 1, [0, 1, 2], node)
    )
    assert min(had.values()) > 10


MakeNodes = Callable[..., Any]


@pytest.fixture
def nodes(postgres: Postgres, database: str) -> MakeNodes:
    """Opens nodes that share an empty database, and closes them."""
    return opener(postgres, database)


def held(count: int, carrier: str = "alpha") -> Callable[[Heard], bool]:
    """Whether a node has so many slots."""
    return lambda heard: len((heard.slots or {}).get(carrier, OwnSlots((), 0)).numbers) == count


def numbers(*those: Node) -> list[int]:
    """The slots that nodes may use, all in one list."""
    return sorted(n for node in those for n in (node.heard.slots or {})["alpha"].numbers)


async def introduce(node: Node, **binds: int) -> None:
    await node.store.introduce("1", "c", binds, 0.0)


@asynccontextmanager
async def joined(postgres: Postgres, database: str, name: str) -> AsyncIterator[Node]:
    """One node more of two."""
    node = Node(PostgresStore(postgres.dsn(database), node=name, nodes=2))
    await node.store.open()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.listen)
        yield node
        nursery.cancel_scope.cancel()
    await node.store.aclose()


async def vacate_until(so: Callable[[], bool], *those: Node) -> None:
    """Have nodes without sessions give up what they are to, until it is so."""
    with trio.fail_after(20):
        while not so():
            for node in those:
                if node.heard.leaving:
                    await node.store.vacate(node.heard.leaving)
            await trio.sleep(0.05)


async def test_a_slot_is_given_up_once_its_session_is_gone(
    nodes: MakeNodes, postgres: Postgres, database: str
) -> None:
    """A second node comes, and gets what the first one gives up, and nothing before."""
    async with nodes("a") as [first]:
        await introduce(first, alpha=4)
        await first.until(held(4))
        async with joined(postgres, database, "b") as second:
            await introduce(second, alpha=4)
            await first.until(held(2))
            assert numbers(first) == [0, 1]
            leaving = first.heard.leaving
            assert leaving == [Slot("alpha", 2), Slot("alpha", 3)]
            await trio.sleep(0.7)
            assert numbers(second) == []
            await first.store.vacate(leaving[:1])
            await second.until(held(1))
            await first.store.vacate(leaving[1:])
            await second.until(held(2))
            assert numbers(first, second) == [0, 1, 2, 3]
        await first.until(held(4))


async def test_a_reload_changes_how_many_there_are(nodes: MakeNodes) -> None:
    """More, once all nodes know; fewer, as soon as one does."""
    async with nodes("a", "b") as [here, there]:
        for node in (here, there):
            await introduce(node, alpha=2, beta=2)
            await node.until(held(1))
        await introduce(here, alpha=4, beta=2)
        await trio.sleep(0.7)
        assert numbers(here, there) == [0, 1]
        await introduce(there, alpha=4)
        for node in (here, there):
            await node.until(held(2))
        assert numbers(here, there) == [0, 1, 2, 3]
        await introduce(here, alpha=2)
        await vacate_until(lambda: numbers(here, there) == [0, 1], here, there)


async def test_fewer_binds_than_nodes(nodes: MakeNodes, postgres: Postgres, database: str) -> None:
    """One node has phones and the bind; the other takes both over when that one ends."""
    async with nodes("a") as [first]:
        await introduce(first, alpha=1)
        await first.until(held(1))
        async with joined(postgres, database, "b") as second:
            await introduce(second, alpha=1)
            await second.until(lambda heard: heard.slots is not None)
            await trio.sleep(0.7)
            assert (first.heard.share, second.heard.share) == (1.0, 0.0)
            first.listening.cancel()
            await first.store.aclose()
            await second.until(held(1))
            await second.until(lambda heard: heard.share == 1.0)


async def test_a_dead_node_s_slots_are_taken_once_it_is_fenced_off(
    nodes: MakeNodes, postgres: Postgres, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "RENEW", 3_600.0)
    async with nodes("a", "b", lease=9_999.0) as [here, silent]:
        for node in (here, silent):
            await introduce(node, alpha=2)
            await node.until(held(1))
        silent.listening.cancel()
        await trio.sleep(0.7)
        [first] = numbers(here)
        [before] = postgres.ask(database, "SELECT token FROM node WHERE name = 'b'")
        postgres.ask(database, "UPDATE node SET until = '-infinity' WHERE name = 'b'")
        await here.until(held(2))
        [after] = postgres.ask(database, "SELECT token FROM node WHERE name = 'b'")
        assert after > before
        assert here.heard.inherited == {Slot("alpha", 1 - first): "b"}


async def test_a_node_that_is_moved_away_gives_up_phones_first(nodes: MakeNodes) -> None:
    """It keeps a bind for what it has begun as long as phones are its own; moved back, it has its
    part again. Where no other node is left, moving changes nothing."""
    async with nodes("a", "b") as [here, there]:
        for node in (here, there):
            await introduce(node, alpha=4)
            await node.until(held(2))
        await here.store.move("b", away=True)
        await there.until(lambda heard: heard.share == 0.0)
        await vacate_until(lambda: held(4)(here.heard), there)
        assert numbers(there) == []
        await here.until(lambda heard: heard.share == 1.0)
        assert [one.moved for one in await here.store.nodes()] == [False, True]
        await here.store.move("a", away=True)
        await there.until(lambda heard: heard.share > 0.4)
        await here.store.move("a", away=False)
        await there.store.move("b", away=False)
        await here.until(lambda heard: heard.share == 0.5)


def ask(name: str, wish: float, use: float = 0.0, want: float = 1.0) -> Ask:
    return Ask(name, want, 0.5, use, wish)


async def test_nodes_are_never_granted_more_than_all_of_a_rate(
    nodes: MakeNodes, postgres: Postgres, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has what it asks for, up to what the others leave; what it goes by it keeps until it
    tells that it does not any more."""
    monkeypatch.setattr(holding, "RENEW", 3_600.0)
    async with nodes("a", "b", lease=9_999.0) as [here, there]:

        async def held(node: Node, *asks: Ask) -> dict[tuple[str, int], float]:
            return {(one.name, one.node): one.held for one in await node.store.grant(asks)}

        assert await held(here, ask("x", 0.7), ask("y", 0.5)) == {("x", 0): 0.7, ("y", 0): 0.5}
        assert await held(there, ask("x", 0.5)) == {
            ("x", 0): 0.7,
            ("x", 1): pytest.approx(0.3),
            ("y", 0): 0.5,
        }
        assert (await held(here, ask("x", 0.5, 0.7)))["x", 0] == 0.7
        assert (await held(there, ask("x", 0.5, 0.3)))["x", 1] == pytest.approx(0.3)
        assert (await held(here, ask("x", 0.5, 0.5)))["x", 0] == 0.5
        assert (await held(there, ask("x", 0.5, 0.3)))["x", 1] == pytest.approx(0.5)
        # What nobody wants is not told of, but to who asks.
        assert ("y", 0) in await held(here, ask("y", 0.5, 0.5, want=0.0))
        assert {name for name, _ in await held(there)} == {"x"}
        there.listening.cancel()
        postgres.ask(database, "UPDATE node SET until = '-infinity' WHERE name = 'b'")
        assert await held(here, ask("x", 1.0, 0.5)) == {("x", 0): 1.0}


async def test_many_ask_at_once(nodes: MakeNodes) -> None:
    async with nodes("a", "b", "c", "d", of=4) as those:
        uses = dict.fromkeys(range(4), 0.0)

        async def grab(number: int) -> None:
            for turn in range(40):
                wish = (turn * 7 + number * 3) % 10 / 10
                rows = await those[number].store.grant([ask("x", wish, uses[number])])
                [mine] = [row.held for row in rows if row.node == number]
                uses[number] = min(mine, wish)
                assert sum(uses.values()) <= 1 + 1e-9

        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(grab, number)

"""What nodes tell one another, how often, and what becomes of it where it is lost."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import trio

from gateway.errors import StoreError
from gateway.queue.postgresql import connecting, following, listening, sharing
from gateway.queue.postgresql.connecting import Target
from gateway.queue.postgresql.engine import Engine
from gateway.queue.postgresql.listening import Listener, News
from gateway.queue.store import Entry, Final, Settlement
from tests.queue.contract.rig import LANE
from tests.queue.nodes import Node, opener
from tests.servers import Postgres

MakeEntry = Callable[..., Entry]
MakeNodes = Callable[..., Any]

PHONES = [f"4479{n:08}" for n in range(100)]


@pytest.fixture
def nodes(postgres: Postgres, database: str) -> MakeNodes:
    """Opens nodes that share an empty database, and closes them."""
    return opener(postgres, database)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that engines are asked for from now on."""
    found: list[str] = []

    def counting(name: str) -> None:
        before = getattr(Engine, name)

        async def call(self: Engine, *args: Any) -> Any:
            found.append(name)
            return await before(self, *args)

        monkeypatch.setattr(Engine, name, call)

    counting("read")
    counting("write")
    return found


def theirs(node: Node) -> str:
    """A phone to which another node sends."""
    return next(phone for phone in PHONES if not node.store.sends_to(phone))


# --- what is told ---


def test_what_is_told_is_heard() -> None:
    news = News(arrived=-(1 << 63), seqs={"acme": 7}, newest=9, rates=True)
    assert listening.decoded(listening.encoded(news)) == news


def test_too_much_for_one_notification_is_looked_for() -> None:
    news = News(arrived=5, seqs={f"tenant-{n}": n for n in range(1_000)}, newest=9)
    text = listening.encoded(news)
    assert len(text.encode()) <= listening.MOST
    assert listening.decoded(text) == News(arrived=5, newest=9, others=True)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"arrived": "x"}', "arrived"])
def test_what_is_not_understood_is_looked_for(text: str) -> None:
    assert listening.decoded(text) == News(others=True)


def test_what_a_later_version_tells_beside_is_passed_over() -> None:
    assert listening.decoded('{"rates":true,"colours":[1]}') == News(rates=True)


def test_a_number_alone_is_not_worth_telling() -> None:
    assert not News(newest=5)


def test_what_is_told_comes_in_time() -> None:
    """A message within 50 ms, beside what the database takes; without being told, too."""
    assert 2 * listening.SPACING <= 0.04
    assert following.POLL <= 0.05


# --- how much it costs ---


async def test_nodes_that_have_nothing_to_do_ask_next_to_nothing(
    nodes: MakeNodes, asked: list[str]
) -> None:
    """A look a second, now and then a count: where nodes looked 25 times a second, it was a hundred
    calls and more."""
    async with nodes("a", "b"):
        await trio.sleep(1.0)  # what they have said of themselves has been heard
        asked.clear()
        await trio.sleep(2.0)
        assert len(asked) <= 2 * (3 + 3)


async def test_counts_that_take_long_are_made_seldom(
    nodes: MakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A count that takes a tenth of a second comes after two seconds, not after a hundredth."""
    counts = list[None]()

    async def slow(_: following.Follower) -> None:
        counts.append(None)
        await trio.sleep(0.1)

    monkeypatch.setattr(following, "COUNT", 0.01)
    monkeypatch.setattr(following.Follower, "_count", slow)
    async with nodes("a"):
        counts.clear()
        began = trio.current_time()
        await trio.sleep(1.0)
        assert len(counts) <= 1 + (trio.current_time() - began) / 2.0


async def test_many_commits_are_told_together(
    nodes: MakeNodes, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = list[None]()
    tell = Listener._tell  # noqa: SLF001

    def counted(self: Listener, connection: connecting.Connected) -> None:
        told.append(None)
        tell(self, connection)

    async with nodes("a", "b") as [here, there]:
        monkeypatch.setattr(Listener, "_tell", counted)
        phone, began = theirs(here), time.monotonic()
        for number in range(1, 101):
            await here.store.accept([entry(number, to=phone)])
        took = time.monotonic() - began
        await there.until(lambda heard: LANE in heard.lanes)
        assert 0 < len(told) <= (took + 1.0) / listening.SPACING


async def test_whoever_is_told_something_all_the_time_looks_as_well(
    nodes: MakeNodes, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a node that dies nobody tells."""
    monkeypatch.setattr(following, "NET", 1.0)
    monkeypatch.setattr(following, "POLL", 1.0)
    looking, tick = set[int](), sharing.tick

    def noted(connection: connecting.Connected, shards: int) -> sharing.Tick:
        looking.add(shards)
        return tick(connection, shards)

    async with nodes("a", "b") as [here, _]:
        monkeypatch.setattr(sharing, "tick", noted)
        number = 0
        with trio.fail_after(15):
            while len(looking) < 2:
                number += 1
                await here.store.accept([entry(number, to=theirs(here))])
                await trio.lowlevel.checkpoint()  # that call is not cancelled


# --- that it comes ---


@pytest.fixture
def no_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes find nothing by looking, but for what they see at first."""
    monkeypatch.setattr(following, "NET", 1e9)
    monkeypatch.setattr(following, "POLL", 1e9)


@pytest.mark.usefixtures("no_looks")
async def test_messages_are_told_of(nodes: MakeNodes, entry: MakeEntry) -> None:
    async with nodes("a", "b") as both:
        for number, (here, there) in enumerate((both, both[::-1]), 1):
            await here.store.accept([entry(number, to=theirs(here))])
            await there.until(lambda heard: LANE in heard.lanes)
            assert [m.id for m in await there.leased()] == [number]
            assert there.heard.newest == number


@pytest.mark.usefixtures("no_looks")
async def test_events_are_told_of(
    nodes: MakeNodes, entry: MakeEntry, delivered: Callable[..., Final]
) -> None:
    async with nodes("a", "b") as [here, there]:
        one = entry(1, leased=True)
        await here.store.accept([one])
        await here.store.settle(Settlement(finals=[delivered(one.message)]))
        with trio.fail_after(5):
            assert [*await there.store.watch()] == ["acme"]


@pytest.mark.usefixtures("no_looks")
async def test_what_all_are_to_go_by_is_told_of(nodes: MakeNodes) -> None:
    """By the node that says so too."""
    async with nodes("a", "b") as [here, there]:
        with trio.fail_after(5):
            await here.store.heeded(await here.store.agree("pauses", b"x", None))
        for node in (here, there):
            await node.until(lambda heard: "memo" in heard.notices)


# --- that it may be lost ---


async def test_what_was_not_told_is_found_and_then_looked_for_often(
    nodes: MakeNodes, entry: MakeEntry, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with nodes("a", "b") as [here, there]:
        monkeypatch.setattr(Listener, "tell", lambda *_: None)
        phone = theirs(here)
        await here.store.accept([entry(1, to=phone)])
        await there.until(lambda heard: LANE in heard.lanes)
        await trio.sleep(2 * following.POLL)
        asked.clear()
        with trio.fail_after(30):
            while len(asked) < 50:
                await trio.sleep(0.01)
        there.heard.lanes.clear()
        await here.store.accept([entry(2, to=phone)])
        await there.until(lambda heard: LANE in heard.lanes)


async def test_a_node_that_cannot_listen_looks_often(
    nodes: MakeNodes, entry: MakeEntry, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("no connection left")

    monkeypatch.setattr(Listener, "_serve", refuse)
    async with nodes("a", "b") as [here, there]:
        asked.clear()
        with trio.fail_after(30):
            while len(asked) < 50:
                await trio.sleep(0.01)
        await here.store.accept([entry(1, to=theirs(here))])
        await there.until(lambda heard: LANE in heard.lanes)


async def test_a_connection_that_is_cut_is_made_again(
    nodes: MakeNodes, entry: MakeEntry, postgres: Postgres, database: str
) -> None:
    cut = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE '%listener'"""
    listeners = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%listener'"
    async with nodes("a", "b") as [here, there]:
        postgres.ask(database, cut)
        await here.store.accept([entry(1, to=theirs(here))])
        await there.until(lambda heard: LANE in heard.lanes)
        with trio.fail_after(30):
            while postgres.ask(database, listeners) != [(2,)]:
                await trio.sleep(0.05)


async def test_a_server_that_was_left_behind_is_listened_to_no_more(
    postgres: Postgres, database: str
) -> None:
    target = Target.of(postgres.dsn(database), "commit")
    made = list[connecting.Connected]()

    def connect() -> connecting.Connected:
        made.append(connecting.connect(target, "test: listener"))
        return made[-1]

    listener = Listener(connect)
    for count in (1, 2):
        with trio.fail_after(30):
            while len(made) < count or not listener.listening:
                await trio.sleep(0.01)
        listener.again()
    await listener.aclose()
    assert all(one.closed for one in made)

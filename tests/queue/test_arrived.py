"""Messages between their acceptance and their outcome: one row for many, found all the same, and
read again after a crash."""

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import apsw
import msgspec
import pytest
import trio

from gateway.errors import StoreError
from gateway.message import LaneKey, Message
from gateway.queue import chunks
from gateway.queue.sqlite import SqliteStore, schema
from gateway.queue.sqlite.backup import backup
from gateway.queue.store import Entry, Final, Progress, Ref, Sent, Settlement
from tests.queue.asking import DEADLINE, SINGLE, Asks
from tests.queue.contract.rig import LANE, decoded
from tests.queue.on_disk import Clock, rows

MakeEntry = Callable[..., Entry]
MakeFinal = Callable[..., Final]

TABLES = ("arrived", "message", "taken", "part", "progress")


def sent(message: Message) -> Sent:
    return Sent(message, "alpha", (f"r{message.id}",), DEADLINE)


class Crashes:
    """Opens what a process that was killed now would leave."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._path = Path(path)
        self._clock = clock
        self._count = 0
        self._opened: list[SqliteStore] = []

    async def now(self) -> SqliteStore:
        self._count += 1
        copy = self._path.with_name(f"crash-{self._count}.db")
        for end in ("", "-wal"):
            shutil.copy(f"{self._path}{end}", f"{copy}{end}")
        store = SqliteStore(str(copy), clock=self._clock)
        self._opened.append(store)
        await store.open()
        return store

    async def aclose(self) -> None:
        for store in self._opened:
            await store.aclose()


@pytest.fixture
async def crash(path: str, clock: Clock) -> AsyncIterator[Crashes]:
    crashes = Crashes(path, clock)
    yield crashes
    await crashes.aclose()


async def waiting(store: SqliteStore, lane: LaneKey = LANE) -> dict[int, bool]:
    """What waits in a lane, and whether it is marked `maybe_duplicate`."""
    found = (await store.lease(lane, 1e9, 1_000)).messages
    return {message.id: message.maybe_duplicate for message in found}


async def states(store: SqliteStore, *numbers: int) -> list[str | None]:
    """What the store says of messages: where they are, or their outcome."""
    records, _ = await store.find("acme", numbers, [])
    return [None if one is None else one.event.type if one.event else one.state for one in records]


async def refuse(path: str, what: str) -> Callable[[], None]:
    """Have all changes of a kind fail; returns what ends that."""
    other = apsw.Connection(path)
    other.execute(f"CREATE TRIGGER no BEFORE {what} BEGIN SELECT raise(ABORT, 'x'); END")

    def allow() -> None:
        other.execute("DROP TRIGGER no")
        other.close()

    return allow


# --- in memory ---


async def test_what_is_settled_soon_has_no_row_of_its_own(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(n, leased=True) for n in (1, 2, 3)])
    assert rows(path, *TABLES) == {"arrived": 1}
    await store.settle(Settlement(sent=[sent(entry(n).message) for n in (1, 2)]))
    await store.settle(Settlement(finals=[delivered(entry(n).message) for n in (1, 2)]))
    assert rows(path, *TABLES) == {"arrived": 1}
    await store.settle(Settlement(finals=[delivered(entry(3).message)]))
    assert rows(path, *TABLES) == {}
    assert await states(store, 1, 2, 3) == ["delivered"] * 3


async def test_there_is_one_for_each_queue(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal
) -> None:
    spring = [entry(n, leased=True, campaign="spring", variant=f"{n}") for n in (1, 2)]
    await store.accept([*spring, entry(3, leased=True), entry(4, due=9e8)])
    assert rows(path, *TABLES) == {"arrived": 2, "message": 1}
    await store.settle(Settlement(finals=[delivered(one.message) for one in spring]))
    assert rows(path, *TABLES) == {"arrived": 1, "message": 1}


async def test_there_is_never_a_second_outcome(
    store: SqliteStore, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1, leased=True), entry(2, leased=True)])
    once = delivered(entry(1).message)
    assert (await store.settle(Settlement(finals=[once]))).passed_over == frozenset()
    assert (
        await store.settle(Settlement(finals=[once, delivered(entry(2).message)]))
    ).passed_over == {1}
    told = decoded(await store.events("acme", 0, 10))
    assert [event["message_id"] for event in told] == ["1", "2"]


async def test_duplicates_are_in_no_chunk(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1, key="a", leased=True)])
    again = [entry(2, key="a", leased=True), entry(3, key="b", leased=True)]
    assert set(await store.accept([*again, entry(4, key="b", leased=True)])) == {0, 2}
    assert set(await store.accept([entry(5, key="a", leased=True)])) == {0}
    assert rows(path, *TABLES) == {"arrived": 2}
    assert await states(store, 2, 4, 5) == [None] * 3
    await store.settle(Settlement(finals=[delivered(entry(1).message)]))
    await store.settle(Settlement(finals=[delivered(entry(3).message)]))
    assert rows(path, *TABLES) == {}


async def test_a_campaign_that_is_in_a_chunk_keeps_its_lane(
    store: SqliteStore, path: str, entry: MakeEntry
) -> None:
    day = 86_401.0
    await store.accept([entry(1, leased=True, campaign="spring", accepted_at=4 * day)])
    for today in range(1, 5):
        while await store.prune(today * day, 100):
            pass
    await store.aclose()
    recovery = await store.open()
    assert recovery.lanes == {LANE._replace(campaign="spring"): 1_000.0}


# --- shelved ---


async def test_what_waits_longer_gets_its_row(
    store: SqliteStore, path: str, clock: Clock, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(n, leased=True) for n in (1, 2, 3)])
    await store.settle(Settlement(finals=[delivered(entry(1).message)]))
    clock.now += chunks.AGE
    await store.settle(Settlement(finals=[delivered(entry(2).message)]))
    assert rows(path, *TABLES) == {"message": 1}
    assert (
        await store.settle(Settlement(finals=[delivered(entry(3).message)]))
    ).passed_over == frozenset()
    assert rows(path, *TABLES) == {}


@pytest.mark.parametrize("later", [chunks.AGE + 1, -1.0])
async def test_so_it_does_where_nothing_else_happens(
    store: SqliteStore, path: str, clock: Clock, entry: MakeEntry, later: float
) -> None:
    await store.accept([entry(1, leased=True)])
    clock.now += later
    await store.prune(0.0, 100)
    assert rows(path, *TABLES) == {"message": 1}


async def test_too_many_are_not_kept(
    store: SqliteStore, path: str, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MOST", 4)
    for n in range(1, 11):
        await store.accept([entry(n, leased=True)])
        await store.settle(Settlement())
    assert rows(path, *TABLES) == {"arrived": 4, "message": 6}


async def test_no_outcome_is_forgotten_while_a_chunk_needs_it(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal, crash: Crashes
) -> None:
    await store.accept([entry(1, leased=True), entry(2, leased=True)])
    await store.settle(Settlement(finals=[delivered(entry(1).message)]))
    while await store.prune(9e9, 100):
        pass
    assert rows(path, *TABLES) == {"message": 1}
    assert await waiting(await crash.now()) == {2: True}


async def test_what_is_erased_is_in_no_chunk(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1, leased=True, text="a secret"), entry(2, leased=True)])
    await store.settle(Settlement(finals=[delivered(entry(1).message)]))
    assert await store.scrub()
    for file in (path, f"{path}-wal"):
        assert b"a secret" not in await trio.Path(file).read_bytes()
    assert await states(store, 1, 2) == ["delivered", "queued"]


@pytest.mark.parametrize(("asks", "left"), [*SINGLE, (lambda s: s.find("acme", [], ["k2"]), 1)])
async def test_who_asks_for_single_messages_finds_them(
    store: SqliteStore,
    path: str,
    entry: MakeEntry,
    asks: Asks,
    left: int,
) -> None:
    await store.accept([entry(1, leased=True)])
    await store.accept([entry(2, key="k2", leased=True), entry(3, leased=True)])
    await store.settle(Settlement(sent=[sent(entry(2).message)]))
    await asks(store)
    assert rows(path, *TABLES).get("arrived", 0) == left  # of others nothing was asked


async def test_a_receipt_that_nobody_knows_leaves_chunks_alone(
    store: SqliteStore, path: str, entry: MakeEntry
) -> None:
    await store.accept([entry(n, leased=True) for n in (1, 2)])
    for n in (1, 2):
        await store.settle(Settlement(sent=[sent(entry(n).message)]))
    assert await store.match([Ref("alpha", "early"), Ref("beta", "other")]) == {}
    assert rows(path, *TABLES) == {"arrived": 1, "taken": 2}
    found = await store.match([Ref("alpha", "early"), Ref("alpha", "r1")])
    assert [match.message.id for match in found.values()] == [1]
    assert rows(path, *TABLES) == {"message": 2, "part": 1, "taken": 1}


async def test_who_asks_for_how_it_stands_finds_it_in_chunks(
    store: SqliteStore, path: str, clock: Clock, entry: MakeEntry
) -> None:
    await store.accept([entry(n, leased=True) for n in (1, 2)])
    await store.accept([entry(3, leased=True, category="otp")])
    await store.settle(Settlement(sent=[sent(entry(1).message)]))
    clock.now += 1
    await store.settle(Settlement(sent=[sent(entry(2).message)]))
    await store.settle(Settlement(sent=[sent(entry(3, category="otp").message)]))
    oldest = {(one.category, one.since) for one in await store.oldest(2e3)}
    assert oldest == {("transactional", 1_000.0), ("otp", 1_001.0)}
    assert rows(path, *TABLES) == {"arrived": 2, "taken": 3}
    await store.match([Ref("alpha", "r2")])  # has them shelved
    assert {(one.category, one.since) for one in await store.oldest(2e3)} == oldest


async def test_one_that_is_put_off_leaves_alone(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal, crash: Crashes
) -> None:
    await store.accept([entry(n, leased=True) for n in (1, 2, 3)])
    later = msgspec.structs.replace(entry(2).message, due=5e3, attempts=1, maybe_duplicate=True)
    await store.defer([later])
    assert rows(path, *TABLES) == {"arrived": 1, "message": 1}
    assert (await store.lease(LANE, 4e3, 10)).next_due == 5e3
    left = await crash.now()
    assert await states(left, 1, 2, 3) == ["queued", "deferred", "queued"]
    assert (await store.lease(LANE, 5e3, 10)).messages == [later]
    await store.settle(Settlement(finals=[delivered(entry(n).message) for n in (1, 3)]))
    assert rows(path, *TABLES) == {"message": 1}
    await store.settle(Settlement(finals=[delivered(later)]))
    assert rows(path, *TABLES) == {}


async def test_all_of_a_campaign_go_back_when_it_is_paused(
    store: SqliteStore, path: str, entry: MakeEntry
) -> None:
    spring = [entry(n, leased=True, campaign="spring") for n in (1, 2)]
    await store.accept(spring)
    await store.defer([one.message for one in spring])
    assert rows(path, *TABLES) == {"message": 2}
    assert await store.waiting_in("acme", "spring") == 2


async def test_one_that_is_marked_leaves_alone(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal, crash: Crashes
) -> None:
    await store.accept([entry(n, leased=True) for n in (1, 2)])
    marked = msgspec.structs.replace(entry(1).message, maybe_duplicate=True)
    await store.settle(Settlement(sent=[sent(marked), sent(entry(2).message)]))
    assert rows(path, *TABLES) == {"arrived": 1, "message": 1, "taken": 1}
    for one in (await crash.now(), store):
        found = await one.match([Ref("alpha", "r1"), Ref("alpha", "r2")])
        assert [m.message.maybe_duplicate for _, m in sorted(found.items())] == [True, False]
    ends = [delivered(m, refs=[Ref("alpha", f"r{m.id}")]) for m in (marked, entry(2).message)]
    await store.settle(Settlement(finals=ends))
    assert rows(path, *TABLES) == {}


async def test_what_receipts_have_said_of_a_long_message_is_kept(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal, crash: Crashes
) -> None:
    long = [entry(n, leased=True, parts=3) for n in (1, 2, 3)]
    await store.accept(long)
    taken = [Sent(one.message, "alpha", (f"r{one.message.id}", "x"), DEADLINE) for one in long]
    await store.settle(Settlement(sent=taken, progress=[Progress(1, 0, 2, 3)]))
    await store.settle(Settlement(progress=[Progress(2, 1, 2, 3), Progress(1, 1, 5, 3)]))
    assert rows(path, *TABLES) == {"arrived": 1, "taken": 1, "progress": 2}
    await store.settle(Settlement(finals=[delivered(long[1].message)]))
    assert rows(path, *TABLES) == {"arrived": 1, "taken": 1, "progress": 1}
    for one in (await crash.now(), store):
        found = await one.match([Ref("alpha", f"r{n}") for n in (1, 2, 3)])
        assert [m.states for _, m in sorted(found.items())] == [b"\2\5\0", b"\0\0\0"]
    assert rows(path, *TABLES) == {"message": 2, "part": 3}
    await store.settle(Settlement(progress=[Progress(3, 1, 2, 3)]))
    [match] = (await store.match([Ref("alpha", "r3")])).values()
    assert match.states == b"\0\2\0"


# --- crashes ---


async def test_after_a_crash_what_is_not_done_is_read_again(
    store: SqliteStore,
    clock: Clock,
    entry: MakeEntry,
    delivered: MakeFinal,
    crash: Crashes,
) -> None:
    await store.accept([entry(n, key=f"k{n}", leased=True) for n in (1, 2, 3, 4)])
    assert await waiting(await crash.now()) == {1: True, 2: True, 3: True, 4: True}
    await store.settle(Settlement(sent=[sent(entry(n).message) for n in (1, 2)]))
    left = await crash.now()
    assert await states(left, 1, 2, 3, 4) == ["sent", "sent", "queued", "queued"]
    assert await waiting(left) == {3: True, 4: True}
    await store.settle(Settlement(finals=[delivered(entry(n).message) for n in (1, 3)]))
    left = await crash.now()
    assert await states(left, 1, 2, 3, 4) == ["delivered", "sent", "delivered", "queued"]
    assert await waiting(left) == {4: True}
    assert (await left.settle(Settlement(finals=[delivered(entry(1).message)]))).passed_over == {1}
    assert set(await left.accept([entry(9, key="k1"), entry(8, key="k4")])) == {0, 1}
    await store.defer([entry(4).message])
    assert await waiting(await crash.now()) == {4: False}
    clock.now += chunks.AGE
    await store.settle(Settlement())  # shelves
    left = await crash.now()
    assert await states(left, 1, 2, 3, 4) == ["delivered", "sent", "delivered", "queued"]
    await store.settle(Settlement(finals=[delivered(entry(n).message) for n in (2, 4)]))
    left = await crash.now()
    assert await states(left, 1, 2, 3, 4) == ["delivered"] * 4
    assert [event["seq"] for event in decoded(await left.events("acme", 0, 10))] == [1, 2, 3, 4]


async def test_a_store_that_is_closed_in_order_marks_nothing(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(n, leased=True) for n in (1, 2)])
    await store.settle(Settlement(finals=[delivered(entry(1).message)]))
    await store.aclose()
    assert rows(path, *TABLES) == {"message": 1}
    await store.open()
    assert await waiting(store) == {2: False}


async def test_another_process_takes_over_what_is_in_chunks(
    store: SqliteStore, path: str, clock: Clock, entry: MakeEntry
) -> None:
    await store.accept([entry(1, leased=True)])
    await trio.Path(f"{path}.lock").unlink()
    other = SqliteStore(path, clock=clock)
    await other.open()
    assert await waiting(other) == {1: True}
    await other.aclose()


# --- calls that fail ---


async def test_what_was_not_accepted_is_in_no_chunk(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal
) -> None:
    allow = await refuse(path, "INSERT ON arrived")
    with pytest.raises(StoreError):
        await store.accept([entry(1, leased=True)])
    allow()
    assert (await store.settle(Settlement(finals=[delivered(entry(1).message)]))).passed_over == {1}
    await store.accept([entry(1, leased=True)])
    assert await states(store, 1) == ["queued"]


async def test_a_settlement_that_fails_can_be_made_again(
    store: SqliteStore, path: str, clock: Clock, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(n, leased=True, accepted_at=clock.now) for n in (1, 2)])
    settlement = Settlement(finals=[delivered(entry(1).message)])
    for later in (0.0, chunks.AGE):  # when it is to shelve the chunk, too
        clock.now += later
        allow = await refuse(path, "INSERT ON finished")
        with pytest.raises(StoreError):
            await store.settle(settlement)
        allow()
        assert rows(path, *TABLES) == {"arrived": 1}
    assert (await store.settle(settlement)).passed_over == frozenset()
    assert rows(path, *TABLES) == {"message": 1}
    assert (
        await store.settle(Settlement(finals=[delivered(entry(2).message)]))
    ).passed_over == frozenset()
    assert rows(path, *TABLES) == {}


async def test_a_chunk_is_not_gone_before_all_have_left_it(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(n, leased=True) for n in (1, 2)])
    allow = await refuse(path, "INSERT ON finished WHEN new.id = 1")
    failed = []

    async def settle(number: int) -> None:
        try:
            await store.settle(Settlement(finals=[delivered(entry(number).message)]))
        except StoreError:
            failed.append(number)

    async with trio.open_nursery() as nursery:
        for number in (1, 2):
            nursery.start_soon(settle, number)
    allow()
    assert failed == [1]
    assert rows(path, *TABLES) == {"arrived": 1}
    assert await states(store, 1, 2) == ["queued", "delivered"]
    await settle(1)
    assert rows(path, *TABLES) == {}


async def test_what_could_not_be_put_off_stays(
    store: SqliteStore, path: str, entry: MakeEntry
) -> None:
    await store.accept([entry(n, leased=True) for n in (1, 2)])
    allow = await refuse(path, "INSERT ON message")
    with pytest.raises(StoreError):
        await store.defer([entry(1).message])
    with pytest.raises(StoreError):
        await store.find("acme", [1], [])
    with pytest.raises(StoreError):
        await store.defer([entry(1).message])
    allow()
    await store.defer([entry(1).message])
    assert rows(path, *TABLES) == {"message": 2}
    assert await waiting(store) == {1: False}


# --- copies and earlier schemas ---


async def test_a_backup_has_what_is_in_chunks(
    store: SqliteStore, path: str, clock: Clock, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1), *(entry(n, leased=True) for n in (2, 3, 4))])
    await store.settle(Settlement(finals=[delivered(entry(2).message)]))
    await store.defer([entry(3).message])
    target = Path(path).with_name("copy.db")
    assert backup(path, target).messages == 3
    copy = SqliteStore(str(target), clock=clock)
    await copy.open()
    assert await waiting(copy) == {1: False, 3: False, 4: True}
    await copy.aclose()


async def test_a_store_without_chunks_goes_on(
    path: str, clock: Clock, entry: MakeEntry, delivered: MakeFinal
) -> None:
    connection = apsw.Connection(path)
    without = next(n for n, step in enumerate(schema.STEPS) if "TABLE arrived" in step)
    schema.migrate(connection, schema.STEPS[:without])
    encode = msgspec.msgpack.encode
    connection.execute(
        """INSERT INTO tenant (id, name) VALUES (1, 'acme');
        INSERT INTO lane VALUES (1, 'acme', 'transactional', 'uk', ''); UPDATE node SET clean = 0"""
    )
    for number in (1, 2):
        connection.execute(
            """INSERT INTO message (id, lane, state, due, expires, at, body)
            VALUES (?, 1, 1, 1000.0, 9e9, 0, ?)""",
            (number, encode(entry(number).message)),
        )
    taken = encode([(2, 1, DEADLINE, ("r2",))])
    connection.execute("INSERT INTO taken VALUES (7, 1000.0, ?)", (taken,))
    connection.close()
    store = SqliteStore(path, clock=clock)
    await store.open()
    assert await states(store, 1, 2) == ["queued", "sent"]
    assert await waiting(store) == {1: True}
    await store.accept([entry(3, leased=True)])
    finals = [delivered(entry(n).message) for n in (1, 2, 3)]
    assert (await store.settle(Settlement(finals=finals))).passed_over == frozenset()
    assert rows(path, *TABLES) == {"part": 1}
    await store.aclose()

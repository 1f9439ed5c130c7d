"""What waits in chunks: one row for many messages, split only where some of them part ways."""

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import apsw
import msgspec
import pytest

from gateway.errors import StoreError
from gateway.message import LaneKey, Message
from gateway.queue.operators import Which
from gateway.queue.sqlite import SqliteStore, backlog, schema
from gateway.queue.sqlite.backup import backup
from gateway.queue.store import Entry, Final, Oldest, Progress, Sent, Settlement
from tests.queue.contract.rig import LANE
from tests.queue.on_disk import Clock, rows

MakeEntry = Callable[..., Entry]
MakeFinal = Callable[..., Final]

SPRING = LANE._replace(campaign="spring")
TABLES = ("arrived", "backlog", "message", "taken", "progress")


async def crashed(path: str, clock: Clock) -> SqliteStore:
    """What a process that was killed now would leave, opened."""
    copy = f"{path}-crash"
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", f"{copy}{end}")
    store = SqliteStore(copy, clock=clock)
    await store.open()
    return store


async def leased(
    store: SqliteStore, now: float = 1e9, limit: int = 1_000, lane: LaneKey = LANE
) -> list[int]:
    return [m.id for m in (await store.lease(lane, now, limit)).messages]


async def states(store: SqliteStore, numbers: Sequence[int]) -> list[str | None]:
    """What the store says of messages: where they are, or their outcome."""
    records, _ = await store.find("acme", numbers, [])
    return [None if one is None else one.event.type if one.event else one.state for one in records]


def at(messages: Sequence[Message], due: float) -> list[Message]:
    return [msgspec.structs.replace(m, due=due) for m in messages]


async def test_what_waits_is_a_row_until_the_last_is_done(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal
) -> None:
    later = [entry(n, due=5_000.0) for n in range(11, 21)]
    await store.accept([*(entry(n) for n in range(1, 11)), *later, entry(21, route="fr")])
    assert rows(path, *TABLES) == {"backlog": 2, "message": 1}  # a single one would not gain by it
    lease = await store.lease(LANE, 1_000.0, 100)
    assert [m.id for m in lease.messages] == [*range(1, 11)]
    assert lease.next_due == 5_000.0
    await store.settle(Settlement(finals=[delivered(m) for m in lease.messages[:9]]))
    assert rows(path, *TABLES) == {"backlog": 2, "message": 1}
    await store.settle(Settlement(finals=[delivered(lease.messages[9])]))
    assert rows(path, *TABLES) == {"backlog": 1, "message": 1}
    assert await states(store, [1, 10, 11, 21]) == ["delivered", "delivered", "deferred", "queued"]


async def test_many_are_several_rows(store: SqliteStore, path: str, entry: MakeEntry) -> None:
    count = 2 * backlog.LARGEST + 10
    await store.accept([entry(n) for n in range(1, count + 1)])
    assert rows(path, *TABLES) == {"backlog": 3}
    assert await leased(store, limit=300) == [*range(1, 301)]
    assert await leased(store, limit=1_000) == [*range(301, count + 1)]


async def test_who_has_room_for_few_gets_few(
    store: SqliteStore, path: str, entry: MakeEntry
) -> None:
    await store.accept([entry(n) for n in range(1, 201)])
    found: list[int] = []
    while some := await leased(store, limit=16):
        assert len(some) <= 16
        found += some
    assert found == [*range(1, 201)]


async def test_the_longest_due_come_first_wherever_they_are(
    store: SqliteStore, entry: MakeEntry
) -> None:
    await store.accept([entry(n, due=1_010.0 + n // 5) for n in range(20)])
    await store.accept([entry(100, due=1_011.5), entry(101, due=1_012.0), entry(102, due=9e9)])
    lease = await store.lease(LANE, 1_050.0, 12)
    assert [m.id for m in lease.messages] == [*range(10), 100, 10]
    lease = await store.lease(LANE, 1_050.0, 12)
    assert [m.id for m in lease.messages] == [*range(11, 15), 101, *range(15, 20)]
    assert lease.next_due == 9e9


async def test_what_is_put_off_together_is_a_row_again(
    store: SqliteStore, path: str, entry: MakeEntry
) -> None:
    await store.accept([entry(n, leased=n > 10) for n in range(1, 21)])
    await leased(store)
    everything = [entry(n).message for n in range(1, 21)]
    await store.defer(at(everything, 7_000.0))
    assert rows(path, *TABLES) == {"backlog": 1}
    assert await leased(store, 6_999.0) == []
    assert await leased(store, 7_000.0) == [*range(1, 21)]
    assert await leased(store) == []


async def test_those_that_are_not_put_off_stay_where_they_were(
    store: SqliteStore, path: str, clock: Clock, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(n, leased=n > 10) for n in range(1, 21)])
    lease = (await store.lease(LANE, 1_000.0, 100)).messages
    others = [entry(n).message for n in range(11, 21)]
    await store.defer(at([*lease[:6], *others[:6]], 7_000.0))
    await store.settle(Settlement(finals=[delivered(lease[9])]))
    assert rows(path, *TABLES) == {"arrived": 1, "backlog": 2}
    other = await crashed(path, clock)
    marked = {m.id: m.maybe_duplicate for m in (await other.lease(LANE, 1e9, 100)).messages}
    put_off = [*range(1, 7), *range(11, 17)]
    assert marked == dict.fromkeys(put_off, False) | dict.fromkeys([7, 8, 9, *range(17, 21)], True)
    await other.aclose()
    await store.settle(Settlement(finals=[delivered(m) for m in [*lease[6:9], *others[6:]]]))
    assert rows(path, *TABLES) == {"backlog": 1}
    assert await leased(store) == put_off


async def test_one_whose_parts_are_partly_done_is_put_off_with_them(
    store: SqliteStore, path: str, entry: MakeEntry
) -> None:
    entries = [entry(n, leased=True, parts=2) for n in range(1, 9)]
    await store.accept(entries)
    await store.settle(Settlement(progress=[Progress(3, 0, 2, 2)]))
    await store.defer(at([one.message for one in entries], 7_000.0))
    assert rows(path, *TABLES) == {"backlog": 1, "message": 1}
    assert await leased(store) == [*range(1, 9)]


async def test_a_call_that_fails_changes_nothing(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(n) for n in range(1, 11)])
    other = apsw.Connection(path)
    other.execute("CREATE TRIGGER no BEFORE UPDATE ON backlog BEGIN SELECT raise(ABORT, 'x'); END")
    with pytest.raises(StoreError):
        await store.lease(LANE, 1_000.0, 100)
    other.execute("DROP TRIGGER no")
    assert await leased(store) == [*range(1, 11)]
    other.execute("CREATE TRIGGER no BEFORE INSERT ON backlog BEGIN SELECT raise(ABORT, 'x'); END")
    everything = [entry(n).message for n in range(1, 11)]
    with pytest.raises(StoreError):
        await store.defer(at(everything, 7_000.0))
    other.execute("DROP TRIGGER no")
    other.close()
    assert await leased(store) == []
    await store.settle(Settlement(finals=[delivered(m) for m in everything[:5]]))
    await store.defer(at(everything[5:], 7_000.0))
    assert await leased(store) == [*range(6, 11)]


async def test_single_ones_are_found_and_cancelled(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal
) -> None:
    for start in range(0, 1_000, 100):
        # Two queues whose numbers lie between one another.
        await store.accept(
            [
                entry(start + n, key=f"k{start + n}", campaign="spring" if n % 2 else None)
                for n in range(1, 101)
            ]
        )
    assert rows(path, *TABLES) == {"backlog": 20}
    assert await states(store, [1, 500, 1_000, 1_001]) == ["queued", "queued", "queued", None]
    _, [by_key] = await store.find("acme", [], ["k777"])
    assert by_key is not None
    assert by_key.number == 777
    assert (await store.find("b", [1], []))[0] == [None]
    assert await store.lease_ids("b", [1, 2]) == []
    [cancelled] = await store.lease_ids("acme", [500])
    await store.settle(Settlement(finals=[delivered(cancelled)]))
    assert rows(path, *TABLES) == {"backlog": 20}
    assert await states(store, [498, 500, 502]) == ["queued", "delivered", "queued"]
    assert len(await leased(store, lane=LANE)) == 499
    # Leased, they are found too, and what has left is not.
    assert await store.find_any(499) is not None
    assert await states(store, [2, 500]) == ["queued", "delivered"]


async def test_some_of_a_campaign_are_cancelled(
    store: SqliteStore, path: str, entry: MakeEntry
) -> None:
    for start in (0, 100):
        await store.accept([entry(start + n, campaign="spring") for n in range(1, 101)])
    assert await store.waiting_in("acme", "spring") == 200
    assert await store.waiting_in("acme", "spring", 130) == 130
    assert await store.waiting_where(Which("acme"), 130) == 130
    taken = await store.lease_campaign("acme", "spring", 130, 120)
    taken += await store.lease_campaign("acme", "spring", 130, 120)
    assert sorted(m.id for m in taken) == [*range(1, 131)]
    assert await store.lease_campaign("acme", "spring", 130, 120) == []
    assert len(await store.lease_where(Which("acme"), 150, 1_000)) == 20
    assert await store.waiting_where(Which(campaign="spring")) == 50
    assert await leased(store, lane=SPRING) == [*range(151, 201)]


async def test_those_expire_whose_time_is_over(
    store: SqliteStore, path: str, entry: MakeEntry
) -> None:
    await store.accept(
        [entry(n, campaign="spring", expires_at=2_000.0 + n // 10) for n in range(40)]
    )
    assert await store.expired(1_999.0, 100) == []
    assert [m.id for m in await store.expired(2_000.0, 100)] == [*range(10)]
    await store.extend("acme", "spring", 100.0)
    assert await store.expired(2_050.0, 100) == []
    assert [m.id for m in await store.expired(2_102.0, 15)] == [*range(10, 25)]
    assert [m.id for m in await store.expired(2_102.0, 15)] == [*range(25, 30)]
    [record], _ = await store.find("acme", [39], [])
    assert record is not None
    assert record.message is not None
    assert record.message.expires_at == 2_103.0


async def test_a_clock_that_was_set_back_holds_up_nothing(
    store: SqliteStore, entry: MakeEntry
) -> None:
    await store.accept([entry(n, accepted_at=5_000.0, due=5_000.0) for n in range(1, 6)])
    await store.accept([entry(n, accepted_at=5_000.0, due=9_000.0) for n in range(6, 11)])
    await store.hasten(2_000.0, 60.0)
    assert await leased(store, 2_000.0) == [1, 2, 3, 4, 5]
    assert await leased(store, 9_000.0) == [6, 7, 8, 9, 10]


async def test_what_waits_is_counted(
    store: SqliteStore, path: str, clock: Clock, tmp_path: Path, entry: MakeEntry
) -> None:
    await store.accept([entry(n, campaign="spring") for n in range(1, 11)])
    await store.accept([entry(n, campaign="spring", due=9_000.0) for n in range(11, 31)])
    [count] = await store.waiting(2_000.0)
    assert (count.lane, count.due, count.later, count.parts) == (SPRING, 10, 20, 30)
    assert (count.since, count.next_due) == (1_000.0, 9_000.0)
    assert await store.oldest(2_000.0) == [Oldest("acme", "transactional", "waiting", 1_000.0)]
    await leased(store, 2_000.0, lane=SPRING)
    assert await store.oldest(2_000.0) == []
    target = tmp_path / "backup.db"
    assert backup(path, target).messages == 30
    other = await crashed(path, clock)
    assert sum(one.later + one.due for one in await other.waiting(2_000.0)) == 30
    await other.aclose()


async def test_recovery_tells_of_what_waits(path: str, clock: Clock, entry: MakeEntry) -> None:
    store = SqliteStore(path, clock=clock)
    await store.open()
    await store.accept([entry(n, due=1_000.0 + n) for n in range(1, 6)])
    await store.accept([entry(n, due=9_000.0) for n in range(6, 26)])
    await leased(store, 9_000.0, limit=10)
    await store.aclose()
    again = SqliteStore(path, clock=clock)
    recovery = await again.open()
    assert recovery.lanes == {LANE: 1_001.0}
    assert {(one.state, one.messages) for one in recovery.counts} == {("deferred", 25)}
    await again.accept([entry(n) for n in range(26, 36)])
    assert len(await leased(again)) == 35
    await again.aclose()


async def test_what_is_old_keeps_its_key(
    store: SqliteStore, path: str, clock: Clock, entry: MakeEntry
) -> None:
    await store.accept([entry(n, key=f"k{n}", due=9e8, expires_at=1e9) for n in range(1, 11)])
    clock.now = 1_000_000.0
    while await store.prune(900_000.0, 1_000):
        pass
    assert sorted(await store.known("acme", [f"k{n}" for n in range(1, 11)])) == sorted(
        f"k{n}" for n in range(1, 11)
    )
    assert rows(path, *TABLES) == {"message": 10}
    assert await states(store, [1, 10]) == ["deferred", "deferred"]


async def test_phones_are_found_and_nothing_of_the_cancelled_stays(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal
) -> None:
    phone = "447911999999"
    await store.accept([entry(n, to=phone if n == 7 else "447911123456") for n in range(1, 11)])
    [(tenant, record)] = (await store.search([phone], None, 10)).records
    assert (tenant, record.number, record.state) == ("acme", 7, "queued")
    found, following = await store.live_to([phone])
    assert ([one.number for _, one in found], following) == ([7], None)
    [taken] = await store.lease_ids("acme", [7])
    await store.settle(Settlement(finals=[delivered(taken)]))
    connection = apsw.Connection(path)
    assert not connection.execute(
        "SELECT count(*) FROM backlog WHERE instr(body, CAST(? AS BLOB))", (phone,)
    ).get
    connection.close()


async def test_what_waits_can_be_ended_and_sent_unleased(
    store: SqliteStore, path: str, clock: Clock, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(n) for n in range(1, 11)])
    three, four = entry(3).message, entry(4).message
    await store.settle(
        Settlement(sent=[Sent(four, "alpha", ("r4",), 9e8)], finals=[delivered(three)])
    )
    assert await states(store, [3, 4, 5]) == ["delivered", "sent", "queued"]
    again = await store.settle(Settlement(finals=[delivered(three)]))
    assert again.passed_over == {3}
    assert await leased(store) == [1, 2, *range(5, 11)]


async def test_a_store_of_before_is_drained(
    path: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    entry: MakeEntry,
    delivered: MakeFinal,
) -> None:
    old = SqliteStore(path, clock=clock)
    with monkeypatch.context() as before:
        before.setattr(backlog, "SMALLEST", 1_000)
        await old.open()
        await old.accept([entry(n) for n in range(1, 11)])
        await old.aclose()
    connection = apsw.Connection(path)
    step = next(n for n, text in enumerate(schema.STEPS) if "CREATE TABLE backlog" in text)
    for table in re.findall(r"CREATE TABLE (\w+)", "".join(schema.STEPS[step:])):
        connection.execute(f"DROP TABLE {table}")
    connection.pragma("user_version", step)
    connection.close()
    store = SqliteStore(path, clock=clock)
    await store.open()
    await store.accept([entry(n) for n in range(11, 21)])
    assert rows(path, *TABLES) == {"backlog": 1, "message": 10}
    while lease := (await store.lease(LANE, 1_000.0, 3)).messages:
        await store.settle(Settlement(finals=[delivered(m) for m in lease]))
    assert rows(path, *TABLES) == {}
    assert await states(store, [1, 20]) == ["delivered", "delivered"]
    await store.aclose()

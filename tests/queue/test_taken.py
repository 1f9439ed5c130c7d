"""Messages between their response and their receipt: one row for many, and found all the same."""

import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from gateway.errors import StoreError
from gateway.queue import chunks
from gateway.queue.sqlite import SqliteStore
from gateway.queue.store import Entry, Final, Ref, Sent, Settlement
from tests.queue.on_disk import Clock

MakeEntry = Callable[..., Entry]
MakeFinal = Callable[..., Final]

DEADLINE = 9e8


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = 1e6
    return clock


def rows(path: str) -> dict[str, int]:
    """What the file has, for others to see."""
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    counts = {
        table: next(iter(connection.execute(f"SELECT count(*) FROM {table}")))[0]
        for table in ("message", "part", "taken")
    }
    connection.close()
    return counts


async def take(
    store: SqliteStore, entry: MakeEntry, *numbers: int, deadline: float = DEADLINE
) -> None:
    """Accept messages, and have a carrier take them."""
    await store.accept([entry(n, leased=True, accepted_at=1e6) for n in numbers])
    sent = [Sent(entry(n).message, "alpha", (f"r{n}", f"s{n}"), deadline) for n in numbers]
    await store.settle(Settlement(sent=sent))


async def test_what_has_its_receipt_soon_has_no_row_of_its_own(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await take(store, entry, 1, 2)
    assert rows(path) == {"message": 0, "part": 0, "taken": 1}
    gone = (Ref("alpha", "r1"), Ref("alpha", "s1"))
    await store.settle(Settlement(finals=[delivered(entry(1).message, refs=gone)]))
    assert rows(path) == {"message": 0, "part": 0, "taken": 1}
    await store.settle(Settlement(finals=[delivered(entry(2).message)]))
    assert rows(path) == {"message": 0, "part": 0, "taken": 0}


async def test_what_waits_longer_gets_its_rows(
    store: SqliteStore, path: str, clock: Clock, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await take(store, entry, 1, 2)
    await take(store, entry, 3)
    await store.settle(Settlement(finals=[delivered(entry(1).message)]))
    clock.now += chunks.AGE
    await take(store, entry, 4)
    assert rows(path) == {"message": 3, "part": 4, "taken": 1}
    gone = (Ref("alpha", "r2"), Ref("alpha", "s2"))
    await store.settle(Settlement(finals=[delivered(entry(2).message, refs=gone)]))
    assert rows(path) == {"message": 2, "part": 2, "taken": 1}


async def test_too_many_are_not_kept(
    store: SqliteStore, path: str, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MOST", 3)
    for number in range(1, 6):
        await take(store, entry, number)
    assert rows(path) == {"message": 2, "part": 4, "taken": 3}


async def test_a_receipt_finds_its_part(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await take(store, entry, 1, 2)
    found = await store.match([Ref("alpha", "s2"), Ref("alpha", "x")])
    [(ref, match)] = found.items()
    assert (ref.ref, match.message.id, match.part) == ("s2", 2, 1)
    assert match.sent_at == 1e6
    assert rows(path) == {"message": 2, "part": 4, "taken": 0}
    gone = (Ref("alpha", "r2"), Ref("alpha", "s2"))
    await store.settle(Settlement(finals=[delivered(entry(2).message, refs=gone)]))
    assert rows(path) == {"message": 1, "part": 2, "taken": 0}


async def test_a_deadline_that_passes(store: SqliteStore, clock: Clock, entry: MakeEntry) -> None:
    await take(store, entry, 1, deadline=clock.now + 5)
    await take(store, entry, 2)
    assert await store.overdue(clock.now + 4, 10) == []
    assert [one.message.id for one in await store.overdue(clock.now + 5, 10)] == [1]


async def test_it_is_leased_to_nobody_any_more(store: SqliteStore, entry: MakeEntry) -> None:
    await store.accept([entry(5, leased=True)])
    await take(store, entry, 1, 2)
    assert await store.leased(0, 10) == (1, [5])
    await take(store, entry, 3)
    assert await store.put_back([2, 3, 5]) != []
    [[two, three, five], _] = await store.find("acme", [2, 3, 5], [])
    assert [one and one.state for one in (two, three, five)] == ["sent", "sent", "queued"]


async def test_it_is_said_to_be_sent(store: SqliteStore, entry: MakeEntry) -> None:
    await take(store, entry, 1)
    [[record], _] = await store.find("acme", [1], [])
    assert record is not None
    assert (record.state, record.updated_at) == ("sent", 1e6)
    [oldest] = await store.oldest(2e6)
    assert (oldest.place, oldest.since) == ("sent", 1e6)


@pytest.mark.parametrize("in_order", [True, False])
async def test_after_a_restart_it_is_not_sent_again(
    path: str, tmp_path: Path, clock: Clock, entry: MakeEntry, delivered: MakeFinal, in_order: bool
) -> None:
    store = SqliteStore(path, clock=clock)
    await store.open()
    await take(store, entry, 1, 2, 3)
    await store.settle(Settlement(finals=[delivered(entry(2).message)]))
    if in_order:
        await store.aclose()
        left = SqliteStore(path, clock=clock)
    else:
        for name in (path, f"{path}-wal"):
            shutil.copy(name, (tmp_path / "crash").with_suffix(Path(name).suffix))
        left = SqliteStore(str(tmp_path / "crash.db"), clock=clock)
        await store.aclose()
    recovery = await left.open()
    assert recovery.lanes == {}
    assert [(one.state, one.messages) for one in recovery.counts] == [("sent", 2)]
    found = await left.match([Ref("alpha", f"r{n}") for n in (1, 2, 3)])
    assert sorted(match.message.id for match in found.values()) == [1, 3]
    assert not any(match.message.maybe_duplicate for match in found.values())
    await left.aclose()


async def test_a_settlement_that_fails_is_made_again(
    store: SqliteStore, path: str, clock: Clock, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await take(store, entry, 1, 2)
    await take(store, entry, 3)
    clock.now += chunks.AGE
    await store.accept([entry(4, leased=True)])
    settlement = Settlement(
        sent=[Sent(entry(4).message, "alpha", ("r4",), DEADLINE)],
        finals=[delivered(entry(3).message)],
    )
    other = apsw.Connection(path)
    other.execute("CREATE TRIGGER no BEFORE INSERT ON taken BEGIN SELECT raise(ABORT, 'x'); END")
    with pytest.raises(StoreError):
        await store.settle(settlement)
    other.execute("DROP TRIGGER no")
    other.close()
    assert rows(path) == {"message": 0, "part": 0, "taken": 2}
    await store.settle(settlement)
    assert rows(path) == {"message": 3, "part": 4, "taken": 1}
    assert len(await store.match([Ref("alpha", "r1"), Ref("alpha", "s2"), Ref("alpha", "r4")])) == 3

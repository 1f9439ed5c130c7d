"""What counts against caps and was accepted of late: in memory, and put away into rows."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
import trio

from gateway.errors import StoreError
from gateway.facts import USES, Use
from gateway.message import Counted, Event, Message, message_id
from gateway.queue.sqlite import SqliteStore, reserved, uses
from gateway.queue.sqlite.reserved import Reservations, Reserved
from gateway.queue.store import Entry, Final, Overtaken, Sent, Settlement

PHONE, OTHER = "447911123456", "447911123457"
DAILY = Counted(-7, 86_400)
NOW = 1_000.0

MakeEntry = Callable[..., Entry]


@pytest.fixture
async def store(path: str) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, clock=lambda: NOW)
    await store.open()
    yield store
    await store.aclose()


async def counting(store: SqliteStore, *phones: str) -> dict[str, list[Use]]:
    found = await store.facts("acme", phones or (PHONE, OTHER), USES)
    return {phone: sorted(known) for phone, known in found.uses.items()}


def sent(*messages: Message) -> Settlement:
    return Settlement(sent=[Sent(m, "alpha", (f"r{m.id}",), 9_000.0) for m in messages])


def cancelled(message: Message) -> Settlement:
    event = Event("cancelled", NOW, message_id(message.id))
    return Settlement(finals=[Final(message, event)])


async def seen(store: SqliteStore, phone: str) -> dict[str, frozenset[int]]:
    known = await counting(store, phone)
    return {of: frozenset(use.message for use in some) for of, some in known.items()}


def rows(path: str, table: str) -> list[Any]:
    with closing(apsw.Connection(path)) as connection:
        return list(connection.execute(f"SELECT * FROM {table}"))


async def test_what_is_on_its_way_is_heeded_when_it_is_put_away(
    store: SqliteStore, path: str, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserved, "KEPT", 0)
    one, two = entry(1, counted=(DAILY,)), entry(2, to=OTHER, counted=(DAILY,))
    await store.accept([one, two], {})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.settle, sent(one.message))
        nursery.start_soon(store.settle, cancelled(two.message))
        await trio.testing.wait_all_tasks_blocked()
        await store.accept([entry(3, to="447911123458", counted=(DAILY,))], {})
    assert await counting(store) == {PHONE: [Use(-7, NOW, 1, True)]}
    assert [row[2] for row in rows(path, "use")] == [1]
    # It counts from then whatever becomes of it, and is a row like any.
    await store.settle(cancelled(one.message))
    assert await counting(store) == {PHONE: [Use(-7, NOW, 1, True)]}
    with pytest.raises(Overtaken):
        await store.accept([entry(4, counted=(DAILY,))], {})
    await store.accept([entry(5, counted=(DAILY,))], await seen(store, PHONE))
    assert [use.message for use in (await counting(store))[PHONE]] == [1, 5]


async def test_what_is_put_away_goes_on(
    store: SqliteStore, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserved, "KEPT", 0)
    one, two = entry(1, counted=(DAILY,)), entry(2, to=OTHER, counted=(DAILY,))
    await store.accept([one], {})
    await store.accept([two], {})
    await store.accept([entry(3, to="447911123458", counted=(DAILY,))], {})
    assert await counting(store) == {
        PHONE: [Use(-7, NOW, 1, False)],
        OTHER: [Use(-7, NOW, 2, False)],
    }
    await store.settle(sent(one.message))
    await store.settle(cancelled(two.message))
    assert await counting(store) == {PHONE: [Use(-7, NOW, 1, True)]}


async def test_a_crash_loses_nothing_at_any_point(
    store: SqliteStore, path: str, tmp_path: Path, entry: MakeEntry
) -> None:
    messages = [entry(n, to=f"44791112345{n}", counted=(DAILY,)) for n in range(1, 5)]
    await store.accept(messages, {})
    await store.settle(sent(messages[0].message))
    await store.settle(cancelled(messages[1].message))
    await store.settle(sent(messages[2].message))
    await store.settle(cancelled(messages[2].message))
    phones = [one.message.to for one in messages]
    expected = await counting(store, *phones)
    assert sorted(expected) == [phones[0], phones[2], phones[3]]
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("store.db", "store.db-wal"):
        shutil.copy(tmp_path / name, copy / name)
    survivor = SqliteStore(str(copy / "store.db"), clock=lambda: NOW)
    await survivor.open()
    assert await counting(survivor, *phones) == expected
    await survivor.aclose()
    assert rows(str(copy / "store.db"), "reserved") == []
    assert rows(str(copy / "store.db"), "spent") == []


async def test_what_cannot_be_put_away_stays(
    store: SqliteStore, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    one, two = entry(1, counted=(DAILY,)), entry(2, to=OTHER, counted=(DAILY,))
    await store.accept([one], {})
    with monkeypatch.context() as patch:
        patch.setattr(reserved, "KEPT", 0)
        patch.setattr(reserved, "_write", full)
        with pytest.raises(StoreError, match="full"):
            await store.accept([two], {})
        assert await counting(store) == {PHONE: [Use(-7, NOW, 1, False)]}
        await store.settle(sent(one.message))
    monkeypatch.setattr(reserved, "KEPT", 0)
    await store.accept([two], {})
    assert await counting(store) == {
        PHONE: [Use(-7, NOW, 1, True)],
        OTHER: [Use(-7, NOW, 2, False)],
    }


async def test_what_is_told_by_nobody_any_more_is_deleted(
    store: SqliteStore, path: str, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserved, "KEPT", 0)
    for n in range(1, 8):
        one = entry(n, to=f"44791112345{n}", counted=(DAILY,))
        await store.accept([one], {})
        await store.settle(sent(one.message) if n % 2 else cancelled(one.message))
    assert len(rows(path, "reserved")) == 1
    assert len(rows(path, "spent")) <= 2
    assert [row[2] for row in rows(path, "use")] == [1, 3, 5]


def test_a_call_that_fails_leaves_nothing() -> None:
    known = Reservations()
    some = [Reserved(1, PHONE, 1, NOW, (DAILY,)), Reserved(1, PHONE, 2, NOW, (DAILY,))]
    number = known.reserve(some)
    assert known.of(1, [PHONE]) == {}, "it is not committed"
    assert known.overtake(some[:1], {})
    assert known.away(0) is None
    known.refused(number)
    assert not known.overtake(some[:1], {})
    number = known.reserve(some)
    known.accepted(number, {2})
    assert known.of(1, [PHONE]) == {PHONE: [Use(-7, NOW, 1, False)]}
    assert known.of(2, [PHONE]) == {}
    assert not known.overtake([Reserved(2, PHONE, 9, NOW, (DAILY,))], {})


async def test_the_filter_of_phones_is_as_large_as_its_table(
    store: SqliteStore, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    phones = uses.Phones()
    phones.include([PHONE])
    assert phones.maybe({PHONE, OTHER}) >= {PHONE}
    assert not phones.is_wide(0)
    phones.include([f"44{n}" for n in range(300_000)])
    assert phones.is_wide(10_000)
    assert not phones.is_wide(300_000)
    monkeypatch.setattr(reserved, "KEPT", 0)
    await store.accept([entry(1, counted=(DAILY,))], {})
    await store.accept([entry(2, to=OTHER, counted=(DAILY,))], {})
    monkeypatch.setattr(uses.Phones, "is_wide", lambda *_: True)
    while await store.prune(0.0, 1_000):
        pass
    assert sorted(await counting(store)) == [PHONE, OTHER]

"""What is erased is gone from the files too: the digits, the texts and the keys."""

from pathlib import Path

import pytest

from gateway.message import Event, Message, message_id
from gateway.queue.consents import Consent
from gateway.queue.sqlite import engine
from gateway.queue.sqlite.store import SqliteStore
from gateway.queue.store import Entry, Final, Notice, OptoutChange, Refused, Settlement

PHONE, OTHER = "447400123456", "447400654321"
SECRET = "meet me at the station"


def message(number: int, to: str, text: str) -> Message:
    return Message(
        number,
        "acme",
        to,
        "1",
        text,
        "otp",
        "r",
        "gsm7",
        1,
        1.0,
        1.0,
        9e9,
        key=f"for-{to}-{number}",
    )


async def fill(store: SqliteStore, person: bool) -> None:
    """Messages come and go, hundreds at a time, so that pages are used, freed and used again."""
    for batch in range(12):
        first = batch * 200 + 1
        made = [
            message(first + at, PHONE, SECRET)
            if person and at % 7 == 0
            else message(first + at, OTHER, f"text {at}")
            for at in range(200)
        ]
        await store.accept([Entry(one, 1, leased=True) for one in made])
        await store.settle(
            Settlement(
                finals=[
                    Final(
                        one, Event("delivered", 2.0, message_id(one.id), one.key, one.to)
                    )
                    for one in made
                ],
                notices=[
                    Notice("acme", Event("inbound", 2.0, sender=PHONE, to="1", text=SECRET))
                ] * person,
            )
        )  # fmt: skip


@pytest.mark.parametrize("opted_out", [False, True])
async def test_nothing_is_in_the_files(tmp_path: Path, opted_out: bool) -> None:
    path = tmp_path / "gateway.db"
    store = SqliteStore(str(path), synchronous="normal", clock=lambda: 3.0)
    await store.open()
    await fill(store, person=True)
    ended, other = message(5_001, PHONE, SECRET), message(5_002, OTHER, "still there")
    await store.accept([Entry(one, 1, leased=True) for one in (ended, other)])
    told = Event("delivered", 2.0, message_id(ended.id), ended.key, ended.to)
    await store.settle(Settlement(finals=[Final(ended, told)]))
    await store.consent([Consent("acme", PHONE, "m", "given", 1.0, "form", SECRET, None)])
    await store.refuse([Refused("acme", PHONE, "k", 1.0, "too_long", None, SECRET, "")])
    if opted_out:
        await store.optout([OptoutChange("acme", PHONE, True, "keyword", 1.0, "m", SECRET)])
    files = [path, path.with_name("gateway.db-wal")]
    assert any(PHONE.encode() in one.read_bytes() for one in files)
    after: int | None = 0
    while after is not None:
        _, after = await store.erase_events("acme", {PHONE}, after)
    await store.erase_records(None, {PHONE})
    assert await store.scrub()
    for one in files:
        content = one.read_bytes()
        assert SECRET.encode() not in content
        assert content.count(PHONE.encode()) == (opted_out and one == path)
        assert f"for-{PHONE}".encode() not in content
    assert OTHER.encode() in path.read_bytes()
    facts = await store.facts("acme", [PHONE], frozenset({"optouts"}))
    assert facts.opted_out == ({PHONE} if opted_out else set())
    assert await store.accept([Entry(message(999_999, OTHER, "hi"), 1, leased=True)]) == {}
    await store.aclose()


async def test_a_file_that_is_too_large_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "REWRITTEN", 10)
    store = SqliteStore(str(tmp_path / "gateway.db"), synchronous="normal")
    await store.open()
    await fill(store, person=False)
    assert not await store.scrub()
    await store.aclose()

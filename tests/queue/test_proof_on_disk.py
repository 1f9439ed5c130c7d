"""What the proof of a message takes on disk: at most 120 bytes in the usual case."""

from pathlib import Path

import apsw

from gateway.message import Event, Handed, Message, Submission, message_id
from gateway.queue.sqlite.store import SqliteStore
from gateway.queue.store import Entry, Final, Settlement

MESSAGES = 20_000
MOST = 120.0
FIRST = 0x19ABC5E9C0000001
AT = 1.8e9


def entry(number: int) -> Entry:
    message = Message(
        id=FIRST + number * 1024,
        tenant="acme",
        to=f"4474{number:08}",
        sender="10690001",
        text="Your parcel is here.",
        category="transactional",
        route="all",
        encoding="gsm7",
        parts=1,
        accepted_at=AT,
        due=AT,
        expires_at=AT + 86_400,
        key=f"order-{number}",
        config="5f1d2c83a0b9",
    )
    return Entry(message, number, leased=True)


def delivered(message: Message, number: int) -> Final:
    """By its one receipt."""
    ref = f"{number:020}"
    event = Event("delivered", AT, message_id(message.id), message.key, message.to)
    return Final(message, event, (), Submission(Handed(AT, "alpha", "alpha-1"), AT, [ref]))


async def test_a_message_that_goes_at_once_takes_120_bytes(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "gateway.db"), synchronous="normal")
    await store.open()
    for start in range(0, MESSAGES, 1_000):
        entries = [entry(number) for number in range(start, start + 1_000)]
        await store.accept(entries)
        finals = [delivered(one.message, start + at) for at, one in enumerate(entries)]
        await store.settle(Settlement(finals=finals))
    await store.aclose()
    connection = apsw.Connection(str(tmp_path / "gateway.db"))
    pages = "SELECT sum(pgsize) FROM dbstat WHERE name = 'finished'"
    [[size]] = connection.execute(pages)
    assert size / MESSAGES <= MOST

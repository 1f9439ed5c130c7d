"""Messages and entries to store, and a file to store them in."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.message import Event, Message, message_id
from gateway.queue.sqlite import SqliteStore
from gateway.queue.store import Entry, Final
from tests.queue.on_disk import Clock

TEMPLATE = Message(
    id=1,
    tenant="acme",
    to="447911123456",
    sender="10690001",
    text="Your table is ready — see you soon",
    category="transactional",
    route="uk",
    encoding="ucs2",
    parts=1,
    accepted_at=1_000.0,
    due=1_000.0,
    expires_at=87_400.0,
)


@pytest.fixture
def message() -> Callable[..., Message]:
    """Makes a message: ``message(7, due=1_010.0)``."""

    def make(number: int, **fields: Any) -> Message:
        return msgspec.structs.replace(TEMPLATE, id=number, **fields)

    return make


@pytest.fixture
def entry(message: Callable[..., Message]) -> Callable[..., Entry]:
    """Makes an entry that waits: ``entry(7, key="k")``; ``leased`` and ``digest`` are its own."""

    def make(number: int, *, digest: int = 1, leased: bool = False, **fields: Any) -> Entry:
        return Entry(message(number, **fields), digest, leased)

    return make


@pytest.fixture
def delivered() -> Callable[..., Final]:
    """Makes the final of a message: ``delivered(m, at=1_020.0, refs=(…))``."""

    def make(m: Message, at: float = 1_010.0, refs: Any = ()) -> Final:
        event = Event(
            "delivered", at, message_id(m.id), m.key, m.to, campaign=m.campaign, parts=m.parts
        )
        return Final(m, event, refs)

    return make


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Of a file that is not there yet."""
    return str(tmp_path / "store.db")


@pytest.fixture
async def store(path: str, clock: Clock) -> AsyncIterator[SqliteStore]:
    """A store in that file, open."""
    store = SqliteStore(path, clock=clock)
    await store.open()
    yield store
    await store.aclose()

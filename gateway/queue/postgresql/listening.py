"""How nodes tell one another that there is something to hear: each has a connection of its own on
which it listens, and on which it tells what it has committed.

A NOTIFY holds a lock of the whole cluster until its commit is over. So it is in no transaction that
does something, but in one of its own, which waits for no disk, at most every `SPACING` seconds,
however many have done something meanwhile. Nothing depends on it: what nobody was told of is found
by looking (`gateway.queue.postgresql.following`).
"""

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec
import psycopg
import trio

from gateway.errors import StoreError
from gateway.queue.postgresql.connecting import Connected

SPACING: Final = 0.02
"""Seconds between two times that a node tells something, and between two that it hears."""

RETRY: Final = 0.5
"""Seconds between attempts to listen."""

MOST: Final = 7_900
"""Octets that one NOTIFY has at most, a little less than PostgreSQL allows."""

_CHANNEL: Final = "gateway"

_NOTIFY: Final = b"SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, %s)"


class News(msgspec.Struct, omit_defaults=True):
    """What a node has committed that may concern others.

    Attributes:
        arrived, passed_on: the shards for which messages have come, and what their phones say.
        seqs: the last ``seq`` of tenants that have new events.
        newest: the highest message number that was accepted.
        rates: what is wanted of rates is another.
        shares: shards or slots were given up, or there is something else to be shared.
        wanted: a carrier's ids of parts that somebody looks for: put on record what has them.
        others: something else: look.
    """

    arrived: int = 0
    passed_on: int = 0
    seqs: dict[str, int] = {}
    newest: int = 0
    rates: bool = False
    shares: bool = False
    wanted: set[str] = set()
    others: bool = False

    def __bool__(self) -> bool:
        """Whether anything is to be told: a number alone can wait."""
        return self != News(newest=self.newest)

    def add(self, more: "News") -> None:
        """This was committed later."""
        self.arrived |= more.arrived
        self.passed_on |= more.passed_on
        self.seqs |= more.seqs
        self.newest = max(self.newest, more.newest)
        self.rates |= more.rates
        self.shares |= more.shares
        self.wanted |= more.wanted
        self.others |= more.others


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(News).decode


def encoded(news: News) -> str:
    """What is told. Where that is too long, everybody has to look."""
    text = _encode(news)
    if len(text) > MOST:
        text = _encode(msgspec.structs.replace(news, seqs={}, wanted=set(), others=True))
    return text.decode()


def decoded(text: str) -> News:
    """What was told; where that is not understood, there is something to look for."""
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return News(others=True)


class Listener:
    """The listening connection of a node, and the thread that has it.

    Attributes:
        listening: whether what is told now will be heard.

    Args:
        connect: makes the connection.
    """

    def __init__(self, connect: Callable[[], Connected]) -> None:
        self.listening = False
        self._connect = connect
        self._heard = News()
        self._event = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        self._gone = trio.Event()
        self._lock = threading.Lock()
        self._to_tell = News()
        self._ended = self._anew = False
        self._told_at = 0.0
        self._bell, self._push = socket.socketpair()
        for end in (self._bell, self._push):
            end.setblocking(False)
        threading.Thread(target=self._main, name="store-listener", daemon=True).start()

    def tell(self, news: News) -> None:
        """Have others hear of what was committed; called in any thread."""
        with self._lock:
            idle = not self._to_tell
            self._to_tell.add(news)
        if idle and news:
            self._ring()

    def wake(self) -> None:
        """Have whoever waits go on."""
        self._event.set()

    async def wait(self) -> None:
        """Wait until others have told something, which `take` gives."""
        await self._event.wait()

    def take(self) -> News:
        """What others have told since this was asked."""
        self._event = trio.Event()
        heard, self._heard = self._heard, News()
        return heard

    def again(self) -> None:
        """Listen on another connection: another server leads. Called in any thread."""
        self._anew = True
        self._ring()

    async def aclose(self) -> None:
        """End the thread, and close the connection."""
        self._ended = True
        self._ring()
        with trio.CancelScope(shield=True):
            await self._gone.wait()
        self._bell.close()
        self._push.close()

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it has been rung often enough
            self._push.send(b"\0")

    # --- in the thread ---

    def _main(self) -> None:
        while not self._ended:
            try:
                with self._connect() as connection:
                    self._serve(connection)
            except (psycopg.Error, StoreError):
                self.listening = False
                self._hear(News(others=True))
                time.sleep(RETRY)
        self._soon(self._gone.set)

    def _serve(self, connection: Connected) -> None:
        """Listen and tell for as long as the connection lasts."""
        me = connection.info.backend_pid
        connection.execute(f"LISTEN {_CHANNEL}".encode())
        self._anew, self.listening = False, True
        self._hear(News(others=True, rates=True, shares=True))  # what was told before is lost
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            selector.register(self._bell, selectors.EVENT_READ)
            while not (self._ended or self._anew):
                due = self._told_at + SPACING - time.monotonic() if self._to_tell else None
                if due is not None and due <= 0.0:
                    self._tell(connection)
                elif any(key.fileobj is self._bell for key, _ in selector.select(due)):
                    self._bell.recv(4_096)
                for told in connection.notifies(timeout=0.0):
                    news = decoded(told.payload)
                    if told.pid == me:  # what it may not know yet of itself
                        news = News(news.arrived, news.passed_on, others=news.others)
                    self._hear(news)
            if self._to_tell:
                self._tell(connection)
        self.listening = False

    def _tell(self, connection: Connected) -> None:
        self._told_at = time.monotonic()
        with self._lock:
            news, self._to_tell = self._to_tell, News()
        connection.execute(_NOTIFY, (_CHANNEL, encoded(news)))

    def _hear(self, news: News) -> None:
        if not news:
            return

        def come() -> None:
            self._heard.add(news)
            self._event.set()

        self._soon(come)

    def _soon(self, work: Callable[[], None]) -> None:
        try:
            self._token.run_sync_soon(work)
        except trio.RunFinishedError:
            self._ended = True

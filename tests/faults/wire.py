"""The wire between a gateway and its database, in the hands of a test: TCP on the one side, the
server's socket on the other."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.servers import OWNER, Postgres

PATIENCE = 60.0
"""Seconds in which a gateway commits, whatever else it does."""

PREPARED = re.compile(rb"(_pg3_\d+)\0COMMIT\0")
"""How psycopg names a statement that it executes from then on by its name."""

PIECE = 65_536


class Wire:
    """Passes on what comes, and loses the answer of a commit when it is told to."""

    def __init__(self, server: Postgres, host: str = "127.0.0.1") -> None:
        self._server = str(server.folder / ".s.PGSQL.5432")
        self._listener = socket.create_server((host, 0))
        self._host, self._port = self._listener.getsockname()
        self._lose: bool | None = None
        self._lost = threading.Event()
        self._lines: list[_Line] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for line in self._lines:
            line.close()

    def dsn(self, database: str) -> str:
        """How to reach a database by this wire."""
        return f"host={self._host} port={self._port} user={OWNER} dbname={database}"

    def lose(self, *, answered: bool) -> None:
        """Have the next commit's answer lost, once the server has ``answered`` or before; returns
        when that has happened."""
        self._lost.clear()
        self._lose = answered
        assert self._lost.wait(PATIENCE), "no commit"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                try:
                    server.connect(self._server)
                except OSError:
                    client.close()
                    server.close()
                    continue
                self._lines.append(_Line(self, client, server))

    def due(self) -> bool | None:
        """Whether a commit's answer is to be lost, and if so, after it was given; asked once."""
        lose, self._lose = self._lose, None
        return lose

    def lost(self) -> None:
        """It is."""
        self._lost.set()


class _Line:
    """A connection by the wire."""

    def __init__(self, wire: Wire, client: socket.socket, server: socket.socket) -> None:
        self._wire = wire
        self._client = client
        self._server = server
        self._names: set[bytes] = set()
        self._doomed = False
        self._threads = [
            threading.Thread(target=self._run, args=(work,), daemon=True)
            for work in (self._up, self._down)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Cut it, if it was not."""
        self._cut()
        for thread in self._threads:
            thread.join()
        self._client.close()
        self._server.close()

    def _run(self, work: Callable[[], None]) -> None:
        with contextlib.suppress(OSError):
            work()
        self._cut()

    def _up(self) -> None:
        while data := self._client.recv(PIECE):
            self._names.update(PREPARED.findall(data))
            commits = b"\0COMMIT\0" in data or any(name + b"\0" in data for name in self._names)
            answered = self._wire.due() if commits else None
            self._doomed |= bool(answered)
            self._server.sendall(data)
            if answered is False:
                self._cut()
                self._wire.lost()

    def _down(self) -> None:
        while data := self._server.recv(PIECE):
            if self._doomed:
                self._cut()
                self._wire.lost()
                return
            self._client.sendall(data)

    def _cut(self) -> None:
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

"""A campaign system that never gives up, and what it must find in the end."""

import contextlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import LONG
from tests.faults.nodes import MakeNodes, Nodes
from tests.servers import Postgres

DISK = Path(__file__).with_name("disk.py")


@pytest.fixture(scope="session")
def long_or_short() -> Callable[[float, float], float]:
    """Chooses between a figure for `make soak` and one for `make test`."""
    return lambda long, short: long if LONG else short


class Persistent:
    """A thread with a connection to the gateway of a site, made again whenever it is lost."""

    def __init__(self, site: Any) -> None:
        self._site = site
        self._stopping = threading.Event()
        self._abandoned = False
        self._failure: Exception | None = None
        self._client: Any = None
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it once nothing of its own is under way; raises what went wrong in it."""
        self._stopping.set()
        if self.idle and self._client is not None:
            self._client.interrupt()
        self._thread.join(300)
        assert not self._thread.is_alive()
        self.check()

    def abandon(self) -> None:
        """End it whatever is under way, where a test has failed: its port is soon another's."""
        self._abandoned = True
        self._stopping.set()
        if self._client is not None:
            self._client.interrupt()

    def hang_up(self) -> None:
        """End its connection, as somebody does who has waited for long enough; it makes another."""
        self._client.interrupt()

    def check(self) -> None:
        """Raise what went wrong in it."""
        if self._failure is not None:
            raise self._failure

    def wait_until(self, done: Callable[[], bool], patience: float = 300.0) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + patience
        while not done():
            self.check()
            assert time.monotonic() < deadline, self.report()
            self._stopping.wait(0.01)

    def report(self) -> str:
        """Where it stands, for a failure."""
        return ""

    def session(self, client: Any) -> None:
        """What to do on one connection."""
        raise NotImplementedError

    @property
    def idle(self) -> bool:
        """Whether it waits for nothing that will surely come."""
        return True

    @property
    def over(self) -> bool:
        return self._stopping.is_set()

    def _main(self) -> None:
        while not (self._abandoned or (self.over and self.idle)):
            try:
                client = self._client = self._site.client()
            except OSError:
                time.sleep(0.05)
                continue
            try:
                self.session(client)
                return
            except OSError:
                pass
            except Exception as failure:  # noqa: BLE001  told by `check`, in the test's thread
                self._failure = failure
                return
            finally:
                client.close()


class Campaign(Persistent):
    """Submits messages with keys, as fast as they are answered while somebody waits for them, and
    else so that there are always some under way; in the long form always as fast. What was not
    answered when a connection is lost is submitted again on the next.

    Attributes:
        accepted: the message ids that were told, by key.
        recipients: by key.
        pause: seconds between batches that nobody waits for.
    """

    BATCH = 25
    PAUSE = 0.0 if LONG else 0.1

    def __init__(self, site: Any) -> None:
        self.accepted: dict[str, str] = {}
        self.recipients: dict[str, str] = {}
        self.refused: Counter[str] = Counter()
        self.pause = self.PAUSE
        self._number = self._wanted = 0
        self._unanswered: dict[int, list[dict[str, Any]]] = {}
        self._left: list[list[dict[str, Any]]] = []
        super().__init__(site)

    def session(self, client: Any) -> None:
        self._left += self._unanswered.values()
        self._unanswered = {}
        while self._left or self._unanswered or not self.over:
            while len(self._unanswered) < 4 and (self._left or not self.over):
                if not self._left:
                    self._left.append(self._batch())
                number = client.send("submit", messages=self._left[-1])  # it stays if this fails
                self._unanswered[number] = self._left.pop()
            self._answered(client.receive())

    def wait_for(self, count: int) -> None:
        """Wait until so many messages are accepted."""
        self._wanted = count
        self.wait_until(lambda: len(self.accepted) >= count)

    @property
    def idle(self) -> bool:
        return False

    def report(self) -> str:
        return f"{len(self.accepted)} accepted, refused: {dict(self.refused)}"

    def _batch(self) -> list[dict[str, Any]]:
        numbers = range(self._number, self._number + self.BATCH)
        self._number += self.BATCH
        messages = []
        for number in numbers:
            key, recipient = f"k{number}", f"86139{number:08}"
            self.recipients[key] = recipient
            text = f"No. {number} " * (30 if number % 10 == 0 else 1)
            messages.append({"to": recipient, "text": text, "key": key})
        return messages

    def _answered(self, reply: dict[str, Any]) -> None:
        batch = self._unanswered.pop(reply["id"])
        if not reply["ok"]:
            self.refused[reply["error"]["code"]] += 1
            self._left.append(batch)
            self._stopping.wait(0.05)
            return
        for message, result in zip(batch, reply["results"], strict=True):
            key, number = message["key"], result.get("message_id")
            assert number is not None, result
            assert self.accepted.setdefault(key, number) == number, "a key stands for one message"
        if len(self.accepted) > self._wanted:
            self._stopping.wait(self.pause)


class Reader(Persistent):
    """Reads the events and acknowledges what it was given, frame by frame.

    Attributes:
        events: by ``seq``.
        acknowledged: the cursor, as the gateway told it last.
    """

    def __init__(self, site: Any) -> None:
        self.events: dict[int, dict[str, Any]] = {}
        self.acknowledged = 0
        super().__init__(site)

    def session(self, client: Any) -> None:
        client.send("subscribe", consumer="campaign")
        reply = client.receive()
        if not reply["ok"]:
            assert reply["error"]["code"] == "busy", reply
            self._stopping.wait(0.05)
            raise ConnectionError("it is to be tried again")
        expected = 0
        while not self.over:
            frame = client.receive()
            if "events" not in frame:
                assert frame["ok"] or frame["error"]["code"] == "busy", frame
                self.acknowledged = max(self.acknowledged, frame.get("seq", 0))
                continue
            for event in frame["events"]:
                seq = event["seq"]
                if not expected:
                    assert self.acknowledged < seq <= max(self.events, default=0) + 1, "a gap"
                else:
                    assert seq == expected, "a gap or a repeat"
                expected = seq + 1
                assert self.events.setdefault(seq, event) == event, "the past does not change"
            client.send("ack", consumer="campaign", seq=expected - 1)

    def wait_for(self, count: int) -> None:
        """Wait until there are so many events."""
        self.wait_until(lambda: len(self.events) >= count)

    def report(self) -> str:
        return f"{len(self.events)} events"


class Vitals(NamedTuple):
    """What a process has: megabytes of memory, open files, threads, and lines in its log. A thread
    that trio keeps for ten seconds, in case something is to be done in one, is none."""

    memory: float
    files: int
    threads: int
    lines: int


@pytest.fixture(scope="session")
def vitals() -> Callable[[Any], Vitals]:
    """Reads the vitals of a process."""

    def read(process: Any) -> Vitals:
        proc = Path(f"/proc/{process.pid}")
        found = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        return Vitals(
            memory=int(found["VmRSS"].split()[0]) / 1024,
            files=len(list((proc / "fd").iterdir())),
            threads=sum(not name.startswith("Trio thread") for name in names(proc)),
            lines=process.text().count("\n"),
        )

    def names(proc: Path) -> Iterator[str]:
        for one in (proc / "task").iterdir():
            with contextlib.suppress(FileNotFoundError):  # it has ended
                yield (one / "comm").read_text()

    return read


class BreakableDisk:
    """The disk below a gateway, in the hands of the test; see `disk.py`."""

    def __init__(self, site: Any) -> None:
        self._site = site
        self._folder = site.folder / "disk"
        self._folder.mkdir()

    @property
    def durable(self) -> Path:
        """Where what fsync has made durable is kept, once this folder is made."""
        path: Path = self._folder / "durable"
        return path

    def command(self) -> Sequence[str]:
        """Starts the gateway on this disk."""
        script = [sys.executable, str(DISK), str(self._folder)]
        return [*script, "serve", "--config", self._site.configure()]

    def become(self, state: str) -> None:
        (self._folder / state).touch()

    def recover(self, state: str) -> None:
        (self._folder / state).unlink()


@pytest.fixture
def disk(site: Any) -> BreakableDisk:
    """A disk that can be broken, for the gateway of this test."""
    return BreakableDisk(site)


@pytest.fixture
def start_campaign() -> Iterator[Callable[[Any], tuple[Campaign, Reader]]]:
    """Starts a campaign at a site, and a reader of its events."""
    started: list[Persistent] = []

    def start(site: Any) -> tuple[Campaign, Reader]:
        both = Campaign(site), Reader(site)
        started.extend(both)
        return both

    yield start
    for one in started:
        one.abandon()


@pytest.fixture
def nodes_of(site: Any, postgres: Postgres, database: str) -> Iterator[MakeNodes]:
    """Makes a place for so many nodes."""
    site.leased = lambda: None
    yield lambda count: Nodes(site, postgres, database, count)
    for process in site.running():
        process.kill()

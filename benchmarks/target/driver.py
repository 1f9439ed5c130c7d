"""The sockets of a load test: submits what is due, reads replies and events, and ends cleanly.

Each tenant has a connection that submits and one that reads events, as a consumer of this run that
is deleted in the end; what no carrier has then is cancelled. Nothing waits for the gateway: what
its sockets do not take waits here, and once ten seconds' worth is unanswered, the step is over.
"""

import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import trio

from benchmarks.target.reach import NAME, Connection, Party, address_of
from benchmarks.target.schedule import Schedule
from benchmarks.target.tally import OUTCOMES, Stage, Tally, Timeline
from benchmarks.target.traffic import Traffic
from gateway.api.client import connect
from gateway.api.dialogue import ALIVE
from gateway.api.link import open_link
from gateway.api.wire import ApiError

BEHIND: Final = 10.0
"""Seconds' worth of messages that may be unanswered: more says nothing that this does not."""

FEW: Final = 5_000
"""Messages that may be unanswered, whatever the rate."""

PATIENCE: Final = 60.0
"""Seconds for the gateway to take a piece of what is sent."""

TIDYING: Final = 10.0
"""Seconds for cancelling what is left, and for deleting the consumer."""

STAMPED: Final = 0.2
"""Seconds for the last stamps of a simulated carrier to come."""

LOOK_EVERY: Final = 0.02

ALIVE_EVERY: Final = 10
"""Seconds between signs of life on connections that have nothing else to say."""


class Driver:
    """A run.

    Attributes:
        timeline: what happened, by the second.
        tally: the step that is under way.
        notes: what whoever reads the result must know.
        interrupted: a person has ended it.
        label: what is going on, in a few words.
    """

    def __init__(
        self,
        parties: Sequence[Party],
        traffic: Traffic,
        judged: Stage,
        stamps: Sequence[tuple[str, int]],
        drain: float,
    ) -> None:
        """``drain``: seconds to wait for outcomes behind the last batch of a step."""
        self.timeline = Timeline()
        self.tally = Tally(0, judged, self.timeline, stamped=bool(stamps))
        self.notes: list[str] = []
        self.interrupted = False
        self.label = ""
        self.started = 0.0
        self._parties = parties
        self._traffic = traffic
        self._judged = judged
        self._stamps = stamps
        self._drain = drain
        self._epoch = 0.0
        self._unanswered: dict[int, tuple[Tally, int]] = {}
        self._connections: list[Connection] = []
        self._submitting: list[Connection] = []
        self._offering = trio.CancelScope()
        self._waiting = trio.CancelScope()
        self._settled = trio.Event()
        self._halted = False

    def halted(self) -> bool:
        """No more steps: somebody has ended it, or the gateway cannot be reached any more."""
        return self._halted

    async def run(self, plan: Callable[[], Awaitable[None]], tick: Callable[[], None]) -> None:
        """Connect, carry out ``plan``, and tidy up. ``tick`` is called every second.

        Raises:
            OSError, ApiError: a connection could not be made.
        """
        self._epoch = time.time() - trio.current_time()
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._heed, signals)
                    for party in self._parties:
                        following = await self._open(party, nursery)
                        following.ask(
                            {"op": "subscribe", "consumer": self._traffic.campaign, "from": "now"}
                        )
                        await following.receive()
                        nursery.start_soon(self._follow, following)
                        submitting = await self._open(party, nursery)
                        self._submitting.append(submitting)
                        nursery.start_soon(self._collect, submitting)
                    for host, port in self._stamps:
                        await nursery.start(self._read_stamps, host, port)
                    self.started = trio.current_time()
                    nursery.start_soon(self._tick, tick)
                    await plan()
                    self.timeline.tick(trio.current_time() - self.started)
                    nursery.cancel_scope.cancel()
            except BaseExceptionGroup as group:
                raise group.exceptions[0] from None
            finally:
                await self._tidy()

    async def _open(self, party: Party, nursery: trio.Nursery) -> Connection:
        connection = Connection(await open_link(party.target))
        self._connections.append(connection)
        nursery.start_soon(self._write, connection)
        return connection

    async def step(self, schedule: Schedule, most: int) -> Tally:
        """Offer what is due by a schedule, ``most`` messages at most, and wait for outcomes."""
        first = self.tally.first + self.tally.offered
        tally = self.tally = Tally(first, self._judged, self.timeline, stamped=bool(self._stamps))
        began = trio.current_time()
        self._offering = trio.CancelScope()
        if self.halted():
            return tally
        with self._offering:
            await self._offer(tally, schedule, most)
        # The last batch leaves somewhat before the time is over.
        whole = schedule.seconds if tally.offered == schedule.total else 0.0
        tally.lasted = max(trio.current_time() - began, whole)
        if self.interrupted or not self.halted():
            self._settled = trio.Event()
            with trio.move_on_after(self._drain) as self._waiting:
                if tally.open:
                    await self._settled.wait()
                if self._stamps:
                    await trio.sleep(STAMPED)
        return tally

    async def _offer(self, tally: Tally, schedule: Schedule, most: int) -> None:
        start = trio.current_time() + LOOK_EVERY
        mean = schedule.total / schedule.seconds
        limit = max(FEW, BEHIND * mean)
        for batch in self._traffic.batches(schedule, tally.first, most):
            data = batch.frame()
            due = start + batch.due
            await trio.sleep_until(due)  # a checkpoint even where that has passed
            if tally.unanswered > limit:
                self.notes.append(
                    f"stopped at {mean:,.0f} a second: {tally.unanswered:,} were unanswered"
                )
                return
            count = len(batch.recipients)
            tally.offer(batch.recipients, due, trio.current_time(), otp=batch.otp)
            self._unanswered[batch.first] = tally, count
            self._submitting[batch.tenant].put(data)

    # --- what comes ---

    async def _write(self, connection: Connection) -> None:
        if await connection.outbox.write(connection.stream, PATIENCE):
            self._halt(f"the gateway took nothing for {PATIENCE:g} seconds")

    async def _collect(self, connection: Connection) -> None:
        """Take the replies to submissions."""
        while True:
            try:
                replies = await connection.receive()
            except ConnectionError as error:
                self._halt(str(error))
                return
            now = trio.current_time()
            for reply in replies:
                if reply.ok and reply.id == "":
                    continue
                if not isinstance(reply.id, int) or reply.id not in self._unanswered:
                    self._halt(f"the gateway refused a request: {reply.error}")
                    continue
                tally, count = self._unanswered.pop(reply.id)
                if reply.ok:
                    tally.answer(reply.id, reply.results, now)
                else:
                    tally.refuse(reply.id, count, reply.error.get("code", "?"))
            self._look()

    async def _follow(self, connection: Connection) -> None:
        """Take and acknowledge events."""
        consumer = self._traffic.campaign
        while True:
            try:
                events = [e for reply in await connection.receive() for e in reply.events]
                now = trio.current_time()
                for event in events:
                    number = self._traffic.number(event.key)
                    if number is not None and event.type in OUTCOMES:
                        at = event.detail.sent_at if event.detail else None
                        sent_at = None if at is None else at - self._epoch
                        self.tally.end(number, event.type, sent_at, now)
                self._look()
                if events:
                    last = events[-1].seq
                    connection.ask({"op": "ack", "consumer": consumer, "seq": last})
            except ConnectionError as error:
                self._halt(str(error))
                return

    def _look(self) -> None:
        """Is that all?"""
        if not self.tally.open:
            self._settled.set()

    async def _read_stamps(
        self, host: str, port: int, *, task_status: trio.TaskStatus[None]
    ) -> None:
        """Take what a simulated carrier says of arrivals."""
        async with await trio.open_tcp_stream(host, port) as stream:
            rest = bytes(await stream.receive_some())  # the first says that it knows of us
            task_status.started()
            with contextlib.suppress(trio.BrokenResourceError):
                while data := await stream.receive_some():
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        recipient, _, at = line.decode("ascii", "replace").partition(" ")
                        if at:
                            self.tally.arrive(recipient, float(at) - self._epoch)
        self.notes.append(f"stamps of {host}:{port} ended early: arrivals are incomplete")

    async def _tick(self, tick: Callable[[], None]) -> None:
        second = 0
        while True:
            second += 1
            await trio.sleep_until(self.started + second)
            self.timeline.tick(trio.current_time() - self.started)
            tick()
            if second % ALIVE_EVERY == 0:
                for connection in self._connections:
                    connection.ask(ALIVE)

    # --- the end ---

    def _halt(self, why: str) -> None:
        if not self._halted:
            self._halted = True
            self.notes.append(f"ended early: {why}")
        self._offering.cancel()
        self._waiting.cancel()

    async def _heed(self, signals: Any) -> None:
        async for _ in signals:
            if self.interrupted:
                self._halt("interrupted twice")
            elif not self._halted:
                self._halted = self.interrupted = True
                self.label = f"waits {self._drain:g} s at most for outcomes; Ctrl-C again ends it"
                self.notes.append("ended early: interrupted")
                self._offering.cancel()

    async def cancel(self) -> None:
        """Cancel what no carrier has yet."""
        for party in self._parties:
            target = party.target
            async with connect(
                address_of(target), target.token, tls=target.tls, name=NAME
            ) as client:
                await client.cancel(campaign=self._traffic.campaign)

    async def _tidy(self) -> None:
        """Leave nothing of the run behind."""
        for connection in self._connections:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(connection.stream)
        try:
            with trio.move_on_after(TIDYING, shield=True) as scope:
                if self.tally.open:
                    await self.cancel()
                for party in self._parties:
                    target = party.target
                    async with connect(
                        address_of(target), target.token, tls=target.tls, name=NAME
                    ) as client:
                        await client.consumers("delete", self._traffic.campaign)
            failed = "it took too long" if scope.cancelled_caught else ""
        except (OSError, ApiError) as error:
            failed = str(error)
        if failed:
            self.notes.append(
                f"consumer {self._traffic.campaign} is left behind: {failed}; "
                f"`gateway consumers delete {self._traffic.campaign}` deletes it"
            )

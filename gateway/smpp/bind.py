"""A bind: one account's session with a carrier over a socket, made again whenever it is lost.

`Bind` connects, binds, and lets `gateway.smpp.session` say what the octets mean; a `BindListener`
hears of it. Requests go in by plain calls, as many at once as there is room for, and leave in one
write. Not here: which message goes to which bind, rates, and what a status means for a message.

Three tasks serve a connection. One reads, and stops while the listener is busy with deliveries or
too much is unanswered or unwritten: that holds up the carrier, and nothing piles up here. One
writes. One watches the time.
"""

import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, Protocol

import structlog
import trio

from gateway import sockets
from gateway.errors import LocalProtocolError
from gateway.smpp import events
from gateway.smpp.link import Link, cause, connect
from gateway.smpp.options import BindOptions
from gateway.smpp.pdu import DataSm, DeliverSm, Encoded, Pdu
from gateway.smpp.session import Session
from gateway.smpp.states import ANSWERS
from gateway.smpp.status import Status, status_name

_READ_SIZE: Final = 1 << 16
"""Octets read at once: several hundred responses, handled together."""

PATIENCE: Final = 1.0
"""Seconds. Whoever has not been reading for longer than this reads for as long before it holds a
missing answer against the carrier: it may be there, unread."""

_REPEAT: Final = 60.0
"""Seconds in which a log line that says the same again is only counted."""

CREDENTIALS: Final = frozenset(
    {Status.ESME_RINVPASWD, Status.ESME_RINVSYSID, Status.ESME_RINVSYSTYP}
)
"""Refusals of who we say that we are."""

HOPELESS: Final = CREDENTIALS | {Status.ESME_RBINDFAIL}
"""Refusals that only a person mends, at the carrier or in the configuration; hammering gets
accounts locked. The next attempt comes after the longest wait, or half of it at least."""

AGAIN: Final = 10.0
"""Seconds at most between attempts while the carrier may have a session too many, see `Left`: it
ends that one some time after nobody answers its enquire_link."""

Connect = Callable[[BindOptions], Awaitable[trio.abc.Stream]]

_log = structlog.get_logger(__name__)


class BindListener(Protocol):
    """Who hears what happens at a bind. Only `delivered` may wait; the rest must be quick."""

    def bound(self, bind: "Bind") -> None:
        """The session is up. `lost` follows once."""

    def failed(self, bind: "Bind", reason: str, status: int) -> None:
        """An attempt came to nothing: the carrier cannot be reached, or refused the bind with
        ``status``, which is 0 otherwise. It will be tried again."""

    def lost(self, bind: "Bind", unanswered: list[object], reason: str) -> None:
        """The session is over, in whatever way. ``unanswered`` are the contexts of the requests
        whose fate is not known, in order of submission."""

    def responded(self, bind: "Bind", responses: list[events.Response]) -> None:
        """Requests were answered."""

    def timed_out(self, bind: "Bind", contexts: list[object]) -> None:
        """Requests were not answered in time, and their fate is not known. Their place in the
        window is free; an answer that still comes is passed over."""

    def strange(self, bind: "Bind", kind: events.StrangeKind, count: int) -> None:
        """The carrier sent so much of what it should not have sent; see `events.Strange`."""

    async def delivered(self, bind: "Bind", deliveries: list[events.Delivery]) -> None:
        """The carrier delivered receipts or inbound messages. Nothing more is read until this
        returns. Each is to be answered with `Bind.answer`, now or later. Cancelled where the
        session ends meanwhile: the carrier will deliver again what was not answered."""


class Left(NamedTuple):
    """A session that nobody has ended, and whose place a bind takes: its process was killed, or
    stands still. The carrier may have it still, and allow no other one.

    Attributes:
        whose: who had it.
        until: when that explains a refusal no longer, on the bind's clock.
    """

    whose: str
    until: float


class _Line(NamedTuple):
    event: str
    detail: str
    at: float
    repeats: int


_NOTHING: Final = _Line("", "", -math.inf, 0)


class Bind:
    """One bind of a carrier.

    Attributes:
        name: tells it from the carrier's others, in logs and metrics.
        options: what it was built with.
        draining: whether it ends for good, see `drain`.
        peer: what the carrier called itself when it let the last session in.
        left: the session whose place it takes, until it is bound.
    """

    def __init__(
        self,
        options: BindOptions,
        name: str,
        listener: BindListener,
        *,
        clock: Callable[[], float] = time.time,
        rng: Callable[[], float] = random.random,
        connect: Connect = connect,
        left: Left | None = None,
    ) -> None:
        """``clock`` gives seconds and should not jump: a step forward looks like a silence. ``rng``
        gives numbers from 0 to 1, to spread attempts in time. ``connect`` is `link.connect`, or
        fails as that does."""
        self.options = options
        self.name = name
        self._listener = listener
        self._clock = clock
        self._rng = rng
        self._connect = connect
        self._link: Link | None = None
        self._sessions = 0
        self._failures = 0
        self._unheard = 0
        self.draining = False
        self.peer = ""
        self.left = left
        self._pause = trio.CancelScope()  # around what may be dropped at once
        self._over = trio.Event()
        self._over.set()
        self._standing = _NOTHING  # the last line that told how it stands
        self._oddities: dict[str, _Line] = {}

    @property
    def up(self) -> bool:
        """Whether it is bound."""
        link = self._link
        return link is not None and not link.reason and link.session.bound

    @property
    def room(self) -> int:
        """How many requests `submit` takes now; 0 unless bound and able to send."""
        link = self._link
        if link is None or link.reason or self.draining or link.choked:
            return 0
        return link.session.room

    @property
    def in_use(self) -> int:
        """How many requests are unanswered."""
        return self._link.session.in_use if self._link else 0

    @property
    def submitted(self) -> list[object]:
        """The contexts of the requests that are unanswered."""
        return self._link.session.submitted if self._link else []

    def submit(self, requests: Sequence[tuple[Pdu | Encoded, object]]) -> None:
        """Send requests, in order, each with a context that comes back to the listener once:
        with `responded`, `timed_out` or `lost`.

        Raises LocalProtocolError, and sends none, where there is not `room` for all, or where a
        field does not fit.
        """
        if len(requests) > self.room or self._link is None:
            raise LocalProtocolError(f"{len(requests)} requests, but room for {self.room}")
        self._link.send(self._link.session.submit(requests, self._clock()))

    def answer(self, deliveries: Sequence[events.Delivery], status: int = 0) -> None:
        """Answer deliveries with a status. Those of a session that is over are passed over: the
        carrier delivers them again."""
        link = self._link
        if link is None or link.session.closed:
            return
        number = link.session.number
        mine = [one for one in deliveries if one.session == number]
        data = [one.sequence for one in mine if type(one.content) is DataSm]
        rest = [one.sequence for one in mine if type(one.content) is not DataSm]
        for kind, sequences in ((DeliverSm, rest), (DataSm, data)):
            if sequences:
                link.send(link.session.answer(sequences, ANSWERS[kind], status))
        if link.progress:
            link.progress.unpark_all()
        if link.session.parting:
            link.rearm.unpark_all()

    def restart(self, reason: str) -> None:
        """Give up the session, if there is one, and make a new one: the way out where a carrier
        answers as if there were none (ESME_RINVBNDSTS)."""
        if self._link:
            self._link.end(reason)

    def explained(self, status: int) -> bool:
        """Whether the session that was left may be why the carrier refuses the bind."""
        left = self.left
        return left is not None and status not in CREDENTIALS and self._clock() < left.until

    async def drain(self) -> None:
        """End in order: submit nothing more, wait for what is unanswered, unbind, and let `run`
        return. How long that may take is the caller's to limit; `run` is then to be cancelled."""
        self.draining = True
        self._pause.cancel()
        self._unbind_once_done()
        if self._link is not None and not self._link.was_bound:
            self._link.end("drained")
        await self._over.wait()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the bind up until cancelled or drained."""
        self._over = trio.Event()
        task_status.started()
        try:
            while not self.draining:
                delay = await self._attempt()
                with self._pausing():
                    await trio.sleep(delay)
        finally:
            self._over.set()

    def _pausing(self) -> trio.CancelScope:
        self._pause = trio.CancelScope()
        if self.draining:
            self._pause.cancel()
        return self._pause

    async def _attempt(self) -> float:
        """One connection from start to end.

        Returns:
            how long to wait before the next, in seconds.
        """
        stream = None
        with self._pausing():
            try:
                stream = await self._connect(self.options)
            except (OSError, UnicodeError, trio.BrokenResourceError, trio.TooSlowError) as error:
                self._stand("connect_failed", cause(error))
                self._listener.failed(self, cause(error), 0)
        backoff = self.options.backoff
        if stream is None:
            self._unheard += 1
            most = min(backoff.unheard, backoff.longest)
            return backoff.ceiling(self._unheard, most) * self._rng()
        self._unheard = 0
        link = await self._serve(stream)
        if self._clock() - link.bound_at >= backoff.longest:
            self._failures = 0
        self._failures += 1
        if link.refused and self.explained(link.refused):
            return min(AGAIN, backoff.longest) * (1 + self._rng()) / 2
        if link.refused in HOPELESS:
            return backoff.longest * (1 + self._rng()) / 2
        return backoff.ceiling(self._failures) * self._rng()

    async def _serve(self, stream: trio.abc.Stream) -> Link:
        now = self._clock()
        self._sessions += 1
        session = Session("esme", self.options, now, self._sessions)
        link = self._link = Link(stream, session)
        try:
            link.send(session.bind(now))
            if self.draining:
                link.end("drained")
            with link.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(link.write, self.options.response_timeout)
                    nursery.start_soon(self._read, link)
                    nursery.start_soon(self._watch, link)
        finally:
            self._link = None
            unanswered = session.close()
            reason = link.reason or "cancelled"
            self._stand("bind_lost" if link.was_bound else "bind_failed", reason)
            if link.was_bound:
                self._listener.lost(self, unanswered, reason)
            elif link.reason:
                self._listener.failed(self, reason, link.refused)
            await trio.aclose_forcefully(stream)
        return link

    async def _read(self, link: Link) -> None:
        try:
            while not link.reason:
                if link.choked or link.swamped:
                    await self._without_reading(link, self._progress(link))
                    continue
                data = await sockets.receive(link.stream, _READ_SIZE)
                if data:
                    await self._handle(link, link.session.receive(bytes(data), self._clock()))
                else:
                    link.end("unbound" if link.session.parting else "closed by the carrier")
        except trio.BrokenResourceError as error:
            link.end("unbound" if link.session.parting else f"read failed: {cause(error)}")

    async def _progress(self, link: Link) -> None:
        """Wait until reading can go on."""
        while link.choked:  # for how long is for `Link.write` to judge
            await link.progress.park()
        with trio.move_on_after(self.options.response_timeout) as waited:
            while link.swamped:
                await link.progress.park()
        if waited.cancelled_caught:
            link.end(f"{link.session.unanswered} deliveries unanswered")

    async def _watch(self, link: Link) -> None:
        # A request that is sent while this sleeps is due no sooner than after the longest sleep.
        longest = min(self.options.response_timeout, self.options.enquire_link)
        while not link.reason:
            now = self._clock()
            patient = now < link.patient_until
            due = link.session.next_wakeup(patient=patient)
            if patient:
                due = min(due, link.patient_until)
            if now < due:
                with trio.move_on_after(min(due - now, longest)):
                    await link.rearm.park()
            else:
                await self._handle(link, link.session.tick(now, patient=patient))
                await trio.lowlevel.checkpoint()

    async def _handle(self, link: Link, happened: Sequence[events.SessionEvent]) -> None:
        link.send(link.session.data_to_send())
        listener = self._listener
        for event in happened:
            match event:
                case events.Responses(responses):
                    listener.responded(self, responses)
                case events.Deliveries(deliveries):
                    await self._without_reading(link, listener.delivered(self, deliveries))
                case events.TimedOut(contexts):
                    listener.timed_out(self, contexts)
                case events.Bound(already=True) if self.explained(Status.ESME_RALYBND):
                    self._refuse(link, Status.ESME_RALYBND)
                case events.Bound(system_id):
                    link.bound_at = self._clock()
                    self.peer = system_id
                    self.left = None
                    self._stand("bound", system_id)
                    listener.bound(self)
                case events.BindRefused(status):
                    self._refuse(link, status)
                case events.Unbound():
                    link.end("unbound")
                case events.Dead(reason):
                    link.end(reason)
                case events.Strange(kind, count, where):
                    self._note(f"strange_{kind}", where)
                    listener.strange(self, kind, count)
        if link.session.parting:
            link.rearm.unpark_all()
        if self.draining:
            self._unbind_once_done()

    def _refuse(self, link: Link, status: int) -> None:
        link.refused = status
        why = f"refused with {status_name(status)}"
        if self.left is not None and self.explained(status):
            why += f", perhaps for the session of {self.left.whose}, which nobody has ended"
        link.end(why)

    def _unbind_once_done(self) -> None:
        link = self._link
        if link is not None and link.session.bound and not link.session.in_use:
            link.send(link.session.unbind(self._clock()))
            link.rearm.unpark_all()

    async def _without_reading(self, link: Link, work: Awaitable[None]) -> None:
        """Do something meanwhile no missing answer is held against the carrier."""
        since, before = self._clock(), link.patient_until
        link.patient_until = math.inf
        await work
        now = self._clock()
        link.patient_until = now + PATIENCE if now - since > PATIENCE else before

    def _stand(self, event: str, detail: str) -> None:
        """Log how it stands. Only what the last such line said is not said again for a while: so
        every change is told, and the log ends on what is true."""
        self._standing = self._say(event, detail, self._standing)

    def _note(self, event: str, detail: str) -> None:
        """Log an oddity. They take turns, in many places, of which the code knows all."""
        key = event + detail
        self._oddities[key] = self._say(event, detail, self._oddities.get(key, _NOTHING))

    def _say(self, event: str, detail: str, last: _Line) -> _Line:
        now = self._clock()
        if (event, detail) == (last.event, last.detail) and now - last.at < _REPEAT:
            return last._replace(repeats=last.repeats + 1)
        _log.info(event, bind=self.name, detail=detail, repeats=last.repeats)
        return _Line(event, detail, now, 0)

"""Against a scripted carrier on a real loopback socket. Time is real: what a busy machine must not
miss has two seconds."""

import gc
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import smpplib.client
import smpplib.smpp
import structlog
import trio
import trio.lowlevel
import trustme

from gateway.errors import LocalProtocolError
from gateway.smpp import bind as bind_module
from gateway.smpp import link as link_module
from gateway.smpp import pdu as p
from gateway.smpp import session as session_module
from gateway.smpp.bind import Bind, Left
from gateway.smpp.events import Delivery, Response, StrangeKind
from gateway.smpp.framing import Splitter
from gateway.smpp.options import Backoff, BindOptions
from gateway.smpp.session import MAX_UNANSWERED
from gateway.smpp.states import ANSWERS
from gateway.smpp.status import Status
from tools.ports import free_port

TEXT = p.SubmitSm(source_addr="10690001", destination_addr="8613800000000", short_message=b"hi")
RECEIPT = p.DeliverSm(esm_class=4, short_message=b"id:1 stat:DELIVRD")
AT_ONCE = Backoff(initial=0.001, longest=0.002)


class Peer:
    """The carrier's end of one connection: reads and writes PDUs as a test says."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._splitter = Splitter()
        self._packets: list[p.Packet] = []

    async def next(self) -> p.Packet:
        """The next PDU. Raises EndOfChannel once there is none."""
        while not self._packets:
            data = await self.stream.receive_some(65536)
            if not data:
                raise trio.EndOfChannel
            self._packets += [p.decode(frame) for frame in self._splitter.feed(bytes(data))]
        return self._packets.pop(0)

    async def expect(self, kind: type[p.Pdu]) -> p.Packet:
        packet = await self.next()
        assert type(packet.pdu) is kind
        return packet

    async def send(self, pdu: p.Pdu, sequence: int, status: int = 0) -> None:
        await self.stream.send_all(p.encode(pdu, sequence, status))

    async def accept_bind(self) -> None:
        packet = await self.next()
        assert isinstance(packet.pdu, p.Pdu)
        await self.send(ANSWERS[type(packet.pdu)], packet.sequence)

    async def answer_forever(self) -> None:
        """Answer whatever is asked, until the other side closes."""
        while True:
            try:
                packet = await self.next()
            except trio.EndOfChannel:
                return
            if isinstance(packet.pdu, p.Pdu) and type(packet.pdu) in ANSWERS:
                await self.send(ANSWERS[type(packet.pdu)], packet.sequence)


Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def carrier(*scripts: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A carrier that serves its first connection by the first script, and so on; connections
    beyond the last are closed at once. Yields its port."""
    waiting = list(scripts)
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")

    async def serve(stream: trio.SocketStream) -> None:
        secured = trio.SSLStream(stream, tls, server_side=True) if tls else stream
        async with stream:
            if waiting:
                script = waiting.pop(0)
                with suppress(trio.BrokenResourceError, trio.EndOfChannel):
                    await script(Peer(secured))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


class Recorder:
    """A listener that notes what it hears; `wait_for` waits for it to have heard something."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, object]] = []
        self.losses: list[tuple[list[object], str]] = []
        self.responses: list[Response] = []
        self.hold: trio.Event | None = None
        self.answers_with: int | None = 0
        self._lot = trio.lowlevel.ParkingLot()

    def _hear(self, what: str, detail: object) -> None:
        self.heard.append((what, detail))
        self._lot.unpark_all()

    def bound(self, bind: Bind) -> None:
        self._hear("bound", None)

    def failed(self, bind: Bind, reason: str, status: int) -> None:
        self._hear("refused" if status else "failed", status or reason)

    def lost(self, bind: Bind, unanswered: list[object], reason: str) -> None:
        self.losses.append((unanswered, reason))
        self._hear("lost", reason)

    def responded(self, bind: Bind, responses: list[Response]) -> None:
        self.responses += responses
        for response in responses:
            self._hear("responded", response.context)

    def timed_out(self, bind: Bind, contexts: list[object]) -> None:
        self._hear("timed_out", contexts)

    def strange(self, bind: Bind, kind: StrangeKind, count: int) -> None:
        self._hear("strange", (kind, count))

    async def delivered(self, bind: Bind, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._hear("delivered", delivery)
        if self.hold is not None:
            await self.hold.wait()
        if self.answers_with is not None:
            bind.answer(deliveries, self.answers_with)

    def all(self, what: str) -> list[object]:
        return [detail for heard, detail in self.heard if heard == what]

    async def wait_for(self, what: str, count: int = 1) -> list[object]:
        while len(self.all(what)) < count:
            await self._lot.park()
        return self.all(what)


class Attempts:
    """A random source that counts how often it was asked: once after each attempt."""

    def __init__(self, wanted: int) -> None:
        self.made = trio.Event()
        self._left = wanted

    def __call__(self) -> float:
        self._left -= 1
        if self._left == 0:
            self.made.set()
        return 0.5


@asynccontextmanager
async def running(bind: Bind) -> AsyncIterator[Bind]:
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(bind.run)
            yield bind
            nursery.cancel_scope.cancel()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def make(make_options: Callable[..., BindOptions], recorder: Recorder) -> Callable[..., Bind]:
    def build(port: int, **changes: object) -> Bind:
        options = make_options(port=port, **({"backoff": AT_ONCE} | changes))
        return Bind(options, "alpha-1", recorder)

    return build


Make = Callable[..., Bind]


@contextmanager
def leaves_nothing_behind() -> Iterator[None]:
    def open_now() -> tuple[int, int]:
        gc.collect()
        tasks = trio.lowlevel.current_statistics().tasks_living
        return len(list(Path("/proc/self/fd").iterdir())), tasks

    before = open_now()
    yield
    assert open_now() == before


async def serve(peer: Peer) -> None:
    await peer.accept_bind()
    await peer.answer_forever()


async def test_binds_submits_and_hears_the_answers(make: Make, recorder: Recorder) -> None:
    async with carrier(serve) as port, running(make(port)) as bind:
        assert (bind.up, bind.room, bind.in_use) == (False, 0, 0)
        await recorder.wait_for("bound")
        assert (bind.up, bind.room) == (True, 8)
        bind.submit([(TEXT, "a"), (TEXT, "b")])
        assert (bind.room, bind.in_use) == (6, 2)
        assert await recorder.wait_for("responded", 2) == ["a", "b"]
        assert (bind.room, bind.in_use) == (8, 0)


async def test_what_gathers_is_written_at_once(make: Make, recorder: Recorder) -> None:
    sizes: list[int] = []

    async def count(peer: Peer) -> None:
        await peer.accept_bind()
        while data := await peer.stream.receive_some(65536):
            sizes.append(len(data))
            if sum(sizes) == 8 * len(p.encode(TEXT, 1)):
                await peer.send(p.Unbind(), 1)

    async with carrier(count) as port, running(make(port)) as bind:
        await recorder.wait_for("bound")
        for n in range(8):
            bind.submit([(TEXT, n)])
        await recorder.wait_for("lost")
    assert sizes[0] == 8 * len(p.encode(TEXT, 1))


async def test_another_implementation_reads_what_it_writes(make: Make, recorder: Recorder) -> None:
    read: list[Any] = []
    numbers = smpplib.client.SimpleSequenceGenerator()

    async def smpplib_serve(peer: Peer) -> None:
        for _ in range(2):
            head = await peer.stream.receive_some(4)
            body = await peer.stream.receive_some(int.from_bytes(head, "big") - 4)
            pdu = smpplib.smpp.parse_pdu(bytes(head + body), client=numbers)
            read.append(pdu)
            answer = smpplib.smpp.make_pdu(f"{pdu.command}_resp", client=numbers)
            answer.sequence = pdu.sequence
            if pdu.command == "submit_sm":
                answer.message_id = "id-1"
            await peer.stream.send_all(answer.generate())

    async with carrier(smpplib_serve) as port, running(make(port)) as bind:
        await recorder.wait_for("bound")
        bind.submit([(TEXT, "a")])
        await recorder.wait_for("responded")
    bound, submitted = read
    assert (bound.system_id, bound.password) == (b"esme", b"secret")
    assert (submitted.source_addr, submitted.short_message) == (b"10690001", b"hi")
    (response,) = recorder.responses
    assert (response.context, response.status, response.message_id) == ("a", 0, "id-1")


async def test_takes_no_more_than_there_is_room_for(make: Make, recorder: Recorder) -> None:
    async def silent(peer: Peer) -> None:
        await peer.accept_bind()
        await trio.sleep_forever()

    async with carrier(silent) as port, running(make(port)) as bind:
        with pytest.raises(LocalProtocolError, match="1 requests, but room for 0"):
            bind.submit([(TEXT, "early")])
        await recorder.wait_for("bound")
        bind.submit([(TEXT, n) for n in range(8)])
        with pytest.raises(LocalProtocolError, match="1 requests, but room for 0"):
            bind.submit([(TEXT, "ninth")])
    assert recorder.losses == [(list(range(8)), "cancelled")]


async def test_a_receiver_has_no_room(make: Make, recorder: Recorder) -> None:
    async with carrier(serve) as port, running(make(port, mode="receiver")) as bind:
        await recorder.wait_for("bound")
        assert (bind.up, bind.room) == (True, 0)


async def test_speaks_tls_to_the_name_it_was_given(
    make: Make, recorder: Recorder, tmp_path: Path
) -> None:
    authority = trustme.CA()
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("smsc.example").configure_cert(theirs)
    ours = ssl.create_default_context()
    authority.configure_trust(ours)
    async with (
        carrier(serve, tls=theirs) as port,
        running(make(port, tls=ours, server_name="smsc.example")) as bind,
    ):
        await recorder.wait_for("bound")
        bind.submit([(TEXT, "a")])
        assert await recorder.wait_for("responded") == ["a"]


async def test_a_wrong_certificate_is_no_connection(
    make_options: Callable[..., BindOptions], recorder: Recorder
) -> None:
    authority = trustme.CA()
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("other.example").configure_cert(theirs)
    ours = ssl.create_default_context()
    authority.configure_trust(ours)
    attempts = Attempts(1)
    async with carrier(serve, tls=theirs) as port:
        options = make_options(port=port, tls=ours, server_name="smsc.example")
        with structlog.testing.capture_logs() as lines:
            async with running(Bind(options, "alpha-1", recorder, rng=attempts)):
                await attempts.made.wait()
    (line,) = lines
    assert line["event"] == "connect_failed"
    assert "smsc.example" in line["detail"]
    assert recorder.heard == [("failed", line["detail"])]


async def test_answers_deliveries_once_told(make: Make, recorder: Recorder) -> None:
    answered: list[p.Packet] = []

    async def deliver(peer: Peer) -> None:
        await peer.accept_bind()
        await peer.send(RECEIPT, 5)
        await peer.send(p.DataSm(), 6)
        answered.extend([await peer.next(), await peer.next()])
        await peer.send(p.Unbind(), 7)

    recorder.answers_with = Status.ESME_RX_T_APPN
    async with carrier(deliver) as port, running(make(port)):
        await recorder.wait_for("lost")
    assert answered == [
        p.Packet(p.DeliverSmResp.command_id, Status.ESME_RX_T_APPN, 5, p.DeliverSmResp()),
        p.Packet(p.DataSmResp.command_id, Status.ESME_RX_T_APPN, 6, p.DataSmResp()),
    ]


async def test_an_answer_never_goes_to_another_session(make: Make, recorder: Recorder) -> None:
    seen: list[p.Packet] = []

    async def deliver_and_go(peer: Peer) -> None:
        await peer.accept_bind()
        await peer.send(RECEIPT, 5)
        await peer.send(p.Unbind(), 6)
        await peer.expect(p.UnbindResp)

    async def listen(peer: Peer) -> None:
        await peer.accept_bind()
        await peer.send(RECEIPT, 5)
        seen.append(await peer.next())
        await peer.send(p.Unbind(), 6)

    recorder.answers_with = None
    async with carrier(deliver_and_go, listen) as port, running(make(port)) as bind:
        await recorder.wait_for("delivered", 2)
        first, second = recorder.all("delivered")
        assert isinstance(first, Delivery)
        assert isinstance(second, Delivery)
        bind.answer([first])
        bind.answer([second], Status.ESME_RX_T_APPN)
        await recorder.wait_for("lost", 2)
    assert [packet.status for packet in seen] == [Status.ESME_RX_T_APPN]


async def test_reads_nothing_while_the_listener_is_busy(make: Make, recorder: Recorder) -> None:
    written = 0

    async def flood(peer: Peer) -> None:
        nonlocal written
        await peer.accept_bind()
        data = b"".join(p.encode(RECEIPT, n) for n in range(1000))
        while True:
            await peer.stream.send_all(data)
            written += len(data)

    recorder.hold = trio.Event()
    async with carrier(flood) as port, running(make(port)):
        await recorder.wait_for("delivered")
        before = -1
        while before != written:  # until the sockets are full
            before = written
            await trio.sleep(0.05)
        first_batch = len(recorder.all("delivered"))
        assert first_batch * len(p.encode(RECEIPT, 1)) <= 65536
        recorder.hold.set()
        await recorder.wait_for("delivered", first_batch + 1000)


async def test_reads_nothing_while_too_much_is_unanswered(make: Make, recorder: Recorder) -> None:
    async def flood(peer: Peer) -> None:
        await peer.accept_bind()
        for n in range(1, 100_000):
            await peer.send(RECEIPT, n)

    recorder.answers_with = None
    async with carrier(flood) as port, running(make(port, response_timeout=0.2)):
        await recorder.wait_for("lost")
    ((_, reason),) = recorder.losses
    assert reason.endswith("deliveries unanswered")
    one_read = 65536 // len(p.encode(RECEIPT, 1)) + 1
    assert MAX_UNANSWERED <= len(recorder.all("delivered")) < MAX_UNANSWERED + one_read


async def test_a_carrier_that_does_not_read_is_given_up(make: Make, recorder: Recorder) -> None:
    async def deaf(peer: Peer) -> None:
        await peer.accept_bind()
        probes = b"".join(p.encode(p.EnquireLink(), n) for n in range(1, 5000))
        while True:
            await peer.stream.send_all(probes)

    async with carrier(deaf) as port, running(make(port, response_timeout=0.3)) as bind:
        await recorder.wait_for("bound")
        await recorder.wait_for("lost")
        assert bind.in_use == 0
    assert recorder.losses[0] == ([], "the carrier does not read")


async def test_a_carrier_that_does_not_read_fills_no_memory(
    make: Make, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def deaf(peer: Peer) -> None:
        nonlocal asked
        assert isinstance(peer.stream, trio.SocketStream)
        peer.stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 4096)
        await peer.accept_bind()
        probes = b"".join(p.encode(p.EnquireLink(), n) for n in range(1, 5000))
        while True:
            await peer.stream.send_all(probes)
            asked += len(probes)

    monkeypatch.setattr(link_module, "MAX_UNWRITTEN", 1 << 16)
    async with carrier(deaf) as port, running(make(port)) as bind:
        await recorder.wait_for("bound")
        before = -1
        while before != asked:  # until the sockets are full
            before = asked
            await trio.sleep(0.05)
        assert bind.room == 0


async def test_unbound_by_the_carrier_it_binds_again(make: Make, recorder: Recorder) -> None:
    agreed: list[p.Packet] = []

    async def unbind(peer: Peer) -> None:
        await peer.accept_bind()
        await peer.expect(p.SubmitSm)
        await peer.send(p.Unbind(), 9)
        agreed.append(await peer.expect(p.UnbindResp))

    async with carrier(unbind, serve) as port, running(make(port)) as bind:
        await recorder.wait_for("bound")
        bind.submit([(TEXT, "a")])
        await recorder.wait_for("bound", 2)
        assert bind.room == 8
    assert [packet.sequence for packet in agreed] == [9]
    assert recorder.losses[0] == (["a"], "unbound")


async def test_a_reset_inside_a_pdu(make: Make, recorder: Recorder) -> None:
    async def reset(peer: Peer) -> None:
        await peer.accept_bind()
        await peer.expect(p.SubmitSm)
        await peer.stream.send_all(p.encode(p.SubmitSmResp(message_id="1"), 2)[:-1])
        assert isinstance(peer.stream, trio.SocketStream)
        peer.stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    async with carrier(reset, serve) as port, running(make(port)) as bind:
        await recorder.wait_for("bound")
        bind.submit([(TEXT, "a")])
        await recorder.wait_for("bound", 2)
    unanswered, reason = recorder.losses[0]
    assert unanswered == ["a"]
    assert "reset" in reason or "closed" in reason


async def test_garbage_is_answered_and_left(make: Make, recorder: Recorder) -> None:
    answers: list[p.Packet] = []

    async def garbage(peer: Peer) -> None:
        await peer.accept_bind()
        await peer.stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        answers.append(await peer.expect(p.GenericNack))

    async def garbage_instead_of_a_bind_resp(peer: Peer) -> None:
        await peer.stream.send_all(b"SSH-2.0-OpenSSH_9.9\r\n")
        await peer.next()

    scripts = (garbage_instead_of_a_bind_resp, garbage, serve)
    async with carrier(*scripts) as port, running(make(port)):
        await recorder.wait_for("bound", 2)
    assert [answer.status for answer in answers] == [Status.ESME_RINVCMDLEN]
    unanswered, reason = recorder.losses[0]
    assert unanswered == []
    assert "command_length" in reason


async def test_a_silent_carrier_is_found_out(make: Make, recorder: Recorder) -> None:
    asked: list[p.Packet] = []

    async def silent(peer: Peer) -> None:
        await peer.accept_bind()
        asked.append(await peer.expect(p.EnquireLink))
        await trio.sleep_forever()

    timers = {"enquire_link": 0.02, "response_timeout": 0.05}
    async with carrier(silent, serve) as port, running(make(port, **timers)):
        await recorder.wait_for("bound", 2)
    assert len(asked) == 1
    assert recorder.losses[0] == ([], "enquire_link unanswered")


async def test_a_carrier_that_answers_enquire_link_stays(make: Make, recorder: Recorder) -> None:
    probes = trio.Event()

    async def alive(peer: Peer) -> None:
        await peer.accept_bind()
        for _ in range(5):
            packet = await peer.expect(p.EnquireLink)
            await peer.send(p.EnquireLinkResp(), packet.sequence)
        probes.set()
        await peer.answer_forever()

    async with carrier(alive) as port, running(make(port, enquire_link=0.01)) as bind:
        await probes.wait()
        assert bind.up
    assert len(recorder.all("bound")) == 1


async def test_no_answer_to_the_bind(make: Make, recorder: Recorder) -> None:
    async def mute(peer: Peer) -> None:
        await trio.sleep_forever()

    async with carrier(mute, serve) as port, running(make(port, session_init_timeout=2.0)):
        await recorder.wait_for("bound")
    assert [what for what, _ in recorder.heard] == ["failed", "bound", "lost"]


async def test_an_unanswered_request_is_given_up(make: Make, recorder: Recorder) -> None:
    async def forgetful(peer: Peer) -> None:
        await peer.accept_bind()
        first = await peer.expect(p.SubmitSm)
        second = await peer.expect(p.SubmitSm)
        await peer.send(p.SubmitSmResp(), second.sequence)
        await recorder.wait_for("timed_out")
        await peer.send(p.SubmitSmResp(), first.sequence)
        await peer.answer_forever()

    async with carrier(forgetful) as port, running(make(port, response_timeout=2.0)) as bind:
        await recorder.wait_for("bound")
        bind.submit([(TEXT, "a"), (TEXT, "b")])
        assert await recorder.wait_for("timed_out") == [["a"]]
        assert bind.room == 8
        bind.submit([(TEXT, "c")])
        assert await recorder.wait_for("responded", 2) == ["b", "c"]


async def test_what_waits_unread_is_not_held_against_the_carrier(
    make: Make, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def prompt(peer: Peer) -> None:
        await peer.accept_bind()
        await peer.send(RECEIPT, 1)
        packet = await peer.expect(p.SubmitSm)
        await peer.send(p.SubmitSmResp(), packet.sequence)
        await peer.answer_forever()

    monkeypatch.setattr(bind_module, "PATIENCE", 0.5)
    recorder.hold = trio.Event()
    async with carrier(prompt) as port, running(make(port, response_timeout=1.0)) as bind:
        await recorder.wait_for("delivered")
        bind.submit([(TEXT, "a")])
        await trio.sleep(2.0)
        recorder.hold.set()
        assert await recorder.wait_for("responded") == ["a"]
    assert recorder.all("timed_out") == []


async def test_restart_makes_a_new_session(make: Make, recorder: Recorder) -> None:
    async with carrier(serve, serve) as port, running(make(port)) as bind:
        await recorder.wait_for("bound")
        bind.restart("ESME_RINVBNDSTS")
        assert (bind.up, bind.room) == (False, 0)
        await recorder.wait_for("bound", 2)
    assert recorder.losses[0] == ([], "ESME_RINVBNDSTS")


async def test_a_thousand_refused_binds_leave_nothing_behind(
    make: Make, recorder: Recorder
) -> None:
    async def refuse(peer: Peer) -> None:
        packet = await peer.next()
        await peer.send(p.BindTransceiverResp(), packet.sequence, Status.ESME_RSYSERR)

    with leaves_nothing_behind(), structlog.testing.capture_logs() as lines:
        async with carrier(*[refuse] * 1000) as port:
            backoff = Backoff(initial=1e-6, longest=1e-6)
            async with running(make(port, backoff=backoff)):
                await recorder.wait_for("refused", 1000)
    assert {detail for what, detail in recorder.heard} == {Status.ESME_RSYSERR}
    (line,) = lines
    assert (line["event"], line["detail"]) == ("bind_failed", "refused with ESME_RSYSERR")


async def test_failing_to_connect_is_said_once_a_minute(
    make_options: Callable[..., BindOptions], recorder: Recorder
) -> None:
    port = free_port()  # nobody listens there
    attempts = Attempts(300)
    now = 1000.0

    def clock() -> float:
        nonlocal now
        now += 0.5
        return now

    options = make_options(port=port, backoff=Backoff(initial=1e-6, longest=1e-6))
    with structlog.testing.capture_logs() as lines, leaves_nothing_behind():
        async with running(Bind(options, "alpha-1", recorder, clock=clock, rng=attempts)):
            await attempts.made.wait()
    assert {line["event"] for line in lines} == {"connect_failed"}
    assert [line["repeats"] for line in lines] == [0, 119, 119]
    assert "refused" in lines[0]["detail"]
    assert "secret" not in str(lines)


@pytest.mark.parametrize(
    ("status", "first_wait"),
    [
        (Status.ESME_RINVPASWD, 45.0),
        (Status.ESME_RINVSYSID, 45.0),
        (Status.ESME_RBINDFAIL, 45.0),
        (Status.ESME_RSYSERR, 0.5),
    ],
)
async def test_refused_credentials_are_not_hammered(
    make_options: Callable[..., BindOptions],
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    status: Status,
    first_wait: float,
) -> None:
    waits: list[float] = []

    async def no_sleep(seconds: float) -> None:
        waits.append(seconds)
        await trio.lowlevel.checkpoint()

    async def refuse(peer: Peer) -> None:
        packet = await peer.next()
        await peer.send(p.BindTransceiverResp(), packet.sequence, status)

    monkeypatch.setattr(trio, "sleep", no_sleep)
    async with carrier(refuse, serve) as port:
        bind = Bind(make_options(port=port), "alpha-1", recorder, rng=lambda: 0.5)
        async with running(bind):
            await recorder.wait_for("bound")
    assert recorder.all("refused") == [status]
    assert waits[0] == first_wait


@pytest.mark.parametrize(
    ("status", "first_wait", "second_wait", "told"),
    [
        (Status.ESME_RBINDFAIL, 7.5, 45.0, True),
        (0x412, 7.5, 1.0, True),  # carriers have words of their own for too many sessions
        (Status.ESME_RINVPASWD, 45.0, 45.0, False),
    ],
)
async def test_a_carrier_may_have_a_session_still_that_nobody_has_ended(
    make_options: Callable[..., BindOptions],
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    first_wait: float,
    second_wait: float,
    told: bool,
) -> None:
    """It is tried again soon, until it is late enough that this cannot be why."""
    waits: list[float] = []
    now = 0.0

    async def no_sleep(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += 50.0
        await trio.lowlevel.checkpoint()

    async def refuse(peer: Peer) -> None:
        packet = await peer.next()
        await peer.send(p.BindTransceiverResp(), packet.sequence, status)

    monkeypatch.setattr(trio, "sleep", no_sleep)
    with structlog.testing.capture_logs() as lines:
        async with carrier(refuse, refuse, serve) as port:
            left = Left("node b", 40.0)
            options = make_options(port=port)
            bind = Bind(options, "alpha-1", recorder, clock=lambda: now, rng=lambda: 0.5, left=left)
            async with running(bind):
                await recorder.wait_for("bound")
    why = ", perhaps for the session of node b, which nobody has ended"
    assert [line["detail"].endswith(why) for line in lines[:3]] == [told, False, False]
    assert waits == [first_wait, second_wait]
    assert bind.left is None


@pytest.mark.parametrize(("until", "refused"), [(9e9, 1), (-9e9, 0)])
async def test_already_bound_is_refused_where_there_may_be_another_session(
    make_options: Callable[..., BindOptions], recorder: Recorder, until: float, refused: int
) -> None:
    async def already(peer: Peer) -> None:
        packet = await peer.next()
        await peer.send(p.BindTransceiverResp(), packet.sequence, Status.ESME_RALYBND)
        await peer.answer_forever()

    async with carrier(already, serve) as port:
        left = Left("node b", until)
        options = make_options(port=port, backoff=AT_ONCE)
        async with running(Bind(options, "alpha-1", recorder, left=left)):
            await recorder.wait_for("bound")
    assert recorder.all("refused") == [Status.ESME_RALYBND] * refused
    assert len(recorder.losses) == 1


async def test_drain_waits_for_the_window_and_unbinds(make: Make, recorder: Recorder) -> None:
    order: list[str] = []

    async def slow(peer: Peer) -> None:
        await peer.accept_bind()
        packets = [await peer.expect(p.SubmitSm) for _ in range(3)]
        for packet in packets:
            await trio.sleep(0.01)
            await peer.send(p.SubmitSmResp(), packet.sequence)
        unbind = await peer.expect(p.Unbind)
        order.append("unbind")
        await peer.send(p.UnbindResp(), unbind.sequence)

    with leaves_nothing_behind(), trio.fail_after(60):
        async with carrier(slow) as port, trio.open_nursery() as nursery:
            bind = make(port)
            await nursery.start(bind.run)
            await recorder.wait_for("bound")
            bind.submit([(TEXT, n) for n in range(3)])
            nursery.start_soon(bind.drain)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(LocalProtocolError):
                bind.submit([(TEXT, "late")])
    assert recorder.all("responded") == [0, 1, 2]
    assert recorder.losses == [([], "unbound")]
    assert order == ["unbind"]


async def test_drain_gives_back_what_a_deadline_cut_off(make: Make, recorder: Recorder) -> None:
    async def silent(peer: Peer) -> None:
        await peer.accept_bind()
        await trio.sleep_forever()

    async with carrier(silent) as port, running(make(port)) as bind:
        await recorder.wait_for("bound")
        bind.submit([(TEXT, "a")])
        with trio.move_on_after(0.05) as deadline:
            await bind.drain()
        assert deadline.cancelled_caught
    assert recorder.losses == [(["a"], "cancelled")]


@pytest.mark.parametrize("stage", ["connecting", "binding", "backing off", "not run"])
async def test_drain_does_not_wait_for_a_session_to_come(
    make: Make, recorder: Recorder, stage: str
) -> None:
    arrived = trio.Event()

    async def mute(peer: Peer) -> None:
        await peer.next()
        arrived.set()
        await trio.sleep_forever()

    async def refuse(peer: Peer) -> None:
        packet = await peer.next()
        await peer.send(p.BindTransceiverResp(), packet.sequence, Status.ESME_RINVPASWD)

    never = Backoff(initial=1000.0, longest=1000.0)
    with trio.fail_after(60):
        async with carrier(refuse if stage == "backing off" else mute) as port:
            bind = make(port, backoff=never)
            async with trio.open_nursery() as nursery:
                if stage != "not run":
                    await nursery.start(bind.run)
                if stage == "binding":
                    await arrived.wait()
                if stage == "backing off":
                    await recorder.wait_for("refused")
                await bind.drain()
    assert not bind.up


async def test_drain_does_not_wait_long_for_the_unbind_resp(
    make: Make, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rude(peer: Peer) -> None:
        await peer.accept_bind()
        await peer.expect(p.Unbind)
        await trio.sleep_forever()

    monkeypatch.setattr(session_module, "UNBIND_TIMEOUT", 0.05)
    async with carrier(rude) as port, running(make(port)) as bind:
        await recorder.wait_for("bound")
        with trio.fail_after(60):
            await bind.drain()
    assert recorder.losses == [([], "no answer in time while unbinding")]


async def test_drain_while_the_connection_is_being_made(
    make: Make, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = trio.open_tcp_stream

    async def connect_despite_cancellation(host: str, port: int) -> trio.SocketStream:
        with trio.CancelScope(shield=True):
            stream = await connect(host, port)
            nursery.start_soon(bind.drain)
            await trio.testing.wait_all_tasks_blocked()
        return stream

    async def mute(peer: Peer) -> None:
        await peer.next()
        await trio.sleep_forever()

    monkeypatch.setattr(trio, "open_tcp_stream", connect_despite_cancellation)
    with trio.fail_after(60):
        async with carrier(mute) as port:
            bind = make(port)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(bind.run)
    assert recorder.heard == [("failed", "drained")]


async def test_submitting_while_it_closes_never_blocks(make: Make, recorder: Recorder) -> None:
    """The two sides of a race that has deadlocked others: both are plain calls here."""

    async def unbind_in_the_thick_of_it(peer: Peer) -> None:
        await peer.accept_bind()
        await peer.expect(p.SubmitSm)
        await peer.send(p.Unbind(), 1)
        while not isinstance((await peer.next()).pdu, p.UnbindResp):
            pass

    submitted: list[int] = []

    async with carrier(*[unbind_in_the_thick_of_it] * 50) as port, running(make(port)) as bind:
        while len(recorder.all("lost")) < 50:
            if bind.room:
                submitted.append(len(submitted))
                bind.submit([(TEXT, submitted[-1])])
            await trio.lowlevel.checkpoint()
    came_back = recorder.all("responded")
    for unanswered, _ in recorder.losses:
        came_back += unanswered
    assert sorted(came_back, key=str) == sorted(submitted, key=str)

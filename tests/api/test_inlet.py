"""What is held of frames that come: bounded by bytes over all connections of a tenant, and every
frame can be completed, whoever begins one and leaves it there."""

from contextlib import suppress
from typing import Any

import msgpack
import pytest
import trio
from trio.testing import MemoryReceiveStream, memory_stream_one_way_pair, wait_all_tasks_blocked

from gateway.api.frames import HEADER_SIZE, FrameReader, FrameTooLargeError, frame
from gateway.api.hello import HELLO_MAX, Refused, await_hello
from gateway.api.inlet import READ, Arrival, Inlet, StalledError
from gateway.api.options import ServerOptions
from gateway.api.outbox import Outbox
from gateway.api.shared import SMALL, Shared, Tenant

MEGABYTE = 1 << 20
OPTIONS = ServerOptions(max_frame=MEGABYTE, max_tenant_bytes=4 * MEGABYTE)
LARGE = frame(bytes(MEGABYTE))
ONE = frame(b"\x80")


class Line:
    """One connection's end that reads, and what a client does at the other."""

    def __init__(self, tenant: Tenant, options: ServerOptions = OPTIONS) -> None:
        self._client, server = memory_stream_one_way_pair()
        self.frames = FrameReader(options.max_frame)
        self.outbox = Outbox()
        self.inlet = Inlet(server, self.frames, tenant, self.outbox, options, lambda: 64)
        self.got: list[Arrival] = []
        self.end: str | None = None

    async def send(self, data: bytes) -> None:
        await self._client.send_all(data)

    async def leave(self) -> None:
        await self._client.aclose()

    async def run(self) -> None:
        """Take what comes, and answer nothing."""
        try:
            with self.inlet.idle:
                self.inlet.touch()
                while (arrival := await self.inlet.receive()) is not None:
                    self.got.append(arrival)
            self.end = "idle"
        except (StalledError, FrameTooLargeError) as error:
            self.end = type(error).__name__
        finally:
            self.inlet.close()

    def answer(self) -> None:
        for arrival in self.got:
            arrival.turnstile.leave(arrival.size)


@pytest.fixture
def tenant() -> Tenant:
    return Tenant("acme", OPTIONS.max_tenant_bytes)


@pytest.fixture
def lines(tenant: Tenant, nursery: trio.Nursery) -> Any:
    """Makes so many connections of one tenant that are being read."""

    def make(count: int, options: ServerOptions = OPTIONS) -> list[Line]:
        made = [Line(tenant, options) for _ in range(count)]
        for line in made:
            nursery.start_soon(line.run)
        return made

    return make


@pytest.mark.parametrize(
    "sent",
    [LARGE[:-1], LARGE[: MEGABYTE // 2], LARGE[: SMALL + 10], frame(bytes(SMALL))[:-1], LARGE[:5]],
    ids=["almost a frame", "half of one", "a bit", "almost a small one", "a byte of one"],
)
async def test_forty_connections_hold_no_more_than_a_tenant_may(lines: Any, sent: bytes) -> None:
    crowd = lines(40)
    for line in crowd:
        await line.send(sent)
    await wait_all_tasks_blocked()
    held = sum(line.frames.buffered for line in crowd)
    assert held <= 3 * MEGABYTE + 40 * READ
    assert held >= min(40 * len(sent), 3 * READ)


async def test_and_all_are_read_in_the_order_in_which_they_came(lines: Any) -> None:
    crowd = lines(40)
    for line in crowd:
        await line.send(LARGE[:-1])
        await wait_all_tasks_blocked()
    order = []
    for number in (7, 39, *range(40)):
        if not crowd[number].got:
            await crowd[number].send(LARGE[-1:])
    for _ in range(40):
        await wait_all_tasks_blocked()
        done = [n for n, line in enumerate(crowd) if line.got and n not in order]
        order += done[:1]
        crowd[done[0]].answer()
    assert order == list(range(40))


async def test_small_ones_pass_while_large_ones_take_their_time(lines: Any) -> None:
    for line in lines(40):
        await line.send(LARGE[:-1])
    await wait_all_tasks_blocked()
    [quick] = lines(1)
    await quick.send(ONE + ONE)
    await wait_all_tasks_blocked()
    assert [arrival.bodies for arrival in quick.got] == [[b"\x80", b"\x80"]]


async def test_small_ones_that_are_not_answered_wait_too(lines: Any) -> None:
    crowd = lines(40)
    for line in crowd:
        await line.send(frame(bytes(SMALL)))
    await wait_all_tasks_blocked()
    assert sum(len(line.got) for line in crowd) == MEGABYTE // SMALL
    for _ in range(3):
        for line in crowd:
            line.answer()
            line.got = [] if line.got else line.got
        await wait_all_tasks_blocked()
    assert all(line.frames.buffered == 0 for line in crowd)


async def test_a_frame_as_long_as_all_there_is_goes_alone(nursery: trio.Nursery) -> None:
    options = ServerOptions(max_frame=MEGABYTE, max_tenant_bytes=MEGABYTE)
    tenant = Tenant("acme", MEGABYTE)
    crowd = [Line(tenant, options) for _ in range(2)]
    for line in crowd:
        nursery.start_soon(line.run)
        await line.send(LARGE)
    await wait_all_tasks_blocked()
    assert [len(line.got) for line in crowd] == [1, 0]
    crowd[0].answer()
    await wait_all_tasks_blocked()
    assert [len(line.got) for line in crowd] == [1, 1]


async def test_one_that_does_not_go_on_gives_way_to_those_that_wait(
    lines: Any, autojump_clock: Any
) -> None:
    crowd = lines(6)
    for line in crowd:
        await line.send(LARGE[:-1])
        await wait_all_tasks_blocked()
    await trio.sleep(OPTIONS.stall_timeout + 1)
    assert [line.end for line in crowd] == ["StalledError"] * 3 + [None] * 3
    await crowd[4].send(LARGE[-1:])
    await wait_all_tasks_blocked()
    assert len(crowd[4].got) == 1


async def test_one_that_nobody_waits_for_has_the_usual_time(
    lines: Any, autojump_clock: Any
) -> None:
    [line] = lines(1)
    await line.send(LARGE[:-1])
    await trio.sleep(OPTIONS.idle_timeout - 1)
    assert line.end is None
    await trio.sleep(2)
    assert line.end == "idle"


async def test_no_time_runs_against_one_that_waits(lines: Any, autojump_clock: Any) -> None:
    crowd = lines(3)
    for line in crowd:
        await line.send(LARGE)
    await wait_all_tasks_blocked()
    [waiting] = lines(1)
    await waiting.send(LARGE)
    await trio.sleep(2 * OPTIONS.idle_timeout)
    assert [line.end for line in crowd] == ["idle"] * 3
    assert (waiting.end, waiting.got) == (None, [])
    crowd[0].answer()
    await wait_all_tasks_blocked()
    assert len(waiting.got) == 1


@pytest.mark.parametrize("end", ["closed", "too large"])
async def test_room_is_given_back_at_the_end(lines: Any, tenant: Tenant, end: str) -> None:
    crowd = lines(3)
    for line in crowd:
        await line.send(LARGE[:-1])
    [waiting] = lines(1)
    await waiting.send(LARGE)
    await wait_all_tasks_blocked()
    assert tenant.large.crowded
    if end == "closed":
        await crowd[0].leave()
    else:
        await crowd[0].send(LARGE[-1:] + b"\xff" * HEADER_SIZE)
        await wait_all_tasks_blocked()
        crowd[0].answer()
    await wait_all_tasks_blocked()
    assert len(waiting.got) == 1
    assert crowd[0].frames.buffered == 0


async def test_what_was_given_out_takes_no_memory(lines: Any) -> None:
    [line] = lines(1)
    await line.send(LARGE + ONE[:2])
    await wait_all_tasks_blocked()
    assert line.frames.buffered == 2


# --- before hello ---


@pytest.mark.parametrize(
    "first",
    [
        frame(bytes(HELLO_MAX))[:-1],
        frame(msgpack.packb({"op": "hello", "id": 0, "token": "s3cret"})),
        frame(msgpack.packb({"op": "hello", "id": 0, "token": "wrong"})),
        frame(bytes(HELLO_MAX + 1)),
    ],
    ids=["almost a frame", "hello", "a wrong token", "too large"],
)
async def test_nobody_unknown_has_more_than_a_small_frame_held(
    backend: Any, autojump_clock: Any, first: bytes
) -> None:
    client, server = memory_stream_one_way_pair()
    assert isinstance(server, MemoryReceiveStream)
    frames = FrameReader(OPTIONS.max_frame)
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, frames.buffered)
            await trio.sleep(0.5)

    await client.send_all(first + bytes(MEGABYTE))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        stream = trio.StapledStream(client, server)
        with suppress(Refused):
            await await_hello(stream, frames, Shared(backend, OPTIONS), "peer")
        most = max(most, frames.buffered)
        nursery.cancel_scope.cancel()
    assert most <= HEADER_SIZE + HELLO_MAX

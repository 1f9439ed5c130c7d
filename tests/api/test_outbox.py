from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
import trio
from trio.testing import lockstep_stream_pair, wait_all_tasks_blocked

from gateway.api.outbox import Outbox


async def test_what_is_put_down_together_leaves_together(nursery: trio.Nursery) -> None:
    sent: list[int] = []
    outbox = Outbox(sent.append)
    ours, theirs = lockstep_stream_pair()
    nursery.start_soon(outbox.write, ours, 10.0)
    for piece in (b"one", b"two"):
        outbox.buffer += piece
        outbox.answered()
        outbox.wake()
    assert await theirs.receive_some() == b"onetwo"
    await wait_all_tasks_blocked()
    assert sum(sent) == 2


async def test_what_comes_during_a_write_follows_whole(nursery: trio.Nursery) -> None:
    outbox = Outbox(lambda _: None)
    ours, theirs = lockstep_stream_pair()
    nursery.start_soon(outbox.write, ours, 10.0)
    outbox.buffer += b"first"
    outbox.wake()
    await wait_all_tasks_blocked()
    outbox.buffer += b"second"
    outbox.wake()
    assert await theirs.receive_some(2) == b"fi"
    assert await theirs.receive_some() == b"rst"
    assert await theirs.receive_some() == b"second"


async def test_producers_wait_while_much_is_waiting(nursery: trio.Nursery) -> None:
    outbox = Outbox(lambda _: None)
    ours, theirs = lockstep_stream_pair()
    outbox.buffer += bytes(1_000_000)
    went_on = trio.Event()

    async def produce() -> None:
        await outbox.room()
        went_on.set()

    nursery.start_soon(produce)
    await wait_all_tasks_blocked()
    assert not went_on.is_set()
    nursery.start_soon(outbox.write, ours, 10.0)
    await theirs.receive_some()
    await wait_all_tasks_blocked()
    assert went_on.is_set()


async def test_a_peer_that_reads_slowly_but_steadily_is_not_cut_off(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    outbox = Outbox(lambda _: None)
    ours, theirs = lockstep_stream_pair()
    outbox.buffer += bytes(1_000_000)
    nursery.start_soon(outbox.write, ours, 10.0)
    received = 0
    while received < 1_000_000:
        await trio.sleep(9.0)
        received += len(await theirs.receive_some(256 * 1024))
    assert not outbox.closed


async def test_a_peer_that_stops_reading_is(autojump_clock: trio.testing.MockClock) -> None:
    dropped: list[int] = []
    outbox = Outbox(dropped.append)
    ours, _theirs = lockstep_stream_pair()
    outbox.buffer += b"data"
    for _ in range(3):
        outbox.answered()
    outbox.wake()
    assert await outbox.write(ours, 10.0)
    assert trio.current_time() == pytest.approx(10.0)
    assert outbox.closed
    assert sum(dropped) == 3


async def test_answers_for_a_peer_that_has_gone_are_counted_off() -> None:
    dropped: list[int] = []
    outbox = Outbox(dropped.append)
    ours, theirs = lockstep_stream_pair()
    await theirs.aclose()
    outbox.buffer += b"data"
    outbox.answered()
    outbox.wake()
    assert not await outbox.write(ours, 10.0)
    outbox.buffer += b"late"
    outbox.answered()
    outbox.wake()
    assert sum(dropped) == 2
    assert not outbox.buffer


async def test_an_answer_is_offered_before_the_peer_can_have_read_it(
    nursery: trio.Nursery,
) -> None:
    sent: list[int] = []
    offered: list[int] = []
    outbox = Outbox(sent.append, offered.append)
    ours, theirs = lockstep_stream_pair()
    for size in (10, 300_000, 300_000):  # the second and the third end in later pieces
        outbox.buffer += bytes(size)
        outbox.answered()
        outbox.wake()
    nursery.start_soon(outbox.write, ours, 10.0)
    told = []
    for take in (10, 262_134, 37_866, 224_278, 75_722):
        assert len(await theirs.receive_some(take)) == take
        await wait_all_tasks_blocked()
        told.append((sum(offered), sum(sent)))
    # Of the first piece everything is offered and nothing sent while a part of it is not taken.
    assert told == [(1, 0), (2, 1), (2, 1), (3, 2), (3, 3)]


async def test_a_peer_that_is_busy_sending_is_not_cut_off(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    outbox = Outbox()
    ours, _theirs = lockstep_stream_pair()
    outbox.buffer += b"data"
    nursery.start_soon(outbox.write, ours, 10.0)
    for _ in range(10):
        await trio.sleep(9.0)
        outbox.heard()
    assert not outbox.closed
    await trio.sleep(11.0)
    assert outbox.closed


@pytest.fixture
async def sockets() -> AsyncIterator[tuple[trio.SocketStream, trio.SocketStream]]:
    ours, theirs = map(trio.SocketStream, trio.socket.socketpair())
    async with aclosing(ours), aclosing(theirs):
        yield ours, theirs


async def test_a_small_answer_is_with_the_socket_before_anything_else_happens(
    sockets: tuple[trio.SocketStream, trio.SocketStream], nursery: trio.Nursery
) -> None:
    sent: list[int] = []
    offered: list[int] = []
    waiting: list[int] = []
    outbox = Outbox(sent.append, offered.append, waiting.append)
    ours, theirs = sockets
    nursery.start_soon(outbox.write, ours, 10.0)
    await wait_all_tasks_blocked()
    for piece in (b"one", b"two"):
        outbox.buffer += piece
        outbox.answered()
    outbox.wake()
    assert (sum(offered), sum(sent), sum(waiting)) == (2, 2, 0)
    assert await theirs.receive_some() == b"onetwo"


async def test_what_a_full_socket_takes_in_pieces_arrives_whole_and_is_counted_once(
    sockets: tuple[trio.SocketStream, trio.SocketStream], nursery: trio.Nursery
) -> None:
    sent: list[int] = []
    offered: list[int] = []
    waiting: list[int] = []
    outbox = Outbox(sent.append, offered.append, waiting.append)
    ours, theirs = sockets
    nursery.start_soon(outbox.write, ours, 10.0)
    await wait_all_tasks_blocked()
    put = bytearray()
    answers = 0
    while outbox.waiting < 10_000:  # some frames at once, and some that others are put down behind
        frame = answers.to_bytes(4, "big") * 250
        put += frame
        outbox.buffer += frame
        outbox.answered()
        outbox.wake()
        answers += 1
    assert sum(offered) < answers
    got = bytearray()
    while len(got) < len(put):
        got += await theirs.receive_some()
    assert got == put
    await wait_all_tasks_blocked()
    assert (sum(offered), sum(sent), sum(waiting), outbox.waiting) == (answers, answers, 0, 0)

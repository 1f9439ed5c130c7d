"""Reading and writing in fewer steps comes to the same as reading and writing."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import NamedTuple

import pytest
import trio
import trio.testing

from gateway import sockets

PIECE = bytes(range(256)) * 8


class Pair(NamedTuple):
    """The two ends of a connection."""

    ours: trio.SocketStream
    theirs: trio.SocketStream


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    ours, theirs = map(trio.SocketStream, trio.socket.socketpair())
    async with aclosing(ours), aclosing(theirs):
        yield Pair(ours, theirs)


async def test_a_little_is_taken_at_once(pair: Pair) -> None:
    assert sockets.offer(pair.ours, PIECE) == len(PIECE)
    assert await pair.theirs.receive_some() == PIECE


async def test_much_is_left_to_be_gathered(pair: Pair) -> None:
    assert sockets.offer(pair.ours, bytes(sockets.AT_ONCE + 1)) == 0


async def test_what_a_full_socket_does_not_take_is_left(pair: Pair) -> None:
    taken = 0
    while size := sockets.offer(pair.ours, PIECE):
        taken += size
    assert sockets.offer(pair.ours, PIECE) == 0
    got = 0
    while got < taken:
        got += len(await pair.theirs.receive_some())
    assert sockets.offer(pair.ours, PIECE) == len(PIECE)


async def test_the_stream_tells_what_is_the_matter(pair: Pair) -> None:
    await pair.theirs.aclose()
    assert sockets.offer(pair.ours, PIECE) == 0
    with pytest.raises(trio.BrokenResourceError):
        await pair.ours.send_all(PIECE)
    await pair.ours.aclose()
    assert sockets.offer(pair.ours, PIECE) == 0
    with pytest.raises(trio.ClosedResourceError):
        await sockets.receive(pair.ours, 10)


async def test_no_other_stream_is_written_to() -> None:
    ours, theirs = trio.testing.lockstep_stream_pair()
    assert sockets.offer(ours, PIECE) == 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.send_all, PIECE)
        assert await sockets.receive(theirs, len(PIECE)) == PIECE


async def test_what_comes_is_received_up_to_the_end(pair: Pair) -> None:
    await pair.theirs.send_all(b"one")
    assert await sockets.receive(pair.ours, 2) == b"on"
    assert await sockets.receive(pair.ours, 2) == b"e"
    await pair.theirs.send_eof()
    assert await sockets.receive(pair.ours, 2) == b""


async def test_one_that_reads_is_told_of_the_end(pair: Pair) -> None:
    told = []

    async def read() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await sockets.receive(pair.ours, 10)
        told.append("closed")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        await pair.ours.aclose()
    assert told == ["closed"]

"""Streams of open pages."""

import time
from contextlib import ExitStack

import pytest
import trio
from msgspec.structs import replace

from gateway.ops.console.live import EVERY, MOST, Live, Seen, event
from tests.ops.console.staging import Staged, ask, events, many, serving


@pytest.mark.parametrize("path", ["/", "/carriers", "/carriers/alpha", "/queues?q=acme"])
async def test_a_stream_tells_what_the_page_shows(path: str) -> None:
    async with serving(Staged()) as address:
        page = (await ask(address, path)).text
        at, _, query = path.partition("?")
        [first] = await events(address, f"/live?at={at}&{query}", 1)
    lines = first.splitlines()
    assert all(line.startswith("data:") for line in lines)
    assert 'id="pulse" hx-swap-oob' in first
    for line in lines[-4:]:
        assert line.removeprefix("data: ").strip() in page


@pytest.mark.parametrize("path", ["/live?at=/audit", "/live?at=/nothing", "/live?at=//evil"])
async def test_there_are_streams_of_live_pages_only(path: str) -> None:
    async with serving(Staged()) as address:
        assert (await ask(address, path)).status == 404


async def test_a_change_is_told_at_the_next_look() -> None:
    staged = Staged()
    found: list[str] = []

    async def follow(address: str) -> None:
        found.extend(await events(address, "/live?at=/", 2))

    async with serving(staged) as address, trio.open_nursery() as nursery:
        nursery.start_soon(follow, address)
        while not staged.asked:
            await trio.sleep(0.01)
        staged.seen = replace(staged.seen, queued=99_999)
    assert "99,999" in found[1]
    assert EVERY <= 2.0


async def test_a_store_that_stands_still_is_told_and_the_stream_goes_on() -> None:
    staged = Staged()
    staged.stuck = True
    async with serving(staged) as address:
        [first] = await events(address, "/live?at=/", 1)
    assert first == "event: stale\ndata: the store does not answer\n"


async def drawn(_seen: Seen) -> str:
    return "x"


def test_events_are_framed_line_by_line() -> None:
    assert event("a\nb") == b"data: a\ndata: b\n\n"
    assert event("", "beat") == b"event: beat\ndata: \n\n"


async def test_only_so_many_pages_are_fed() -> None:
    live = Live(drawn)
    seen = Seen("viewer", "/", "")
    with live.watching(seen):
        assert live.open == 1
    assert live.open == 0
    with ExitStack() as stack:
        for _ in range(MOST):
            stack.enter_context(live.watching(seen))
        assert live.follow(seen, lambda: True).status_code == 503
    assert live.follow(seen, lambda: True).status_code == 200


async def test_pages_that_are_open_together_are_drawn_once() -> None:
    times = 0

    async def count(_seen: Seen) -> str:
        nonlocal times
        times += 1
        return "x"

    live = Live(count)
    seen = Seen("viewer", "/", "")
    with live.watching(seen) as one, live.watching(seen) as other:
        assert one is other
        await one()
        await other()
    assert times == 1


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/tenants", "/carriers", "/queues"])
async def test_an_open_page_of_a_large_installation_costs_two_percent_of_a_core(path: str) -> None:
    """Slow: it has to be watched for some seconds. A thousand tenants, a hundred carriers."""
    staged = Staged()
    many(staged)
    costs = []
    async with serving(staged) as address, trio.open_nursery() as nursery:
        nursery.start_soon(events, address, f"/live?at={path}", 3)
        await trio.sleep(EVERY)
        for _ in range(5):
            began, before = time.monotonic(), time.thread_time()
            await trio.sleep(EVERY)
            costs.append((time.thread_time() - before) / (time.monotonic() - began))
    # What else the machine does makes some of them dearer, none cheaper.
    assert min(costs) < 0.02

from typing import Any

import pytest
import structlog
import trio

from gateway.dispatch.places import Wrong
from gateway.dispatch.watchdog import PATIENCE, SLICE, Misplaced
from gateway.message import message_number
from gateway.ops.metrics import Metrics

LOOKS = 4 * PATIENCE
"""Seconds for some looks of the watchdog."""


def counted(metrics: Metrics) -> dict[str, float]:
    """How many messages were misplaced, by how, where any were."""
    rendered = metrics.snapshot().render().decode()
    lines = [line for line in rendered.splitlines() if line.startswith("gateway_messages_mispl")]
    assert len(lines) == 4, "each is there from the beginning: an alert sees a rise"
    found = {line.split('"')[1]: float(line.split()[-1]) for line in lines}
    return {how: number for how, number in found.items() if number}


def drop(world: Any) -> list[int]:
    """A part of the program takes all that is in lanes, and loses it."""
    gone = [message.id for message in world.dispatch.lanes.remove("acme", lambda _: True)]
    world.dispatch.places.leave("lane", gone)
    return gone


async def test_a_message_in_no_place_goes_out_after_all_marked(
    world: Any, autojump_clock: object
) -> None:
    world.bind.lose()
    ids = await world.accepted("a", "b")
    with structlog.testing.capture_logs() as lines:
        assert len(drop(world)) == 2
        await trio.sleep(LOOKS)
        world.bind.come_up()
        await world.deliver()
    events = await world.events()
    assert {e["message_id"]: e["type"] for e in events} == dict.fromkeys(ids, "delivered")
    assert all(event["maybe_duplicate"] for event in events), "nobody knows what was done with it"
    assert counted(world.metrics) == {"lost": 2}
    [told] = [line for line in lines if line["event"] == "messages_misplaced"]
    assert (told["log_level"], told["how"], told["messages"]) == ("error", "lost", 2)
    assert told["ids"] == sorted(ids)
    await world.check_finished()


async def test_what_is_on_its_way_is_waited_for(world: Any, autojump_clock: object) -> None:
    world.bind.lose()
    await world.accepted("a", "b")
    places = world.dispatch.places
    here = sorted(places.members("lane"))
    for _ in range(5):  # a look finds them in no place, and the next one again
        places.leave("lane", here)
        await trio.sleep(PATIENCE - 10)
        places.enter("lane", here)
        await trio.sleep(PATIENCE / 4)
    assert counted(world.metrics) == {}
    assert world.store.calls["put_back"] == 0


async def test_what_is_where_it_should_be_is_left_alone(world: Any, autojump_clock: object) -> None:
    world.bind.lose()
    await world.accepted(*(f"{n}" for n in range(50)))
    await trio.sleep(LOOKS)
    assert counted(world.metrics) == {}
    assert world.store.calls["put_back"] == 0
    assert 3 <= world.store.calls["leased"] <= 5, "one call each minute"


async def test_more_than_a_slice_is_looked_at_at_once_where_the_counts_differ(
    world: Any, autojump_clock: object
) -> None:
    world.bind.lose()
    await world.accepted(*(f"{n}" for n in range(SLICE + 10)))
    places = world.dispatch.places
    last = max(places.members("lane"))
    world.dispatch.lanes.remove("acme", lambda message: message.id == last)
    places.leave("lane", [last])
    await trio.sleep(LOOKS)
    assert counted(world.metrics) == {"lost": 1}


async def test_what_is_in_a_lane_and_not_leased_is_taken_out(
    world: Any, autojump_clock: object
) -> None:
    world.bind.lose()
    [one] = await world.accepted("a")
    [message] = [m for lane in world.dispatch.lanes.each() for m in lane.messages]
    await world.store.defer([message])  # behind everybody's back
    await trio.sleep(2 * LOOKS)
    assert counted(world.metrics) == {"unleased": 1}
    world.bind.come_up()
    await world.deliver()
    assert await world.outcomes() == {one: "delivered"}
    assert len(world.bind.sent) == 1


async def test_a_store_that_cannot_be_asked_is_asked_again(
    world: Any, autojump_clock: object
) -> None:
    world.bind.lose()
    [one] = await world.accepted("a")
    drop(world)
    world.store.failing = {"leased"}
    await trio.sleep(LOOKS)
    assert counted(world.metrics) == {}
    world.store.failing = {"put_back"}
    await trio.sleep(LOOKS)
    assert counted(world.metrics) == {}
    world.store.failing = set()
    await trio.sleep(LOOKS)
    assert counted(world.metrics) == {"lost": 1}
    world.bind.come_up()
    await world.deliver()
    assert await world.outcomes() == {one: "delivered"}
    assert message_number(one) is not None


@pytest.mark.parametrize(
    ("wrong", "messages", "found"),
    [
        (Wrong("lane", "release", {"carrier": 2, "store": 1}), 3, {"carrier": 2, "store": 1}),
        (Wrong("carrier", "lane", {}), 1, {}),  # no such move
    ],
)
async def test_a_mistaken_move_is_told_once_a_minute(
    wrong: Wrong, messages: int, found: dict[str, int], autojump_clock: object
) -> None:
    metrics = Metrics()
    misplaced = Misplaced(metrics)
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            misplaced.moved(wrong)
            await trio.sleep(25)
        await trio.sleep(60)
        misplaced.moved(wrong)
    assert [line["suppressed"] for line in lines] == [0, 2]
    assert lines[0] == {
        "event": "messages_misplaced", "log_level": "error", "how": "moved", "messages": messages,
        "move": f"{wrong.source} to {wrong.target}", "found": found, "suppressed": 0,
    }  # fmt: skip
    assert counted(metrics) == {"moved": 4.0 * messages}


async def test_what_is_held_is_shown_by_place(world: Any) -> None:
    await world.accepted(*(f"{n}" for n in range(14)))
    assert world.dispatch.places.counts() == {
        "lane": 4, "release": 0, "carrier": 10, "again": 0, "settlement": 0, "deferral": 0,
    }  # fmt: skip

"""Boards are sampled as often as somebody looks at them."""

from collections.abc import Callable, Container

import msgspec

from gateway.ops.console.panels import LOOKED, SELDOM, Panels
from gateway.ops.console.samples import EVERY
from gateway.ops.instruments import Table
from gateway.ops.metrics import Metrics
from tests.ops.console.staging import Clock


class Counted(Metrics):
    """Metrics that tell how often they are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def readings(self, names: Container[str]) -> Callable[[], dict[str, Table]]:
        self.read += 1
        return super().readings(names)


def taken(panels: Panels, board: str) -> int:
    """How many samples there are of a board."""
    return max(len(one["times"]) for one in msgspec.json.decode(panels.series(board)).values())


async def test_a_board_is_sampled_seldom_while_nobody_looks_at_it() -> None:
    metrics, clock = Counted(), Clock()
    panels = Panels(metrics, clock)
    minutes = int(300 / EVERY)
    for _ in range(minutes):
        clock.now += EVERY
        await panels.sample()
    assert metrics.read == 300 / SELDOM
    for _ in range(minutes):
        clock.now += EVERY
        panels.series("now")
        await panels.sample()
    assert taken(panels, "now") == 300 / SELDOM + 300 / EVERY
    assert taken(panels, "store") == 600 / SELDOM
    metrics.read = 0
    for _ in range(minutes):
        clock.now += EVERY
        await panels.sample()
    assert metrics.read <= 300 / SELDOM + LOOKED / EVERY + 1


async def test_rates_are_right_however_far_apart_samples_are() -> None:
    metrics, clock = Metrics(), Clock()
    panels = Panels(metrics, clock)
    for _ in range(40):
        clock.now += EVERY
        metrics.messages_accepted.add(int(10 * EVERY), "acme", "otp")
        await panels.sample()
    [shown] = [one for one in (await panels.board("now"))["panels"] if one["title"] == "In and out"]
    assert {"name": "accepted", "last": "10/s"} in shown["lines"]


async def test_who_opens_a_board_sees_how_things_stand_now() -> None:
    metrics, clock = Metrics(), Clock()
    panels = Panels(metrics, clock)
    bytes_now = 1e6
    metrics.store_size_bytes.feed(lambda: {(): bytes_now})

    async def told() -> list[str]:
        [shown] = [
            one
            for one in (await panels.board("store"))["panels"]
            if one["title"] == "Size of the store"
        ]
        return [line["last"] for line in shown["lines"]]

    first = await told()
    bytes_now = 9e9
    clock.now += EVERY
    assert first != await told()
    assert taken(panels, "store") == 2
    await panels.board("store")
    assert taken(panels, "store") == 2

"""One-time passwords to a range that is watched, from acceptance to the carrier."""

from typing import Any

import trio

from gateway.api.schema import SubmitMessage
from gateway.policy import chain
from gateway.policy.destinations import DestinationOptions
from gateway.policy.pumping import PumpingOptions
from tests.dispatch.conftest import OpenWorld

RANGE = "99890123"


def passwords(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"to": f"{RANGE}{number:04}", "category": "otp", "text": str(number)}
        for number in range(first, first + count)
    ]


def watching(**options: Any) -> chain.PolicyOptions:
    return chain.PolicyOptions(
        destinations=DestinationOptions(watched=("UZ",)),
        pumping=PumpingOptions(**{"least": 5, "minutes": 7, "hold_minutes": 4, **options}),
    )


async def watch(world: Any, **options: Any) -> None:
    await world.configure(policy=watching(**options))


async def test_a_rise_is_held_reported_and_let_go_when_it_is_over(
    world: Any, autojump_clock: Any, capfd: Any
) -> None:
    await watch(world)
    await trio.sleep(420 - world.clock() % 420)  # until a time of counting begins
    results = await world.submit(*passwords(8))
    later = [one.not_before for one in results]
    assert later[:5] == [None] * 5
    assert all(at is not None and abs(at - world.clock() - 240) < 1 for at in later[5:])
    assert len(world.bind.sent) == 5
    rendered = world.metrics.snapshot().render().decode()
    assert 'messages_deferred_total{rule="pumping",tenant="acme"} 3.0' in rendered
    told = capfd.readouterr().out
    assert "otp_rise_held" in told
    assert f"range={RANGE}xxxx" in told
    # Others are not held.
    await world.submit({"to": "8613812345678", "category": "otp"}, {"to": f"{RANGE}0001"})
    assert len(world.bind.sent) == 7
    world.bind.reply()
    # Four minutes on it is the same time of counting. Then it is another, and what has been asked
    # for by then goes, eight minutes after it was.
    await trio.sleep(250)
    assert len(world.bind.sent) == 7
    await trio.sleep(240)
    assert len(world.bind.sent) == 10


async def test_what_is_held_expires_with_its_time(world: Any, autojump_clock: Any) -> None:
    await watch(world, minutes=60)
    await trio.sleep(3600 - world.clock() % 3600)
    held = await world.accepted(*passwords(6))
    world.bind.reply()
    await trio.sleep(650)
    assert (await world.outcomes())[held[5]] == "expired"


async def test_quotes_count_nothing(world: Any) -> None:
    await watch(world)
    for _ in range(3):
        quoted = await world.service.quote("acme", [SubmitMessage(**one) for one in passwords(5)])
        assert all(one.not_before is None for one in quoted)
    results = await world.submit(*passwords(5))
    assert [one.not_before for one in results] == [None] * 5


async def test_who_asks_again_counts_nothing(world: Any) -> None:
    await watch(world)
    asked = [{**one, "key": f"k{number}"} for number, one in enumerate(passwords(4))]
    for _ in range(3):
        await world.submit(*asked)
        # One that is refused has the others of its batch judged anew.
        await world.submit(*asked, {"to": "+44", "category": "otp", "text": "x"})
    results = await world.submit(*passwords(2, first=4))
    assert [one.not_before is None for one in results] == [True, False]


async def test_what_went_counts_over_a_restart(open_world: OpenWorld) -> None:
    async with open_world(policy=watching()) as world:
        await world.accepted(*passwords(5))
        assert len(world.bind.sent) == 5
    async with open_world(world.store, policy=watching()) as world:
        world.bind.sent.clear()
        await world.accepted(*passwords(1, first=5))
        assert not world.bind.sent


async def test_nothing_is_looked_at_where_nothing_is_watched(world: Any) -> None:
    results = await world.submit(*passwords(30))
    assert all(one.not_before is None for one in results)

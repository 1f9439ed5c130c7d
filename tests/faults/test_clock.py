"""The wall clock jumps by a day, in either direction, or time passes while the gateway is down:
nothing is lost, nothing goes out twice, and nobody waits for the clock to come round again."""

import pytest
import trio
from trio.testing import MockClock

from gateway.smpp.pdu import SubmitSm
from gateway.smpp.status import Status
from tests.faults.smsc import Gateway, Line, Smsc, account, gateway

DAY = 86_400.0


async def urgent(site: Gateway) -> float:
    """Seconds until a one-time password is delivered."""
    began = trio.current_time()
    [password] = await site.submit(1, category="otp")
    with trio.move_on_after(600.0):
        while password not in await site.outcomes():
            await trio.sleep(0.1)
    assert (await site.outcomes())[password]["type"] == "delivered"
    return trio.current_time() - began


@pytest.mark.parametrize("seconds", [DAY, -DAY])
async def test_a_campaign_goes_on(seconds: float, autojump_clock: MockClock) -> None:
    smsc = Smsc()
    carriers = [account("alpha", rate=100)]
    async with smsc.running(), gateway({"alpha": smsc}, settings=carriers) as site:
        # More than a lane holds: some of it waits in the store.
        for _ in range(5):
            await site.submit(1_000)
        await trio.sleep(5.0)
        site.shift += seconds
        assert await urgent(site) < 5.0
        found = await site.finished(100.0)
    assert {event["type"] for event in found.values()} == {"delivered"}
    assert set(smsc.taken.values()) == {1}


async def test_a_campaign_goes_on_where_the_clock_was_set_back_while_the_gateway_was_down(
    autojump_clock: MockClock,
) -> None:
    smsc = Smsc()
    carriers = [account("alpha", rate=100)]
    async with smsc.running():
        async with gateway({"alpha": smsc}, settings=carriers) as site:
            await site.submit(1_000)
            await site.submit(10, send_at=site.clock() + 3_600.0)
            await trio.sleep(2.0)
        async with gateway(
            {"alpha": smsc}, settings=carriers, store=site.store, shift=-DAY
        ) as again:
            again.accepted = site.accepted
            await trio.sleep(30.0)
            assert len(await again.outcomes()) == 1_000
            assert again.queued() == 10, "those for later keep their time"


@pytest.mark.parametrize("seconds", [DAY, -DAY])
@pytest.mark.parametrize("status", [Status.ESME_RTHROTTLED, Status.ESME_RMSGQFUL])
async def test_a_carrier_that_was_paused_goes_on(
    seconds: float, status: Status, autojump_clock: MockClock
) -> None:
    smsc = Smsc()

    def refuse(line: Line, sequence: int, pdu: SubmitSm, count: int) -> None:
        line.respond(sequence, status=status)

    smsc.behaviour = refuse
    async with smsc.running(), gateway({"alpha": smsc}) as site:
        await site.submit(50)
        await site.submit(10, text="x" * 400)
        await trio.sleep(0.5)
        assert smsc.taken
        smsc.behaviour = None
        site.shift += seconds
        found = await site.finished(180.0)
    assert {event["type"] for event in found.values()} == {"delivered"}


async def test_parts_that_wait_to_be_sent_again_go_on(autojump_clock: MockClock) -> None:
    smsc = Smsc()

    def refuse_some(line: Line, sequence: int, pdu: SubmitSm, count: int) -> None:
        if count % 3 == 2:
            line.respond(sequence, status=Status.ESME_RSYSERR)
        else:
            smsc.take(line, sequence, pdu)

    smsc.behaviour = refuse_some
    async with smsc.running(), gateway({"alpha": smsc}) as site:
        await site.submit(20, text="x" * 400)
        await trio.sleep(0.5)
        smsc.behaviour = None
        site.shift -= DAY
        found = await site.finished(120.0)
    assert {event["type"] for event in found.values()} == {"delivered"}


async def test_what_is_to_be_sent_later_follows_the_wall_clock(autojump_clock: MockClock) -> None:
    smsc = Smsc()
    async with smsc.running(), gateway({"alpha": smsc}) as site:
        await site.submit(10, send_at=site.clock() + 3_600.0)
        await trio.sleep(60.0)
        site.shift -= DAY
        await site.submit(10, send_at=site.clock() + 3_600.0)
        await trio.sleep(3_700.0)
        # The first ten are due a day after those that were submitted once the clock was set back.
        assert len(await site.outcomes()) == 10
        site.shift += DAY
        found = await site.finished(60.0)
    assert {event["type"] for event in found.values()} == {"delivered"}


async def test_what_fell_due_while_the_gateway_was_down(mock_clock: MockClock) -> None:
    mock_clock.autojump_threshold = 0
    smsc = Smsc()
    async with smsc.running():
        async with gateway({"alpha": smsc}) as site:
            now = site.clock()
            await site.submit(100, send_at=now + 3_600.0)
            await site.submit(100, send_at=now + 600.0, expires_at=now + 1_200.0)
            await site.submit(100, send_at=now + 9_000.0)
        mock_clock.jump(7_200.0)
        async with gateway({"alpha": smsc}, store=site.store) as again:
            await trio.sleep(60.0)
            ends = [event["type"] for event in (await again.outcomes()).values()]
            assert (ends.count("delivered"), ends.count("expired")) == (100, 100)
            again.accepted = site.accepted
            await again.finished(3_600.0)
    assert set(smsc.taken.values()) == {1}

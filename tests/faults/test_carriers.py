"""What carriers do wrong, in virtual time: whatever it is, each message has one outcome."""

from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from gateway.dispatch.release.routing import CarrierShare, RouteOptions
from gateway.smpp import window
from gateway.smpp.pdu import SubmitSm, SubmitSmResp, Unbind, encode
from gateway.smpp.status import Status
from tests.faults.smsc import Behaviour, Line, Smsc, account, gateway

MESSAGES = 400
WINDOWS = 2 * 10


def every(
    nth: int, fault: Callable[[Smsc, Line, int, SubmitSm], None]
) -> Callable[[Smsc], Behaviour]:
    """Each ``nth`` submission meets a fault, all others are taken."""

    def make(smsc: Smsc) -> Behaviour:
        def behave(line: Line, sequence: int, pdu: SubmitSm, count: int) -> None:
            if count % nth:
                smsc.take(line, sequence, pdu)
            else:
                fault(smsc, line, sequence, pdu)

        return behave

    return make


def first(
    count: int, fault: Callable[[Smsc, Line, int, SubmitSm], None]
) -> Callable[[Smsc], Behaviour]:
    """The first submissions meet a fault, all others are taken."""

    def make(smsc: Smsc) -> Behaviour:
        def behave(line: Line, sequence: int, pdu: SubmitSm, number: int) -> None:
            if number > count:
                smsc.take(line, sequence, pdu)
            else:
                fault(smsc, line, sequence, pdu)

        return behave

    return make


def reset_in_the_window(smsc: Smsc, line: Line, sequence: int, pdu: SubmitSm) -> None:
    line.hang_up()


def reset_in_a_pdu(smsc: Smsc, line: Line, sequence: int, pdu: SubmitSm) -> None:
    line.write(encode(SubmitSmResp(message_id="1234567890"), sequence)[:21])
    line.hang_up()


def half_open(smsc: Smsc, line: Line, sequence: int, pdu: SubmitSm) -> None:
    line.silent = True


def unbind(smsc: Smsc, line: Line, sequence: int, pdu: SubmitSm) -> None:
    line.say(Unbind(), 1_000_000)


def no_answer(smsc: Smsc, line: Line, sequence: int, pdu: SubmitSm) -> None:
    pass


def late(smsc: Smsc, line: Line, sequence: int, pdu: SubmitSm) -> None:
    smsc.later(75.0, lambda: smsc.take(line, sequence, pdu) if line.up else None)


def out_of_order(smsc: Smsc, line: Line, sequence: int, pdu: SubmitSm) -> None:
    smsc.later(0.5 if sequence % 2 else 0.2, lambda: smsc.take(line, sequence, pdu))


def twice(smsc: Smsc, line: Line, sequence: int, pdu: SubmitSm) -> None:
    smsc.take(line, sequence, pdu)
    line.respond(sequence, "again")
    line.respond(sequence, status=Status.ESME_RSYSERR)


def unknown_sequence(smsc: Smsc, line: Line, sequence: int, pdu: SubmitSm) -> None:
    line.respond(sequence + 1_000_000, "whose")
    line.respond(0, "whose")
    line.nack(0, Status.ESME_RINVCMDLEN)
    smsc.take(line, sequence, pdu)


def nack(smsc: Smsc, line: Line, sequence: int, pdu: SubmitSm) -> None:
    line.nack(sequence, Status.ESME_RINVCMDID)


def throttle(smsc: Smsc, line: Line, sequence: int, pdu: SubmitSm) -> None:
    line.respond(sequence, status=Status.ESME_RTHROTTLED)


def queue_full(smsc: Smsc, line: Line, sequence: int, pdu: SubmitSm) -> None:
    line.respond(sequence, status=Status.ESME_RMSGQFUL)


def receipt_first(smsc: Smsc, line: Line, sequence: int, pdu: SubmitSm) -> None:
    number = smsc.new_id()
    smsc.report(number, pdu)
    smsc.later(2.0, lambda: line.respond(sequence, smsc.write_id(number)))


def receipt_elsewhere(smsc: Smsc, line: Line, sequence: int, pdu: SubmitSm) -> None:
    number = smsc.new_id()
    line.respond(sequence, smsc.write_id(number))
    other = next(one for one in smsc.lines if one.up and one is not line)
    smsc.later(1.0, lambda: smsc.report(number, pdu, line=other))


def receipts_that_contradict(smsc: Smsc, line: Line, sequence: int, pdu: SubmitSm) -> None:
    number = smsc.new_id()
    line.respond(sequence, smsc.write_id(number))
    for delay, stat in enumerate(("ACCEPTD", "DELIVRD", "UNDELIV", "DELIVRD", "ENROUTE"), 1):
        smsc.later(delay, partial(smsc.report, number, pdu, stat))


FAULTS: dict[str, tuple[Callable[[Smsc], Behaviour], set[str], bool]] = {
    "reset in the window": (every(37, reset_in_the_window), {"delivered"}, True),
    "reset in a PDU": (every(37, reset_in_a_pdu), {"delivered"}, True),
    "half open": (every(90, half_open), {"delivered"}, True),
    "unbound by the carrier": (every(37, unbind), {"delivered"}, True),
    "no answer": (every(50, no_answer), {"delivered"}, True),
    "late after the timeout": (every(50, late), {"delivered"}, True),
    "out of order": (every(1, out_of_order), {"delivered"}, False),
    "answered twice": (every(1, twice), {"delivered"}, False),
    "unknown sequences": (every(3, unknown_sequence), {"delivered"}, False),
    "generic_nack": (every(10, nack), {"delivered", "failed"}, False),
    "throttled": (first(300, throttle), {"delivered"}, False),
    "throttled now and then": (every(5, throttle), {"delivered"}, False),
    "full": (first(40, queue_full), {"delivered"}, False),
    "receipts before responses": (every(1, receipt_first), {"delivered"}, False),
    "receipts on another bind": (every(1, receipt_elsewhere), {"delivered"}, False),
    "receipts that contradict": (every(1, receipts_that_contradict), {"delivered"}, False),
}
"""What a carrier does, how messages end, and whether it may get some of them twice."""


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_message_has_one_outcome(fault: str, autojump_clock: MockClock) -> None:
    make, ends, may_repeat = FAULTS[fault]
    smsc = Smsc()
    smsc.behaviour = make(smsc)
    async with smsc.running(), gateway({"alpha": smsc}) as site:
        await site.submit(MESSAGES // 2)
        await site.submit(MESSAGES // 2)
        found = await site.finished(3600.0)
        assert {event["type"] for event in found.values()} == ends
        flagged = {e["to"] for e in found.values() if e.get("maybe_duplicate")}
        if may_repeat:
            repeated = {phone for phone, count in smsc.taken.items() if count > 1}
            assert repeated <= flagged
            assert len(repeated) <= len(smsc.lines) * WINDOWS
        else:
            assert not flagged
        # Nothing is left behind: the next message has the whole window and no delay.
        smsc.behaviour = None
        await trio.sleep(120.0)
        await site.submit(1)
        before = trio.current_time()
        await site.finished(60.0)
        assert trio.current_time() - before < 5.0
        assert site.queued() == 0


async def test_sequence_numbers_at_the_wrap(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "MAX_SEQUENCE", 300)
    smsc = Smsc()
    sequences: list[int] = []

    def note(line: Line, sequence: int, pdu: SubmitSm, count: int) -> None:
        sequences.append(sequence)
        smsc.take(line, sequence, pdu)

    smsc.behaviour = note
    async with (
        smsc.running(),
        gateway({"alpha": smsc}, settings=[account("alpha", binds=1)]) as site,
    ):
        for _ in range(2):
            await site.submit(200)
            found = await site.finished(600.0)
    assert {event["type"] for event in found.values()} == {"delivered"}
    assert max(sequences) == 300
    assert min(sequences) >= 1
    assert sequences.count(100) == 2  # it was free when it came round again


@pytest.mark.parametrize("how", ["nobody listens", "half open"])
async def test_one_of_three_carriers_dies_with_messages_queued(
    how: str, autojump_clock: MockClock
) -> None:
    carriers = {name: Smsc() for name in ("alpha", "beta", "gamma")}
    ill = carriers["beta"]

    def slow(smsc: Smsc) -> Behaviour:
        return lambda line, sequence, pdu, _: smsc.later(
            1.0, lambda: smsc.take(line, sequence, pdu)
        )

    for smsc in carriers.values():
        smsc.behaviour = slow(smsc)
    async with AsyncExitStack() as stack:
        for smsc in carriers.values():
            await stack.enter_async_context(smsc.running())
        site = await stack.enter_async_context(gateway(carriers))
        await site.submit(3_000)
        await trio.sleep(10.5)
        assert sum(ill.taken.values()) > 100
        if how == "nobody listens":
            ill.die()
        else:
            ill.dead = True
            for line in ill.lines:
                line.silent = True
        # The two others take 40 parts a second; what was in its windows waits for a timeout.
        await trio.sleep(160.0)
        waiting = len(site.accepted) - len(await site.outcomes())
        assert waiting <= WINDOWS, "only what it took, and still owes receipts for"
        assert sum(len(smsc.taken) for smsc in carriers.values()) - len(site.accepted) <= WINDOWS
        ill.dead = False
        found = await site.finished(120.0)
        assert {event["type"] for event in found.values()} == {"delivered"}
        flagged = {e["to"] for e in found.values() if e.get("maybe_duplicate")}
        assert 0 < len(flagged) <= WINDOWS


async def test_a_thousand_refused_binds_lose_nothing(autojump_clock: MockClock) -> None:
    smsc = Smsc()
    smsc.refuses = Status.ESME_RBINDFAIL
    carriers = [account("alpha", binds=10)]
    async with smsc.running(), gateway({"alpha": smsc}, settings=carriers) as site:
        await site.submit(100, expires_at=site.clock() + 30 * 86_400.0)
        while smsc.binds < 100:
            await trio.sleep(60.0)
        tasks = trio.lowlevel.current_statistics().tasks_living
        while smsc.binds < 1_000:
            await trio.sleep(600.0)
        assert abs(trio.lowlevel.current_statistics().tasks_living - tasks) <= 60
        assert site.queued() == 100
        smsc.refuses = 0
        found = await site.finished(120.0)
    assert {event["type"] for event in found.values()} == {"delivered"}
    assert set(smsc.taken.values()) == {1}


@pytest.mark.parametrize("gone", ["alpha", "beta"])
@pytest.mark.parametrize("down", [3, 120])
async def test_a_carrier_that_comes_back_gets_its_share_within_seconds(
    gone: str, down: int, autojump_clock: MockClock
) -> None:
    carriers = {name: Smsc() for name in ("alpha", "beta")}
    routes = [RouteOptions("all", [CarrierShare("alpha", 3), CarrierShare("beta", 1)])]
    settings = [account(name, window=1_000) for name in carriers]
    async with AsyncExitStack() as stack:
        for smsc in carriers.values():
            await stack.enter_async_context(smsc.running())
        site = await stack.enter_async_context(gateway(carriers, settings=settings, routes=routes))

        async def go_on(seconds: int) -> float:
            before = carriers["alpha"].taken.total()
            for _ in range(seconds * 2):
                await site.submit(20)
                await trio.sleep(0.5)
            return (carriers["alpha"].taken.total() - before) / (seconds * 40)

        await trio.sleep(5.0)
        assert await go_on(10) == pytest.approx(0.75, abs=0.05)
        carriers[gone].die()
        await go_on(down)
        carriers[gone].dead = False
        await go_on(7)
        assert await go_on(10) == pytest.approx(0.75, abs=0.05)


STEADY, SLOW = 100, 10
"""Parts per second that a carrier takes, and takes for a while."""

BACK = 25.0
"""Seconds after which a carrier that recovers is used to 90 % again."""


class Limited:
    """A carrier that takes so many parts in each second and throttles the rest."""

    def __init__(self, smsc: Smsc, rate: int = STEADY) -> None:
        self.rate = rate
        self.taken: Counter[int] = Counter()
        self._smsc = smsc

    def __call__(self, line: Line, sequence: int, pdu: SubmitSm, count: int) -> None:
        second = int(trio.current_time())
        if self.taken[second] >= self.rate:
            line.respond(sequence, status=Status.ESME_RTHROTTLED)
        else:
            self.taken[second] += 1
            number = self._smsc.new_id()
            line.respond(sequence, self._smsc.write_id(number))
            self._smsc.later(1.0, lambda: self._smsc.report(number, pdu))

    def mean(self, first: float, last: float) -> float:
        """Parts taken per second from one moment to another."""
        seconds = range(int(first), int(last))
        return sum(self.taken[second] for second in seconds) / len(seconds)


@pytest.mark.slow  # minutes of a campaign are worked out
async def test_the_rate_of_a_carrier_is_found_again(autojump_clock: MockClock) -> None:
    smsc = Smsc()
    smsc.behaviour = limited = Limited(smsc)
    carriers = [account("alpha", window=100)]
    async with smsc.running(), gateway({"alpha": smsc}, settings=carriers) as site:
        await site.submit(8_000)
        await trio.sleep(30.0)
        assert limited.mean(3, 30) > 0.9 * STEADY
        limited.rate = SLOW
        await trio.sleep(30.0)
        assert limited.mean(33, 60) > 0.9 * SLOW
        limited.rate = STEADY
        recovered = trio.current_time()
        await trio.sleep(BACK)
        means = [
            limited.mean(at, at + 5) for at in range(int(recovered), int(recovered + BACK) - 5)
        ]
        assert max(means) > 0.9 * STEADY
        found = await site.finished(600.0)
        assert {event["type"] for event in found.values()} == {"delivered"}
        assert not [event for event in found.values() if event.get("maybe_duplicate")]


@pytest.mark.slow  # minutes of a campaign are worked out
async def test_a_campaign_takes_little_longer_than_it_must(autojump_clock: MockClock) -> None:
    smsc = Smsc()
    limited = Limited(smsc, 500)
    order: list[str] = []

    def note(line: Line, sequence: int, pdu: SubmitSm, count: int) -> None:
        before = limited.taken.total()
        limited(line, sequence, pdu, count)
        if limited.taken.total() > before:
            order.append(pdu.destination_addr)

    smsc.behaviour = note
    carriers = [account("alpha", window=64)]
    async with smsc.running(), gateway({"alpha": smsc}, settings=carriers) as site:
        await site.submit(8_000)
        began = trio.current_time()
        while limited.taken.total() < 8_000:
            await trio.sleep(0.1)
        assert trio.current_time() - began < 18.0  # 16 at 500 a second
        found = await site.finished(60.0)
    assert {event["type"] for event in found.values()} == {"delivered"}
    places = {phone: place for place, phone in enumerate(sorted(order))}
    # None falls behind by more than what was on its way when it was refused.
    assert max(at - places[phone] for at, phone in enumerate(order)) <= 2 * 64

"""However a carrier writes its ids, and whatever comes in which order, no receipt ever ends another
message than its own."""

from collections.abc import Callable
from itertools import chain, count
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

PHONES = ["447400000001", "447500000002"]
SENDER = "10690001"

Write = Callable[[int], str]

WRITE: dict[str, tuple[Write, Write]] = {
    "same": (str, str),
    "padded": ("{:06}".format, str),
    "hex-dec": ("{:x}".format, str),
    "dec-hex": (str, "{:X}".format),
}
"""How the number of a part is written in responses, and in receipts."""

NUMBERS = [2, 3, 10, 16, 22, 34, 17, 23, 35, 256, 598, 1366]
"""Numbers that are one another's when they are read in another base."""

SOURCES: dict[str, Callable[[str], tuple[str, str]]] = {
    "its own": lambda phone: (phone, SENDER),
    "national": lambda phone: ("0" + phone[2:], SENDER),
    "not swapped": lambda phone: (SENDER, phone),
    "none": lambda _phone: ("", SENDER),
}

steps = st.one_of(
    st.tuples(st.just("submit"), st.sampled_from(PHONES)),
    st.tuples(st.just("respond"), st.integers(0, 3)),
    st.tuples(st.just("report"), st.integers(0, 5)),
    st.tuples(st.just("report early"), st.integers(0, 3)),
    st.tuples(st.just("report again"), st.integers(0, 5)),
    st.tuples(st.just("forget"), st.none()),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 6.0, 30.0])),
)


class Odds:
    """A carrier whose receipts say of each message what only that one is to end as."""

    def __init__(self, make_receipt: Any, form: str, source: str) -> None:
        self.world: Any = None
        self.make_receipt = make_receipt
        self.write, self.write_receipt = WRITE[form]
        self.source = SOURCES[source]
        self.numbers = chain(NUMBERS, count(2_000))
        self.number_of: dict[int, int] = {}
        self.true: dict[str, str] = {}
        self.message_of: dict[int, str] = {}
        self.kept: list[Any] = []  # so that none of its PDUs is taken for another
        self.taken: list[Any] = []
        self.reported: dict[int, Any] = {}

    def number(self, pdu: Any) -> int:
        if id(pdu) not in self.number_of:
            self.number_of[id(pdu)] = next(self.numbers)
        return self.number_of[id(pdu)]

    async def follow(self, plan: list[Any]) -> None:
        await self.world.calm()
        for what, how in plan:
            await self.act(what, how)
            await self.check()

    async def act(self, what: str, how: Any) -> None:
        world = self.world
        flying = [pdu for pdu, _ in world.bind.flying]
        for pdu, part in world.bind.flying:
            self.kept.append(pdu)
            self.message_of[id(pdu)] = f"{part.flight.message.id:x}"
        match what:
            case "submit" if len(self.true) < len(NUMBERS):
                [message] = await world.accepted({"to": how})
                self.true[message] = "delivered" if len(self.true) % 2 else "failed"
            case "respond" if flying:
                pdu = flying[how % len(flying)]
                world.bind.reply(pdu, ids=[self.write(self.number(pdu))])
                if id(pdu) not in self.reported:
                    self.taken.append(pdu)
            case "report" if self.taken:
                pdu = self.taken.pop(how % len(self.taken))
                await self.report(pdu)
            case "report early" if flying:
                await self.report(flying[how % len(flying)])
            case "report again" if self.reported:
                await self.report(list(self.reported.values())[how % len(self.reported)])
            case "forget":
                world.forget_parts()
            case "wait":
                await trio.sleep(how)
        await world.calm()

    async def report(self, pdu: Any) -> None:
        self.reported[id(pdu)] = pdu
        stat = "DELIVRD" if self.true[self.message_of[id(pdu)]] == "delivered" else "UNDELIV"
        source, destination = self.source(pdu.destination_addr)
        ref = self.write_receipt(self.number(pdu))
        await self.world.bind.receipts(self.make_receipt(ref, stat, source, to=destination))

    async def check(self) -> None:
        outcomes = await self.world.outcomes()
        # One that several processes sent and none saw answered is given up as unknown.
        wrong = {m: o for m, o in outcomes.items() if o not in (self.true[m], "unknown")}
        assert not wrong, (wrong, self.true)


@pytest.mark.parametrize("form", WRITE)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    source=st.sampled_from(list(SOURCES)), stated=st.booleans(), plan=st.lists(steps, max_size=40)
)
def test_no_receipt_ends_another_message(
    open_world: Any, make_receipt: Any, make_settings: Any,
    form: str, source: str, stated: bool, plan: list[Any],
) -> None:  # fmt: skip
    async def run() -> None:
        receipt_id = {"padded": "same"}.get(form, form) if stated else "auto"
        carriers = [make_settings(receipt_id=receipt_id, window=20)]
        odds = Odds(make_receipt, form, source)
        store, left = None, list(plan)
        while "restart" in dict(left):
            at = [what for what, _ in left].index("restart")
            async with open_world(store, carriers=carriers) as odds.world:
                await odds.follow(left[:at])
                store = odds.world.store
            left = left[at + 1 :]
        async with open_world(store, carriers=carriers) as world:
            odds.world = world
            await odds.follow(left)
            while world.bind.flying:
                await odds.act("respond", 0)
            while odds.taken:
                await odds.act("report", 0)
            await trio.sleep(120)
            await odds.check()
            if stated:
                assert (await world.outcomes()).keys() == odds.true.keys()

    trio.run(run, clock=MockClock(autojump_threshold=0))

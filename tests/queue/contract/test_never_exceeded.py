"""Caps and balances are never exceeded, and never count what is over, whatever is submitted, by
however many at once, sent, cancelled and expired meanwhile, and however often the process ends."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.facts import SPENT, USES, Facts
from gateway.message import Charge, Event, Message, message_id
from gateway.policy.budget import count_spent
from gateway.policy.caps import FrequencyCap
from gateway.policy.frequency import Frequency, seen_in
from gateway.queue.sqlite import reserved
from gateway.queue.store import Entry, Final, Overtaken, Sent, Settlement
from tests.queue.contract.rig import ENGINES, Rig, engine

PHONES = ("447911123456", "525512345678", "5215512345678")
"""The last two are spellings of one phone."""

MOST, WIDTH = 2, 60.0
CAPS = (
    FrequencyCap(category="marketing", max=MOST, per="60s"),
    FrequencyCap(same_text=True, max=1, per="60s"),
)
DEAR = Charge("balance", 90, (("alpha", 45),))
PLAIN = Charge("parts 2026-11", 2)
LIMITS = {"balance": 400, "parts 2026-11": 9}

NUMBERS = st.integers(1, 12)
BATCH = st.lists(
    st.tuples(st.sampled_from(PHONES), st.integers(0, 3), st.integers(0, 2), st.booleans()),
    min_size=1,
    max_size=3,
)
CALLS = st.lists(
    st.one_of(
        st.tuples(
            st.just("submit"),
            st.tuples(
                st.lists(BATCH, min_size=1, max_size=3),
                st.lists(st.lists(NUMBERS, max_size=3), max_size=2),
            ),
        ),
        st.tuples(st.just("send"), st.lists(NUMBERS, max_size=3)),
        st.tuples(st.just("end"), st.tuples(NUMBERS, st.sampled_from(["cancelled", "delivered"]))),
        st.tuples(st.just("wait"), st.sampled_from([1.0, 30.0, WIDTH, 4_000.0])),
        st.tuples(st.just("restart"), st.sampled_from(["crash", "reopen"])),
    ),
    min_size=8,
    max_size=30,
)


class Sender:
    """What tenants and carriers do to a store, and what follows from that."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.rule = Frequency(CAPS)
        self.given = 0
        self.live: dict[int, Message] = {}
        self.paid: dict[int, dict[str, int]] = {}
        self.sent: dict[int, tuple[str, float]] = {}
        self.keys: set[str] = set()

    async def facts(self, phones: Sequence[str]) -> Facts:
        return await self.rig.store.facts("acme", phones, USES | SPENT)

    async def submit(self, batch: Sequence[tuple[str, int, int, bool]]) -> None:
        now = self.rig.now
        messages = []
        for phone, text, key, leased in batch:
            self.given += 1
            charges = (DEAR, PLAIN) if text else (PLAIN,)
            made = Message(
                self.given, "acme", phone, "1", f"text {text}", "marketing", "uk", "gsm7", 1,
                now, now, now + 9e5, charges=charges, key=f"k{key}" if key else None,
            )  # fmt: skip
            messages.append((self.rule.marked(made), leased))
        facts = await self.facts([message.to for message, _ in messages])
        verdicts = self.rule.judge([message for message, _ in messages], facts, now)
        passed, spent = [], dict(facts.spent)
        for index, (message, leased) in enumerate(messages):
            more = dict(spent)
            count_spent(more, [message])
            if index not in verdicts and all(more[name] <= LIMITS[name] for name in more):
                passed.append(Entry(message, message.id, leased))
                spent = more
        try:
            known = await self.rig.store.accept(passed, seen_in(facts), LIMITS)
        except Overtaken:
            return
        for index, entry in enumerate(passed):
            if index not in known:
                self.live[entry.message.id] = entry.message
                self.paid[entry.message.id] = {c.account: c.amount for c in entry.message.charges}

    async def send(self, numbers: Sequence[int]) -> None:
        live = [*self.live.values()]
        going = [live[number % len(live)] for number in numbers if live]
        going = [*{message.id: message for message in going}.values()]
        sent = [Sent(m, "alpha", (f"r{m.id}",), self.rig.now + 9e5) for m in going]
        await self.rig.store.settle(Settlement(sent=sent))
        for message in going:
            self.sent.setdefault(message.id, (message.to, self.rig.now))
            self.paid[message.id] = {c.account: c.at("alpha") for c in message.charges}

    async def end(self, number: int, kind: Any) -> None:
        live = [m for m in self.live.values() if kind != "cancelled" or m.id not in self.sent]
        if not live:
            return
        message = self.live.pop(live[number % len(live)].id)
        number = message.id
        detail = {"carrier": "alpha"} if kind == "delivered" else None
        event = Event(kind, self.rig.now, message_id(number), detail=detail)
        await self.rig.store.settle(Settlement(finals=[Final(message, event)]))
        if kind == "delivered":
            self.sent.setdefault(number, (message.to, self.rig.now))
            self.paid[number] = {c.account: c.at("alpha") for c in message.charges}
        else:
            del self.paid[number]

    async def restart(self, how: str) -> None:
        if how == "crash":
            await self.rig.crash()
        else:
            await self.rig.reopen()

    async def check(self) -> None:
        """The store knows what counts, no more and no less, and that is not too much."""
        facts = await self.facts(PHONES)
        now = self.rig.now
        spent: dict[str, int] = {}
        for paid in self.paid.values():
            for account, amount in paid.items():
                spent[account] = spent.get(account, 0) + amount
        assert {name: amount for name, amount in facts.spent.items() if amount} == spent
        assert all(amount <= LIMITS[name] for name, amount in spent.items())
        for phone, spellings in ((PHONES[0], PHONES[:1]), (PHONES[1], PHONES[1:])):
            waiting = {
                number
                for number, message in self.live.items()
                if message.to in spellings and number not in self.sent
            }
            gone = {number: at for number, (to, at) in self.sent.items() if to in spellings}
            recent = {number for number, at in gone.items() if at > now - WIDTH}
            found = facts.uses.get(phone, ())
            assert {one.message for one in found if not one.sent} == waiting
            fresh = {one.message for one in found if one.sent and one.at > now - WIDTH}
            assert fresh == recent
            assert all(one.at == gone[one.message] for one in found if one.sent)
            assert len(waiting) + len(recent) <= MOST
            times = sorted(gone.values())
            assert all(b - a >= WIDTH for a, b in zip(times, times[MOST:], strict=False))


async def play(rig: Rig, calls: Sequence[tuple[str, Any]]) -> None:
    await rig.store.open()
    sender = Sender(rig)
    for call, detail in calls:
        if call == "submit":
            async with trio.open_nursery() as nursery:
                for batch in detail[0]:
                    nursery.start_soon(sender.submit, batch)
                for numbers in detail[1]:
                    nursery.start_soon(sender.send, numbers)
        elif call == "send":
            await sender.send(detail)
        elif call == "end":
            await sender.end(*detail)
        elif call == "wait":
            rig.now += detail
            while await rig.store.prune(0.0, 1_000):
                pass
        else:
            await sender.restart(detail)
        await sender.check()
    await rig.aclose()


@pytest.mark.parametrize("name", ENGINES)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(calls=CALLS, kept=st.sampled_from([0, 2, reserved.KEPT]))
def test_nothing_is_exceeded_and_nothing_is_lost(
    request: pytest.FixtureRequest, name: str, calls: Sequence[tuple[str, Any]], kept: int
) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as directory:
            made = engine(name, Path(directory), lambda: request.getfixturevalue("ready"))
            await play(Rig(made), calls)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reserved, "KEPT", kept)  # put away as if many more had come
        trio.run(main)

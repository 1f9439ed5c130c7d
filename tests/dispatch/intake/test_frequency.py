"""Frequency caps on a message's way: counted when it is accepted, given back where it does not go,
and never exceeded, whatever comes in between."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from gateway.api.schema import Accepted, Rejected, SubmitMessage
from gateway.facts import USES, Facts, Use
from gateway.message import Event, Message, message_id
from gateway.numbers import canonical
from gateway.policy import chain
from gateway.policy.caps import FrequencyCap
from gateway.policy.frequency import Again, Frequency, count_in, seen_in
from gateway.policy.rules import Defer
from gateway.queue.memory import MemoryStore
from gateway.queue.sqlite import SqliteStore
from gateway.queue.store import Entry, Final, Overtaken, Sent, Settlement, Store

DAY = 86_400.0


def caps(*stated: dict[str, Any]) -> chain.PolicyOptions:
    return chain.PolicyOptions(frequency=tuple(FrequencyCap(**one) for one in stated))


DAILY = caps({"max": 1, "per": "1d"})


def codes(results: Sequence[Any]) -> list[str | None]:
    """The codes of what was refused, None for what was accepted."""
    return [one.error.code if isinstance(one, Rejected) else None for one in results]


async def test_one_too_many_is_refused_with_the_moment_for_the_next(world: Any) -> None:
    await world.configure(policy=DAILY)
    first, second = await world.submit("one", "two")
    assert isinstance(first, Accepted)
    assert codes([second]) == ["frequency_capped"]
    assert second.error.retry_at == pytest.approx(world.clock() + DAY, abs=1)
    # Others are not meant: other phones, other tenants.
    assert codes(await world.submit({"to": "+447400123457"})) == [None]
    assert codes(await world.submit("x", tenant="umbrella")) == [None]
    await world.deliver()
    await world.check_finished()


async def test_a_tenant_may_be_left_out(world: Any) -> None:
    policies = {**world.options.policies}
    policies["acme"] = msgspec.structs.replace(policies["acme"], frequency=False)
    await world.configure(policy=DAILY, policies=policies)
    assert codes(await world.submit("one", "two")) == [None, None]
    assert codes(await world.submit("one", "two", tenant="umbrella")) == [None, "frequency_capped"]
    others = caps({"max": 1, "per": "1d", "tenants": ("umbrella",)})
    await world.configure(policy=others)
    assert codes(await world.submit("three", "four")) == [None, None]


async def test_without_caps_nothing_is_looked_up_nor_kept(world: Any) -> None:
    await world.accepted("one", "two")
    facts = await world.store.facts("acme", ["447400123456"], USES)
    assert facts.uses == {}


async def test_a_cap_that_defers_sends_the_next_one_in_its_time(
    world: Any, autojump_clock: MockClock
) -> None:
    await world.configure(policy=caps({"max": 1, "per": "1h", "on_cap": "defer"}))
    results = await world.submit("one", "two", "three")
    begun = world.clock()
    assert [one.not_before for one in results] == [None, begun + 3_600, begun + 7_200]
    await world.deliver()
    assert world.bind.texts == ["one"]
    await trio.sleep(3_598)
    assert world.bind.texts == ["one"]
    await trio.sleep(4)
    await world.deliver()
    assert world.bind.texts == ["one", "two"]
    # The hour begins anew when the second was sent.
    await trio.sleep(3_610)
    await world.deliver()
    assert world.bind.texts == ["one", "two", "three"]
    await world.check_finished()


@pytest.mark.parametrize("how", ["cancelled", "refused", "expired", "blocked"])
async def test_what_did_not_go_is_given_back(
    world: Any, autojump_clock: MockClock, how: str
) -> None:
    await world.configure(policy=DAILY)
    later = world.clock() + 600
    fields: dict[str, Any] = {"send_at": later} if how in ("cancelled", "blocked") else {}
    if how == "expired":
        fields = {"send_at": later, "expires_at": later + 60}
        world.bind.lose()
    [first] = await world.submit(fields)
    assert codes(await world.submit("second")) == ["frequency_capped"]
    if how == "cancelled":
        await world.service.cancel("acme", [first.message_id], [], None)
    elif how == "refused":
        world.bind.reply(status=0x0B)
    elif how == "expired":
        await trio.sleep(800)
        world.bind.come_up()
    else:
        await world.service.optout("acme", "add", ["447400123456"], "api")
        await trio.sleep(700)
        await world.service.optout("acme", "remove", ["447400123456"], "api")
    await world.calm()
    expected = "failed" if how == "refused" else how
    assert (await world.outcomes())[first.message_id] == expected
    assert codes(await world.submit("second")) == [None]


async def test_a_duplicate_counts_once(world: Any) -> None:
    await world.configure(policy=caps({"max": 2, "per": "1d"}))
    one = {"key": "k", "text": "one"}
    first, again = await world.submit(one, one)
    assert (again.message_id, again.duplicate) == (first.message_id, True)
    [third] = await world.submit(one)
    assert third.duplicate
    assert codes(await world.submit("two")) == [None]
    assert codes(await world.submit("three", one)) == ["frequency_capped", None]


async def test_requests_at_once_share_the_last_one(world: Any) -> None:
    await world.configure(policy=caps({"max": 3, "per": "1d"}))
    results: list[Any] = []

    async def submit(number: int) -> None:
        batch = [SubmitMessage(to="+447400123456", text=f"{number}")]
        [[result]] = await world.service.submit("acme", [batch])
        results.append(result)

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(submit, number)
    assert Counter(codes(results)) == {None: 3, "frequency_capped": 7}
    await world.deliver()
    await world.check_finished()


async def test_quote_tells_it_and_keeps_nothing(world: Any) -> None:
    await world.configure(policy=DAILY)
    batch = [SubmitMessage(to="+447400123456", text=text) for text in ("one", "two")]
    for _ in range(2):
        assert codes(await world.service.quote("acme", batch)) == [None, "frequency_capped"]


async def test_answers_to_phones_spend_no_cap(world: Any, make_inbound: Any) -> None:
    await world.configure(policy=DAILY)
    await world.bind.receipts(make_inbound("STOP"))
    await world.calm()
    await world.bind.receipts(make_inbound("START"))
    await world.calm()
    await world.deliver()
    assert codes(await world.submit("one")) == [None]


async def test_what_waited_is_judged_again(world: Any, autojump_clock: MockClock) -> None:
    """One was put off for an hour; the carrier went away, so that the first went late."""
    await world.configure(policy=caps({"max": 1, "per": "1h", "on_cap": "defer"}))
    world.bind.lose()
    await world.submit("one", "two")
    await trio.sleep(5_000)
    world.bind.come_up()
    await world.deliver()
    assert world.bind.texts == ["one"]
    await trio.sleep(3_590)
    assert world.bind.texts == ["one"]
    await trio.sleep(20)
    await world.deliver()
    assert world.bind.texts == ["one", "two"]
    await world.check_finished()


# --- never exceeded ---

PHONES = ("447400123456", "5215512345678", "525512345678")

RULES = (
    (FrequencyCap(max=1, per="60s", on_cap="defer"),),
    (FrequencyCap(max=2, per="100s", on_cap="refuse"),),
    (FrequencyCap(max=1, per="30s", on_cap="defer"), FrequencyCap(max=3, per="200s")),
)

STEPS = {"look": 4, "accept": 5, "go": 5, "answer": 4, "cancel": 1, "wait": 4, "crash": 0.2}
"""How often each comes, against the others."""


def script(seed: int, length: int) -> Iterator[tuple[Any, ...]]:
    """Steps, the same for the same seed."""
    chance = Random(seed)
    for [name] in (chance.choices([*STEPS], [*STEPS.values()]) for _ in range(length)):
        if name == "look":
            yield name, chance.choice((0, 0, 1, 2)), chance.choice((0, 0, 0, 20, 45, 70, 130))
        elif name == "wait":
            yield name, chance.choice((1, 7, 20, 31, 60, 61, 100))
        else:
            yield (name, *([chance.randrange(20)] if name != "crash" else []))


class Sending:
    """Messages that are submitted, sent, cancelled and forgotten by crashes in any order; looking
    facts up and accepting are steps of their own, so that others come in between."""

    def __init__(self, make: Callable[[Callable[[], float]], Store], rule: Frequency) -> None:
        self.now = 1_000.0
        self.store = make(lambda: self.now)
        self.rule = rule
        self.number = 0
        self.looked: list[tuple[Message, Facts]] = []
        self.waiting: dict[int, Message] = {}
        self.flying: dict[int, Message] = {}
        self.went: dict[int, tuple[str, float]] = {}

    async def look(self, phone: int, later: int) -> None:
        self.number += 1
        due = self.now + later
        draft = self.rule.marked(
            Message(
                self.number, "acme", PHONES[phone], "1069", "hi", "marketing", "r", "gsm7", 1,
                self.now, due, 1e9,
            )
        )  # fmt: skip
        self.looked.append((draft, await self.store.facts("acme", [draft.to], USES)))

    async def accept(self, which: int) -> None:
        if not self.looked:
            return
        draft, facts = self.looked.pop(which % len(self.looked))
        verdict = self.rule.judge([draft], facts, self.now).get(0)
        if verdict is not None and not isinstance(verdict, Defer):
            return
        if verdict is not None:
            draft = msgspec.structs.replace(draft, due=verdict.until)
        try:
            await self.store.accept([Entry(draft, 0, leased=True)], seen_in(facts))
        except Overtaken:
            facts = await self.store.facts("acme", [draft.to], USES)
            self.looked.append((msgspec.structs.replace(draft, due=self.now), facts))
        else:
            self.waiting[draft.id] = draft

    async def go(self, which: int) -> None:
        due = [one for one in self.waiting.values() if one.due <= self.now]
        if not due:
            return
        message = due[which % len(due)]
        facts = await self.store.facts("acme", [message.to], USES)
        verdict = Again(self.rule).judge([message], facts, self.now).get(0)
        if verdict is None:
            del self.waiting[message.id]
            self.flying[message.id] = message
            self.went[message.id] = canonical(message.to), self.now
        elif isinstance(verdict, Defer):
            self.waiting[message.id] = msgspec.structs.replace(message, due=verdict.until)
        else:
            await self._end(self.waiting.pop(message.id), "blocked")

    async def answer(self, which: int) -> None:
        if self.flying:
            message = self.flying.pop([*self.flying][which % len(self.flying)])
            await self.store.settle(Settlement(sent=[Sent(message, "a", (), 1e9)]))

    async def cancel(self, which: int) -> None:
        if self.waiting:
            await self._end(
                self.waiting.pop([*self.waiting][which % len(self.waiting)]), "cancelled"
            )

    async def _end(self, message: Message, kind: Any) -> None:
        event = Event(kind, self.now, message_id(message.id))
        await self.store.settle(Settlement(finals=[Final(message, event)]))

    async def wait(self, seconds: int) -> None:
        self.now += seconds

    async def crash(self) -> None:
        """What was looked up is forgotten; what was on its way goes again."""
        self.looked.clear()
        await self.store.aclose(in_doubt=True)
        await self.store.open()
        self.waiting |= self.flying
        self.flying.clear()

    def check(self, rules: Sequence[FrequencyCap]) -> None:
        for phone in {phone for phone, _ in self.went.values()}:
            times = sorted(at for of, at in self.went.values() if of == phone)
            for one in rules:
                most = one.max or 0
                spans = [late - early for early, late in zip(times, times[most:], strict=False)]
                assert all(span >= one.width for span in spans), (times, one)


async def _run(make: Callable[[Callable[[], float]], Store], rules: Any, steps: Any) -> None:
    sending = Sending(make, Frequency(rules))
    await sending.store.open()
    try:
        for name, *arguments in steps:
            await getattr(sending, name)(*arguments)
        sending.check(rules)
    finally:
        await sending.store.aclose()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RULES), st.integers(0, 1 << 32))
def test_no_cap_is_ever_exceeded(rules: Any, seed: int) -> None:
    trio.run(_run, MemoryStore, rules, script(seed, 300))


@settings(max_examples=5, deadline=None)
@given(st.sampled_from(RULES), st.integers(0, 1 << 32))
def test_no_cap_is_ever_exceeded_on_disk(
    tmp_path_factory: pytest.TempPathFactory, rules: Any, seed: int
) -> None:
    folder: Path = tmp_path_factory.mktemp("store")

    def make(clock: Callable[[], float]) -> Store:
        return SqliteStore(str(folder / "s.db"), synchronous="normal", clock=clock)

    trio.run(_run, make, rules, script(seed, 100))


def test_what_is_about_to_be_accepted_counts_at_its_time() -> None:
    rule = Frequency(RULES[0])
    message = rule.marked(
        Message(7, "acme", PHONES[1], "1069", "hi", "otp", "r", "gsm7", 1, 0.0, 5.0, 9.0)
    )
    uses: dict[str, Sequence[Use]] = {}
    count_in(uses, [message])
    mark = message.counted[0].mark
    assert uses == {canonical(PHONES[1]): [Use(mark, 5.0, 7, sent=False)]}

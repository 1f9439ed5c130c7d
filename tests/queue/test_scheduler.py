"""The scheduler: who goes first, who gets how much, and that no message is lost on the way."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from itertools import count
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.message import CATEGORIES, Category, LaneKey, Message
from gateway.queue.bucket import TokenBucket
from gateway.queue.lanes import Lanes
from gateway.queue.scheduler import Scheduler, SchedulerOptions, Share

numbers = count(1)


def message(
    tenant: str = "acme",
    category: Category = "marketing",
    route: str = "main",
    *,
    campaign: str | None = None,
    parts: int = 1,
    due: float = 0.0,
    expires_at: float = 1e9,
) -> Message:
    return Message(
        id=next(numbers),
        tenant=tenant,
        to="447700900123",
        sender="10690001",
        text="hello",
        category=category,
        route=route,
        encoding="gsm7",
        parts=parts,
        accepted_at=due,
        due=due,
        expires_at=expires_at,
        campaign=campaign,
    )


class Pump:
    """Lanes and scheduler with room to give out, driven by a clock of its own."""

    def __init__(self, options: SchedulerOptions | None = None) -> None:
        self.lanes = Lanes(10_000_000, 1_000_000)
        self.scheduler = Scheduler(self.lanes, options or SchedulerOptions())
        self.now = 1000.0
        self.sent: list[Message] = []
        self.at: list[float] = []

    def put(self, messages: Iterable[Message]) -> None:
        batch = list(messages)
        assert all(self.lanes.reserve(batch, self.now))
        self.lanes.admit(batch)

    def run(self, **room: int) -> list[Message]:
        """One pass with so many parts of room on each route; returns what was sent."""
        passed: list[Message] = []
        while batch := self.scheduler.next(self.now, lambda route, _: room.get(route, 0)):
            key, messages = batch
            assert {m.lane for m in messages} == {key}
            room[key.route] -= sum(m.parts for m in messages)
            passed += messages
        self.sent += passed
        self.at += [self.now] * len(passed)
        return passed

    def parts(self, name: Callable[[Message], str]) -> Counter[str]:
        counter: Counter[str] = Counter()
        for m in self.sent:
            counter[name(m)] += m.parts
        return counter


def by_tenant(m: Message) -> str:
    return m.tenant


def by_campaign(m: Message) -> str:
    return m.campaign or "none"


def by_category(m: Message) -> str:
    return m.category


def by_route(m: Message) -> str:
    return m.route


def mixed(random: Random, total: int, **fields: object) -> list[Message]:
    """Messages of one to seven parts, ``total`` parts in all or a few more."""
    messages = []
    while total > 0:
        messages.append(message(parts=random.choice((1, 1, 1, 2, 3, 7)), **fields))  # type: ignore[arg-type]
        total -= messages[-1].parts
    return messages


def test_everything_goes_while_there_is_room_and_in_order() -> None:
    pump = Pump()
    batch = [message() for _ in range(500)]
    pump.put(batch)
    assert pump.run(main=10_000) == batch
    assert pump.run(main=10_000) == []


def test_urgent_messages_go_first() -> None:
    pump = Pump(SchedulerOptions(floors={}))
    pump.put([message(category="marketing") for _ in range(100)])
    pump.put([message(category="transactional") for _ in range(100)])
    pump.put([message(category="otp") for _ in range(100)])
    sent = pump.run(main=250)
    assert [m.category for m in sent] == ["otp"] * 100 + ["transactional"] * 100 + [
        "marketing"
    ] * 50


@pytest.mark.parametrize("room", [1, 7, 300])
def test_the_floor_holds_under_a_flood_of_urgent_messages(room: int) -> None:
    pump = Pump()
    pump.put([message(category="otp") for _ in range(20_000)])
    pump.put([message(category="transactional") for _ in range(20_000)])
    pump.put([message(category="marketing") for _ in range(20_000)])
    while len(pump.sent) < 6000:
        pump.now += 0.01
        pump.run(main=room)
    parts = pump.parts(by_category)
    total = sum(parts.values())
    assert parts["marketing"] / total == pytest.approx(0.05, rel=0.1)
    assert parts["transactional"] / (parts["otp"] + parts["transactional"]) == pytest.approx(
        0.10, rel=0.1
    )


def test_the_floor_holds_where_places_are_kept_for_what_is_urgent() -> None:
    pump = Pump()
    for category in CATEGORIES:
        pump.put([message(category=category) for _ in range(20_000)])
    free = 0

    def room(_route: str, category: Category) -> int:
        return free if category == "otp" else free - 16

    while len(pump.sent) < 6000:
        pump.now += 0.01
        free = 7
        while batch := pump.scheduler.next(pump.now, room):
            free -= len(batch[1])
            pump.sent += batch[1]
    parts = pump.parts(by_category)
    assert parts["marketing"] / 6000 == pytest.approx(0.05, rel=0.1)
    assert parts["transactional"] / (parts["otp"] + parts["transactional"]) == pytest.approx(
        0.10, rel=0.1
    )


def test_what_the_floor_owes_does_not_pile_up_behind_a_dead_route() -> None:
    pump = Pump()
    pump.put([message(category="marketing", route="dead") for _ in range(10_000)])
    pump.put([message(category="otp") for _ in range(20_000)])
    pump.run(main=10_000)
    pump.now += 1
    sent = pump.run(dead=1000, main=1000)
    first_otp = next(i for i, m in enumerate(sent) if m.category == "otp")
    assert first_otp <= 64


@pytest.mark.parametrize("room", [3, 40, 5000])
def test_shares_follow_the_weights_in_parts_whatever_the_messages_look_like(room: int) -> None:
    random = Random(7)
    weights = {"a": 1.0, "b": 2.0, "c": 5.0}
    pump = Pump(SchedulerOptions(shares={t: Share(weight=w) for t, w in weights.items()}))
    pump.put(mixed(random, 60_000, tenant="a"))
    pump.put([message("b") for _ in range(60_000)])
    pump.put([message("c", parts=5) for _ in range(12_000)])
    while sum(m.parts for m in pump.sent) < 40_000:
        pump.now += 0.01
        pump.run(main=room)
    parts = pump.parts(by_tenant)
    # Deficit round robin: no two are ever further apart than a turn and a long message.
    for tenant, weight in weights.items():
        fair = sum(parts.values()) * weight / sum(weights.values())
        assert abs(parts[tenant] - fair) <= 64 * weight + 7


def test_a_greedy_tenant_gets_what_nine_modest_ones_leave() -> None:
    pump = Pump()
    pump.put(message("greedy") for _ in range(100_000))
    for _ in range(600):
        pump.now += 0.1
        for tenant in range(9):
            pump.put(message(f"modest{tenant}") for _ in range(5))  # 50/s each
        pump.run(main=100)  # 1,000/s
    parts = pump.parts(by_tenant)
    # Max-min: everybody's fair share is 100/s; the modest ones want 50 and get all of it.
    assert all(parts[f"modest{tenant}"] >= 50 * 60 - 5 for tenant in range(9))
    assert parts["greedy"] == 60_000 - sum(parts[f"modest{t}"] for t in range(9))


def test_max_min_shares_with_mixed_demands() -> None:
    demands = {"a": 5, "b": 15, "c": 60, "d": 1000}  # parts per tenth of a second; 100 go through
    pump = Pump()
    for _ in range(300):
        pump.now += 0.1
        for tenant, demand in demands.items():
            pump.put(message(tenant) for _ in range(demand))
        pump.run(main=100)
    parts = pump.parts(by_tenant)
    for tenant, share in {"a": 5, "b": 15, "c": 40, "d": 40}.items():
        assert parts[tenant] / 300 == pytest.approx(share, rel=0.02)


def test_overdrawing_with_long_messages_does_not_pay() -> None:
    pump = Pump()
    long = message("long", parts=255)
    pump.put([long])
    for _ in range(3000):
        pump.now += 0.1
        pump.put(message("short") for _ in range(64))
        if long in pump.run(main=64):  # one at a time, so that the lane runs empty
            long = message("long", parts=255)
            pump.put([long])
    parts = pump.parts(by_tenant)
    assert parts["long"] == pytest.approx(parts["short"], rel=0.05)


def test_a_dead_route_holds_up_nobody_elses_messages() -> None:
    pump = Pump()
    pump.put(message(route="dead") for _ in range(1000))
    alive = [message(route="main") for _ in range(1000)]
    pump.put(alive)
    assert pump.run(main=2000) == alive
    pump.now += 1
    assert len(pump.run(dead=2000)) == 1000


def test_lines_share_a_carrier_by_the_weights_that_stand_in_them() -> None:
    pump = Pump()
    pump.put(message("loner", route="detour") for _ in range(5000))
    for tenant in range(9):
        pump.put(message(f"t{tenant}") for _ in range(5000))
    shared = 10_000

    def room(_route: str, _category: str) -> int:
        return shared

    while shared > 0 and (batch := pump.scheduler.next(pump.now, room)):
        shared -= len(batch[1])
        pump.sent += batch[1]
    assert pump.parts(by_route)["detour"] == pytest.approx(1000, abs=128)


def test_a_route_that_comes_back_does_not_crowd_out_the_others() -> None:
    pump = Pump()
    pump.put(message("a", route="main") for _ in range(20_000))
    pump.put(message("b", route="lost") for _ in range(20_000))
    pump.run(main=10_000)
    pump.sent.clear()
    pump.now += 1
    shared = 2000

    def room(_route: str, _category: str) -> int:
        return shared

    while shared > 0 and (batch := pump.scheduler.next(pump.now, room)):
        shared -= len(batch[1])
        pump.sent += batch[1]
    assert pump.parts(by_route)["lost"] == pytest.approx(1000, abs=128)


def test_a_route_without_room_is_asked_again_in_the_next_pass_even_if_one_was_cut_short() -> None:
    pump = Pump()
    pump.put([message(route="busy")])
    pump.put(message(route="main") for _ in range(200))
    assert pump.scheduler.next(pump.now, lambda route, _: {"busy": 0, "main": 9}[route])
    result = pump.scheduler.next(
        pump.now + 1, lambda route, _category: {"busy": 9, "main": 0}[route]
    )
    assert result
    assert result[0].route == "busy"


def test_tenant_rates_are_kept_over_every_window() -> None:
    pump = Pump(SchedulerOptions(shares={"acme": Share(rate=100, burst=20)}))
    pump.put(mixed(Random(3), 5000, tenant="acme"))
    while pump.now < 1010.0:
        pump.run(main=1000)
        pump.now = pump.scheduler.next_ready() or pump.now + 1
    stamps = list(zip(pump.at, (m.parts for m in pump.sent), strict=True))
    for first in range(0, len(stamps), 7):
        total = 0
        for at, parts in stamps[first:]:
            total += parts
            assert total <= 20 + 100 * (at - stamps[first][0]) + 6 + 1e-6
    assert sum(parts for _, parts in stamps) >= 100 * 9.9


def test_a_tenant_below_its_share_gets_all_of_its_rate() -> None:
    shares = {"slow": Share(rate=2, burst=1)} | {f"heavy{n}": Share() for n in range(10)}
    pump = Pump(SchedulerOptions(shares=shares))
    pump.put(message("slow") for _ in range(1000))
    for tenant in range(10):
        pump.put(message(f"heavy{tenant}") for _ in range(20_000))
    for _ in range(10_000):
        pump.now += 0.01
        pump.run(main=10)
    assert pump.parts(by_tenant)["slow"] >= 190


def test_a_thousand_slow_tenants_take_turns_when_together_they_want_too_much() -> None:
    pump = Pump(SchedulerOptions(shares={f"t{n}": Share(rate=1) for n in range(1000)}))
    for tenant in range(1000):
        pump.put(message(f"t{tenant}") for _ in range(30))
    for _ in range(2000):
        pump.now += 0.01
        pump.run(main=5)  # half of what they want
    parts = pump.parts(by_tenant)
    assert len(parts) == 1000
    assert min(parts.values()) >= 8
    assert max(parts.values()) <= 12


def test_blocked_tenants_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pump = Pump(SchedulerOptions(shares={f"t{n}": Share(rate=0.001) for n in range(1000)}))
    for tenant in range(1000):
        pump.put(message(f"t{tenant}") for _ in range(3))
    assert len(pump.run(main=10_000)) == 1000
    asked = []
    available = TokenBucket.available

    def counted(bucket: TokenBucket, now: float) -> int:
        asked.append(now)
        return available(bucket, now)

    monkeypatch.setattr(TokenBucket, "available", counted)
    for _ in range(100):
        pump.now += 0.01
        assert pump.run(main=10_000) == []
    assert asked == []


def test_a_full_route_is_asked_once_a_pass_and_its_lanes_not_at_all() -> None:
    pump = Pump()
    for tenant in range(1000):
        pump.put([message(f"t{tenant}", route="dead")])
    pump.put(message() for _ in range(1000))
    asked: Counter[str] = Counter()

    def room(route: str, _category: str) -> int:
        asked[route] += 1
        return 0 if route == "dead" else 64

    while pump.scheduler.next(pump.now, room):
        pass
    assert asked["dead"] == 1


def test_next_ready_tells_when_to_come_back() -> None:
    pump = Pump(SchedulerOptions(shares={"acme": Share(rate=0.5, burst=1)}))
    assert pump.scheduler.next_ready() is None
    pump.put([message(), message()])
    assert len(pump.run(main=10)) == 1
    assert pump.scheduler.next_ready() == pytest.approx(pump.now + 2)
    pump.now += 2
    assert len(pump.run(main=10)) == 1
    assert pump.scheduler.next_ready() is None


def test_messages_given_back_keep_their_order_and_cost_nothing() -> None:
    pump = Pump(SchedulerOptions(shares={"acme": Share(rate=10, burst=10)}))
    batch = [message() for _ in range(10)]
    pump.put(batch)
    result = pump.scheduler.next(pump.now, lambda _route, _category: 8)
    assert result
    pump.scheduler.give_back(result[1][3:])
    assert pump.run(main=100) == batch[3:]


def test_a_tenant_that_is_refunded_does_not_wait_for_its_rate() -> None:
    pump = Pump(SchedulerOptions(shares={"acme": Share(rate=0.5, burst=10)}))
    pump.put(message() for _ in range(20))
    sent = pump.run(main=100)
    assert len(sent) == 10
    pump.scheduler.refund(sent[:4])
    assert pump.scheduler.waiting
    pump.now += 0.001
    assert len(pump.run(main=100)) == 4
    assert pump.scheduler.next_ready() == pytest.approx(pump.now + 2, abs=0.1)
    pump.scheduler.refund(sent)  # more than there is room for in its burst
    pump.now += 0.001
    assert len(pump.run(main=100)) == 6


def test_a_batch_that_came_back_does_not_cost_its_tenant_a_turn() -> None:
    pump = Pump()
    for tenant in ("a", "b"):
        pump.put(message(tenant) for _ in range(1000))
    result = pump.scheduler.next(pump.now, lambda _route, _category: 1000)
    assert result
    key, messages = result
    pump.scheduler.give_back(messages)
    pump.run(main=3 * 64)
    assert pump.parts(by_tenant)[key.tenant] == 128


def test_a_reload_changes_rates_and_weights_of_messages_already_waiting() -> None:
    pump = Pump(SchedulerOptions(shares={"a": Share(rate=0.001), "b": Share(weight=1)}))
    for tenant in ("a", "b", "gone"):
        pump.put(message(tenant) for _ in range(10_000))
    pump.run(main=200)
    pump.sent.clear()
    pump.scheduler.configure(
        SchedulerOptions(shares={"a": Share(weight=3), "b": Share()}), pump.now
    )
    pump.run(main=10_000)
    parts = pump.parts(by_tenant)
    assert parts["a"] == pytest.approx(6000, abs=200)
    assert parts["b"] == pytest.approx(2000, abs=100)
    assert parts["gone"] == pytest.approx(2000, abs=100)


def test_a_clock_that_is_set_back_does_not_block_a_tenant() -> None:
    pump = Pump(SchedulerOptions(shares={"acme": Share(rate=1)}))
    pump.put(message() for _ in range(5))
    pump.now = 1e9
    pump.run(main=10)
    pump.now = 1000.0
    pump.run(main=10)
    pump.now = 1001.0
    assert len(pump.run(main=10)) == 1


TENANTS = ("a", "b", "c")
ROUTES = ("main", "detour")
CATEGORIES_USED: tuple[Category, ...] = ("otp", "marketing")
SHARES = (Share(), Share(weight=3), Share(rate=20, burst=5), Share(rate=3))


def test_campaigns_of_a_tenant_share_what_the_tenant_gets() -> None:
    pump = Pump()
    pump.put(message(campaign="million") for _ in range(20_000))
    pump.put(message(campaign="small") for _ in range(500))
    pump.put(message("other") for _ in range(20_000))
    pump.run(main=2_000)
    had = pump.parts(lambda m: f"{m.tenant} {m.campaign}")
    assert had["acme small"] == 500
    assert had["acme million"] == pytest.approx(500, abs=64)
    assert had["other None"] == pytest.approx(1_000, abs=64)  # however many campaigns others have


def test_long_texts_give_a_campaign_no_larger_share() -> None:
    pump = Pump()
    pump.put(message(campaign="long", parts=7) for _ in range(2_000))
    pump.put(message(campaign="short") for _ in range(10_000))
    for _ in range(50):
        pump.run(main=100)
    had = pump.parts(by_campaign)
    assert had["long"] == pytest.approx(had["short"], rel=0.05)


def test_a_campaign_that_is_paused_stops_at_once_and_goes_on_where_it_was() -> None:
    pump = Pump()
    spring = [message(campaign="spring") for _ in range(100)]
    pump.put(spring)
    pump.put(message(campaign="autumn") for _ in range(100))
    pump.run(main=20)
    pump.lanes.pause(lambda key: key.campaign == "spring")
    before = pump.parts(by_campaign)["spring"]
    pump.run(main=500)
    assert pump.parts(by_campaign) == {"spring": before, "autumn": 100}
    assert not pump.scheduler.waiting
    pump.lanes.pause(lambda _: False)
    pump.run(main=500)
    assert [m for m in pump.sent if m.campaign == "spring"] == spring


def test_what_comes_for_a_paused_campaign_waits_in_the_store() -> None:
    pump = Pump()
    pump.lanes.pause(lambda key: key.campaign == "spring")
    assert pump.lanes.reserve([message(campaign="spring"), message()], 1_000.0) == [False, True]
    assert pump.lanes.wanting(1_000.0) == []
    pump.lanes.pause(lambda _: False)
    assert [key.campaign for key, _ in pump.lanes.wanting(1_000.0)] == ["spring"]


CAMPAIGNS = (None, "spring", "autumn")


class Gateway(RuleBasedStateMachine):
    """Messages through a small house, with a list for a store: every one comes out exactly once, in
    the order of (due, id) within its lane, or is still there to be taken."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.lanes = Lanes(budget=40, capacity=12)
        self.scheduler = Scheduler(self.lanes, SchedulerOptions(quantum=4))
        self.stored: dict[LaneKey, list[Message]] = defaultdict(list)
        self.accepting: list[Message] = []
        self.paused: frozenset[str] = frozenset()
        self.leasing: list[tuple[LaneKey, int]] = []
        self.expected: set[int] = set()
        self.out: dict[LaneKey, list[Message]] = defaultdict(list)

    def store(self, m: Message) -> None:
        waiting = self.stored[m.lane]
        waiting.append(m)
        waiting.sort(key=lambda m: (m.due, m.id))

    def send(self, room: dict[str, int], keep: int) -> bool:
        result = self.scheduler.next(self.now, lambda route, _: room[route])
        if result is None:
            return False
        key, messages = result
        assert key.campaign not in self.paused
        parts = sum(m.parts for m in messages)
        assert len(messages) == 1 or parts <= room[key.route]
        self.out[key] += messages[:keep]
        if messages[keep:]:
            self.scheduler.give_back(messages[keep:])
        return True

    @rule(
        fields=st.lists(
            st.tuples(
                st.sampled_from(TENANTS),
                st.sampled_from(CATEGORIES_USED),
                st.sampled_from(ROUTES),
                st.sampled_from(CAMPAIGNS),
                st.sampled_from((1, 1, 2, 9)),
                st.sampled_from((0.0, 0.0, 0.0, 0.5, 3.0)),
            ),
            min_size=1,
            max_size=30,
        ),
        fails=st.booleans(),
    )
    @precondition(lambda self: not self.accepting)
    def submit(
        self, fields: list[tuple[str, Category, str, str | None, int, float]], fails: bool
    ) -> None:
        batch = [
            message(tenant, category, route, campaign=campaign, parts=parts, due=self.now + later)
            for tenant, category, route, campaign, parts, later in fields
        ]
        direct = self.lanes.reserve(batch, self.now)
        straight = [m for m, yes in zip(batch, direct, strict=True) if yes]
        if fails:
            self.lanes.unreserve(straight)
            return
        self.expected.update(m.id for m in batch)
        for m, yes in zip(batch, direct, strict=True):
            if not yes:
                self.store(m)
        self.accepting = straight

    @rule()
    def commit(self) -> None:
        self.lanes.admit(self.accepting)
        self.accepting = []

    @rule()
    def ask(self) -> None:
        self.leasing += self.lanes.wanting(self.now)

    @rule(fails=st.integers(0, 9))
    def answer(self, fails: int) -> None:
        for key, limit in self.leasing:
            if fails == 0:
                self.lanes.refilled(key, [], self.now, self.now)
                continue
            assert limit > 0
            due = [m for m in self.stored[key] if m.due <= self.now][:limit]
            self.stored[key] = self.stored[key][len(due) :]
            following = self.stored[key][0].due if self.stored[key] else None
            self.lanes.refilled(key, due, following, self.now)
        self.leasing = []

    @rule(seconds=st.sampled_from((0.001, 0.1, 1.0, 4.0)))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(main=st.integers(0, 9), detour=st.integers(0, 3), keep=st.integers(0, 9))
    def release(self, main: int, detour: int, keep: int) -> None:
        self.send({"main": main, "detour": detour}, keep)

    @rule(campaigns=st.frozensets(st.sampled_from(["spring", "autumn"])))
    def pause(self, campaigns: frozenset[str]) -> None:
        self.paused = campaigns
        self.lanes.pause(lambda key: key.campaign in campaigns)

    @rule(tenant=st.sampled_from(TENANTS), remainder=st.integers(0, 2))
    def cancel(self, tenant: str, remainder: int) -> None:
        gone = self.lanes.remove(tenant, lambda m: m.id % 3 == remainder)
        assert {m.id for m in gone} <= self.expected
        self.expected.difference_update(m.id for m in gone)

    @rule(shares=st.dictionaries(st.sampled_from(TENANTS), st.sampled_from(SHARES)))
    def reload(self, shares: dict[str, Share]) -> None:
        self.scheduler.configure(SchedulerOptions(shares=shares, quantum=4), self.now)

    @invariant()
    def memory_is_bounded(self) -> None:
        statistics = self.lanes.statistics()
        assert statistics.messages + statistics.kept <= 40 + 16 * statistics.lanes

    def teardown(self) -> None:
        """Give everything time and room: all that is left must come out by itself."""
        self.pause(frozenset())
        self.commit()
        while True:
            self.now += 0.001
            self.ask()
            self.answer(1)
            if self.send({"main": 5, "detour": 5}, 99):
                continue
            moments = (self.lanes.next_wakeup(), self.scheduler.next_ready())
            later = [at for at in moments if at is not None]
            if not later:
                break
            self.now = max(self.now, min(later))
        sent = [m.id for messages in self.out.values() for m in messages]
        assert len(sent) == len(set(sent))
        assert set(sent) == self.expected
        for messages in self.out.values():
            assert messages == sorted(messages, key=lambda m: (m.due, m.id))
        self.scheduler.next(self.now, lambda _route, _category: 5)
        assert self.lanes.statistics().lanes == 0


TestGateway = Gateway.TestCase
TestGateway.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)

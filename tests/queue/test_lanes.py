"""Lanes: what is admitted, when the store is asked for more, and how memory stays bounded."""

from collections.abc import Callable

import pytest

from gateway.message import Category, LaneKey, Message
from gateway.queue.lanes import BUDGET, CAPACITY, MINIMUM, RETRY, Lanes

KEY = LaneKey("acme", "marketing", "main")


def message(
    number: int,
    due: float = 0.0,
    *,
    tenant: str = "acme",
    category: Category = "marketing",
    parts: int = 1,
    expires_at: float = 1e9,
) -> Message:
    return Message(
        id=number,
        tenant=tenant,
        to="447700900123",
        sender="10690001",
        text="hello",
        category=category,
        route="main",
        encoding="gsm7",
        parts=parts,
        accepted_at=0.0,
        due=due,
        expires_at=expires_at,
    )


def ready(lanes: Lanes) -> list[int]:
    """Everything in the lanes, in order, with the lanes left empty."""
    return [m.id for m in lanes.drain()]


def fill(lanes: Lanes, messages: list[Message], now: float = 0.0) -> int:
    """Accept messages; returns how many went straight to their lanes."""
    direct = lanes.reserve(messages, now)
    lanes.admit([m for m, straight in zip(messages, direct, strict=True) if straight])
    return sum(direct)


def test_due_messages_go_straight_to_their_lane_in_order() -> None:
    lanes = Lanes()
    assert fill(lanes, [message(n) for n in range(5)]) == 5
    assert fill(lanes, [message(n) for n in range(5, 9)]) == 4
    assert lanes.wanting(0.0) == []
    assert ready(lanes) == list(range(9))


def test_what_does_not_fit_waits_and_is_asked_for_once_half_is_gone() -> None:
    lanes = Lanes(capacity=10)
    batch = [message(n) for n in range(25)]
    assert lanes.reserve(batch, 0.0) == [True] * 10 + [False] * 15
    lanes.admit(batch[:10])
    assert lanes.wanting(0.0) == []
    (lane,) = lanes.woken()
    lanes.take(lane, 100, 4)
    assert lanes.wanting(0.0) == []
    lanes.take(lane, 100, 1)
    assert lanes.wanting(0.0) == [(KEY, 5)]
    assert lanes.wanting(0.0) == [], "asked once until the answer is there"
    lanes.refilled(KEY, batch[10:15], 0.0, 0.0)
    assert ready(lanes) == list(range(5, 15))
    assert lanes.wanting(0.0) == [(KEY, 10)]


def test_a_fresh_message_does_not_overtake_older_ones_in_the_store() -> None:
    lanes = Lanes(capacity=10)
    fill(lanes, [message(n) for n in range(11)])
    (lane,) = lanes.woken()
    lanes.take(lane, 100, 10)
    assert lanes.reserve([message(11)], 0.0) == [False]
    ((key, _),) = lanes.wanting(0.0)
    assert lanes.reserve([message(12)], 0.0) == [False], "nor while they are being leased"
    lanes.refilled(key, [message(10), message(11)], None, 0.0)
    ((key, _),) = lanes.wanting(0.0)
    lanes.refilled(key, [message(12)], None, 0.0)
    assert lanes.reserve([message(13)], 0.0) == [True]


def test_no_lease_while_a_reservation_is_open() -> None:
    lanes = Lanes(capacity=10)
    first = [message(n) for n in range(4)]
    lanes.reserve(first, 0.0)
    lanes.deferred(KEY, 0.0, 0.0)
    assert lanes.wanting(0.0) == []
    lanes.admit(first)
    assert lanes.wanting(0.0) == [(KEY, 6)]


def test_deferred_messages_are_asked_for_when_due() -> None:
    lanes = Lanes()
    later = [message(1, due=50.0), message(2, due=30.0), message(4, due=60.0)]
    assert lanes.reserve(later, 10.0) == [False] * 3
    assert lanes.next_wakeup() == 30.0
    assert lanes.wanting(29.0) == []
    assert lanes.reserve([message(3, due=10.0)], 20.0) == [True], "later ones hold up nobody"
    lanes.admit([message(3)])
    assert lanes.reserve([message(5, due=30.0)], 30.0) == [False], "they are due and go first"
    ((key, _),) = lanes.wanting(30.0)
    lanes.refilled(key, [message(2)], 50.0, 30.0)
    assert lanes.next_wakeup() == 50.0
    assert ready(lanes) == [3, 2]


def test_a_deferral_during_a_lease_is_not_forgotten() -> None:
    lanes = Lanes()
    lanes.deferred(KEY, 0.0, 1.0)
    lanes.wanting(1.0)
    lanes.deferred(KEY, 40.0, 1.0)
    lanes.refilled(KEY, [], None, 1.0)
    assert lanes.next_wakeup() == 40.0


def test_many_deferrals_cost_no_memory(weigh: Callable[[object], int]) -> None:
    lanes = Lanes()
    empty = weigh(lanes)
    for due in range(10_000, 100, -1):
        lanes.deferred(KEY, float(due), 0.0)
    assert weigh(lanes) - empty < 100 * 300
    assert lanes.next_wakeup() == 101.0


def test_a_lease_that_brought_nothing_is_tried_again_a_little_later() -> None:
    lanes = Lanes()
    lanes.deferred(KEY, 0.0, 1.0)
    ((key, _),) = lanes.wanting(1.0)
    lanes.refilled(key, [], 1.0, 1.0)
    assert lanes.wanting(1.0) == []
    assert lanes.reserve([message(1)], 1.0) == [False]
    assert lanes.wanting(1.0) == []
    assert lanes.next_wakeup() == pytest.approx(1.0 + RETRY)
    assert [k for k, _ in lanes.wanting(1.0 + RETRY)] == [KEY]


def test_what_comes_from_another_node_is_put_in_its_place() -> None:
    """It has waited as long as what is there, and may not fit: what is there goes out first."""
    lanes = Lanes(capacity=10)
    assert fill(lanes, [message(n) for n in (2, 4, 6, 8, 10, 12, 14, 16, 18, 20)]) == 10
    lanes.insert([*(message(n) for n in (1, 5, 99)), message(7, tenant="other")])
    [lane, other] = [lanes.known(key) for key in (KEY, KEY._replace(tenant="other"))]
    assert lane is not None
    assert other is not None
    assert lane in lanes.woken()
    assert lanes.statistics().messages == 14
    assert [m.id for m in lane.messages] == [1, 2, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20, 99]
    assert [m.id for m in other.messages] == [7]
    lanes.deferred(KEY, 0.0, 0.0)
    assert lanes.wanting(0.0) == []  # it is full
    assert len(ready(lanes)) == 14
    lanes.deferred(KEY, 0.0, 0.0)
    assert lanes.wanting(0.0) == [(KEY, 10)]


def test_room_of_messages_that_were_not_accepted_is_free_again() -> None:
    lanes = Lanes(capacity=10)
    batch = [message(n) for n in range(10)]
    lanes.reserve(batch, 0.0)
    lanes.unreserve(batch[:4])
    lanes.admit(batch[4:])
    assert fill(lanes, [message(n) for n in range(10, 14)]) == 4
    assert lanes.statistics().messages == 10


def test_urgent_lanes_are_refilled_first() -> None:
    lanes = Lanes()
    categories: list[Category] = ["marketing", "otp", "transactional"]
    for category in categories:
        lanes.deferred(LaneKey("acme", category, "main"), 0.0, 0.0)
    assert [key.category for key, _ in lanes.wanting(0.0)] == ["otp", "transactional", "marketing"]


def test_a_thousand_stuck_tenants_stay_within_the_budget_and_starve_nobody() -> None:
    lanes = Lanes()
    number = 0
    for tenant in range(1000):
        batch = [message(number + n, tenant=f"t{tenant}") for n in range(200)]
        number += 200
        assert fill(lanes, batch) >= MINIMUM
    assert lanes.statistics().messages <= BUDGET + 1000 * MINIMUM
    assert fill(lanes, [message(number + n, tenant="late") for n in range(MINIMUM)]) == MINIMUM


def test_a_few_stuck_lanes_leave_room_for_one_that_moves() -> None:
    lanes = Lanes()
    for tenant in range(12):
        fill(lanes, [message(n, tenant=f"t{tenant}") for n in range(CAPACITY + 1)])
    assert fill(lanes, [message(n, tenant="mover") for n in range(CAPACITY)]) > 1000


def test_lanes_that_want_a_refill_together_get_even_pieces() -> None:
    lanes = Lanes()
    for tenant in range(1000):
        lanes.deferred(LaneKey(f"t{tenant}", "marketing", "main"), 10.0, 0.0)
    counts = [count for _, count in lanes.wanting(10.0)]
    assert len(counts) == 1000
    assert min(counts) >= MINIMUM
    assert max(counts) <= BUDGET // 1000
    assert sum(counts) <= BUDGET + 1000 * MINIMUM


def test_take_keeps_to_the_room_but_sends_a_long_message_whole() -> None:
    lanes = Lanes()
    fill(lanes, [message(1), message(2, parts=3), message(3, parts=5), message(4)])
    (lane,) = lanes.woken()
    batch, parts = lanes.take(lane, 3, 100)
    assert ([m.id for m in batch], parts) == ([1], 1)
    batch, parts = lanes.take(lane, 1, 100)
    assert ([m.id for m in batch], parts) == ([2], 3)
    batch, parts = lanes.take(lane, 100, 2)
    assert ([m.id for m in batch], parts) == ([3], 5), "the allowance may be overdrawn once"


def test_messages_given_back_are_the_next_ones_again() -> None:
    lanes = Lanes()
    fill(lanes, [message(n) for n in range(6)])
    (lane,) = lanes.woken()
    batch, _ = lanes.take(lane, 4, 4)
    lanes.give_back(batch[1:])
    assert ready(lanes) == [1, 2, 3, 4, 5]


def test_messages_of_several_lanes_can_be_given_back_together() -> None:
    lanes = Lanes()
    batch = [message(n, tenant="acme" if n % 2 else "other") for n in range(8)]
    fill(lanes, batch)
    for lane in lanes.woken():
        lanes.take(lane, 3, 3)
    lanes.give_back(batch[:6])
    assert [m.id for m in lanes.get(KEY).messages] == [1, 3, 5, 7]
    assert [m.id for m in lanes.get(KEY._replace(tenant="other")).messages] == [0, 2, 4, 6]


def test_a_lane_that_was_filled_by_what_came_back_asks_for_nothing() -> None:
    lanes = Lanes(capacity=10)
    fill(lanes, [message(n) for n in range(11)])
    (lane,) = lanes.woken()
    batch, _ = lanes.take(lane, 10, 10)
    lanes.give_back(batch)
    assert lanes.wanting(0.0) == []
    lanes.take(lane, 10, 10)
    assert lanes.wanting(0.0) == [(KEY, 10)]


def test_cancelling_takes_out_the_tenants_messages_only() -> None:
    lanes = Lanes()
    fill(lanes, [message(n, tenant="acme" if n % 2 else "other") for n in range(10)])
    gone = lanes.remove("acme", lambda m: m.id < 6)
    assert sorted(m.id for m in gone) == [1, 3, 5]
    assert sorted(ready(lanes)) == [0, 2, 4, 6, 7, 8, 9]


def test_expired_messages_are_swept_out() -> None:
    lanes = Lanes()
    fill(lanes, [message(n, expires_at=100.0 + n) for n in range(5)])
    assert [m.id for m in lanes.expired(102.0)] == [0, 1, 2]
    assert ready(lanes) == [3, 4]


def test_idle_lanes_leave_nothing_behind() -> None:
    lanes = Lanes()
    for tenant in range(100):
        fill(lanes, [message(tenant, tenant=f"t{tenant}")])
    for lane in lanes.woken():
        lanes.take(lane, 1, 1)
        lanes.unlist(lane)
    statistics = lanes.statistics()
    assert (statistics.lanes, statistics.messages, statistics.kept) == (0, 0, 0)

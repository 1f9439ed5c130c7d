"""An unusual rise of one-time passwords to a range."""

from collections.abc import Callable

import pytest

from gateway.facts import Facts
from gateway.message import Message
from gateway.policy import pumping
from gateway.policy.pumping import Pumping, PumpingAgain, PumpingOptions, Ranges
from gateway.policy.rules import Defer

MakeMessage = Callable[..., Message]

TASHKENT, CN = "998901234567", "8613812345678"
RANGE = "99890123"
RULE = Pumping(PumpingOptions(), ("UZ", "4477"))
SLOT = 600.0


def test_which_ranges_are_counted(make_message: MakeMessage) -> None:
    messages = [
        make_message(TASHKENT, category="otp"),
        make_message(TASHKENT, category="otp"),
        make_message(TASHKENT),  # no one-time password
        make_message(CN, category="otp"),
        make_message("447712345678", category="otp"),
        make_message("447412345678", category="otp"),
    ]
    assert RULE.ranges(messages) == [RANGE, RANGE, "44771234"]


def test_what_is_too_many_is_held(make_message: MakeMessage) -> None:
    messages = [make_message(f"{RANGE}{n:04}", category="otp") for n in range(5)]
    urgent = make_message(f"{RANGE}0009", category="transactional")
    other = make_message(CN, category="otp")
    found = RULE.judge([*messages, urgent, other], Facts(rooms={RANGE: 3}), 1_000.0)
    assert list(found) == [3, 4]
    for verdict in found.values():
        assert isinstance(verdict, Defer)
        assert (verdict.rule, verdict.until) == ("pumping", 1_300.0)
    brief = make_message(TASHKENT, category="otp", expires_at=1_100.0)
    [verdict] = RULE.judge([brief], Facts(rooms={RANGE: 0}), 1_000.0).values()
    assert isinstance(verdict, Defer)
    assert verdict.until == 1_100.0


def test_what_was_held_is_looked_at_again(make_message: MakeMessage) -> None:
    rule = PumpingAgain(RULE)
    held = make_message(TASHKENT, category="otp", accepted_at=0.0, due=300.0)
    fresh = make_message(TASHKENT, category="otp", accepted_at=300.0, due=300.0)
    assert list(rule.judge([fresh, held], Facts(rooms={RANGE: 0}), 300.0)) == [1]
    assert rule.judge([fresh, held], Facts(rooms={RANGE: 1}), 300.0) == {}
    assert rule.judge([fresh, held], Facts(), 300.0) == {}


def room(ranges: Ranges, now: float, tenant: str = "acme") -> int:
    return ranges.rooms(tenant, [RANGE], now)[RANGE]


def test_few_are_nothing_unusual() -> None:
    ranges = Ranges()
    assert room(ranges, 0.0) == 20
    ranges.note("acme", [RANGE] * 15, 0.0)
    assert room(ranges, 599.0) == 5
    assert room(ranges, 599.0, "umbrella") == 20
    assert room(ranges, 600.0) == 20


def test_what_is_usual_is_learnt() -> None:
    ranges = Ranges()
    for slot in range(300):
        ranges.note("acme", [RANGE] * 18, slot * SLOT)
    steady = room(ranges, 300 * SLOT)
    assert 70 <= steady <= 90  # five times 18, once a day or two have passed
    # Nothing for a week, and it is unlearnt.
    assert room(ranges, (300 + 7 * 144) * SLOT) == 20


def test_what_is_usual_is_known_after_a_restart() -> None:
    ranges = Ranges()
    assert ranges.memo() is None
    for slot in range(300):
        ranges.note("acme", [RANGE] * 18, slot * SLOT)
    memo = ranges.memo()
    assert memo is not None
    assert ranges.memo() is None
    again = Ranges()
    again.recall(memo)
    again.configure(PumpingOptions())
    assert room(again, 300 * SLOT) == room(ranges, 300 * SLOT) > 20
    other = Ranges()
    other.recall(memo)
    other.configure(PumpingOptions(minutes=20))
    assert room(other, 300 * SLOT) == 20


def test_an_attack_is_not_usual_soon() -> None:
    ranges = Ranges()
    passed = 0
    for slot in range(144):  # a day
        now = slot * SLOT
        going = room(ranges, now)
        ranges.note("acme", [RANGE] * going, now)
        passed += going
    assert passed < 144 * 80


def test_no_more_is_remembered_than_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pumping, "RANGES", 10)
    ranges = Ranges()
    for number in range(100):
        ranges.note("acme", [str(number)], 0.0)
        assert len(ranges._counts) <= 10  # noqa: SLF001  the bound is the point


def test_another_time_of_counting_begins_anew() -> None:
    ranges = Ranges()
    ranges.note("acme", [RANGE] * 20, 0.0)
    ranges.configure(PumpingOptions(least=30))
    assert room(ranges, 0.0) == 10
    ranges.configure(PumpingOptions(minutes=20))
    assert room(ranges, 0.0) == 20


def test_what_several_nodes_count_is_one_count() -> None:
    """Each tells what it has noted, and goes by what all have; its own is not counted twice."""
    here, there = Ranges(), Ranges()
    known = room(here, SLOT)
    here.note("acme", [RANGE] * 3, SLOT)
    there.note("acme", [RANGE] * 2, SLOT)
    row = None
    for ranges in (here, there):
        [((tenant, name), step)] = ranges.take_untold().items()
        row = ranges.revised(row, step, SLOT)
        ranges.know(tenant, name, row)
    assert [room(ranges, SLOT) for ranges in (here, there)] == [known - 3, known - 5]
    here.note("acme", [RANGE], SLOT)
    here.know("acme", RANGE, here.revised(row, 0, SLOT))
    assert room(here, SLOT) == known - 6
    untold = here.take_untold()
    assert untold == {("acme", RANGE): 1}
    here.not_told(untold)
    assert here.take_untold() == untold
    assert here.take_untold() == {}


def test_what_is_usual_is_that_of_all_nodes() -> None:
    here, there = Ranges(), Ranges()
    row = None
    for slot in range(1_000):
        row = (here if slot % 2 else there).revised(row, 30, slot * SLOT)
    here.know("acme", RANGE, row or b"")
    there.know("acme", RANGE, row or b"")
    assert room(here, 1_001 * SLOT) == room(there, 1_001 * SLOT) > 100
    here.configure(PumpingOptions(minutes=5))
    assert here.revised(row, 0, 1_001 * SLOT) == here.revised(None, 0, 1_001 * SLOT)

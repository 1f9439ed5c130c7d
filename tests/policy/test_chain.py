from collections.abc import Callable, Mapping, Sequence

import pytest

from gateway.facts import NOTHING, Facts
from gateway.message import Message
from gateway.policy.chain import Chain, PolicyOptions, TenantOptions, build
from gateway.policy.hours import RegionHours
from gateway.policy.quiet_hours import QuietHoursOptions
from gateway.policy.rules import Defer, Refuse, Verdict, Verdicts

MakeMessage = Callable[..., Message]
Moment = Callable[[str], float]


class Scripted:
    """A rule that says what it is told to of each recipient, and remembers what it was asked."""

    wants = NOTHING

    def __init__(self, name: str, script: Mapping[str, Verdict]) -> None:
        self.name = name
        self.script = script
        self.asked: list[tuple[str, float]] = []

    def judge(self, messages: Sequence[Message], facts: Facts, now: float) -> Verdicts:
        self.asked += [(message.to, message.due) for message in messages]
        return {
            index: self.script[message.to]
            for index, message in enumerate(messages)
            if message.to in self.script
        }


def test_without_rules_everything_is_allowed(make_message: MakeMessage) -> None:
    assert Chain([]).judge([make_message()], Facts(), 0.0) == {}


def test_the_first_refusal_stands_and_later_rules_do_not_see_it(make_message: MakeMessage) -> None:
    refusal, other = Refuse("first", "no_consent", "a"), Refuse("second", "opted_out", "b")
    first = Scripted("first", {"a": refusal})
    second = Scripted("second", {"a": other, "b": other})
    messages = [make_message(to) for to in ("c", "a", "b", "d")]
    assert Chain([first, second]).judge(messages, Facts(), 0.0) == {1: refusal, 2: other}
    assert [to for to, _ in second.asked] == ["c", "b", "d"]


def test_later_rules_judge_at_the_time_of_a_deferral(make_message: MakeMessage) -> None:
    first = Scripted("first", {"a": Defer("first", 100.0, ""), "b": Defer("first", 100.0, "")})
    second = Scripted("second", {"a": Defer("second", 200.0, "later")})
    third = Scripted("third", {"b": Refuse("third", "expired", "too late")})
    messages = [make_message(to, due=5.0) for to in ("x", "a", "b")]
    assert Chain([first, second, third]).judge(messages, Facts(), 0.0) == {
        1: Defer("second", 200.0, "later"),
        2: Refuse("third", "expired", "too late"),
    }
    assert second.asked == [("x", 5.0), ("a", 100.0), ("b", 100.0)]
    assert third.asked == [("x", 5.0), ("a", 200.0), ("b", 100.0)]


@pytest.fixture
def options() -> PolicyOptions:
    return PolicyOptions(
        quiet_hours=QuietHoursOptions(regions={"FR": RegionHours(open="08:00-20:00")})
    )


def test_admission(make_message: MakeMessage, moment: Moment, options: PolicyOptions) -> None:
    policy = build(options, {"acme": TenantOptions(senders=("10690001",), max_queued=14)})["acme"]
    now = moment("2026-11-24 21:00+01:00")
    messages = [
        make_message("8613812345678", sender="10690002"),
        make_message("8613812345679"),
        make_message("33612345678"),
        make_message("33612345678", category="otp"),
        make_message("12125550100"),
        make_message("12125550101"),
        make_message("12125550102"),
    ]
    verdicts = policy.admission.judge(messages, Facts(opted_out={"8613812345679"}, queued=10), now)
    assert {
        index: found.code if isinstance(found, Refuse) else found.rule
        for index, found in verdicts.items()
    } == {
        0: "sender_not_allowed",
        1: "opted_out",
        2: "quiet_hours",
        # What was refused before takes up no room: four messages fit.
        6: "queue_full",
    }


def test_release_asks_again_for_what_may_have_changed(
    make_message: MakeMessage, moment: Moment, options: PolicyOptions
) -> None:
    policy = build(options, {"acme": TenantOptions(senders=("10690001",), max_queued=1)})["acme"]
    messages = [make_message("33612345678"), make_message("33612345679", sender="10690002")]
    noon, night = moment("2026-11-24 12:00+01:00"), moment("2026-11-24 21:00+01:00")
    facts = Facts(opted_out={"33612345678"}, queued=5)
    assert set(policy.release.judge(messages, Facts(queued=5), noon)) == set()
    assert set(policy.release.judge(messages, facts, noon)) == {0}
    assert set(policy.release.judge(messages, facts, night)) == {0, 1}


def test_a_tenant_may_be_without_quiet_hours(
    make_message: MakeMessage, moment: Moment, options: PolicyOptions
) -> None:
    policies = build(
        options,
        {
            "day": TenantOptions(senders=("*",)),
            "night": TenantOptions(senders=("*",), quiet_hours=False),
        },
    )
    now = moment("2026-11-24 03:00+01:00")
    message = make_message("33612345678")
    assert set(policies["day"].admission.judge([message], Facts(), now)) == {0}
    assert policies["night"].admission.judge([message], Facts(), now) == {}
    assert policies["night"].release.judge([message], Facts(), now) == {}
    assert policies["day"].quiet_hours.categories == {"marketing"}
    assert not policies["night"].quiet_hours.categories


def test_problems_are_named_by_their_keys() -> None:
    assert PolicyOptions(quiet_hours=QuietHoursOptions(margin=-1)).problems() == [
        "quiet_hours.margin: -1 is not between 0 and 3600"
    ]
    assert TenantOptions(senders=("ACME", "*", "no sender at all"), max_queued=0).problems() == [
        "senders[2]: 'no sender at all' is neither a number, a name of up to 11 letters nor '*'",
        "max_queued: 0 is not at least 1",
    ]

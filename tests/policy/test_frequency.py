"""Frequency caps by cases: what counts, over which time, and what becomes of one too many."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from gateway.facts import Facts, Use
from gateway.message import Local, Message
from gateway.numbers import canonical
from gateway.policy import caps
from gateway.policy.caps import SHIPPED, FrequencyCap, expanded, signature
from gateway.policy.frequency import Again, Frequency, count_in
from gateway.policy.rules import Defer, Refuse, Verdict

MakeMessage = Callable[..., Message]
Moment = Callable[[str], float]

HOUR, DAY = 3_600.0, 86_400.0
CHINESE, BRITISH, NEW_YORK = "8613812345678", "447400123456", "12125550123"


def cap(most: int = 1, per: str = "1d", **fields: Any) -> FrequencyCap:
    return FrequencyCap(max=most, per=per, **fields)


class Phones:
    """What phones had, and what a rule says of one more."""

    def __init__(self, rule: Frequency) -> None:
        self.rule = rule
        self.uses: dict[str, Sequence[Use]] = {}
        self.last = 0

    def had(self, message: Message, at: float, *, sent: bool = True) -> None:
        self.last += 1
        marked = self.rule.marked(msgspec.structs.replace(message, id=self.last, due=at))
        count_in(self.uses, [marked])
        if sent:
            phone = canonical(message.to)
            self.uses[phone] = [
                one._replace(sent=True) if one.message == self.last else one
                for one in self.uses.get(phone, ())
            ]

    def judge(self, message: Message, now: float) -> Verdict | None:
        return self.judge_all([message], now)[0]

    def judge_all(self, messages: Sequence[Message], now: float) -> list[Verdict | None]:
        marked = [
            self.rule.marked(msgspec.structs.replace(one, id=1_000 + number))
            for number, one in enumerate(messages)
        ]
        verdicts = self.rule.judge(marked, Facts(uses=self.uses), now)
        return [verdicts.get(index) for index in range(len(messages))]


@pytest.mark.parametrize(
    ("stated", "had", "asked", "capped"),
    [
        pytest.param({}, {}, {}, True, id="any message counts"),
        pytest.param({}, {"to": BRITISH}, {}, False, id="of this phone"),
        pytest.param({"category": "marketing"}, {"category": "otp"}, {}, False, id="category"),
        pytest.param(
            {"category": "marketing"}, {}, {"category": "otp"}, False, id="others are not asked"
        ),
        pytest.param(
            {"campaign": "spring"}, {"campaign": "spring"}, {"campaign": "spring"}, True,
            id="this campaign",
        ),
        pytest.param(
            {"campaign": "spring"}, {"campaign": "summer"}, {"campaign": "summer"}, False,
            id="another campaign",
        ),
        pytest.param({"campaign": "spring"}, {}, {"campaign": "spring"}, False, id="without one"),
        pytest.param(
            {"campaign": "*"}, {"campaign": "summer"}, {"campaign": "summer"}, True,
            id="each campaign: twice in one",
        ),
        pytest.param(
            {"campaign": "*"}, {"campaign": "summer"}, {"campaign": "spring"}, False,
            id="each campaign: two of them",
        ),
        pytest.param(
            {"signature": "店铺"}, {"text": "【店铺】甲"}, {"text": "【店铺】乙"}, True,
            id="this signature",
        ),
        pytest.param(
            {"signature": "店铺"}, {"text": "【别家】甲"}, {"text": "【店铺】乙"}, False,
            id="another signature before",
        ),
        pytest.param(
            {"signature": "*"}, {"text": "【别家】甲"}, {"text": "【别家】乙"}, True,
            id="each signature",
        ),
        pytest.param({"signature": "*"}, {"text": "甲"}, {"text": "甲"}, False, id="unsigned"),
        pytest.param({"same_text": True}, {"text": "a"}, {"text": "a"}, True, id="same text"),
        pytest.param({"same_text": True}, {"text": "a"}, {"text": "b"}, False, id="other text"),
        pytest.param({"regions": ("CN",)}, {}, {}, True, id="a phone there"),
        pytest.param(
            {"regions": ("CN",)}, {"to": BRITISH}, {"to": BRITISH}, False, id="a phone elsewhere"
        ),
    ],
)  # fmt: skip
def test_what_counts(
    make_message: MakeMessage,
    stated: dict[str, Any],
    had: dict[str, Any],
    asked: dict[str, Any],
    capped: bool,
) -> None:
    phones = Phones(Frequency([cap(**stated)]))
    phones.had(make_message(**({"to": CHINESE} | had)), 0.0)
    verdict = phones.judge(make_message(**({"to": CHINESE} | asked)), HOUR)
    assert (verdict is not None) is capped
    if isinstance(verdict, Refuse):
        assert (verdict.code, verdict.rule, verdict.retry_at) == (
            "frequency_capped", "frequency", DAY,
        )  # fmt: skip


def test_the_answer_says_what_and_until_when(make_message: MakeMessage) -> None:
    phones = Phones(Frequency([cap(3, "7d", category="marketing")]))
    for day in range(3):
        phones.had(make_message(), day * DAY)
    assert phones.judge(make_message(), 6 * DAY) == Refuse(
        "frequency",
        "frequency_capped",
        "the recipient had 3 marketing messages in 7 days, the most there may be; the next one may"
        " go at 1970-01-08 00:00:00+00:00",
        7 * DAY,
    )
    assert phones.judge(make_message(), 7 * DAY) is None


def test_the_strictest_of_several_decides(make_message: MakeMessage) -> None:
    phones = Phones(Frequency(SHIPPED["CN"]))
    message = make_message(CHINESE, category="otp")
    times = [0.0, 60.0, 120.0, 180.0, 240.0]
    for at in times:
        assert phones.judge(message, at) is None
        phones.had(make_message(CHINESE, category="otp", text=f"{at}"), at)
    verdict = phones.judge(message, 250.0)
    assert isinstance(verdict, Refuse)
    assert verdict.retry_at == HOUR  # five in an hour, not the minute
    phones.uses = {}
    for hour in range(10):
        phones.had(make_message(CHINESE, category="otp", text=f"{hour}"), hour * HOUR)
    verdict = phones.judge(message, 10 * HOUR)
    assert isinstance(verdict, Refuse)
    assert verdict.retry_at == DAY


@pytest.mark.parametrize(
    ("to", "had", "asked", "retry"),
    [
        pytest.param(
            CHINESE, "2026-11-10 23:59+08:00", "2026-11-11 00:00+08:00", None, id="a new day"
        ),
        pytest.param(
            CHINESE, "2026-11-11 00:00+08:00", "2026-11-11 23:59+08:00", "2026-11-12 00:00+08:00",
            id="the same day, of the recipient and not of UTC",
        ),
        pytest.param(
            NEW_YORK, "2026-10-31 20:00-04:00", "2026-10-31 23:00-04:00",
            "2026-11-01 00:00-04:00", id="before the clock goes back",
        ),
        pytest.param(
            NEW_YORK, "2026-11-01 00:30-04:00", "2026-11-01 23:30-05:00",
            "2026-11-02 00:00-05:00", id="a day of 25 hours",
        ),
        pytest.param(
            "18005550123", "2026-11-10 23:30-05:00", "2026-11-11 00:30-05:00",
            "2026-11-11 00:00-10:00", id="toll-free: a new day in every zone where it may be",
        ),
    ],
)  # fmt: skip
def test_days_of_the_recipients_calendar(
    make_message: MakeMessage, moment: Moment, to: str, had: str, asked: str, retry: str | None
) -> None:
    phones = Phones(Frequency([cap(window="calendar")]))
    phones.had(make_message(to), moment(had))
    verdict = phones.judge(make_message(to), moment(asked))
    if retry is None:
        assert verdict is None
    else:
        assert isinstance(verdict, Refuse)
        assert verdict.retry_at is not None
        assert verdict.retry_at >= moment(retry)
        assert phones.judge(make_message(to), verdict.retry_at) is None
        assert phones.judge(make_message(to), verdict.retry_at - 1) is not None


@pytest.mark.parametrize(
    ("sent", "asked", "local", "capped"),
    [
        # 23:00 and 01:00 in New York are one day in Los Angeles and two in New York.
        ("2026-11-10T04:00+00:00", "2026-11-10T06:00+00:00", None, False),
        ("2026-11-10T04:00+00:00", "2026-11-10T06:00+00:00", "America/Los_Angeles", True),
        # 23:00 and 01:00 in Los Angeles are one day in New York.
        ("2026-11-10T07:00+00:00", "2026-11-10T09:00+00:00", None, True),
        ("2026-11-10T07:00+00:00", "2026-11-10T09:00+00:00", "America/Los_Angeles", False),
    ],
)
def test_days_of_the_calendar_that_the_sender_names(
    make_message: MakeMessage,
    moment: Moment,
    sent: str,
    asked: str,
    local: str | None,
    capped: bool,
) -> None:
    phones = Phones(Frequency([cap(window="calendar")]))
    message = make_message(to=NEW_YORK)
    if local is not None:
        message = msgspec.structs.replace(message, local=Local(local))
    phones.had(message, moment(sent))
    assert (phones.judge(message, moment(asked)) is not None) == capped


def test_several_days_of_the_calendar(make_message: MakeMessage, moment: Moment) -> None:
    phones = Phones(Frequency([cap(2, "7d", window="calendar")]))
    phones.had(make_message(CHINESE), moment("2026-11-02 20:00+08:00"))
    phones.had(make_message(CHINESE), moment("2026-11-05 20:00+08:00"))
    verdict = phones.judge(make_message(CHINESE), moment("2026-11-08 23:00+08:00"))
    assert isinstance(verdict, Refuse)
    assert verdict.retry_at == moment("2026-11-09 00:00+08:00")


def test_one_that_defers_waits_for_its_time_and_for_the_other_rules(
    make_message: MakeMessage,
) -> None:
    phones = Phones(Frequency([cap(on_cap="defer")], lambda _, at: max(at, 1.5 * DAY)))
    phones.had(make_message(), 0.0)
    verdict = phones.judge(make_message(), HOUR)
    assert isinstance(verdict, Defer)
    assert verdict.until == 1.5 * DAY
    refused = phones.judge(make_message(expires_at=1.2 * DAY), HOUR)
    assert isinstance(refused, Refuse)
    assert refused.why.endswith("and the message expires before")


def test_a_cap_that_refuses_stands_before_one_that_defers(make_message: MakeMessage) -> None:
    both = [cap(1, "1h", on_cap="defer"), cap(2, "1d", on_cap="refuse")]
    phones = Phones(Frequency(both))
    phones.had(make_message(), 0.0)
    assert isinstance(phones.judge(make_message(), 1.0), Defer)
    phones.had(make_message(), HOUR)
    assert isinstance(phones.judge(make_message(), HOUR + 1), Refuse)


def test_messages_of_one_batch_count_for_each_other(make_message: MakeMessage) -> None:
    phones = Phones(Frequency([cap(2, on_cap="defer")]))
    verdicts = phones.judge_all([make_message() for _ in range(5)], 0.0)
    assert [getattr(one, "until", None) for one in verdicts] == [None, None, DAY, DAY, 2 * DAY]


def test_what_waits_counts_at_every_moment_until_it_is_sent(make_message: MakeMessage) -> None:
    phones = Phones(Frequency([cap()]))
    phones.had(make_message(), 0.0, sent=False)
    verdict = phones.judge(make_message(), 30 * HOUR)
    assert isinstance(verdict, Refuse)
    assert verdict.retry_at == 30 * HOUR + DAY


def test_what_is_planned_for_later_counts(make_message: MakeMessage) -> None:
    phones = Phones(Frequency([cap()]))
    phones.had(make_message(), 20 * HOUR, sent=False)
    verdict = phones.judge(make_message(), 0.0)
    assert isinstance(verdict, Refuse)
    assert verdict.retry_at == 20 * HOUR + DAY
    phones.uses = {}
    phones.had(make_message(), 24 * HOUR, sent=False)
    assert phones.judge(make_message(), 0.0) is None


def test_a_spelling_of_the_phone_does_not_double_its_messages(make_message: MakeMessage) -> None:
    phones = Phones(Frequency([cap()]))
    phones.had(make_message("5215512345678"), 0.0)
    assert phones.judge(make_message("525512345678"), HOUR) is not None


def test_what_waited_is_judged_again_and_the_first_goes_first(make_message: MakeMessage) -> None:
    rule = Frequency([cap(on_cap="defer")])
    uses: dict[str, Sequence[Use]] = {}
    first, second = (
        rule.marked(make_message(id=number, due=at, accepted_at=0.0))
        for number, at in ((1, DAY), (2, 2 * DAY))
    )
    count_in(uses, [first, second])
    now = 3 * DAY  # both were held up
    verdicts = Again(rule).judge([first, second], Facts(uses=uses), now)
    assert [*verdicts] == [1]
    verdict = verdicts[1]
    assert isinstance(verdict, Defer)
    assert verdict.until == now + DAY


def test_what_goes_when_it_was_accepted_is_not_judged_again(make_message: MakeMessage) -> None:
    rule = Frequency([cap()])
    message = rule.marked(make_message(due=5.0, accepted_at=5.0))
    uses = {canonical(message.to): [Use(message.counted[0].mark, 0.0, 9, sent=True)]}
    assert Again(rule).judge([message], Facts(uses=uses), 6.0) == {}


@pytest.mark.parametrize(
    ("text", "signed"),
    [
        ("【店铺】双十一", "店铺"),
        ("双十一【店铺】", None),
        ("【】空", None),
        ("[店铺]双十一", None),
        ("【店铺", None),
    ],
)
def test_signatures(text: str, signed: str | None) -> None:
    assert signature(text) == signed


@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        ({"max": None}, "[0].max: is missing; it says how many messages a phone gets"),
        ({"per": None}, "[0].per: is missing; it says in what time, such as '7d'"),
        ({"per": "week"}, "[0].per: 'week' is no time such as '60s', '5m', '1h' or '7d'"),
        ({"per": "0s"}, "[0].per: '0s' is no time such as '60s', '5m', '1h' or '7d'"),
        ({"per": "91d"}, "[0].per: '91d' is longer than 90d"),
        (
            {"per": "36h", "window": "calendar"},
            "[0].per: '36h' is not whole days, which a calendar has",
        ),
        (
            {"regions": ("China",)},
            "[0].regions[0]: 'China' is no ISO 3166 code of two letters, such as 'CN'",
        ),
        (
            {"shipped": "CN"},
            "[0].shipped: takes nothing beside it but tenants; state other caps as further",
        ),
    ],
)
def test_what_is_wrong_is_named(stated: dict[str, Any], problem: str) -> None:
    fields: dict[str, Any] = {"max": 1, "per": "1d", **stated}
    assert caps.problems([FrequencyCap(**fields)]) == [problem]


def test_two_caps_of_the_same_contradict_one_another() -> None:
    one, other = cap(1, category="otp"), cap(2, category="otp")
    assert caps.problems([one, cap(5, "7d", category="otp"), other]) == [
        "[2]: caps the same messages as [0] over the same time; keep one"
    ]


def test_shipped_caps_stand_for_their_list() -> None:
    found = expanded([FrequencyCap(shipped="CN", tenants=("shop",)), cap()])
    assert len(found) == len(SHIPPED["CN"]) + 1
    assert {one.tenants for one in found[:-1]} == {("shop",)}
    assert caps.problems(found) == []

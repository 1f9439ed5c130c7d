"""Where texts may go, by region, range and kind of number."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.facts import Facts
from gateway.message import Message
from gateway.policy import destinations
from gateway.policy.destinations import DestinationOptions, Destinations
from gateway.policy.rules import Refuse

MakeMessage = Callable[..., Message]

CN, GB, US, CA = "8613812345678", "447400123456", "12125550100", "14165550100"
UZBEK, SATELLITE, BEIJING = "998901234567", "870773123456", "861066778899"
GB_PREMIUM, GB_FIXED, JERSEY = "449098790000", "442079460000", "447797712345"
US_PREMIUM, TOLL_FREE = "19002345678", "18005550100"


def refused(make_message: MakeMessage, to: str, **options: Any) -> bool:
    rule = Destinations(DestinationOptions(**options))
    found = rule.judge([make_message(to)], Facts(), 0.0).get(0)
    assert found is None or (isinstance(found, Refuse) and found.code == "destination_blocked")
    return found is not None


@pytest.mark.parametrize(
    ("options", "texted", "not_texted"),
    [
        ({"allowed": ("CN",)}, [CN, BEIJING], [GB, US, SATELLITE]),
        ({"allowed": ("CN", "US")}, [CN, US, TOLL_FREE], [CA, GB]),
        ({"allowed": ("1",)}, [US, CA], [CN]),
        ({"blocked": ("UZ", "870")}, [CN, US], [UZBEK, SATELLITE]),
        # Islands have regions of their own under one country code.
        ({"allowed": ("GB",)}, [GB], [JERSEY]),
        ({"allowed": ("GB",), "blocked": ("4474",)}, [GB_FIXED], [GB]),
        ({"kinds": ("mobile",)}, [CN, GB, US, CA, UZBEK], [BEIJING, GB_FIXED, GB_PREMIUM]),
        ({"kinds": ("mobile", "toll-free")}, [TOLL_FREE], [US_PREMIUM]),
        ({"kinds": ("fixed",)}, [GB_FIXED, BEIJING, US], [GB, CN]),
        ({"allowed": ("GB",), "kinds": ("mobile", "fixed")}, [GB, GB_FIXED], [GB_PREMIUM, CN]),
    ],
)
def test_who_is_texted(
    make_message: MakeMessage, options: dict[str, Any], texted: list[str], not_texted: list[str]
) -> None:
    assert [to for to in texted if refused(make_message, to, **options)] == []
    assert [to for to in not_texted if not refused(make_message, to, **options)] == []


def test_a_refusal_says_why_and_shows_no_number(make_message: MakeMessage) -> None:
    rule = Destinations(
        DestinationOptions(allowed=("CN", "GB"), blocked=("4474",), kinds=("mobile",))
    )
    messages = [make_message(to) for to in (US, GB, GB_PREMIUM, CN)]
    found = rule.judge(messages, Facts(), 0.0)
    assert [(index, one.rule, one.why) for index, one in found.items()] == [
        (0, "destinations", "numbers of US that begin like this are not allowed"),
        (1, "destinations", "numbers of GB that begin like this are blocked"),
        (2, "destinations", "premium numbers are not texted"),
    ]


def test_what_it_does_not_hold_for(make_message: MakeMessage) -> None:
    rule = Destinations(DestinationOptions(blocked=("GB",), categories=frozenset({"marketing"})))
    answer = make_message(GB, exempt=True)
    messages = [make_message(GB, category=one) for one in ("otp", "transactional", "marketing")]
    assert list(rule.judge([*messages, answer], Facts(), 0.0)) == [2]


def test_a_tenant_narrows_and_never_widens(make_message: MakeMessage) -> None:
    both = destinations.rules(
        DestinationOptions(allowed=("CN", "GB")), DestinationOptions(allowed=("GB", "US"))
    )
    passed = [
        to
        for to in (CN, GB, US)
        if not any(rule.judge([make_message(to)], Facts(), 0.0) for rule in both)
    ]
    assert passed == [GB]


def test_without_anything_written_there_is_no_rule() -> None:
    assert destinations.rules(DestinationOptions(), None) == []
    assert destinations.rules(DestinationOptions(blocked=("GB",), categories=frozenset())) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"allowed": ("China",)}, "allowed[0]: 'China' is neither a region as 'CN' nor digits"),
        ({"blocked": ("CN", "+86")}, "blocked[1]: '+86' is neither"),
        ({"blocked": ("",)}, "blocked[0]: '' is neither"),
        ({"allowed": ("US-TX",)}, "allowed[0]: 'US-TX' is neither"),
        ({"allowed": ("٤",)}, "allowed[0]: '٤' is neither"),
        ({"allowed": ("CN",), "blocked": ("CN",)}, "blocked[0]: 'CN' is allowed as well"),
        ({"allowed": ("1",) * 10_001}, "allowed: 10001 entries, over 10000"),
    ],
)
def test_what_is_wrong_is_named(options: dict[str, Any], said: str) -> None:
    [problem] = DestinationOptions(**options).problems()
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"allowed": ("CN",), "blocked": ("UZ",)}, ["blocked[0]"]),
        ({"allowed": ("CN",), "blocked": ("861",)}, []),
        ({"allowed": ("4477",), "blocked": ("44779",)}, []),
        ({"allowed": ("4477",), "blocked": ("44",)}, ["allowed[0]"]),
        ({"blocked": ("UZ",)}, []),
        ({"kinds": ("fixed",)}, ["kinds"]),
        ({"allowed": ("CN",), "categories": frozenset()}, ["categories"]),
    ],
)
def test_what_is_hardly_meant(options: dict[str, Any], said: list[str]) -> None:
    found = destinations.advice(DestinationOptions(**options))
    assert [line.split(":")[0] for line in found] == said


def test_a_number_is_not_taken_for_one_that_begins_like_it(make_message: MakeMessage) -> None:
    rule = Destinations(
        DestinationOptions(allowed=("CN", "GB"), blocked=("861371234567",), kinds=("mobile",))
    )
    numbers = [CN[:9] + end for end in ("0000", "0001", "00", "00000")]
    numbers += ["8613712345670", "8613712345680", "8613712345671", GB, GB_PREMIUM, JERSEY]
    for _ in range(2):  # the second time, what is known again
        for to in [*numbers, *reversed(numbers)]:
            alone = Destinations(
                DestinationOptions(
                    allowed=("CN", "GB"), blocked=("861371234567",), kinds=("mobile",)
                )
            )
            message = [make_message(to)]
            assert rule.judge(message, Facts(), 0.0) == alone.judge(message, Facts(), 0.0), to

"""What ``gateway check`` says of rules that never apply, and of tenants for which none holds."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from gateway.config import Settings, warnings

Read = Callable[..., Settings]

OPEN = {"quiet_hours": {"open": "00:00-24:00"}}
CODES = {"category": "otp", "categories": ["otp"]}
LIST = [{"name": "a", "words": ["casino"], "regions": ["US"]}]


def told(settings: Settings, what: str) -> list[str]:
    checks = (warnings.idle, warnings.hygiene)
    found = [line for check in checks for line in check(settings, date(2026, 11, 26))]
    return [line for line in found if what in line]


@pytest.mark.parametrize(
    ("tables", "rules"),
    [
        pytest.param({}, True, id="shipped hours"),
        pytest.param({"tenant": {"quiet_hours": False}}, False, id="switched off"),
        pytest.param({"policy": OPEN}, False, id="hours that never end"),
        pytest.param(
            {"policy": {"quiet_hours": {**OPEN["quiet_hours"], "regions": {"CN": {}}}}},
            True,
            id="but for a region",
        ),
        pytest.param({"tenant": CODES}, False, id="hours are for promotions"),
        pytest.param(
            {"tenant": CODES, "policy": {"frequency": [{"max": 1, "per": "60s"}]}}, True, id="a cap"
        ),
        pytest.param(
            {
                "tenant": CODES,
                "policy": {"frequency": [{"category": "marketing", "max": 1, "per": "60s"}]},
            },
            False,
            id="a cap of something else",
        ),
        pytest.param(
            {
                "tenant": {**CODES, "frequency": False},
                "policy": {"frequency": [{"max": 1, "per": "60s"}]},
            },
            False,
            id="a cap that is switched off",
        ),
        pytest.param({"tenant": CODES, "policy": {"repeats": {"per": "1d"}}}, True, id="repeats"),
        pytest.param(
            {"tenant": CODES, "policy": {"unreachable": {"categories": ["marketing"]}}},
            False,
            id="unreachable numbers spare promotions",
        ),
        pytest.param(
            {"tenant": CODES, "policy": {"consent": {"require": ["US"]}}}, False, id="consent"
        ),
        pytest.param(
            {"tenant": CODES, "policy": {"content": {"max_parts": 2}}}, True, id="content"
        ),
        pytest.param({"tenant": CODES, "carrier": {"bans": ["links"]}}, False, id="bans"),
        pytest.param(
            {"tenant": CODES, "policy": {"destinations": {"watched": ["US"]}}}, True, id="a guard"
        ),
        pytest.param(
            {"tenant": {**CODES, "destinations": {"allowed": ["US"]}}}, True, id="destinations"
        ),
        pytest.param({"tenant": {**CODES, "quota": 5}}, True, id="a quota"),
        pytest.param({"tenant": {**CODES, "templates": "approved"}}, True, id="templates"),
    ],
)
def test_a_tenant_without_any_rule_is_told(read: Read, tables: dict[str, Any], rules: bool) -> None:
    assert bool(told(read(**tables), "tenants[0]: no rule holds for it")) is not rules


@pytest.mark.parametrize(
    ("policy", "never"),
    [
        ({"consent": {"require": ["US"]}}, "policy.consent.require: never applies"),
        ({"consent": {"require": ["*"]}}, ""),
        ({"consent": {"require": ["US", "CN"]}}, ""),
        (
            {"frequency": [{"max": 1, "per": "1d", "regions": ["FR"]}]},
            "policy.frequency[0].regions: never applies, for nothing is sent to FR",
        ),
        ({"content": {"words": LIST}}, "policy.content.words[0].regions: never applies"),
        (
            {"content": {"optout_line": [{"region": "US-TX", "text": "Reply STOP"}]}},
            "policy.content.optout_line[0].region: never applies, for nothing is sent to US-TX",
        ),
    ],
)
def test_a_rule_about_places_that_are_not_texted(
    read: Read, policy: dict[str, Any], never: str
) -> None:
    settings = read(policy={**policy, "destinations": {"allowed": ["CN"]}})
    assert bool(told(settings, ": never applies, for nothing is sent")) is bool(never)
    assert not never or told(settings, never)
    assert not told(read(policy=policy), "never applies")
    some = {**policy, "destinations": {"allowed": ["CN", "US", "33"]}}
    assert not told(read(policy=some), "never applies")


@pytest.mark.parametrize(
    ("text", "region", "keyword"),
    [
        ("STOP", None, True),
        ("help", None, True),
        ("Yes!", None, True),
        ("\u9000\u8ba2", None, True),
        ("R", "CN", True),
        ("R", None, False),
        ("1", "CN", False),
        ("\u4f1a\u5458\u5361", "CN", False),
    ],
)
def test_a_keyword_is_answered_by_no_rule(
    read: Read, text: str, region: str | None, keyword: bool
) -> None:
    own = {} if region is None else {"default_region": region}
    replies = [{"match": ["hours", text], "name": "a", "text": "9 to 5"}]
    settings = read(tenant={"replies": replies, **own})
    assert bool(told(settings, "tenants[0].replies[0].match[1]")) is keyword

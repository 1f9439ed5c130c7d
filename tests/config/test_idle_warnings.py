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


PROMOTIONS = ["marketing"]


@pytest.mark.parametrize(
    ("tables", "key"),
    [
        ({"policy": {"quiet_hours": {"open": "09:00-20:00"}}}, "policy.quiet_hours.categories"),
        (
            {"policy": {"repeats": {"per": "1d", "categories": PROMOTIONS}}},
            "policy.repeats.categories",
        ),
        ({"policy": {"unreachable": {"categories": PROMOTIONS}}}, "policy.unreachable.categories"),
        (
            {"policy": {"content": {"max_parts": 2, "categories": PROMOTIONS}}},
            "policy.content.categories",
        ),
        (
            {"policy": {"content": {"words": [{**LIST[0], "categories": PROMOTIONS}]}}},
            "policy.content.words[0].categories",
        ),
        (
            {"policy": {"content": {"optout_line": [{"region": "US", "text": "Reply STOP"}]}}},
            "policy.content.optout_line[0].category",
        ),
        (
            {"policy": {"destinations": {"allowed": ["US"], "categories": PROMOTIONS}}},
            "policy.destinations.categories",
        ),
        (
            {"tenant": {"destinations": {"blocked": ["FR"], "categories": PROMOTIONS}}},
            "tenants[0].destinations.categories",
        ),
        ({"carrier": {"hours": {"open": "09:00-20:00"}}}, "carriers[0].hours.categories"),
        ({"carrier": {"bans": ["links"]}}, "carriers[0].bans"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_rule_about_what_nobody_sends(read: Read, tables: dict[str, Any], key: str) -> None:
    said = f"{key}: never applies, for "
    senders = {**CODES, **tables.get("tenant", {})}
    [line] = told(read(**{**tables, "tenant": senders}), "never applies")
    assert line.startswith(said)
    assert "may not send marketing" in line or "may send marketing" in line
    assert not told(read(**tables), "never applies")


def test_a_guard_where_nobody_sends_passwords(read: Read) -> None:
    guard = {"destinations": {"watched": ["US"]}}
    promotions = {"category": "marketing", "categories": ["marketing"]}
    assert told(read(policy=guard, tenant=promotions), "policy.destinations.watched: never applies")
    assert not told(read(policy=guard, tenant=CODES), "never applies")


def test_a_rule_that_whoever_sends_it_has_switched_off(read: Read) -> None:
    """Some other tenant may have it on; what counts is who has both."""
    hours = {"quiet_hours": {"open": "09:00-20:00"}}
    settings = read(policy=hours, tenant={"quiet_hours": False})
    assert not told(settings, "policy.quiet_hours.categories: never applies")  # said otherwise


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

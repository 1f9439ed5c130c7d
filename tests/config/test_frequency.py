"""``[[policy.frequency]]`` in a file: what is wrong with it, and what is hardly meant."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from gateway.config import Settings, warnings
from gateway.errors import ConfigError
from gateway.policy.caps import FrequencyCap

Read = Callable[..., Settings]

DAILY = {"category": "marketing", "max": 1, "per": "1d"}


def capped(*caps: dict[str, Any]) -> dict[str, Any]:
    return {"policy": {"frequency": list(caps)}}


def test_caps_are_read(read: Read) -> None:
    settings = read(**capped(DAILY, {"shipped": "CN", "tenants": ["acme"]}))
    assert settings.dispatch.policy.frequency == (
        FrequencyCap(category="marketing", max=1, per="1d"),
        FrequencyCap(shipped="CN", tenants=("acme",)),
    )
    assert settings.dispatch.policies["acme"].frequency
    assert not read(tenant={"frequency": False}).dispatch.policies["acme"].frequency


@pytest.mark.parametrize(
    ("cap", "fault"),
    [
        (DAILY | {"max": 0}, "policy.frequency[0].max: 0 is not between 1 and 1000"),
        (DAILY | {"per": "1w"}, "policy.frequency[0].per: '1w' is no time"),
        (DAILY | {"catgory": "otp"}, "policy.frequency[0].catgory: unknown key; did you mean"),
        (DAILY | {"on_cap": "drop"}, "policy.frequency[0].on_cap: 'drop' is not 'refuse' or"),
        (
            DAILY | {"tenants": ["acne"]},
            "policy.frequency[0].tenants[0]: there is no tenant 'acne'",
        ),
        ({"shipped": "US"}, "policy.frequency[0].shipped: 'US' is not 'CN'"),
    ],
)
def test_what_is_wrong_is_named(read: Read, cap: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(**capped(cap))
    assert any(line.startswith(fault) for line in refused.value.errors), refused.value.errors


def test_what_cannot_be_read_is_not_missing_as_well(read: Read) -> None:
    with pytest.raises(ConfigError) as refused:
        read(**capped(DAILY | {"max": 0}, DAILY | {"per": "1w"}))
    assert len(refused.value.errors) == 2


@pytest.mark.parametrize(
    ("tables", "warning"),
    [
        (
            capped({"max": 1, "per": "7d"}, DAILY | {"category": "marketing", "regions": ["CN"]}),
            "policy.frequency[1]: never applies, for [0] allows no more messages",
        ),
        (
            capped(DAILY | {"campaign": "*"}, DAILY | {"campaign": "spring", "max": 9}),
            "policy.frequency[1]: never applies, for [0] allows no more messages",
        ),
        (
            capped(DAILY, DAILY | {"max": 2, "per": "12h"}),
            "policy.frequency[1]: never applies, for [0] allows no more messages",
        ),
        (
            capped({"category": "otp", "max": 1, "per": "60s"})
            | {"tenant": {"categories": ["marketing"]}},
            "policy.frequency[0].category: none of the tenants that it holds for may send otp",
        ),
        (
            capped(DAILY | {"per": "7d", "on_cap": "defer"}),
            "policy.frequency[0].on_cap: defers for up to 7d, and messages live for 48 hours",
        ),
    ],
)
def test_what_is_hardly_meant_is_told(read: Read, tables: Any, warning: str) -> None:
    lines = warnings.found(read(**tables), date(2026, 11, 26))
    assert any(line.startswith(warning) for line in lines), lines


def test_tenants_that_no_cap_holds_for_are_told(read: Read, tenants: Any) -> None:
    cap = DAILY | {"tenants": ["acme"]}
    lines = warnings.found(read(tenants=tenants({}, {}), **capped(cap)), date(2026, 11, 26))
    assert any(line.startswith("tenants[1].id: bravo is in none of") for line in lines)
    assert not any(line.startswith("tenants[0].id") for line in lines)
    quiet = read(tenants=tenants({}, {"frequency": False}), **capped(cap))
    assert not any("is in none of" in line for line in warnings.found(quiet, date(2026, 11, 26)))

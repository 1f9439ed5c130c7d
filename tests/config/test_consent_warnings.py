"""What ``gateway check`` says of consents that nobody is asked for, and of stops in part."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from gateway.config import Settings, warnings

Read = Callable[..., Settings]

SIGNED = {"policy": {"optout": {"regions": {"CN": {"scope": "signature"}}}}}


def told(settings: Settings) -> list[str]:
    return warnings.found(settings, date(2026, 11, 26))


@pytest.mark.parametrize(
    ("tables", "begin"),
    [
        (
            {"policy": {"consent": {"require": ["US"], "categories": []}}},
            "policy.consent.categories: is empty, so nobody's consent is asked for",
        ),
        (
            {
                "policy": {"consent": {"require": ["US"]}},
                "tenant": {"category": "otp", "categories": ["otp"]},
            },
            "tenants[0].categories: has none of policy.consent.categories",
        ),
        (SIGNED, "tenants[0].signatures: is missing where policy.optout.regions.CN.scope is"),
    ],
)
def test_what_is_hardly_meant_is_told(read: Read, tables: Any, begin: str) -> None:
    assert any(line.startswith(begin) for line in told(read(**tables)))


@pytest.mark.parametrize(
    "tables",
    [
        {"policy": {"consent": {"require": ["US"]}}},
        {"policy": {"consent": {"categories": []}}},
        {**SIGNED, "tenant": {"signatures": [{"text": "海岸百货"}]}},
        {
            "policy": {"consent": {"require": ["US"]}},
            "tenant": {"category": "otp", "categories": ["otp"], "consent": False},
        },
    ],
)
def test_what_is_meant_is_not(read: Read, tables: Any) -> None:
    assert not [line for line in told(read(**tables)) if "consent" in line or "signature" in line]


def test_a_region_that_there_is_not_is_refused(faults: Any) -> None:
    [line] = faults(policy={"consent": {"require": ["Texas"]}})
    assert line.startswith("policy.consent.require[0]: 'Texas' is neither '*' nor an ISO 3166 code")

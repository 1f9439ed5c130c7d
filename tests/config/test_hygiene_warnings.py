"""What ``gateway check`` says of destinations and repeats: the keys are those of the file."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from gateway.config import Settings, warnings
from gateway.errors import ConfigError

Read = Callable[..., Settings]

TODAY = date(2026, 11, 26)
OVER = {"from": "2025-01-01", "to": "2025-01-01"}


@pytest.mark.parametrize(
    ("tables", "begin"),
    [
        (
            {"policy": {"destinations": {"allowed": ["CN"], "blocked": ["UZ"]}}},
            "policy.destinations.blocked[0]: 'UZ' is not allowed in any case",
        ),
        (
            {"tenant": {"destinations": {"kinds": ["fixed"]}}},
            "tenants[0].destinations.kinds: has no 'mobile'",
        ),
        (
            {
                "policy": {"unreachable": {"categories": ["marketing"]}},
                "tenant": {"unreachable": False},
            },
            "policy.unreachable: holds for nobody",
        ),
        (
            {"policy": {"repeats": {"per": "7d"}}, "tenant": {"repeats": False}},
            "policy.repeats.per: holds for nobody",
        ),
        (
            {
                "policy": {
                    "quiet_hours": {"closings": [{"from": "2025-01-01", "to": "2025-01-01"}]}
                },
            },
            "policy.quiet_hours.closings[0]: was over on 2025-01-01",
        ),
        (
            {"policy": {"quiet_hours": {"reopening": 60}}, "tenant": {"quiet_hours": False}},
            "policy.quiet_hours.reopening: holds nothing up",
        ),
    ],
)
def test_what_is_hardly_meant(read: Read, tables: dict[str, Any], begin: str) -> None:
    found = warnings.found(read(**tables), TODAY)
    assert any(line.startswith(begin) for line in found), found


@pytest.mark.parametrize(
    ("tables", "line"),
    [
        (
            {"policy": {"destinations": {"allowed": ["China"]}}},
            "policy.destinations.allowed[0]: 'China' is neither a region as 'CN' nor digits",
        ),
        (
            {"tenant": {"destinations": {"blocked": ["x"]}}},
            "tenants[0].destinations.blocked[0]: 'x' is neither a region as 'CN' nor digits",
        ),
        (
            {"policy": {"destinations": {"kinds": ["landline"]}}},
            "policy.destinations.kinds[0]: 'landline' is not 'mobile', 'fixed'",
        ),
        (
            {"policy": {"unreachable": {"failures": 0}}},
            "policy.unreachable.failures: 0 is not between 1 and 10",
        ),
        (
            {"policy": {"unreachable": {"categories": ["otp"]}}},
            "policy.unreachable.categories: otp is never refused for this",
        ),
        (
            {"policy": {"repeats": {"per": "ever"}}},
            "policy.repeats.per: 'ever' is no time such as '60s'",
        ),
        (
            {"policy": {"quiet_hours": {"closings": [{"from": "2025-01-01"}]}}},
            "policy.quiet_hours.closings[0].to: is missing",
        ),
    ],
)
def test_what_is_wrong(read: Read, tables: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**tables)
    assert any(one.startswith(line) for one in caught.value.errors), caught.value.errors

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
            {"policy": {"destinations": {"allowed": ["4477"], "blocked": ["44"]}}},
            "policy.destinations.allowed[0]: all of '4477' is blocked",
        ),
        (
            {
                "policy": {
                    "destinations": {"allowed": ["4477"], "blocked": ["GB", "GG", "JE", "IM"]}
                }
            },
            "policy.destinations.allowed[0]: all of '4477' is blocked",
        ),
        (
            {
                "policy": {"destinations": {"allowed": ["CN"]}},
                "tenant": {"destinations": {"allowed": ["CN", "FR"]}},
            },
            "tenants[0].destinations.allowed[1]: policy.destinations leaves nothing of 'FR'",
        ),
        (
            {
                "policy": {"destinations": {"blocked": ["FR"]}},
                "tenant": {"destinations": {"allowed": ["FR"]}},
            },
            "tenants[0].destinations.allowed[0]: policy.destinations leaves nothing of 'FR'",
        ),
        (
            {
                "policy": {"destinations": {"allowed": ["CN"]}},
                "tenant": {"destinations": {"allowed": ["4477"]}},
            },
            "tenants[0].destinations.allowed[0]: policy.destinations leaves nothing of '4477'",
        ),
        (
            {"policy": {"pumping": {"least": 7}}},
            "policy.pumping: watches nothing",
        ),
        (
            {
                "policy": {
                    "pumping": {"hold_minutes": 10},
                    "destinations": {"watched": ["UZ"]},
                }
            },
            "policy.pumping.hold_minutes: 10 is not below the 10 minutes",
        ),
        (
            {"policy": {"unreachable": {"permanent_errors": ["001"]}}},
            "policy.unreachable.categories: is empty",
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


@pytest.mark.parametrize(
    ("general", "own"),
    [
        ({"allowed": ["CN"]}, {"allowed": ["8613"]}),
        ({"allowed": ["8613"]}, {"allowed": ["CN"]}),
        ({"allowed": ["86"]}, {"allowed": ["8613"]}),
        ({"allowed": ["GB"]}, {"allowed": ["44"]}),
        ({"blocked": ["4477"]}, {"allowed": ["44", "GB"]}),
        ({}, {"allowed": ["FR"]}),
    ],
)
def test_of_what_a_tenant_may_narrow_nothing_is_said(
    read: Read, general: dict[str, Any], own: dict[str, Any]
) -> None:
    found = warnings.found(
        read(policy={"destinations": general}, tenant={"destinations": own}), TODAY
    )
    assert not [line for line in found if "destinations" in line]

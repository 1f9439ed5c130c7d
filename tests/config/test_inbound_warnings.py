"""What `gateway check` warns of, of texts from phones."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from gateway.config import Settings, warnings


@pytest.mark.parametrize(
    ("tenant", "warned"),
    [
        ({"senders": ["*"]}, True),
        ({"senders": ["ACME", "*"]}, True),
        ({"senders": ["*"], "numbers": []}, True),
        ({"senders": ["*"], "numbers": ["10690001"]}, False),
        ({"senders": ["10690001", "*"]}, False),
        ({"senders": ["ACME"]}, False),
    ],
)
def test_senders_of_any_number_need_numbers_to_be_texted(
    read: Callable[..., Settings], tenant: dict[str, Any], warned: bool
) -> None:
    found = warnings.found(read(tenant=tenant), date(2026, 11, 26))
    lines = [line for line in found if line.startswith("tenants[0].numbers: is missing where ")]
    assert bool(lines) is warned

"""What the tests of the policy share: a way to make messages, and moments written for people."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import pytest

from gateway.message import Message


@pytest.fixture(scope="session")
def make_message() -> Callable[..., Message]:
    """Makes a message to a number, marketing from 10690001, due at once and long-lived unless
    told otherwise."""
    template = Message(
        id=1,
        tenant="acme",
        to="447400123456",
        sender="10690001",
        text="Sale!",
        category="marketing",
        route="default",
        encoding="gsm7",
        parts=1,
        accepted_at=0.0,
        due=0.0,
        expires_at=4e9,
    )

    def make(to: str = template.to, **fields: Any) -> Message:
        return msgspec.structs.replace(template, to=to, **fields)

    return make


@pytest.fixture(scope="session")
def moment() -> Callable[[str], float]:
    """``2026-03-29 08:00+02:00`` as Unix seconds."""
    return lambda text: datetime.fromisoformat(text).timestamp()

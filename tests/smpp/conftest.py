"""What the tests of `gateway.smpp` share."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.smpp.options import BindOptions

MakeOptions = Callable[..., BindOptions]


@pytest.fixture
def make_options() -> MakeOptions:
    """Options of an account, where a test names what it cares about."""

    def make(**changes: Any) -> BindOptions:
        fields: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": 0,
            "system_id": "esme",
            "password": "secret",
            "window": 8,
        }
        return BindOptions(**(fields | changes))

    return make

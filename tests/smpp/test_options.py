import io

import msgspec
import pytest
from rich.console import Console

from gateway.smpp.options import Backoff, BindOptions


def test_the_password_is_not_shown() -> None:
    options = BindOptions(host="smsc.example", port=2775, system_id="esme", password="hunter2")
    pretty = io.StringIO()
    Console(file=pretty).print(options, [options])
    for shown in (repr(options), str([options]), f"{options}", pretty.getvalue()):
        assert "hunter2" not in shown
        assert "smsc.example" in shown


def test_options_are_compared_by_value_and_frozen() -> None:
    options = BindOptions(host="h", port=1)
    assert options == BindOptions(host="h", port=1)
    assert options != BindOptions(host="h", port=1, password="new")
    with pytest.raises(AttributeError):
        options.window = 3  # type: ignore[misc]  # what is tested
    assert msgspec.structs.replace(options, window=3).window == 3


def test_the_wait_grows_to_a_ceiling() -> None:
    backoff = Backoff(initial=1.0, longest=60.0, factor=2.0)
    ceilings = [backoff.ceiling(failures) for failures in (1, 2, 3, 6, 7, 8, 10_000)]
    assert ceilings == [1.0, 2.0, 4.0, 32.0, 60.0, 60.0, 60.0]


def test_a_carrier_that_nobody_hears_is_tried_again_soon() -> None:
    backoff = Backoff(initial=1.0, longest=60.0, factor=2.0, unheard=5.0)
    assert [backoff.ceiling(failures, 5.0) for failures in (1, 2, 3, 4, 10_000)] == [1, 2, 4, 5, 5]

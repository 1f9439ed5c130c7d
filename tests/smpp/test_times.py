import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RemoteProtocolError
from gateway.smpp import times

NOW = datetime(2026, 11, 11, 3, 0, tzinfo=UTC).timestamp()


def test_absolute() -> None:
    assert times.absolute(NOW + 1.25) == "261111030001200+"


@given(st.integers(946_684_800, 4_102_444_799))
def test_absolute_is_parsed_back(at: int) -> None:
    assert times.parse(times.absolute(at), NOW) == at


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("261111050000008+", NOW),  # two hours ahead of UTC
        ("261110190000032-", NOW),  # eight behind
        ("261111030000500+", NOW + 0.5),
        ("000000000130000R", NOW + 90),
        ("000001020304000R", NOW + 86_400 + 2 * 3600 + 3 * 60 + 4),
        ("010100000000000R", NOW + 395 * 86_400),
        ("", None),
    ],
)
def test_parse(text: str, moment: float | None) -> None:
    assert times.parse(text, NOW) == moment


@pytest.mark.parametrize(
    "text", ["0", "2611110300000+", "261311030000000+", "261111030000000Z", "\u0661" * 15 + "+"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError, match="no SMPP time"):
        times.parse(text, NOW)


@given(st.text(st.sampled_from("0123456789+-R"), min_size=16, max_size=16))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    with contextlib.suppress(RemoteProtocolError):
        assert times.parse(text, NOW) is not None


@given(st.floats(-10, 10_000_000))
def test_a_relative_time_never_outlives_what_was_asked_for(seconds: float) -> None:
    text = times.relative(seconds)
    meant = times.parse(text, 0.0)
    assert meant is not None
    assert len(text) == 16
    assert 1 <= meant <= max(1, seconds)
    assert meant > min(seconds, times.MAX_RELATIVE) - 1


def test_a_day_is_not_cut_short() -> None:
    assert times.relative(86_400) == "000001000000000R"
    assert times.relative(3 * 86_400 + 3661) == "000003010101000R"

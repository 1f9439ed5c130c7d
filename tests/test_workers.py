"""Each worker begins with its part of the tests that take long."""

import pytest

from tests.workers import dealt


@pytest.mark.parametrize(
    ("long", "short", "parts"),
    [
        ("ABCD", "efghij", ["ACefg", "BDhij"]),
        ("ABC", "defghi", ["ACdef", "Bghi"]),
        ("ABC", "", ["AC", "B"]),
        ("", "abc", ["ab", "c"]),
    ],
)
def test_two_workers(long: str, short: str, parts: list[str]) -> None:
    assert "".join(dealt(long, short, 2)) == "".join(parts)


@pytest.mark.parametrize("workers", range(1, 9))
@pytest.mark.parametrize("long", range(9))
def test_all_are_dealt_once(long: int, workers: int) -> None:
    assert sorted(dealt(range(long), range(long, 23), workers)) == [*range(23)]

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.spacing import next_free

moments = st.lists(st.integers(0, 60).map(float), max_size=12).map(sorted)


def fits(taken: list[float], at: float, most: int, width: float) -> bool:
    """Whether no ``width`` that holds the new one holds more than ``most``: counted anew from every
    moment that could begin one."""
    row = sorted([*taken, at])
    return all(
        sum(start <= one < start + width for one in row) <= most
        for start in row
        if start <= at < start + width
    )


@pytest.mark.parametrize(
    ("taken", "at", "most", "free"),
    [
        pytest.param([], 5.0, 1, 5.0, id="nobody before"),
        pytest.param([0.0], 5.0, 1, 10.0, id="behind the one before"),
        pytest.param([0.0], 10.0, 1, 10.0, id="a whole width behind is enough"),
        pytest.param([8.0], 5.0, 1, 18.0, id="one that comes later counts as well"),
        pytest.param([0.0, 15.0], 5.0, 1, 25.0, id="the gap between two is too small"),
        pytest.param([0.0, 20.0], 5.0, 1, 10.0, id="the gap between two is just enough"),
        pytest.param([0.0, 4.0], 5.0, 2, 10.0, id="two of two"),
        pytest.param([0.0, 4.0], 5.0, 3, 5.0, id="two of three"),
    ],
)
def test_the_next_moment_that_fits(taken: list[float], at: float, most: int, free: float) -> None:
    assert next_free(taken, at, most, 10.0) == free


@given(moments, st.integers(0, 60), st.integers(1, 4), st.integers(1, 20))
def test_it_is_the_first_that_fits(taken: list[float], at: int, most: int, width: int) -> None:
    free = next_free(taken, float(at), most, float(width))
    assert free >= at
    if not _crowded(taken, most, width):
        assert fits(taken, free, most, width)
        assert not any(fits(taken, float(one), most, width) for one in range(at, int(free)))


def _crowded(taken: list[float], most: int, width: int) -> bool:
    """Whether there are more than allowed already, which no new one can mend."""
    return any(after - before < width for before, after in zip(taken, taken[most:], strict=False))


def test_each_one_that_is_put_where_it_fits_leaves_room_for_the_next() -> None:
    taken: list[float] = []
    for _ in range(20):
        taken.append(next_free(taken, 0.0, 1, 10.0))
    assert all(after - before == 10.0 for before, after in pairwise(taken))

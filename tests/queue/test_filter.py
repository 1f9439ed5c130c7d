"""The filter never says no of what was put in, and seldom perhaps of anything else."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.queue.filter import BYTES, SMALLEST, BitFilter, SlicedFilter

ROOM = SMALLEST // BYTES


@settings(max_examples=20)
@given(st.lists(st.text(max_size=15), max_size=50), st.lists(st.text(max_size=15), max_size=50))
def test_all_that_was_put_in_is_found(one: list[str], other: list[str]) -> None:
    numbers = BitFilter()
    numbers.add(one)
    numbers.add(other)
    assert numbers.maybe(one + other) == {*one, *other}


def test_an_empty_filter_finds_nothing() -> None:
    assert BitFilter().maybe([str(n) for n in range(1_000)]) == set()
    assert BitFilter().maybe([]) == set()


def test_a_full_filter_seldom_asks_in_vain_and_grows() -> None:
    numbers = BitFilter()
    numbers.add([f"44{n:09d}" for n in range(ROOM)])
    others = [f"33{n:09d}" for n in range(50_000)]
    assert len(numbers.maybe(others)) < 50_000 * 0.006
    numbers.add([f"49{n:09d}" for n in range(ROOM)])
    assert len(numbers.maybe(others)) < 50_000 * 0.012
    some = [f"44{n:09d}" for n in range(0, ROOM, 97)] + [f"49{n:09d}" for n in range(0, ROOM, 97)]
    assert numbers.maybe(some) == set(some)


def test_a_layer_is_forgotten_once_all_in_it_is_old() -> None:
    keys = BitFilter()
    old, new = [f"old{n}" for n in range(ROOM - 1)], [f"new{n}" for n in range(9)]
    keys.add(old, age=1)
    keys.add(new, age=2)  # all but the first in the next layer
    keys.forget(1)
    assert keys.maybe(old + new) == {*old, *new}
    keys.forget(2)
    assert len(keys.maybe(old)) < len(old) / 100
    assert keys.maybe(new) >= set(new[1:])


def test_what_comes_again_takes_no_more_room() -> None:
    numbers = BitFilter(20_000)
    nightly = [f"44{n:09d}" for n in range(20_000)]
    numbers.include(nightly)
    size = numbers.size
    for _ in range(30):
        numbers.include(nightly)
    assert numbers.size == size
    assert numbers.maybe(nightly) == set(nightly)
    numbers.include([f"49{n:09d}" for n in range(20_000)])
    assert numbers.maybe([f"49{n:09d}" for n in range(20_000)]) == {
        f"49{n:09d}" for n in range(20_000)
    }


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.text(max_size=15), st.integers(0, SlicedFilter.COLUMNS - 1)), max_size=50)
)
def test_all_sets_that_a_thing_is_in_are_told(put_in: list[tuple[str, int]]) -> None:
    sets = SlicedFilter(100)
    for thing, column in put_in:
        sets.add([thing], column)
    for thing, column in put_in:
        columns = sets.columns(thing)
        assert column in columns
        assert columns == sorted(columns, reverse=True)


def test_full_sets_are_seldom_told_in_vain() -> None:
    sets = SlicedFilter(1_000)
    for column in range(SlicedFilter.COLUMNS):
        sets.add([f"{column}:{n}" for n in range(1_000)], column)
    told = sum(len(sets.columns(f"other {n}")) for n in range(1_000))
    assert told < 1_000 * SlicedFilter.COLUMNS * 0.02

"""The filter never says no of what was put in, and seldom perhaps of anything else."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.queue.filter import BYTES, SMALLEST, BitFilter

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
    keys.add(range(ROOM - 1), age=1)
    keys.add(range(ROOM, ROOM + 9), age=2)  # the last ones in the next layer
    keys.forget(1)
    assert keys.maybe([5, ROOM + 5]) == {5, ROOM + 5}
    keys.forget(2)
    assert 5 not in keys.maybe([5])
    assert keys.maybe([ROOM + 5]) == {ROOM + 5}


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

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dispatch.places import MOVES, PLACES, Place, Places, Where, Wrong
from gateway.errors import LocalProtocolError

STEPS = [(source, target) for source, targets in MOVES.items() for target in sorted(targets)]
"""Every move that the table has."""


def holding(source: Where, *ids: int, **options: Any) -> Places:
    """A registry with messages in one place."""
    places = Places(**options)
    if source in ("lane", "settlement"):
        places.enter(source, ids)
    elif source != "store":
        places.enter("lane", ids)
        for before, after in {
            "release": [("lane", "release")],
            "carrier": [("lane", "release"), ("release", "carrier")],
            "again": [("lane", "release"), ("release", "again")],
            "deferral": [("lane", "deferral")],
        }[source]:
            places.move(before, after, ids)  # type: ignore[arg-type]  # words of the table
    return places


def take(places: Places, source: Where, target: Where, ids: list[int]) -> None:
    """Make one move."""
    if source == "store":
        assert target != "store"
        places.enter(target, ids)
    elif target == "store":
        places.leave(source, ids)
    else:
        places.move(source, target, ids)


# --- the table ---


def test_the_table_has_every_place_with_a_way_in_and_a_way_out() -> None:
    assert set(PLACES) == set(get_args(Place))
    assert MOVES.keys() == {*PLACES, "store"}
    assert set().union(*MOVES.values()) == {*PLACES, "store"}
    for place in PLACES:
        seen: set[Where] = {place}
        for _ in PLACES:
            seen |= {target for where in seen for target in MOVES[where]}
        assert "store" in seen, f"what is in {place} would never leave"


def test_what_carriers_may_have_leaves_only_by_way_of_the_store() -> None:
    # Else a stop could leave it unmarked.
    assert "store" not in MOVES["carrier"] | MOVES["again"]


@pytest.mark.parametrize(("source", "target"), STEPS)
def test_each_move_of_the_table(source: Where, target: Where) -> None:
    places = holding(source, 1, 2, 3)
    take(places, source, target, [1, 3])
    at = None if target == "store" else target
    assert [places.place_of(n) for n in (1, 3)] == [at, at]
    assert places.place_of(2) == (None if source == "store" else source)
    assert places.total == (0 if source == "store" else 1) + (0 if at is None else 2)
    assert places.counts() == {name: len(places.members(name)) for name in PLACES}


@pytest.mark.parametrize(
    ("source", "target"),
    [(a, b) for a in MOVES for b in MOVES if a != b and b not in MOVES[a]],
)
def test_no_other_move_is_made(source: Where, target: Where) -> None:
    with pytest.raises(LocalProtocolError, match=f"{source} -> {target}: no such move"):
        take(holding(source, 1), source, target, [1])


# --- what is not where it was said to be ---


@pytest.mark.parametrize(
    ("were", "source", "target", "ids", "found"),
    [
        ("lane", "release", "carrier", [1], {"lane": 1}),  # a bind is given what nobody took
        ("carrier", "release", "carrier", [1], {"carrier": 1}),  # and what a bind has already
        ("carrier", "lane", "release", [1, 2], {"carrier": 2}),  # it would be sent twice
        ("store", "carrier", "settlement", [1], {"store": 1}),  # an answer to nothing
        ("lane", "lane", "store", [1, 1], {"store": 2}),  # one that stands twice in a batch
        ("store", "store", "lane", [1, 1], {"lane": 2}),
        ("lane", "lane", "release", [1, 9], {"store": 1}),  # one of several
        ("release", "lane", "store", [1], {"release": 1}),
        ("lane", "store", "lane", [1], {"lane": 1}),  # leased twice
    ],
)  # fmt: skip
def test_a_mistake_raises_in_tests_and_is_put_right_elsewhere(
    were: Where, source: Where, target: Where, ids: list[int], found: dict[Where, int]
) -> None:
    with pytest.raises(LocalProtocolError, match="misplaced messages"):
        take(holding(were, 1, 2), source, target, ids)
    wrongs: list[Wrong] = []
    places = holding(were, 1, 2, on_wrong=wrongs.append)
    take(places, source, target, ids)
    at = None if target == "store" else target
    assert {places.place_of(n) for n in ids} == {at}
    members = [n for name in PLACES for n in places.members(name)]
    assert len(members) == len(set(members)), "each is in one place"
    [wrong] = wrongs
    assert wrong == Wrong(source, target, found)
    assert sum(places.counts().values()) == places.total == len(members)


def test_messages_are_put_from_wherever_they_may_come() -> None:
    places = holding("lane", 1, 2, 3, 4)
    places.move("lane", "release", [2, 3])
    places.move("release", "carrier", [3])
    places.put("settlement", [1, 2, 3])
    assert places.members("settlement") == {1, 2, 3}
    places.put("settlement", [3])  # an attempt that was cut off is made again
    assert places.members("lane") == {4}
    assert {place: n for place, n in places.counts().items() if n} == {"lane": 1, "settlement": 3}
    with pytest.raises(LocalProtocolError, match="anywhere -> settlement: 1 in store"):
        places.put("settlement", [4, 5])
    places = holding("settlement", 1)
    with pytest.raises(LocalProtocolError, match="-> deferral: 1 in settlement"):
        places.put("deferral", [1])


def test_what_is_wanted_is_so_until_it_enters_a_place() -> None:
    places = holding("lane", 1)
    assert places.missing([1, 2, 3]) == {2, 3}
    places.wanted |= {2, 3}
    places.enter("lane", [3])
    assert places.wanted == {2}


def test_at_a_stop_nothing_is_left_and_what_carriers_may_have_is_told() -> None:
    places = holding("lane", 1, 2, 3, 4)
    places.move("lane", "release", [2, 3, 4])
    places.move("release", "carrier", [3])
    places.move("release", "again", [4])
    assert places.leave_at_stop() == {3, 4}
    assert places.total == 0


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sets(st.integers(0, 9), min_size=1))))
def test_whatever_is_said_each_message_is_in_one_place_at_most(
    steps: list[tuple[tuple[Where, Where], set[int]]],
) -> None:
    wrongs: list[Wrong] = []
    places = Places(wrongs.append)
    where: dict[int, Where] = dict.fromkeys(range(10), "store")
    for (source, target), ids in steps:
        right = all(where[number] == source for number in ids)
        before = len(wrongs)
        take(places, source, target, sorted(ids))
        where |= dict.fromkeys(ids, target)
        assert (len(wrongs) == before) == right
    assert {n: places.place_of(n) or "store" for n in range(10)} == where
    assert places.total == sum(place != "store" for place in where.values())

"""The numbers of long messages."""

from collections.abc import Callable

import pytest

from gateway.dispatch.release import references as module
from gateway.dispatch.release.references import References


def test_a_phone_sees_each_reference_once_in_65536_long_messages() -> None:
    references = References(65_530)
    taken = [references.take("447400123456") for _ in range(65_536)]
    assert len(set(taken)) == 65_536
    assert all(0 <= reference <= 0xFFFF for reference in taken)
    assert references.take("447400123456") == taken[0]


def test_other_phones_do_not_use_up_a_phone_s_references() -> None:
    references = References(0)
    first = references.take("1")
    for number in range(2, 100):
        references.take(str(number))
    assert references.take("1") == first + 1


def test_the_recipients_remembered_are_bounded(
    monkeypatch: pytest.MonkeyPatch, weigh: Callable[[object], int]
) -> None:
    monkeypatch.setattr(module, "RECIPIENTS", 10)
    references = References(0)
    empty = weigh(references)
    for number in range(1_000):
        references.take(str(number))
    assert weigh(references) - empty <= 10 * 300


def test_several_nodes_give_a_phone_different_references() -> None:
    """Whatever each has begun with, and however many it gives."""
    seen: set[int] = set()
    for node in range(3):
        references = References(77, node, 3)
        mine = {references.take("1") for _ in range(40_000)}
        assert len(mine) == 65_536 // 3
        assert max(mine) < 65_536
        assert seen.isdisjoint(mine)
        seen |= mine


@pytest.mark.parametrize("nodes", [2, 3, 64])
def test_and_those_of_8_bits(nodes: int) -> None:
    seen: set[int | None] = set()
    for node in range(nodes):
        references = References(5, node, nodes)
        mine = [references.take_short("1", 9.0, 0.0) for _ in range(256 // nodes)]
        assert references.take_short("1", 9.0, 0.0) is None
        assert all(one is not None and one < 256 for one in mine)
        assert len(set(mine)) == len(mine)
        assert seen.isdisjoint(mine)
        seen.update(mine)


# --- of 8 bits ---


def test_an_8_bit_reference_is_not_used_again_while_it_is_open() -> None:
    references = References(200)
    taken = [references.take_short("1", 100.0 + number, 0.0) for number in range(256)]
    assert sorted(one for one in taken if one is not None) == [*range(256)]
    assert references.take_short("1", 900.0, 0.0) is None
    assert references.take_short("1", 900.0, 99.9) is None
    assert references.take_short("1", 900.0, 100.0) == taken[0]
    assert references.take_short("1", 900.0, 100.0) is None
    assert references.take_short("2", 900.0, 100.0) is not None
    assert references.take_short("1", 900.0, 400.0) == taken[1]


def test_the_next_one_waits_for_one_that_stays_open() -> None:
    references = References(0)
    first = references.take_short("1", 1_000.0, 0.0)
    taken = {references.take_short("1", 1.0, 0.0) for _ in range(255)}
    assert first not in taken
    # All but the first one are free by now, but that one is next.
    assert references.take_short("1", 1_000.0, 10.0) is None


def test_recipients_without_an_open_8_bit_reference_are_forgotten(
    weigh: Callable[[object], int],
) -> None:
    references = References(0)
    empty = weigh(references)
    for number in range(1_000):
        references.take_short(str(number), number + 5.0, float(number))
    assert weigh(references) - empty <= 10 * 500


def test_the_recipients_with_open_8_bit_references_are_bounded(
    monkeypatch: pytest.MonkeyPatch, weigh: Callable[[object], int]
) -> None:
    monkeypatch.setattr(module, "RECIPIENTS", 10)
    references = References(0)
    empty = weigh(references)
    for number in range(1_000):
        references.take_short(str(number), 1e9, 0.0)
    assert weigh(references) - empty <= 10 * 600

"""The numbers of long messages."""

from collections.abc import Callable

import pytest

from gateway.dispatch import references as module
from gateway.dispatch.references import References


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

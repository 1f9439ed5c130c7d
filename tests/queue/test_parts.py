"""`gateway.queue.parts`: what receipts say of the parts of a message."""

import pytest

from gateway.queue.parts import NOT_OWED, SHARED, complete, fill


@pytest.mark.parametrize(
    ("states", "part", "first", "after"),
    [
        (b"\0\0", 1, True, b"\0\5"),
        (b"\0\2", 1, False, b"\0\2"),
        (bytes((SHARED, 0)), 1, True, bytes((SHARED, 5))),
        (bytes((SHARED, SHARED, 2)), 2, True, bytes((5, SHARED, 2))),
        (bytes((NOT_OWED, 0)), 0, False, bytes((NOT_OWED, 0))),
    ],
)
def test_a_receipt_is_for_its_part_or_the_next_that_shares_its_id(
    states: bytes, part: int, first: bool, after: bytes
) -> None:
    known = bytearray(states)
    assert fill(known, part, 5) is first
    assert known == after


@pytest.mark.parametrize(
    ("states", "is_complete"),
    [
        (b"\2\5", True),
        (b"\2\0", False),
        (bytes((2, NOT_OWED)), True),
        (bytes((2, SHARED)), False),
    ],
)
def test_a_message_is_complete_when_no_part_is_awaited(states: bytes, is_complete: bool) -> None:
    assert complete(states) is is_complete

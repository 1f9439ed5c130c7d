from collections.abc import Callable

import pytest

from gateway.facts import Facts
from gateway.message import Message
from gateway.policy.limits import QueueLimit
from gateway.policy.rules import Refuse


@pytest.mark.parametrize(
    ("queued", "refused"),
    [(0, []), (95, []), (97, [3, 4]), (100, [0, 1, 2, 3, 4]), (250, [0, 1, 2, 3, 4])],
)
def test_the_tail_that_does_not_fit_is_refused(
    make_message: Callable[..., Message], queued: int, refused: list[int]
) -> None:
    verdicts = QueueLimit(100).judge([make_message()] * 5, Facts(queued=queued), 0.0)
    assert list(verdicts) == refused
    for verdict in verdicts.values():
        assert isinstance(verdict, Refuse)
        assert verdict.code == "queue_full"
        assert "100" in verdict.why

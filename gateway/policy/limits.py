"""How much a tenant may have waiting. How fast it goes out is the scheduler's business."""

from collections.abc import Sequence

from gateway.facts import NOTHING, Facts
from gateway.message import Message
from gateway.policy.rules import Refuse, Verdicts


class QueueLimit:
    """Refuses, as `queue_full`, the last messages of a batch that would leave the tenant with more
    than ``max_queued`` messages without an outcome."""

    name = "queue_limit"
    wants = NOTHING

    def __init__(self, max_queued: int) -> None:
        self._max_queued = max_queued
        why = f"{max_queued} messages, the most that may wait, are waiting"
        self._refuse = Refuse(self.name, "queue_full", why)

    def judge(
        self,
        messages: Sequence[Message],
        facts: Facts,
        now: float,
    ) -> Verdicts:
        room = max(0, self._max_queued - facts.queued)
        return dict.fromkeys(range(room, len(messages)), self._refuse)

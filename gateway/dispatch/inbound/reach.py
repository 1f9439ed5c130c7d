"""Which phones texts reach, as outcomes and texts from phones tell: handed to the store with them.

Nothing is looked at of tenants that do not ask for it (`gateway.policy.unreachable`).
"""

from collections.abc import Mapping

from gateway.message import URGENT
from gateway.policy.unreachable import Unreachable
from gateway.queue.failing import Strike
from gateway.queue.store import Settlement


class Reach:
    """Adds to settlements what they teach."""

    def __init__(self) -> None:
        self._rules: Mapping[str, Unreachable] = {}

    def configure(self, rules: Mapping[str, Unreachable]) -> None:
        """Heed the outcomes of these tenants from now on."""
        self._rules = rules

    def learn(self, settlement: Settlement) -> None:
        """Note the failures among outcomes. A one-time password that has arrived says that a phone
        is there: nothing else is sent to one that is unreachable."""
        rules = self._rules
        if not rules:
            return
        for final in settlement.finals:
            message, event = final.message, final.event
            rule = rules.get(message.tenant)
            if rule is None:
                continue
            if event.type == "delivered":
                if message.category == URGENT:
                    settlement.heard.append((message.tenant, message.to))
            elif lesson := rule.lesson(event):
                settlement.strikes.append(
                    Strike(
                        message.tenant,
                        message.to,
                        event.at,
                        lesson.count,
                        lesson.within,
                        lesson.keep,
                    )
                )

    def heard(self, tenant: str, phone: str, settlement: Settlement) -> None:
        """A phone has texted a tenant."""
        if tenant in self._rules:
            settlement.heard.append((tenant, phone))

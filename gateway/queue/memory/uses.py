"""Which messages count against frequency caps, by the phone."""

from collections.abc import Mapping, Sequence

from gateway.facts import Use
from gateway.message import Message
from gateway.numbers import canonical
from gateway.queue.memory.schema import Tables


class Uses(Tables):
    """What counts, until it is over."""

    def _uses_of(self, tenant: str, numbers: Sequence[str]) -> Mapping[str, Sequence[Use]]:
        phones = set(map(canonical, numbers))
        return {
            phone: [use for use, _ in self._uses[tenant, phone].values()]
            for phone in phones
            if (tenant, phone) in self._uses
        }

    def _spend(self, message: Message, sent_at: float | None) -> None:
        """A message counts as sent from now on, or no more, unless it was sent before."""
        key = message.tenant, canonical(message.to)
        of_phone = self._uses.get(key, {})
        for mark, _ in message.counted:
            use, keep = of_phone.get((message.id, mark), (None, 0))
            if use is None or use.sent:
                continue
            del of_phone[message.id, mark]
            if sent_at is not None:
                of_phone[message.id, mark] = use._replace(at=sent_at, sent=True), keep
        if not of_phone:
            self._uses.pop(key, None)

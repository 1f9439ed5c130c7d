"""What tenants have spent (`gateway.queue.accounts`)."""

from gateway.message import Message
from gateway.queue.memory.schema import Tables


class Accounts(Tables):
    """The sums of accounts."""

    def _spent_by(self, tenant: str) -> dict[str, int]:
        return {name: sum_ for (owner, name), sum_ in self._accounts.items() if owner == tenant}

    def _pay(self, message: Message, carrier: str | None) -> None:
        """A carrier takes a message: it is charged with what that one costs."""
        charged = self._charges.get(message.id, {})
        for one in message.charges:
            if carrier is not None and one.account in charged:
                cost = one.at(carrier)
                self._accounts[message.tenant, one.account] += cost - charged[one.account]
                charged[one.account] = cost

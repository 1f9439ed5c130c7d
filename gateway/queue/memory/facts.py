"""What rules want to know of a batch: see `gateway.queue.store.Store.facts`."""

from collections.abc import Sequence

from gateway.errors import StoreError
from gateway.facts import Facts, Wants
from gateway.numbers import canonical
from gateway.queue.consents import allowed, withdrawn
from gateway.queue.failing import Failing
from gateway.queue.memory.accounts import Accounts
from gateway.queue.memory.consents import Consents
from gateway.queue.memory.optouts import Optouts
from gateway.queue.memory.uses import Uses


class TellsFacts(Accounts, Consents, Optouts, Uses):
    """Answers the rules."""

    async def facts(self, tenant: str, numbers: Sequence[str], wants: Wants) -> Facts:
        if not self._is_open:
            raise StoreError("memory: the store is not open")
        return Facts(
            opted_out=self._opted_out(tenant, numbers) if "optouts" in wants else set(),
            withdrawn=self._by(withdrawn, tenant, numbers) if "withdrawals" in wants else {},
            consents=self._by(allowed, tenant, numbers) if "consents" in wants else {},
            uses=self._uses_of(tenant, numbers) if "uses" in wants else {},
            unreachable=self._silent(tenant, numbers) if "unreachable" in wants else {},
            spent=self._spent_by(tenant) if "spent" in wants else {},
        )

    def _silent(self, tenant: str, numbers: Sequence[str]) -> dict[str, float]:
        found = {n: self._failing.get((tenant, canonical(n)), Failing()) for n in numbers}
        return {number: one.until for number, one in found.items() if one.until}

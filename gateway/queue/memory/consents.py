"""The records of consents, by phone, in the order in which they came in."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from gateway.numbers import canonical
from gateway.queue.consents import RECORDS, Consent, is_new
from gateway.queue.memory.schema import Tables


class Consents(Tables):
    """What phones allow."""

    async def consent(self, changes: Sequence[Consent]) -> list[bool]:
        await self._change()
        return self._change_consents(changes)

    def _change_consents(self, changes: Sequence[Consent]) -> list[bool]:
        new = []
        for change in changes:
            number = canonical(change.number)
            records = self._consents.setdefault((change.tenant, number), [])
            new.append(is_new(records, change))
            if new[-1]:
                records.append(change._replace(number=number))
                del records[:-RECORDS]
        return new

    async def consents(
        self, tenant: str, numbers: Sequence[str]
    ) -> Mapping[str, Sequence[Consent]]:
        await self._enter()
        found = {n: [*self._consents.get((tenant, canonical(n)), ())] for n in numbers}
        return {number: records for number, records in found.items() if records}

    async def consent_list(self, tenant: str, after: str, limit: int) -> Sequence[Consent]:
        await self._enter()
        wanted = sorted(n for of, n in self._consents if of == tenant and n > after)[:limit]
        return [one for n in wanted for one in self._consents[tenant, n]]

    def _by(
        self,
        tell: Callable[[Iterable[Consent]], frozenset[str]],
        tenant: str,
        numbers: Sequence[str],
    ) -> dict[str, frozenset[str]]:
        """Purposes that the records of phones tell, those of phones with any."""
        found = {n: tell(self._consents.get((tenant, canonical(n)), ())) for n in numbers}
        return {number: purposes for number, purposes in found.items() if purposes}

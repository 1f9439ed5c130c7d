"""Imports, and what is staged of them."""

from collections.abc import Sequence

from gateway.queue.consents import Consent
from gateway.queue.memory.consents import Consents
from gateway.queue.memory.optouts import Optouts
from gateway.queue.store import IMPORT_KEPT, Import, OptoutChange, Staged


class Imports(Consents, Optouts):
    """Changes that hold all or not at all."""

    async def stage(self, staged: Staged, now: float) -> Import:
        await self._change()
        known, _ = self._imports.get(staged[:2], (Import(0, 0, 0, None), now))
        if known.marked is None and staged[:3] not in self._staged:
            known = Import(known.size + staged.size, known.rest + staged.size, 0, None)
            self._imports[staged[:2]] = known, now
            self._staged[staged[:3]] = staged
        return known

    async def apply(self, tenant: str, name: str, size: int, now: float) -> Import | None:
        await self._change()
        if (tenant, name) not in self._imports:
            return None
        known, at = self._imports[tenant, name]
        if known.size == size and known.marked is None:
            known, at = known._replace(marked=now), now
        self._imports[tenant, name] = known, at
        return known

    async def imported(self, tenant: str, name: str) -> Import | None:
        await self._enter()
        known, _ = self._imports.get((tenant, name), (None, 0.0))
        return known

    async def next_staged(self) -> Staged | None:
        await self._enter()
        marked = {
            key: one.marked for key, (one, _) in self._imports.items() if one.marked is not None
        }
        waiting = [(marked[key[:2]], key) for key in self._staged if key[:2] in marked]
        return self._staged[min(waiting)[1]] if waiting else None

    async def carry_out(
        self, staged: Staged, optouts: Sequence[OptoutChange], consents: Sequence[Consent]
    ) -> list[bool] | None:
        await self._change()
        if self._staged.pop(staged[:3], None) is None:
            return None
        changed = self._change_optouts(optouts, dated=True) + self._change_consents(consents)
        known, _ = self._imports[staged[:2]]
        rest, done = known.rest - staged.size, known.changed + sum(changed)
        self._imports[staged[:2]] = known._replace(rest=rest, changed=done), self._clock()
        return changed

    def _forget_imports(self) -> int:
        """Forget those that nobody has applied, or that are done."""
        before = self._clock() - IMPORT_KEPT
        old = [
            key
            for key, (one, at) in self._imports.items()
            if at < before and (one.marked is None or not one.rest)
        ]
        for key in old:
            del self._imports[key]
        self._staged = {key: one for key, one in self._staged.items() if key[:2] in self._imports}
        return len(old)

"""Opt-outs, under the one number of each phone."""

from collections.abc import Mapping, Sequence

from gateway.numbers import canonical
from gateway.queue.memory.schema import Tables
from gateway.queue.store import GLOBAL, LIFTS, OptoutChange, OptoutEntry


class Optouts(Tables):
    """Who wants nothing."""

    async def optout(self, changes: Sequence[OptoutChange]) -> list[bool]:
        await self._change()
        return self._change_optouts(changes)

    def _change_optouts(
        self, changes: Sequence[OptoutChange], *, dated: bool = False
    ) -> list[bool]:
        """``dated``: only what was added until then is taken back."""
        changed = []
        for scope, written, out, source, at, message, text in changes:
            number = canonical(written)
            entries = self._optouts.setdefault((scope, number), {})
            before = len(entries)
            if out:
                entries.setdefault(source, OptoutEntry(scope, number, source, at, message, text))
            else:
                for lifted in LIFTS[source]:
                    if lifted in entries and not (dated and entries[lifted].at > at):
                        del entries[lifted]
            changed.append(len(entries) != before)
            if not entries:
                del self._optouts[scope, number]
        return changed

    async def optout_entries(
        self, tenant: str, numbers: Sequence[str]
    ) -> Mapping[str, Sequence[OptoutEntry]]:
        await self._enter()
        found = {
            number: [
                entry
                for scope in (tenant, GLOBAL)
                for entry in self._optouts.get((scope, canonical(number)), {}).values()
            ]
            for number in numbers
        }
        return {number: entries for number, entries in found.items() if entries}

    async def optout_list(self, tenant: str, after: str, limit: int) -> Sequence[OptoutEntry]:
        await self._enter()
        wanted = sorted(n for scope, n in self._optouts if scope == tenant and n > after)[:limit]
        return [entry for n in wanted for entry in self._optouts[tenant, n].values()]

    def _opted_out(self, tenant: str, numbers: Sequence[str]) -> set[str]:
        return {
            number
            for number in numbers
            if (tenant, phone := canonical(number)) in self._optouts
            or (GLOBAL, phone) in self._optouts
        }

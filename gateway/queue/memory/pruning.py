"""What is forgotten with time."""

from gateway.queue.memory.imports import Imports
from gateway.queue.memory.schema import forget
from gateway.queue.tallies import HOUR, KEPT


class Pruning(Imports):
    """Forgets what is old."""

    async def prune(self, before: float, limit: int) -> int:
        await self._change()
        gone = 0
        for told in self._told.values():
            while told and told[0].event.at < before and gone < limit:
                del told[0]
                gone += 1
        gone += forget(self._consumers, lambda one: one.seen < before, limit - gone)
        gone += forget(
            self._keys,
            lambda known: known[1] < before and known[0].message not in self._rows,
            limit - gone,
        )
        gone += forget(
            self._parts,
            lambda part: part[2] < before and part[0] not in self._rows,
            limit - gone,
        )
        old = [one for one in self._refused if one.at < before][: max(0, limit - gone)]
        self._refused = [one for one in self._refused if one not in old]
        gone += len(old)
        now = self._clock()
        for key, of_phone in list(self._uses.items()):
            kept = [(name, use, keep) for name, (use, keep) in of_phone.items() if use.sent]
            over = [name for name, use, keep in kept if use.at + keep < now]
            gone += len(over)
            for name in over:
                del of_phone[name]
            if not of_phone:
                del self._uses[key]
        now = self._clock()
        gone += forget(self._failing, lambda one: one.expires < now, limit - gone)
        for hour in [one for one in self._tallies if one < self._clock() // HOUR - KEPT]:
            del self._tallies[hour]
        return gone + self._forget_imports()

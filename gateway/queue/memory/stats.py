"""What is counted, by the hour (`gateway.queue.tallies`)."""

from collections import Counter
from collections.abc import Mapping, Sequence

from gateway.queue.memory.schema import Tables
from gateway.queue.operators import Counted, HourCount
from gateway.queue.tallies import HOUR, SPAN, Key, Stat, Stats, add


class Counts(Tables):
    """The counts."""

    def _count(self, counts: Mapping[Key, int]) -> None:
        if counts:
            add(self._tallies.setdefault(int(self._clock() // HOUR), {}), counts)

    async def stats(
        self, tenant: str, campaign: str | None, start: int, stop: int, limit: int
    ) -> Stats:
        await self._enter()
        rows: list[Stat] = []
        hours = sorted(hour for hour in self._tallies if start <= hour < stop)
        for hour in hours:
            of_hour = [
                Stat(hour, name, variant, carrier, code, number)
                for (owner, name, variant, carrier, code), number in self._tallies[hour].items()
                if owner == tenant and campaign in (None, name)
            ]
            if rows and (len(rows) + len(of_hour) > limit or hour >= hours[0] + SPAN):
                return Stats(rows, hour)
            rows += of_hour
        return Stats(rows, None)

    async def campaigns(self, tenant: str | None, since: int, limit: int) -> Sequence[Counted]:
        await self._enter()
        found: dict[tuple[str, str, str], list[int]] = {}
        for hour, counts in sorted(self._tallies.items()):
            for (owner, campaign, _, _, code), number in counts.items():
                if campaign and hour >= since and tenant in (None, owner):
                    one = found.setdefault((owner, campaign, code), [0, hour, hour])
                    one[0] += number
                    one[2] = hour
        newest = list(dict.fromkeys(key[:2] for key in reversed(found)))[:limit]
        return [Counted(*key, *one) for key, one in found.items() if key[:2] in newest]

    async def counted_in(self, hour: int) -> Sequence[HourCount]:
        await self._enter()
        found: Counter[tuple[str, str]] = Counter()
        for (_, _, _, carrier, code), number in self._tallies.get(hour, {}).items():
            found[carrier, code] += number
        return [HourCount(*key, number) for key, number in found.items()]

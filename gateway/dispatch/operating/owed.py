"""How many messages each carrier owes receipts for: counted by the store, carrier by carrier, as
often as that is cheap."""

import time
from typing import Final

from gateway.ops.views import OWED
from gateway.queue.operators import OperatorStore

FRESH: Final = 2.0
"""Seconds for which a count stands."""

DUTY: Final = 50.0
"""How many times as long as the counting took nothing is counted anew: 2 % of the store's
reader."""

AT_ONCE: Final = 0.1
"""Seconds that one look may spend."""


class Owed:
    """The counts, as of a moment ago; one asks for all who want to know."""

    def __init__(self, store: OperatorStore) -> None:
        self._store = store
        self._counts: dict[str, tuple[int, float]] = {}
        self._asking = False
        self._stale_at = 0.0

    def of(self, carrier: str) -> int | None:
        """What a carrier owes; None where nobody has looked."""
        known = self._counts.get(carrier)
        return None if known is None else known[0]

    async def look(self, carriers: list[str]) -> None:
        """Count for those of whom it is longest ago."""
        began = time.monotonic()
        if self._asking or began < self._stale_at:
            return
        self._asking = True
        try:
            known = self._counts = {n: one for n, one in self._counts.items() if n in carriers}
            for name in sorted(carriers, key=lambda one: known[one][1] if one in known else 0.0):
                at = time.monotonic()
                if (name in known and at < known[name][1] + FRESH) or at >= began + AT_ONCE:
                    break
                known[name] = (await self._store.owed_about(name, OWED), at)
        finally:
            ended = time.monotonic()
            self._stale_at = ended + DUTY * (ended - began)
            self._asking = False

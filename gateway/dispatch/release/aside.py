"""What is counted for ``stats`` outside of any transaction, until the next settlement takes it
along: what was refused, and what rules put off. A crash loses a second of it at most
(`gateway.dispatch.upkeep`); what is accepted, sent and ended is counted where it is made durable.
"""

from typing import Final

from gateway.message import NAME_MAX, VARIANT_MAX
from gateway.queue.tallies import Key

MOST: Final = 10_000
"""Counts that wait at most, some 3 MB: beyond these, campaigns are not told apart."""


class Aside:
    """Counts that wait for a settlement."""

    def __init__(self) -> None:
        self._counts: dict[Key, int] = {}

    def __bool__(self) -> bool:
        return bool(self._counts)

    def note(
        self, tenant: str, campaign: str | None, variant: str | None, code: str, count: int = 1
    ) -> None:
        """Count something. Names that no message can have are none."""
        if campaign is not None and not 0 < len(campaign) <= NAME_MAX:
            campaign = None
        if variant is not None and not 0 < len(variant) <= VARIANT_MAX:
            variant = None
        key = (tenant, campaign, variant, "", code)
        if key not in self._counts and len(self._counts) >= MOST:
            key = (tenant, None, None, "", code)
        self._counts[key] = self._counts.get(key, 0) + count

    def take(self) -> dict[Key, int]:
        """All that was counted since the last time."""
        counts, self._counts = self._counts, {}
        return counts

"""All that is known when the demo is over, and whether what was promised was kept."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from examples.metrics import Metrics
from examples.tally import Audit, Tally

DEFERRED: Final = "deferred"


class Result(NamedTuple):
    """Everything known in the end.

    Attributes:
        states: where the gateway says that messages without an outcome are, by id.
        again: messages submitted a second time, ``recognised`` those told to be duplicates.
        cancelled: messages that the shop has cancelled.
        accepting: seconds until all messages were answered.
        took: seconds until the last outcome.
    """

    tally: Tally
    states: Mapping[str, str]
    again: int
    recognised: int
    cancelled: int
    accepting: float
    took: float
    metrics: Metrics
    audit: Audit

    @property
    def checks(self) -> Sequence[tuple[bool, str]]:
        """What is promised: whether it was kept, and what there is to show for it."""
        tally, audit = self.tally, self.audit
        accepted = len(tally.accepted)
        outcomes = accepted - len(tally.waiting())
        deferred = sum(state == DEFERRED for state in self.states.values())
        announced = "all of them announced" if not audit.untold else f"{audit.untold:,} unannounced"
        twice = (
            f"{audit.twice:,} of {audit.parts:,} parts were taken twice when alpha dropped "
            f"connections, {announced}"
        )
        optouts = (
            f"{len(tally.optouts):,} phones opted out of {len(tally.asked):,} that asked to, "
            f"and {tally.replies['delivered']:,} have got their confirmation"
        )
        return (
            (
                accepted == outcomes + deferred,
                f"{accepted:,} accepted = {outcomes:,} outcomes + {deferred:,} still deferred",
            ),
            (not tally.repeated, f"{tally.repeated:,} messages with a second outcome"),
            (
                self.again == self.recognised,
                f"{self.recognised:,} of {self.again:,} recognised that were submitted again",
            ),
            (not audit.untold, twice),
            (not audit.opted_out, f"{audit.opted_out:,} went to who had opted out"),
            (tally.asked == tally.optouts, optouts),
            (not audit.asleep, f"{audit.asleep:,} of the sale went to where it is night"),
        )

"""What the demo prints before and after: the campaign, and the tables of what became of it."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from examples.campaign import SENDER, Campaign
from examples.metrics import Metrics
from examples.tally import Audit, Tally
from gateway.message import CATEGORIES

OUTCOMES: Final = ("delivered", "failed", "expired", "unknown", "cancelled", "blocked")
DEFERRED: Final = "deferred"


class Result(NamedTuple):
    """Everything known in the end.

    Attributes:
        states: where the gateway says that messages without an outcome are, by id.
        duplicates: messages submitted again that were recognised.
        accepting: seconds until all messages were answered.
        took: seconds until the last outcome.
    """

    tally: Tally
    states: Mapping[str, str]
    duplicates: int
    accepting: float
    took: float
    metrics: Metrics
    audit: Audit

    @property
    def deferred(self) -> int:
        """Messages that have no outcome because their time has not come."""
        return sum(state == DEFERRED for state in self.states.values())

    @property
    def outcomes(self) -> int:
        """Messages that have their outcome."""
        return len(self.tally.accepted) - len(self.tally.waiting)

    @property
    def checks(self) -> Sequence[tuple[bool, str]]:
        """What was promised, and whether it was kept."""
        tally, audit = self.tally, self.audit
        accepted = len(tally.accepted)
        return (
            (
                accepted == self.outcomes + self.deferred and not tally.repeated,
                f"{accepted:,} accepted = {self.outcomes:,} with an outcome, none with two, "
                f"+ {self.deferred:,} still deferred",
            ),
            ...
        )

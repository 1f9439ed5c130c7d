"""The books of the demo of several nodes: which of them did what, and whether that comes to what
the shop was told and what the carriers took."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from examples.metrics import Metrics
from examples.nodes.cluster import BINDS, WINDOW
from examples.tally import Audit, Tally

LEASE: Final = 10.0
"""Seconds for which a node that says nothing keeps what it has (`docs/store.md`)."""

DOUBTFUL: Final = 2 * BINDS * WINDOW + 1_000
"""Parts that may go out twice when a node dies: the windows of its binds, all of them at worst, and
what waits for a commit (`docs/reliability.md`)."""


class Done(NamedTuple):
    """What a node says that it has done: parts that carriers took, and outcomes."""

    parts: int = 0
    outcomes: int = 0

    @classmethod
    def of(cls, metrics: Metrics) -> "Done":
        """Read it from a node's metrics."""
        return cls(
            parts=int(metrics.total("parts_submitted_total", status="ESME_ROK")),
            outcomes=int(metrics.total("messages_final_total")),
        )


class Death(NamedTuple):
    """A node that was killed.

    Attributes:
        at: when, in seconds since the start.
        phones: the part of all phones that was its.
        took: seconds until these were the others'.
    """

    name: str
    at: float
    phones: float
    took: float


class Books(NamedTuple):
    """Everything known in the end.

    Attributes:
        submitted: messages, each once.
        answered: how many of these each node has answered.
        again: messages whose answer the dead node did not live to give, ``known`` those of them
            that it had stored.
        done: what each node has done; of the dead one, just before its death.
        phones: the part of all phones that each sends to in the end.
        gaps: events that did not have the number that was up.
        took: seconds until the last outcome.
    """

    submitted: int
    tally: Tally
    audit: Audit
    answered: Mapping[str, int]
    again: int
    known: int
    done: Mapping[str, Done]
    phones: Mapping[str, float]
    death: Death
    gaps: int
    took: float

    @property
    def outcomes(self) -> Counter[str]:
        """How many messages ended how."""
        return Counter(self.tally.outcomes.values())

    @property
    def unseen(self) -> Done:
        """What the dead node did, or was in doubt, after it was looked at last."""
        return Done(
            self.audit.parts - sum(one.parts for one in self.done.values()),
            len(self.tally.outcomes) - sum(one.outcomes for one in self.done.values()),
        )

    @property
    def checks(self) -> Sequence[tuple[bool, str]]:
        """What is promised: whether it was kept, and what there is to show for it."""
        tally, audit, death = self.tally, self.audit, self.death
        accepted, outcomes = len(tally.accepted), len(tally.outcomes)
        parts, ended = self.unseen
        whose = f"of {death.name} after its last look"
        sent = sum(one.parts for one in self.done.values())
        told = sum(one.outcomes for one in self.done.values())
        by = ", ".join(f"{count:,} by {name}" for name, count in self.answered.items())
        announced = "all of them announced" if not audit.untold else f"{audit.untold:,} unannounced"
        texts = (
            f"{self.submitted:,} submitted = {accepted:,} accepted: {by}",
            f"{accepted:,} accepted = {outcomes:,} with an outcome",
            f"{tally.repeated:,} messages with a second outcome",
            f"{self.gaps:,} gaps in the events",
            f"{outcomes:,} outcomes = {told:,} that nodes have counted + {ended:,} {whose}",
            f"{audit.parts:,} parts taken = {sent:,} that nodes have counted + {parts:,} {whose}",
            f"{audit.twice:,} parts were taken twice, {announced}; {DOUBTFUL:,} may be at most",
            f"{self.phones[death.name]:.0%} of the phones are left with {death.name}",
        )
        kept = (
            accepted == self.submitted == sum(self.answered.values()),
            tally.outcomes.keys() == tally.accepted.keys(),
            not tally.repeated,
            not self.gaps,
            0 <= ended <= DOUBTFUL,
            0 <= parts <= DOUBTFUL,
            not audit.untold and audit.twice <= DOUBTFUL,
            not self.phones[death.name],
        )
        return tuple(zip(kept, texts, strict=True))

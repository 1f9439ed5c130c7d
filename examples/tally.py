"""The books of the demo: what was accepted, refused and reported, and whether it adds up."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from examples.campaign import Campaign, Draft
from gateway.api.wire import Accepted, Event, Rejected
from gateway.smpp.simulator.record import Line


class Tally:
    """Everything that the campaign system has been told.

    Attributes:
        accepted: drafts that were, by message id.
        due_later: ids of those that are not to be sent yet.
        parts: how many parts the others have.
        refused: how many were, by code.
        reasons: the first reason that was given for each code.
        outcomes: the outcome of each message by id, the gateway's own replies to phones included.
        repeated: outcomes of messages that had one.
        texts, optouts: from phones.
    """

    def __init__(self) -> None:
        self.accepted: dict[str, Draft] = {}
        self.due_later: set[str] = set()
        self.refused: Counter[str] = Counter()
        self.reasons: dict[str, str] = {}
        self.outcomes: dict[str, str] = {}
        self.parts = self.repeated = self.texts = self.optouts = 0

    def submitted(self, draft: Draft, result: Accepted | Rejected) -> None:
        """The gateway has answered."""
        if isinstance(result, Rejected):
            self.refused[result.code] += 1
            self.reasons.setdefault(result.code, result.message)
            return
        self.accepted[result.message_id] = draft
        if result.not_before is None:
            self.parts += result.parts
        else:
            self.due_later.add(result.message_id)

    def reported(self, event: Event) -> None:
        """An event has come."""
        if event.message_id is not None:
            self.repeated += event.message_id in self.outcomes
            self.outcomes[event.message_id] = event.type
        elif event.type == "inbound":
            self.texts += 1
        elif event.type == "optout":
            self.optouts += 1

    @property
    def waiting(self) -> set[str]:
        """Accepted messages without an outcome."""
        return self.accepted.keys() - self.outcomes.keys()

    @property
    def replies(self) -> int:
        """Messages that the gateway sent of its own: confirmations of opt-outs."""
        return len(self.outcomes.keys() - self.accepted.keys())


class Audit(NamedTuple):
    """What the carriers' own records tell.

    Attributes:
        parts: that they took.
        opted_out: those of them to people who had opted out.
        asleep: those of the sale to where it is night.
        twice: those that one phone got twice.
    """

    parts: int
    opted_out: int
    asleep: int
    twice: int


def audit(records: Iterable[Path], campaign: Campaign) -> Audit:
    """Read what the carriers took."""
    decoder = msgspec.json.Decoder(Line)
    lines = [decoder.decode(line) for file in records for line in file.open("rb")]
    opted_out = {number.removeprefix("+") for number in campaign.opted_out}
    asleep = {number.removeprefix("+") for number in campaign.asleep}
    seen = Counter((line.destination, line.short_message) for line in lines)
    return Audit(
        parts=len(lines),
        opted_out=sum(line.destination in opted_out for line in lines),
        asleep=sum(line.destination in asleep for line in lines),
        twice=seen.total() - len(seen),
    )

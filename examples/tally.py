"""The books of the demo: what was accepted, refused and reported, and what the carriers saw."""

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import msgspec

from examples.campaign import Campaign, Draft
from gateway.api.wire import Accepted, Event, Rejected
from gateway.smpp.simulator.carrier import OPTOUTS
from gateway.smpp.simulator.record import Line

_OPTOUTS = frozenset(chain.from_iterable(OPTOUTS.values()))


class Tally:
    """Everything that the campaign system has been told.

    Attributes:
        accepted: drafts that were, by message id.
        due: ids of those that are to be sent now and have no outcome yet.
        refused: how many were, by code.
        reasons: the first reason that was given for each code.
        outcomes: the outcome of each message by id, the gateway's own replies to phones included.
        repeated: outcomes of messages that had one.
        maybe_twice: recipients who may have got a text twice.
        texts: from phones, how many.
        asked: the phones whose text is an opt-out of the simulated ones.
        optouts: the phones that the gateway has opted out.
        replies: the outcomes of the gateway's own answers to phones, how many of each.
    """

    def __init__(self) -> None:
        self.accepted: dict[str, Draft] = {}
        self.due: set[str] = set()
        self.refused: Counter[str] = Counter()
        self.reasons: dict[str, str] = {}
        self.outcomes: dict[str, str] = {}
        self.maybe_twice: set[str] = set()
        self.replies: Counter[str] = Counter()
        self.asked: set[str | None] = set()
        self.optouts: set[str | None] = set()
        self.repeated = self.texts = 0

    def submitted(self, draft: Draft, result: Accepted | Rejected) -> None:
        """The gateway has answered."""
        if isinstance(result, Rejected):
            self.refused[result.code] += 1
            self.reasons.setdefault(result.code, result.message)
            return
        self.accepted[result.message_id] = draft
        if result.not_before is None:
            self.due.add(result.message_id)

    def reported(self, event: Event) -> None:
        """An event has come."""
        if event.message_id is not None:
            self.repeated += event.message_id in self.outcomes
            self.outcomes[event.message_id] = event.type
            self.due.discard(event.message_id)
            if event.detail is not None and "reply" in event.detail:
                self.replies[event.type] += 1
            if event.maybe_duplicate and event.to is not None:
                self.maybe_twice.add(event.to)
        elif event.type == "inbound":
            self.texts += 1
            if event.text in _OPTOUTS:
                self.asked.add(event.sender)
        elif event.type == "optout":
            self.optouts.add(event.sender)

    def waiting(self) -> list[str]:
        """Accepted messages without an outcome."""
        return [identifier for identifier in self.accepted if identifier not in self.outcomes]


class Audit(NamedTuple):
    """What the carriers' own records tell.

    Attributes:
        parts: that they took.
        twice: parts that one phone got twice.
        untold: those of them whose event did not say that this may have happened.
        opted_out: parts to people who had opted out.
        asleep: parts of the sale to where it is night.
    """

    parts: int
    twice: int
    untold: int
    opted_out: int
    asleep: int


def audit(records: Iterable[Path], campaign: Campaign, tally: Tally) -> Audit:
    """Read what the carriers took, and compare."""
    decoder = msgspec.json.Decoder(Line)
    seen: Counter[tuple[str, str]] = Counter()
    for path in records:
        with path.open("rb") as file:
            lines = map(decoder.decode, file)
            seen.update((line.destination, line.short_message) for line in lines)

    def to(numbers: Iterable[str]) -> int:
        digits = {number.removeprefix("+") for number in numbers}
        return sum(count for (number, _), count in seen.items() if number in digits)

    twice = {number: count - 1 for (number, _), count in seen.items() if count > 1}
    return Audit(
        parts=seen.total(),
        twice=seen.total() - len(seen),
        untold=len(twice.keys() - tally.maybe_twice),
        opted_out=to(campaign.opted_out),
        asleep=to(campaign.asleep),
    )

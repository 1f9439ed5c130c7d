"""The books of the demo: what was accepted, refused and reported, and what the carriers saw."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from examples.campaign import Campaign, Draft
from gateway.api.wire import Accepted, Event, Rejected
from gateway.smpp.simulator.carrier import OPTOUTS
from gateway.smpp.simulator.record import Line
from gateway.text.udh import parse_user_data

_OPTOUTS = frozenset(chain.from_iterable(OPTOUTS.values()))

UDHI: Final = 0x40
"""The bit of esm_class that says that a header precedes the text."""

Part = tuple[int, bytes]
"""Where a part stands in its message, and its text."""


class Tally:
    """Everything that the campaign system has been told.

    Attributes:
        accepted: drafts that were, by message id.
        parts: how many each of these takes, as the gateway has planned.
        due: ids of those that are to be sent now and have no outcome yet.
        refused: how many were, by code.
        reasons: the first reason that was given for each code.
        outcomes: the outcome of each message by id, the gateway's own replies to phones included.
        reports: how messages of the list ended that were not delivered: the outcome, and the word
            of the carrier's refusal or receipt or, without one, the code.
        repeated: outcomes of messages that had one.
        maybe_twice: recipients who may have got a text twice.
        texts: from phones, how many.
        asked: the phones whose text is an opt-out of the simulated ones.
        optouts: the phones that the gateway has opted out.
        replies: the outcomes of the gateway's own answers to phones, how many of each.
    """

    def __init__(self) -> None:
        self.accepted: dict[str, Draft] = {}
        self.parts: dict[str, int] = {}
        self.due: set[str] = set()
        self.refused: Counter[str] = Counter()
        self.reasons: dict[str, str] = {}
        self.outcomes: dict[str, str] = {}
        self.reports: Counter[tuple[str, str]] = Counter()
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
        self.parts[result.message_id] = result.parts
        if result.not_before is None:
            self.due.add(result.message_id)

    def reported(self, event: Event) -> None:
        """An event has come."""
        if event.message_id is not None:
            self.repeated += event.message_id in self.outcomes
            self.outcomes[event.message_id] = event.type
            self.due.discard(event.message_id)
            detail = event.detail or {}
            if "reply" in detail:
                self.replies[event.type] += 1
            elif event.type not in ("delivered", "cancelled"):
                word = detail.get("smpp_status") or detail.get("receipt_state") or event.code
                self.reports[event.type, str(word)] += 1
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
        taken: the parts that each carrier took.
        listed: of all these, the parts to numbers on the list, each counted once.
        twice: parts that one phone got twice.
        untold: those of them whose event did not say that this may have happened.
        opted_out: parts to people who had opted out.
        asleep: parts of the sale to where it is night.
    """

    taken: Mapping[str, int]
    listed: int
    twice: int
    untold: int
    opted_out: int
    asleep: int

    @property
    def parts(self) -> int:
        """All that were taken."""
        return sum(self.taken.values())


def audit(records: Mapping[str, Path], campaign: Campaign, tally: Tally) -> Audit:
    """Read what the carriers took, and compare."""
    decoder = msgspec.json.Decoder(Line)
    seen: Counter[tuple[str, Part]] = Counter()
    taken: Counter[str] = Counter()
    for carrier, path in records.items():
        with path.open("rb") as file:
            for line in map(decoder.decode, file):
                taken[carrier] += 1
                seen[line.destination, _part(line)] += 1

    def to(numbers: Iterable[str]) -> int:
        digits = {number.removeprefix("+") for number in numbers}
        return sum(count for (number, _), count in seen.items() if number in digits)

    list_ = {draft.message["to"].removeprefix("+") for draft in tally.accepted.values()}
    twice = {number: count - 1 for (number, _), count in seen.items() if count > 1}
    return Audit(
        taken=taken,
        listed=sum(number in list_ for number, _ in seen),
        twice=seen.total() - len(seen),
        untold=len(twice.keys() - tally.maybe_twice),
        opted_out=to(campaign.opted_out),
        asleep=to(campaign.asleep),
    )


def _part(line: Line) -> Part:
    """What a phone sees of a part: its place in the message and its text. A message that is sent
    again has another reference number."""
    octets = bytes.fromhex(line.short_message)
    if not line.esm_class & UDHI:
        return 1, octets
    concat, payload = parse_user_data(octets)
    return concat.sequence if concat is not None else 1, payload

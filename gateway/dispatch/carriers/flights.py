"""A message on its way: between its release and the moment its submission is on record.

A `Flight` is the one mutable thing about a message. It lives in memory only, for as long as parts
of the message are unanswered at a carrier and, for a bounded number of flights, while receipts are
expected soon; what must outlive the process is in the store.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gateway.message import Handed, Message, Receipt, Submission
from gateway.smpp.pdu import Encoded
from gateway.smpp.tlv import NetworkError

UNANSWERED = -1
"""Stands for a command_status where a part's response never came."""


class Reason(NamedTuple):
    """Why a part was not delivered, in the carrier's own words: its word for the state, where that
    is none of SMPP's, its error, and that of the network behind it."""

    word: str | None = None
    error: str | None = None
    network_error: NetworkError | None = None


class Flight(msgspec.Struct, eq=False, gc=False):
    """One message at one carrier.

    Attributes:
        message: what was submitted.
        carrier: the id of the carrier.
        pdus: the parts as sent, in order; one that was refused for now is sent again from here.
            Empty once the carrier has taken all of them.
        config: the digest of the configuration that judged it last, where it is another than the
            one that accepted it.
        handed: when and to which bind it went; the flights of one batch share it.
        receipts: the final receipts of a long message.
        refs: the carrier's id of each part in canonical form; None while it has not taken it.
        states: a byte for each part, see `gateway.dispatch.settling.long_receipts`.
        reasons: why parts were not delivered, by their states.
        unanswered: parts that are in a window.
        refused: command_status by part index, of the parts that were answered but not taken.
        attempts: how often parts were sent again while the carrier had others already.
        released_at: when the message was handed to a bind.
        taken_at: when the carrier had taken every part; 0 before.
        until: until when the carrier may try to deliver it.
        recorded: the store knows, or is being told, that the carrier has the message.
    """

    message: Message
    carrier: str
    pdus: Sequence[Encoded]
    released_at: float
    until: float
    refs: list[str | None]
    states: bytearray
    unanswered: int
    reasons: dict[int, Reason] | None = None
    refused: dict[int, int] | None = None
    attempts: int = 0
    taken_at: float = 0.0
    recorded: bool = False
    config: str = ""
    handed: Handed | None = None
    receipts: list[Receipt] | None = None

    @classmethod
    def begun(
        cls,
        message: Message,
        carrier: str,
        pdus: Sequence[Encoded],
        released_at: float,
        until: float | None = None,
        config: str = "",
    ) -> "Flight":
        """One without any answer; ``until`` left out, for as long as the message lives. ``config``
        is the digest of the configuration that let it go."""
        parts = len(pdus)
        end = message.expires_at if until is None else until
        flight = cls(
            message, carrier, pdus, released_at, end, [None] * parts, bytearray(parts), parts
        )
        if config != message.config:
            flight.config = config
        return flight

    def hand(self, handed: Handed) -> None:
        """It goes to a bind."""
        self.handed = handed._replace(config=self.config) if self.config else handed

    def note(self, state: int, reason: Reason) -> None:
        """A part has come to this state for a reason."""
        if self.reasons is None:
            self.reasons = {}
        self.reasons.setdefault(state, reason)

    def note_receipt(self, part: int, at: float, state: int) -> None:
        """The final receipt of one of several parts has come."""
        if self.receipts is None:
            self.receipts = []
        self.receipts.append(Receipt(part, at, state))

    @property
    def submission(self) -> Submission:
        """What is kept of it."""
        return Submission(self.handed, self.taken_at, self.refs, self.receipts or ())

    def known_refs(self) -> tuple[str, ...]:
        """The carrier's ids of the parts that it has taken."""
        return tuple([ref for ref in self.refs if ref is not None])

    @property
    def whole(self) -> bool:
        """Whether the carrier has taken every part."""
        return None not in self.refs

    @property
    def taken(self) -> int:
        """How many parts the carrier has taken."""
        return len(self.refs) - self.refs.count(None)

    @property
    def delivered(self) -> int:
        """How many parts the carrier has said to be delivered."""
        return self.states.count(2)


class Part(msgspec.Struct, frozen=True, gc=False):
    """What a bind gives back with a response: which part, from 0, of which flight."""

    flight: Flight
    number: int

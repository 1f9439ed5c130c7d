"""Receipts that do not simply name a part in memory: which part they mean, or that they wait.

They are looked for in memory and in the store at once, by all that they say and in every form of
ids; `deciding` says which part each one means. What means none yet is parked: an early receipt
until its response comes, one that fits several parts until more is known. What only its text says
to be a receipt, and means no part of that phone, is a text of the phone.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from gateway.dispatch.carriers.carriers import Carrier
from gateway.dispatch.carriers.flights import Part
from gateway.dispatch.settling.correlation import Parked
from gateway.queue.store import Match, Ref
from gateway.smpp.pdu import DataSm, DeliverSm
from gateway.smpp.quick import Told
from gateway.smpp.receipts import Claim, Receipt
from gateway.smpp.tlv import NetworkError

PARKED_FOR = 3600.0
"""Seconds that a receipt which matches nothing waits for its response."""

OPEN_FOR = 24 * 3600.0
"""Seconds that a receipt waits which fits some part, without it being sure which one is meant."""

Ask = Callable[[Sequence[Ref]], Awaitable[Mapping[Ref, Match]]]
"""Looks for parts in the store, see `gateway.queue.store.Store.match`, until it can be asked."""

Unanswered = Callable[[Carrier], Iterable[Part]]
"""The parts of a carrier that were submitted and whose ids are not known."""

Text = tuple[Carrier, DeliverSm | DataSm]
"""A text of a phone, and from where it came."""


class Unmatched(NamedTuple):
    """A receipt to be looked for.

    Attributes:
        claims: what it says, the likeliest first; none where it names no id.
        source, destination: its addresses.
        since: when it came.
        intermediate: see `Receipt`.
        text: what it came in, where that may be a text of a phone.
        parked: the same as it waits since then.
    """

    carrier: Carrier
    claims: tuple[Claim, ...]
    source: str
    destination: str
    since: float
    error: str | None
    network_error: NetworkError | None
    intermediate: bool = False
    text: DeliverSm | DataSm | None = None
    parked: Parked | None = None


def note(carrier: Carrier, receipt: Receipt, pdu: DeliverSm | DataSm, now: float) -> Unmatched:
    """A receipt that has just come."""
    claims = (Claim(receipt.ref_raw, receipt.state, receipt.word), *receipt.also)
    return Unmatched(
        carrier,
        tuple(claim for claim in claims if claim.ref_raw),
        pdu.source_addr,
        pdu.destination_addr,
        now,
        receipt.error,
        receipt.network_error,
        receipt.intermediate,
        None if receipt.marked else pdu,
    )


def note_told(carrier: Carrier, told: Told, now: float) -> Unmatched:
    """A receipt of the form of the book that another node has received."""
    source, destination, ref, word = told
    claims = (Claim(ref, carrier.words[word], word),)
    return Unmatched(carrier, claims, source, destination, now, None, None)


def again(carrier: Carrier, parked: Parked) -> Unmatched:
    """A receipt that was parked."""
    return Unmatched(
        carrier,
        parked.claims,
        parked.recipient,
        parked.destination,
        parked.expires_at - (OPEN_FOR if parked.open else PARKED_FOR),
        parked.error,
        parked.network_error,
        parked=parked,
    )

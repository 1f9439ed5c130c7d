"""What a simulated carrier is told once, as a type."""

from math import fsum
from typing import Literal

import msgspec

from gateway.smpp.receipt_states import BY_STAT
from gateway.smpp.status import Status

IdForm = Literal["same", "hex_dec", "dec_hex", "padded", "uuid"]
"""How the ids in responses and in receipts are written: alike in decimal; hexadecimal in the
response and decimal in the receipt; the other way round; in decimal, with leading zeros in the
receipt; alike as a UUID."""

ReceiptForm = Literal["text", "payload", "tlv", "data_sm"]
"""How a receipt comes: as the text of a deliver_sm, as its message_payload, as optional parameters
alone, or as a data_sm with both parameters and message_payload."""


class SimulatorOptions(msgspec.Struct, frozen=True, kw_only=True):
    """A carrier's account list, habits and faults. Times are in seconds, rates per second, shares
    between 0 and 1. Everything that is drawn comes from ``seed``: the same submissions in the same
    order meet the same fate.

    Attributes:
        host, port: where to listen; port 0 takes a free one.
        system_id: the carrier's name for itself.
        accounts: the password of each system_id that may bind; empty lets anybody in.
        max_binds: how many binds one system_id may have.
        enquire_link: a peer that has said nothing for so long is asked whether it is there, and
            its connection closes where it says nothing for as long again; 0 asks nobody.
        latency, latency_jitter: a response takes the first and up to the second on top.
        errors: the share of submissions that get each error, by the name of the status.
        rate: submissions (so, parts) taken in a second over all binds; the rest get
            ESME_RTHROTTLED. 0 is unlimited.
        drop: the share of submissions that are taken, but whose connection closes before the
            response.
        poison: words that no submission may have in its octets: where one has, it is not taken and
            its connection closes. Empty for none.
        repeated: the share of responses that come twice.
        receipt_delay, receipt_jitter: a receipt comes so long after the response.
        receipt_states: the share of each final state, by its name in receipts; what is left to 1
            is DELIVRD.
        receipt_ids, receipt_form: what receipts look like.
        early_receipts: the share of receipts that come before the response does.
        lost_receipts: the share of receipts that never come.
        delivery_window: how many deliver_sm and data_sm may be unanswered on one bind.
        inbound_rate: texts from phones, to ``inbound_to``, one in ten of them an opt-out.
        inbound_to: our number that phones text.
        first_id: the number of the first message.
        record: the file to which what is taken is added, see `gateway.smpp.simulator.record`.
        stamp: the port on which it tells when messages came, see `gateway.smpp.simulator.stamps`;
            0 takes a free one, None has none.
    """

    host: str = "127.0.0.1"
    port: int = 2775
    system_id: str = "simulator"
    accounts: dict[str, str] = {}
    max_binds: int = 10
    enquire_link: float = 0.0
    seed: int = 0
    latency: float = 0.0
    latency_jitter: float = 0.0
    errors: dict[str, float] = {}
    rate: float = 0.0
    drop: float = 0.0
    poison: str = ""
    repeated: float = 0.0
    receipt_delay: float = 0.0
    receipt_jitter: float = 0.0
    receipt_states: dict[str, float] = {}
    receipt_ids: IdForm = "same"
    receipt_form: ReceiptForm = "text"
    early_receipts: float = 0.0
    lost_receipts: float = 0.0
    delivery_window: int = 1000
    inbound_rate: float = 0.0
    inbound_to: str = "10690001"
    first_id: int = 1_000_000_000
    record: str | None = None
    stamp: int | None = None

    def well(self) -> "SimulatorOptions":
        """The same carrier without its faults, and with phones that text nobody."""
        return msgspec.structs.replace(
            self,
            latency=0.0,
            latency_jitter=0.0,
            errors={},
            rate=0.0,
            drop=0.0,
            poison="",
            repeated=0.0,
            receipt_states={},
            early_receipts=0.0,
            lost_receipts=0.0,
            inbound_rate=0.0,
        )

    def __post_init__(self) -> None:
        """Raises ValueError for a name that is none, and shares that exceed 1."""
        for name, known, shares in (
            ("errors", Status.__members__, self.errors),
            ("receipt_states", BY_STAT, self.receipt_states),
        ):
            if unknown := shares.keys() - known:
                raise ValueError(f"{name}: {', '.join(sorted(unknown))}: no such name")
            if any(share < 0 for share in shares.values()) or fsum(shares.values()) > 1:
                raise ValueError(f"{name}: the shares are not between 0 and 1 together")

"""What dispatch is told of a carrier, as a type; its binds have options of their own."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from gateway.dispatch.carriers.actions import Action
from gateway.dispatch.carriers.addresses import NPI, TON, ByKind
from gateway.dispatch.settling.long_receipts import LongReceipts
from gateway.policy.carrier_hours import CarrierHoursOptions
from gateway.policy.content.options import Ban
from gateway.smpp.receipt_ids import ReceiptId
from gateway.smpp.tlv import Tlvs
from gateway.text.reading import Dialect
from gateway.text.shifting import Language

DestForm = Literal["international", "national"]
ValidityPeriod = Literal["relative", "absolute", "none"]
LongMessages = Literal["udh", "udh8", "udh16", "sar", "payload"]

WITHOUT_SHIFTS: Final = frozenset({"latin1", "sar", "payload"})
"""The alphabet, and the ways of long messages, that leave no place for national shift tables."""

RECEIPT_WAIT = 72 * 3600.0
"""How long after a message's validity its receipt may still come, in seconds (field facts B)."""


class CarrierOptions(msgspec.Struct, frozen=True):
    """What the gateway as a whole must know of a carrier; its binds have options of their own.

    Attributes:
        id: names the carrier in routes, metrics and events.
        rate: parts per second over all its binds; 0 for unlimited.
        alphabet: what data_coding 0 means to it: ``gsm7`` (unpacked) or ``latin1``.
        gsm7_coding, latin1_coding, ucs2_coding: the data_coding for each alphabet, in texts from
            phones too.
        inbound_codings: the alphabet of other data_codings, in texts from phones.
        service_type: goes into every submit_sm.
        source_ton, source_npi: type of number and numbering plan of senders, by their kind.
        dest_ton, dest_npi: the same of recipients, which are international or national.
        country_code: of phones that it names without one, ``0171...`` instead of ``49171...``;
            empty where it names every phone in full.
        dest_form: how recipients of that country are written to it, with the country code or with
            ``trunk_prefix`` in its place.
        validity_period: how it is told until when it may try to deliver.
        min_validity: the shortest validity_period that it takes, in seconds.
        long_messages: how the parts of a long message are told to belong together: by a header in
            the text with a reference of 8 or 16 bits, or of 8 bits just where that saves a part; by
            optional parameters; or not at all, as one PDU with the whole text beside it.
        shift_tables: the languages whose national shift tables it takes, in headers; only with
            ``alphabet`` gsm7 and where the parts of long messages have headers.
        tlvs: optional parameters of every message that has no such ones from its tenant.
        receipt_id: how ids in receipts relate to ids in responses: learnt, the same, or response
            hexadecimal and receipt decimal, or the other way round.
        long_receipts: whether each part of a long message has a receipt, or one is for all of it.
        receipt_states: message_states by the carrier's own words, see
            `gateway.smpp.receipt_states.StateWords`.
        accepted_is_delivered: an ACCEPTD receipt is the last one that comes.
        receipt_wait: seconds after a message's expiry until its outcome is ``unknown``.
        unanswered: what becomes of a message whose response never came: sent again (the event
            then says ``maybe_duplicate``), or its outcome is ``unknown``.
        statuses: actions for command_status values that this carrier uses in its own way.
        hours: when it takes which messages; None where that is always.
        bans: what it takes in no promotion.
        template_tlv: the tag of the parameter that has the id by which it knows the template of a
            message; None where it is not told.
    """

    id: str
    rate: float = 0
    alphabet: Literal["gsm7", "latin1"] = "gsm7"
    gsm7_coding: int = 0
    latin1_coding: int = 3
    ucs2_coding: int = 8
    inbound_codings: Mapping[int, str] = {}
    service_type: str = ""
    source_ton: ByKind = TON
    source_npi: ByKind = NPI
    dest_ton: ByKind = TON
    dest_npi: ByKind = NPI
    country_code: str = ""
    dest_form: DestForm = "international"
    trunk_prefix: str = ""
    validity_period: ValidityPeriod = "relative"
    min_validity: float = 0
    long_messages: LongMessages = "udh"
    shift_tables: tuple[Language, ...] = ()
    tlvs: Tlvs = ()
    receipt_id: ReceiptId = "auto"
    long_receipts: LongReceipts = "auto"
    receipt_states: Mapping[str, int] = {}
    accepted_is_delivered: bool = False
    receipt_wait: float = RECEIPT_WAIT
    unanswered: Literal["resend", "unknown"] = "resend"
    statuses: Mapping[int, Action] = {}
    hours: CarrierHoursOptions | None = None
    bans: frozenset[Ban] = frozenset()
    template_tlv: int | None = None

    @property
    def narrow(self) -> bool:
        """Whether parts of long messages always leave room for a header with 16 bits: where one is
        written, or where the carrier may write one in the place of optional parameters."""
        return self.long_messages in ("udh16", "sar")

    @property
    def reading(self) -> Dialect:
        """What the data_codings of texts from phones mean, where it is not by the book."""
        ours = {
            self.gsm7_coding: "gsm7",
            self.latin1_coding: "latin1",
            self.ucs2_coding: "ucs2",
        }
        usual = {0: "gsm7", 3: "latin1", 8: "ucs2"}
        ours = {coding: name for coding, name in ours.items() if usual.get(coding) != name}
        return Dialect(self.alphabet, ours, self.inbound_codings)

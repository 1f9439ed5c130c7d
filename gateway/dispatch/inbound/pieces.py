"""From a deliver_sm or data_sm to a piece of an inbound message: whose, of which message, what.

Pure: what a carrier means by its data_codings comes in when the pieces are joined.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec
from msgspec import structs

from gateway.dispatch.options import CarrierOptions
from gateway.errors import RemoteProtocolError
from gateway.numbers import from_carrier
from gateway.queue.store import Held
from gateway.smpp import tlv
from gateway.smpp.pdu import DataSm, DeliverSm
from gateway.text.reading import Part
from gateway.text.septets import Shifts
from gateway.text.udh import Concat, Header, parse_header, unannounced

UDHI: Final = 0x40
"""esm_class: the user data begin with a header."""

WIDE: Final = 0x100
"""References from here on are 16 bits for certain; phones run through 8 bits in a day."""


class Whole(NamedTuple):
    """Names the message that a piece belongs to: where it came in, and its phone's reference."""

    carrier: str
    source: str
    number: str
    reference: int
    total: int


class Piece(msgspec.Struct, frozen=True, array_like=True, tag="piece"):
    """A part of an inbound message, as it is kept.

    Attributes:
        whole: the message that it is a part of.
        sequence: which part, from 1.
        phone: the E.164 digits of who sent it; None where they cannot be known.
        arrived_at: when it came.
        octets: without header.
        data_coding: as the PDU says.
        locking, single: the languages of its shift tables.
        header: octets of its header.
        written: who sent it, as the carrier wrote it.
        source_type: the type of number that it said this was.
        kept_as: its name in the store, where that is none of this version's.
        stops: it is a stop by itself, and is heeded before the others are there.
    """

    carrier: str
    source: str
    number: str
    reference: int
    total: int
    sequence: int
    phone: str | None
    arrived_at: float
    octets: bytes
    data_coding: int = 0
    locking: int = 0
    single: int = 0
    header: int = 0
    written: str = ""
    source_type: int = 0
    kept_as: str = ""
    stops: bool = False

    @property
    def whole(self) -> Whole:
        return Whole(self.carrier, self.source, self.number, self.reference, self.total)

    @property
    def key(self) -> str:
        """Names the piece in the store; another one in its place has another name."""
        return self.kept_as or _key(self.whole, self.sequence, self.digest().hex())

    @property
    def part(self) -> Part:
        """It, to be read."""
        shifts = Shifts(self.locking, self.single)
        return Part(self.octets, self.data_coding, shifts, self.header)

    def digest(self) -> bytes:
        """Tells its content from another's."""
        coding = bytes((self.data_coding,))
        return blake2b(coding + self.octets, digest_size=8).digest()


def _key(whole: Whole, *place: int | str) -> str:
    return msgspec.json.encode((*whole, *place)).decode()


class Done(msgspec.Struct, frozen=True, array_like=True, tag="done"):
    """A message that was told, kept for a while to know its parts when they come again: the
    digests of those that it had, by their sequence."""

    carrier: str
    source: str
    number: str
    reference: int
    total: int
    told_at: float
    digests: Mapping[int, bytes]

    @property
    def whole(self) -> Whole:
        return Whole(self.carrier, self.source, self.number, self.reference, self.total)

    @property
    def key(self) -> str:
        return _key(self.whole, 0)


encode = msgspec.msgpack.Encoder().encode
_decode: Callable[[bytes], Piece | Done] = msgspec.msgpack.Decoder(Piece | Done).decode
_decode_piece = msgspec.msgpack.Decoder(Piece).decode
_decode_first_form = msgspec.msgpack.Decoder(
    tuple[str, str, str, int, int, int, str | None, bytes, float]
).decode
_FIRST_CODINGS: Final = {"gsm7": 0, "latin1": 3, "ucs2": 8, None: 4}
_FIRST_KEPT: Final = 24 * 3600.0


def decode_text(held: Held) -> Piece:
    """A text that another node has received."""
    return _decode_piece(held.body)


def decode(held: Held) -> Piece | Done:
    """What was kept, by this version or by the first one, which had no tags."""
    try:
        return _decode(held.body)
    except msgspec.ValidationError:
        carrier, phone, number, *place, alphabet, octets, expires_at = _decode_first_form(held.body)
        reference, total, sequence = place
        return Piece(
            carrier,
            phone,
            number,
            reference,
            total,
            sequence,
            from_carrier(phone, 0, ""),
            expires_at - _FIRST_KEPT,
            octets,
            _FIRST_CODINGS[alphabet],
            written=phone,
            kept_as=held.key,
        )


def separate(pdu: DeliverSm | DataSm) -> Sequence[DeliverSm | DataSm]:
    """A PDU that has a text both in short_message and in message_payload, as two of one text each.
    By the book it has one; where one begins as the other, it is the longer."""
    if not isinstance(pdu, DeliverSm) or not pdu.short_message or not pdu.tlvs:
        return (pdu,)
    payload = tlv.MESSAGE_PAYLOAD.get(pdu.tlvs)
    if not payload or pdu.short_message.startswith(payload):
        return (pdu,)
    longer = structs.replace(pdu, short_message=b"")
    if payload.startswith(pdu.short_message):
        return (longer,)
    others = tuple(one for one in pdu.tlvs if one[0] != tlv.MESSAGE_PAYLOAD.tag)
    return structs.replace(pdu, tlvs=others), longer


def piece_of(options: CarrierOptions, pdu: DeliverSm | DataSm, now: float) -> Piece:
    """What a PDU that is no receipt brings."""
    payload = pdu.short_message if isinstance(pdu, DeliverSm) else b""
    payload = payload or tlv.MESSAGE_PAYLOAD.get(pdu.tlvs) or b""
    header = _header(pdu, payload)
    concat = header.concat or (_by_tlvs(pdu.tlvs) if pdu.tlvs else None) or Concat(0, 1, 1)
    written = pdu.source_addr
    phone = from_carrier(written, pdu.source_addr_ton, options.country_code)
    return Piece(
        options.id,
        written if phone is None else phone,
        pdu.destination_addr.removeprefix("+"),
        *concat,
        phone,
        now,
        payload[header.size :],
        pdu.data_coding,
        header.shifts.locking,
        header.shifts.single,
        header.size,
        written,
        pdu.source_addr_ton,
    )


def _header(pdu: DeliverSm | DataSm, payload: bytes) -> Header:
    """The header of user data: as the PDU says that there is one, or as can be seen."""
    if pdu.esm_class & UDHI:
        try:
            return parse_header(payload)
        except RemoteProtocolError:
            return Header(0)
    return unannounced(payload) or Header(0)


def _by_tlvs(tlvs: tlv.Tlvs) -> Concat | None:
    """The place of a part whose carrier tells it by SAR parameters."""
    reference = tlv.SAR_MSG_REF_NUM.get(tlvs)
    total = tlv.SAR_TOTAL_SEGMENTS.get(tlvs)
    sequence = tlv.SAR_SEGMENT_SEQNUM.get(tlvs)
    if reference is None or total is None or sequence is None or not 1 <= sequence <= total:
        return None
    return Concat(reference, total, sequence)


def pieces_in_order(pieces: Mapping[int, Piece]) -> Sequence[Piece]:
    return [pieces[sequence] for sequence in sorted(pieces)]

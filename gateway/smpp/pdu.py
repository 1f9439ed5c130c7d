"""SMPP PDUs as types, and the codec between them and frames (SMPP 3.4, and what 5.0 adds).

The PDU types below are the layout: fields in wire order, each annotated with its kind (see
`gateway.smpp.layout`); lengths and counts on the wire are implied. Not here: cutting a stream into
frames (`gateway.smpp.framing`), sessions, and the meaning of any field.

    0                4              8                12                16
    +----------------+--------------+----------------+-----------------+------+------+
    | command_length |  command_id  | command_status | sequence_number | body | TLVs |
    +----------------+--------------+----------------+-----------------+------+------+
"""

import struct
from typing import Annotated, ClassVar, Final

import msgspec

from gateway.errors import LocalProtocolError, RemoteProtocolError
from gateway.smpp import lenient, tlv
from gateway.smpp.layout import (
    CString,
    Layout,
    MisfitError,
    Octet,
    Records,
    ShortMessage,
    Word,
)
from gateway.smpp.odd import Odd, breaks
from gateway.smpp.options import LONGEST_ACCOUNT

HEADER: Final = struct.Struct(">IIII")
"""command_length (with these 16 octets), command_id, command_status, sequence_number."""

HEAD: Final = struct.Struct(">III")
"""The same without sequence_number."""

RESPONSE: Final = 0x80000000
"""The bit that tells the command_id of a response from that of its request."""

U8 = Annotated[int, Octet()]
Plan = Annotated[int, Octet("[^0-9A-Za-z]")]
"""Type of number or numbering plan of an address. One that is a digit or a letter belongs to the
address: a NUL is missing before it (`gateway.smpp.lenient`)."""
U32 = Annotated[int, Word()]
C6 = Annotated[str, CString(6)]
C13 = Annotated[str, CString(13)]
C21 = Annotated[str, CString(21)]
C41 = Annotated[str, CString(41)]
C65 = Annotated[str, CString(65)]
Account = Annotated[str, CString(LONGEST_ACCOUNT + 1)]
"""Where the book has 16 octets for a system_id and 9 for a password, and carriers have more."""
Number = Annotated[str, CString(21, unread=r"\x01-\x1f")]
"""An address. One with a control character has octets of the fields before it: there is a NUL too
many (`gateway.smpp.lenient`)."""
Address = Annotated[str, CString(65, emit=21, unread=r"\x01-\x1f")]
"""The same, where some implementations allow 65 octets and others 21."""
Time = Annotated[str, CString(17, exact=True)]
"""See `gateway.smpp.times`."""


class Pdu(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What every PDU is: a command_id and, after the fields of its kind, optional parameters."""

    command_id: ClassVar[int]
    tlvs: tlv.Tlvs = ()


class _Bind(Pdu, frozen=True):
    system_id: Account = ""
    password: Account = ""
    system_type: C13 = ""
    interface_version: U8 = 0x34
    addr_ton: U8 = 0
    addr_npi: U8 = 0
    address_range: C41 = ""


class BindReceiver(_Bind, frozen=True):
    command_id = 0x00000001


class BindTransmitter(_Bind, frozen=True):
    command_id = 0x00000002


class BindTransceiver(_Bind, frozen=True):
    command_id = 0x00000009


class _BindResp(Pdu, frozen=True):
    system_id: Account = ""


class BindReceiverResp(_BindResp, frozen=True):
    command_id = 0x80000001


class BindTransmitterResp(_BindResp, frozen=True):
    command_id = 0x80000002


class BindTransceiverResp(_BindResp, frozen=True):
    command_id = 0x80000009


class Outbind(Pdu, frozen=True):
    command_id = 0x0000000B
    system_id: Account = ""
    password: Account = ""


class _ShortMessage(Pdu, frozen=True):
    service_type: C6 = ""
    source_addr_ton: Plan = 0
    source_addr_npi: Plan = 0
    source_addr: Number = ""
    dest_addr_ton: Plan = 0
    dest_addr_npi: Plan = 0
    destination_addr: Number = ""
    esm_class: U8 = 0
    protocol_id: U8 = 0
    priority_flag: U8 = 0
    schedule_delivery_time: Time = ""
    validity_period: Time = ""
    registered_delivery: U8 = 0
    replace_if_present_flag: U8 = 0
    data_coding: U8 = 0
    sm_default_msg_id: U8 = 0
    short_message: Annotated[bytes, ShortMessage()] = b""


class SubmitSm(_ShortMessage, frozen=True):
    command_id = 0x00000004


class SubmitSmResp(Pdu, frozen=True):
    command_id = 0x80000004
    message_id: C65 = ""


class DeliverSm(_ShortMessage, frozen=True):
    command_id = 0x00000005


class DeliverSmResp(Pdu, frozen=True):
    command_id = 0x80000005
    message_id: C65 = ""


class DataSm(Pdu, frozen=True):
    """Its text is in the optional parameter message_payload."""

    command_id = 0x00000103
    service_type: C6 = ""
    source_addr_ton: Plan = 0
    source_addr_npi: Plan = 0
    source_addr: Address = ""
    dest_addr_ton: Plan = 0
    dest_addr_npi: Plan = 0
    destination_addr: Address = ""
    esm_class: U8 = 0
    registered_delivery: U8 = 0
    data_coding: U8 = 0


class DataSmResp(Pdu, frozen=True):
    command_id = 0x80000103
    message_id: C65 = ""


class Destination(msgspec.Struct, frozen=True, gc=False):
    """A recipient of a submit_multi."""

    dest_addr_ton: U8 = 0
    dest_addr_npi: U8 = 0
    destination_addr: C21 = ""


class DistributionList(msgspec.Struct, frozen=True, gc=False):
    """Recipients that the carrier knows under one name."""

    dl_name: C21 = ""


class Unsuccess(msgspec.Struct, frozen=True, gc=False):
    """A recipient to whom a submit_multi could not be sent, and the status that says why."""

    dest_addr_ton: U8 = 0
    dest_addr_npi: U8 = 0
    destination_addr: C21 = ""
    error_status_code: U32 = 0


class SubmitMulti(Pdu, frozen=True):
    command_id = 0x00000021
    service_type: C6 = ""
    source_addr_ton: U8 = 0
    source_addr_npi: U8 = 0
    source_addr: C21 = ""
    dest_address: Annotated[
        tuple[Destination | DistributionList, ...],
        Records({1: Destination, 2: DistributionList}, most=254),
    ] = ()
    esm_class: U8 = 0
    protocol_id: U8 = 0
    priority_flag: U8 = 0
    schedule_delivery_time: Time = ""
    validity_period: Time = ""
    registered_delivery: U8 = 0
    replace_if_present_flag: U8 = 0
    data_coding: U8 = 0
    sm_default_msg_id: U8 = 0
    short_message: Annotated[bytes, ShortMessage()] = b""


class SubmitMultiResp(Pdu, frozen=True):
    command_id = 0x80000021
    message_id: C65 = ""
    unsuccess_sme: Annotated[tuple[Unsuccess, ...], Records({None: Unsuccess}, most=254)] = ()


class QuerySm(Pdu, frozen=True):
    command_id = 0x00000003
    message_id: C65 = ""
    source_addr_ton: U8 = 0
    source_addr_npi: U8 = 0
    source_addr: C21 = ""


class QuerySmResp(Pdu, frozen=True):
    command_id = 0x80000003
    message_id: C65 = ""
    final_date: Time = ""
    message_state: U8 = 0
    error_code: U8 = 0


class CancelSm(Pdu, frozen=True):
    command_id = 0x00000008
    service_type: C6 = ""
    message_id: C65 = ""
    source_addr_ton: U8 = 0
    source_addr_npi: U8 = 0
    source_addr: C21 = ""
    dest_addr_ton: U8 = 0
    dest_addr_npi: U8 = 0
    destination_addr: Address = ""


class CancelSmResp(Pdu, frozen=True):
    command_id = 0x80000008


class ReplaceSm(Pdu, frozen=True):
    """Unlike its kin it has no service_type."""

    command_id = 0x00000007
    message_id: C65 = ""
    source_addr_ton: U8 = 0
    source_addr_npi: U8 = 0
    source_addr: C21 = ""
    schedule_delivery_time: Time = ""
    validity_period: Time = ""
    registered_delivery: U8 = 0
    sm_default_msg_id: U8 = 0
    short_message: Annotated[bytes, ShortMessage()] = b""


class ReplaceSmResp(Pdu, frozen=True):
    command_id = 0x80000007


class AlertNotification(Pdu, frozen=True):
    """Has no response."""

    command_id = 0x00000102
    source_addr_ton: U8 = 0
    source_addr_npi: U8 = 0
    source_addr: Address = ""
    esme_addr_ton: U8 = 0
    esme_addr_npi: U8 = 0
    esme_addr: Address = ""


class EnquireLink(Pdu, frozen=True):
    command_id = 0x00000015


class EnquireLinkResp(Pdu, frozen=True):
    command_id = 0x80000015


class Unbind(Pdu, frozen=True):
    command_id = 0x00000006


class UnbindResp(Pdu, frozen=True):
    command_id = 0x80000006


class GenericNack(Pdu, frozen=True):
    """The answer to what is no PDU, or none that can be answered otherwise."""

    command_id = 0x80000000


TYPES: Final[tuple[type[Pdu], ...]] = (
    BindReceiver, BindReceiverResp, BindTransmitter, BindTransmitterResp, BindTransceiver,
    BindTransceiverResp, Outbind, SubmitSm, SubmitSmResp, DeliverSm, DeliverSmResp, DataSm,
    DataSmResp, SubmitMulti, SubmitMultiResp, QuerySm, QuerySmResp, CancelSm, CancelSmResp,
    ReplaceSm, ReplaceSmResp, AlertNotification, EnquireLink, EnquireLinkResp, Unbind, UnbindResp,
    GenericNack,
)  # fmt: skip


class Unparsed(msgspec.Struct, frozen=True, gc=False):
    """What came in an intact frame that is none of the PDUs above. The link lives on.

    Attributes:
        reason: what is wrong, for a log.
        body: what followed the header.
    """

    command_id: int
    reason: str
    body: bytes


class Packet(msgspec.Struct, frozen=True, gc=False):
    """A frame, decoded.

    Attributes:
        odd: what is odd about the body.
    """

    command_id: int
    status: int
    sequence: int
    pdu: Pdu | Unparsed
    odd: tuple[Odd, ...] = ()

    @property
    def broken(self) -> bool:
        """Whether the body breaks its layout: ``pdu`` has what of it is whole."""
        return breaks(self.odd)


_CODECS: Final = {kind.command_id: (kind, Layout(kind)) for kind in TYPES}
_EMPTY: Final = {kind.command_id: kind() for kind in TYPES if kind.command_id & RESPONSE}
"""What a response without a body stands for, by command_id."""


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """A frame that lacks only its sequence number: octets 0 to 11, and those from 16 on.

    Attributes:
        kind: what PDU it is.
    """

    kind: type[Pdu]
    head: bytes
    body: bytes

    def numbered(self, sequence: int) -> bytes:
        """The whole frame. Raises LocalProtocolError for no sequence number."""
        try:
            return self.head + sequence.to_bytes(4, "big") + self.body
        except OverflowError:
            raise LocalProtocolError(f"{sequence} is no sequence number") from None

    def extended(self, tlvs: tlv.Tlvs) -> "Encoded":
        """The same with optional parameters at its end. Raises LocalProtocolError where one does
        not fit."""
        more = tlv.write(tlvs)
        size = int.from_bytes(self.head[:4], "big") + len(more)
        return Encoded(self.kind, size.to_bytes(4, "big") + self.head[4:], self.body + more)


def encoded(pdu: Pdu, status: int = 0) -> Encoded:
    """``pdu`` as octets. Raises LocalProtocolError where a field does not fit, naming it."""
    command_id = pdu.command_id
    try:
        body = _CODECS[command_id][1].write(pdu)
        if pdu.tlvs:
            body += tlv.write(pdu.tlvs)
        return Encoded(type(pdu), HEAD.pack(HEADER.size + len(body), command_id, status), body)
    except (ValueError, struct.error) as error:
        raise LocalProtocolError(f"{type(pdu).__name__}: {error}") from None


def encode(pdu: Pdu, sequence: int, status: int = 0) -> bytes:
    """The frame of ``pdu``. Raises LocalProtocolError where something does not fit, naming it."""
    return encoded(pdu, status).numbered(sequence)


def decode(frame: bytes) -> Packet:
    """What ``frame``, as `gateway.smpp.framing` cuts it, says.

    A body that breaks its layout yields what of it is whole, with defaults in the place of what is
    not, and `Packet.odd` says so; only an unknown command_id yields an `Unparsed`. A response may
    come without a body, whatever its status. Raises RemoteProtocolError where the frame is shorter
    than a header, and nothing else ever.
    """
    size = len(frame)
    if size < HEADER.size:
        raise RemoteProtocolError(f"a frame of {size} octets is shorter than a header")
    _, command_id, status, sequence = HEADER.unpack_from(frame)
    if size == HEADER.size and (empty := _EMPTY.get(command_id)):
        return Packet(command_id, status, sequence, empty)
    codec = _CODECS.get(command_id)
    if codec is None:
        unknown = Unparsed(command_id, "unknown command_id", frame[HEADER.size :])
        return Packet(command_id, status, sequence, unknown)
    kind, layout = codec
    try:
        values, end = layout.read(frame, frame.decode("latin-1"), HEADER.size)
        if end == size:
            return Packet(command_id, status, sequence, kind(*values))
        tlvs, odd = tlv.read(frame, end)
        if not odd:
            return Packet(command_id, status, sequence, kind(*values, tlvs=tlvs))
        fits = not breaks(odd)
    except MisfitError:
        fits = False
    if fits:
        pdu = kind(*values, tlvs=tlvs)
    else:
        found = lenient.read(layout.fields, frame, HEADER.size)
        pdu, odd = kind(**found.values, tlvs=found.tlvs), found.odd
    odd = tuple(Odd(one.kind, f"{kind.__name__}: {one.where}") for one in odd)
    return Packet(command_id, status, sequence, pdu, odd)

"""Optional parameters of SMPP PDUs: the stream they form, and typed access to the ones in use.

A PDU carries its parameters as they came, ``((tag, octets), ...)``, in order and with repeats;
nothing is interpreted until somebody asks. This module does not say which PDU may carry which
parameter: peers do not keep to that, and nothing breaks where they do not.

    0        2        4
    +--------+--------+------------------+
    |  tag   | length | length octets    |  repeated to the end of the PDU
    +--------+--------+------------------+
"""

import struct
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from gateway.errors import LocalProtocolError, RemoteProtocolError

Tlvs = tuple[tuple[int, bytes], ...]
"""The optional parameters of a PDU, in order: tag and value."""

T = TypeVar("T")

_HEAD = struct.Struct(">HH")
_head_at = _HEAD.unpack_from


def read(frame: bytes, pos: int) -> Tlvs:
    """The parameters from ``pos`` to the end of ``frame``.

    Raises RemoteProtocolError where they do not end with it.
    """
    tlvs = []
    size = len(frame)
    while pos < size:
        start = pos + _HEAD.size
        if start > size:
            raise RemoteProtocolError(f"optional parameters: {size - pos} stray octets at the end")
        tag, length = _head_at(frame, pos)
        pos = start + length
        if pos > size:
            raise RemoteProtocolError(
                f"optional parameter 0x{tag:04X}: length {length}, but {size - start} octets are"
                " left"
            )
        tlvs.append((tag, frame[start:pos]))
    return tuple(tlvs)


def write(tlvs: Tlvs) -> bytes:
    """The octets of ``tlvs``. Raises LocalProtocolError where a tag or a value does not fit."""
    parts: list[bytes] = []
    for tag, value in tlvs:
        try:
            parts += (_HEAD.pack(tag, len(value)), value)
        except struct.error as error:
            raise LocalProtocolError(
                f"optional parameter {tag:#06x} of {len(value)} octets: {error}"
            ) from None
    return b"".join(parts)


class Kind(Protocol[T]):
    """How a parameter's value is written in octets."""

    def load(self, octets: bytes) -> T | None: ...

    def dump(self, value: T) -> bytes: ...


class Integer(NamedTuple):
    """A big-endian integer of ``size`` octets."""

    size: int

    def load(self, octets: bytes) -> int | None:
        return int.from_bytes(octets, "big") if len(octets) == self.size else None

    def dump(self, value: int) -> bytes:
        return value.to_bytes(self.size, "big")


class Text(NamedTuple):
    """Latin-1 ended by a NUL, at most ``size`` octets with it. Peers leave the NUL out."""

    size: int

    def load(self, octets: bytes) -> str | None:
        return octets.partition(b"\0")[0].decode("latin-1")

    def dump(self, value: str) -> bytes:
        octets = value.encode("latin-1")
        if len(octets) >= self.size or 0 in octets:
            raise ValueError(f"longer than {self.size - 1} octets, or NUL inside")
        return octets + b"\0"


class Octets(NamedTuple):
    """Octets as they are, ``least`` to ``most`` of them."""

    least: int
    most: int

    def load(self, octets: bytes) -> bytes | None:
        return octets if self.least <= len(octets) <= self.most else None

    def dump(self, value: bytes) -> bytes:
        if not self.least <= len(value) <= self.most:
            raise ValueError(f"{len(value)} octets, not {self.least} to {self.most}")
        return value


class NetworkError(NamedTuple):
    """An error of the network behind the carrier: ``network`` 3 is GSM, 7 SMPP, 8 the carrier's
    own message centre; what ``code`` means depends on it."""

    network: int
    code: int


class NetworkErrorCode:
    """One octet of network, two of code."""

    def load(self, octets: bytes) -> NetworkError | None:
        if len(octets) != 3:
            return None
        return NetworkError(octets[0], int.from_bytes(octets[1:], "big"))

    def dump(self, value: NetworkError) -> bytes:
        return value.network.to_bytes(1, "big") + value.code.to_bytes(2, "big")


class Parameter(Generic[T]):
    """One optional parameter by name: ``MESSAGE_STATE.get(pdu.tlvs)``, ``MESSAGE_STATE.of(2)``."""

    __slots__ = ("kind", "tag")

    def __init__(self, tag: int, kind: Kind[T]) -> None:
        self.tag = tag
        self.kind = kind

    def get(self, tlvs: Tlvs) -> T | None:
        """Its value, the first where it is repeated; None where it is absent or of a wrong size."""
        for tag, octets in tlvs:
            if tag == self.tag:
                return self.kind.load(octets)
        return None

    def of(self, value: T) -> tuple[int, bytes]:
        """The parameter, for the ``tlvs`` of a PDU. Raises LocalProtocolError where it does not
        fit."""
        try:
            return self.tag, self.kind.dump(value)
        except (ValueError, OverflowError) as error:
            raise LocalProtocolError(f"optional parameter {self.tag:#06x}: {error}") from None


_U8, _U16, _U32 = Integer(1), Integer(2), Integer(4)

QOS_TIME_TO_LIVE: Final = Parameter(0x0017, _U32)
PAYLOAD_TYPE: Final = Parameter(0x0019, _U8)
ADDITIONAL_STATUS_INFO_TEXT: Final = Parameter(0x001D, Text(256))
RECEIPTED_MESSAGE_ID: Final = Parameter(0x001E, Text(65))
USER_MESSAGE_REFERENCE: Final = Parameter(0x0204, _U16)
SOURCE_PORT: Final = Parameter(0x020A, _U16)
DESTINATION_PORT: Final = Parameter(0x020B, _U16)
SAR_MSG_REF_NUM: Final = Parameter(0x020C, _U16)
LANGUAGE_INDICATOR: Final = Parameter(0x020D, _U8)
SAR_TOTAL_SEGMENTS: Final = Parameter(0x020E, _U8)
SAR_SEGMENT_SEQNUM: Final = Parameter(0x020F, _U8)
SC_INTERFACE_VERSION: Final = Parameter(0x0210, _U8)
CALLBACK_NUM: Final = Parameter(0x0381, Octets(4, 19))
DPF_RESULT: Final = Parameter(0x0420, _U8)
SET_DPF: Final = Parameter(0x0421, _U8)
MS_AVAILABILITY_STATUS: Final = Parameter(0x0422, _U8)
NETWORK_ERROR_CODE: Final = Parameter(0x0423, NetworkErrorCode())
MESSAGE_PAYLOAD: Final = Parameter(0x0424, Octets(0, 0xFFFF))
DELIVERY_FAILURE_REASON: Final = Parameter(0x0425, _U8)
MORE_MESSAGES_TO_SEND: Final = Parameter(0x0426, _U8)
MESSAGE_STATE: Final = Parameter(0x0427, _U8)
CONGESTION_STATE: Final = Parameter(0x0428, _U8)
USSD_SERVICE_OP: Final = Parameter(0x0501, Octets(1, 1))
ALERT_ON_MESSAGE_DELIVERY: Final = Parameter(0x130C, Octets(0, 0))

"""Optional parameters of SMPP PDUs: the stream they form, and typed access to the ones in use.

A PDU carries its parameters as they came, ``((tag, octets), ...)``, in order and with repeats;
nothing is interpreted until somebody asks. This module does not say which PDU may carry which
parameter: peers do not keep to that, and nothing breaks where they do not. Nor does anything where
lengths are wrong: what is whole is read, and the rest told as `gateway.smpp.odd`.

    0        2        4
    +--------+--------+------------------+
    |  tag   | length | length octets    |  repeated to the end of the PDU
    +--------+--------+------------------+
"""

import struct
from collections import Counter
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from gateway.errors import LocalProtocolError
from gateway.smpp.odd import Odd

VENDOR: Final = range(0x1400, 0x4000)
"""Tags that mean what a carrier says."""

Tlvs = tuple[tuple[int, bytes], ...]
"""The optional parameters of a PDU, in order: tag and value."""

T = TypeVar("T")

_MACHINE_WORD: Final = 8
_HEAD = struct.Struct(">HH")
_head_at = _HEAD.unpack_from

HEADS: Final = 4096
"""Tags with their lengths whose meaning is kept, the first: carriers use a dozen. It spares each
parameter a quarter of a microsecond."""

LIKELY: Final = 1000
"""Octets of the longest parameter that is taken for one where it is not all there."""

_heads: dict[bytes, tuple[int, int, bool]] = {}


def read(frame: bytes, pos: int) -> tuple[Tlvs, tuple[Odd, ...]]:
    """The parameters from ``pos`` to the end of ``frame``, and what is odd about them.

    The last one may say that it is longer than the frame: then it has what is there. Fewer octets
    than a tag and a length are stray, and passed over.
    """
    tlvs = []
    odd: list[Odd] = []
    size, highest, ascending = len(frame), -1, True
    while pos < size:
        start = pos + _HEAD.size
        tag, length, usual = _heads.get(frame[pos:start]) or _head(frame[pos:start])
        if tag < 0:
            odd.append(Odd("stray_octets", "at the end"))
            break
        pos = start + length
        if pos > size:
            odd.append(Odd("cut_parameter", name(tag)))
        elif not usual:
            odd.append(Odd("parameter_size", name(tag)))
        tlvs.append((tag, frame[start:pos]))
        if tag <= highest:
            ascending = False
        highest = tag
    if not ascending:
        counts = Counter(tag for tag, _ in tlvs)
        odd += [
            Odd("repeated_parameter", name(tag))
            for tag, count in counts.items()
            if count > 1 and tag not in _REPEATABLE
        ]
    return tuple(tlvs), tuple(odd) if odd else ()


def _head(octets: bytes) -> tuple[int, int, bool]:
    """A tag, a length, and whether that is a length for that tag; -1 for the tag of what is too
    short."""
    if len(octets) < _HEAD.size:
        return -1, 0, False
    tag, length = _head_at(octets)
    sizes = _SIZES.get(tag)
    found = tag, length, sizes is None or length in sizes
    if len(_heads) < HEADS:
        _heads[octets] = found
    return found


def whole(octets: bytes) -> bool:
    """Whether these are optional parameters to their end."""
    pos, size = 0, len(octets)
    while pos + _HEAD.size <= size:
        pos += _HEAD.size + _head_at(octets, pos)[1]
    return pos == size


def begins(octets: bytes) -> bool:
    """Whether an optional parameter stands at the beginning of these: all of it or, of one that the
    book has, the head. (Letters of UCS-2 are tags too; as lengths they are beyond `LIKELY`.)"""
    if len(octets) < _HEAD.size:
        return False
    tag, length = _head_at(octets)
    if _HEAD.size + length <= len(octets):
        return True
    return length in _SIZES.get(tag, ()) and bool(length <= LIKELY)


def name(tag: int) -> str:
    """What a parameter is called in logs; those of vendors share one name."""
    if VENDOR.start <= tag < VENDOR.stop:
        return "a vendor's parameter"
    return f"parameter 0x{tag:04X}" if tag in _SIZES else "an unknown parameter"


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
    """How a parameter's value is written in octets, and in how many by the book."""

    @property
    def sizes(self) -> range: ...

    def load(self, octets: bytes) -> T | None: ...

    def dump(self, value: T) -> bytes: ...


class Integer(NamedTuple):
    """A big-endian integer of ``size`` octets. Read in other sizes too, where it fits: some write
    every integer in four octets, and in the order of their processor."""

    size: int

    @property
    def sizes(self) -> range:
        return range(self.size, self.size + 1)

    def load(self, octets: bytes) -> int | None:
        value = int.from_bytes(octets, "big")
        if len(octets) == self.size:
            return value
        if not 1 <= len(octets) <= _MACHINE_WORD:
            return None
        limit = 1 << 8 * self.size
        if value >= limit:
            value = int.from_bytes(octets, "little")
        return value if value < limit else None

    def dump(self, value: int) -> bytes:
        return value.to_bytes(self.size, "big")


class Text(NamedTuple):
    """Latin-1 ended by a NUL, at most ``size`` octets with it. Peers leave the NUL out, and go
    beyond the size: read all the same."""

    size: int

    @property
    def sizes(self) -> range:
        return range(1, self.size + 1)

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

    @property
    def sizes(self) -> range:
        return range(self.least, self.most + 1)

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

    sizes = range(3, 4)

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
        """Its value, the first that can be read where it is repeated; None where there is none."""
        for tag, octets in tlvs:
            if tag == self.tag and (value := self.kind.load(octets)) is not None:
                return value
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

_SIZES: Final = {
    one.tag: one.kind.sizes for one in list(globals().values()) if isinstance(one, Parameter)
}
"""How many octets each of the parameters above has by the book."""

_REPEATABLE: Final = frozenset({0x0302, 0x0303, CALLBACK_NUM.tag})
"""callback_num and its kin, of which there may be several (SMPP 3.4, section 5.3.2.36)."""

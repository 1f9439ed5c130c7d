"""SMPP by hand: PDUs as octets, put together and taken apart with `struct` alone, so that a test
can say what no encoder would write. It knows nothing of the gateway's code."""

import struct
from typing import NamedTuple

GENERIC_NACK = 0x80000000
BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER = 0x01, 0x02, 0x09
SUBMIT_SM, DELIVER_SM, UNBIND, ENQUIRE_LINK, DATA_SM = 0x04, 0x05, 0x06, 0x15, 0x103
RESPONSE = 0x80000000

RECEIPT, UDHI = 0x04, 0x40
"""esm_class."""


def frame(command_id: int, sequence: int, body: bytes = b"", status: int = 0) -> bytes:
    """A PDU: the header, its length right, and a body."""
    return struct.pack(">IIII", 16 + len(body), command_id, status, sequence) + body


def cstring(text: str | bytes) -> bytes:
    """A C-octet string."""
    return (text.encode("latin-1") if isinstance(text, str) else text) + b"\0"


def tlv(tag: int, value: bytes, length: int | None = None) -> bytes:
    """An optional parameter; ``length`` is what it says of its length, where that is wrong."""
    return struct.pack(">HH", tag, len(value) if length is None else length) + value


def deliver_sm(
    text: bytes = b"",
    *,
    source: str = "447700900123",
    source_ton: int = 1,
    source_npi: int = 1,
    dest: str = "10690001",
    dest_ton: int = 1,
    dest_npi: int = 1,
    esm_class: int = 0,
    coding: int = 0,
    sm_length: int | None = None,
    tlvs: bytes = b"",
    service_type: bytes = b"\0",
    source_field: bytes | None = None,
    dest_field: bytes | None = None,
) -> bytes:
    """The body of a deliver_sm. ``sm_length`` is what it says of its length, ``service_type``,
    ``source_field`` and ``dest_field`` are C-octet strings as they go out, where something is wrong
    with them; ``tlvs`` is whatever follows short_message."""
    return b"".join(
        (
            service_type,
            bytes((source_ton, source_npi)),
            cstring(source) if source_field is None else source_field,
            bytes((dest_ton, dest_npi)),
            cstring(dest) if dest_field is None else dest_field,
            bytes((esm_class, 0, 0)),
            b"\0\0",  # schedule_delivery_time and validity_period
            bytes((0, 0, coding, 0)),
            bytes((len(text) if sm_length is None else sm_length,)),
            text,
            tlvs,
        )
    )


def receipt(ref: str, stat: str = "DELIVRD", err: str = "000") -> bytes:
    """The text of a receipt by the book."""
    return (
        f"id:{ref} sub:001 dlvrd:001 submit date:2609211200 done date:2609211201 stat:{stat} "
        f"err:{err} text:"
    ).encode("latin-1")


class Bind(NamedTuple):
    """A bind request, taken apart."""

    command_id: int
    system_id: str
    password: str
    system_type: str
    interface_version: int
    ton: int
    npi: int
    address_range: str


class Submit(NamedTuple):
    """A submit_sm, taken apart."""

    sequence: int
    service_type: str
    source_ton: int
    source_npi: int
    source: str
    dest_ton: int
    dest_npi: int
    dest: str
    esm_class: int
    protocol_id: int
    priority: int
    schedule: str
    validity: str
    registered_delivery: int
    replace: int
    coding: int
    default_message: int
    text: bytes
    tlvs: tuple[tuple[int, bytes], ...]

    @property
    def header(self) -> bytes:
        """The user data header; empty where it has none."""
        return self.text[: self.text[0] + 1] if self.esm_class & UDHI else b""

    @property
    def payload(self) -> bytes:
        """The text without its header, wherever it stands."""
        return dict(self.tlvs).get(0x0424) or self.text[len(self.header) :]


class _Reader:
    """Takes a body apart, field by field; what does not fit is the gateway's fault."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def text(self) -> str:
        end = self._body.index(b"\0", self._at)
        found, self._at = self._body[self._at : end], end + 1
        return found.decode("latin-1")

    def octet(self) -> int:
        self._at += 1
        return self._body[self._at - 1]

    def octets(self, count: int) -> bytes:
        found = self._body[self._at : self._at + count]
        assert len(found) == count
        self._at += count
        return found

    def tlvs(self) -> tuple[tuple[int, bytes], ...]:
        found = []
        while self._at < len(self._body):
            tag, length = struct.unpack(">HH", self.octets(4))
            found.append((tag, self.octets(length)))
        return tuple(found)


def read_bind(command_id: int, body: bytes) -> Bind:
    one = _Reader(body)
    found = Bind(
        command_id,
        one.text(),
        one.text(),
        one.text(),
        one.octet(),
        one.octet(),
        one.octet(),
        one.text(),
    )
    assert one.tlvs() == ()
    return found


def read_submit(sequence: int, body: bytes) -> Submit:
    one = _Reader(body)
    return Submit(
        sequence,
        one.text(),
        one.octet(),
        one.octet(),
        one.text(),
        one.octet(),
        one.octet(),
        one.text(),
        one.octet(),
        one.octet(),
        one.octet(),
        one.text(),
        one.text(),
        one.octet(),
        one.octet(),
        one.octet(),
        one.octet(),
        one.octets(one.octet()),
        one.tlvs(),
    )

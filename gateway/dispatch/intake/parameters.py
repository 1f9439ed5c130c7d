"""The optional parameters that messages carry beside the gateway's own, as tenants and
configurations state them: tag and value, such as the entity and template ids that India's DLT asks
for (0x1400 and 0x1401, C-octet strings). What a parameter means is between tenant and carrier."""

from collections.abc import Container, Mapping
from typing import Final

from gateway.smpp.tlv import (
    MESSAGE_PAYLOAD,
    SAR_MSG_REF_NUM,
    SAR_SEGMENT_SEQNUM,
    SAR_TOTAL_SEGMENTS,
    VENDOR,
    Tlvs,
)

MOST: Final = 16
"""Parameters of one message. They go out with each of its parts, and wait with it in the store."""

LONGEST: Final = 255
"""Octets of one value, a NUL at its end among them."""

_OURS: Final = {
    one.tag for one in (MESSAGE_PAYLOAD, SAR_MSG_REF_NUM, SAR_TOTAL_SEGMENTS, SAR_SEGMENT_SEQNUM)
}

OPERATORS: Final = frozenset(range(0x10000)) - _OURS
"""The tags that a configuration may state: all but those by which the gateway sends long texts.
Tenants state those of vendors, lest they set what the gateway or a rule of its decides."""


def read(given: Mapping[int | str, object], tags: Container[int] = VENDOR) -> Tlvs:
    """Parameters by their tags, in order. Raises ValueError, which names the one that is wrong."""
    if len(given) > MOST:
        raise ValueError(f"{len(given)} parameters, over {MOST}")
    found: dict[int, bytes] = {}
    for name, value in given.items():
        try:
            tag, octets = parameter(name, value, tags)
        except ValueError as error:
            shown = f"{name:#06x}" if isinstance(name, int) else repr(name[:32])
            raise ValueError(f"{shown}: {error}") from None
        if tag in found:
            raise ValueError(f"{tag:#06x} is there twice")
        found[tag] = octets
    return tuple(sorted(found.items()))


def parameter(name: int | str, value: object, tags: Container[int] = VENDOR) -> tuple[int, bytes]:
    """One parameter: octets as they are, a text as a C-octet string. Raises ValueError."""
    try:
        tag = name if isinstance(name, int) else int(name, 0)
    except ValueError:
        raise ValueError("not a tag: a number such as 5120 or 0x1400") from None
    if tag not in tags:
        if tag in _OURS:
            raise ValueError("is written by the gateway, see long_messages")
        if tags is VENDOR:
            raise ValueError("not a vendor's tag, 0x1400 to 0x3FFF")
        raise ValueError("not a tag, 0 to 0xFFFF")
    if isinstance(value, str):
        if "\0" in value or not value.isascii():
            raise ValueError("a text of characters that are not ASCII, or NUL; give octets")
        value = value.encode() + b"\0"
    if not isinstance(value, bytes):
        raise ValueError("the value is neither octets nor a text")
    if len(value) > LONGEST:
        raise ValueError(f"{len(value)} octets, over {LONGEST}")
    return tag, value


def merged(first: Tlvs, then: Tlvs) -> Tlvs:
    """Parameters from two sources; where both have one, the later one's."""
    if not first or not then:
        return first or then
    return tuple(sorted((dict(first) | dict(then)).items()))

"""How events are encoded: as they go over the wire, in chunks of consecutive ``seq``.

An event is encoded once, by whoever hands it to the store, as a msgpack map without ``seq``. The
store gives it its ``seq`` by putting one pair in front:

    encode   82             a4 type … a2 at …        a map of 2 pairs
    stamp    83 a3 seq cf <8 bytes> a4 type … a2 at …        a map of 3 pairs

Maps one after the other are a chunk's body, which goes to subscribers byte for byte. Nothing here
reads or writes storage.
"""

import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from gateway.message import Event, message_number
from gateway.queue.store import EventChunk

CHUNK = 500
"""Events in a chunk at most, so that trimming one to a subscriber's place stays cheap."""

CHUNK_BYTES = 256 * 1024
"""Bytes in a chunk at most, unless one event alone is longer: far below a frame's limit."""

# A map of up to 15 pairs has the one-byte header 0x80 + pairs.
_HEADS = tuple(bytes((0x81 + pairs,)) + b"\xa3seq\xcf" for pairs in range(15))
_ADDED = len(_HEADS[0]) - 1 + 8
_seq = struct.Struct(">Q").pack


class _Subject(msgspec.Struct, gc=False):
    message_id: str | None = None


encode = msgspec.msgpack.Encoder().encode
"""The msgpack map of an `Event`, without ``seq``."""

decode = msgspec.msgpack.Decoder(Event).decode
"""The `Event` of an encoded map; a ``seq`` in it is passed over."""

_maps = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_subjects = msgspec.msgpack.Decoder(list[_Subject]).decode


def stamp(encoded: Sequence[bytes], first: int) -> list[bytes]:
    """Encoded events with consecutive ``seq`` from ``first`` on."""
    return [
        _HEADS[event[0] & 15] + _seq(seq) + event[1:] for seq, event in enumerate(encoded, first)
    ]


def chunks(tenant: str, first: int, encoded: Sequence[bytes]) -> list[EventChunk]:
    """Encoded events as chunks, with consecutive ``seq`` from ``first`` on."""
    made = []
    for start, stop in _spans([len(event) + _ADDED for event in encoded]):
        body = b"".join(stamp(encoded[start:stop], first + start))
        made.append(EventChunk(tenant, first + start, stop - start, body))
    return made


def _spans(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Cuts a row of sizes where a chunk would have too many events or too many bytes."""
    spans = []
    start = total = 0
    for index, size in enumerate(sizes):
        if index > start and (index - start == CHUNK or total + size > CHUNK_BYTES):
            spans.append((start, index))
            start, total = index, 0
        total += size
    if sizes:
        spans.append((start, len(sizes)))
    return spans


def split(chunk: EventChunk) -> list[msgspec.Raw]:
    """The encoded events of a chunk, each with its ``seq``."""
    return _maps(_as_array(chunk))


def trim(chunk: EventChunk, after: int) -> EventChunk:
    """What of a chunk has ``seq`` > ``after``: the chunk itself where that is all of it."""
    skip = after + 1 - chunk.first
    if skip <= 0:
        return chunk
    return EventChunk(chunk.tenant, after + 1, chunk.size - skip, b"".join(split(chunk)[skip:]))


def merge(row: Iterable[EventChunk]) -> list[EventChunk]:
    """Chunks that follow one another, as few and full as the bounds of a chunk allow."""
    merged: list[EventChunk] = []
    for first, *rest in _fitting(row):
        body = b"".join([first.body, *[chunk.body for chunk in rest]])
        size = first.size + sum(chunk.size for chunk in rest)
        merged.append(first._replace(size=size, body=body) if rest else first)
    return merged


def _fitting(row: Iterable[EventChunk]) -> Iterator[list[EventChunk]]:
    """Chunks in groups that fit into one each."""
    group: list[EventChunk] = []
    size = total = 0
    for chunk in row:
        size, total = size + chunk.size, total + len(chunk.body)
        if group and (size > CHUNK or total > CHUNK_BYTES):
            yield group
            group, size, total = [], chunk.size, len(chunk.body)
        group.append(chunk)
    if group:
        yield group


KEPT: Final = frozenset(
    {
        *("carrier", "sent_at", "smpp_status", "receipt_state", "receipt_error", "network_error"),
        *("parts_delivered", "parts_taken", "rule", "reply"),
    }
)
"""Details of an event that say nothing of whose it is."""


class Erasing(NamedTuple):
    """A chunk without what it told of phones, and of which messages and keys that was."""

    chunk: EventChunk
    events: int
    messages: list[int]
    keys: list[str]


def erase(chunk: EventChunk, phones: Collection[str]) -> Erasing | None:
    """Take out of a chunk what tells of phones, in any of their spellings: its events stay, with
    their ``seq``, their time and their outcome, marked as erased. None where there is nothing."""
    if not any(phone.encode() in chunk.body for phone in phones):
        return None
    encoded: list[bytes] = []
    found = Erasing(chunk, 0, [], [])
    events = 0
    for raw in split(chunk):
        event = decode(raw)
        if (event.to if event.message_id is not None else event.sender) in phones:
            events += 1
            if event.message_id is not None:
                found.messages.append(int(event.message_id, 16))
            if event.key is not None:
                found.keys.append(event.key)
            detail = {name: one for name, one in (event.detail or {}).items() if name in KEPT}
            event = msgspec.structs.replace(
                event, key=None, to=None, sender=None, text=None, detail=detail | {"erased": True}
            )
        encoded.append(encode(event))
    if not events:
        return None
    body = b"".join(stamp(encoded, chunk.first))
    return found._replace(chunk=chunk._replace(body=body), events=events)


def message_numbers(chunk: EventChunk) -> list[int]:
    """The messages whose outcomes a chunk tells."""
    numbers = (message_number(event.message_id or "") for event in _subjects(_as_array(chunk)))
    return [number for number in numbers if number is not None]


def _as_array(chunk: EventChunk) -> bytes:
    return b"\xdd" + chunk.size.to_bytes(4, "big") + chunk.body

"""The encoding of events: stamped, cut into chunks, trimmed and merged without loss."""

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.message import Event
from gateway.queue import events
from gateway.queue.store import EventChunk

EVENTS = st.builds(
    Event,
    type=st.sampled_from(["delivered", "failed", "inbound"]),
    at=st.floats(0, 2e9),
    message_id=st.none() | st.integers(1, 2**63 - 1).map(lambda number: f"{number:x}"),
    key=st.none() | st.text(max_size=70),
    to=st.none() | st.just("447911123456"),
    sender=st.none() | st.text(max_size=20),
    campaign=st.none() | st.text(max_size=70),
    parts=st.none() | st.integers(0, 255),
    text=st.none() | st.text(max_size=300),
    code=st.none() | st.just("opted_out"),
    detail=st.none() | st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=20),
    maybe_duplicate=st.booleans(),
)


def unpacked(chunks: list[EventChunk]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for chunk in chunks:
        unpacker = msgpack.Unpacker()
        unpacker.feed(chunk.body)
        found += unpacker
    return found


def encoded_of_size(size: int) -> bytes:
    return events.encode(Event("inbound", 1.0, text="x" * size))


def test_an_event_with_its_seq_fits_a_one_byte_header() -> None:
    assert len(Event.__struct_fields__) <= 14


def test_stamp_byte_by_byte() -> None:
    body = events.encode(Event("optout", 0.5))
    assert body == b"\x82\xa4type\xa6optout\xa2at\xcb\x3f\xe0\0\0\0\0\0\0"
    assert events.stamp([body], 258) == [b"\x83\xa3seq\xcf\0\0\0\0\0\0\1\2" + body[1:]]


@given(st.lists(EVENTS, max_size=30), st.integers(1, 2**40 - 31))
def test_events_come_back_with_their_seq(made: list[Event], first: int) -> None:
    chunks = events.chunks("acme", first, [events.encode(event) for event in made])
    assert unpacked(chunks) == [
        {"seq": seq, **msgspec.to_builtins(event)} for seq, event in enumerate(made, first)
    ]
    for chunk in chunks:
        assert [events.decode(one) for one in events.split(chunk)] == made
        assert events.message_numbers(chunk) == [
            int(event.message_id, 16) for event in made if event.message_id
        ]


@given(st.lists(st.integers(0, 300), max_size=40), st.integers(0, 40))
def test_trim_and_merge_lose_nothing(sizes: list[int], after: int) -> None:
    chunks: list[EventChunk] = []
    for size in sizes:
        start = chunks[-1].last + 1 if chunks else 1
        chunks += events.chunks("acme", start, [encoded_of_size(size)] * (size % 4))
    merged = events.merge(chunks)
    assert unpacked(merged) == unpacked(chunks)
    assert len(merged) <= 1
    trimmed = [events.trim(chunk, after) for chunk in merged if chunk.last > after]
    assert unpacked(trimmed) == unpacked(chunks)[after:]
    assert [chunk.first for chunk in trimmed] == [max(1, after + 1) for _ in trimmed]


def test_no_chunk_has_too_many_events() -> None:
    chunks = events.chunks("acme", 1, [encoded_of_size(1)] * (2 * events.CHUNK + 1))
    assert [chunk.size for chunk in chunks] == [events.CHUNK, events.CHUNK, 1]
    assert [chunk.first for chunk in chunks] == [1, events.CHUNK + 1, 2 * events.CHUNK + 1]
    assert [chunk.size for chunk in events.merge(chunks)] == [events.CHUNK, events.CHUNK, 1]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([100_000, 100_000, 100_000], [2, 1]),
        ([300_000, 1, 1], [1, 2]),
        ([1, 300_000, 1], [1, 1, 1]),
        ([], []),
    ],
)
def test_a_chunk_is_bounded_in_bytes_but_for_one_event(
    sizes: list[int], expected: list[int]
) -> None:
    encoded = [encoded_of_size(size) for size in sizes]
    assert [chunk.size for chunk in events.chunks("acme", 1, encoded)] == expected
    singles = [c for n, e in enumerate(encoded, 1) for c in events.chunks("acme", n, [e])]
    assert [chunk.size for chunk in events.merge(singles)] == expected


def test_an_event_of_a_later_version_is_read() -> None:
    later = msgspec.msgpack.encode({"seq": 7, "type": "sent", "at": 1.0, "price": 3})
    assert events.decode(later) == Event("sent", 1.0)

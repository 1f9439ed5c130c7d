import struct
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.frames import FrameReader, FrameTooLargeError, frame, put_length

bodies = st.lists(st.binary(max_size=40), max_size=8)


def taken(reader: FrameReader) -> list[bytes]:
    found = []
    while (body := reader.next_frame()) is not None:
        found.append(body)
    return found


@given(bodies, st.data())
def test_frames_come_out_as_they_went_in_however_they_were_cut(
    sent: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(map(frame, sent))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=10).map(sorted))
    reader = FrameReader(40)
    received = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        reader.receive(stream[start:end])
        received += taken(reader)
    assert received == sent


@given(bodies, st.integers(0, 40), st.integers(1, 9))
def test_frames_come_out_together_up_to_a_long_one(
    sent: list[bytes], longest: int, most: int
) -> None:
    reader = FrameReader(40)
    reader.receive(b"".join(map(frame, sent)) + frame(b"begun")[:-1])
    found = reader.next_frames(most, longest)
    wanted = [*takewhile(lambda body: len(body) <= longest, sent)][:most]
    assert found == wanted
    reader.receive(b"n")
    assert taken(reader) == [*sent[len(found) :], b"begun"]


def test_frames_come_out_together_up_to_one_that_is_too_long() -> None:
    reader = FrameReader(5)
    reader.receive(frame(b"one") + frame(b"two") + struct.pack(">I", 6))
    assert reader.next_frames(9, 100) == [b"one", b"two"]
    assert reader.next_frames(9, 100) == []
    with pytest.raises(FrameTooLargeError):
        _ = reader.announced


def test_a_byte_at_a_time_gives_the_frame_at_its_last_byte() -> None:
    reader = FrameReader(100)
    data = frame(b"hello")
    for byte in data[:-1]:
        reader.receive(bytes([byte]))
        assert reader.next_frame() is None
    reader.receive(data[-1:])
    assert reader.next_frame() == b"hello"


def test_the_limit_is_the_longest_body_allowed() -> None:
    reader = FrameReader(5)
    reader.receive(frame(b"12345"))
    assert reader.next_frame() == b"12345"


def test_a_frame_that_is_too_long_is_refused_at_its_header_and_ever_after() -> None:
    reader = FrameReader(5)
    reader.receive(frame(b"ok") + struct.pack(">I", 6))
    assert reader.next_frame() == b"ok"
    for _ in range(2):
        with pytest.raises(FrameTooLargeError, match="6 bytes is longer than 5"):
            reader.next_frame()
        reader.receive(b"more")


def test_the_limit_may_change_between_frames() -> None:
    reader = FrameReader(2)
    reader.receive(frame(b"ok") + frame(b"longer"))
    assert reader.next_frame() == b"ok"
    reader.max_frame = 6
    assert reader.next_frame() == b"longer"


def test_the_header_is_four_bytes_big_endian() -> None:
    assert frame(b"abc") == b"\x00\x00\x00\x03abc"
    buffer = bytearray(b"before\0\0\0\0abc")
    put_length(buffer, 6)
    assert bytes(buffer) == b"before\x00\x00\x00\x03abc"

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.framing import MAX_FRAME, BadLengthError, Splitter


def frame(body: bytes) -> bytes:
    return struct.pack(">I", 16 + len(body)) + bytes(12) + body


frames = st.lists(st.binary(max_size=80).map(frame), max_size=8)


@given(frames, st.binary(max_size=15), st.data())
def test_frames_come_out_however_the_stream_is_cut(
    expected: list[bytes], rest: bytes, data: st.DataObject
) -> None:
    rest = frame(b"x")[: len(rest)]  # the beginning of one more
    stream = b"".join(expected) + rest
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    splitter = Splitter()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += splitter.feed(stream[start:end])
    assert found == expected
    assert splitter.buffered == len(rest)


@given(frames)
def test_frames_come_out_octet_by_octet(expected: list[bytes]) -> None:
    splitter = Splitter()
    stream = b"".join(expected)
    found = [one for i in range(len(stream)) for one in splitter.feed(stream[i : i + 1])]
    assert found == expected
    assert splitter.buffered == 0


def test_the_longest_frame_passes() -> None:
    longest = frame(bytes(MAX_FRAME - 16))
    splitter = Splitter()
    assert splitter.feed(longest[:-1]) == []
    assert splitter.buffered == MAX_FRAME - 1
    assert splitter.feed(longest[-1:] + longest) == [longest, longest]


@pytest.mark.parametrize("length", [0, 15, MAX_FRAME + 1, 0xFFFFFFFF, 0x47455420])
def test_a_bad_length_keeps_what_came_before_it(length: int) -> None:
    good = frame(b"good")
    splitter = Splitter()
    assert splitter.feed(good[:7]) == []
    with pytest.raises(BadLengthError) as caught:
        splitter.feed(good[7:] + good + struct.pack(">I", length) + b"whatever")
    assert caught.value.frames == [good, good]
    assert caught.value.length == length
    assert str(length) in str(caught.value)
    with pytest.raises(BadLengthError) as again:
        splitter.feed(good)
    assert again.value.frames == []
    assert again.value.length == length


def test_a_bad_length_is_seen_with_its_last_octet() -> None:
    splitter = Splitter()
    assert splitter.feed(b"\0\0\0") == []
    with pytest.raises(BadLengthError):
        splitter.feed(b"\x0f")

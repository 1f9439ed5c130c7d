"""Frames: a 4-byte big-endian length, then that many bytes of body. No I/O, no msgpack.

Used by the server and by the clients, so it needs nothing but this package's exceptions.
"""

from struct import Struct
from typing import Final

from gateway.errors import RemoteProtocolError

_LENGTH = Struct(">I")
HEADER_SIZE: Final = _LENGTH.size

MAX_FRAME: Final = 8 * 1024 * 1024
"""The default limit on a body: 10,000 messages of some 800 bytes each."""


class FrameTooLargeError(RemoteProtocolError):
    """A frame is announced that is longer than allowed; where the next one starts is past it."""


def frame(body: bytes) -> bytes:
    """``body`` as a frame."""
    return _LENGTH.pack(len(body)) + body


def put_length(buffer: bytearray, start: int) -> None:
    """Write the header of the frame that begins at ``start`` and ends where ``buffer`` ends."""
    _LENGTH.pack_into(buffer, start, len(buffer) - start - HEADER_SIZE)


class FrameReader:
    """Cuts a stream of bytes into frames.

    Attributes:
        max_frame: the longest body allowed; may change between frames.
    """

    def __init__(self, max_frame: int) -> None:
        self.max_frame = max_frame
        self._buffer = bytearray()
        self._start = 0

    @property
    def buffered(self) -> int:
        """Bytes of frames that were not given out."""
        return len(self._buffer) - self._start

    @property
    def announced(self) -> int:
        """The length of the next body, 0 until its header is there.

        Raises:
            FrameTooLargeError: it is longer than ``max_frame``.
        """
        if self.buffered < HEADER_SIZE:
            return 0
        (length,) = _LENGTH.unpack_from(self._buffer, self._start)
        if length > self.max_frame:
            raise FrameTooLargeError(f"a frame of {length} bytes is longer than {self.max_frame}")
        return int(length)

    def receive(self, data: bytes | bytearray) -> None:
        """Take in bytes from the peer."""
        self._buffer += data

    def next_frame(self) -> bytes | None:
        """The body of the next frame, or None until more bytes come.

        Raises:
            FrameTooLargeError: at the header of a frame longer than ``max_frame``, and ever after.
        """
        buffer, body = self._buffer, self._start + HEADER_SIZE
        end = body + self.announced
        if len(buffer) >= end:
            with memoryview(buffer) as view:
                found = bytes(view[body:end])
            self._start = end
            if 2 * end >= len(buffer):  # not at each frame: that would move the others every time
                self._let_go()
            return found
        self._let_go()
        return None

    def next_frames(self, most: int, longest: int) -> list[bytes]:
        """The bodies of the next frames that are complete: ``most`` of them at most, up to the
        first that is longer than ``longest``, or too long altogether (see `announced`)."""
        found: list[bytes] = []
        buffer, start = self._buffer, self._start
        longest = min(longest, self.max_frame)
        with memoryview(buffer) as view:
            size = len(buffer)
            while len(found) < most and size - start >= HEADER_SIZE:
                (length,) = _LENGTH.unpack_from(view, start)
                end = start + HEADER_SIZE + length
                if length > longest or end > size:
                    break
                found.append(bytes(view[start + HEADER_SIZE : end]))
                start = end
        if found:
            self._start = start
            self._let_go()
        return found

    def clear(self) -> None:
        """Nothing more is to be given out."""
        self._start = len(self._buffer)
        self._let_go()

    def _let_go(self) -> None:
        """Hold no memory for what was given out."""
        del self._buffer[: self._start]
        self._start = 0

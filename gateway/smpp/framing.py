"""Cuts a stream of octets into the frames of SMPP PDUs. It looks at command_length alone."""

import struct
from typing import Final

from gateway.errors import RemoteProtocolError

MIN_FRAME: Final = 16
"""A header."""

MAX_FRAME: Final = 128 * 1024
"""A message_payload can have 64 KiB; twice that leaves room for whatever else a PDU carries."""

_LENGTH = struct.Struct(">I")
_length_at = _LENGTH.unpack_from


class BadLengthError(RemoteProtocolError):
    """A command_length that no PDU can have. Nothing after it can be read.

    Attributes:
        length: the command_length.
        frames: the frames that the same octets completed before it. They are good.
    """

    def __init__(self, length: int, frames: list[bytes]) -> None:
        super().__init__(f"command_length {length} is not between {MIN_FRAME} and {MAX_FRAME}")
        self.length = length
        self.frames = frames


class Splitter:
    """Collects octets and gives frames. Keeps at most one incomplete frame: under `MAX_FRAME`
    octets."""

    def __init__(self) -> None:
        self._partial = bytearray()
        self._wanted = _LENGTH.size  # octets from which `_partial` can tell more

    @property
    def buffered(self) -> int:
        """Octets of a frame that is not complete yet."""
        return len(self._partial)

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that ``data`` completes, in order.

        Raises `BadLengthError`, which holds the frames before the bad one; from then on it does
        so whatever comes.
        """
        partial = self._partial
        if partial:
            partial += data
            if len(partial) < self._wanted:
                return []
            data = bytes(partial)
            partial.clear()
        frames: list[bytes] = []
        pos, size = 0, len(data)
        last = size - _LENGTH.size  # where a length can stand
        self._wanted = _LENGTH.size
        while pos <= last:
            (length,) = _length_at(data, pos)
            if not MIN_FRAME <= length <= MAX_FRAME:
                partial += data[pos : pos + _LENGTH.size]
                raise BadLengthError(length, frames)
            end = pos + length
            if end > size:
                self._wanted = length
                break
            frames.append(data[pos:end])
            pos = end
        partial += data[pos:]
        return frames

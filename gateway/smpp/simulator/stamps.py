"""Tells load testers when messages reached a simulated carrier, over a socket of its own.

Whoever connects gets a line ``recipient seconds`` for each message that is taken from then on: the
destination address, and Unix seconds by this machine's clock. A long text counts when its first
part comes. Nothing is kept for those who are not connected.
"""

from typing import Final

import trio

from gateway.smpp import tlv
from gateway.smpp.pdu import SubmitSm

EVERY: Final = 0.05
"""Seconds between two writes: stamps need not hurry, and the messages that are measured do."""

MAX_UNREAD: Final = 64 << 20
"""Bytes that a reader may leave unread, about two million stamps; then its connection is closed, so
that it knows of the gap."""

PATIENCE: Final = 30.0
"""Seconds that a reader may take for a write."""

_HEADER = 0x40
_NUMBERED = {0x00: 2, 0x08: 3}
"""Where in an information element of this kind the number of the part stands."""


class Stamps:
    """The lines that wait for each reader."""

    def __init__(self) -> None:
        self._readers: set[_Reader] = set()

    def add(self, at: float, pdu: SubmitSm) -> None:
        """A submit_sm was taken, at these Unix seconds."""
        if self._readers and part_of(pdu) == 1:
            line = f"{pdu.destination_addr} {at:.6f}\n".encode()
            for reader in self._readers:
                reader.add(line)

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Write to one reader for as long as it reads."""
        reader = _Reader()
        self._readers.add(reader)
        try:
            while not reader.lost:
                await trio.sleep(EVERY)
                data = reader.take()
                # Without any, an empty line tells whether it is still there.
                with trio.fail_after(PATIENCE):
                    await stream.send_all(data or b"\n")
        except (trio.BrokenResourceError, trio.TooSlowError):
            pass
        finally:
            self._readers.discard(reader)
            await trio.aclose_forcefully(stream)


class _Reader:
    """What waits for one reader, up to `MAX_UNREAD`."""

    def __init__(self) -> None:
        self.lost = False
        self._lines = bytearray()

    def add(self, line: bytes) -> None:
        self._lines += line
        if len(self._lines) > MAX_UNREAD:
            self.lost = True
            self._lines.clear()

    def take(self) -> bytearray:
        lines, self._lines = self._lines, bytearray()
        return lines


def part_of(pdu: SubmitSm) -> int:
    """The number of the part that a submit_sm is, from 1 up; 1 where it says nothing."""
    number = tlv.SAR_SEGMENT_SEQNUM.get(pdu.tlvs)
    if number is not None:
        return number
    if not pdu.esm_class & _HEADER:
        return 1
    octets = pdu.short_message or tlv.MESSAGE_PAYLOAD.get(pdu.tlvs) or b""
    header = octets[1 : 1 + octets[0]] if octets else b""
    while len(header) >= 2:
        kind, element, header = header[0], header[2 : 2 + header[1]], header[2 + header[1] :]
        where = _NUMBERED.get(kind)
        if where is not None and where < len(element):
            return element[where]
    return 1

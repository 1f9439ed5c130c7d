"""A simulated carrier's record of what it took: one JSON object a line, for tests to read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from gateway.smpp import tlv
from gateway.smpp.pdu import SubmitSm

MAX_LINES: Final = 10_000
"""Lines that wait to be written, about 3 MB; past it they are written at once."""


class Line(msgspec.Struct, frozen=True, gc=False):
    """A submit_sm that was taken.

    Attributes:
        time: when, in Unix seconds.
        system_id, bind: on whose bind, and the number of its connection, from 1 up.
        source, destination: addresses.
        esm_class, data_coding: as submitted.
        short_message: its octets, or those of message_payload where it is empty, in hex.
        validity: validity_period as submitted.
        id: the message id in the response.
    """

    time: float
    system_id: str
    bind: int
    source: str
    destination: str
    esm_class: int
    data_coding: int
    short_message: str
    validity: str
    id: str


class Recorder:
    """Writes lines to a file, in batches."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lines: list[Line] = []
        self._encoder = msgspec.json.Encoder()

    def add(self, at: float, system_id: str, bind: int, pdu: SubmitSm, ref: str) -> None:
        """Add the line for a message; it is written with others, later."""
        octets = pdu.short_message or tlv.MESSAGE_PAYLOAD.get(pdu.tlvs) or b""
        line = Line(
            time=at,
            system_id=system_id,
            bind=bind,
            source=pdu.source_addr,
            destination=pdu.destination_addr,
            esm_class=pdu.esm_class,
            data_coding=pdu.data_coding,
            short_message=octets.hex(),
            validity=pdu.validity_period,
            id=ref,
        )
        self._lines.append(line)
        if len(self._lines) >= MAX_LINES:
            self.flush()

    def flush(self) -> None:
        """Write the lines that wait."""
        if self._lines:
            self._file.write(self._encoder.encode_lines(self._lines))
            self._lines.clear()


@contextmanager
def recording(path: str | None) -> Iterator[Recorder | None]:
    """A `Recorder` that adds to the file at ``path``, or None without one."""
    if path is None:
        yield None
        return
    with Path(path).open("ab", buffering=0) as file:
        recorder = Recorder(file)
        try:
            yield recorder
        finally:
            recorder.flush()

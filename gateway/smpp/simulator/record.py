"""A simulated carrier's record of what it took: one JSON object a line, for tests to read."""

from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from gateway.smpp import tlv
from gateway.smpp.pdu import SubmitSm

MAX_LINES: Final = 10_000
"""Lines that wait to be written, about 3 MB; then they are, without waiting for `Recorder.flush`
to be called."""


class Line(msgspec.Struct, frozen=True, gc=False):
    """A submit_sm that was taken.

    Attributes:
        time: when, in Unix seconds.
        system_id, bind: on whose bind, and its number; binds are counted from 1 up.
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
    """Adds lines to a file, in batches."""

    def __init__(self, path: str) -> None:
        self._file: BinaryIO = Path(path).open("ab", buffering=0)
        self._lines: list[Line] = []
        self._encoder = msgspec.json.Encoder()

    def add(self, at: float, system_id: str, bind: int, pdu: SubmitSm, ref: str) -> None:
        octets = pdu.short_message or tlv.MESSAGE_PAYLOAD.get(pdu.tlvs) or b""
        self._lines.append(
            Line(
                at,
                system_id,
                bind,
                pdu.source_addr,
                pdu.destination_addr,
                pdu.esm_class,
                pdu.data_coding,
                octets.hex(),
                pdu.validity_period,
                ref,
            )
        )
        if len(self._lines) >= MAX_LINES:
            self.flush()

    def flush(self) -> None:
        if self._lines:
            self._file.write(self._encoder.encode_lines(self._lines))
            self._lines.clear()

    def close(self) -> None:
        self.flush()
        self._file.close()

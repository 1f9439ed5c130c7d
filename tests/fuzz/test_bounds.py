"""The worst that one input can ask for: time and memory stay in proportion to its length."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgpack
import pytest

from gateway.api.frames import MAX_FRAME, FrameReader
from gateway.smpp import pdu
from gateway.smpp.framing import MAX_FRAME as MAX_PDU
from gateway.smpp.framing import Splitter
from tests.fuzz.targets import run

MIB: Final = 1024 * 1024

SMALL: Final = (Path(__file__).parent / "seeds" / "configurations" / "small").read_bytes()
MESSAGE: Final = {"to": "447700900123", "text": "x"}


def request(**fields: object) -> bytes:
    packed: bytes = msgpack.packb({"op": "submit", "id": 1, "messages": [], **fields})
    return packed


def receipt(text: bytes) -> bytes:
    return b"\x04\0\x04\0" + text


def deliver(tlvs: bytes) -> bytes:
    return pdu.encode(pdu.DeliverSm(), 1) + tlvs


WORST: Final[dict[str, tuple[str, Callable[[], bytes]]]] = {
    "a long key": ("requests", lambda: request(**{"k" * 7 * MIB: 1})),
    "a long key of ends": ("requests", lambda: request(**{" - at `$" * MIB: 1})),
    "a long op": ("requests", lambda: request(op="o" * 7 * MIB)),
    "a long id": ("requests", lambda: request(id="i" * 7 * MIB, x=1)),
    "too many messages": ("requests", lambda: request(messages=[MESSAGE] * 300_000)),
    "too many with defaults": (
        "requests",
        lambda: request(messages=[MESSAGE] * 300_000, defaults={"key": "k"}),
    ),
    "the last is wrong": (
        "requests",
        lambda: request(messages=[MESSAGE] * 300_000 + [{"to": "1", "text": 1}]),
    ),
    "the last is not UTF-8": (
        "requests",
        lambda: request(messages=[MESSAGE] * 300_000 + [{"to": "~~~~~"}]).replace(
            b"~" * 5, b"\xff" * 5
        ),
    ),
    "nested": ("requests", lambda: b"\x91" * 7 * MIB),
    "a length that lies": ("requests", lambda: request()[:-1] + b"\xdd\xff\xff\xff\xff"),
    "nested replies": ("replies", lambda: b"\x91" * 7 * MIB),
    "labels": ("receipts", lambda: receipt(b"id:" * 20_000)),
    "half a label": ("receipts", lambda: receipt((b"submit" + b" " * 100) * 600)),
    "blanks": ("receipts", lambda: receipt(b" " * 65_000)),
    "labels and tabs": ("receipts", lambda: receipt(b"done" + b"\t" * 65_000)),
    "delimiters": ("receipts", lambda: receipt(b"id:1" + b"&a" * 30_000)),
    "NULs": ("receipts", lambda: receipt(b"\0 " * 32_000)),
    "a receipt of escapes": ("receipts", lambda: receipt(b"\x1b" * 65_000)),
    "a date without end": ("receipts", lambda: receipt(b"id:1 done date:" + b"1 " * 30_000)),
    "a long receipt id": ("receipts", lambda: receipt(b"id:" + b"1" * 65_000)),
    "empty TLVs": ("pdus", lambda: deliver(b"\x14\0\0\0" * 30_000)),
    "escapes": ("payloads", lambda: b"\0\0\0" + b"\x1b" * 65_000),
    "marks": ("texts", lambda: b"\0" + "\u0301".encode() * 16_000),
    "flags": ("texts", lambda: b"\0" + "\U0001f1eb".encode() * 8_000),
    "families": ("texts", lambda: b"\0" + "\U0001f469\u200d".encode() * 5_600),
    "syllables": ("texts", lambda: b"\0" + "\u0915\u094d".encode() * 8_400),
    "a key of many parts": ("configurations", lambda: SMALL + b"a" + b".a" * 30_000 + b" = 1"),
    "tables in tables": ("configurations", lambda: SMALL + b"a = " + b"{a=" * 30_000),
    "unknown keys": (
        "configurations",
        lambda: SMALL + b"".join(b"k%d = 1\n" % number for number in range(5_000)),
    ),
    "quotes": ("rows", lambda: b"to,text\n" + b'"' * 300_000),
    "columns": ("rows", lambda: b"to,text" + b",#" * 50_000),
}


@pytest.mark.parametrize(("target", "make"), WORST.values(), ids=WORST)
def test_the_worst_takes_little_time(target: str, make: Callable[[], bytes]) -> None:
    run(target, make())


@pytest.mark.parametrize("name", ["a key of many parts", "a length that lies", "empty TLVs"])
def test_the_worst_takes_little_memory(name: str) -> None:
    target, make = WORST[name]
    data = make()
    tracemalloc.start()
    try:
        run(target, data)
        assert tracemalloc.get_traced_memory()[1] < 100 * len(data) + 20 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("reader", "header"),
    [
        (FrameReader(MAX_FRAME).receive, MAX_FRAME.to_bytes(4, "big")),
        (Splitter().feed, MAX_PDU.to_bytes(4, "big")),
    ],
)
def test_what_is_announced_takes_no_memory_before_it_comes(
    reader: Callable[[bytes], object], header: bytes
) -> None:
    tracemalloc.start()
    try:
        reader(header)
        assert tracemalloc.get_traced_memory()[1] < 10_000
    finally:
        tracemalloc.stop()

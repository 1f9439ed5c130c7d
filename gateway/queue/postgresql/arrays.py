"""Columns of values as arrays in PostgreSQL's binary form, and messages as octets.

A statement over a thousand rows takes one array for each column. psycopg would make them value by
value; made here, in one go for all numbers of a column, they cost a tenth.

    array    ndim 1 | has NULLs | element type | length | lower bound 1 | elements
    element  length in octets, -1 for NULL | octets
"""

import struct
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import Any, Final

import msgspec
from psycopg import Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

from gateway.message import Handed, Life, Message

_header = struct.Struct(">iiIii").pack
_empty = struct.Struct(">iiI").pack
_length = struct.Struct(">i").pack
_NULL: Final = b"\xff\xff\xff\xff"


class Array(bytes):
    """An array in binary form; each subclass is of one type."""

    element: int
    oid: int


class Int2s(Array):
    element, oid = 21, 1005


class Int4s(Array):
    element, oid = 23, 1007


class Int8s(Array):
    element, oid = 20, 1016


class Float8s(Array):
    element, oid = 701, 1022


class Octets(Array):
    element, oid = 17, 1001


class Texts(Array):
    element, oid = 25, 1009


def _numbers(kind: type[Array], code: str, size: int, values: Sequence[float]) -> Array:
    count = len(values)
    pairs = chain.from_iterable(zip(repeat(size), values))
    return _of(kind, count, struct.pack(f">{f'i{code}' * count}", *pairs))


def _of(kind: type[Array], count: int, elements: bytes, nulls: int = 0) -> Array:
    if not count:
        return kind(_empty(0, 0, kind.element))
    return kind(_header(1, nulls, kind.element, count, 1) + elements)


def int2s(values: Sequence[int]) -> Array:
    """A ``smallint[]``."""
    return _numbers(Int2s, "h", 2, values)


def int4s(values: Sequence[int]) -> Array:
    """An ``int[]``."""
    return _numbers(Int4s, "i", 4, values)


def int8s(values: Sequence[int]) -> Array:
    """A ``bigint[]``."""
    return _numbers(Int8s, "q", 8, values)


def float8s(values: Sequence[float]) -> Array:
    """A ``float8[]``."""
    return _numbers(Float8s, "d", 8, values)


def maybe_float8s(values: Sequence[float | None]) -> Array:
    """A ``float8[]`` with NULLs."""
    if None not in values:
        return float8s([value for value in values if value is not None])
    pack = struct.Struct(">id").pack
    elements = [_NULL if value is None else pack(8, value) for value in values]
    return _of(Float8s, len(values), b"".join(elements), 1)


def octets(values: Sequence[bytes]) -> Array:
    """A ``bytea[]``."""
    return _of(Octets, len(values), _joined(values))


def texts(values: Iterable[str]) -> Array:
    """A ``text[]``; no text may have a NUL."""
    encoded = [value.encode() for value in values]
    return _of(Texts, len(encoded), _joined(encoded))


def maybe_octets(values: Sequence[bytes | None]) -> Array:
    """A ``bytea[]`` with NULLs."""
    return _maybe(Octets, values)


def maybe_texts(values: Iterable[str | None]) -> Array:
    """A ``text[]`` with NULLs; no text may have a NUL."""
    return _maybe(Texts, [None if value is None else value.encode() for value in values])


def _maybe(kind: type[Array], values: Sequence[bytes | None]) -> Array:
    elements = [_NULL if value is None else _length(len(value)) + value for value in values]
    return _of(kind, len(values), b"".join(elements), int(None in values))


def _joined(values: Sequence[bytes]) -> bytes:
    return b"".join(chain.from_iterable(zip(map(_length, map(len, values)), values, strict=True)))


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        return bytes(obj)


def register(connection: "Connection[Any]") -> None:
    """Let a connection take arrays that were made here."""
    for kind in (Int2s, Int4s, Int8s, Float8s, Octets, Texts):
        dumper = type(f"{kind.__name__}Dumper", (_ArrayDumper,), {"oid": kind.oid})
        connection.adapters.register_dumper(kind, dumper)


encode_message = msgspec.msgpack.Encoder().encode
"""The body of a `Message`: an array of its fields, so that fields can be added at its end."""

encode_life = msgspec.msgpack.Encoder().encode
decode_life = msgspec.msgpack.Decoder(Life).decode
"""What is kept of a message beside its outcome."""

encode_handed = msgspec.msgpack.Encoder().encode
_decode_handed = msgspec.msgpack.Decoder(Handed | None).decode

decode_message = msgspec.msgpack.Decoder(Message).decode
_decode_messages = msgspec.msgpack.Decoder(list[Message]).decode


def decode_handed(stored: Any) -> Handed | None:
    """How a carrier got a message; None where that is not known."""
    return None if stored is None else _decode_handed(stored)


def messages(rows: Sequence[tuple[Any, ...]]) -> list[Message]:
    """The messages whose bodies are the last column of rows."""
    bodies = b"".join([row[-1] for row in rows])
    return _decode_messages(b"\xdd" + len(rows).to_bytes(4, "big") + bodies)

"""Statements over many rows at once, in few steps.

The interpreter lock is let go and taken again at every step of a statement, which costs a busy
process far more than the step does. So rows go in by blocks of one statement, ids and texts as
arrays that SQLite reads by itself, and messages come out as one blob.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar, cast

import apsw
import msgspec

from gateway.message import Message

T = TypeVar("T")

Execute = Callable[..., Iterable[tuple[Any, ...]]]
"""`apsw.Connection.execute` of the connection in use."""

BLOCKS: Final = tuple(1 << power for power in range(9, -1, -1))
"""Rows by statement, the largest first: few statements for any number of rows. With 9 columns the
longest text stays under the 16 KiB up to which apsw keeps statements prepared."""

encode_message = msgspec.msgpack.Encoder().encode
"""The body of a `Message`: an array of its fields, so that fields can be added at its end."""

decode_message = msgspec.msgpack.Decoder(Message).decode
_decode_messages = msgspec.msgpack.Decoder(list[Message]).decode


class Rows:
    """A statement over ``VALUES``: ``head``, rows of ``columns`` parameters, ``tail``."""

    def __init__(self, head: str, columns: int, tail: str = "") -> None:
        row = f"({','.join('?' * columns)})"
        self._columns = columns
        self._blocks = [(n, f"{head} VALUES {','.join([row] * n)} {tail}") for n in BLOCKS]

    def run(self, execute: Execute, flat: Sequence[Any]) -> None:
        """Run it over rows that are given one after the other in ``flat``."""
        start, rows = 0, len(flat) // self._columns
        for size, statement in self._blocks:
            while rows >= size:
                stop = start + size * self._columns
                execute(statement, flat[start:stop])
                start, rows = stop, rows - size


decode_texts = msgspec.json.Decoder(list[str]).decode
"""The texts of a ``json_group_array``."""


def numbers(values: Iterable[int]) -> "apsw.CArrayBinding":
    """Integers, at least one, as the parameter of ``carray(?)``."""
    return apsw.carray(array("q", values))


def texts(values: Iterable[str]) -> "apsw.CArrayBinding":
    """Texts, at least one, as the parameter of ``carray(?)``. They come as blobs, to be cast, since
    an array of texts cannot hold a NUL."""
    return apsw.carray(tuple([value.encode() for value in values]))


def messages(execute: Execute, query: str, bindings: Sequence[Any]) -> list[Message]:
    """The messages whose ``body`` a query gives, in its order.

    All bodies come as one blob: encoded arrays one after the other are, behind an array's header,
    an array of arrays.
    """
    [(count, bodies)] = execute(
        # The queries are this package's own texts.
        f"SELECT count(*), CAST(group_concat(body, '') AS BLOB) FROM ({query})",  # noqa: S608
        bindings,
    )
    return decode_block(count, bodies)


def decode_block(count: int, bodies: bytes | None) -> list[Message]:
    """Encoded messages one after the other, ``count`` of them."""
    return _decode_messages(b"\xdd" + count.to_bytes(4, "big") + (bodies or b""))


def first(execute: Execute, query: str, bindings: Sequence[Any], default: T) -> T:
    """The value that a query for one gives, or ``default`` where it gives none."""
    return cast("T", next((row[0] for row in list(execute(query, bindings))), default))

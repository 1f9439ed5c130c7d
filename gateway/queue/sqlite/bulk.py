"""Statements over many rows at once, in few steps.

The interpreter lock is let go and taken again at every step of a statement, which costs a busy
process far more than the step does. So a thousand rows go in by one statement, ids and texts as
arrays that SQLite reads by itself, and messages come out as one blob.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar, cast

import apsw
import msgspec

from gateway.message import Handed, Life, Message

T = TypeVar("T")

Execute = Callable[..., Iterable[tuple[Any, ...]]]
"""`apsw.Connection.execute` of the connection in use."""

BLOCKS: Final = tuple(1 << power for power in range(11))
"""Rows of a statement. Those that do not fill one are filled up, at 0.08 µs a row: beside a busy
event loop, each statement more would wait 0.1 ms for the interpreter lock. With 5 columns the
longest text stays under the 16 KiB up to which apsw keeps statements prepared; one kind of rows, in
all sizes, takes a megabyte."""

PHONES: Final = 4_096
"""Phones read at a time: a few milliseconds."""

encode_message = msgspec.msgpack.Encoder().encode
"""The body of a `Message`: an array of its fields, so that fields can be added at its end."""

decode_message = msgspec.msgpack.Decoder(Message).decode
encode_life = msgspec.msgpack.Encoder().encode
decode_life = msgspec.msgpack.Decoder(Life).decode
"""What is kept of a message beside its outcome."""

encode_handed = msgspec.msgpack.Encoder().encode
decode_handed = msgspec.msgpack.Decoder(Handed | None).decode
"""How a carrier got a message."""

decode_messages = msgspec.msgpack.Decoder(list[Message]).decode


class Rows:
    """A statement over ``VALUES``: ``head``, rows of ``columns`` parameters, ``tail``.

    It has to pass over rows of NULLs, which fill up a block.
    """

    def __init__(self, head: str, columns: int, tail: str) -> None:
        row = f"({','.join('?' * columns)})"
        self._columns = columns
        self._statements = [f"{head} VALUES {','.join([row] * size)} {tail}" for size in BLOCKS]

    @classmethod
    def inserted(cls, into: str, columns: int, shared: int = 0) -> "Rows":
        """An insertion ``into`` columns of which the first ``shared`` are the same in all rows,
        and the next is never NULL."""
        head = f"INSERT {into} SELECT {'?, ' * shared}* FROM ("  # noqa: S608  texts of this package
        return cls(head, columns, ") WHERE column1 NOT NULL")

    def run(self, execute: Execute, flat: Sequence[Any], shared: Sequence[Any] = ()) -> None:
        """Run it over rows that are given one after the other in ``flat``; the parameters
        ``shared`` come before them."""
        columns = self._columns
        largest = BLOCKS[-1] * columns
        for start in range(0, len(flat), largest):
            block = flat[start : start + largest]
            power = (len(block) // columns - 1).bit_length()
            filling = (None,) * (BLOCKS[power] * columns - len(block))
            execute(self._statements[power], (*shared, *block, *filling))


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
    return decode_messages(b"\xdd" + count.to_bytes(4, "big") + (bodies or b""))


def first(execute: Execute, query: str, bindings: Sequence[Any], default: T) -> T:
    """The value that a query for one gives, or ``default`` where it gives none."""
    return cast("T", next((row[0] for row in list(execute(query, bindings))), default))


def phones(execute: Execute, owners: Iterable[int], of_owner: str) -> Iterator[Sequence[str]]:
    """The phones that a table has of each owner, some thousands at a time.

    Args:
        owners: their numbers.
        of_owner: a query for the phones of one, each once, in order, that come after another.
    """
    query = f"SELECT json_group_array(number) FROM ({of_owner} LIMIT {PHONES})"  # noqa: S608  our own
    for owner in owners:
        last = ""
        while True:
            [[found]] = execute(query, (owner, last))
            block = decode_texts(found)
            if not block:
                break
            yield block
            last = block[-1]

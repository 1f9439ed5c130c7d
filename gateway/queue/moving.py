"""Moves all that one store knows into another, of any engine, and makes sure that it is there.

An engine reads its tables out as rows that name no numbers of its own (`TABLES`), in the order of
its own keys, and takes such rows in. With each page the target puts on record where the next one
begins, in the same transaction: a move that was broken off goes on from there. At the end both
stores are read once more, and every table of every tenant has to have as many rows there, with the
same digest.

From the first page on the source is marked, so that no gateway sends from it what another is about
to send from the target, and the target, so that none is started on half of it (`refuse_moved`).
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, Protocol

import msgspec
import trio

from gateway.errors import StoreError
from gateway.queue.store import Store

Kind = Literal[
    "tenant", "carrier", "scope", "number", "real", "flag", "text", "words", "octets", "times"
]
"""What a column has: the name of a tenant, of a carrier ('' for none), or of whom an opt-out is
for; an integer, seconds, a truth; a text, one that tenants or phones choose (perhaps with a NUL),
octets; several moments. What is absent is None."""

Row = tuple[Any, ...]
"""The values of a table's columns, in their order."""

Place = tuple[Any, ...]
"""Where a page of a table has ended, as the engine says it."""


class Table(NamedTuple):
    """A table, the columns by which its rows are ordered, and all that move."""

    key: tuple[str, ...]
    columns: Mapping[str, Kind]


TABLES: Final[Mapping[str, Table]] = {
    # First, since all others name tenants: how far each stream of events has come.
    "tenant": Table(("id",), {"name": "text", "seq": "number"}),
    "event": Table(
        ("tenant", "first"),
        {"tenant": "tenant", "first": "number", "size": "number", "at": "real", "body": "octets"},
    ),
    "cursor": Table(
        ("tenant", "consumer"),
        {
            "tenant": "tenant", "consumer": "words", "seq": "number", "since": "real",
            "seen": "real",
        },
    ),
    "finished": Table(
        ("id",), {"id": "number", "tenant": "tenant", "seq": "number", "life": "octets"}
    ),
    # Of its lane, the names.
    "message": Table(
        ("id",),
        {
            "id": "number", "lane_tenant": "text", "lane_category": "text", "lane_route": "text",
            "lane_campaign": "words", "state": "number", "due": "real", "expires": "real",
            "at": "real", "body": "octets", "states": "octets", "handed": "octets",
        },
    ),
    "key": Table(
        ("tenant", "name"),
        {
            "tenant": "tenant", "name": "words", "message": "number", "digest": "number",
            "not_before": "real", "at": "real", "got": "number",
        },
    ),
    "part": Table(
        ("carrier", "ref"),
        {"carrier": "carrier", "ref": "words", "message": "number", "part": "number", "at": "real"},
    ),
    "held": Table(
        ("kind", "key"), {"kind": "text", "key": "words", "body": "octets", "expires": "real"}
    ),
    "optout": Table(
        ("scope", "number", "source"),
        {
            "scope": "scope", "number": "text", "source": "text", "at": "real", "message": "text",
            "text": "words",
        },
    ),
    "consent": Table(
        ("tenant", "number", "n"),
        {
            "tenant": "tenant", "number": "text", "n": "number", "at": "real", "purpose": "words",
            "state": "text", "source": "words", "wording": "words", "said_by": "words",
        },
    ),
    "use": Table(
        ("tenant", "number", "message"),
        {
            "tenant": "tenant", "number": "text", "message": "number", "marks": "octets",
            "at": "real", "keep": "number", "sent": "flag",
        },
    ),
    "failing": Table(
        ("tenant", "number"),
        {
            "tenant": "tenant", "number": "text", "times": "times", "until": "real",
            "expires": "real",
        },
    ),
    "account": Table(
        ("tenant", "name"), {"tenant": "tenant", "name": "text", "amount": "number"}
    ),
    "charge": Table(
        ("message", "name"),
        {"message": "number", "name": "text", "tenant": "tenant", "amount": "number"},
    ),
    "template": Table(
        ("tenant", "name", "version"),
        {
            "tenant": "tenant", "name": "words", "version": "number", "at": "real",
            "body": "octets",
        },
    ),
    "import": Table(
        ("tenant", "name"),
        {
            "tenant": "tenant", "name": "words", "at": "real", "size": "number", "rest": "number",
            "changed": "number", "marked": "real",
        },
    ),
    "staged": Table(
        ("tenant", "name", "part"),
        {
            "tenant": "tenant", "name": "words", "part": "number", "size": "number",
            "body": "octets",
        },
    ),
    "stat": Table(
        ("tenant", "hour", "campaign", "variant", "carrier", "code"),
        {
            "tenant": "tenant", "hour": "number", "campaign": "words", "variant": "words",
            "carrier": "carrier", "code": "text", "count": "number",
        },
    ),
    "refusal": Table(
        ("id",),
        {
            "at": "real", "tenant": "tenant", "number": "words", "key": "words", "code": "text",
            "rule": "text", "why": "words", "config": "text",
        },
    ),
    "audit": Table(("id",), {"id": "number", "at": "real", "body": "octets"}),
    "memo": Table(("name",), {"name": "text", "value": "octets"}),
}  # fmt: skip
"""Every table that moves, in the order in which they do."""

_STATE: Final = [*TABLES["message"].columns].index("state")
_LEASED: Final = 1
"""``message.state`` of what a node holds."""

PAGE: Final = 2_000
"""Rows read and written at a time: some megabytes."""

LARGE: Final = {"event": 64, "staged": 64}
"""The same for tables whose rows are large."""

MOVED: Final = "moved"
"""The memo of a store that has been moved, or is being."""

MOVING: Final = "moving"
"""The memo of a store that is being moved to; empty once it is whole."""


_MARKS: Final = (MOVED, MOVING)


class Numbers(NamedTuple):
    """What goes on counting in the store that was moved to.

    Attributes:
        epoch: of the events, see `gateway.queue.store.Store`.
        last_id, last_accepted: see `gateway.queue.store.Recovery`.
    """

    epoch: str
    last_id: int
    last_accepted: float


class Movable(Store, Protocol):
    """A store whose tables can be read out and filled. Nothing else is done with it meanwhile."""

    async def numbers(self) -> Numbers:
        """What goes on counting."""

    async def adopt(self, numbers: Numbers) -> None:
        """Have them go on from there."""

    async def part(self) -> None:
        """Have each message be a row of ``message``."""

    async def rows_in(self, table: str) -> int:
        """How many rows a table has."""

    async def read_rows(
        self, table: str, after: Place | None, limit: int
    ) -> tuple[list[Row], Place | None]:
        """The next rows of a table, and the place of the last one, None where there are none."""

    async def write_rows(self, table: str, rows: Sequence[Row], note: bytes) -> None:
        """Add rows, and remember ``note`` as `MOVING` in the same transaction."""


class _Mark(msgspec.Struct, frozen=True, array_like=True):
    """`MOVED`: names the move, says where to, and whether it has ended."""

    move: str
    to: str
    whole: bool = False


class _Progress(msgspec.Struct, frozen=True, array_like=True):
    """`MOVING`: names the move, and says from where, which table it was at and where in there."""

    move: str
    source: str
    table: str
    after: Place | None


_encode = msgspec.msgpack.encode
_progress = msgspec.msgpack.Decoder(_Progress).decode
_mark = msgspec.msgpack.Decoder(_Mark).decode

Tally = Mapping[tuple[str, str], tuple[int, int]]
"""By table and tenant, the number of rows and the sum of their digests."""


async def refuse_moved(store: Store, where: str) -> None:
    """Raise StoreError where a store has been moved elsewhere, or is not yet moved here wholly."""
    if kept := await store.recall(MOVED):
        mark = _mark(kept)
        if mark.whole:
            raise StoreError(f"{where}: was moved to {mark.to}; have queue name that one")
        raise StoreError(
            f"{where}: is being moved to {mark.to}; run gateway migrate again to go on"
        )
    if kept := await store.recall(MOVING):
        source = _progress(kept).source
        raise StoreError(
            f"{where}: has only a part of {source}; run gateway migrate again to go on"
        )


async def move(
    source: Movable,
    target: Movable,
    places: tuple[str, str],
    observe: Callable[[str, int, int], None],
) -> Mapping[str, int]:
    """Move all that an open store has into another one, open and empty, or go on with it.

    Args:
        places: what to call the two.
        observe: told what is being done, and how many rows of how many are done: each row is
            written once and compared once.

    Returns:
        how many rows each table has.

    Raises:
        StoreError: the target is not empty, the source was moved elsewhere, or what arrived is not
            what was sent.
    """
    progress = await _begin(source, target, places)
    await source.part()
    sizes = {table: await source.rows_in(table) for table in TABLES}
    sizes["memo"] -= len([name for name in _MARKS if await source.recall(name) is not None])
    total = 2 * sum(sizes.values())
    done = 0
    tables = list(TABLES)
    for table in tables[tables.index(progress.table) :]:
        after = progress.after if table == progress.table else None
        done = sum(sizes[one] for one in tables[: tables.index(table)])
        while True:
            rows, end = await _page(source, table, after)
            if end is None:
                break
            if table == "message" and any(row[_STATE] == _LEASED for row in rows):
                raise _held(places[0])  # by another node
            after, done = end, done + len(rows)
            here = _Progress(progress.move, progress.source, table, after)
            await target.write_rows(table, rows, _encode(here))
            observe(f"moving {table}", done, total)
    await target.adopt(await source.numbers())
    await _compare(source, target, places, lambda more: observe("comparing", done + more, total))
    await source.remember(MOVED, _encode(_Mark(progress.move, places[1], whole=True)))
    await target.remember(MOVING, b"")
    return sizes


def _held(where: str) -> StoreError:
    return StoreError(
        f"{where}: has messages that a node holds, or held when it was killed; stop it, or start"
        " one of its name and stop it in order"
    )


async def _begin(source: Movable, target: Movable, places: tuple[str, str]) -> _Progress:
    """Mark both, or find the marks of before."""
    if (await source.leased(0, 1)).messages:
        raise _held(places[0])
    kept = await source.recall(MOVED)
    mark = _mark(kept) if kept else _Mark(secrets.token_hex(8), places[1])
    if kept := await target.recall(MOVING):
        progress = _progress(kept)
        if progress.move == mark.move:
            return progress
        raise StoreError(
            f"{places[1]}: has a part of another move, from {progress.source}; give an empty one"
        )
    if mark.whole:
        raise StoreError(f"{places[0]}: was moved to {mark.to}; move that one")
    if await source.recall(MOVING):
        raise StoreError(f"{places[0]}: has only a part of a store; go on with that move first")
    for table in TABLES:
        if (await _page(target, table, None))[0]:
            raise StoreError(
                f"{places[1]}: is not empty, there are rows in {table}; give an empty one"
            )
    if (await target.numbers()).last_id:
        raise StoreError(f"{places[1]}: has been in use; give an empty one")
    await source.remember(MOVED, _encode(mark))
    progress = _Progress(mark.move, places[0], next(iter(TABLES)), None)
    await target.remember(MOVING, _encode(progress))
    return progress


async def _page(store: Movable, table: str, after: Place | None) -> tuple[list[Row], Place | None]:
    """The next rows of a table, without the marks of a move."""
    rows, end = await store.read_rows(table, after, LARGE.get(table, PAGE))
    if table == "memo":
        rows = [row for row in rows if row[0] not in _MARKS]
    return rows, end


async def _compare(
    source: Movable, target: Movable, places: tuple[str, str], observe: Callable[[int], None]
) -> None:
    """Raise StoreError where two stores do not have the same."""
    tallies: dict[str, Tally] = {}

    async def read(name: str, store: Movable, observe: Callable[[int], None]) -> None:
        tallies[name] = await tally(store, observe)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, "source", source, observe)
        nursery.start_soon(read, "target", target, lambda _: None)
    sent, arrived = tallies["source"], tallies["target"]
    for table, tenant in sorted({*sent, *arrived}):
        one, other = sent.get((table, tenant), (0, 0)), arrived.get((table, tenant), (0, 0))
        if one != other:
            of = f" of {tenant}" if tenant else ""
            raise StoreError(
                f"{places[1]}: {table}{of} has {other[0]} rows that are not the {one[0]} of"
                f" {places[0]}; drop it and move again, into an empty one"
            )
    if await source.numbers() != await target.numbers():
        raise StoreError(f"{places[1]}: does not go on from where {places[0]} was; move again")


async def tally(store: Movable, observe: Callable[[int], None] = lambda _: None) -> Tally:
    """What a store has. The digests of rows are summed up, so that their order does not matter."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    read = 0
    for table, (_, columns) in TABLES.items():
        whose = [n for n, name in enumerate(columns) if name in ("tenant", "lane_tenant", "scope")]
        after: Place | None = None
        while True:
            rows, after = await _page(store, table, after)
            if after is None:
                break
            for row in rows:
                place = (table, row[whose[0]] if whose else "")
                count, total = found.get(place, (0, 0))
                digest = hashlib.blake2b(_encode(row), digest_size=16).digest()
                found[place] = (count + 1, (total + int.from_bytes(digest)) % (1 << 128))
            read += len(rows)
            observe(read)
    return found

"""What the reading calls ask, on the connection that does not wait for commits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from gateway.message import Message, WaitingState
from gateway.queue import events
from gateway.queue.sqlite.bulk import (
    TEXTS,
    Execute,
    decode_block,
    decode_message,
    decode_texts,
    messages,
    numbers,
    texts,
)
from gateway.queue.sqlite.schema import SENT, TENANT_BITS, WAITING
from gateway.queue.store import EventChunk, Known, Match, Record, Ref

_decode_parts = msgspec.json.Decoder(list[tuple[str, int, str]]).decode
_decode_sizes = msgspec.json.Decoder(list[tuple[int, int, int]]).decode


def known(execute: Execute, tenant: int, keys: Iterable[str]) -> dict[str, Known]:
    """What idempotency keys stand for."""
    found = execute(
        f"SELECT key, message, digest FROM idempotency WHERE tenant = ? AND key IN ({TEXTS})",
        (tenant, texts(keys)),
    )
    return {key: Known(message, digest) for key, message, digest in found}


def opted_out(execute: Execute, scopes: Sequence[int], asked: Iterable[str]) -> set[str]:
    """Those of ``asked`` that are opted out in one of the scopes."""
    found: set[str] = set()
    for scope in scopes:
        [[some]] = execute(
            f"SELECT json_group_array(number) FROM optout WHERE scope = ? AND number IN ({TEXTS})",
            (scope, texts(asked)),
        )
        found.update(decode_texts(some))
    return found


def match(execute: Execute, carrier: int, name: str, refs: Sequence[str]) -> dict[Ref, Match]:
    """The parts of a carrier that are known by these references, with their messages."""
    [(count, parts, bodies)] = execute(
        f"""SELECT count(*), json_group_array(json_array(ref, part, hex(states))),
        CAST(group_concat(body, '') AS BLOB)
        FROM part JOIN message ON message.id = part.message
        WHERE carrier = ? AND ref IN ({TEXTS})""",
        (carrier, texts(refs)),
    )
    found = {}
    for (ref, part, states), message in zip(
        _decode_parts(parts), decode_block(count, bodies), strict=True
    ):
        progress = bytes.fromhex(states) or bytes(message.parts)
        found[Ref(name, ref)] = Match(message, part, progress)
    return found


def overdue(execute: Execute, now: float, limit: int) -> list[Message]:
    """Sent messages past their deadline."""
    return messages(
        execute,
        f"SELECT body FROM message WHERE state = {SENT} AND due <= ? ORDER BY due, id LIMIT ?",
        (now, limit),
    )


def find(
    execute: Execute, tenant: str, number: int, wanted: Sequence[int], keys: Sequence[str], now: float
) -> tuple[list[Record | None], list[Record | None]]:
    """What became of a tenant's messages, by number and by key."""
    standing = known(execute, number, keys) if keys else {}
    asked = {*wanted, *(entry.message for entry in standing.values())}
    # In this order, so that a message which gets its outcome in between is found.
    records = _live(execute, tenant, asked, now) if asked else {}
    if missing := asked - records.keys():
        records |= _finished(execute, tenant, number, missing)
    by_key = {key: records.get(entry.message) for key, entry in standing.items()}
    return [records.get(message) for message in wanted], [by_key.get(key) for key in keys]


def _live(execute: Execute, tenant: str, asked: Iterable[int], now: float) -> dict[int, Record]:
    found = execute(
        """SELECT state, due, at, body FROM message WHERE id IN (SELECT value FROM carray(?))
        AND lane IN (SELECT id FROM lane WHERE tenant = ?)""",
        (numbers(asked), tenant),
    )
    records = {}
    for place, due, at, body in found:
        message = decode_message(body)
        records[message.id] = Record(
            message.id, at, message=message, state=waiting_state(place, due > now)
        )
    return records


def waiting_state(place: int, later: bool) -> WaitingState:
    """The word for where a message is; ``later`` says that it is due later."""
    if place == SENT:
        return "sent"
    return "deferred" if place == WAITING and later else "queued"


def _finished(
    execute: Execute, tenant: str, number: int, asked: Iterable[int]
) -> dict[int, Record]:
    found = execute(
        "SELECT seq, id FROM finished WHERE tenant = ? AND id IN (SELECT value FROM carray(?))",
        (number, numbers(asked)),
    )
    records = {}
    chunk, encoded = EventChunk(tenant, 0, 0, b""), []
    for seq, message in sorted(found):
        if seq > chunk.last:
            chunks = _read(execute, tenant, number, seq - 1, 1)
            if not chunks or chunks[0].first > seq:
                continue  # forgotten
            chunk, encoded = chunks[0], events.split(chunks[0])
        event = events.decode(encoded[seq - chunk.first])
        records[message] = Record(message, event.at, event=event)
    return records


def history(
    execute: Execute, tenant: str, number: int, after: int, limit: int
) -> list[EventChunk]:
    """Events after a ``seq``, about ``limit``."""
    chunks = _read(execute, tenant, number, after, limit)
    return events.merge([events.trim(chunk, after) for chunk in chunks])


def _read(
    execute: Execute, tenant: str, number: int, after: int, limit: int
) -> list[EventChunk]:
    """The chunks that hold events after a ``seq``, as stored."""
    base = number << TENANT_BITS
    [(sizes, bodies)] = execute(
        """SELECT json_group_array(json_array(id, size, length(body))),
        CAST(group_concat(body, '') AS BLOB) FROM (SELECT id, size, body FROM event
        WHERE id >= coalesce((SELECT id FROM event WHERE id > ?1 AND id <= ?2
            ORDER BY id DESC LIMIT 1), ?2) AND id < ?2 + ?3 ORDER BY id)""",
        (base, base + after + 1, limit),
    )
    chunks = []
    start = 0
    for chunk, size, length in _decode_sizes(sizes):
        chunks.append(EventChunk(tenant, chunk - base, size, bodies[start : start + length]))
        start += length
    return chunks


def first_kept(execute: Execute, number: int) -> int | None:
    """The first ``seq`` of a tenant that is still kept."""
    base = number << TENANT_BITS
    found = execute(
        "SELECT id FROM event WHERE id > ? AND id < ? ORDER BY id LIMIT 1",
        (base, base + (1 << TENANT_BITS)),
    ).fetchall()
    return found[0][0] - base if found else None


def cursor(execute: Execute, tenant: int, consumer: str) -> int:
    """What a consumer has acknowledged."""
    found = execute(
        "SELECT seq FROM cursor WHERE tenant = ? AND consumer = ?", (tenant, consumer)
    ).fetchall()
    return found[0][0] if found else 0


def recall(execute: Execute, name: str) -> bytes | None:
    """A named value."""
    found = execute("SELECT value FROM memo WHERE name = ?", (name,)).fetchall()
    return found[0][0] if found else None

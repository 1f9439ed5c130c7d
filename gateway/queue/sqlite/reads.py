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

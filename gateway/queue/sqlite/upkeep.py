"""What an open store needs now and then: recovery, the filter's filling, and forgetting."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from gateway.message import LaneKey, Message
from gateway.queue import events
from gateway.queue.filter import NumberFilter
from gateway.queue.sqlite.bulk import (
    TEXTS,
    Execute,
    Rows,
    decode_texts,
    encode_message,
    messages,
    numbers,
    texts,
)
from gateway.queue.sqlite.reads import waiting_state
from gateway.queue.sqlite.schema import LEASED, SENT, TENANT_BITS, WAITING
from gateway.queue.sqlite.session import Session
from gateway.queue.store import Count, EventChunk, Held, Recovery

BLOCK: Final = 4_096
"""Rows read or changed at a time: a few milliseconds, some megabytes."""

_MARK: Final = Rows(
    "WITH new (id, body) AS (",
    2,
    f""") UPDATE message SET state = {WAITING}, body = new.body
    FROM new WHERE message.id = new.id""",
)


def recover(session: Session, now: float) -> Recovery:
    """Put right what an unclean end left, and say what there is."""
    execute = session.execute
    [(clean, last_id)] = execute("SELECT clean, last_id FROM node")
    while marked := _mark_block(session):
        del marked
    return Recovery()

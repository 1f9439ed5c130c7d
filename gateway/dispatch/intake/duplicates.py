"""What was submitted before is known by its key: what the key stands for, and what the message is
answered with that comes again under it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from gateway.api.schema import Accepted, Quoted, Rejected, SubmitMessage
from gateway.dispatch.intake import contents, drafting
from gateway.dispatch.intake.drafting import ENCODINGS
from gateway.dispatch.intake.tenants import Tenant
from gateway.dispatch.intake.turns import TURN, turn
from gateway.errors import StoreError
from gateway.message import Message, message_id
from gateway.numbers import NumberError, read, region_of
from gateway.queue.store import Entry, Known, Record, Store
from gateway.text.measuring import measure

ENDS: Final[Mapping[str, str]] = {
    "failed": "has failed",
    "expired": "has expired",
    "cancelled": "was cancelled",
    "blocked": "was blocked",
}
"""The outcomes after which somebody may want to submit a message anew, as a sentence."""

Again = tuple[int, Known]
"""The index of a message that was submitted, and what its key stands for."""


async def recognise(
    store: Store, tenant: Tenant, submitted: Sequence[SubmitMessage]
) -> Sequence[Again]:
    """The messages whose key was accepted before."""
    keys = [message.key for message in submitted if message.key is not None]
    known = await store.known(tenant.options.id, keys) if keys else {}
    return [
        (index, known[message.key])
        for index, message in enumerate(submitted)
        if message.key is not None and message.key in known
    ]


async def answer(
    store: Store,
    tenant: Tenant,
    submitted: Sequence[SubmitMessage],
    again: Sequence[Again],
    results: list[Accepted | Rejected | None],
) -> None:
    """Answer messages whose key stands for one: with what that one got, if it is the same."""
    numbers = [known.message for _, known in again]
    records: Sequence[Record | None]
    try:
        records, _ = await store.find(tenant.options.id, numbers, ())
    except StoreError:
        # What became of them is a courtesy. Others of the batch may have been made durable.
        records = [None] * len(numbers)
    for at, ((index, known), record) in enumerate(zip(again, records, strict=True)):
        if at % TURN == 0:
            await turn(at)
        message = submitted[index]
        if contents.is_same(message, known, record, tenant.options):
            results[index] = _duplicate(message, known, record)
        else:
            why = f"key: {message.key!r} stands for a message with other content"
            results[index] = drafting.rejected("key_conflict", why)


def stands_for(
    messages: Sequence[Message], digests: Sequence[int], known: Mapping[int, Known]
) -> dict[str | None, Known]:
    """What the keys stand for that a batch brought, by key."""
    return {
        message.key: known.get(position) or Known.of(Entry(message, digest, leased=False))
        for position, (message, digest) in enumerate(zip(messages, digests, strict=True))
        if message.key is not None
    }


def _duplicate(submitted: SubmitMessage, known: Known, record: Record | None) -> Accepted:
    """What the first message under a key got, and what became of it where that was no good."""
    number = message_id(known.message)
    state = note = None
    if record is not None and record.event is not None and record.event.type in ENDS:
        state = record.event.type
        note = (
            f"the message {number} that this key stands for {ENDS[state]} and is not sent again: "
            "to send it, submit it under another key"
        )
    parts, encoding, not_before = known.parts, known.encoding, known.not_before
    if not parts:  # stored by an earlier version, which kept neither, and had no others
        encoding, parts = measure(submitted.text, ENCODINGS[submitted.encoding], narrow=True)
    return Accepted(number, parts, encoding, not_before, duplicate=True, state=state, note=note)


def quoted(first: Accepted, submitted: SubmitMessage, tenant: Tenant) -> Quoted:
    """What a duplicate would get."""
    to = region = None
    with suppress(NumberError):
        to = read(submitted.to, tenant.options.default_region)
        region = region_of(to)
    return Quoted(
        first.parts, first.encoding, first.not_before, True, first.note, to=to, region=region
    )

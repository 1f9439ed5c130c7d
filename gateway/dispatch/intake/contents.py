"""Tells whether two messages under one key are the same, from a number that is kept with the key.

What counts is what docs/api.md names: ``to``, ``text``, ``from``, ``category``, ``campaign``,
``variant``, ``tlvs``, ``template`` and ``vars``, as they were said. What was left to the tenant's
defaults stays left to them, so that a message sent again is the same whatever the defaults are by
then; and said outright it is the same too, for as long as the defaults are what they were. A
recipient is the same in any of its spellings.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from itertools import product
from struct import Struct
from zlib import crc32

import msgspec

from gateway.api.schema import SubmitMessage
from gateway.dispatch.intake import parameters
from gateway.dispatch.intake.tenants import TenantOptions
from gateway.numbers import NumberError, canonical, read, same_phone
from gateway.policy.senders import normalise
from gateway.queue.store import Known, Record
from gateway.smpp.tlv import Tlvs

_encode = msgspec.msgpack.Encoder().encode
_hash = blake2b(digest_size=8, usedforsecurity=False).copy  # half the time of making one anew
_signed: Callable[[bytes], tuple[int]] = Struct(">q").unpack


def digest(submitted: SubmitMessage, to: str) -> int:
    """64 bits, signed, of a message's content; ``to`` is its recipient as digits."""
    return _digest(to, _sender(submitted), submitted.category, submitted)


def is_same(
    submitted: SubmitMessage, known: Known, record: Record | None, tenant: TenantOptions
) -> bool:
    """Whether a message is the one that its key stands for; ``record`` is of that one, None where
    it is not known any more."""
    to = _recipient(submitted.to, tenant.default_region, _first_recipient(record))
    sender, category = _sender(submitted), submitted.category
    if not known.parts:
        return known.digest == _digest_of_old(
            to, sender or tenant.sender or "", category or tenant.category, submitted
        )
    return any(
        known.digest == _digest(to, sender, category, submitted)
        for sender, category in product(
            _sayings(sender, tenant.sender), _sayings(category, tenant.category)
        )
    )


def _first_recipient(record: Record | None) -> str | None:
    told = record and (record.message or record.event)
    return told.to if told else None


def _recipient(written: str, region: str | None, first: str | None) -> str:
    """Whom a message is to, as the first one under its key had it where that is the same phone:
    it may be written otherwise now, or be read otherwise, in another default region."""
    plain = written.removeprefix("+")
    try:
        to = read(written, region)
    except NumberError:
        return first if first and same_phone(written, first) else plain
    return first if first and (plain == first or canonical(to) == canonical(first)) else to


def _sayings(said: str | None, default: str | None) -> Sequence[str | None]:
    """The ways to say the same: the one that was used first."""
    if said is None:
        return (None, default)
    return (said, None) if said == default else (said,)


def _sender(submitted: SubmitMessage) -> str | None:
    sender = submitted.sender
    return sender if sender is None else normalise(sender) or sender


def _digest(to: str, sender: str | None, category: str | None, submitted: SubmitMessage) -> int:
    # As a msgpack array every field has its length before it, and one left out is not empty.
    fields: tuple[object, ...] = (to, sender, category, submitted.campaign, submitted.text)
    if submitted.tlvs:
        fields = (*fields, _parameters(submitted.tlvs))
    if submitted.variant is not None:
        fields = (*fields, submitted.variant)
    if submitted.template is not None:
        fields = (*fields, "template", submitted.template, sorted((submitted.vars or {}).items()))
    hashed = _hash()
    hashed.update(_encode(fields))
    return _signed(hashed.digest())[0]


def _parameters(given: Mapping[int | str, object]) -> Tlvs | None:
    """However the tags are written. Those that are wrong are those of no message."""
    try:
        return parameters.read(given)
    except ValueError:
        return None


def _digest_of_old(to: str, sender: str, category: str, submitted: SubmitMessage) -> int:
    """As versions before 0.2 made it and stored it, with no parts beside it."""
    fields = (to, sender, category, submitted.campaign or "", submitted.text)
    return crc32("\0".join(fields).encode())

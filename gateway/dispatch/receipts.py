"""What delivery receipts mean for messages: matched in memory or in the store, or parked."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from gateway.dispatch import outcomes
from gateway.dispatch.carriers import Carrier
from gateway.dispatch.correlation import Correlator, Form, Parked, same_number
from gateway.dispatch.flights import Flight, Part
from gateway.dispatch.plan import Plan
from gateway.queue.store import Held, Match, Ref, Store
from gateway.smpp.receipts import Receipt

PARKED_FOR = 3600.0
"""Seconds that a receipt which matches nothing waits for its response."""


class Missed(NamedTuple):
    """A final receipt that speaks of no part in memory, and the phone it is about."""

    carrier: Carrier
    receipt: Receipt
    state: int
    phone: str


def match_in_memory(carrier: Carrier, receipt: Receipt, state: int, phone: str, plan: Plan) -> bool:
    """Try a final receipt against the parts in memory."""
    correlator = carrier.correlator
    ids = correlator.ids
    found = correlator.find(ids.likeliest(receipt.ref_raw))
    if found is None or phone != found.flight.message.to:
        found = _search(correlator, receipt, phone)
    if found is None:
        return False
    flight, index = found.flight, found.number
    if flight.states[index]:
        return True  # the first receipt counts
    carrier.note_delivery(plan.now - flight.released_at)
    flight.states[index] = state
    if not flight.unanswered and flight.whole:
        part_final(carrier, flight, receipt.error, plan)
    return True


def _search(correlator: Correlator, receipt: Receipt, phone: str) -> Part | None:
    """The part in memory that a receipt speaks of, in whatever form it writes the id."""
    ids = correlator.ids
    found = None
    for form, ref in ids.candidates(receipt.ref_raw):
        part = correlator.find(ref)
        if part is None:
            continue
        if same_number(phone, part.flight.message.to):
            ids.confirm(form, receipt.ref_raw)
            return part
        if ids.certain(form, receipt.ref_raw):
            found = part  # unless another reading is about the right phone
    return found


def part_final(carrier: Carrier, flight: Flight, error: str | None, plan: Plan) -> None:
    """A flight that the carrier has taken whole got final receipts: is that all of them?"""
    if 0 in flight.states:
        plan.progress(flight.message, flight.states)
        return
    carrier.correlator.forget(flight)
    name = carrier.options.id
    event = outcomes.by_receipts(flight.message, name, flight.states, error, plan.now)
    plan.end(flight, event)


async def match_in_store(store: Store, missed: Sequence[Missed], plan: Plan) -> None:
    """Look receipts up in the store; park those that match nothing there either."""
    wanted = [
        [
            (form, Ref(one.carrier.options.id, ref))
            for form, ref in one.carrier.correlator.ids.candidates(one.receipt.ref_raw)
        ]
        for one in missed
    ]
    matches = await store.match([ref for refs in wanted for _, ref in refs])
    states: dict[int, bytearray] = {}
    for one, refs in zip(missed, wanted, strict=True):
        found = _meant(one, refs, matches)
        if found is None:
            _park(one, tuple(ref.ref for _, ref in refs), plan)
            continue
        ref, match = found
        known = states.setdefault(match.message.id, bytearray(match.states))
        if known[match.part]:
            continue  # the first receipt counts
        known[match.part] = one.state
        if 0 in known:
            plan.progress(match.message, known)
        else:
            event = outcomes.by_receipts(
                match.message, ref.carrier, known, one.receipt.error, plan.now
            )
            plan.finish(match.message, event, (ref,), was_sent=True)


def _meant(
    one: Missed, refs: Sequence[tuple[Form, Ref]], matches: Mapping[Ref, Match]
) -> tuple[Ref, Match] | None:
    """Which of the parts that a receipt's id may stand for it speaks of."""
    ids = one.carrier.correlator.ids
    found = None
    for form, ref in refs:
        match = matches.get(ref)
        if match is None:
            continue
        if same_number(one.phone, match.message.to):
            ids.confirm(form, one.receipt.ref_raw)
            return ref, match
        if ids.certain(form, one.receipt.ref_raw):
            found = ref, match  # unless another reading is about the right phone
    return found


def _park(one: Missed, refs: tuple[str, ...], plan: Plan) -> None:
    carrier = one.carrier
    key = f"{carrier.options.id}:{one.receipt.ref_raw}"
    parked = Parked(key, refs, one.phone, one.state, one.receipt.error, plan.now + PARKED_FOR)
    gone = carrier.correlator.park(parked)
    plan.settlement.drop += [("receipt", one.key) for one in gone]
    body = msgspec.msgpack.encode((carrier.options.id, parked))
    plan.settlement.hold.append(Held("receipt", key, body, parked.expires_at))

"""What delivery receipts mean for messages whose parts are in memory.

Nearly all receipts name a part in memory in the form of ids that was learnt, and bear its phone:
`match_in_memory` takes those. All others are `unmatched`.
"""

from collections.abc import Mapping
from functools import partial

from gateway.dispatch.carriers.carriers import Carrier
from gateway.dispatch.carriers.flights import Flight, Part, Reason
from gateway.dispatch.settling import long_receipts, outcomes
from gateway.dispatch.settling.outcomes import DELIVERED
from gateway.dispatch.settling.phones import Agreement, agreement
from gateway.dispatch.settling.plan import Plan
from gateway.message import Submission
from gateway.queue import parts
from gateway.queue.parts import States
from gateway.queue.store import Match, Ref
from gateway.smpp.pdu import DataSm, DeliverSm
from gateway.smpp.quick import Told
from gateway.smpp.receipts import Receipt


def take_told(carrier: Carrier, told: Told, plan: Plan) -> bool:
    """Take a receipt in the form of the book that says of a part in memory, and bears its phone,
    that it is delivered: one of nearly all. The others are looked at in full."""
    source, _, ref, word = told
    correlator = carrier.correlator
    ids = correlator.ids
    # Parts are found under canonical ids, so that what finds one as it stands is one.
    part = correlator.find(ref) if ids.learnt == "same" else None
    if part is None:
        part = correlator.find(ids.likeliest(ref))
    if part is None or part.flight.message.to != source or carrier.words[word] != DELIVERED:
        return False
    if ids.doubts:
        ids.doubts.clear()
    flight = part.flight
    states = flight.states
    if len(states) == 1 and flight.taken_at and not states[0]:  # as most are: it ends here
        states[0] = DELIVERED
        carrier.note_delivery(plan.now - flight.released_at)
        correlator.end(flight)
        name = carrier.options.id
        plan.end(flight, outcomes.delivered(flight.message, name, flight.taken_at, plan.now))
    else:
        take(carrier, part, DELIVERED, None, plan)
    return True


def match_in_memory(
    carrier: Carrier, receipt: Receipt, pdu: DeliverSm | DataSm, plan: Plan
) -> bool:
    """Take a receipt that names a part in memory in the form that is stated or was learnt."""
    correlator = carrier.correlator
    ids = correlator.ids
    found = correlator.find(ids.likeliest(receipt.ref_raw))
    if found is None:
        return False
    message = found.flight.message
    if pdu.source_addr != message.to or not receipt.marked:
        said = agreement(pdu.source_addr, pdu.destination_addr, message.to, message.sender)
        if said is Agreement.DISAGREES or not (receipt.marked or said is Agreement.AGREES):
            return False
    if ids.doubts:
        ids.doubts.clear()
    state = receipt.state
    if state is not None and carrier.ends(state, receipt.intermediate):
        reason = None
        if state not in outcomes.GOOD:
            reason = Reason(receipt.word, receipt.error, receipt.network_error)
        take(carrier, found, state, reason, plan)
    return True


def take(carrier: Carrier, part: Part, state: int, reason: Reason | None, plan: Plan) -> None:
    """A final receipt has come for a part in memory."""
    flight = part.flight
    if not note_final(carrier, part, state, reason, plan) or not flight.taken_at:
        return
    if not end_if_complete(carrier, flight, plan):
        end = partial(_end_in_memory, carrier, flight)
        plan.progress(flight.message, part.number, state, len(flight.states), end)


def note_final(carrier: Carrier, part: Part, state: int, reason: Reason | None, plan: Plan) -> bool:
    """Note the final receipt of a part; says whether it is the first one, which counts."""
    flight = part.flight
    if not parts.fill(flight.states, part.number, state):
        return False
    if len(flight.states) > 1:
        flight.note_receipt(part.number, plan.now, state)
    carrier.note_delivery(plan.now - flight.released_at)
    if reason is not None:
        flight.note(state, reason)
    return True


def end_if_complete(carrier: Carrier, flight: Flight, plan: Plan) -> bool:
    """A flight that the carrier has taken whole got final receipts: end it if that is all of them,
    by what this node has heard. Others may have heard the rest, which the store knows."""
    message, states, correlator = flight.message, flight.states, carrier.correlator
    single = len(states) == 1  # as most are; their one receipt is here
    if single or long_receipts.complete(states, one=correlator.long.one):
        if not single and long_receipts.came(states) > 1:
            correlator.long.several(message.id)
        correlator.end(flight)
        name = carrier.options.id
        at, reasons = flight.taken_at, flight.reasons
        plan.end(flight, outcomes.by_receipts(message, name, at, states, reasons, plan.now))
        return True
    if long_receipts.came(states) > 1:
        correlator.long.several(message.id)
    else:
        correlator.long.first(long_receipts.Half(plan.now, message, states, flight, None))
    return False


def _end_in_memory(carrier: Carrier, flight: Flight, states: States, plan: Plan) -> None:
    """All receipts of a message have come, some of them to other nodes."""
    flight.states[:] = states
    end_if_complete(carrier, flight, plan)


def end_halves(carrier: Carrier, plan: Plan) -> None:
    """End the messages of several parts that had one receipt, and will have no more."""
    correlator = carrier.correlator
    for _, _, states, flight, stored in correlator.long.over(plan.now):
        long_receipts.complete(states, one=True)
        if flight is not None:
            end_if_complete(carrier, flight, plan)
        elif stored is not None:
            end_stored(*stored, states, None, plan)


def end_stored(
    ref: Ref, match: Match, states: States, reasons: Mapping[int, Reason] | None, plan: Plan
) -> None:
    """A message that the store knew has had its last receipt, for the part that this names."""
    message, at = match.message, match.sent_at
    event = outcomes.by_receipts(message, ref.carrier, at, states, reasons, plan.now)
    submission = Submission(match.handed, at, (ref.ref,))
    plan.finish(message, event, (ref,), submission, was_sent=True)

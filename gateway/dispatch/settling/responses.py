"""What submit_sm responses mean for messages: taken, tried again, or refused for good."""

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.dispatch.carriers.actions import REFUSE, Action
from gateway.dispatch.carriers.carriers import Carrier
from gateway.dispatch.carriers.flights import UNANSWERED, Flight, Part, Reason
from gateway.dispatch.release.pool import CarrierPool
from gateway.dispatch.serving import steps
from gateway.dispatch.settling import long_receipts, outcomes
from gateway.dispatch.settling.correlation import Parked
from gateway.dispatch.settling.plan import Plan
from gateway.dispatch.settling.receipts import end_if_complete, note_final
from gateway.message import Event, Message
from gateway.smpp.events import Response
from gateway.smpp.receipts import canonical
from gateway.smpp.status import status_name

SOON = 2.0
"""A message to be tried again within this many seconds stays in its lane; else the store has it."""

RESENDS = 3
"""How often a message is sent again whose response never came: each time it may have reached the
recipient, and a carrier that takes messages and never answers must not text somebody for days."""

PARTS_AGAIN = 10
"""How often parts of a message are sent again while the carrier has others of it: after that, what
the recipient got is a torn message, and more attempts only make it later."""

PARTS_AFTER = 1.0
"""Seconds between such attempts at least where the carrier was too busy: it is not for ever."""

NO_RESPONSE: Final = "no response"
"""In the place of a status."""

KINDS = ("wait", "other", "refuse")
"""From the mildest to the gravest: the gravest status decides about a message of several parts."""


def take(carrier: Carrier, pool: CarrierPool, responses: Sequence[Response], plan: Plan) -> None:
    """Work out what a bind's responses mean."""
    correlator = carrier.correlator
    expect = correlator.expect
    for response in responses:
        part: Part = response.context
        flight, index = part.flight, part.number
        status = response.status
        flight.unanswered -= 1
        if status == 0:
            ref = flight.refs[index] = canonical(response.message_id, "text")
            parked = expect(ref, part) if ref else None
            if parked is not None:
                _early(carrier, part, parked, plan)
        else:
            if flight.refused is None:
                flight.refused = {}
            flight.refused[index] = status
        if not flight.unanswered:
            if flight.refused:
                _refused(carrier, pool, flight, plan)
            else:
                _taken(carrier, flight, plan)
    if correlator.review:
        plan.review.add(carrier)
    carrier.note_receipts({})


def _early(carrier: Carrier, part: Part, parked: Parked, plan: Plan) -> None:
    """The receipt of a part came before its response, which is here now."""
    plan.settlement.drop.append(("receipt", parked.key))
    carrier.note_receipts({parked.state: 1})
    reason = None
    if parked.state not in outcomes.GOOD:
        reason = Reason(parked.word, parked.error, parked.network_error)
    note_final(carrier, part, parked.state, reason, plan)


def _taken(carrier: Carrier, flight: Flight, plan: Plan) -> None:
    """The carrier has every part. Receipts may have come before the last of them."""
    message = flight.message
    flight.taken_at = plan.now
    flight.pdus = ()  # a quarter of what it takes in memory, where it may stay for long
    plan.taken.append(flight)
    if message.report == "none":
        _end(carrier, flight, outcomes.sent(message, flight.carrier, plan.now), plan)
        return
    plan.send(flight, max(message.expires_at, plan.now) + carrier.options.receipt_wait)
    states = flight.states
    if len(states) == message.parts == 1 and not states[0]:  # as most are: its receipt is to come
        return
    marked = len(states) > 1 and long_receipts.owe(
        states, flight.refs, carrier.options.long_receipts
    )
    if any(states) and long_receipts.came(states):
        if not end_if_complete(carrier, flight, plan):
            plan.expect(message, states)
    elif marked or len(states) != message.parts:
        plan.expect(message, states)


def _refused(carrier: Carrier, pool: CarrierPool, flight: Flight, plan: Plan) -> None:
    """The carrier did not take every part: what now, by the table of actions."""
    refused = flight.refused or {}
    actions = {status: _action(carrier, status) for status in refused.values()}
    status = max(actions, key=lambda status: KINDS.index(actions[status].kind))
    act = actions[status]
    if UNANSWERED in actions:
        if carrier.options.unanswered == "unknown":
            _end(
                carrier, flight, outcomes.unanswered(flight.message, flight.carrier, plan.now), plan
            )
            return
        flight.message = msgspec.structs.replace(flight.message, maybe_duplicate=True)
    message = flight.message
    if flight.taken:
        tries = act.tries or PARTS_AGAIN
        again = act.kind == "wait" and not carrier.retired and flight.attempts < tries
        if again:
            flight.attempts += 1
            flight.message = _noted(flight, status, plan.now)
            delay = max(act.wait(flight.attempts - 1), PARTS_AFTER if act.slows else 0.0)
            carrier.send_again(flight, sorted(refused), plan.now + delay)
            plan.again.append(message.id)
    else:
        again = _whole_again(carrier, pool, flight, status, plan)
        if again and UNANSWERED not in actions:
            plan.refused.append(message)
    if again:
        return
    if status == UNANSWERED:
        event = outcomes.unanswered(message, flight.carrier, plan.now)
    else:
        event = outcomes.refused_by_carrier(message, flight.carrier, status, flight.taken, plan.now)
    _end(carrier, flight, event, plan)


def _action(carrier: Carrier, status: int) -> Action:
    if status == UNANSWERED:
        return Action("wait", tries=RESENDS)
    return carrier.action(status)


def _whole_again(
    carrier: Carrier, pool: CarrierPool, flight: Flight, status: int, plan: Plan
) -> bool:
    """Have a message released again of which the carrier has nothing; False where it has failed."""
    message = _noted(flight, status, plan.now)
    delay, act = 0.0, _action(carrier, status)
    if act.kind == "wait" and (not act.tries or message.attempts < act.tries):
        delay = act.wait(message.attempts if act.tries else 0)
        if act.tries:
            message = msgspec.structs.replace(message, attempts=message.attempts + 1)
    elif act.kind == REFUSE.kind or not pool.avoid(message, carrier.options.id):
        return False
    if delay > SOON:
        plan.later.append(msgspec.structs.replace(message, due=plan.now + delay))
    elif message.maybe_duplicate:
        # By way of the store, so that it knows too; at once, whatever became of the clock.
        plan.later.append(msgspec.structs.replace(message, due=min(message.due, plan.now)))
    else:
        plan.soon.append(message)
    return True


def _noted(flight: Flight, status: int, at: float) -> Message:
    """The message of a flight, with what the carrier said."""
    said = NO_RESPONSE if status == UNANSWERED else status_name(status)
    return steps.refused(flight.message, flight.carrier, said, at, flight.handed)


def _end(carrier: Carrier, flight: Flight, event: Event, plan: Plan) -> None:
    carrier.correlator.end(flight)
    plan.end(flight, event)

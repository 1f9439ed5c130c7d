"""One look at receipts that were `unmatched`: what memory and store know of the parts that they may
mean, which of these `deciding` believes, and what follows for messages."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from gateway.dispatch.carriers.carriers import Carrier
from gateway.dispatch.carriers.flights import Part, Reason
from gateway.dispatch.settling import long_receipts, outcomes
from gateway.dispatch.settling.correlation import Parked
from gateway.dispatch.settling.deciding import Decision, Fit, decide
from gateway.dispatch.settling.phones import ALIKE, Agreement, agreement
from gateway.dispatch.settling.plan import Plan
from gateway.dispatch.settling.receipts import end_stored, take
from gateway.dispatch.settling.unmatched import (
    OPEN_FOR,
    PARKED_FOR,
    Ask,
    Text,
    Unanswered,
    Unmatched,
    again,
)
from gateway.queue import parts
from gateway.queue.parts import States
from gateway.queue.store import Held, Match, Ref
from gateway.smpp.receipt_ids import FORMS, Form
from gateway.smpp.receipts import Claim

REVIEWED = 100
"""Receipts that are not sure yet and are looked at again whenever another one is; more of them wait
for the settler to look again."""

MAX_PARTS = 255
"""Parts of one message, which may all have the same id."""


async def match(
    ask: Ask, receipts: Sequence[Unmatched], plan: Plan, unanswered: Unanswered
) -> list[Text]:
    """Take receipts by what memory and store know, and park those that mean no part yet.

    Args:
        ask: asks the store.
        receipts: at most those of one round.
        plan: the round.
        unanswered: the parts of a carrier whose ids are not known yet.

    Returns:
        what are texts of phones and no receipts, in their order.
    """
    desk = Desk(plan, unanswered)
    waiting = _with_undecided(receipts)
    while waiting:
        await desk.look(ask, waiting)
        for one in waiting:
            desk.take(one)
        waiting = [
            again(carrier, parked)
            for carrier in desk.taught()
            for parked in carrier.correlator.undecided
        ]
    desk.count()
    return desk.texts


def _with_undecided(receipts: Sequence[Unmatched]) -> list[Unmatched]:
    """Receipts, and those of the same carriers that they may help to decide."""
    found = list(receipts)
    known = {one.parked.key for one in receipts if one.parked is not None}
    for carrier in {one.carrier for one in receipts}:
        undecided = carrier.correlator.undecided
        if carrier.correlator.ids.learnt is None and len(undecided) <= REVIEWED:
            found += [again(carrier, parked) for parked in undecided if parked.key not in known]
    return found


class Target(NamedTuple):
    """A part that a receipt's id names in some reading: in memory, in the store, or of a message
    that has its outcome."""

    ref: Ref
    part: Part | None = None
    match: Match | None = None


class Desk:
    """One look at receipts.

    Attributes:
        texts: what turned out to be texts of phones.
    """

    def __init__(self, plan: Plan, unanswered: Unanswered) -> None:
        self.texts: list[Text] = []
        self._plan = plan
        self._unanswered = unanswered
        self._matches: dict[Ref, Match] = {}
        self._states: dict[int, bytearray] = {}
        self._awaited: dict[Carrier, Awaited] = {}
        self._undecided: dict[Carrier, list[Mapping[Form, Ref]]] = {}
        self._taught: set[Carrier] = set()
        self._counts: dict[Carrier, Counter[int | None]] = {}
        self._unmatched: dict[Carrier, list[Unmatched]] = {}

    async def look(self, ask: Ask, receipts: Iterable[Unmatched]) -> None:
        """Find what the store knows of all parts that receipts may name."""
        refs = {
            Ref(one.carrier.options.id, ref)
            for one in receipts
            for claim in one.claims
            for _, ref in one.carrier.correlator.ids.candidates(claim.ref_raw)
        }
        self._matches |= await ask(list(refs))

    def take(self, one: Unmatched) -> None:
        """Take a receipt, or park it."""
        possible: list[Mapping[Form, Ref]] = []
        for claim in one.claims:
            targets, fits = self._fits(one, claim)
            decision = self._decide(one, claim, fits)
            if decision.fit is not None:
                self._settle(one, claim, targets[decision.fit.place])
                return
            if decision.open:
                possible.append(
                    {
                        fit.form: targets[fit.place].ref
                        for fit in fits
                        if fit.phone is Agreement.AGREES and fit.waits
                    }
                )
        if one.text is not None:
            self.texts.append((one.carrier, one.text))
            return
        if possible:
            self._undecided.setdefault(one.carrier, []).append(possible[0])
        early = not possible and self._is_awaited(one)
        counted = one.parked is not None and not one.carrier.correlator.is_early(one.parked)
        if not (possible or early or counted):
            self._unmatched.setdefault(one.carrier, []).append(one)
        self._park(one, is_open=bool(possible), early=early)

    def taught(self) -> list[Carrier]:
        """The carriers of which something was learnt since the last call."""
        for carrier, undecided in self._undecided.items():
            form = _explains(undecided)
            if form is not None and carrier.correlator.ids.learnt is None:
                carrier.correlator.ids.learn(form)
                self._taught.add(carrier)
        self._undecided.clear()
        taught, self._taught = list(self._taught), set()
        return taught

    def count(self) -> None:
        """Tell the carriers' metrics."""
        for carrier, states in self._counts.items():
            carrier.note_receipts(states)
        for carrier, unmatched in self._unmatched.items():
            example = unmatched[0]
            ref_raw = example.claims[0].ref_raw if example.claims else ""
            carrier.note_unmatched(len(unmatched), ref_raw, example.source)

    # --- which part ---

    def _fits(self, one: Unmatched, claim: Claim) -> tuple[list[Target], list[Fit]]:
        correlator, name = one.carrier.correlator, one.carrier.options.id
        targets: list[Target] = []
        fits: list[Fit] = []
        for form, ref in correlator.ids.candidates(claim.ref_raw):
            at = Ref(name, ref)
            part, match, sender, waits, over = correlator.find(ref), None, "", False, False
            if part is not None:
                message = part.flight.message
                waits = long_receipts.waits(part.flight.states, part.number)
            elif (match := self._matches.get(at)) is not None:
                message = match.message
                ended = message.id in self._plan.ended
                waits = not ended and long_receipts.waits(self._states_of(match), match.part)
            if part is not None or match is not None:
                phone, sender = message.to, message.sender
            elif (known := correlator.phone_of_ended(ref)) is not None:
                phone, over = known, True
            else:
                continue
            said = agreement(one.source, one.destination, phone, sender)
            fits.append(Fit(form, said, waits, len(targets), over))
            targets.append(Target(at, part, match))
        return targets, fits

    def _decide(self, one: Unmatched, claim: Claim, fits: Sequence[Fit]) -> Decision:
        """What to make of a receipt; and what that teaches, unless a phone can have written it."""
        ids = one.carrier.correlator.ids
        decision = decide(ids, claim.ref_raw, fits, lambda: self._is_awaited(one))
        if one.text is not None:
            fit = decision.fit
            if fit is not None and fit.waits and fit.phone is Agreement.AGREES:
                return Decision(fit)
            return Decision()
        if decision.learn is not None and ids.learnt is None:
            ids.learn(decision.learn)
            self._taught.add(one.carrier)
        if decision.hint is not None and ids.hint(decision.hint):
            self._taught.add(one.carrier)
        if decision.doubt is not None and one.parked is None and ids.doubt(decision.doubt):
            self._taught.add(one.carrier)
        return decision

    def _is_awaited(self, one: Unmatched) -> bool:
        if one.carrier not in self._awaited:
            self._awaited[one.carrier] = Awaited(self._unanswered(one.carrier))
        return self._awaited[one.carrier].may_be(one)

    def _states_of(self, match: Match) -> bytearray:
        return self._states.setdefault(match.message.id, bytearray(match.states))

    # --- and what follows ---

    def _settle(self, one: Unmatched, claim: Claim, target: Target) -> None:
        carrier, state = one.carrier, claim.state
        self._counts.setdefault(carrier, Counter())[state] += 1
        if one.parked is not None:
            carrier.correlator.unpark(one.parked)
            self._plan.settlement.drop.append(("receipt", one.parked.key))
        if state is None or not carrier.ends(state, one.intermediate):
            return
        reason = None
        if state not in outcomes.GOOD:
            reason = Reason(claim.word, one.error, one.network_error)
        if target.part is not None:
            take(carrier, target.part, state, reason, self._plan)
        elif target.match is not None:
            self._take_stored(carrier, target.ref, target.match, state, reason)
        elif carrier.correlator.is_spare(target.ref.ref):
            carrier.correlator.long.several(0)

    def _take_stored(
        self, carrier: Carrier, ref: Ref, match: Match, state: int, reason: Reason | None
    ) -> None:
        plan, message, long = self._plan, match.message, carrier.correlator.long
        states = self._states_of(match)
        if message.id in plan.ended or not parts.fill(states, match.part, state):
            return  # the first receipt counts
        if long_receipts.complete(states, one=long.one):
            _end_stored(carrier, ref, match, state, reason, states, plan)
            return
        end = partial(_end_stored, carrier, ref, match, state, reason)
        plan.progress(message, match.part, state, len(states), end)
        if long_receipts.came(states) > 1:
            long.several(message.id)
        else:
            long.first(long_receipts.Half(plan.now, message, states, None, (ref, match)))

    def _park(self, one: Unmatched, *, is_open: bool, early: bool) -> None:
        """Keep a receipt that ends a part until it is known which one."""
        carrier, correlator = one.carrier, one.carrier.correlator
        parked = one.parked
        if parked is not None and parked.open == is_open:
            correlator.note_early(parked, early)
            return
        finals = [
            claim
            for claim in one.claims
            if claim.state is not None and carrier.ends(claim.state, one.intermediate)
        ]
        if not finals:
            return
        (ref_raw, state, word), *also = finals
        key = parked.key if parked is not None else _key(carrier, ref_raw)
        if state is None or key is None:
            return  # the first receipt counts
        parked = Parked(
            key,
            tuple(
                {ref: None for one in finals for _, ref in correlator.ids.candidates(one.ref_raw)}
            ),
            one.source,
            state,
            one.error,
            one.since + (OPEN_FOR if is_open else PARKED_FOR),
            word,
            tuple(also),
            one.destination,
            one.network_error,
            is_open,
        )
        if one.parked is None:
            self._plan.wanted.update(parked.refs)
        settlement = self._plan.settlement
        settlement.drop += [("receipt", gone.key) for gone in correlator.park(parked)]
        correlator.note_early(parked, early)
        body = msgspec.msgpack.encode((carrier.options.id, parked))
        settlement.hold.append(Held("receipt", key, body, parked.expires_at))


def _end_stored(
    carrier: Carrier,
    ref: Ref,
    match: Match,
    state: int,
    reason: Reason | None,
    states: States,
    plan: Plan,
) -> None:
    """All receipts of a message have come, the last one here with this state."""
    reasons = {state: reason} if reason is not None else None
    end_stored(ref, match, states, reasons, plan)
    carrier.correlator.ended(ref.ref, match.message.to)


def _key(carrier: Carrier, ref_raw: str) -> str | None:
    """A name for a receipt that is parked; None where another one of the part is parked already
    and no other part may have the same id."""
    key = f"{carrier.options.id}:{ref_raw}"
    if not carrier.correlator.has_parked(key):
        return key
    if carrier.options.long_receipts != "each":
        return None
    keys = (f"{key}\0{number}" for number in range(MAX_PARTS))
    return next((one for one in keys if not carrier.correlator.has_parked(one)), None)


def _explains(undecided: Sequence[Mapping[Form, Ref]]) -> Form | None:
    """The one form in which each of several receipts fits, and each a part of its own."""
    if len(undecided) < 2:
        return None
    found = [
        form
        for form in FORMS
        if len({fits.get(form) for fits in undecided} - {None}) == len(undecided)
    ]
    return found[0] if len(found) == 1 else None


class Awaited:
    """The parts of a carrier that were submitted and whose ids are not known."""

    def __init__(self, parts: Iterable[Part]) -> None:
        # When the first of all, and of each phone by its last digits, was submitted: this is asked
        # of each receipt that matches nothing.
        self._first = math.inf
        self._by_phone: dict[str, float] = {}
        self._senders: set[str] = set()
        for part in parts:
            message, at = part.flight.message, part.flight.released_at
            phone = message.to[-ALIKE:]
            self._by_phone[phone] = min(at, self._by_phone.get(phone, at))
            self._first = min(at, self._first)
            self._senders.add(message.sender)

    def may_be(self, one: Unmatched) -> bool:
        """Whether a receipt may mean one of them."""
        if self._first > one.since:
            return False
        if any(
            self._by_phone.get(phone[-ALIKE:], math.inf) <= one.since
            for phone in (one.source, one.destination)
        ):
            return True
        source = one.source
        tells = len(source) > ALIKE and source[-ALIKE:].isdigit() and source not in self._senders
        return not tells

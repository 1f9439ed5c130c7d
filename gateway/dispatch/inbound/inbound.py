"""What phones send us: put together when long, told to the tenant, heeded when it is an opt-out.

Whose a text is and what it asks for is `understanding`'s. Where it may be for several tenants, an
opt-out holds for all of them, since a STOP is never dropped. A keyword is in
force in the same transaction that tells the tenant, and is answered from the number that was
texted.

A source that can be no phone, or that cannot be told whose it is, is told as it came; it opts
nobody out and is never answered.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from msgspec import structs

from gateway.dispatch.carriers.carriers import Carrier
from gateway.dispatch.inbound.consents import Consents
from gateway.dispatch.inbound.conversations import Conversations
from gateway.dispatch.inbound.pieces import Piece, decode_text, encode, piece_of, separate
from gateway.dispatch.inbound.reach import Reach
from gateway.dispatch.inbound.reassembly import Reassembly
from gateway.dispatch.inbound.replies import Caller, Replies
from gateway.dispatch.inbound.understanding import Text, Understanding
from gateway.dispatch.intake.intake import Intake
from gateway.dispatch.intake.templates import Templates
from gateway.dispatch.intake.tenants import Tenant, Tenants
from gateway.dispatch.intake.texted import Texted
from gateway.dispatch.options import CarrierOptions
from gateway.dispatch.settling.passing import PASSED_ON_FOR
from gateway.dispatch.settling.plan import Plan
from gateway.dispatch.settling.settle import Settler
from gateway.message import Event, EventType, masked, message_id
from gateway.numbers import canonical
from gateway.ops.logs import Sparing
from gateway.ops.metrics import Metrics
from gateway.policy.conversation import ReplyRule
from gateway.policy.optout import OptoutOptions, Scope, narrow_purpose
from gateway.policy.replies import Kind, answer
from gateway.policy.rules import Refuse
from gateway.queue.consents import standing
from gateway.queue.store import GLOBAL, LIFTS, Held, Notice, OptoutChange, OptoutEntry, Store
from gateway.queue.tallies import add
from gateway.smpp.pdu import DataSm, DeliverSm

log = structlog.get_logger(__name__)


class Inbox:
    """Receives inbound messages; part of each round of the settler.

    Where several nodes share a store, what a phone says is the node's that sends to it: it knows
    what went there last, what is open with it, and what it was answered today.

    Args:
        texted: knows who texted a phone last.
    """

    def __init__(
        self,
        *,
        store: Store,
        tenants: Tenants,
        intake: Intake,
        settler: Settler,
        texted: Texted,
        consents: Consents,
        conversations: Conversations,
        templates: Templates,
        reach: Reach,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._consents = consents
        self._conversations = conversations
        self._templates = templates
        self._reach = reach
        self._intake = intake
        self._settler = settler
        self._metrics = metrics
        self._texted = texted
        self._replies = Replies(intake, metrics)
        self._pieces = Reassembly(lambda carrier: metrics.inbound_repeated.add(1, carrier))
        self._understanding = Understanding(tenants, texted, intake.number)
        self._warn = Sparing(log.warning)
        self._options = OptoutOptions()

    def configure(
        self,
        options: OptoutOptions,
        carriers: Iterable[CarrierOptions],
        users: Mapping[str, Sequence[str]],
    ) -> None:
        """Heed these keywords from now on. ``users`` are the tenants that may use each carrier."""
        self._options = options
        self._understanding.configure(options, carriers, users)

    def recover(self, held: Sequence[Held]) -> None:
        """Take over what an opened store holds: parts, what was told, and what was answered."""
        self._pieces.recover(held)
        self._replies.recover(held)
        self._conversations.recover(held)

    async def receive(self, carrier: Carrier, pdu: DeliverSm | DataSm, plan: Plan) -> None:
        """Add to the plan what an inbound message means."""
        for one in separate(pdu):
            piece = piece_of(carrier.options, one, plan.now)
            if self._store.sends_to(piece.source):
                await self._receive(piece, plan)
            else:
                self._pass_on(piece, plan)

    async def take(self, held: Held, plan: Plan) -> None:
        """Add to the plan what a text means that another node has received."""
        piece = decode_text(held)
        if self._store.sends_to(piece.source):
            plan.settlement.drop.append((held.kind, held.key))
            await self._receive(piece, plan)
        else:  # its phone has gone to another one since
            plan.settlement.hold.append(held._replace(phone=piece.source))

    def leave(self) -> None:
        """Forget what other nodes have taken over, of whose phones it is."""
        self._pieces.leave(self._store.sends_to)
        self._replies.leave(self._store.sends_to)

    def _pass_on(self, piece: Piece, plan: Plan) -> None:
        """Have a text go to the node that sends to its phone. That one knows what it answers, and
        what it is a part of."""
        key = message_id(self._intake.number())
        expires_at = plan.now + PASSED_ON_FOR
        plan.settlement.hold.append(Held("text", key, encode(piece), expires_at, piece.source))
        if piece.phone is not None and piece.sequence == 1:
            asked = self._understanding.text([piece]).asked
            if asked is not None and asked.request == "stop":
                plan.passed_on.append(key)

    async def _receive(self, piece: Piece, plan: Plan) -> None:
        beginning: Text | None = None
        if piece.sequence == 1 < piece.total and piece.phone is not None:
            beginning = self._understanding.text([piece])
            asked = beginning.asked
            piece = structs.replace(piece, stops=asked is not None and asked.request == "stop")
        for pieces in self._pieces.add(piece, plan.settlement):
            await self._take(pieces, plan, heeded=pieces[0].stops and pieces[0] is not piece)
        if beginning is not None and piece.stops and self._pieces.is_waiting(piece):
            # The rest may never come. It is told when it does, or when it is overdue.
            for tenant in beginning.owner.tenants:
                await self._opt_out(tenant, beginning, beginning.piece.phone or "", plan)

    async def overdue(self, plan: Plan) -> None:
        """Tell of the messages that have been incomplete for too long."""
        for pieces in self._pieces.overdue(plan.now, plan.settlement):
            await self._take(pieces, plan, heeded=pieces[0].stops)
        self._replies.forget(plan.now, plan.settlement)
        self._conversations.forget(plan.now, plan.settlement)

    async def settled(self) -> None:
        """What was received is durable: send the answers that it asks for."""
        await self._replies.send()

    # --- one message ---

    async def _take(self, pieces: Sequence[Piece], plan: Plan, *, heeded: bool) -> None:
        """An inbound message, as whole as it gets. Where its first part was a stop and is
        ``heeded``, it asks for nothing more: a start may have come since."""
        text = self._understanding.text(pieces)
        self._report(text, plan.now)
        if text.piece.phone is not None:
            for tenant in text.owner.tenants:
                self._reach.heard(tenant.options.id, text.piece.phone, plan.settlement)
        rule: ReplyRule | None = None
        if len(text.owner.tenants) == 1:
            rule = self._tell_inbound(text.owner.tenants[0], text, plan)
            self._count("inbound", text.owner.tenants[0], text, plan)
        if text.asked is None:
            if rule is not None and text.piece.phone is not None:
                await self._converse(rule, text.owner.tenants[0], text, text.piece.phone, plan)
            return
        request = text.asked.request
        if heeded and request in ("stop", "suspected"):
            return
        if request == "suspected" or (request == "stop" and text.piece.phone is None):
            self._suspect(text, plan)
        elif text.piece.phone is None:
            return
        elif request == "stop":
            for tenant in text.owner.tenants:
                await self._opt_out(tenant, text, text.piece.phone, plan)
        elif len(text.owner.tenants) == 1:
            [tenant] = text.owner.tenants
            if request == "start":
                await self._opt_in(tenant, text, text.piece.phone, plan)
            else:
                self._answer("help", tenant, text, text.piece.phone, plan)

    def _tell_inbound(self, tenant: Tenant, text: Text, plan: Plan) -> ReplyRule | None:
        """The event of a text that is a tenant's, with what it answers. Returns the rule that it
        meets, unless it asks for something else or a person has the conversation."""
        name, phone = tenant.options.id, text.piece.phone
        if phone is None:
            self._tell("inbound", text, plan)
            return None
        more: dict[str, Any] = {}
        until = self._conversations.until(name, phone, plan.now)
        rule = None
        if until is not None:
            more["handover_until"] = until
        elif tenant.options.replies is not None and text.asked is None:
            rule = tenant.options.replies.rule_for(text.owner.number, text.text)
            if rule is not None:
                more["reply"] = rule.called
                if rule.tag is not None:
                    more["tag"] = rule.tag
        campaign = variant = None
        answers = self._texted.answered(name, phone)
        if answers is not None:
            campaign, variant, number = answers
            more["answers"] = message_id(number)
        self._tell("inbound", text, plan, (), campaign, variant, **more)
        return rule

    async def _converse(
        self, rule: ReplyRule, tenant: Tenant, text: Text, phone: str, plan: Plan
    ) -> None:
        """Do what a tenant's rule says."""
        name = tenant.options.id
        if rule.action == "optin":
            await self._opt_in(tenant, text, phone, plan)
            return
        if rule.action == "handover":
            until = plan.now + rule.hours * 3600.0
            self._conversations.hand_over(name, phone, until, plan.settlement)
            self._tell("handover", text, plan, reply=rule.called, until=until)
        said = rule.text or self._from_template(rule, tenant)
        # Who said stop is not texted, whatever was asked for since.
        if said and not await self._has_stopped(name, canonical(phone), plan):
            caller = Caller(phone, text.piece.carrier, text.owner.number)
            self._replies.want(
                f"rule {rule.called}", said, tenant, caller, plan.now, plan.settlement
            )

    async def _has_stopped(self, tenant: str, number: str, plan: Plan) -> bool:
        """Whether a phone has said stop to a tenant, or to a part of what it sends."""
        if await self._entries(tenant, number, plan):
            return True
        known = await self._settler.persistently(lambda: self._store.consents(tenant, [number]))
        records = [*known.get(number, ()), *plan.settlement.consents]
        those = [one for one in records if (one.tenant, one.number) == (tenant, number)]
        return any(one.state == "withdrawn" for one in standing(those).values())

    def _from_template(self, rule: ReplyRule, tenant: Tenant) -> str:
        """The answer that a template makes, empty where it makes none."""
        if rule.template is None:
            return ""
        template = self._templates.of(tenant.options.id).by_name.get(rule.template)
        said = "there is no such template" if template is None else template.fill({})
        if template is None or isinstance(said, Refuse):
            why = said.why if isinstance(said, Refuse) else said
            log.error(
                "reply_without_text", tenant=tenant.options.id, template=rule.template, reason=why
            )
            return ""
        return said

    def _report(self, text: Text, now: float) -> None:
        """Count it, and say what is odd about it."""
        carrier = text.piece.carrier
        self._metrics.inbound.add(1, carrier)
        if "data" in text.detail:
            self._metrics.inbound_unreadable.add(1, carrier)
        if "parts_missing" in text.detail:
            self._metrics.inbound_incomplete.add(1, carrier)
        phone = masked(text.piece.phone or text.piece.written)
        if text.piece.phone is None:
            self._metrics.inbound_unknown_source.add(1, carrier)
            self._warn(
                "inbound_unknown_source", carrier, now, carrier=carrier, source=phone,
                type_of_number=text.piece.source_type,
            )  # fmt: skip
        if not text.owner.owned:
            self._metrics.inbound_unowned.add(1, carrier)
            told = [tenant.options.id for tenant in text.owner.tenants]
            self._warn(
                "inbound_unowned", carrier, now, carrier=carrier, source=phone,
                texted=text.owner.number, tenants=told[:10],
                request=text.asked.request if text.asked else None,
            )  # fmt: skip

    def _tell(
        self,
        kind: EventType,
        text: Text,
        plan: Plan,
        tenants: Iterable[Tenant] = (),
        campaign: str | None = None,
        variant: str | None = None,
        **more: Any,
    ) -> None:
        """An event for each tenant, those whose text it is unless others are named."""
        event = Event(
            kind,
            plan.now,
            to=text.owner.number or None,
            sender=text.piece.source,
            campaign=campaign,
            text=text.text,
            detail={**text.detail, **more},
            variant=variant,
        )
        for tenant in tenants or text.owner.tenants:
            plan.settlement.notices.append(Notice(tenant.options.id, event))

    def _count(self, code: str, tenant: Tenant, text: Text, plan: Plan) -> None:
        """Count it for the campaign that the phone was last texted with."""
        name, phone = tenant.options.id, text.piece.phone
        campaign, variant = self._texted.campaign(name, phone) if phone else (None, None)
        add(plan.settlement.tallies, {(name, campaign, variant, text.piece.carrier, code): 1})

    def _suspect(self, text: Text, plan: Plan) -> None:
        """What may be an opt-out and cannot be taken for one: somebody is to look at it, of each
        tenant that it may be meant for."""
        for tenant in text.owner.tenants:
            self._metrics.optouts_suspected.add(1, tenant.options.id)
        self._tell("optout_suspected", text, plan)

    # --- opt-outs ---

    async def _opt_out(self, tenant: Tenant, text: Text, phone: str, plan: Plan) -> None:
        name, number = tenant.options.id, canonical(phone)
        wanted = self._scope(text)
        policy, owned = tenant.policy, text.owner.number
        purpose = narrow_purpose(wanted, policy.signatures, policy.senders, owned)
        if purpose is not None:
            await self._opt_out_of(purpose, tenant, text, phone, plan)
            return
        scope = GLOBAL if wanted == "global" else name
        self._consents.stopped(tenant, number, text.text, plan.now, plan.settlement)
        entries = await self._entries(name, number, plan)
        known = [one for one in entries if one.scope == scope and one.source == "keyword"]
        if any(one.message != text.name for one in known):
            return
        if not known:  # it was not said to another tenant either, by the same text
            plan.settlement.optouts.append(
                OptoutChange(scope, number, True, "keyword", plan.now, text.name, text.text)
            )
        self._tell("optout", text, plan, [tenant], action="add", source="keyword")
        self._count("optouts", tenant, text, plan)
        self._metrics.optouts.add(1, name, "keyword", "add")
        if len(text.owner.tenants) == 1:
            self._answer("optout", tenant, text, phone, plan)

    def _scope(self, text: Text) -> Scope:
        """What a stop of this phone is to stop."""
        region = self._options.regions.get(text.region or "")
        return (region.scope if region is not None else None) or self._options.scope

    async def _opt_out_of(
        self, purpose: str, tenant: Tenant, text: Text, phone: str, plan: Plan
    ) -> None:
        """The phone wants no more texts of one sender or signature."""
        name, number = tenant.options.id, canonical(phone)
        await self._settler.caught_up()
        new = await self._settler.persistently(
            lambda: self._consents.withdrew(
                purpose, tenant, number, text.text, plan.now, plan.settlement
            )
        )
        if new:
            more: dict[str, Any] = {"action": "add", "source": "keyword", "only": purpose}
            self._tell("optout", text, plan, [tenant], **more)
            self._count("optouts", tenant, text, plan)
            self._metrics.optouts.add(1, name, "keyword", "add")
        if len(text.owner.tenants) == 1:
            self._answer("optout", tenant, text, phone, plan)

    async def _opt_in(self, tenant: Tenant, text: Text, phone: str, plan: Plan) -> None:
        """Take back what the phone said itself, and say what still holds."""
        name, number = tenant.options.id, canonical(phone)
        scopes = {name, GLOBAL} if self._scope(text) == "global" else {name}
        entries = await self._entries(name, number, plan)
        lifted = [one for one in entries if one.scope in scopes and one.source == "keyword"]
        left = [one for one in entries if one not in lifted]
        plan.settlement.optouts += [
            OptoutChange(scope, number, False, "keyword", plan.now) for scope in sorted(scopes)
        ]
        more: dict[str, Any]
        if lifted:
            more = {"opted_out": True, "held_by": [one.source for one in left]} if left else {}
            self._tell("optout", text, plan, [tenant], action="remove", source="keyword", **more)
            self._metrics.optouts.add(1, name, "keyword", "remove")
        started = await self._settler.persistently(
            lambda: self._consents.started(tenant, number, text.text, plan.now, plan.settlement)
        )
        for purpose in started.back:
            more = {"action": "remove", "source": "keyword", "only": purpose}
            self._tell("optout", text, plan, [tenant], **more)
            self._metrics.optouts.add(1, name, "keyword", "remove")
        if left:
            self._answer("still_out", tenant, text, phone, plan)
        elif started.late:
            if self._answer("question", tenant, text, phone, plan):
                self._consents.asked(tenant, number, started.late, plan.now, plan.settlement)
        elif lifted or started.allowed or started.back:
            self._answer("start", tenant, text, phone, plan)

    async def _entries(self, tenant: str, number: str, plan: Plan) -> list[OptoutEntry]:
        """The opt-outs that hold for a number, with what the plan changes about them."""
        # A start and a stop that follow one another are not to pass one another.
        await self._settler.caught_up()
        found = await self._settler.persistently(
            lambda: self._store.optout_entries(tenant, [number])
        )
        entries = list(found.get(number, ()))
        for change in plan.settlement.optouts:
            if change.number != number or change.scope not in (tenant, GLOBAL):
                continue
            where, source = change.scope, change.source
            if not change.out:
                lifted = LIFTS[source]
                entries = [e for e in entries if e.scope != where or e.source not in lifted]
            elif not any(e.scope == where and e.source == source for e in entries):
                entries.append(
                    OptoutEntry(where, number, source, change.at, change.message, change.text)
                )
        return entries

    # --- answers ---

    def _answer(self, kind: Kind, tenant: Tenant, text: Text, phone: str, plan: Plan) -> bool:
        """Answer a phone; says whether it had not been answered so already."""
        options = tenant.options
        stated = {
            "optout": options.confirmation,
            "start": options.welcome,
            "still_out": options.still_out,
            "help": options.help,
            "question": options.question,
        }
        of_region = self._options.regions.get(text.region or "")
        said = answer(
            kind,
            stated[kind],
            None if of_region is None else of_region.answers.get(kind),
            options.name,
            text.region,
            text.asked.language if text.asked else None,
        )
        caller = Caller(phone, text.piece.carrier, text.owner.number)
        return self._replies.want(kind, said, tenant, caller, plan.now, plan.settlement)

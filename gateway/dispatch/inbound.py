"""What phones send us: put together when long, told to the tenant, heeded when it is an opt-out.

Each inbound message belongs to the tenant that owns the number which was texted. The parts of a
long one are kept, durably, until all are there or `INCOMPLETE_AFTER` has passed; then what there
is goes to the tenant. A keyword that opts out is in force in the same transaction that tells the
tenant, and is answered once.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import structlog

from gateway.dispatch.carriers import Carrier
from gateway.dispatch.intake import Intake
from gateway.dispatch.pieces import Piece, piece_of
from gateway.dispatch.plan import Plan
from gateway.dispatch.reassembly import Reassembly
from gateway.dispatch.settle import Settler
from gateway.dispatch.tenants import Tenant, Tenants
from gateway.errors import StoreError
from gateway.message import Event, Message
from gateway.ops.metrics import Metrics
from gateway.policy import recipients, senders
from gateway.policy.keywords import Correspondent, Vocabulary
from gateway.policy.optout import OptoutOptions
from gateway.policy.regions import place_of
from gateway.queue.store import GLOBAL, Held, Notice, OptoutChange, Store
from gateway.smpp.pdu import DataSm, DeliverSm
from gateway.text.measuring import measure
from gateway.text.reading import Dialect, join, plain_ascii

log = structlog.get_logger(__name__)

REPLY_VALIDITY = 300.0
"""Seconds in which a confirmation is worth sending (field facts D: within five minutes)."""

_BY_THE_BOOK: Final = Dialect()


class Inbox:
    """Receives inbound messages; part of each round of the settler."""

    def __init__(
        self,
        store: Store,
        tenants: Tenants,
        intake: Intake,
        settler: Settler,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._tenants = tenants
        self._intake = intake
        self._settler = settler
        self._metrics = metrics
        self._pieces = Reassembly(lambda carrier: metrics.inbound_repeated.add(1, carrier))
        self._dialects: dict[str, Dialect] = {}
        self._replies: list[Message] = []
        self.configure(OptoutOptions())

    def configure(self, options: OptoutOptions) -> None:
        """Heed these keywords from now on."""
        self._vocabulary = Vocabulary(options)
        self._everybody = options.scope == "global"

    def recover(self, held: Iterable[Held]) -> None:
        """Take over the pieces that an opened store holds."""
        self._pieces.recover(held)

    async def receive(self, carrier: Carrier, pdu: DeliverSm | DataSm, plan: Plan) -> None:
        """Add to the plan what an inbound message means."""
        self._dialects[carrier.options.id] = carrier.reading
        piece = piece_of(carrier.options, pdu, plan.now)
        for pieces in self._pieces.add(piece, plan.settlement):
            await self._tell(pieces, plan)

    async def overdue(self, plan: Plan) -> None:
        """Tell of the messages that have been incomplete for too long."""
        for pieces in self._pieces.overdue(plan.now, plan.settlement):
            await self._tell(pieces, plan)

    async def settled(self) -> None:
        """What was received is durable: send the replies that it asks for."""
        if self._replies:
            replies, self._replies = self._replies, []
            try:
                await self._intake.reply(replies)
            except StoreError as error:
                log.error("reply_failed", reason=str(error), replies=len(replies))

    async def _tell(self, pieces: Sequence[Piece], plan: Plan) -> None:
        """An inbound message, as whole as it gets, is its owner's."""
        first = pieces[0]
        self._metrics.inbound.add(1, first.carrier)
        tenant = self._tenants.owner(first.number)
        if tenant is None:
            self._metrics.inbound_unowned.add(1, first.carrier)
            return
        parts = [piece.part for piece in pieces]
        octets = b"".join(part.octets for part in parts)
        reading = join(parts, self._dialects.get(first.carrier, _BY_THE_BOOK))
        keywords = self._vocabulary.of(place_of(first.source).region)
        to = Correspondent(first.number, tenant.options.names)
        text = reading.text
        asked = keywords.read(text, to)
        if asked is None and (plain := plain_ascii(octets)) not in (None, text):
            asked = keywords.read(plain, to)
            text = text if asked is None else plain
        detail: dict[str, Any] = {"carrier": first.carrier}
        if not reading.certain or text != reading.text:
            self._metrics.inbound_unreadable.add(1, first.carrier)
            detail |= {"data": octets.hex(), "data_coding": first.data_coding}
        if len(pieces) < first.total:
            self._metrics.inbound_incomplete.add(1, first.carrier)
            detail["parts_missing"] = first.total - len(pieces)
        name = tenant.options.id
        event = Event(
            "inbound", plan.now, to=first.number, sender=first.source, text=text, detail=detail
        )
        plan.settlement.notices.append(Notice(name, event))
        if asked is None:
            return
        if asked.request == "stop":
            await self._opt_out(tenant, first, plan)
        elif asked.request == "start":
            await self._opt_in(tenant, first, plan)
        elif asked.request == "suspected":
            self._metrics.optouts_suspected.add(1, name)
            plan.settlement.notices.append(
                Notice(name, msgspec.structs.replace(event, type="optout_suspected"))
            )
        elif tenant.options.help:
            self._reply(tenant, first, tenant.options.help, plan.now)

    async def _opt_out(self, tenant: Tenant, piece: Piece, plan: Plan) -> None:
        if await self._change(tenant, piece, True, plan) and tenant.options.confirmation:
            self._reply(tenant, piece, tenant.options.confirmation, plan.now)

    async def _opt_in(self, tenant: Tenant, piece: Piece, plan: Plan) -> None:
        await self._change(tenant, piece, False, plan)

    async def _change(self, tenant: Tenant, piece: Piece, out: bool, plan: Plan) -> bool:
        """Change the phone's opt-out and tell the tenant; False where it was so before."""
        name = tenant.options.id
        scope = GLOBAL if self._everybody else name
        planned = [
            c for c in plan.settlement.optouts if (c.scope, c.number) == (scope, piece.source)
        ]
        if planned:
            before = planned[-1].out
        else:
            phone = [piece.source]
            before = bool(
                await self._settler.persistently(lambda: self._store.opted_out(name, phone))
            )
        if before == out:
            return False
        change = OptoutChange(scope, piece.source, out, "keyword", plan.now)
        plan.settlement.optouts.append(change)
        detail = {"action": "add" if out else "remove", "source": "keyword"}
        event = Event("optout", plan.now, to=piece.number, sender=piece.source, detail=detail)
        plan.settlement.notices.append(Notice(name, event))
        return True

    def _reply(self, tenant: Tenant, piece: Piece, text: str, now: float) -> None:
        """Answer a phone from the number it texted, whatever its opt-outs and the hour. What can be
        no phone, or no sender of ours, is never answered."""
        if recipients.normalise(piece.source) is None or senders.normalise(piece.number) is None:
            return
        route = self._intake.router.route(tenant.options.id, "transactional", piece.source)
        if route is None:
            return
        encoding, parts = measure(text)
        self._replies.append(
            Message(
                self._intake.number(),
                tenant.options.id,
                piece.source,
                piece.number,
                text,
                "transactional",
                route,
                encoding,
                parts,
                now,
                now,
                now + REPLY_VALIDITY,
                exempt=True,
            )
        )

"""What phones send us: put together when long, told to the tenant, heeded when it is an opt-out.

Each inbound message belongs to the tenant that owns the number which was texted. The parts of a
long one are kept, durably, until all are there or `INCOMPLETE_AFTER` has passed; then what there
is goes to the tenant. A keyword that opts out is in force in the same transaction that tells the
tenant, and is answered once.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
import structlog

from gateway.dispatch.carriers import Carrier
from gateway.dispatch.intake import Intake
from gateway.dispatch.options import CarrierOptions
from gateway.dispatch.plan import Plan
from gateway.dispatch.settle import Settler
from gateway.dispatch.tenants import Tenant, Tenants
from gateway.errors import RemoteProtocolError, StoreError
from gateway.message import Event, Message
from gateway.ops.metrics import Metrics
from gateway.policy import recipients, senders
from gateway.policy.keywords import Correspondent, Vocabulary
from gateway.policy.optout import OptoutOptions
from gateway.policy.regions import place_of
from gateway.queue.store import GLOBAL, Held, Notice, OptoutChange, Store
from gateway.smpp import tlv
from gateway.smpp.pdu import DataSm, DeliverSm
from gateway.text.alphabets import Alphabet
from gateway.text.joining import alphabet_of, join
from gateway.text.measuring import measure
from gateway.text.udh import Concat, parse_user_data

log = structlog.get_logger(__name__)

INCOMPLETE_AFTER = 24 * 3600.0
"""Seconds after which an inbound message that is not complete is told as it is."""

MAX_INCOMPLETE = 10_000
"""Inbound messages that may be incomplete at once; beyond, the oldest is told as it is."""

MAX_PIECE = 254
"""Octets of a part that is kept: what a short_message holds. A longer one goes to the tenant at
once, so that carriers cannot fill the memory with parts."""

REPLY_VALIDITY = 300.0
"""Seconds in which a confirmation is worth sending (field facts D: within five minutes)."""

UDHI = 0x40
"""esm_class: the user data begin with a header."""


class Piece(NamedTuple):
    """A part of an inbound message, as it is kept."""

    carrier: str
    phone: str
    number: str
    reference: int
    total: int
    sequence: int
    alphabet: Alphabet | None
    payload: bytes
    expires_at: float

    @property
    def whole(self) -> tuple[str, str, str, int, int]:
        """Names the message that the part belongs to."""
        return self.carrier, self.phone, self.number, self.reference, self.total

    @property
    def key(self) -> str:
        return msgspec.json.encode((*self.whole, self.sequence)).decode()


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Piece)


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
        self._pieces: OrderedDict[tuple[str, str, str, int, int], dict[int, Piece]] = OrderedDict()
        self._replies: list[Message] = []
        self.configure(OptoutOptions())

    def configure(self, options: OptoutOptions) -> None:
        """Heed these keywords from now on."""
        self._vocabulary = Vocabulary(options)
        self._everybody = options.scope == "global"

    def recover(self, held: Iterable[Held]) -> None:
        """Take over the parts that an opened store holds."""
        for one in held:
            if one.kind == "inbound":
                piece = _decoder.decode(one.body)
                self._pieces.setdefault(piece.whole, {})[piece.sequence] = piece

    async def receive(self, carrier: Carrier, pdu: DeliverSm | DataSm, plan: Plan) -> None:
        """Add to the plan what an inbound message means."""
        piece = _piece(carrier.options, pdu, plan.now)
        if piece.total == 1 or len(piece.payload) > MAX_PIECE:
            await self._tell([piece], plan)
            return
        pieces = self._pieces.setdefault(piece.whole, {})
        if piece.sequence in pieces:
            return
        pieces[piece.sequence] = piece
        if len(pieces) == piece.total:
            await self._complete(piece.whole, plan)
            return
        plan.settlement.hold.append(
            Held("inbound", piece.key, _encoder.encode(piece), piece.expires_at)
        )
        if len(self._pieces) > MAX_INCOMPLETE:
            await self._complete(next(iter(self._pieces)), plan)

    async def overdue(self, plan: Plan) -> None:
        """Tell of the messages that have been incomplete for too long."""
        over = [
            whole
            for whole, pieces in self._pieces.items()
            if min(piece.expires_at for piece in pieces.values()) <= plan.now
        ]
        for whole in over:
            await self._complete(whole, plan)

    async def settled(self) -> None:
        """What was received is durable: send the replies that it asks for."""
        if self._replies:
            replies, self._replies = self._replies, []
            try:
                await self._intake.reply(replies)
            except StoreError as error:
                log.error("reply_failed", reason=str(error), replies=len(replies))

    async def _complete(self, whole: tuple[str, str, str, int, int], plan: Plan) -> None:
        pieces = self._pieces.pop(whole)
        plan.settlement.drop += [("inbound", piece.key) for piece in pieces.values()]
        await self._tell([pieces[sequence] for sequence in sorted(pieces)], plan)

    async def _tell(self, pieces: Sequence[Piece], plan: Plan) -> None:
        """An inbound message, as whole as it gets, is its owner's."""
        first = pieces[0]
        self._metrics.inbound.add(1, first.carrier)
        tenant = self._tenants.owner(first.number)
        if tenant is None:
            self._metrics.inbound_unowned.add(1, first.carrier)
            return
        text = ""
        detail: dict[str, Any] = {"carrier": first.carrier}
        if first.alphabet is None:
            detail["data"] = b"".join(piece.payload for piece in pieces).hex()
        else:
            text = join((piece.payload for piece in pieces), first.alphabet)
        if len(pieces) < first.total:
            detail["parts_missing"] = first.total - len(pieces)
        name = tenant.options.id
        event = Event(
            "inbound", plan.now, to=first.number, sender=first.phone, text=text, detail=detail
        )
        plan.settlement.notices.append(Notice(name, event))
        keywords = self._vocabulary.of(place_of(first.phone).region)
        asked = keywords.read(text, Correspondent(first.number, tenant.options.names))
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
            c for c in plan.settlement.optouts if (c.scope, c.number) == (scope, piece.phone)
        ]
        if planned:
            before = planned[-1].out
        else:
            phone = [piece.phone]
            before = bool(
                await self._settler.persistently(lambda: self._store.opted_out(name, phone))
            )
        if before == out:
            return False
        change = OptoutChange(scope, piece.phone, out, "keyword", plan.now)
        plan.settlement.optouts.append(change)
        detail = {"action": "add" if out else "remove", "source": "keyword"}
        event = Event("optout", plan.now, to=piece.number, sender=piece.phone, detail=detail)
        plan.settlement.notices.append(Notice(name, event))
        return True

    def _reply(self, tenant: Tenant, piece: Piece, text: str, now: float) -> None:
        """Answer a phone from the number it texted, whatever its opt-outs and the hour. What can be
        no phone, or no sender of ours, is never answered."""
        if recipients.normalise(piece.phone) is None or senders.normalise(piece.number) is None:
            return
        route = self._intake.router.route(tenant.options.id, "transactional", piece.phone)
        if route is None:
            return
        encoding, parts = measure(text)
        self._replies.append(
            Message(
                self._intake.number(),
                tenant.options.id,
                piece.phone,
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


def _piece(options: CarrierOptions, pdu: DeliverSm | DataSm, now: float) -> Piece:
    payload = pdu.short_message if isinstance(pdu, DeliverSm) else b""
    payload = payload or tlv.MESSAGE_PAYLOAD.get(pdu.tlvs) or b""
    concat: Concat | None = None
    if pdu.esm_class & UDHI:
        try:
            concat, payload = parse_user_data(payload)
        except RemoteProtocolError:
            concat = None
    elif pdu.tlvs:
        concat = _by_tlvs(pdu.tlvs)
    reference, total, sequence = concat or Concat(0, 1, 1)
    return Piece(
        options.id,
        _in_full(pdu.source_addr, options.country_code),
        pdu.destination_addr.removeprefix("+"),
        reference,
        total,
        sequence,
        alphabet_of(pdu.data_coding, options.alphabet),
        payload,
        now + INCOMPLETE_AFTER,
    )


def _in_full(phone: str, country_code: str) -> str:
    """The number of a phone as recipients are written, so that its opt-out meets them: carriers
    write ``+49171``, ``0049171`` and, where the country is understood, ``0171`` for one phone."""
    if phone.startswith("00"):
        return phone[2:]
    if country_code and phone.startswith("0"):
        return country_code + phone[1:]
    return phone.removeprefix("+")


def _by_tlvs(tlvs: tlv.Tlvs) -> Concat | None:
    """The place of a part whose carrier tells it by SAR parameters."""
    reference = tlv.SAR_MSG_REF_NUM.get(tlvs)
    total = tlv.SAR_TOTAL_SEGMENTS.get(tlvs)
    sequence = tlv.SAR_SEGMENT_SEQNUM.get(tlvs)
    if reference is None or total is None or sequence is None or not 1 <= sequence <= total:
        return None
    return Concat(reference, total, sequence)

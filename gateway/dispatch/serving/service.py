"""What a tenant can ask of the gateway: the backend of the API (`gateway.api.backend.Backend`)."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

import msgspec
import trio

from gateway.api.schema import (
    Accepted,
    Cancelled,
    CancelResult,
    ConsentAction,
    ConsentResult,
    ConsentRow,
    ConsumersAction,
    ConsumerState,
    Counted,
    Erased,
    Error,
    Explained,
    HandoverAction,
    HandoverResult,
    Holder,
    Imported,
    Into,
    Left,
    MessageStatus,
    OptoutAction,
    OptoutBy,
    OptoutResult,
    Quoted,
    Rejected,
    Start,
    SubmitMessage,
    Template,
    TemplateState,
)
from gateway.dispatch.inbound.consents import Consents
from gateway.dispatch.inbound.conversations import Conversations
from gateway.dispatch.intake.intake import Intake
from gateway.dispatch.intake.templates import Templates
from gateway.dispatch.intake.tenants import Tenant, Tenants
from gateway.dispatch.intake.turns import TURN
from gateway.dispatch.release.steering import Steering
from gateway.dispatch.serving import counted
from gateway.dispatch.serving.erasure import Erasure
from gateway.dispatch.serving.events import EventHub, Subscription, too_many
from gateway.dispatch.serving.explaining import explained
from gateway.dispatch.serving.imports import Imports, StagedOptouts
from gateway.errors import RequestError
from gateway.message import LaneKey, message_id, message_number
from gateway.numbers import NumberError, canonical, read
from gateway.ops.metrics import Metrics
from gateway.policy.optout import stops
from gateway.policy.templates import Definition, Variable
from gateway.queue.consents import Consent, withdrawn
from gateway.queue.store import GLOBAL, OptoutChange, OptoutEntry, Record, Refused, Store
from gateway.queue.tallies import HOUR

PAGE: Final = 1_000
"""Numbers of a list in one reply, each with up to four opt-outs: a megabyte at most."""

COUNTS: Final = 5_000
"""Counts in one reply, some three to a row: half a megabyte; an hour is told whole."""

SHOWN: Final = 160
"""Characters of a text that an opt-out is told with: a reply to 10,000 numbers fits its frame."""


class Service:
    """Answers tenants' requests.

    Args:
        paused: tells whether somebody has paused a queue, or the carriers that it would go by.
    """

    def __init__(
        self,
        *,
        store: Store,
        tenants: Tenants,
        intake: Intake,
        steering: Steering,
        consents: Consents,
        imports: Imports,
        conversations: Conversations,
        erasure: Erasure,
        templates: Templates,
        hub: EventHub,
        metrics: Metrics,
        clock: Callable[[], float],
        paused: Callable[[LaneKey], bool],
    ) -> None:
        self._paused = paused
        self._store = store
        self._tenants = tenants
        self._intake = intake
        self._steering = steering
        self._consents = consents
        self._imports = imports
        self._conversations = conversations
        self._erasure = erasure
        self._templates = templates
        self._hub = hub
        self._metrics = metrics
        self._clock = clock

    @property
    def epoch(self) -> str:
        """What ``seq`` counts in."""
        return self._store.epoch

    def tokens(self) -> Mapping[bytes, str]:
        """The SHA-256 of every valid token, and whose it is."""
        return self._tenants.tokens

    async def submit(
        self, tenant: str, batches: Sequence[Sequence[SubmitMessage]]
    ) -> Sequence[Sequence[Accepted | Rejected]]:
        """Accept messages; durable when this returns."""
        return await self._intake.submit(self._tenant(tenant), batches)

    async def quote(
        self, tenant: str, messages: Sequence[SubmitMessage]
    ) -> Sequence[Quoted | Rejected]:
        """What submitting would give."""
        known = self._tenant(tenant)
        results = await self._intake.quote(known, messages)
        return [
            msgspec.structs.replace(result, paused=True)
            if isinstance(result, Quoted)
            and self._paused(self._intake.lane(known, message, result.to or ""))
            else result
            for result, message in zip(results, messages, strict=True)
        ]

    async def status(
        self, tenant: str, ids: Sequence[str], keys: Sequence[str]
    ) -> Sequence[MessageStatus | None]:
        """Where messages stand, ids first, then keys."""
        return [
            None if record is None else _status(record, self._paused)
            for record in await self._find(tenant, ids, keys)
        ]

    async def cancel(
        self, tenant: str, ids: Sequence[str], keys: Sequence[str], campaign: str | None
    ) -> Cancelled:
        """Cancel what no carrier has yet."""
        count = 0
        if campaign is not None:
            count = await self._steering.cancel_campaign(tenant, campaign)
        if not ids and not keys:
            return Cancelled(count)
        known = await self._store.known(tenant, keys)
        numbers = {entry.message for entry in known.values()}
        numbers.update(n for n in map(message_number, ids) if n is not None)
        done = await self._steering.cancel(tenant, numbers)
        count += len(done)
        records = await self._find(tenant, ids, keys)
        # What is with a bind ends where its carrier refuses it for the time being.
        met_again = [one.number for one in records if one and one.state in ("queued", "deferred")]
        await self._steering.holds.cancel_single(met_again)
        if met_again and self._store.shared:  # other nodes have ended what they had of it
            records = await self._find(tenant, ids, keys)
            ended = {one.number for one in records if one and _state(one) == "cancelled"}
            done |= ended.intersection(met_again)
            count += len(ended.intersection(met_again))
        results = [
            None
            if record is None
            else CancelResult(message_id(record.number), record.number in done, _state(record))
            for record in records
        ]
        return Cancelled(count, results)

    async def pause(self, tenant: str, campaign: str) -> int:
        """Send nothing more of a campaign for now; returns how many messages that holds."""
        return await self._steering.pause(tenant, campaign)

    async def resume(self, tenant: str, campaign: str, extend: float | None) -> int:
        """Go on with a campaign; returns how many messages were held."""
        return await self._steering.resume(tenant, campaign, extend)

    async def stats(
        self, tenant: str, campaign: str | None, since: float | None, until: float | None
    ) -> Counted:
        """What was counted, in whole hours."""
        start = 0 if since is None else int(since // HOUR)
        stop = int(self._clock() // HOUR) + 1
        if until is not None:
            stop = min(stop, math.ceil(until / HOUR))
        found = await self._store.stats(tenant, campaign, start, stop, COUNTS)
        following = None if found.next is None else found.next * HOUR
        return Counted(counted.rows(found.rows), following, await self._left(tenant))

    async def _left(self, tenant: str) -> Left | None:
        """What a tenant has left to spend."""
        known = self._tenants.get(tenant)
        budget = None if known is None else known.policy.budget
        if budget is None:
            return None
        facts = await self._store.facts(tenant, ("",), budget.wants)
        return Left(*budget.left(facts.spent, self._clock()))

    async def optout(
        self,
        tenant: str,
        action: OptoutAction,
        numbers: Sequence[str],
        source: OptoutBy = "api",
        into: Into | None = None,
    ) -> Sequence[OptoutResult | Rejected]:
        """Change or look up opt-outs, in order of ``numbers``; what a source may take back is in
        `gateway.queue.store.LIFTS`. ``into`` names an import in which changes are staged."""
        region = self._tenant(tenant).options.default_region
        readings: list[str | NumberError] = []
        for start in range(0, len(numbers), TURN):
            if start:
                await trio.lowlevel.checkpoint()
            readings += [_read(number, region) for number in numbers[start : start + TURN]]
        valid = [number for number in readings if isinstance(number, str)]
        changed: dict[str, bool] = {}
        now = self._clock()
        if into is not None:
            staged = StagedOptouts(action, source, now, valid)
            await self._imports.stage(tenant, into, len(valid), staged)
        elif action != "check":
            changes = [
                OptoutChange(tenant, number, action == "add", source, now) for number in valid
            ]
            for number, did in zip(valid, await self._store.optout(changes), strict=True):
                changed[number] = changed.get(number, False) or did
            if done := sum(changed.values()):
                self._metrics.optouts.add(done, tenant, source, action)
        held = await self._store.optout_entries(tenant, valid)
        records: Mapping[str, Sequence[Consent]] = {}
        if action == "check":
            records = await self._store.consents(tenant, [canonical(number) for number in valid])
        return [
            _optout_result(
                number,
                changed.get(number, False),
                held.get(number, ()),
                records.get(canonical(number), ()),
            )
            if isinstance(number, str)
            else Rejected(Error("invalid_recipient", str(number)))
            for number in readings
        ]

    async def explain(
        self, tenant: str, ids: Sequence[str], keys: Sequence[str]
    ) -> Sequence[Explained | None]:
        """Tell the lives of messages."""
        records = await self._find(tenant, ids, keys)
        refused = await self._store.refusals(tenant, keys) if keys else {}
        of_keys: list[Sequence[Refused]] = [refused.get(key, ()) for key in keys]
        none: list[Sequence[Refused]] = [()] * len(ids)
        pairs = zip(records, [*none, *of_keys], strict=True)
        return [explained(record, turned_away) for record, turned_away in pairs]

    async def consent(
        self,
        tenant: str,
        action: ConsentAction,
        rows: Sequence[ConsentRow],
        into: Into | None = None,
    ) -> Sequence[ConsentResult | Rejected]:
        """Change or look up consents; ``into`` names an import in which changes are staged."""
        return await self._consents.handle(self._tenant(tenant), action, rows, into)

    async def apply(self, tenant: str, name: str, size: int) -> Imported:
        """Have all of an import hold."""
        known = await self._imports.apply(tenant, name, size)
        return Imported(known.size, known.rest, known.changed)

    async def handovers(self, tenant: str, after: str) -> Sequence[HandoverResult]:
        """The next conversations of a tenant that a person has, behind a number."""
        return self._conversations.page(tenant, after, PAGE, self._clock())

    async def erase(self, tenant: str, number: str) -> Erased:
        """Erase all that is known of a phone to a tenant, but its opt-outs."""
        phone = _read(number, self._tenant(tenant).options.default_region)
        if isinstance(phone, NumberError):
            raise RequestError("bad_request", f"number: {phone}")
        return await self._erasure.erase(tenant, phone)

    async def handover(
        self, tenant: str, action: HandoverAction, numbers: Sequence[str]
    ) -> Sequence[HandoverResult | Rejected]:
        """Close conversations that a person has, or look them up."""
        return await self._conversations.handle(
            self._tenant(tenant), action, numbers, self._clock()
        )

    async def consents(self, tenant: str, after: str) -> Sequence[ConsentResult]:
        """The next of a tenant's consents behind a number."""
        return await self._consents.page(tenant, after)

    async def optouts(self, tenant: str, after: str) -> Sequence[OptoutResult]:
        """The next of the tenant's own opt-outs behind a number, in order of the digits."""
        entries = await self._store.optout_list(tenant, after, PAGE)
        return [
            _optout_result(number, False, list(held))
            for number, held in groupby(entries, attrgetter("number"))
        ]

    async def template(self, tenant: str, request: Template) -> Sequence[TemplateState]:
        """Make, look up, list or forget templates."""
        known, name = self._templates, request.name or ""
        if request.action == "list":
            return await known.list(tenant, request.after)
        if request.action == "get":
            return await known.get(tenant, name, request.version)
        if request.action == "delete":
            return await known.delete(tenant, name)
        definition = Definition(
            request.text or "",
            request.category,
            {name: Variable(one.type, one.max, one.default) for name, one in request.vars.items()},
            tuple(request.allow),
            request.approved,
        )
        return [await known.put(tenant, name, definition)]

    async def subscribe(self, tenant: str, consumer: str, start: Start) -> Subscription:
        """Read a tenant's events."""
        most = self._tenant(tenant).options.max_consumers
        return await self._hub.subscribe(tenant, consumer, start, most)

    async def acknowledge(
        self, tenant: str, consumer: str, seq: int, epoch: str | None = None
    ) -> int:
        """Move a consumer's cursor forward; returns where it stands. A ``seq`` of another epoch
        says nothing of the events of this one."""
        if epoch is not None and epoch != self._store.epoch:
            found = [one for one in await self._store.consumers(tenant) if one.name == consumer]
            return found[0].seq if found else 0
        most = self._tenant(tenant).options.max_consumers
        stands = await self._store.acknowledge(tenant, consumer, seq, most)
        if stands is None:
            raise too_many(most)
        if stands < seq:
            raise RequestError("bad_request", f"seq: there is no event {seq} yet")
        return stands

    async def consumers(
        self, tenant: str, action: ConsumersAction, consumer: str | None
    ) -> Sequence[ConsumerState]:
        """The tenant's consumers, or the one that is named; ``delete`` forgets it, as it stood."""
        found = [one for one in await self._store.consumers(tenant) if consumer in (None, one.name)]
        if action == "delete":
            for one in found:
                await self._store.forget_consumer(tenant, one.name)
        connected = self._hub.connected()
        return [
            ConsumerState(one.name, one.seq, one.lag, one.seen, (tenant, one.name) in connected)
            for one in found
        ]

    def _tenant(self, name: str) -> Tenant:
        tenant = self._tenants.get(name)
        if tenant is None:
            raise RequestError("forbidden", f"tenant {name!r} is not configured any more")
        return tenant

    async def _find(
        self, tenant: str, ids: Sequence[str], keys: Sequence[str]
    ) -> list[Record | None]:
        numbers = [message_number(text) or 0 for text in ids]
        by_number, by_key = await self._store.find(tenant, numbers, keys)
        return by_number + by_key


def _read(written: str, region: str | None) -> str | NumberError:
    """The number that is meant, or why it cannot be told."""
    try:
        return read(written, region)
    except NumberError as error:
        return error


def _state(record: Record) -> str:
    """Where a message stands, in one word."""
    return record.event.type if record.event is not None else record.state or "queued"


def _status(record: Record, paused: Callable[[LaneKey], bool]) -> MessageStatus:
    """A record in the words of the API; ``paused`` tells which queues are."""
    identifier = message_id(record.number)
    event, message = record.event, record.message
    if event is not None:
        return MessageStatus(
            identifier,
            _state(record),
            True,
            record.updated_at,
            event.parts,
            event.key,
            event.to,
            event.campaign,
            None,
            event.code,
            event.detail,
            event.variant,
        )
    if message is None:
        raise AssertionError("a record of nothing")
    return MessageStatus(
        identifier,
        _state(record),
        False,
        record.updated_at,
        message.parts,
        message.key,
        message.to,
        message.campaign,
        message.due if record.state == "deferred" else None,
        variant=message.variant,
        paused=record.state != "sent" and paused(message.lane),
        text=None if message.before is None else message.text,
        before=message.before,
    )


def _optout_result(
    number: str,
    changed: bool,
    held: Sequence[OptoutEntry],
    records: Sequence[Consent] = (),
) -> OptoutResult:
    """What holds for a number. What a phone wrote to another tenant is not told."""
    holders = []
    for entry in held:
        everybody = entry.scope == GLOBAL
        text = None if everybody or entry.text is None else entry.text[:SHOWN]
        name = None if everybody else entry.message
        holders.append(Holder(entry.source, entry.at, everybody, name, text))
    only = [one for one in sorted(withdrawn(records)) if stops(one)]
    return OptoutResult(number, bool(holders), changed, holders, only)

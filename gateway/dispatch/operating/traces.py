"""What is known of single messages, step by step, and of opt-outs."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from gateway.dispatch import gauges
from gateway.dispatch.carriers.flights import Flight
from gateway.dispatch.core import Dispatch
from gateway.dispatch.serving.explaining import explained, said
from gateway.message import Event, Message, message_id, message_number
from gateway.numbers import NumberError, canonical, read, spellings
from gateway.ops.problems import ProblemError
from gateway.ops.views import (
    ConsentView,
    MessagePage,
    MessageView,
    OptoutView,
    PersonView,
    Reason,
    RefusalView,
    Step,
)
from gateway.queue.consents import Consent
from gateway.queue.lanes import Lane
from gateway.queue.operators import OperatorStore
from gateway.queue.store import GLOBAL, OptoutEntry, Record

PAGE: Final = 100
"""Messages of one number, or numbers with opt-outs, that are told at once."""


REFUSALS: Final = 1_000
"""Refused messages to one number that are told, the latest."""


class Traces:
    """Tells of messages and opt-outs."""

    def __init__(
        self, dispatch: Dispatch, store: OperatorStore, clock: Callable[[], float]
    ) -> None:
        self._dispatch = dispatch
        self._store = store
        self._clock = clock

    async def message(self, identifier: str) -> MessageView:
        """A message by its id."""
        number = message_number(identifier)
        found = None if number is None else await self._store.find_any(number)
        if found is None:
            raise ProblemError(
                "not_found",
                f"there is no message {identifier[:40]!r}, or its outcome is older than the "
                "retention",
            )
        return self._views([found])[0]

    async def messages(self, number: str, after: str | None) -> MessagePage:
        """The messages to a phone, however its number is written."""
        phone = phone_of(number)
        found = await self._store.search(sorted(spellings(phone)), after, PAGE)
        return MessagePage(messages=tuple(self._views(found.records)), next=found.next)

    async def person(self, number: str) -> PersonView:
        """What is on record of a phone, beside its messages, whoever's it is."""
        phone = phone_of(number)
        names = [tenant.id for tenant in self._dispatch.options.tenants]
        optouts: dict[tuple[str, str], OptoutView] = {}
        consents: list[ConsentView] = []
        for tenant in names:
            held = await self._store.optout_entries(tenant, [phone])
            for one in held.get(phone, ()):
                owner = None if one.scope == GLOBAL else tenant
                optouts[one.scope, one.source] = _optout(one, owner)
            records = (await self._store.consents(tenant, [phone])).get(phone, ())
            consents += [_consent(one) for one in records]
        refused = await self._store.refused(spellings(phone), REFUSALS)
        return PersonView(
            number=canonical(phone),
            optouts=tuple(optouts.values()),
            consents=tuple(consents),
            refusals=tuple(
                RefusalView(
                    tenant=one.tenant,
                    at=one.at,
                    key=one.key,
                    code=one.code,
                    rule=one.rule,
                    why=one.why,
                    config=one.config,
                )
                for one in refused
            ),
        )

    async def optouts(self, tenant: str | None, after: str) -> list[OptoutView]:
        """The next opt-outs of a tenant, or of everybody."""
        entries = await self._store.optout_list(GLOBAL if tenant is None else tenant, after, PAGE)
        return [_optout(one, tenant) for one in entries]

    def _views(self, records: Sequence[tuple[str, Record]]) -> list[MessageView]:
        """How messages are shown. Windows and lanes are looked through once for all."""
        numbers = {record.number for _, record in records if record.event is None}
        flights = self._flights(numbers) if numbers else {}
        reason = gauges.reasons(self._dispatch, self._clock())
        return [
            _ended(tenant, record, record.event)
            if record.event is not None
            else self._view(tenant, record, flights.get(record.number), reason)
            for tenant, record in records
        ]

    def _view(
        self,
        tenant: str,
        record: Record,
        flight: Flight | None,
        reason: Callable[[Lane], Reason],
    ) -> MessageView:
        message = record.message
        if message is None:
            raise AssertionError("a record of nothing")
        state = record.state or "queued"
        return MessageView(
            id=message_id(message.id),
            tenant=tenant,
            state=state,
            final=False,
            to=message.to,
            sender=message.sender,
            text=message.text,
            category=message.category,
            route=message.route,
            campaign=message.campaign,
            variant=message.variant,
            key=message.key,
            encoding=message.encoding,
            parts=message.parts,
            attempts=message.attempts,
            maybe_duplicate=message.maybe_duplicate,
            accepted_at=message.accepted_at,
            due=message.due,
            expires_at=message.expires_at,
            updated_at=record.updated_at,
            code=None,
            detail={},
            reason=reason(self._lane(message)) if state == "queued" and flight is None else None,
            steps=tuple(_steps(record, flight)),
        )

    def _lane(self, message: Message) -> Lane:
        """The lane of a message; one that has none is as it would be with some."""
        key = message.lane
        found = self._dispatch.lanes.known(key)
        return found or Lane(key, self._dispatch.upkeep.steering.holds.paused(key))

    def _flights(self, numbers: Collection[int]) -> dict[int, Flight]:
        """The flights of those messages that are in a window."""
        return {
            part.flight.message.id: part.flight
            for carrier in self._dispatch.fleet.carriers
            for part in carrier.unanswered()
            if part.flight.message.id in numbers
        }


def _consent(one: Consent) -> ConsentView:
    return ConsentView(
        tenant=one.tenant,
        purpose=one.purpose,
        state=one.state,
        at=one.at,
        source=one.source,
        wording=one.wording,
        by=one.by,
    )


def _optout(one: OptoutEntry, tenant: str | None) -> OptoutView:
    return OptoutView(
        number=one.number,
        tenant=tenant,
        source=one.source,
        at=one.at,
        message=one.message,
        text=one.text,
    )


def phone_of(written: str) -> str:
    """The number that is meant; it needs its country code."""
    try:
        return read(written)
    except NumberError as error:
        raise ProblemError("bad_request", f"{written[:24]!r}: {error}") from error


def _steps(record: Record, flight: Flight | None) -> Sequence[Step]:
    """What happened to a message, as `explained` has it, and where it is this moment."""
    life = explained(record, ())
    steps = [] if life is None else [Step(at=one.at, what=said(one)) for one in life.steps]
    message = record.message
    if flight is not None:
        detail = f"{flight.carrier}, {flight.unanswered} of {flight.message.parts} parts unanswered"
        steps.append(Step(at=flight.released_at, what="handed to a carrier", detail=detail))
    if message is not None:
        steps.append(Step(at=message.expires_at, what="expires, if it is not sent by then"))
    return steps


def _ended(tenant: str, record: Record, event: Event) -> MessageView:
    detail = event.detail or {}
    return MessageView(
        id=message_id(record.number),
        tenant=tenant,
        state=event.type,
        final=True,
        to=event.to,
        sender=None,
        text=None,
        category=None,
        route=None,
        campaign=event.campaign,
        variant=event.variant,
        key=event.key,
        encoding=None,
        parts=event.parts,
        attempts=0,
        maybe_duplicate=event.maybe_duplicate,
        accepted_at=(record.life.accepted_at or None) if record.life else None,
        due=None,
        expires_at=None,
        updated_at=event.at,
        code=event.code,
        detail=detail,
        reason=None,
        steps=tuple(_steps(record, None)),
    )

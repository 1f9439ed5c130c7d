"""What is known of single messages, step by step, and of opt-outs."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from gateway.dispatch import gauges
from gateway.dispatch.core import Dispatch
from gateway.dispatch.flights import Flight
from gateway.message import Event, Message, message_id, message_number
from gateway.numbers import NumberError, canonical, read
from gateway.ops.problems import ProblemError
from gateway.ops.views import MessagePage, MessageView, OptoutView, Reason, Step
from gateway.queue.lanes import Lane
from gateway.queue.operators import OperatorStore
from gateway.queue.store import GLOBAL, Record

PAGE: Final = 100
"""Messages of one number, or numbers with opt-outs, that are told at once."""


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
        tenant, record = found
        return self._view(tenant, record)

    async def messages(self, number: str, after: str | None) -> MessagePage:
        """The messages to a phone, however its number is written."""
        phone = phone_of(number)
        found = await self._store.search(sorted({phone, canonical(phone)}), after, PAGE)
        views = tuple(self._view(tenant, record) for tenant, record in found.records)
        return MessagePage(messages=views, next=found.next)

    async def optouts(self, tenant: str | None, after: str) -> list[OptoutView]:
        """The next opt-outs of a tenant, or of everybody."""
        entries = await self._store.optout_list(GLOBAL if tenant is None else tenant, after, PAGE)
        return [
            OptoutView(
                number=one.number,
                tenant=tenant,
                source=one.source,
                at=one.at,
                message=one.message,
                text=one.text,
            )
            for one in entries
        ]

    def _view(self, tenant: str, record: Record) -> MessageView:
        message, event = record.message, record.event
        if event is not None:
            return _ended(tenant, record, event)
        if message is None:
            raise AssertionError("a record of nothing")
        flight = self._flight(message)
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
            reason=self._reason(message) if state == "queued" and flight is None else None,
            steps=tuple(_steps(message, record, flight)),
        )

    def _reason(self, message: Message) -> Reason:
        lanes = {lane.key: lane for lane in self._dispatch.lanes.each()}
        key = message.lane
        lane = lanes.get(key) or Lane(key, self._dispatch.upkeep.steering.holds.paused(key))
        return gauges.reasons(self._dispatch, self._clock())(lane)

    def _flight(self, message: Message) -> Flight | None:
        """The flight of a message that is in a window."""
        for carrier in self._dispatch.fleet.carriers:
            for part in carrier.unanswered():
                if part.flight.message.id == message.id:
                    return part.flight
        return None


def phone_of(written: str) -> str:
    """The number that is meant; it needs its country code."""
    try:
        return read(written)
    except NumberError as error:
        raise ProblemError("bad_request", f"{written[:24]!r}: {error}") from error


def _steps(message: Message, record: Record, flight: Flight | None) -> Sequence[Step]:
    steps = [_accepted(message.accepted_at)]
    if record.state == "deferred":
        why = "" if message.due > message.accepted_at else "after a refusal"
        steps.append(Step(at=None, what=f"waits until {_moment(message.due)}", detail=why))
    if message.attempts:
        what = "refused by a carrier for the time being"
        steps.append(Step(at=None, what=what, detail=f"{message.attempts} times"))
    if flight is not None:
        detail = f"{flight.carrier}, {flight.unanswered} of {message.parts} parts unanswered"
        steps.append(Step(at=flight.released_at, what="handed to a carrier", detail=detail))
    if record.state == "sent":
        steps.append(
            Step(at=record.updated_at, what="taken by a carrier", detail="a receipt is to come")
        )
    steps.append(Step(at=message.expires_at, what="expires, if it is not sent by then"))
    return steps


def _ended(tenant: str, record: Record, event: Event) -> MessageView:
    detail = event.detail or {}
    why = [str(event.code)] if event.code else []
    why += [f"{key} {value}" for key, value in islice(detail.items(), 8)]
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
        accepted_at=None,
        due=None,
        expires_at=None,
        updated_at=event.at,
        code=event.code,
        detail=detail,
        reason=None,
        steps=(
            _accepted(None),
            Step(at=event.at, what=f"ended: {event.type}", detail=", ".join(why)),
        ),
    )


def _accepted(at: float | None) -> Step:
    return Step(at=at, what="accepted", detail="durable from then on")


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(" ", "seconds")

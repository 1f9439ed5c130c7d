"""Turns the requests of one connection into replies by asking the backend, in order of arrival.

Knows nothing of sockets: bodies of frames come in, replies go out through a callback.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from gateway.api import codec, schema
from gateway.api.peek import Echo
from gateway.api.schema import Reply, Request
from gateway.api.shared import Shared
from gateway.errors import RequestError, StoreError

Subscriber = Callable[[schema.Subscribe], Awaitable[Reply]]
Put = Callable[[Sequence[Reply]], None]

_UNREAD: Final = (
    "too many bytes of replies wait to be read by this tenant; nothing was done, read them first"
)


class Answers:
    """Answers one connection's requests.

    Args:
        is_unread: says whether too much of what was answered waits to be read.
    """

    def __init__(
        self, shared: Shared, tenant: str, subscribe: Subscriber, is_unread: Callable[[], bool]
    ) -> None:
        self._shared = shared
        self._is_unread = is_unread
        self._backend = shared.backend
        self._tenant = tenant
        self._handlers: dict[type, Callable[[Any], Awaitable[Reply]]] = {
            schema.Hello: self._hello,
            schema.Quote: self._quote,
            schema.Status: self._status,
            schema.Cancel: self._cancel,
            schema.Pause: self._pause,
            schema.Resume: self._resume,
            schema.Stats: self._stats,
            schema.Subscribe: subscribe,
            schema.Ack: self._acknowledge,
            schema.Consumers: self._consumers,
            schema.Optout: self._optout,
            schema.Consent: self._consent,
            schema.Import: self._import,
            schema.Handover: self._handover,
            schema.Person: self._person,
            schema.Template: self._template,
            schema.Explain: self._explain,
        }

    async def give(self, bodies: Sequence[bytes], first: int, put: Put) -> None:
        """Answer requests that arrived together, the first of them the ``first``-th of its
        connection; ``put`` gets one reply for each, as they come."""
        submits: list[schema.Submit] = []
        for request in self._requests(bodies, first, put):
            if isinstance(request, schema.Submit):
                submits.append(request)
                continue
            await self._submit(submits, put)
            submits = []
            await self._attempt([request], self._one(request), put)
        await self._submit(submits, put)

    def _requests(self, bodies: Sequence[bytes], first: int, put: Put) -> list[Request]:
        """Those that are to be carried out; the others are refused at once."""
        options, counts = self._shared.options, self._shared.stats.requests
        accepted = []
        for number, body in enumerate(bodies, first):
            try:
                request = codec.decode(body, options.max_batch)
                # Events that were handled need not come again after a restart.
                if not isinstance(request, schema.Ack):
                    if self._shared.draining:
                        raise RequestError("shutting_down", "the gateway is shutting down")
                    if self._is_unread():
                        raise RequestError("busy", _UNREAD)
            except RequestError as error:
                put([self._refusal(codec.request_id(body), error, number)])
            else:
                counts[type(request).__name__.lower()] += 1
                accepted.append(request)
        return accepted

    async def _submit(self, requests: Sequence[schema.Submit], put: Put) -> None:
        if requests:
            await self._attempt(requests, self._submitted(requests), put)

    async def _attempt(
        self, requests: Sequence[Request], work: Awaitable[Sequence[Reply]], put: Put
    ) -> None:
        try:
            replies = await work
        except (RequestError, StoreError) as error:
            replies = [self._refusal(request.id, error) for request in requests]
        put(replies)

    def _refusal(
        self, request_id: Echo | None, error: RequestError | StoreError, number: int | None = None
    ) -> Reply:
        if isinstance(error, StoreError):
            what = "the disk is full" if error.full else "the store failed"
            error = RequestError("busy", f"{what}; nothing was done, try later")
        self._shared.stats.errors[error.code] += 1
        return schema.refusal(request_id, error.code, error.message, number)

    # --- one method for each op ---

    async def _submitted(self, requests: Sequence[schema.Submit]) -> Sequence[Reply]:
        batches = [request.messages for request in requests]
        results = await self._backend.submit(self._tenant, batches)
        return [
            schema.SubmitReply(request.id, True, result)
            for request, result in zip(requests, results, strict=True)
        ]

    async def _one(self, request: Request) -> Sequence[Reply]:
        return [await self._handlers[type(request)](request)]

    async def _hello(self, _: schema.Hello) -> Reply:
        raise RequestError("bad_request", "op: hello was said already")

    async def _quote(self, request: schema.Quote) -> Reply:
        results = await self._backend.quote(self._tenant, request.messages)
        return schema.QuoteReply(request.id, True, results)

    async def _status(self, request: schema.Status) -> Reply:
        if not (request.ids or request.keys):
            return schema.StatusReply(request.id, True, ())
        found = await self._backend.status(self._tenant, request.ids, request.keys)
        return schema.StatusReply(request.id, True, found)

    async def _cancel(self, request: schema.Cancel) -> Reply:
        if not (request.ids or request.keys or request.campaign):
            raise RequestError("bad_request", "ids, keys or campaign: one is needed")
        done = await self._backend.cancel(self._tenant, request.ids, request.keys, request.campaign)
        return schema.CancelReply(request.id, True, done.cancelled, done.results)

    async def _pause(self, request: schema.Pause) -> Reply:
        held = await self._backend.pause(self._tenant, request.campaign)
        return schema.PauseReply(request.id, True, held)

    async def _resume(self, request: schema.Resume) -> Reply:
        released = await self._backend.resume(self._tenant, request.campaign, request.extend)
        return schema.ResumeReply(request.id, True, released)

    async def _stats(self, request: schema.Stats) -> Reply:
        found = await self._backend.stats(
            self._tenant, request.campaign, request.since, request.until
        )
        return schema.StatsReply(request.id, True, found.rows, found.following, found.left)

    async def _acknowledge(self, request: schema.Ack) -> Reply:
        seq = await self._backend.acknowledge(
            self._tenant, request.consumer, request.seq, request.epoch
        )
        return schema.AckReply(request.id, True, seq)

    async def _consumers(self, request: schema.Consumers) -> Reply:
        if request.action == "delete" and request.consumer is None:
            raise RequestError("bad_request", "consumer: missing; which one is to be deleted?")
        found = await self._backend.consumers(self._tenant, request.action, request.consumer)
        return schema.ConsumersReply(request.id, True, found)

    async def _explain(self, request: schema.Explain) -> Reply:
        found: Sequence[schema.Explained | None] = ()
        if request.ids or request.keys:
            found = await self._backend.explain(self._tenant, request.ids, request.keys)
        return schema.ExplainReply(request.id, True, found)

    async def _consent(self, request: schema.Consent) -> Reply:
        _check_stages(request, "add", "withdraw")
        if request.action == "list":
            if request.numbers is not None or request.rows is not None:
                raise RequestError("bad_request", "numbers: a list takes none; check looks them up")
            found = await self._backend.consents(self._tenant, request.after)
            return schema.ConsentReply(request.id, True, found)
        if (request.numbers is None) == (request.rows is None):
            raise RequestError("bad_request", "numbers: missing, or rows in their place, not both")
        rows = request.rows or [schema.ConsentRow(number) for number in request.numbers or ()]
        whole = [
            schema.ConsentRow(
                row.number,
                row.purpose or request.purpose,
                request.at if row.at is None else row.at,
                row.source or request.source,
                request.wording if row.wording is None else row.wording,
                row.by or request.by,
            )
            for row in rows
        ]
        results = await self._backend.consent(self._tenant, request.action, whole, request.into)
        return schema.ConsentReply(request.id, True, results)

    async def _import(self, request: schema.Import) -> Reply:
        imported = await self._backend.apply(self._tenant, request.name, request.size)
        return schema.ImportReply(request.id, True, imported)

    async def _person(self, request: schema.Person) -> Reply:
        erased = await self._backend.erase(self._tenant, request.number)
        return schema.PersonReply(request.id, True, erased)

    async def _handover(self, request: schema.Handover) -> Reply:
        if request.action == "list":
            if request.numbers is not None:
                raise RequestError("bad_request", "numbers: a list takes none; check looks them up")
            found = await self._backend.handovers(self._tenant, request.after)
            return schema.HandoverReply(request.id, True, found)
        if request.numbers is None:
            raise RequestError("bad_request", "numbers: missing")
        results = await self._backend.handover(self._tenant, request.action, request.numbers)
        return schema.HandoverReply(request.id, True, results)

    async def _optout(self, request: schema.Optout) -> Reply:
        _check_stages(request, "add", "remove")
        if request.action == "list":
            if request.numbers is not None:
                raise RequestError("bad_request", "numbers: a list takes none; check looks them up")
            found = await self._backend.optouts(self._tenant, request.after)
            return schema.OptoutReply(request.id, True, found)
        if request.numbers is None:
            raise RequestError("bad_request", "numbers: missing")
        results = await self._backend.optout(
            self._tenant, request.action, request.numbers, request.source, request.into
        )
        return schema.OptoutReply(request.id, True, results)

    async def _template(self, request: schema.Template) -> Reply:
        if request.action != "list" and request.name is None:
            raise RequestError("bad_request", "name: missing; which template is it?")
        if request.action == "put" and request.text is None:
            raise RequestError("bad_request", "text: missing")
        found = await self._backend.template(self._tenant, request)
        return schema.TemplateReply(request.id, True, found)


def _check_stages(request: schema.Optout | schema.Consent, *actions: str) -> None:
    """Raise RequestError where a request is to be staged, and its action is none of those that
    change something later as well as now."""
    if request.into is not None and request.action not in actions:
        raise RequestError("bad_request", f"import: {request.action} changes nothing to stage")

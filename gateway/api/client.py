"""The client that a campaign system imports, for trio. It needs msgpack and trio only.

::

    async with connect("tcp://127.0.0.1:7600", token="…") as client:
        results = await client.submit([{"to": "+447700900123", "text": "Hello"}])
        async for event in client.events("crm"):
            print(event.type, event.message_id)

A connection that breaks is made anew, and requests without an answer are sent again; keys make
that safe. For scripts without trio there is `gateway.api.blocking`.
"""

import ssl
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import trio

from gateway.api import dialogue, wire
from gateway.api.address import parse_address
from gateway.api.events import Events
from gateway.api.link import Link, Target, open_link
from gateway.api.outbox import Outbox
from gateway.api.wire import (
    Accepted,
    ApiError,
    Cancelled,
    Category,
    ConsentAction,
    ConsentResult,
    Consumer,
    ConsumersAction,
    Erased,
    Explained,
    HandoverAction,
    HandoverResult,
    Imported,
    Into,
    Message,
    OptoutAction,
    OptoutBy,
    OptoutResult,
    Quoted,
    Rejected,
    Start,
    Stat,
    Status,
    Template,
)

_PATIENCE: Final = 60.0
"""Seconds for the server to take a piece of what is sent."""

_AHEAD: Final = 16
"""Batches whose results may wait to be taken by the caller of `Client.submit_many`."""


class _Call:
    """A request that waits for its answer.

    Attributes:
        position: which request of the present connection it is.
    """

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self.position = 0
        self._done = trio.Event()
        self._reply: wire.Reply = {}
        self._error: ApiError | None = None

    def settle(self, reply: wire.Reply, error: ApiError | None) -> None:
        self._reply, self._error = reply, error
        self._done.set()

    @property
    def done(self) -> bool:
        return self._done.is_set()

    async def reply(self) -> wire.Reply:
        await self._done.wait()
        if self._error is not None:
            raise self._error
        return self._reply


class Client:
    """A connection to the gateway that mends itself; made by `connect`.

    Every method waits for as long as the gateway cannot be reached; bound it with
    ``trio.fail_after``. A submit that was given up may have been carried out.
    Every method raises `ApiError` where the gateway refuses the request as a whole.
    """

    def __init__(self, target: Target, limits: wire.Limits) -> None:
        self._target = target
        self._limits = limits
        self._requests = dialogue.Requests()
        self._pending: dict[int, _Call] = {}
        self._window = trio.Semaphore(limits.max_in_flight, max_value=limits.max_in_flight)
        self._outbox = Outbox()
        self._sent = dialogue.HELLO
        self._refused: ApiError | None = None
        self._events: list[Events] = []

    # --- requests ---

    async def submit(
        self, messages: Iterable[Message], defaults: Message | None = None
    ) -> list[Accepted | Rejected]:
        """Submit messages; a result for each, in order. A message without ``key`` gets one.
        Returns when all that was accepted is durable."""
        return [result async for result in self.submit_many(messages, defaults)]

    async def submit_many(
        self, messages: Iterable[Message], defaults: Message | None = None
    ) -> AsyncGenerator[Accepted | Rejected, None]:
        """Submit any number of messages in batches, several in flight, and yield their results in
        order as they come. ``messages`` is read only as fast as the gateway accepts."""
        async for reply in self._stream(self._requests.submits(messages, defaults, self._limits)):
            for result in wire.accepted(reply):
                yield result

    async def quote(
        self, messages: Iterable[Message], defaults: Message | None = None
    ) -> list[Quoted | Rejected]:
        """What submitting these messages now would give; nothing is stored."""
        requests = self._requests.quotes(messages, defaults, self._limits)
        return [r async for reply in self._stream(requests) for r in wire.quoted(reply)]

    async def status(
        self, ids: Sequence[str] = (), keys: Sequence[str] = ()
    ) -> list[Status | None]:
        """Where messages stand, ids first; None for one that is not known."""
        return wire.statuses(await self._ask({"op": "status", "ids": ids, "keys": keys}))

    async def cancel(
        self,
        ids: Sequence[str] = (),
        keys: Sequence[str] = (),
        campaign: str | None = None,
    ) -> Cancelled:
        """Cancel messages that no carrier has yet, by id, key or campaign."""
        fields = {"op": "cancel", "ids": ids, "keys": keys, "campaign": campaign}
        return wire.cancelled(await self._ask(fields))

    async def pause(self, campaign: str) -> int:
        """Send nothing more of a campaign until it is resumed; returns how many of its messages
        that holds."""
        return int((await self._ask({"op": "pause", "campaign": campaign}))["held"])

    async def resume(self, campaign: str, extend: float | None = None) -> int:
        """Go on with a campaign, whose messages then expire ``extend`` seconds later; returns how
        many were held."""
        fields = {"op": "resume", "campaign": campaign, "extend": extend}
        return int((await self._ask(fields))["released"])

    async def stats(
        self,
        campaign: str | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> list[Stat]:
        """What was counted, of one campaign or of everything, in the hours from the one in which
        ``since`` is to the one before ``until``."""
        found: list[Stat] = []
        following = since
        while True:
            fields = {"op": "stats", "campaign": campaign, "from": following, "to": until}
            reply = await self._ask(fields)
            found += wire.stats(reply)
            following = reply.get("next")
            if following is None:
                return found

    async def optout(
        self,
        action: OptoutAction,
        numbers: Sequence[str],
        source: OptoutBy = "api",
        into: Into | None = None,
    ) -> list[OptoutResult | Rejected]:
        """Add, remove or check opt-outs, as ``source`` may; ``into`` names an import in which they
        are staged, see `apply`."""
        fields = {"op": "optout", "action": action, "numbers": numbers, "source": source}
        return wire.optouts(await self._ask(wire.staged(fields, into)))

    async def apply(self, name: str, size: int) -> Imported:
        """Have all changes hold that were staged in an import, ``size`` of them, and see how far
        that is: call it until there is no ``rest``. From the first call on, either all of them will
        hold, or it raises ApiError, and none does."""
        fields = {"op": "import", "action": "apply", "name": name, "size": size}
        return wire.imported(await self._ask(fields))

    async def explain(
        self, ids: Sequence[str] = (), keys: Sequence[str] = ()
    ) -> list[Explained | None]:
        """The lives of messages, of ``ids`` and then of ``keys``; None for unknown ones."""
        return wire.explained(await self._ask({"op": "explain", "ids": ids, "keys": keys}))

    async def consent(
        self,
        action: ConsentAction,
        numbers: Sequence[str] = (),
        rows: Sequence[Mapping[str, Any]] | None = None,
        into: Into | None = None,
        **fields: Any,
    ) -> list[ConsentResult | Rejected]:
        """Put consents on record, or look them up; a result for each number, or for each of
        ``rows`` in their place, which say more of each. ``fields``, of all of them: ``purpose``,
        ``source``, ``wording``, ``by``, ``at``. ``into`` names an import in which they are staged,
        see `apply`."""
        given = {"numbers": numbers} if rows is None else {"rows": rows}
        fields = wire.staged({"op": "consent", "action": action, **given, **fields}, into)
        return wire.consents(await self._ask(fields))

    async def handovers(self, after: str = "") -> list[HandoverResult]:
        """The next conversations that a person has, behind a number; empty where there are none."""
        fields = {"op": "handover", "action": "list", "after": after}
        return wire.handovers_listed(await self._ask(fields))

    async def erase(self, number: str) -> Erased:
        """Erase all that is known of a phone but its opt-outs, for good; see ``docs/api.md``."""
        fields = {"op": "person", "action": "erase", "number": number}
        return wire.erased(await self._ask(fields))

    async def handover(
        self, action: HandoverAction, numbers: Sequence[str]
    ) -> list[HandoverResult | Rejected]:
        """Close conversations that a person has, or look them up; a result for each number."""
        fields = {"op": "handover", "action": action, "numbers": numbers}
        return wire.handovers(await self._ask(fields))

    async def consents(self, after: str = "") -> list[ConsentResult]:
        """Some of the tenant's consents, behind the number ``after``; empty at the end."""
        fields = {"op": "consent", "action": "list", "after": after}
        return wire.consents_listed(await self._ask(fields))

    async def optouts(self, after: str = "") -> list[OptoutResult]:
        """The next of the tenant's own opt-outs behind a number; empty where there are none."""
        return wire.listed(await self._ask({"op": "optout", "action": "list", "after": after}))

    async def put_template(
        self,
        name: str,
        text: str,
        *,
        category: Category | None = None,
        variables: Mapping[str, Mapping[str, Any]] | None = None,
        allow: Sequence[str] = (),
        approved: Mapping[str, str] | None = None,
    ) -> Template:
        """Make a template, or a new version of it, with ``${name}`` for its variables; what the
        fields mean is told in ``docs/api.md``."""
        fields = wire.put_template(name, text, category, variables or {}, allow, approved or {})
        return wire.templates(await self._ask(fields))[0]

    async def templates(self, after: str = "") -> list[Template]:
        """The next of the tenant's templates behind a name; empty where there are none."""
        fields = {"op": "template", "action": "list", "after": after}
        return wire.templates(await self._ask(fields))

    async def template(self, name: str, version: int | None = None) -> Template | None:
        """A template, or an earlier version of it; None where there is none."""
        fields = {"op": "template", "action": "get", "name": name, "version": version}
        return next(iter(wire.templates(await self._ask(fields))), None)

    async def delete_template(self, name: str) -> Template | None:
        """Forget a template; returns it as it stood."""
        fields = {"op": "template", "action": "delete", "name": name}
        return next(iter(wire.templates(await self._ask(fields))), None)

    async def ack(self, consumer: str, seq: int, epoch: str | None = None) -> int:
        """Everything up to ``seq`` is handled; returns where the consumer's cursor stands. With the
        ``epoch`` of the event, an acknowledgement that comes after a restore changes nothing."""
        return int((await self._ask(dialogue.ack(consumer, seq, epoch)))["seq"])

    async def consumers(
        self, action: ConsumersAction = "list", consumer: str | None = None
    ) -> list[Consumer]:
        """The tenant's consumers, or one of them; ``delete`` forgets the one that is named."""
        fields = {"op": "consumers", "action": action, "consumer": consumer}
        return wire.consumers(await self._ask(fields))

    def events(self, consumer: str, start: Start = "acked", *, acknowledge: bool = True) -> Events:
        """The tenant's events in order, for ever, over a connection of their own."""
        events = Events(self._target, dialogue.Cursor(consumer, start, acknowledge=acknowledge))
        self._events.append(events)
        return events

    async def close_events(self) -> None:
        """Let go of the connections of `events`. Done by `connect`."""
        with trio.CancelScope(shield=True):  # closing does not wait for anybody
            for events in self._events:
                await events.aclose()

    # --- what is in flight ---

    async def _ask(self, fields: wire.Fields) -> wire.Reply:
        return await (await self._post(self._requests.pack(fields))).reply()

    async def _stream(
        self, requests: Iterator[dialogue.Request]
    ) -> AsyncGenerator[wire.Reply, None]:
        """Make requests, several in flight, and yield the replies in order."""
        calls: deque[_Call] = deque()
        for request in requests:
            calls.append(await self._post(request))
            while len(calls) >= _AHEAD or (calls and calls[0].done):
                yield await calls.popleft().reply()
        while calls:
            yield await calls.popleft().reply()

    async def _post(self, request: dialogue.Request) -> _Call:
        """Send a request, once there is room in flight. It stays in flight until it is answered,
        even if nobody waits for the answer any more."""
        if request.answer is not None:
            call = _Call(b"")
            call.settle(request.answer, None)
            return call
        await self._window.acquire()
        if self._refused is not None:
            self._window.release()
            raise self._refused
        return self._send(request)

    def _send(self, request: dialogue.Request) -> _Call:
        call = self._pending[request.number] = _Call(request.frame)
        self._put(call)
        self._outbox.wake()
        return call

    def _put(self, call: _Call) -> None:
        self._outbox.buffer += call.frame
        self._sent += 1
        call.position = self._sent

    def _settle(self, number: int, reply: wire.Reply, error: ApiError | None) -> None:
        call = self._pending.pop(number, None)
        if call is not None:
            call.settle(reply, error)
            self._window.release()

    # --- the connection ---

    async def run(self, link: Link) -> None:
        """Keep a connection, until the server says that it will have none of us. Started by
        `connect`."""
        pauses = dialogue.backoff()
        while True:
            await self._converse(link)
            while True:
                await trio.sleep(next(pauses))
                try:
                    link = await open_link(self._target)
                except ApiError as error:
                    if error.code in dialogue.FATAL:
                        self._give_up(error)
                        return
                except OSError:
                    pass
                else:
                    self._limits = link.limits
                    pauses = dialogue.backoff()
                    break

    async def _converse(self, link: Link) -> None:
        """Send what is pending and take replies, until the connection is lost."""
        outbox = self._outbox = Outbox()
        self._sent = dialogue.HELLO
        for call in self._pending.values():
            self._put(call)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, link, nursery.cancel_scope)
                await self._read(link)
                nursery.cancel_scope.cancel()
        finally:
            outbox.close()
            await trio.aclose_forcefully(link.stream)

    async def _write(self, link: Link, scope: trio.CancelScope) -> None:
        await self._outbox.write(link.stream, _PATIENCE)
        scope.cancel()

    async def _read(self, link: Link) -> None:
        try:
            while True:
                waited_for = bool(self._pending)
                with trio.move_on_after(link.limits.idle_timeout / 3) as quiet:
                    for reply in await link.receive():
                        self._take(reply)
                if quiet.cancelled_caught:
                    if waited_for:
                        return
                    if not self._pending:
                        await self._window.acquire()
                        self._send(self._requests.pack(dialogue.ALIVE))
        except ConnectionError:
            pass

    def _take(self, reply: wire.Reply) -> None:
        error = wire.refused(reply)
        if error is not None and error.code == "shutting_down":
            return  # to be asked again on the next connection
        number = reply.get("id")
        if number is None and error is not None:
            for each in self._nameless(reply.get("request")):
                self._settle(each, reply, error)
        elif isinstance(number, int):
            self._settle(number, reply, error)

    def _nameless(self, position: int | None) -> list[int]:
        """The request that broke the protocol, or all where it cannot be told which one did: sent
        again, it would again."""
        found = [n for n, call in self._pending.items() if call.position == position]
        return found or list(self._pending)

    def _give_up(self, error: ApiError) -> None:
        self._refused = error
        for number in list(self._pending):
            self._settle(number, {}, error)


@asynccontextmanager
async def connect(
    address: str, token: str, *, tls: ssl.SSLContext | None = None, name: str = dialogue.CLIENT
) -> AsyncIterator[Client]:
    """Connect to the gateway at ``tcp://host:port`` or ``unix:///path``.

    Args:
        tls: speak TLS in this context, ``ssl.create_default_context()`` for a start.
        name: tells the gateway's operator who we are.

    Raises:
        OSError: the first connection cannot be made. Later ones are tried until they can.
        ApiError: the gateway does not let us in.
    """
    target = Target(parse_address(address), token, tls, name)
    link = await open_link(target)
    client = Client(target, link.limits)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.run, link)
            try:
                yield client
            finally:
                nursery.cancel_scope.cancel()
                await client.close_events()
    except BaseExceptionGroup as group:
        # Nothing but the caller's own exception can be in it: the task in the nursery raises none.
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from group.exceptions[0].__cause__
        raise

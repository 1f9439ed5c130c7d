"""The client for scripts: what `gateway.api.client` does, in plain calls. It needs msgpack only.

::

    with connect("tcp://127.0.0.1:7600", token="…") as client:
        results = client.submit([{"to": "+447700900123", "text": "Hello"}])

One thread at a time may use a client.
"""

import socket
import ssl
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from gateway.api import dialogue, wire
from gateway.api.address import Address, TcpAddress, parse_address
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
    Event,
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


class _Link:
    """A connection whose hello was answered.

    Attributes:
        limits: what the server takes.
        sent: how many requests were sent, hello included.
    """

    def __init__(
        self, address: Address, token: str, tls: ssl.SSLContext | None, name: str, patience: float
    ) -> None:
        self._requests = dialogue.Requests()
        self._replies = dialogue.Replies()
        self.sent = 0
        self._socket = _dial(address, tls, patience)
        try:
            self.send(self._requests.hello(token, name))
            (welcome,) = self.receive()
            if error := wire.refused(welcome):
                raise error
            self.limits = wire.limits(welcome)
            self._socket.settimeout(self.limits.idle_timeout / 3)
        except BaseException:
            self.close()
            raise

    def ask(self, fields: wire.Fields) -> None:
        """Send a request; nobody waits for the answer."""
        self.send(self._requests.pack(fields))

    def send(self, request: dialogue.Request) -> None:
        self.sent += 1
        self._socket.sendall(request.frame)

    def receive(self) -> list[wire.Reply]:
        """The next replies and event frames. Raises OSError, TimeoutError where none comes."""
        while True:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the server closed the connection")
            if replies := self._replies.receive(data):
                return replies

    def close(self) -> None:
        self._socket.close()


def _dial(address: Address, tls: ssl.SSLContext | None, patience: float) -> socket.socket:
    if not isinstance(address, TcpAddress):
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(patience)
            sock.connect(address.path)
        except BaseException:
            sock.close()
            raise
        return sock
    sock = socket.create_connection(address, timeout=patience)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock if tls is None else tls.wrap_socket(sock, server_hostname=address.host)


class Client:
    """A connection to the gateway that mends itself; made by `connect`.

    Every method raises `ApiError` where the gateway refuses the request as a whole, and OSError
    where it cannot be reached for as long as `connect` was told to be patient. A submit that ends
    so may have been carried out.
    """

    def __init__(
        self, address: Address, token: str, tls: ssl.SSLContext | None, name: str, patience: float
    ) -> None:
        self._how = (address, token, tls, name, patience)
        self._patience = patience
        self._requests = dialogue.Requests()
        self._unanswered: dict[int, dialogue.Request] = {}
        self._positions: dict[int, int] = {}  # which of the present connection they are
        self._wanted: set[int] = set()
        self._answers: dict[int, wire.Reply] = {}
        self._link = _Link(*self._how)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._link.close()

    # --- requests ---

    def submit(
        self, messages: Iterable[Message], defaults: Message | None = None
    ) -> list[Accepted | Rejected]:
        """Submit messages; a result for each, in order. A message without ``key`` gets one.
        Returns when all that was accepted is durable."""
        return list(self.submit_many(messages, defaults))

    def submit_many(
        self, messages: Iterable[Message], defaults: Message | None = None
    ) -> Iterator[Accepted | Rejected]:
        """Submit any number of messages in batches, several in flight, and yield their results in
        order as they come. ``messages`` is read only as fast as the gateway accepts."""
        for reply in self._ask(self._requests.submits(messages, defaults, self._link.limits)):
            yield from wire.accepted(reply)

    def quote(
        self, messages: Iterable[Message], defaults: Message | None = None
    ) -> list[Quoted | Rejected]:
        """What submitting these messages now would give; nothing is stored."""
        requests = self._requests.quotes(messages, defaults, self._link.limits)
        return [result for reply in self._ask(requests) for result in wire.quoted(reply)]

    def status(self, ids: Sequence[str] = (), keys: Sequence[str] = ()) -> list[Status | None]:
        """Where messages stand, ids first; None for one that is not known."""
        return wire.statuses(self._ask_one({"op": "status", "ids": ids, "keys": keys}))

    def cancel(
        self,
        ids: Sequence[str] = (),
        keys: Sequence[str] = (),
        campaign: str | None = None,
    ) -> Cancelled:
        """Cancel messages that no carrier has yet, by id, key or campaign."""
        fields = {"op": "cancel", "ids": ids, "keys": keys, "campaign": campaign}
        return wire.cancelled(self._ask_one(fields))

    def pause(self, campaign: str) -> int:
        """Send nothing more of a campaign until it is resumed; returns how many of its messages
        that holds."""
        return int(self._ask_one({"op": "pause", "campaign": campaign})["held"])

    def resume(self, campaign: str, extend: float | None = None) -> int:
        """Go on with a campaign, whose messages then expire ``extend`` seconds later; returns how
        many were held."""
        fields = {"op": "resume", "campaign": campaign, "extend": extend}
        return int(self._ask_one(fields)["released"])

    def stats(
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
            reply = self._ask_one(fields)
            found += wire.stats(reply)
            following = reply.get("next")
            if following is None:
                return found

    def optout(
        self,
        action: OptoutAction,
        numbers: Sequence[str],
        source: OptoutBy = "api",
        into: Into | None = None,
    ) -> list[OptoutResult | Rejected]:
        """Add, remove or check opt-outs, as ``source`` may; ``into`` names an import in which they
        are staged, see `apply`."""
        fields = {"op": "optout", "action": action, "numbers": numbers, "source": source}
        return wire.optouts(self._ask_one(wire.staged(fields, into)))

    def apply(self, name: str, size: int) -> Imported:
        """Have all changes hold that were staged in an import, ``size`` of them, and see how far
        that is: call it until there is no ``rest``. From the first call on, either all of them will
        hold, or it raises ApiError, and none does."""
        fields = {"op": "import", "action": "apply", "name": name, "size": size}
        return wire.imported(self._ask_one(fields))

    def explain(self, ids: Sequence[str] = (), keys: Sequence[str] = ()) -> list[Explained | None]:
        """The lives of messages, of ``ids`` and then of ``keys``; None for unknown ones."""
        return wire.explained(self._ask_one({"op": "explain", "ids": ids, "keys": keys}))

    def consent(
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
        return wire.consents(self._ask_one(fields))

    def handovers(self, after: str = "") -> list[HandoverResult]:
        """The next conversations that a person has, behind a number; empty where there are none."""
        fields = {"op": "handover", "action": "list", "after": after}
        return wire.handovers_listed(self._ask_one(fields))

    def erase(self, number: str) -> Erased:
        """Erase all that is known of a phone but its opt-outs, for good; see ``docs/api.md``."""
        fields = {"op": "person", "action": "erase", "number": number}
        return wire.erased(self._ask_one(fields))

    def handover(
        self, action: HandoverAction, numbers: Sequence[str]
    ) -> list[HandoverResult | Rejected]:
        """Close conversations that a person has, or look them up; a result for each number."""
        fields = {"op": "handover", "action": action, "numbers": numbers}
        return wire.handovers(self._ask_one(fields))

    def consents(self, after: str = "") -> list[ConsentResult]:
        """Some of the tenant's consents, behind the number ``after``; empty at the end."""
        fields = {"op": "consent", "action": "list", "after": after}
        return wire.consents_listed(self._ask_one(fields))

    def optouts(self, after: str = "") -> list[OptoutResult]:
        """The next of the tenant's own opt-outs behind a number; empty where there are none."""
        return wire.listed(self._ask_one({"op": "optout", "action": "list", "after": after}))

    def put_template(
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
        return wire.templates(self._ask_one(fields))[0]

    def templates(self, after: str = "") -> list[Template]:
        """The next of the tenant's templates behind a name; empty where there are none."""
        fields = {"op": "template", "action": "list", "after": after}
        return wire.templates(self._ask_one(fields))

    def template(self, name: str, version: int | None = None) -> Template | None:
        """A template, or an earlier version of it; None where there is none."""
        fields = {"op": "template", "action": "get", "name": name, "version": version}
        return next(iter(wire.templates(self._ask_one(fields))), None)

    def delete_template(self, name: str) -> Template | None:
        """Forget a template; returns it as it stood."""
        fields = {"op": "template", "action": "delete", "name": name}
        return next(iter(wire.templates(self._ask_one(fields))), None)

    def ack(self, consumer: str, seq: int, epoch: str | None = None) -> int:
        """Everything up to ``seq`` is handled; returns where the consumer's cursor stands. With the
        ``epoch`` of the event, an acknowledgement that comes after a restore changes nothing."""
        return int(self._ask_one(dialogue.ack(consumer, seq, epoch))["seq"])

    def consumers(
        self, action: ConsumersAction = "list", consumer: str | None = None
    ) -> list[Consumer]:
        """The tenant's consumers, or one of them; ``delete`` forgets the one that is named."""
        fields = {"op": "consumers", "action": action, "consumer": consumer}
        return wire.consumers(self._ask_one(fields))

    def events(
        self, consumer: str, start: Start = "acked", *, acknowledge: bool = True
    ) -> Iterator[Event]:
        """The tenant's events in order, for ever, over a connection of their own; what counts as
        handled is as with `gateway.api.events.Events`."""
        cursor = dialogue.Cursor(consumer, start, acknowledge=acknowledge)
        link = _Link(*self._how)
        try:
            while True:
                try:
                    yield from self._follow(link, cursor)
                except OSError:
                    pass
                except ApiError as error:
                    if error.code in dialogue.FATAL:
                        raise
                link.close()
                link = self._open()
        finally:
            link.close()

    def _follow(self, link: _Link, cursor: dialogue.Cursor) -> Iterator[Event]:
        link.ask(cursor.subscribe(link.limits.max_in_flight))
        while True:
            acknowledged = _acknowledge(link, cursor)
            for event in cursor.news(_receive_alive(link)):
                yield event
                cursor.handled(event.seq, event.epoch)
                if time.monotonic() - acknowledged > dialogue.ACK_EVERY:
                    acknowledged = _acknowledge(link, cursor)

    # --- what is in flight ---

    def _ask_one(self, fields: wire.Fields) -> wire.Reply:
        (reply,) = self._ask(iter([self._requests.pack(fields)]))
        return reply

    def _ask(self, requests: Iterator[dialogue.Request]) -> Iterator[wire.Reply]:
        """Make requests, as many in flight as the server takes, and yield the replies in order.
        The server reads on as long as we keep to that, so that sending never waits for receiving.
        """
        asked: deque[int] = deque()
        try:
            for request in requests:
                while len(self._unanswered) >= self._link.limits.max_in_flight:
                    self._receive()
                asked.append(request.number)
                self._wanted.add(request.number)
                if request.answer is None:
                    self._send(request)
                else:
                    self._answers[request.number] = request.answer
                while asked and asked[0] in self._answers:
                    yield self._answer(asked.popleft())
            while asked:
                while asked[0] not in self._answers:
                    self._receive()
                yield self._answer(asked.popleft())
        finally:
            for number in asked:
                self._wanted.discard(number)
                self._answers.pop(number, None)

    def _answer(self, number: int) -> wire.Reply:
        self._wanted.discard(number)
        reply = self._answers.pop(number)
        if error := wire.refused(reply):
            raise error
        return reply

    # --- the connection ---

    def _send(self, request: dialogue.Request) -> None:
        self._unanswered[request.number] = request
        try:
            self._put(request)
        except OSError:
            self._mend()

    def _put(self, request: dialogue.Request) -> None:
        self._link.send(request)
        self._positions[request.number] = self._link.sent

    def _receive(self) -> None:
        try:
            replies = self._link.receive()
        except OSError:
            self._mend()
        else:
            self._take(replies)

    def _take(self, replies: Iterable[wire.Reply]) -> None:
        for reply in replies:
            error = wire.refused(reply)
            number = reply.get("id")
            if error is not None and error.code == "shutting_down":
                continue  # to be asked again on the next connection
            if number is None and error is not None:
                position = reply.get("request", 0)
                number = next((n for n, at in self._positions.items() if at == position), None)
                if number is None:
                    # It cannot be told which request broke the protocol; again, it would again.
                    self._unanswered.clear()
                    raise error
            if number in self._unanswered:
                del self._unanswered[number]
                self._positions.pop(number, None)
                if number in self._wanted:
                    self._answers[number] = reply

    def _mend(self) -> None:
        """Connect again, and ask again what was not answered."""
        while True:
            self._link.close()
            self._link = self._open()
            self._positions.clear()
            try:
                self._ask_again()
            except OSError:
                continue
            return

    def _ask_again(self) -> None:
        """Send what is unanswered, no more at a time than this server takes: it may be another one
        than before."""
        waiting = deque(self._unanswered.values())
        while waiting:
            while len(self._unanswered) - len(waiting) >= self._link.limits.max_in_flight:
                self._take(self._link.receive())
            self._put(waiting.popleft())

    def _open(self) -> _Link:
        """A new connection, tried for as long as we are patient."""
        give_up = time.monotonic() + self._patience
        for pause in dialogue.backoff():
            time.sleep(pause)
            try:
                return _Link(*self._how)
            except (OSError, ApiError) as error:
                fatal = isinstance(error, ApiError) and error.code in dialogue.FATAL
                if fatal or time.monotonic() > give_up:
                    raise
        raise AssertionError("pauses never end")


def _acknowledge(link: _Link, cursor: dialogue.Cursor) -> float:
    """Acknowledge what was handled; returns when. A connection that is lost shows when the next
    events are asked for, and those at hand are given out all the same."""
    if ack := cursor.ack():
        with suppress(OSError):
            link.ask(ack)
    return time.monotonic()


def _receive_alive(link: _Link) -> list[wire.Reply]:
    """What the server sends; asks once whether it is still there where it is quiet."""
    try:
        return link.receive()
    except TimeoutError:
        link.ask(dialogue.ALIVE)
        return link.receive()


def connect(
    address: str,
    token: str,
    *,
    tls: ssl.SSLContext | None = None,
    name: str = dialogue.CLIENT,
    patience: float = 60.0,
) -> Client:
    """Connect to the gateway at ``tcp://host:port`` or ``unix:///path``.

    Args:
        tls: speak TLS in this context, ``ssl.create_default_context()`` for a start.
        name: tells the gateway's operator who we are.
        patience: seconds for which a connection that broke is tried again.

    Raises:
        OSError: the first connection cannot be made.
        ApiError: the gateway does not let us in.
    """
    return Client(parse_address(address), token, tls, name, patience)

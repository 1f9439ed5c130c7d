"""A client's side of the conversation without I/O: requests packed, replies unpacked, a consumer's
place in the events kept, pauses between attempts to connect.

Shared by the trio client and the blocking one; needs msgpack and the standard library only.
"""

import itertools
import random
import uuid
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgpack

from gateway.api.frames import HEADER_SIZE, FrameReader, frame
from gateway.api.wire import ApiError, Event, Fields, Limits, Message, Reply, Start, event, refused
from gateway.errors import RemoteProtocolError

HELLO: Final = 1
"""The number of the request that hello is, on every connection."""

CLIENT: Final = "gateway-python"

BATCH: Final = 1000
"""Messages in one request: enough to share a commit, few enough not to hold up others for long."""

MAX_REPLY: Final = 64 * 1024 * 1024
"""The longest frame taken from a server; its longest are replies to the largest batches."""

ALIVE: Final[Fields] = {"op": "status"}
"""A request that asks for nothing and keeps a quiet connection open."""

FATAL: Final = frozenset({"unauthenticated", "forbidden", "bad_request"})
"""Codes of a refused hello that trying again does not mend."""

ACK_EVERY: Final = 1.0
"""Seconds after which handled events are acknowledged, though more are at hand."""

MAX_IN_FLIGHT: Final = 64
"""Requests that a server takes unanswered unless it says otherwise."""

_LONGEST_PAUSE: Final = 10.0
"""Seconds between attempts to connect, in the end."""


class Request(NamedTuple):
    """The id of a request, and its frame; or the answer where there is no need to ask."""

    number: int
    frame: bytes
    answer: Reply | None = None


class Requests:
    """Numbers and packs requests. Messages without a key get one, so that a request whose answer
    was lost can be sent again and sends no text twice."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._name = uuid.uuid4().hex
        self._keys = itertools.count(1)

    def pack(self, fields: Fields) -> Request:
        number = next(self._numbers)
        # The id first, where a server finds it in a request that it cannot read to its end.
        return Request(number, frame(msgpack.packb({"id": number, **fields})))

    def hello(self, token: str, client: str) -> Request:
        return self.pack({"op": "hello", "token": token, "client": client})

    def submits(
        self, messages: Iterable[Message], defaults: Message | None, limits: Limits
    ) -> Iterator[Request]:
        """Requests that submit ``messages`` in order, none longer than the server takes."""
        keyed = (self._keyed(message) for message in messages)
        return self._batches("submit", keyed, defaults, limits)

    def quotes(
        self, messages: Iterable[Message], defaults: Message | None, limits: Limits
    ) -> Iterator[Request]:
        return self._batches("quote", messages, defaults, limits)

    def _keyed(self, message: Message) -> Message:
        if message.get("key") is not None:
            return message
        return {**message, "key": f"{self._name}-{next(self._keys):x}"}

    def _batches(
        self, op: str, messages: Iterable[Message], defaults: Message | None, limits: Limits
    ) -> Iterator[Request]:
        fields: Fields = {"op": op} if defaults is None else {"op": op, "defaults": defaults}
        source = iter(messages)
        while batch := list(itertools.islice(source, min(BATCH, limits.max_batch))):
            yield from self._fitting(fields, batch, limits.max_frame)

    def _fitting(self, fields: Fields, batch: list[Message], limit: int) -> Iterator[Request]:
        request = self.pack({**fields, "messages": batch})
        if len(request.frame) - HEADER_SIZE <= limit:
            yield request
        elif len(batch) == 1:
            why = f"the message is longer than the {limit} bytes of a frame"
            refusal = {"error": {"code": "too_long", "message": why}}
            yield Request(request.number, b"", {"ok": True, "results": [refusal]})
        else:
            half = len(batch) // 2
            yield from self._fitting(fields, batch[:half], limit)
            yield from self._fitting(fields, batch[half:], limit)


class Replies:
    """Turns bytes from the server into replies and event frames."""

    def __init__(self) -> None:
        self._frames = FrameReader(MAX_REPLY)

    def receive(self, data: bytes | bytearray) -> list[Reply]:
        """What is complete now. Raises ConnectionError where the peer does not speak this API."""
        self._frames.receive(data)
        replies = []
        try:
            while (body := self._frames.next_frame()) is not None:
                reply = msgpack.unpackb(body)
                if not isinstance(reply, dict):
                    raise ConnectionError("the server sent something that is no reply")
                replies.append(reply)
        except (RemoteProtocolError, ValueError, msgpack.UnpackException) as error:
            raise ConnectionError(f"the server sent something that is no reply: {error}") from error
        return replies


def ack(consumer: str, seq: int, epoch: str | None) -> Fields:
    """The request that acknowledges a ``seq``, of an epoch where that is known."""
    fields: Fields = {"op": "ack", "consumer": consumer, "seq": seq}
    return fields if epoch is None else {**fields, "epoch": epoch}


class Cursor:
    """A consumer's place in the events: what it has been given, what it has handled, and where to
    go on after a connection was lost.

    Where the epoch is another one, a ``seq`` from before says nothing any more: it starts over,
    from what the gateway has as acknowledged.
    """

    def __init__(self, consumer: str, start: Start, *, acknowledge: bool) -> None:
        self._consumer = consumer
        self._start: Start = start
        self._acknowledge = acknowledge
        self._epoch: str | None = None
        self._subscribed = False
        self._unanswered = 0
        self._most = 1
        self._start_over()

    def _start_over(self) -> None:
        self._next = 0
        self._handled = 0
        self._acknowledged = 0

    def subscribe(self, max_in_flight: int = MAX_IN_FLIGHT) -> Fields:
        """The request that begins a connection to a server that takes so many unanswered ones."""
        self._acknowledged = 0  # the last ack may have been lost with the last connection
        self._subscribed = False
        self._unanswered = 1
        self._most = max(1, max_in_flight - 1)  # one more may ask whether the server is there
        return {"op": "subscribe", "consumer": self._consumer, "from": self._start}

    def news(self, replies: Iterable[Reply]) -> list[Event]:
        """The events in what the server sent that were not given before. Raises ApiError, and
        ConnectionError where it is to begin again with a new connection."""
        events: list[Event] = []
        for reply in replies:
            self._enter(reply.get("epoch"))
            if "events" in reply:
                events += self._fresh(reply["events"])
            elif error := refused(reply):
                raise self._lost_place(error) or error
            elif "next" in reply:
                self._begin(reply["next"])
            elif "seq" in reply:
                self._unanswered -= 1
        return events

    def _enter(self, epoch: str | None) -> None:
        """Something of this epoch has come, or something of none."""
        if epoch is not None and epoch != self._epoch:
            if self._epoch is not None:
                self._start_over()
            self._epoch = epoch

    def _fresh(self, told: Iterable[Fields]) -> list[Event]:
        fresh = [event(each, self._epoch) for each in told if each["seq"] >= self._next]
        if fresh:
            self._next = fresh[-1].seq + 1
        return fresh

    def _begin(self, first: int) -> None:
        self._subscribed = True
        self._unanswered -= 1
        self._next = max(self._next, first)
        if self._start == "now":
            # The cursor goes where the events begin: so far back to come after a break.
            self._start = "acked"
            self._handled = self._next - 1

    def _lost_place(self, error: ApiError) -> ConnectionError | None:
        """What to make of the refusal of an acknowledgement: the gateway does not have the events
        any more that were handled, though it does not say that it was restored."""
        if self._subscribed and error.code == "bad_request" and error.message.startswith("seq: "):
            self._start_over()
            return ConnectionError(f"the gateway has forgotten events: {error.message}")
        return None

    def handled(self, seq: int, epoch: str | None = None) -> None:
        """Everything up to this event is dealt with."""
        if epoch == self._epoch:
            self._handled = seq

    def ack(self) -> Fields | None:
        """The request that acknowledges what was handled; None where there is nothing new, and
        while too much is unanswered: replies are read when the events at hand are used up, and a
        server that cannot write them does not read on for ever."""
        if not self._acknowledge or self._handled <= self._acknowledged:
            return None
        if self._unanswered >= self._most:
            return None
        self._acknowledged = self._handled
        self._unanswered += 1
        return ack(self._consumer, self._handled, self._epoch)


def backoff() -> Iterator[float]:
    """Seconds to wait before each attempt to connect again: longer and longer, and never the same
    for clients that lost the same server."""
    rng = random.SystemRandom()
    pause = 0.1
    while True:
        yield pause * rng.uniform(0.5, 1.0)
        pause = min(2 * pause, _LONGEST_PAUSE)

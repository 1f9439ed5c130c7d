"""What a client says and what it hears, as bytes and small types, without I/O.

Shared by the trio client and the blocking one; needs msgpack and the standard library only.
"""

import itertools
import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, TypedDict, TypeVar

import msgpack

from gateway.api.frames import HEADER_SIZE, MAX_FRAME, FrameReader, frame
from gateway.errors import RemoteProtocolError

_T = TypeVar("_T")

Message = TypedDict(
    "Message",
    {
        "to": str,
        "text": str,
        "from": str,
        "key": str,
        "category": Literal["otp", "transactional", "marketing"],
        "campaign": str,
        "send_at": float,
        "expires_at": float,
        "encoding": Literal["auto", "gsm7", "ucs2"],
        "report": Literal["final", "none"],
    },
    total=False,
)
"""A message to submit; ``to`` and ``text`` are needed, unless the defaults give the text."""

Start = Literal["acked", "start", "now"]
OptoutAction = Literal["add", "remove", "check"]


class ApiError(Exception):
    """The gateway refused a request.

    Attributes:
        code: one of the stable codes of ``docs/api.md``.
        message: what is wrong, for a person.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Accepted(NamedTuple):
    """A message is durable and will have one outcome. ``not_before``: Unix seconds, where it is
    deferred. ``duplicate``: its key was accepted before, under this ``message_id``."""

    message_id: str
    parts: int
    encoding: str
    not_before: float | None = None
    duplicate: bool = False


class Quoted(NamedTuple):
    """What a message would become if it were submitted now."""

    parts: int
    encoding: str
    not_before: float | None = None


class Rejected(NamedTuple):
    """One message, or one number, is refused: why, as a code and for a person."""

    code: str
    message: str


class Status(NamedTuple):
    """Where a message stands; ``final`` says that ``state`` is its outcome."""

    message_id: str
    state: str
    final: bool
    updated_at: float
    parts: int | None = None
    key: str | None = None
    to: str | None = None
    campaign: str | None = None
    not_before: float | None = None
    code: str | None = None
    detail: Mapping[str, Any] | None = None


class CancelResult(NamedTuple):
    """Whether a message was cancelled, and its state now."""

    message_id: str
    cancelled: bool
    state: str


class Cancelled(NamedTuple):
    """How many messages were cancelled; what became of each id and key asked for, in order."""

    cancelled: int
    results: list[CancelResult | None]


class OptoutResult(NamedTuple):
    """``opted_out``: the number is, now; ``changed``: it was not so before."""

    number: str
    opted_out: bool
    changed: bool


class Event(NamedTuple):
    """A durable notice; which fields are there depends on ``type``, see ``docs/api.md``."""

    seq: int
    type: str
    at: float
    message_id: str | None = None
    key: str | None = None
    to: str | None = None
    sender: str | None = None
    campaign: str | None = None
    parts: int | None = None
    text: str | None = None
    code: str | None = None
    detail: Mapping[str, Any] | None = None
    maybe_duplicate: bool = False


class Limits(NamedTuple):
    """What the server told in its answer to hello."""

    max_frame: int = MAX_FRAME
    max_batch: int = 1000
    max_in_flight: int = 1
    idle_timeout: float = 60.0


Fields = dict[str, Any]
Reply = dict[str, Any]
Request = tuple[int, bytes]
"""The id of a request, and its frame."""

CLIENT: Final = "gateway-python"

BATCH: Final = 1000
"""Messages in one request: enough to share a commit, few enough not to hold up others for long."""

MAX_REPLY: Final = 64 * 1024 * 1024
"""The longest frame taken from a server; its longest are replies to the largest batches."""

ALIVE: Final[Fields] = {"op": "status"}
"""A request that asks for nothing and keeps a quiet connection open."""

FATAL: Final = frozenset({"unauthenticated", "forbidden", "bad_request"})
"""Codes of a refused hello that trying again does not mend."""

_LONGEST_PAUSE: Final = 10.0
"""Seconds between attempts to connect, in the end."""


class Requests:
    """Numbers and packs requests. Messages without a key get one, so that a request whose answer
    was lost can be sent again and sends no text twice."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._name = uuid.uuid4().hex
        self._keys = itertools.count(1)

    def pack(self, fields: Fields) -> Request:
        number = next(self._numbers)
        return number, frame(msgpack.packb({**fields, "id": number}))

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
        if len(request[1]) - HEADER_SIZE <= limit:
            yield request
        elif len(batch) == 1:
            raise ValueError(f"a message is longer than the {limit} bytes of a frame")
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


def backoff() -> Iterator[float]:
    """Seconds to wait before each attempt to connect again: longer and longer, and never the same
    for clients that lost the same server."""
    rng = random.SystemRandom()
    pause = 0.1
    while True:
        yield pause * rng.uniform(0.5, 1.0)
        pause = min(2 * pause, _LONGEST_PAUSE)


def refused(reply: Reply) -> ApiError | None:
    """Why a request was refused, or None where it was not."""
    if reply.get("ok"):
        return None
    error = reply.get("error") or {}
    return ApiError(error.get("code", "?"), error.get("message", "?"))


def limits(reply: Reply) -> Limits:
    return _known(Limits, reply["limits"])


def accepted(reply: Reply) -> list[Accepted | Rejected]:
    return [
        _rejected(r)
        if "error" in r
        else Accepted(
            r["message_id"],
            r["parts"],
            r["encoding"],
            r.get("not_before"),
            r.get("duplicate", False),
        )
        for r in reply["results"]
    ]


def quoted(reply: Reply) -> list[Quoted | Rejected]:
    return [_rejected(r) if "error" in r else _known(Quoted, r) for r in reply["results"]]


def statuses(reply: Reply) -> list[Status | None]:
    return [None if m is None else _known(Status, m) for m in reply["messages"]]


def cancelled(reply: Reply) -> Cancelled:
    results = [None if r is None else _known(CancelResult, r) for r in reply["results"]]
    return Cancelled(reply["cancelled"], results)


def optouts(reply: Reply) -> list[OptoutResult | Rejected]:
    return [_rejected(r) if "error" in r else _known(OptoutResult, r) for r in reply["results"]]


def event(fields: Fields) -> Event:
    get = fields.get
    return Event(
        fields["seq"],
        fields["type"],
        fields["at"],
        get("message_id"),
        get("key"),
        get("to"),
        get("from"),
        get("campaign"),
        get("parts"),
        get("text"),
        get("code"),
        get("detail"),
        get("maybe_duplicate", False),
    )


def _rejected(result: Fields) -> Rejected:
    return Rejected(result["error"]["code"], result["error"]["message"])


def _known(kind: Callable[..., _T], fields: Fields) -> _T:
    """A result from its map; fields that a newer server has added are passed over."""
    names: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]  # a NamedTuple
    return kind(**{name: fields[name] for name in names if name in fields})

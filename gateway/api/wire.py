"""What clients submit and get back, as types, and how they are read from replies.

Shared by the trio client and the blocking one; needs the standard library only.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypedDict, TypeVar

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
        "variant": str,
        "send_at": float,
        "send_at_local": str,
        "time_zone": str,
        "region": str,
        "window": str,
        "allow_repeat": bool,
        "expires_at": float,
        "encoding": Literal["auto", "gsm7", "ucs2"],
        "report": Literal["final", "none"],
        "tlvs": Mapping[int | str, bytes | str],
        "template": str,
        "vars": Mapping[str, str | int | float],
    },
    total=False,
)
"""A message to submit; ``to`` is needed, and ``text`` or a ``template`` with its ``vars``, unless
the defaults give those."""

Start = Literal["acked", "start", "now"]
Category = Literal["otp", "transactional", "marketing"]
OptoutAction = Literal["add", "remove", "check"]
OptoutBy = Literal["api", "import", "complaint"]
ConsumersAction = Literal["list", "delete"]


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
    deferred. ``duplicate``: its key was accepted before, under this ``message_id``, which got all
    this then; ``state`` is its outcome, where it was cancelled or did not arrive. ``note``: what
    somebody should know."""

    message_id: str
    parts: int
    encoding: str
    not_before: float | None = None
    duplicate: bool = False
    state: str | None = None
    note: str | None = None


class Quoted(NamedTuple):
    """What a message would become if it were submitted now; or, of a ``duplicate``, became. ``to``
    is the number that its recipient was read as, ``region`` the ISO 3166 code of where that is;
    ``text`` what is sent, where that is not what was submitted."""

    parts: int
    encoding: str
    not_before: float | None = None
    duplicate: bool = False
    note: str | None = None
    to: str | None = None
    region: str | None = None
    paused: bool = False
    text: str | None = None
    price: Mapping[str, Any] | None = None


class Rejected(NamedTuple):
    """One message, or one number, is refused: why, as a code and for a person; ``retry_at`` is when
    a message like it would be taken, in Unix seconds, where that is known; ``rule``: by which rule
    of the tenant's policy, and ``place``: for what in the text, from 0."""

    code: str
    message: str
    retry_at: float | None = None
    rule: str | None = None
    place: int | None = None


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
    variant: str | None = None
    paused: bool = False
    text: str | None = None
    before: str | None = None


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
    """``opted_out``: the number is, now, and by what (maps as in ``docs/api.md``); ``changed``: an
    opt-out was added or taken back; ``only``: a part of the texts that it gets no more of."""

    number: str
    opted_out: bool
    changed: bool
    held_by: Sequence[Mapping[str, Any]] = ()
    only: Sequence[str] = ()


ConsentAction = Literal["add", "withdraw", "ask", "check", "history"]


class Explained(NamedTuple):
    """The life of a message; ``steps`` are maps as in ``docs/api.md``, ``text`` says the same in
    sentences. ``message_id`` is None where everything under the key was refused."""

    message_id: str | None
    key: str | None
    to: str
    state: str
    config: str | None
    steps: Sequence[Mapping[str, Any]]
    text: Sequence[str]


class Erased(NamedTuple):
    """What became of what was known of a phone: how many messages that waited were ``cancelled``
    and how many that a carrier had were ``ended``, how many ``events`` and ``records`` tell nothing
    of it any more, and how many messages a carrier is being given at this moment: with any
    ``left``, erase again in a while."""

    number: str
    cancelled: int
    ended: int
    events: int
    records: int
    left: int


HandoverAction = Literal["close", "check", "list"]


class HandoverResult(NamedTuple):
    """``open``: a person has the conversation with the number, until ``until`` (Unix seconds)
    unless it is closed; ``changed``: it was closed."""

    number: str
    open: bool
    changed: bool
    until: float | None = None


class ConsentResult(NamedTuple):
    """``consented``: the number allows texts for this purpose, now; ``at`` and what follows are of
    the record that says so, or that it was withdrawn. ``changed``: a record was added. ``records``
    are all of them, as maps, where they were asked for."""

    number: str
    purpose: str
    consented: bool
    changed: bool
    at: float | None = None
    source: str | None = None
    wording: str | None = None
    by: str | None = None
    records: Sequence[Mapping[str, Any]] = ()


class Into(NamedTuple):
    """An import in which the changes of a request are staged. ``part`` numbers the request."""

    name: str
    part: int


class Imported(NamedTuple):
    """How an import stands: how many changes were staged, how many of them do not hold yet, and how
    many of the others have changed anything."""

    size: int
    rest: int
    changed: int


class Consumer(NamedTuple):
    """Where a consumer stands: all up to ``seq`` is handled, ``lag`` events are not. It was last
    heard of at ``seen_at``, in Unix seconds, or is ``connected``."""

    consumer: str
    seq: int
    lag: int
    seen_at: float
    connected: bool


class Stat(NamedTuple):
    """What was counted in the hour that began at ``hour``, in Unix seconds; see ``docs/api.md``."""

    hour: int
    campaign: str | None = None
    variant: str | None = None
    carrier: str | None = None
    accepted: int = 0
    refused: Mapping[str, int] = {}
    deferred: Mapping[str, int] = {}
    sent: int = 0
    parts: int = 0
    outcomes: Mapping[str, int] = {}
    codes: Mapping[str, int] = {}
    inbound: int = 0
    optouts: int = 0
    ruled_out: Mapping[str, int] = {}
    figures: Mapping[str, float] = {}


class Template(NamedTuple):
    """A template as it stands, see ``docs/api.md``. ``at``: Unix seconds when this ``version`` was
    put."""

    name: str
    version: int
    at: float
    text: str
    category: str | None = None
    vars: Mapping[str, Mapping[str, Any]] = {}
    allow: Sequence[str] = ()
    approved: Mapping[str, str] = {}


class Event(NamedTuple):
    """A durable notice; which fields are there depends on ``type``, see ``docs/api.md``.

    ``seq`` counts in ``epoch``: who keeps a ``seq`` keeps that with it. Where it is another one,
    the gateway was restored from a backup, and ``seq`` begins anew from some earlier number.
    """

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
    epoch: str | None = None
    variant: str | None = None


class Limits(NamedTuple):
    """What the server takes, as its answer to hello says."""

    max_frame: int
    max_batch: int
    max_in_flight: int
    idle_timeout: float


Fields = dict[str, Any]
Reply = dict[str, Any]


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
            r.get("state"),
            r.get("note"),
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


def explained(reply: Reply) -> list[Explained | None]:
    return [None if one is None else _known(Explained, one) for one in reply["messages"]]


def handovers(reply: Reply) -> list[HandoverResult | Rejected]:
    return [_rejected(r) if "error" in r else _known(HandoverResult, r) for r in reply["results"]]


def handovers_listed(reply: Reply) -> list[HandoverResult]:
    return [_known(HandoverResult, one) for one in reply["results"]]


def erased(reply: Reply) -> Erased:
    return _known(Erased, reply["erased"])


def consents(reply: Reply) -> list[ConsentResult | Rejected]:
    return [_rejected(r) if "error" in r else _known(ConsentResult, r) for r in reply["results"]]


def consents_listed(reply: Reply) -> list[ConsentResult]:
    return [_known(ConsentResult, r) for r in reply["results"]]


def imported(reply: Reply) -> Imported:
    return _known(Imported, reply["imported"])


def optouts(reply: Reply) -> list[OptoutResult | Rejected]:
    return [_rejected(r) if "error" in r else _known(OptoutResult, r) for r in reply["results"]]


def listed(reply: Reply) -> list[OptoutResult]:
    return [_known(OptoutResult, r) for r in reply["results"]]


def consumers(reply: Reply) -> list[Consumer]:
    return [_known(Consumer, each) for each in reply["consumers"]]


def templates(reply: Reply) -> list[Template]:
    return [_known(Template, each) for each in reply["templates"]]


def stats(reply: Reply) -> list[Stat]:
    return [_known(Stat, row) for row in reply["rows"]]


def event(fields: Fields, epoch: str | None) -> Event:
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
        epoch,
        get("variant"),
    )


def staged(fields: Fields, into: Into | None) -> Fields:
    """A request whose changes are staged in an import, if one is named."""
    return fields if into is None else {**fields, "import": into._asdict()}


def put_template(
    name: str,
    text: str,
    category: str | None,
    variables: Mapping[str, Mapping[str, Any]],
    allow: Sequence[str],
    approved: Mapping[str, str],
) -> Fields:
    """The request that makes a template."""
    fields = {"op": "template", "action": "put", "name": name, "text": text, "vars": variables}
    return {**fields, "category": category, "allow": list(allow), "approved": approved}


def _rejected(result: Fields) -> Rejected:
    return _known(Rejected, result["error"])


def _known(kind: Callable[..., _T], fields: Fields) -> _T:
    """A result from its map; fields that a newer server has added are passed over."""
    names: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]  # a NamedTuple
    return kind(**{name: fields[name] for name in names if name in fields})

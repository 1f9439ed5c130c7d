"""The store's interface: what every engine promises, in batches, and the types it speaks.

No SQL and no single-process assumption shows here. Messages are *leased* to a node for dispatch.
A store that is open is one node's hold of the storage, under a token that it got by opening it and
that all its changing calls carry. Whoever opens the storage takes the token of the one before,
whose calls raise `StoreFenced` from then on: a process that slept, or was cut off, does no harm.
Everything awaited below is durable when it returns: it survives ``kill -9`` and power loss.
Calls made while a commit is under way share the next one (group commit); each call is atomic, and
calls that change something take effect in the order in which they were made. Those that only ask
see what had been made durable by then. A call raises `StoreError` when none of it was done, so that
it can be made again; one that is cancelled takes its course all the same. Where storage is far away
and its answer can be lost, the engine finds out what was done before it answers.

A message in the store is in one of three places, and leaves with its outcome:

    accept ──> waiting ──lease──> leased ──sent──> sent ──receipt or deadline──> (gone)
                  ^                  │
                  └──────defer───────┘        any of them ──settle(final)──> (gone)
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from gateway.errors import GatewayError
from gateway.facts import Facts, Wants
from gateway.message import (
    Category,
    Encoding,
    Event,
    Handed,
    LaneKey,
    Life,
    Message,
    Submission,
    WaitingState,
)
from gateway.queue.consents import Consent
from gateway.queue.failing import Strike
from gateway.queue.tallies import Key, Stats

GLOBAL: str = ""
"""The opt-out scope that holds for every tenant."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A message to accept. ``digest``, a signed 64-bit integer, identifies its content, for the
    idempotency key; ``leased`` says that it goes straight to its lane instead of waiting in the
    store."""

    message: Message
    digest: int
    leased: bool


Seen = Mapping[str, frozenset[int]]
"""By phone, the messages of which it was known that they count."""


class Overtaken(GatewayError):  # noqa: N818  # others were first; it is no fault
    """Meanwhile other messages to the same phones were accepted: look facts up anew, and judge by
    them."""


class Known(NamedTuple):
    """What an idempotency key stands for: the first message under it, the digest of its content,
    and what its submission was answered with.

    Attributes:
        parts, encoding: of the message. 0 parts where an earlier version stored the key: the digest
            is one of that version's, and nothing else is known.
        not_before: when the message was to go, where that was later than at once.
    """

    message: int
    digest: int
    parts: int
    encoding: Encoding
    not_before: float | None

    @classmethod
    def of(cls, entry: Entry) -> "Known":
        """What the key of a message stands for from now on."""
        m = entry.message
        later = m.due if m.due > m.accepted_at else None
        return cls(m.id, entry.digest, m.parts, m.encoding, later)


class Lease(NamedTuple):
    """Messages leased from one lane, in order of (due, id), and when the next one is due there
    (None where the lane has no more in the store)."""

    messages: list[Message]
    next_due: float | None


class Leased(NamedTuple):
    """How many messages are leased, and the ``numbers`` of some of them, ascending."""

    messages: int
    numbers: list[int]


class Sent(msgspec.Struct, frozen=True, gc=False):
    """A message all of whose parts a carrier has taken, with the ``maybe_duplicate`` that it has
    now. ``refs`` are the carrier's message ids in
    canonical form (`gateway.smpp.receipts`), in the order of the parts, empty where it gave none;
    ``deadline`` is when the message gets the outcome ``unknown`` unless a receipt came; ``handed``
    is kept for whoever asks later."""

    message: Message
    carrier: str
    refs: tuple[str, ...]
    deadline: float
    handed: Handed | None = None


class Ref(NamedTuple):
    """Names a part at a carrier, by the carrier's message id in canonical form."""

    carrier: str
    ref: str


class Match(NamedTuple):
    """The part that a receipt speaks of. ``states`` are those of the message's parts
    (`gateway.queue.parts`), by what any node has told; ``sent_at`` is when the message was recorded
    as `Sent`, ``handed`` as it was then."""

    message: Message
    part: int
    states: bytes
    sent_at: float
    handed: Handed | None = None


class Owed(NamedTuple):
    """A message that a carrier owes receipts for: ``states``, ``sent_at`` and ``handed`` as in
    `Match`."""

    message: Message
    states: bytes
    sent_at: float
    handed: Handed | None = None


class Expected(NamedTuple):
    """Of which parts of a message that was `Sent` a receipt is to come, and what has come already
    (`gateway.queue.parts`). Left out, one is to come of each."""

    message: int
    states: bytes


class Progress(NamedTuple):
    """A final receipt has come for a part of a message, one of so many ``parts``, with this
    ``state``. The first one for a part counts. Which others have come is the store's to know."""

    message: int
    part: int
    state: int
    parts: int


class Final(msgspec.Struct, frozen=True, gc=False):
    """The one outcome of a message. ``refs`` are the parts at the carrier that may be forgotten;
    ``submission`` is the last one, where there was any."""

    message: Message
    event: Event
    refs: tuple[Ref, ...] = ()
    submission: Submission | None = None

    @property
    def life(self) -> Life:
        """What is kept beside the event."""
        m = self.message
        return Life(m.accepted_at, m.config, m.steps, self.submission, m.local)


class Notice(NamedTuple):
    """An event that is no outcome: an inbound message or an opt-out."""

    tenant: str
    event: Event


HeldKind = Literal["receipt", "inbound", "reply", "handover", "text", "receipts", "range"]

PASSED_ON: frozenset[HeldKind] = frozenset({"text", "receipts"})
"""What another node has received, and this one is to heed."""


class Held(NamedTuple):
    """Something kept until its other half arrives, or its time is over: a receipt that came before
    its response, a part of an inbound message or that it was told, an answer that a phone had, a
    conversation that a person has. ``(kind, key)`` is unique; a second one replaces the first.

    Where nodes share the storage, it is the node's that keeps it; what is about a ``phone`` is the
    node's that sends to it, and goes to another with it. A ``text`` is one from a phone that is
    another node's, and ``receipts`` are some of what that one has sent to such a phone and others
    of its own: it hears of them (`Store.heard`). A ``handover`` all nodes know. What they
    count together (``range``) is nobody's: it is changed by `Store.revise`, and told to none.
    """

    kind: HeldKind
    key: str
    body: bytes
    expires_at: float
    phone: str | None = None


class Settlement(msgspec.Struct):
    """What became of messages, to be made durable in one step.

    ``finals`` whose message is gone already (it has its outcome) are passed over: there is never
    a second outcome. ``expected`` goes before ``progress``. What is in ``sent`` and ``finals`` both
    is final; what is in ``hold`` and ``drop`` both is dropped. Messages of either count as sent
    from now on, those of ``finals`` that no carrier took (`went`) count no more; see
    `Store.accept`. ``strikes`` say which phones
    were not reached, ``heard``, by tenant and number, which were heard of: what is known of their
    failures goes first. ``tallies`` are counted beside
    what the store counts by itself (`gateway.queue.tallies`).
    """

    sent: list[Sent] = []
    expected: list[Expected] = []
    progress: list[Progress] = []
    finals: list[Final] = []
    notices: list[Notice] = []
    hold: list[Held] = []
    drop: list[tuple[HeldKind, str]] = []
    optouts: list["OptoutChange"] = []
    consents: list[Consent] = []
    strikes: list[Strike] = []
    heard: list[tuple[str, str]] = []
    tallies: dict[Key, int] = {}


class Settled(NamedTuple):
    """What came of a `Settlement`.

    Attributes:
        passed_over: the numbers of ``finals`` that had their outcome already.
        complete: the messages of ``progress`` that wait for no receipt any more, without an outcome
            so far, and what has become of their parts. Whoever was told is to settle that; if it
            cannot, they are overdue (`Store.overdue`).
        notice: tells other nodes of a ``handover`` that is held or dropped, see `Store.heeded`; 0
            where nobody is told.
    """

    passed_over: frozenset[int] = frozenset()
    complete: Mapping[int, bytes] = {}
    notice: int = 0


def went(event: Event) -> bool:
    """Whether a carrier took a message, or some of it, that has this outcome."""
    detail = event.detail or {}
    return (
        event.type in ("delivered", "sent", "unknown")
        or "receipt_state" in detail
        or bool(detail.get("parts_taken"))
    )


OptoutSource = Literal["keyword", "api", "import", "complaint"]
"""Who forbade texts: the phone itself, a tenant's program, a list that a tenant brought along, or a
complaint."""

LIFTS: Mapping[str, tuple[OptoutSource, ...]] = {
    "keyword": ("keyword",),
    "api": ("keyword", "api", "import"),
    "import": ("keyword", "api", "import"),
    "complaint": ("keyword", "api", "import", "complaint"),
}
"""Whose opt-outs each source takes back. A phone takes back what it said itself and no more; what
came of a complaint is taken back only by who says that the complaint is settled."""


class OptoutChange(NamedTuple):
    """An opt-out is added by its source (each source has its own for a number), or a source takes
    back all that it may (`LIFTS`).

    Attributes:
        scope: a tenant, or `GLOBAL`.
        number: in any spelling of its phone: opt-outs are kept under one of them
            (`gateway.numbers.canonical`).
        out: add, or take back.
        source: who says so.
        at: Unix seconds.
        message: names the text that said so, as events do; None where there was none.
        text: that text.
    """

    scope: str
    number: str
    out: bool
    source: OptoutSource
    at: float
    message: str | None = None
    text: str | None = None


class OptoutEntry(NamedTuple):
    """An opt-out that holds, as it was added, under the number that stands for its phone; see
    `OptoutChange`."""

    scope: str
    number: str
    source: OptoutSource
    at: float
    message: str | None = None
    text: str | None = None


class Import(NamedTuple):
    """How an import stands: changes that hold all or not at all, staged under a name.

    Attributes:
        size: how many were staged.
        rest: how many of them do not hold yet.
        changed: how many of the others have changed anything.
        marked: when it was said that all are to hold (`Store.apply`), in Unix seconds.
    """

    size: int
    rest: int
    changed: int
    marked: float | None


class Staged(NamedTuple):
    """Changes of an import that were staged together. What a body says is dispatch's.

    Attributes:
        part: numbers it; parts are carried out in this order.
        size: how many there are here.
    """

    tenant: str
    name: str
    part: int
    size: int
    body: bytes


IMPORT_KEPT: float = 86_400.0
"""Seconds after which an import is forgotten that nobody has applied, or that is done."""


VERSIONS: int = 50
"""Versions that are kept of a template."""


class TemplateChange(NamedTuple):
    """A new version of a tenant's template, or with an empty ``body`` that there is none any more.
    What a body says is dispatch's."""

    tenant: str
    name: str
    at: float
    body: bytes


class TemplateVersion(NamedTuple):
    """A version of a tenant's template, see `TemplateChange`."""

    tenant: str
    name: str
    version: int
    at: float
    body: bytes


class EventChunk(NamedTuple):
    """Consecutive events of one tenant, encoded: ``size`` msgpack maps one after the other, the
    first with ``seq`` = ``first``. Bounded to `gateway.queue.events.CHUNK` events."""

    tenant: str
    first: int
    size: int
    body: bytes

    @property
    def last(self) -> int:
        return self.first + self.size - 1


class Record(msgspec.Struct, frozen=True):
    """What is known of a message: ``message`` and ``state`` while it has no outcome, ``handed``
    where a carrier has it, and ``event`` (with its ``seq`` left out) and ``life`` once it has an
    outcome. A message that ended before lives were kept has none."""

    number: int
    updated_at: float
    message: Message | None = None
    state: WaitingState | None = None
    event: Event | None = None
    life: Life | None = None
    handed: Handed | None = None


class Refused(NamedTuple):
    """A message that was not accepted.

    Attributes:
        number: its recipient, as far as that could be read.
        key: its idempotency key.
        code: of the refusal; ``rule`` and ``why`` say more.
        config: the digest of the configuration that decided so.
    """

    tenant: str
    number: str
    key: str | None
    at: float
    code: str
    rule: str | None
    why: str
    config: str


MOST_REFUSED: int = 1_000_000
"""Refusals that are kept, the latest, lest a program that is always wrong fill the disk."""


class Count(NamedTuple):
    tenant: str
    category: Category
    state: WaitingState
    messages: int


class Oldest(NamedTuple):
    """The message of a tenant and category that has stood longest in a place of the store:
    ``waiting`` though it is due, since it was, or ``sent``, since it was recorded so. Of the last
    half minute it may tell of one that has its outcome by now."""

    tenant: str
    category: Category
    place: Literal["waiting", "sent"]
    since: float


class Recovery(msgspec.Struct, frozen=True):
    """What a store that was opened holds.

    Attributes:
        node: the number of this node, below `NODES`, which is in the message ids that it gives;
            None where no storage of this kind is ever shared.
        token: under which it holds the store, higher than every one before.
        clean: the last node let go of the store in order; else messages that were leased are now
            waiting again, marked `Message.maybe_duplicate`.
        last_id: the highest message id ever accepted, 0 for none.
        last_accepted: when the latest message was accepted, by the clock of then; 0 for none.
        lanes: when the first waiting message of each lane is due.
        counts: messages without an outcome.
        held: everything held, see `Held`.
        nodes: how many nodes may share the storage.
    """

    node: int | None
    token: int
    clean: bool
    last_id: int
    last_accepted: float
    lanes: Mapping[LaneKey, float]
    counts: Sequence[Count]
    held: Sequence[Held]
    nodes: int = 1


class Slot(NamedTuple):
    """A bind of a carrier that nodes share, or a pair of binds; ``number`` counts from 0."""

    carrier: str
    number: int


class OwnSlots(NamedTuple):
    """The numbers of the slots of a carrier that a node has, and how many there are in all."""

    numbers: tuple[int, ...]
    of: int


class Ask(NamedTuple):
    """What a node tells of a rate that nodes share, all of it 1.

    Attributes:
        name: of the rate.
        want, weight: what it wants, and how much it counts for.
        use: what it goes by at most from now on.
        ask: what it would go by.
    """

    name: str
    want: float
    weight: float
    use: float
    ask: float


class Granted(NamedTuple):
    """What a node has told of a rate, and the most of it that it goes by: ``held``."""

    name: str
    node: int
    want: float
    weight: float
    held: float


class Heard(msgspec.Struct):
    """What other nodes have done that concerns this one.

    Attributes:
        lanes: messages wait now that are this node's to send: when the first of each lane is due.
        came: messages to phones that are this node's from now on, leased: the first of those lanes,
            not to wait behind what is in memory.
        left: this node gives up some of its share: what is `Store.elsewhere` now and has not begun
            is to be put back.
        share: of all phones, how many are this node's now; None where that is as before.
        counts: messages without an outcome to the phones that are this node's; None where they
            were not counted.
        newest: the highest message number that any node has accepted; 0 where that is as before.
        held: what is kept, and is this node's now.
        erased: whose phones another node has erased (`OperatorStore.erase_records`), of one tenant
            or of all (None).
        handed: the keys of ``handover`` that are held now, or not any more, and until when; 0 for
            those that are not.
        notices: the kinds of what all nodes are to go by from now on: ``memo`` (`Store.agree`),
            ``template``, or what the store has seen to itself.
        rates: somebody wants, or has, something else of rates (`Store.grant`).
        slots: by carrier, those of its binds that this node may use; None where that is as before.
        leaving: slots that it gives up: once no session uses one any more, it is to be vacated.
        inherited: slots that are this node's from now on, and who had them before: a node that fell
            silent, so that nobody has ended its sessions.
    """

    lanes: dict[LaneKey, float] = {}
    came: list[Message] = []
    left: bool = False
    share: float | None = None
    counts: list[Count] | None = None
    newest: int = 0
    held: list[Held] = []
    erased: list[tuple[str | None, list[str]]] = []
    handed: dict[str, float] = {}
    notices: list[str] = []
    rates: bool = False
    slots: dict[str, OwnSlots] | None = None
    leaving: list[Slot] = []
    inherited: dict[Slot, str] = {}


class Consumer(NamedTuple):
    """A consumer that has acknowledged events of its tenant.

    Attributes:
        seq: everything up to it is handled.
        lag: events that it has not handled, though retention may have taken some of them.
        since: when it was first heard of.
        seen: when it was last heard of.
    """

    tenant: str
    name: str
    seq: int
    lag: int
    since: float
    seen: float


MANY: int = 1 << 31
"""More consumers than any tenant has."""


NEWEST: int = (1 << 63) - 1
"""No message has a higher number."""

NODES: int = 64
"""Nodes that may share a store at most."""


class Store(Protocol):
    """Messages, events and opt-outs on durable storage."""

    @property
    def epoch(self) -> str:
        """Names what ``seq`` counts in, once the store is open. It is another one where the storage
        is not what was open here last but an earlier state of it, a backup: then a ``seq`` that was
        given before may be given again, to another event."""

    @property
    def restored(self) -> bool:
        """Whether the epoch began when the store was opened, because it is a backup."""

    async def open(self) -> Recovery:
        """Take hold of the store, under a new token. Raises StoreError where it cannot be opened or
        written, where another process holds it, or where its schema is newer than this program."""

    async def aclose(self, *, in_doubt: bool = False) -> None:
        """Put leased messages back to waiting, unmarked, and let go in order. With ``in_doubt``,
        where the caller does not know which of them went out, just let go: they are marked when the
        store is opened next, as after a crash. One that is fenced is let go of as it is."""

    async def until_fenced(self) -> None:
        """Wait until it is known that another process has taken the store over; raises StoreFenced
        then."""

    # --- other nodes ---

    @property
    def lapsed(self) -> bool:
        """Whether another node may take by now what this one has, which the storage does not
        answer: nothing is to be sent until it does."""

    @property
    def shared(self) -> bool:
        """Whether other nodes may work on the storage too."""

    def elsewhere(self, messages: Sequence[Message]) -> Collection[int]:
        """The positions of those that another node sends, by their recipients; to be asked right
        before they are accepted, which is then done as waiting. None where there is one node."""

    def sends_to(self, phone: str) -> bool:
        """Whether what concerns a phone is this node's."""

    def taker(self, phone: str) -> int | None:
        """The other node that takes receipts of what went to a phone; None where this one looks for
        what they mean, since the phone is its own or nobody's."""

    def look_for(self, refs: Collection[str]) -> None:
        """Have other nodes put on record, within moments, what they know of parts that carriers
        have given these ids; see `match`."""

    async def until_taken(self, texts: Sequence[str]) -> None:
        """Wait until ``text``s that were held under these keys are dropped: by the nodes that they
        were for, or whoever came after those."""

    async def revise(
        self,
        kind: HeldKind,
        keys: Sequence[str],
        change: Callable[[Mapping[str, bytes]], Mapping[str, bytes]],
        expires_at: float,
    ) -> Mapping[str, bytes]:
        """Change what nodes hold together, in one step: ``change`` is given what there is under
        ``keys``, and says what there is from now on, which is returned. For several nodes: one has
        that in memory."""

    async def heard(self) -> Heard:
        """Wait until other nodes have done what concerns this one. Whoever calls it again goes by
        all that it has told before. For one caller; it never returns where there is one node.

        That messages are ready is told here (`Heard.lanes`), of those that other nodes have put
        in, and nowhere else: of its own a node knows without asking when they are due, by what it
        has accepted and deferred and by what `open` and `lease` have said."""

    async def newest(self) -> int:
        """The highest message number that other nodes have accepted; 0 where there are none."""

    async def agree(self, name: str, value: bytes, before: bytes | None) -> int:
        """`remember` what all nodes are to go by; returns what `heeded` is to be asked. Raises
        StoreError where what is kept is not ``before`` any more, since another node has changed it
        just now."""

    async def heeded(self, notice: int) -> None:
        """Wait until all nodes go by a notice, but for those that may not send any more. Not to be
        called while anything is held up that `heard` may ask for: the others wait too."""

    async def vacate(self, slots: Collection[Slot]) -> None:
        """Give up slots (`Heard.leaving`) that no session uses any more."""

    async def grant(self, asks: Sequence[Ask]) -> Sequence[Granted]:
        """Tell what this node wants of rates. It is granted what it asks for, as far as the nodes
        that work do not hold more than 1 together, and no less than it goes by. Returns what holds
        by now of these rates, and of all of which somebody wants something. Not durable at once; a
        node that may have been taken for dead goes by nothing."""

    # --- the way in ---

    async def accept(
        self,
        entries: Sequence[Entry],
        seen: Seen | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> Mapping[int, Known]:
        """Make messages durable, and with them, where ``seen`` is given, that they count as their
        `Message.counted` says (`gateway.facts.Use`): from their ``due`` on, until it is known that
        they do not go.

        Args:
            seen: what `facts` told of the phones of messages that count: by phone, the numbers of
                the messages that count there. None where no message counts as anything.
            limits: what the accounts of the messages' tenant may come to with what these are
                charged with (`Message.charges`); None where they may come to anything. What is
                charged is settled with what the carrier costs that takes the message, and given
                back where none does.

        Returns:
            what the key of each duplicate stands for, by its index in ``entries``; a duplicate
            (of an earlier message, or of an earlier entry of this very call) is not stored.

        Raises:
            Overtaken: more counts now of such a phone than was seen, or an account would exceed its
                limit. Nothing was stored.
        """

    async def known(self, tenant: str, keys: Sequence[str]) -> Mapping[str, Known]:
        """The messages that idempotency keys stand for; unknown keys are left out."""

    async def facts(self, tenant: str, numbers: Sequence[str], wants: Wants) -> Facts:
        """What is known of ``numbers``, in any spelling of their phones, that rules want to know;
        what is not wanted is left empty. Does not block where nothing is wanted, nor in the common
        case that nothing is known of any. ``Facts.queued`` is not the store's to say.

            optouts   who is opted out of this tenant's texts, or of everybody's
            withdrawals  the purposes for which each of them wants no texts of the tenant
            consents  the purposes for which each of them gave its consent to the tenant
            uses      which of the tenant's messages count against caps, of each phone
        """

    async def refuse(self, refused: Sequence[Refused]) -> None:
        """Keep what was not accepted, as long as outcomes, up to `MOST_REFUSED` of all."""

    async def refusals(self, tenant: str, keys: Sequence[str]) -> Mapping[str, Sequence[Refused]]:
        """What was refused under these keys, the first first; others are left out."""

    # --- lanes ---

    async def lease(self, lane: LaneKey, now: float, limit: int) -> Lease:
        """Lease up to ``limit`` messages due at ``now``, the longest due first."""

    async def lease_ids(self, tenant: str, numbers: Sequence[int]) -> list[Message]:
        """Lease those of these messages that are waiting (to cancel them)."""

    async def lease_campaign(
        self, tenant: str, campaign: str, last: int, limit: int
    ) -> list[Message]:
        """Lease up to ``limit`` waiting messages of a campaign, numbered up to ``last`` (to cancel
        them)."""

    async def waiting_in(self, tenant: str, campaign: str, last: int = NEWEST) -> int:
        """How many messages of a campaign wait, due or not, numbered up to ``last``."""

    async def extend(self, tenant: str, campaign: str, seconds: float) -> None:
        """Let the messages of a campaign that wait expire so much later. Made again, after a crash
        for one, it may put off the same ones once more."""

    async def defer(self, messages: Sequence[Message]) -> None:
        """Put leased messages back to waiting, with the ``due``, ``attempts``, ``route`` and
        ``maybe_duplicate`` that they have now. Those that count do from the moment on for which
        they were accepted, as before."""

    async def leased(self, after: int, limit: int) -> Leased:
        """How many messages are leased to this node, and which: the first ``limit`` above the
        number ``after``."""

    async def put_back(self, numbers: Sequence[int]) -> list[Message]:
        """Put those of these messages that are leased back to waiting, as after a crash: marked
        `Message.maybe_duplicate`. Returns them so."""

    # --- outcomes ---

    async def match(self, refs: Sequence[Ref]) -> Mapping[Ref, Match]:
        """The parts that receipts speak of; unknown ones are left out."""

    async def settle(self, settlement: Settlement) -> Settled:
        """Record a `Settlement`."""

    async def overdue(self, now: float, limit: int) -> list[Owed]:
        """Sent messages whose deadline has passed, or that wait for no receipt any more
        (`Settled`), the longest overdue first."""

    async def expired(self, now: float, limit: int) -> list[Message]:
        """Waiting messages whose ``expires_at`` has passed, leased to the caller."""

    async def hasten(self, now: float, moment: float) -> None:
        """The clock was set back to ``now``: what was put down to wait for ``moment`` seconds at
        most is due at once, and does not wait for the clock to come round again. What was put off
        for longer keeps its time."""

    # --- consents ---

    async def consent(self, changes: Sequence[Consent]) -> list[bool]:
        """Put consents, withdrawals and questions on record, in order; says of each whether it is
        new. One that says nothing new (`gateway.queue.consents.is_new`) is not kept twice."""

    async def consents(
        self, tenant: str, numbers: Sequence[str]
    ) -> Mapping[str, Sequence[Consent]]:
        """All records of ``numbers`` with a tenant, in the order in which they came in; numbers
        without any are left out."""

    async def consent_list(self, tenant: str, after: str, limit: int) -> Sequence[Consent]:
        """All records of the ``limit`` numbers that come after ``after``, as texts are ordered."""

    # --- imports ---
    #
    #   stage ──> staged ──apply──> marked ──carry_out, chunk by chunk──> done
    #                └──a day──> (gone)                                    └──a day──> (gone)

    async def stage(self, staged: Staged, now: float) -> Import:
        """Put changes aside; returns how the import stands. Nothing is done where that part is
        there already, or the import is marked: it takes no more then."""

    async def apply(self, tenant: str, name: str, size: int, now: float) -> Import | None:
        """Mark an import, if ``size`` changes are staged of it, so that all of them hold sooner or
        later, whatever happens; returns what `imported` does. One that is marked stays so."""

    async def imported(self, tenant: str, name: str) -> Import | None:
        """How an import stands, None where there is none. When this tells that there is no
        ``rest``, all nodes go by all of it."""

    async def next_staged(self) -> Staged | None:
        """What is to be carried out next: of the import that was marked first, what was staged
        first. None where there is nothing, and where it is another node that does it."""

    async def carry_out(
        self, staged: Staged, optouts: Sequence[OptoutChange], consents: Sequence[Consent]
    ) -> list[bool] | None:
        """Make changes as `optout` and `consent` do, with what is staged of them going in the same
        step; says of each whether it changed anything, those of ``consents`` last. Nothing is done,
        which None tells, where that is gone already. Since time may have passed, opt-outs are taken
        back only as far as they had been added by the ``at`` of the change. That other nodes go by
        it, `imported` tells."""

    # --- what tenants ask ---

    async def find(
        self, tenant: str, numbers: Sequence[int], keys: Sequence[str]
    ) -> tuple[list[Record | None], list[Record | None]]:
        """What became of messages, by number and by key, each in order; None for one that this
        tenant does not have (or had too long ago)."""

    async def optout(self, changes: Sequence[OptoutChange]) -> list[bool]:
        """Add opt-outs and take some back, in order; says of each whether it changed anything. One
        that is there already keeps its time and text."""

    async def optout_entries(
        self, tenant: str, numbers: Sequence[str]
    ) -> Mapping[str, Sequence[OptoutEntry]]:
        """All opt-outs of ``numbers`` that hold for this tenant, everybody's included; numbers
        without any are left out. Does not block in the common case that none has one."""

    async def optout_list(self, tenant: str, after: str, limit: int) -> Sequence[OptoutEntry]:
        """The tenant's own opt-outs of the ``limit`` numbers that come after ``after``, as texts
        are ordered, each with all of its entries; empty where there are none."""

    async def stats(
        self, tenant: str, campaign: str | None, start: int, stop: int, limit: int
    ) -> Stats:
        """What was counted for a tenant, of one campaign or of everything, in the hours (since the
        epoch) from ``start`` until before ``stop``: whole hours, about ``limit`` rows and
        `gateway.queue.tallies.SPAN` hours at most, of one hour however many rows it has."""

    # --- events ---

    async def events(self, tenant: str, after: int, limit: int) -> list[EventChunk]:
        """Events with ``seq`` > ``after``, about ``limit`` at most, whole chunks but for the first,
        which starts at ``after + 1``. Empty where there is nothing newer."""

    async def watch(self) -> Collection[str]:
        """Wait until tenants have new events, and say which: all that got some since the last call,
        whichever node has recorded them. For one caller."""

    async def acknowledge(
        self, tenant: str, consumer: str, seq: int, most: int = MANY
    ) -> int | None:
        """Move a consumer's cursor forward; returns where it stands. A ``seq`` that is older, or
        that no event of the tenant has yet, changes nothing but when the consumer was seen. One
        that was not known is refused, with None, where the tenant has ``most`` consumers."""

    async def consumers(self, tenant: str | None = None) -> list[Consumer]:
        """The consumers of a tenant, or of all, by name."""

    async def seen(self, consumers: Iterable[tuple[str, str]]) -> None:
        """These consumers, each by its tenant and name, are there now. Unknown ones stay so."""

    async def forget_consumer(self, tenant: str, consumer: str) -> bool:
        """Forget a consumer and its cursor; returns whether it was known."""

    async def bounds(self, tenant: str) -> tuple[int, int]:
        """The first ``seq`` that is still kept and the last one given, ``(1, 0)`` for none."""

    # --- templates ---

    async def put_templates(self, changes: Sequence[TemplateChange]) -> list[int]:
        """Add versions of templates, in order; returns their numbers, which count from 1 for each
        name and go on where it was deleted. The newest `VERSIONS` of each are kept."""

    async def templates(self) -> Sequence[TemplateVersion]:
        """The newest version of every tenant's templates, but for those that are deleted, in order
        of tenant and name."""

    async def template_changes(self) -> int:
        """How much was changed of all templates, ever: 0 where nothing was, and each new version
        makes it higher, by its number or by `VERSIONS` where that is less, whichever node it is of.
        Cheap: it is asked for every second."""

    async def template_versions(self, tenant: str, name: str) -> Sequence[TemplateVersion]:
        """The versions that are kept of a template, the oldest first, those that deleted it too."""

    # --- upkeep ---

    async def oldest(self, now: float) -> Sequence[Oldest]:
        """The oldest of each tenant, category and place; of those that are sent, among the
        thousands whose deadline is next."""

    async def remember(self, name: str, value: bytes) -> None:
        """Keep a small named value (learnt receipt id forms)."""

    async def recall(self, name: str) -> bytes | None:
        """The value kept under ``name``."""

    async def prune(self, before: float, limit: int) -> int:
        """Forget events, outcomes, keys and unmatched parts from before a moment, and consumers not
        seen since, about ``limit`` rows; returns how many rows went, 0 once there is nothing left
        to do. The keys of messages without an outcome stay. Keys and parts may stay for a day
        longer; where history goes by dropping tables (`gateway.queue.postgresql.generations`),
        events and outcomes for an eighth of the time that they are kept for, and keys for half of
        it, and what is counted are steps. What was counted for ``stats`` goes after
        `gateway.queue.tallies.KEPT` hours, whatever ``before`` is; so do imports after
        `IMPORT_KEPT`."""

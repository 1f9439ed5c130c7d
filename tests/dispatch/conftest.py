"""Binds that a test answers by hand, a store that fails when told to, and a dispatch on both."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, cast

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from gateway.api.schema import Accepted, Rejected, SubmitMessage
from gateway.dispatch.carriers.carriers import Carrier
from gateway.dispatch.carriers.fleet import CarrierSettings
from gateway.dispatch.carriers.flights import Flight, Part
from gateway.dispatch.core import Dispatch, DispatchOptions
from gateway.dispatch.intake.tenants import TenantOptions
from gateway.dispatch.options import CarrierOptions
from gateway.dispatch.places import Places
from gateway.dispatch.release.references import References
from gateway.dispatch.settling import settle
from gateway.errors import LocalProtocolError, StoreError
from gateway.message import LaneKey, Message
from gateway.ops.metrics import Metrics
from gateway.policy import chain
from gateway.queue.memory import MemoryStore
from gateway.queue.operators import OperatorStore
from gateway.queue.postgresql import PostgresStore
from gateway.smpp.bind import Bind, BindListener, Left
from gateway.smpp.events import Delivery, Response
from gateway.smpp.options import BindOptions
from gateway.smpp.pdu import DataSm, DeliverSm, Encoded, Pdu, SubmitSm, decode
from gateway.smpp.tlv import Tlvs
from tests.dispatch.holding import check_lists, check_store

START = 1_790_000_000.0
"""A Monday afternoon in Europe, in September 2026: when every test begins."""

RECEIPT, UDHI = 0x04, 0x40


class FakeBind(Bind):
    """A bind without a connection. What was submitted stays in flight until a test answers it.

    Attributes:
        sent: every PDU ever submitted.
        received: how many deliveries it had.
        writes: how many PDUs each submission had.
        answered: the sequence numbers of the deliveries that were answered.
        restarts: why it was told to make a new session.
        carried: every message of which it was ever given parts.
    """

    def __init__(
        self,
        options: BindOptions,
        name: str,
        listener: BindListener,
        left: Left | None = None,
        **_: Any,
    ) -> None:
        super().__init__(options, name, listener, left=left)
        self.listener = listener
        self.sent: list[SubmitSm] = []
        self.writes: list[int] = []
        self.answered: list[int] = []
        self.restarts: list[str] = []
        self.carried: list[Flight] = []
        self.flying: list[tuple[SubmitSm, Part]] = []
        self.bound = False
        self.draining = False
        self.received = 0
        self._ids = 0
        self._ended = trio.Event()
        self._gone = trio.Event()

    @property
    def up(self) -> bool:
        return self.bound

    @property
    def room(self) -> int:
        return self.options.window - len(self.flying) if self.bound and not self.draining else 0

    @property
    def in_use(self) -> int:
        return len(self.flying)

    @property
    def submitted(self) -> list[object]:
        return [part for _, part in self.flying]

    def submit(self, requests: Sequence[tuple[Pdu | Encoded, object]]) -> None:
        if not 0 < len(requests) <= self.room:
            raise LocalProtocolError(f"{len(requests)} requests, but room for {self.room}")
        for request, context in requests:
            assert isinstance(request, Encoded)
            pdu = decode(request.numbered(1)).pdu
            assert isinstance(pdu, SubmitSm)
            part = cast("Part", context)
            self.flying.append((pdu, part))
            self.carried.append(part.flight)
            self.sent.append(pdu)
        self.writes.append(len(requests))

    def answer(self, deliveries: Sequence[Delivery], status: int = 0) -> None:
        assert status == 0
        self.answered += [delivery.sequence for delivery in deliveries]

    def restart(self, reason: str) -> None:
        self.restarts.append(reason)

    async def run(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        try:
            self.come_up()
            await self._ended.wait()
        finally:
            self.lose()
            self._gone.set()

    async def drain(self) -> None:
        self.draining = True
        if not self.flying:
            self._ended.set()
        await self._gone.wait()

    # --- what a test does ---

    @property
    def texts(self) -> list[str]:
        """The texts of what was ever sent, in GSM 03.38 that is ASCII."""
        return [pdu.short_message.decode() for pdu in self.sent]

    def come_up(self) -> None:
        self.bound = True
        self.listener.bound(self)

    def lose(self) -> list[SubmitSm]:
        """The session ends; returns what was in flight."""
        flying, self.flying = self.flying, []
        if self.bound:
            self.bound = False
            self.listener.lost(self, [part for _, part in flying], "lost")
        return [pdu for pdu, _ in flying]

    def time_out(self, *pdus: SubmitSm) -> None:
        """These, or all, are not answered in time."""
        self.listener.timed_out(self, [part for _, part in self._land(pdus)])

    def reply(
        self, *pdus: SubmitSm, status: int = 0, ids: Iterable[str] | None = None
    ) -> list[tuple[SubmitSm, str]]:
        """Answer these, or all that are in flight; returns each with the id that it was given."""
        landed = self._land(pdus)
        given = list(ids) if ids is not None else [self._id() for _ in landed]
        responses = [
            Response(part, status, "" if status else ref, trio.current_time())
            for (_, part), ref in zip(landed, given, strict=True)
        ]
        if responses:
            self.listener.responded(self, responses)
        if self.draining and not self.flying:
            self._ended.set()
        return [(pdu, ref) for (pdu, _), ref in zip(landed, given, strict=True)]

    async def receipts(self, *receipts: DeliverSm | DataSm) -> None:
        """Deliver receipts, or inbound messages, in one read."""
        first = self.received + 1
        self.received += len(receipts)
        await self.listener.delivered(
            self, [Delivery(number, pdu, 1) for number, pdu in enumerate(receipts, first)]
        )

    def _land(self, pdus: Sequence[SubmitSm]) -> list[tuple[SubmitSm, Part]]:
        wanted = set(map(id, pdus)) or {id(pdu) for pdu, _ in self.flying}
        landed = [one for one in self.flying if id(one[0]) in wanted]
        self.flying = [one for one in self.flying if id(one[0]) not in wanted]
        return landed

    def _id(self) -> str:
        self._ids += 1
        return f"{self.name}-{self._ids}x"


def receipt(
    ref: str, stat: str = "DELIVRD", phone: str = "447400123456", *, error: str = "000",
    to: str = "10690001", esm_class: int = RECEIPT, data_coding: int = 0, alphabet: str = "ascii",
    text: str | None = None, tlvs: Tlvs = (),
) -> DeliverSm:  # fmt: skip
    """A receipt in the canonical form, or with another text."""
    if text is None:
        text = (
            f"id:{ref} sub:001 dlvrd:001 submit date:2609211200 done date:2609211201 "
            f"stat:{stat} err:{error} text:"
        )
    return DeliverSm(
        source_addr=phone,
        destination_addr=to,
        esm_class=esm_class,
        data_coding=data_coding,
        short_message=text.encode(alphabet),
        tlvs=tlvs,
    )


def inbound(
    text: str | bytes, phone: str = "447400123456", number: str = "10690001", *,
    esm_class: int = 0, data_coding: int = 0, tlvs: Tlvs = (),
) -> DeliverSm:  # fmt: skip
    """A message from a phone."""
    return DeliverSm(
        source_addr=phone,
        destination_addr=number,
        esm_class=esm_class,
        data_coding=data_coding,
        short_message=text.encode() if isinstance(text, str) else text,
        tlvs=tlvs,
    )


class FlakyStore:
    """Another store whose methods fail while they are named in ``failing``.

    Attributes:
        stuck: while it is there and not set, no call comes to an end, whatever is cancelled.
        calls: how often each method was called.
        beginning: Unix time when trio's clock shows 0.
        epoch, restored: as of a store.
    """

    def __init__(self, store: MemoryStore, beginning: float = 0.0) -> None:
        self.epoch = "1f"
        self.restored = False
        self._store = store
        self.beginning = beginning
        self.failing: set[str] = set()
        self.stuck: trio.Event | None = None
        self.calls: Counter[str] = Counter()

    @property
    def lapsed(self) -> bool:
        """Whether another node may have taken what this one has."""
        return self._store.lapsed

    @property
    def shared(self) -> bool:
        """Whether other nodes work on it too."""
        return self._store.shared

    def elsewhere(self, messages: Sequence[Message]) -> Collection[int]:
        """What another node sends."""
        return self._store.elsewhere(messages)

    def sends_to(self, phone: str) -> bool:
        """Whether a phone is this node's."""
        return self._store.sends_to(phone)

    def taker(self, phone: str) -> int | None:
        """The other node that takes receipts of what went to a phone."""
        return self._store.taker(phone)

    def look_for(self, refs: Collection[str]) -> None:
        """Have others put on record what they know of parts."""
        self._store.look_for(refs)

    def beside(self) -> MemoryStore:
        """A store of another process on the same storage."""
        return self._store.beside()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)

        async def call(*arguments: Any, **keywords: Any) -> Any:
            self.calls[name] += 1
            if self.stuck is not None:
                with trio.CancelScope(shield=True):
                    await self.stuck.wait()
            if name in self.failing:
                await trio.lowlevel.cancel_shielded_checkpoint()
                raise StoreError("disk: is full", full=True)
            return await method(*arguments, **keywords)

        return call


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


def carrier_settings(name: str = "alpha", *, binds: int = 1, **changes: Any) -> CarrierSettings:
    """A carrier with binds of 10 parts each."""
    options = {key: value for key, value in changes.items() if key in CARRIER_FIELDS}
    bind = {key: value for key, value in changes.items() if key not in CARRIER_FIELDS}
    bind_options = BindOptions(**{"host": name, "port": 2775, "window": 10, **bind})
    return CarrierSettings(
        CarrierOptions(id=name, **options), (bind_options,) * binds, (bind_options, binds)
    )


CARRIER_FIELDS = frozenset(CarrierOptions.__struct_fields__)

TENANTS = (
    TenantOptions(
        id="acme",
        token_sha256=(b"a",),
        category="transactional",
        sender="10690001",
        numbers=frozenset({"10690001"}),
    ),
    TenantOptions(
        id="umbrella",
        token_sha256=(b"u",),
        category="transactional",
        sender="10690002",
        numbers=frozenset({"10690002"}),
    ),
)


class World:
    """A dispatch on a store in memory, with binds in the hands of the test.

    Attributes:
        made: every bind ever made, by name; a later one of the same name takes its place.
        options: what it is configured with.
        nursery: holds its tasks.
        opened: how often its store had been opened when it was.
        running: ends a node, and closes its store in order.
    """

    nursery: trio.Nursery
    opened = 0

    def __init__(self, clock: Callable[[], float], store: FlakyStore) -> None:
        self.clock = clock
        self.store = store
        self.running = trio.CancelScope()
        self.metrics = Metrics()
        self.made: dict[str, FakeBind] = {}
        self.dispatch = Dispatch(
            cast("OperatorStore", store), self.metrics, clock, self.make, Places()
        )
        self.service = self.dispatch.service
        self.options = DispatchOptions(
            tenants=TENANTS,
            policies={
                "acme": chain.TenantOptions(senders=("10690001",), quiet_hours=False),
                "umbrella": chain.TenantOptions(senders=("10690002",), quiet_hours=False),
            },
            carriers=[carrier_settings()],
        )

    def make(self, *arguments: Any, **keywords: Any) -> FakeBind:
        bind = FakeBind(*arguments, **keywords)
        self.made[bind.name] = bind
        return bind

    async def configure(self, **changes: Any) -> None:
        """Change some options and wait until the binds are up."""
        self.options = msgspec.structs.replace(self.options, **changes)
        self.dispatch.configure(self.options)
        await self.calm()

    def forget_parts(self) -> None:
        """From here on, what the store knows of parts counts: memory has none of them."""
        for carrier in self.dispatch.fleet.carriers:
            for bind in carrier.all_binds:
                for flight in cast("FakeBind", bind).carried:
                    carrier.correlator.forget(flight)

    def parked(self) -> dict[str, int]:
        """How many receipts wait, by carrier."""
        return {c.options.id: c.correlator.parked for c in self.dispatch.fleet.carriers}

    async def calm(self) -> None:
        """Let everybody do what there is to do now."""
        await wait_all_tasks_blocked()

    @property
    def bind(self) -> FakeBind:
        return self.made["alpha-1"]

    # --- as a tenant ---

    async def submit(
        self, *messages: str | dict[str, Any], tenant: str = "acme"
    ) -> list[Accepted | Rejected]:
        """Submit texts to one phone, or messages with whatever fields are given."""
        batch = [_message(message) for message in messages]
        [results] = await self.service.submit(tenant, [batch])
        await self.calm()
        return list(results)

    async def accepted(self, *messages: str | dict[str, Any], tenant: str = "acme") -> list[str]:
        """The same where all are accepted: their ids."""
        results = await self.submit(*messages, tenant=tenant)
        return [result.message_id for result in results if isinstance(result, Accepted)]

    async def events(self, tenant: str = "acme") -> list[dict[str, Any]]:
        """Every event that a tenant ever had, in order."""
        chunks = await self.store.events(tenant, 0, 1_000_000)
        body = b"".join(chunk.body for chunk in chunks)
        count = sum(chunk.size for chunk in chunks)
        decoded = msgspec.msgpack.decode(b"\xdd" + count.to_bytes(4, "big") + body)
        return cast("list[dict[str, Any]]", decoded)

    async def outcomes(self, tenant: str = "acme") -> dict[str, str]:
        """The outcome of every message that has one, each of which has one only."""
        told = [e for e in await self.events(tenant) if "message_id" in e]
        found = {event["message_id"]: event["type"] for event in told}
        assert len(found) == len(told)
        return found

    async def waiting(self, lane: LaneKey, now: float) -> list[Message]:
        """What waits in the store for a lane and is due by then."""
        messages = (await self.store.lease(lane, now, 10)).messages
        await self.store.defer(messages)
        return cast("list[Message]", messages)

    async def states(self, ids: Sequence[str], tenant: str = "acme") -> list[str | None]:
        """Where messages stand."""
        found = await self.service.status(tenant, ids, ())
        return [None if one is None else one.state for one in found]

    # --- as a carrier ---

    async def deliver(self, stat: str = "DELIVRD") -> None:
        """Every carrier takes all that is in flight, and says what became of it."""
        await self.calm()
        for bind in list(self.made.values()):
            for pdu, ref in bind.reply():
                await bind.receipts(receipt(ref, stat, pdu.destination_addr))
        await self.calm()

    # --- at the end ---

    def counts(self) -> dict[tuple[str, str], int]:
        """What the ledger counts above or below zero, by tenant and state."""
        found: dict[tuple[str, str], int] = {}
        for tenant, _, state, messages in self.dispatch.ledger.counts():
            if messages:
                found[tenant, state] = found.get((tenant, state), 0) + messages
        return found

    async def check_places(self) -> None:
        """It holds what the store says, unless another one has opened that, as after a crash."""
        if self.store.calls["open"] == self.opened:
            await check_store(self.dispatch, self.store)
        else:
            check_lists(self.dispatch)

    async def check_finished(self) -> None:
        """Every message has its outcome: nothing is left anywhere."""
        assert self.counts() == {}
        lanes = self.dispatch.lanes.statistics()
        assert (lanes.messages, lanes.kept) == (0, 0)
        for tenant in ("acme", "umbrella"):
            assert self.dispatch.ledger.total(tenant) == 0
            seqs = [event["seq"] for event in await self.events(tenant)]
            assert seqs == list(range(1, len(seqs) + 1))


def _message(message: str | dict[str, Any]) -> SubmitMessage:
    fields = {"text": message} if isinstance(message, str) else dict(message)
    return SubmitMessage(**{"to": "+447400123456", "text": "hello", **fields})


@asynccontextmanager
async def opened(store: FlakyStore | None = None, **changes: Any) -> AsyncIterator[World]:
    """A dispatch that runs, under a clock that goes with trio's; on another one's store to see
    what that has left."""
    beginning = START - trio.current_time() if store is None else store.beginning

    def clock() -> float:
        return beginning + trio.current_time()

    world = World(clock, store or FlakyStore(MemoryStore(clock), beginning))
    world.dispatch.recover(await world.store.open())
    world.opened = world.store.calls["open"]
    async with trio.open_nursery() as nursery:
        world.nursery = nursery
        await nursery.start(world.dispatch.run)
        await world.configure(**changes)
        yield world
        await world.calm()
        await world.check_places()
        nursery.cancel_scope.cancel()
    assert world.dispatch.places.total == 0


@asynccontextmanager
async def opened_node(dsn: str, name: str, **changes: Any) -> AsyncIterator[World]:
    """A dispatch that runs as one of two nodes on a database."""
    store = PostgresStore(dsn, node=name, nodes=2)
    world = World(time.time, FlakyStore(cast("MemoryStore", store)))
    world.dispatch.recover(await world.store.open())

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        with world.running:
            await world.dispatch.run(task_status=task_status)
        await world.store.aclose()

    async with trio.open_nursery() as nursery:
        world.nursery = nursery
        await nursery.start(run)
        await world.configure(**changes)
        yield world
        world.running.cancel()


OpenWorld = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture(autouse=True)
def _settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds of settling follow one another at once, so that a test need not let time pass."""
    monkeypatch.setattr(settle, "INTERVAL", 0.0)


@pytest.fixture(scope="session")
def open_world() -> OpenWorld:
    """Opens a world of its own, see `opened`."""
    return opened


@pytest.fixture(scope="session")
def open_node() -> OpenWorld:
    """Opens one of two nodes, see `opened_node`."""
    return opened_node


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A world with one carrier of one bind and two tenants. A test in which time passes asks for
    `autojump_clock` beside it."""
    async with opened() as world:
        yield world


@pytest.fixture(scope="session")
def make_receipt() -> Callable[..., DeliverSm]:
    return receipt


@pytest.fixture(scope="session")
def make_inbound() -> Callable[..., DeliverSm]:
    return inbound


@pytest.fixture(scope="session")
def make_settings() -> Callable[..., CarrierSettings]:
    return carrier_settings


@pytest.fixture(scope="session")
def make_message() -> Callable[..., Message]:
    """Makes a message as it was accepted at `START`; later fields are as a test says."""
    template = Message(
        id=1,
        tenant="acme",
        to="447400123456",
        sender="10690001",
        text="hello",
        category="transactional",
        route="default",
        encoding="gsm7",
        parts=1,
        accepted_at=START,
        due=START,
        expires_at=START + 600,
    )

    def make(id: int = 1, **fields: Any) -> Message:  # noqa: A002  as the field is called
        return msgspec.structs.replace(template, id=id, **fields)

    return make


class Sink:
    """Notes what a carrier hands on (`gateway.dispatch.carriers.carriers.Sink`)."""

    def __init__(self) -> None:
        self.responses: list[Response] = []
        self.batches: list[Sequence[Response]] = []
        self.parts: list[object] = []
        self.deliveries: list[Delivery] = []

    def responded(self, carrier: Carrier, answered: Sequence[Response]) -> None:
        self.responses += answered
        self.batches.append(answered)

    def unanswered(self, carrier: Carrier, parts: Sequence[object]) -> None:
        self.parts += parts

    async def delivered(self, carrier: Carrier, bind: Bind, deliveries: Sequence[Delivery]) -> None:
        self.deliveries += deliveries


class Bench:
    """Carriers without a dispatch: what they are told and what they hand on.

    Attributes:
        sink: what they hand on.
        metrics: what they count.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.metrics = Metrics()
        self.sink = Sink()
        self._references = References(0)

    def carrier(self, name: str = "alpha", *, binds: int = 1, **changes: Any) -> Carrier:
        """A carrier whose binds are up."""
        settings = carrier_settings(name, binds=binds, **changes)
        carrier = Carrier(settings.options, self.sink, self.metrics, self.clock, lambda: None)
        made = [FakeBind(one, f"{name}-{n}", carrier) for n, one in enumerate(settings.binds, 1)]
        carrier.use(made)
        for bind in made:
            bind.come_up()
        return carrier

    def flight(self, carrier: Carrier, message: Message) -> Flight:
        """A message on its way to a carrier."""
        pdus = carrier.dialect.parts(message, self._references, 600.0, self.clock())
        return Flight.begun(message, carrier.options.id, pdus, self.clock())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bench(clock: Clock) -> Bench:
    return Bench(clock)


@pytest.fixture(scope="session")
def make_bench() -> Callable[[], Bench]:
    """Makes a bench for each example of a test that hypothesis runs."""
    return lambda: Bench(Clock())


@pytest.fixture(scope="session")
def start() -> float:
    """When every test begins."""
    return START

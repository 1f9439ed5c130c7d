"""Each stage of a message's way alone, in nanoseconds a message, so that a regression shows where.

The only benchmark that calls the gateway's functions in its own process: it says where the time of
the others goes, not how fast the gateway is. Each step works on a batch, as the gateway does.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import trio
from msgspec import Meta, structs

from benchmarks import wordings
from benchmarks.benchmark import Benchmark, Tell
from benchmarks.load import PREFIX, TEXTS, LoadOptions, TextKind, frames
from benchmarks.options import Options
from benchmarks.processes import open_hours, tenant_name
from benchmarks.results import Findings, Result, case
from benchmarks.runs import scratch
from gateway.api import codec, schema
from gateway.api.frames import HEADER_SIZE, MAX_FRAME, FrameReader
from gateway.dispatch.carriers.submission import Dialect
from gateway.dispatch.options import CarrierOptions
from gateway.dispatch.release.references import References
from gateway.facts import Facts, Use
from gateway.message import Event, Local, Message, message_id
from gateway.policy import chain
from gateway.policy.caps import FrequencyCap
from gateway.policy.consent import ConsentOptions, ConsentRule
from gateway.policy.destinations import DestinationOptions, Destinations
from gateway.policy.frequency import Frequency
from gateway.policy.pumping import Pumping, PumpingOptions
from gateway.policy.quiet_hours import QuietHours, QuietHoursOptions
from gateway.policy.unreachable import Unreachable, UnreachableOptions
from gateway.queue import events
from gateway.queue.filter import BitFilter
from gateway.queue.sqlite import SqliteStore
from gateway.queue.store import Entry, Sent, Settlement
from gateway.queue.store import Final as Ended
from gateway.smpp import pdu, receipts
from gateway.smpp.framing import Splitter
from gateway.smpp.simulator.receipt import RECEIPTS, Taken
from gateway.text.measuring import measure as measure_text
from gateway.text.splitting import encode as encode_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class MicroOptions(Options, frozen=True, kw_only=True):
    repeats: Annotated[int, Meta(ge=1, description="runs of each step")] = 7
    batch: Annotated[int, Meta(description="messages that a step works on at once")] = 1_000
    seconds: Annotated[float, Meta(description="of each run")] = 0.3
    optouts: Annotated[int, Meta(description="numbers in the opt-out filter")] = 1_000_000


class Step(NamedTuple):
    """Something to do with a batch of messages."""

    name: str
    work: Callable[[], object]


NUMBERS: Final = count(1 << 50)
"""Message ids that no two batches share."""


def messages(size: int, kind: TextKind = "one part") -> list[Message]:
    """Accepted messages, as the load generator submits them."""
    now = time.time()
    text = TEXTS[kind]
    made = []
    for number in range(size):
        words = text.format(name=f"Kim {number}", code=f"{number:05}")
        encoding, size_in_parts = measure_text(words)
        made.append(
            Message(
                next(NUMBERS), tenant_name(0), f"{PREFIX}{number:08}", "10690000", words,
                "marketing", "default", encoding, size_in_parts, now, now, now + 172_800,
                campaign="benchmark",
            )
        )  # fmt: skip
    return made


def steps(options: MicroOptions) -> Iterator[Step]:
    """Everything but the store, in the order of a message's way."""
    now = time.time()
    size = options.batch
    submitted = next(frames(LoadOptions(address="", messages=size, batch=size), 1))
    reader = FrameReader(MAX_FRAME)

    def read_frame() -> None:
        reader.receive(submitted)
        reader.next_frame()

    yield Step("API: cut a frame", read_frame)
    body = submitted[HEADER_SIZE:]
    yield Step("API: decode a submit request", lambda: codec.decode(body, size))
    plain = messages(size)
    policy = chain.build(
        chain.PolicyOptions(quiet_hours=QuietHoursOptions(open=open_hours(now))),
        {tenant_name(0): chain.TenantOptions(senders=("10690000",))},
    )[tenant_name(0)]
    seen = BitFilter(options.optouts)
    seen.add([(0, f"86137{number:08}") for number in range(options.optouts)])
    pairs = [(0, message.to) for message in plain]
    yield Step("policy: look up opt-outs", lambda: seen.maybe(pairs))
    yield Step("policy: admission chain", lambda: policy.admission.judge(plain, Facts(), now))
    yield Step("policy: release chain", lambda: policy.release.judge(plain, Facts(), now))
    yield from _rule_steps(plain, now)
    for name, work in wordings.steps(plain, messages(size, "chinese"), now):
        yield Step(name, work)
    for kind in TEXTS:
        yield from _text_steps(kind, messages(size, kind))
    results = [schema.Accepted(message_id(m.id), m.parts, m.encoding) for m in plain]
    reply = schema.SubmitReply(id=1, ok=True, results=results)
    yield Step("API: encode a reply", lambda: codec.encode(reply, bytearray()))
    yield from _smpp_steps(plain, now)
    ended = [_event(message, now) for message in plain]
    yield Step("events: encode", lambda: [*map(events.encode, ended)])
    encoded = [*map(events.encode, ended)]
    yield Step("events: stamp and chunk", lambda: events.chunks(tenant_name(0), 1, encoded))


def _rule_steps(plain: list[Message], now: float) -> Iterator[Step]:
    """What each rule costs that is off unless it is configured."""
    frequency = Frequency([FrequencyCap(category="marketing", max=3, per="7d")])
    marked = [frequency.marked(message) for message in plain]
    had = {message.to: [Use(message.counted[0].mark, now - 86_400, 1, True)] for message in marked}
    consent = ConsentRule(ConsentOptions(require=("*",)))
    given = {message.to: frozenset({"marketing"}) for message in plain}
    yield Step("policy: consent", lambda: consent.judge(plain, Facts(consents=given), now))
    yield Step("policy: frequency, mark", lambda: frequency.counted(plain))
    yield Step("policy: frequency, judge", lambda: frequency.judge(marked, Facts(uses=had), now))
    quiet = QuietHours(QuietHoursOptions(open="08:00-20:00", reopening=1800))
    day, night = _in_china("12:00"), _in_china("23:00")
    local = Local("Asia/Shanghai", None, "10:00-15:00")
    plain = [structs.replace(message, due=day, expires_at=day + 2e5) for message in plain]
    windows = [structs.replace(message, local=local) for message in plain]
    yield Step("policy: quiet hours", lambda: quiet.judge(plain, Facts(), day))
    yield Step("policy: quiet hours, own windows", lambda: quiet.judge(windows, Facts(), day))
    yield Step("policy: quiet hours, reopening", lambda: quiet.judge(plain, Facts(), night))
    china = Destinations(DestinationOptions(allowed=("CN",), kinds=("mobile",)))
    yield Step("policy: destinations", lambda: china.judge(plain, Facts(), day))
    spared = Unreachable(UnreachableOptions(categories=frozenset({"marketing"})))
    silent = Facts(unreachable={f"{PREFIX}x": day + 1})
    yield Step("policy: unreachable", lambda: spared.judge(plain, silent, day))
    guard = Pumping(PumpingOptions(), ("CN",))
    codes = [structs.replace(message, category="otp") for message in plain]
    rooms = Facts(rooms=dict.fromkeys(guard.ranges(codes), len(codes)))
    yield Step("policy: pumping, ranges", lambda: guard.ranges(codes))
    yield Step("policy: pumping, judge", lambda: guard.judge(codes, rooms, day))


def _in_china(hour: str) -> float:
    """A moment of a day on which nothing is special."""
    return datetime.fromisoformat(f"2026-11-24 {hour}+08:00").timestamp()


def _text_steps(kind: TextKind, made: list[Message]) -> Iterator[Step]:
    texts = [message.text for message in made]
    encoding = made[0].encoding
    yield Step(f"text: measure, {kind}", lambda: [*map(measure_text, texts)])
    yield Step(
        f"text: encode and split, {kind}", lambda: [encode_text(text, encoding) for text in texts]
    )


def _smpp_steps(plain: list[Message], now: float) -> Iterator[Step]:
    dialect, references = Dialect(CarrierOptions(id="alpha")), References(0)
    yield Step(
        "SMPP: build submit_sm", lambda: [dialect.parts(m, references, 3600.0, now) for m in plain]
    )
    requests = [request for m in plain for request in dialect.parts(m, references, 3600.0, now)]
    yield Step("SMPP: number submit_sm", lambda: [request.numbered(1) for request in requests])
    responses = [pdu.encode(pdu.SubmitSmResp(str(10**9 + n)), n) for n in range(1, len(plain) + 1)]
    stream = b"".join(responses)
    yield Step("SMPP: cut frames", lambda: Splitter().feed(stream))
    yield Step("SMPP: decode submit_sm_resp", lambda: [*map(pdu.decode, responses)])
    delivered = [
        RECEIPTS["text"](Taken(str(10**9 + n), str(10**9 + n), submitted(request), 2, now, now))
        for n, request in enumerate(requests)
    ]
    arrived = [pdu.encode(delivery, 1) for delivery in delivered]
    yield Step("SMPP: decode deliver_sm", lambda: [*map(pdu.decode, arrived)])
    yield Step("SMPP: parse a receipt", lambda: [*map(receipts.parse, delivered)])


def submitted(request: pdu.Encoded) -> pdu.SubmitSm:
    """What a carrier reads."""
    found = pdu.decode(request.numbered(1)).pdu
    assert isinstance(found, pdu.SubmitSm)
    return found


def _event(message: Message, now: float) -> Event:
    return Event(
        "delivered", now, message_id(message.id), message.key, message.to,
        campaign=message.campaign, parts=1,
    )  # fmt: skip


def timed(work: Callable[[], object], seconds: float) -> float:
    """Seconds that a call takes, on average over so long a time."""
    calls, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds or not calls:
        work()
        calls += 1
    return elapsed / calls


async def store_times(options: MicroOptions, folder: Path) -> dict[str, list[float]]:
    """Seconds that calls of the store take, each with a commit to disk, by what they do."""
    found: dict[str, list[float]] = {"accept": [], "sent": [], "outcome": []}
    store = SqliteStore(str(folder / "gateway.db"))
    await store.open()

    async def clocked(name: str, call: Awaitable[object]) -> None:
        started = time.perf_counter()
        await call
        found[name].append(time.perf_counter() - started)

    for repeat in range(options.repeats):
        batch = messages(options.batch)
        now = time.time()
        sent = [
            Sent(m, "alpha", (f"{repeat}-{index}",), now + 3600) for index, m in enumerate(batch)
        ]
        ended = [Ended(m, _event(m, now)) for m in batch]
        await clocked("accept", store.accept([Entry(m, 0, leased=True) for m in batch]))
        await clocked("sent", store.settle(Settlement(sent=sent)))
        await clocked("outcome", store.settle(Settlement(finals=ended)))
    await store.aclose()
    return found


def measure(options: MicroOptions, folder: Path, tell: Tell) -> Findings:
    each = 1e9 / options.batch
    cases = []

    def add(name: str, seconds: list[float]) -> None:
        samples = [{("time", "ns/message"): value * each} for value in seconds]
        cases.append(case({"step": name, "batch": options.batch}, samples))

    for name, work in steps(options):
        tell(name)
        add(name, [timed(work, options.seconds) for _ in range(options.repeats)])
    tell("store")
    with scratch(folder) as empty:
        found = trio.run(store_times, options, empty)
    for name, seconds in found.items():
        add(f"store: commit {name}", seconds)
    return Findings(cases)


def draw(result: Result, canvas: "Figure") -> None:
    """Nanoseconds a message, by step."""
    ax = canvas.subplots()
    cases = result.findings.cases[::-1]
    found = [one.figures["time"] for one in cases]
    spread = [f.median - f.min for f in found], [f.max - f.median for f in found]
    ax.barh(
        [str(one.settings["step"]) for one in cases],
        [f.median for f in found],
        xerr=spread,
        capsize=2,
    )
    ax.set(xscale="log", xlabel="ns a message (median; lines from least to most)")
    ax.grid(axis="x", alpha=0.4, which="both")


BENCHMARK = Benchmark(
    about="each stage alone, ns a message",
    options=MicroOptions(),
    quick=MicroOptions(repeats=3, seconds=0.05, optouts=100_000),
    measure=measure,
    draw=draw,
)

"""How a carrier stands: what an operator reads in the log over a history of its binds."""

from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NoReturn

import pytest
import structlog
import trio
from trio.testing import memory_stream_pair

from gateway.dispatch.carriers.actions import Action
from gateway.dispatch.carriers.carriers import Carrier
from gateway.dispatch.carriers.standing import CALM
from gateway.smpp import pdu as p
from gateway.smpp.bind import Bind, Left
from gateway.smpp.framing import Splitter
from gateway.smpp.options import Backoff, BindOptions
from gateway.smpp.states import ANSWERS
from gateway.smpp.status import Status

AWAY: Final = -1
"""What a bind meets: nobody. Else the status that its bind is answered with."""

HOURS: Final = 10_000.0


class History:
    """One carrier, real binds, and an SMSC in memory that does with each bind as it is told.

    Attributes:
        meets: what the next attempt of a bind meets, by name.
        said: what was logged, a line each: level, event and what tells it from others.
    """

    def __init__(self, carrier: Carrier, nursery: trio.Nursery) -> None:
        self.carrier = carrier
        self.meets: dict[str, int] = {}
        self.said: list[str] = []
        self.nursery = nursery
        self.binds: dict[str, Bind] = {}
        self.scopes: dict[str, trio.CancelScope] = {}
        self.left: Left | None = None

    def use(self, *modes: str) -> None:
        """Run binds of these modes, in place of those before."""
        made = [self.make(f"alpha-{n}", mode) for n, mode in enumerate(modes, 1)]
        self.carrier.use(made)
        for bind in made:
            self.binds[bind.name] = bind
            self.nursery.start_soon(bind.run)

    def make(self, name: str, mode: Any) -> Bind:
        async def connect(options: BindOptions) -> trio.abc.Stream:
            await trio.sleep(0.001 * int(name[-1]))  # one after the other
            meets = self.meets.get(name, 0)
            if meets == AWAY:
                raise ConnectionRefusedError("nobody is there")
            ours, theirs = memory_stream_pair()
            self.scopes[name] = trio.CancelScope()
            self.nursery.start_soon(self.serve, theirs, meets, self.scopes[name])
            return ours

        options = BindOptions(host="smsc", port=2775, mode=mode, backoff=Backoff(longest=60))
        return Bind(
            options,
            name,
            self.carrier,
            clock=trio.current_time,
            rng=lambda: 0.5,
            connect=connect,
            left=self.left,
        )

    async def serve(self, stream: trio.abc.Stream, status: int, scope: trio.CancelScope) -> None:
        splitter = Splitter()
        with scope, suppress(trio.BrokenResourceError):
            while data := await stream.receive_some(65_536):
                for packet in map(p.decode, splitter.feed(bytes(data))):
                    if isinstance(packet.pdu, p.Pdu) and type(packet.pdu) in ANSWERS:
                        answer = ANSWERS[type(packet.pdu)]
                        await stream.send_all(p.encode(answer, packet.sequence, status))
        await stream.aclose()

    def hang_up(self, *names: str, then: int = AWAY) -> None:
        """The connections of these binds break; what their next attempts meet."""
        for name in names:
            self.meets[name] = then
            self.scopes[name].cancel()

    def processor(self, _: object, level: str, line: MutableMapping[str, Any]) -> NoReturn:
        about = line.get("bind") or line["carrier"]
        told = [str(line[key]) for key in ("cannot", "status", "session_of") if key in line]
        self.said.append(" ".join([level, line["event"], about, *told]))
        raise structlog.DropEvent

    def read(self) -> list[str]:
        """What was logged since the last time."""
        said, self.said = self.said, []
        return said


@asynccontextmanager
async def history(bench: Any, *modes: str) -> AsyncIterator[History]:
    carrier = bench.carrier(binds=0)
    before = structlog.get_config()
    try:
        async with trio.open_nursery() as nursery:
            made = History(carrier, nursery)
            structlog.configure(processors=[made.processor])
            made.use(*modes)
            yield made
            nursery.cancel_scope.cancel()
    finally:
        structlog.configure(**before)


async def test_a_bind_that_flaps_is_told_at_every_turn_and_the_log_ends_on_what_is_true(
    bench: Any, autojump_clock: object
) -> None:
    async with history(bench, "transceiver") as tale:
        await trio.sleep(5)
        assert tale.read() == ["info bound alpha-1"]
        tale.hang_up("alpha-1")
        await trio.sleep(1)
        tale.meets.clear()
        await trio.sleep(5)
        assert tale.read() == [
            "info bind_lost alpha-1",
            "warning carrier_down alpha ('send', 'receive')",
            "info connect_failed alpha-1",
            "info bound alpha-1",
            "info carrier_up alpha",
        ]
        for _ in range(3):
            tale.hang_up("alpha-1", then=0)
            await trio.sleep(31)
            assert tale.read() == [
                "info bind_lost alpha-1",
                "warning carrier_down alpha ('send', 'receive')",
                "info bound alpha-1",
                "info carrier_up alpha",
            ]
        assert tale.carrier.binds[0].up


async def test_an_outage_is_one_warning_however_long_and_however_many_attempts(
    bench: Any, autojump_clock: object
) -> None:
    async with history(bench, "transceiver", "transceiver") as tale:
        await trio.sleep(5)
        tale.read()
        tale.hang_up("alpha-1", "alpha-2")
        await trio.sleep(HOURS)
        lines = tale.read()
        assert [line for line in lines if line.startswith("warning")] == [
            "warning carrier_down alpha ('send', 'receive')"
        ]
        assert set(lines) == {
            "info bind_lost alpha-1", "info bind_lost alpha-2",
            "info connect_failed alpha-1", "info connect_failed alpha-2",
            "warning carrier_down alpha ('send', 'receive')",
        }  # fmt: skip
        tale.meets.clear()
        await trio.sleep(60)
        assert sorted(tale.read()) == [
            "info bound alpha-1", "info bound alpha-2", "info carrier_up alpha",
        ]  # fmt: skip


async def test_one_of_two_binds_is_no_warning_and_both_are(
    bench: Any, autojump_clock: object
) -> None:
    async with history(bench, "transceiver", "transceiver") as tale:
        await trio.sleep(5)
        assert tale.read() == ["info bound alpha-1", "info bound alpha-2"]
        tale.hang_up("alpha-2")
        await trio.sleep(30)
        assert tale.read() == ["info bind_lost alpha-2", "info connect_failed alpha-2"]
        tale.hang_up("alpha-1")
        await trio.sleep(10)
        assert tale.read() == [
            "info bind_lost alpha-1",
            "warning carrier_down alpha ('send', 'receive')",
            "info connect_failed alpha-1",
        ]
        tale.meets["alpha-1"] = 0
        await trio.sleep(20)
        assert [line for line in tale.read() if "alpha-2" not in line] == [
            "info bound alpha-1",
            "info carrier_up alpha",
        ]


@pytest.mark.parametrize(
    ("lost", "cannot"),
    [
        (["alpha-1"], "('send',)"),
        (["alpha-2"], "('receive',)"),
    ],
)
async def test_separate_binds_tell_which_half_is_missing(
    bench: Any, autojump_clock: object, lost: list[str], cannot: str
) -> None:
    async with history(bench, "transmitter", "receiver") as tale:
        await trio.sleep(5)
        tale.read()
        tale.hang_up(*lost)
        await trio.sleep(1)
        assert f"warning carrier_down alpha {cannot}" in tale.read()
        tale.hang_up(*({"alpha-1", "alpha-2"} - set(lost)))
        await trio.sleep(1)
        assert "warning carrier_down alpha ('send', 'receive')" in tale.read()
        tale.meets.clear()
        await trio.sleep(60)
        assert tale.read()[-1] == "info carrier_up alpha"


@pytest.mark.parametrize(
    ("meets", "line"),
    [
        (AWAY, "info connect_failed alpha-1"),
        (Status.ESME_RSYSERR, "info bind_failed alpha-1"),
    ],
)
async def test_a_carrier_that_never_was_there_is_down_after_the_first_attempt(
    bench: Any, autojump_clock: object, meets: int, line: str
) -> None:
    async with history(bench) as tale:
        tale.meets["alpha-1"] = meets
        tale.use("transceiver")
        await trio.sleep(0.1)
        assert tale.read() == [line, "warning carrier_down alpha ('send', 'receive')"]


@pytest.mark.parametrize(
    "status", [Status.ESME_RINVPASWD, Status.ESME_RINVSYSID, Status.ESME_RBINDFAIL]
)
async def test_refused_credentials_are_one_warning_until_they_are_taken(
    bench: Any, autojump_clock: object, status: Status
) -> None:
    refused = f"warning bind_refused alpha-1 {status.name}"
    async with history(bench) as tale:
        tale.meets = dict.fromkeys(["alpha-1", "alpha-2"], status)
        tale.use("transceiver", "transceiver")
        await trio.sleep(HOURS)
        warnings = [line for line in tale.read() if line.startswith("warning")]
        assert warnings == [refused, "warning carrier_down alpha ('send', 'receive')"]
        tale.meets.clear()
        await trio.sleep(120)
        tale.read()
        tale.hang_up("alpha-1", then=status)  # the account was closed: a change, told at once
        await trio.sleep(5)
        assert tale.read() == ["info bind_lost alpha-1", "info bind_failed alpha-1", refused]


async def test_a_session_that_nobody_has_ended_is_another_warning(
    bench: Any, autojump_clock: object
) -> None:
    """And a reason that only a person mends is told once that is no explanation any more."""
    async with history(bench) as tale:
        tale.meets = dict.fromkeys(["alpha-1", "alpha-2"], Status.ESME_RBINDFAIL)
        tale.left = Left("node b", trio.current_time() + 300)
        tale.use("transceiver", "transceiver")
        await trio.sleep(HOURS)
        down = "warning carrier_down alpha ('send', 'receive')"
        assert [line for line in tale.read() if line.startswith("warning")] == [
            "warning session_left alpha-1 ESME_RBINDFAIL node b",
            down,
            "warning bind_refused alpha-1 ESME_RBINDFAIL",
        ]
        tale.meets.clear()
        await trio.sleep(120)
        assert tale.carrier.binds[0].up


async def test_another_refusal_is_another_warning(bench: Any, autojump_clock: object) -> None:
    async with history(bench) as tale:
        tale.meets["alpha-1"] = Status.ESME_RINVSYSID
        tale.use("transceiver")
        await trio.sleep(300)
        tale.meets["alpha-1"] = Status.ESME_RINVPASWD
        await trio.sleep(300)
        refusals = [line for line in tale.read() if "bind_refused" in line]
        assert refusals == [
            "warning bind_refused alpha-1 ESME_RINVSYSID",
            "warning bind_refused alpha-1 ESME_RINVPASWD",
        ]


async def test_ending_on_purpose_is_no_warning(bench: Any, autojump_clock: object) -> None:
    async with history(bench, "transceiver") as tale:
        await trio.sleep(5)
        old = tale.binds["alpha-1"]
        tale.use("transceiver")  # a reload
        await old.drain()
        await trio.sleep(5)
        await tale.binds["alpha-1"].drain()  # and a shutdown
        assert [line for line in tale.read() if not line.startswith("info")] == []


@pytest.mark.parametrize(
    ("status", "statuses"),
    [
        (Status.ESME_RTHROTTLED, {}),
        (0x400, {0x400: Action("wait", delay=2, slows=True)}),
    ],
)
async def test_throttling_is_told_when_it_begins_and_when_it_is_over(
    bench: Any, make_message: Any, start: float, status: int, statuses: dict[int, Action]
) -> None:
    carrier = bench.carrier(rate=100, window=100, statuses=statuses)

    def send(status: int) -> None:
        carrier.submit([bench.flight(carrier, make_message())], bench.clock())
        carrier.binds[0].reply(status=status)

    with structlog.testing.capture_logs() as lines:
        for second in range(300):  # met every ten seconds, while the rate is looked for
            bench.clock.now = start + second
            send(status if second % 10 == 0 else 0)
            carrier.look(bench.clock())
        assert [(line["log_level"], line["event"]) for line in lines] == [("warning", "throttled")]
        assert 0 < lines[0]["parts_per_second"] < 100
        bench.clock.now = start + 290 + CALM - 1
        carrier.look(bench.clock())
        assert len(lines) == 1
        bench.clock.now += 1
        carrier.look(bench.clock())
        assert [line["event"] for line in lines] == ["throttled", "throttling_over"]
        assert (lines[1]["seconds"], lines[1]["parts_per_second"]) == (290, 100)
        carrier.look(bench.clock() + 600)
        send(status)
    assert [line["event"] for line in lines] == ["throttled", "throttling_over", "throttled"]


async def test_a_clock_that_is_set_back_ends_no_throttling(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier(rate=100)
    with structlog.testing.capture_logs() as lines:
        for now in (start, start - 86_400, start - 86_390):
            bench.clock.now = now
            carrier.submit([bench.flight(carrier, make_message())], now)
            carrier.binds[0].reply(status=Status.ESME_RTHROTTLED)
            carrier.look(now)
        carrier.look(start - 86_390 + CALM)
    assert [(line["event"], line.get("seconds")) for line in lines] == [
        ("throttled", None),
        ("throttling_over", 0),
    ]

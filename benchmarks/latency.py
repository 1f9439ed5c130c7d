"""How long messages take on their way, at rates that do not wait for the gateway (open loop), and
what an OTP sees of a campaign that saturates its carrier.

A latency counts from the moment at which the batch was to be submitted, so a stall counts for all
that it delays. Arrival is the carrier's clock, which is the load generator's too.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

from msgspec import Meta

from benchmarks.arrivals import arrivals, percentile, spectrum, waited
from benchmarks.benchmark import Benchmark, Tell
from benchmarks.load import LoadFigures, doubles, finished, load, started
from benchmarks.options import Numbers, Options
from benchmarks.processes import Carrier, Gateway, gateway, usage
from benchmarks.results import Case, Findings, Result, Target, Value, at_most, case
from benchmarks.runs import CARRIER, GATEWAY, LOAD, Sample, scratch

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LatencyOptions(Options, frozen=True, kw_only=True):
    rates: Annotated[Numbers, Meta(description="messages a second")] = (100, 1_000, 5_000, 20_000)
    seconds: Annotated[int, Meta(description="of each rate")] = 10
    campaign: Annotated[int, Meta(description="messages that saturate the carrier")] = 1_000_000
    otp_rate: Annotated[int, Meta(description="one-time passwords a second")] = 50
    otp_seconds: int = 10
    otp_binds: int = 4
    otp_window: int = 64
    otp_round_trip: Annotated[float, Meta(description="of the saturated carrier, in s")] = 0.05


TICK: Final = 0.002
"""Seconds between batches, unless messages are fewer: what a busy tenant gathers for a call."""

SENT_EVERY: Final = 10
"""One message in so many asks for no receipt, so that its event tells when the response came."""

OTP_NUMBERS: Final = 90_000_000
"""Where the recipients of one-time passwords begin."""

WARM_UP: Final = 1_000
"""Messages before the clock starts, so that everything has run once."""

OTPS: Final = "one-time passwords"
LIMITS: Final[dict[int, dict[str, float]]] = {5_000: {"p50": 3, "p99": 20}}
"""Targets by rate: milliseconds to submit_sm."""

PERCENTS: Final = (50, 99, 99.9)
STAGES: Final = ("accepted", "submit_sm", "submit_sm_resp", "event")
"""Reply at the load generator; arrival at the carrier; response at the gateway; event at the load
generator, for most after the receipt."""


class Run(NamedTuple):
    """Seconds that messages took to each stage, and what the run cost."""

    stages: dict[str, list[float]]
    cost: Sample


def _percentiles(values: Iterable[float]) -> Sample:
    ordered = sorted(values)
    return {(f"p{percent:g}", "ms"): percentile(ordered, percent) * 1e3 for percent in PERCENTS}


def at_rate(rate: int, seconds: int, folder: Path) -> Run:
    """One run on an empty store."""
    batch = max(1, round(rate * TICK))
    messages = rate * seconds // batch * batch
    with scratch(folder) as empty:
        record = empty / "record"
        with gateway(empty, carriers=[Carrier(simulator=("--record", str(record)))]) as running:
            load(address=running.address, messages=WARM_UP, first_number=OTP_NUMBERS)
            (carrier,) = running.carriers.values()
            before = running.usage().cpu, usage(carrier).cpu
            done = load(
                address=running.address,
                messages=messages,
                batch=batch,
                rate=rate,
                sent_every=SENT_EVERY,
            )
            spent = running.usage().cpu - before[0], usage(carrier).cpu - before[1]
        submitted = waited(arrivals(record), 0, messages, batch, done.started_at, rate)
    stages = {
        "accepted": list(doubles(done.accepted_after)),
        "submit_sm": submitted,
        "submit_sm_resp": list(doubles(done.sent_after)),
        "event": list(doubles(done.ended_after)),
    }
    each = 1e6 / messages
    cost = {GATEWAY: spent[0] * each, CARRIER: spent[1] * each, LOAD: done.cpu * each}
    return Run(stages, {**cost, ("load late at worst", "ms"): done.late * 1e3})


def _otps(running: Gateway, options: LatencyOptions, round_: int) -> tuple[int, LoadFigures]:
    first = OTP_NUMBERS + round_ * 1_000_000
    messages = options.otp_rate * options.otp_seconds
    done = load(
        address=running.address,
        messages=messages,
        batch=1,
        rate=options.otp_rate,
        category="otp",
        first_tenant=1,
        first_number=first,
    )
    return first, done


def saturated(options: LatencyOptions, folder: Path) -> tuple[list[float], list[float]]:
    """Latencies to submit_sm of one-time passwords, on an idle carrier and on one that a campaign
    saturates. The campaign is accepted before the one-time passwords begin."""
    with scratch(folder) as empty:
        record = empty / "record"
        simulator = ("--record", str(record), "--latency", str(options.otp_round_trip))
        carrier = Carrier(binds=options.otp_binds, window=options.otp_window, simulator=simulator)
        with ExitStack() as stack:
            running = stack.enter_context(gateway(empty, 2, [carrier]))
            idle = _otps(running, options, 0)
            campaign = started(address=running.address, messages=options.campaign, accept_only=True)
            finished(campaign)
            if running.metric("queued_messages", category="marketing", state="queued") == 0:
                raise SystemExit("the campaign is over before the one-time passwords begin")
            busy = _otps(running, options, 1)
            left = running.metric("queued_messages", category="marketing", state="queued")
            if left == 0:
                raise SystemExit("the campaign is over before the one-time passwords are")
        found = arrivals(record)
    count = options.otp_rate * options.otp_seconds
    return (
        waited(found, idle[0], count, 1, idle[1].started_at, options.otp_rate),
        waited(found, busy[0], count, 1, busy[1].started_at, options.otp_rate),
    )


def measure(options: LatencyOptions, folder: Path, tell: Tell) -> Findings:
    cases: list[Case] = []
    costs: list[Case] = []
    targets: list[Target] = []
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for rate in options.rates:
        runs = []
        for repeat in range(options.repeats):
            tell(f"{rate} a second, repeat {repeat + 1}")
            runs.append(at_rate(rate, options.seconds, folder))
        settings: dict[str, Value] = {"rate": rate, "seconds": options.seconds}
        by_stage = {
            stage: case(
                {**settings, "to": stage}, [_percentiles(run.stages[stage]) for run in runs]
            )
            for stage in STAGES
        }
        cases += by_stage.values()
        costs.append(case(settings, [run.cost for run in runs]))
        curves[f"{rate:,} a second"] = spectrum(x for run in runs for x in run.stages["submit_sm"])
        targets += [
            at_most(f"submit_sm at {rate:,} a second, {name}, ms", limit, figure.median)
            for name, limit in LIMITS.get(rate, {}).items()
            for figure in [by_stage["submit_sm"].figures[name]]
        ]
    pairs = []
    for repeat in range(options.repeats):
        tell(f"one-time passwords beside a campaign, repeat {repeat + 1}")
        pairs.append(saturated(options, folder))
    for index, name in enumerate(("idle", "saturated")):
        settings = {
            OTPS: f"{options.otp_rate} a second for {options.otp_seconds} s",
            "carrier": f"{name}, {options.otp_binds} binds, window {options.otp_window}, "
            f"answers after {options.otp_round_trip * 1e3:g} ms",
            "campaign": options.campaign if index else 0,
        }
        costs.append(case(settings, [_percentiles(pair[index]) for pair in pairs]))
        curves[f"{OTPS}, {name}"] = spectrum(x for pair in pairs for x in pair[index])
    idle, busy = (one.figures["p99"].median for one in costs[-2:])
    # A window empties in one round trip, since all that is in it is under way at a time.
    limit = 2 * idle + options.otp_round_trip * 1e3
    targets.append(at_most(f"{OTPS} beside a campaign, submit_sm p99, ms", limit, busy))
    return Findings(cases + costs, targets, curves)


def draw(result: Result, canvas: "Figure") -> None:
    """HDR-style: how many messages were slower, by tens, against latency."""
    left, right = canvas.subplots(1, 2, sharey=True)
    for name, (percents, seconds) in result.findings.curves.items():
        ax = right if name.startswith(OTPS) else left
        rest = [1 / max(1 - percent / 100, 1e-6) for percent in percents[:-1]]
        ax.plot(rest, [value * 1e3 for value in seconds[:-1]], marker=".", label=name)
    for ax, title in ((left, "all messages, by rate"), (right, "one-time passwords")):
        ax.set(xscale="log", yscale="log", title=title, xlabel="percentile")
        ax.set_xticks([1, 2, 10, 100, 1_000, 10_000], ["0", "50", "90", "99", "99.9", "99.99"])
        ax.grid(alpha=0.4, which="both")
        ax.legend()
    left.set_ylabel("submit call to submit_sm at the carrier, ms")


BENCHMARK = Benchmark(
    about="submit call to submit_sm, response and event, open loop; one-time passwords",
    options=LatencyOptions(),
    quick=LatencyOptions(repeats=1, rates=(100, 5_000), seconds=3, campaign=100_000, otp_seconds=4),
    measure=measure,
    draw=draw,
)

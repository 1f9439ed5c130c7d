"""The command line of ``python -m benchmarks target``, read into one frozen value and checked."""

import os
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TypeVar, get_args

from msgspec import Struct

from benchmarks.load import TEXTS, TextKind
from benchmarks.target import fictional, schedule, values
from benchmarks.target.fictional import Recipients
from benchmarks.target.ramp import Limits
from benchmarks.target.reach import NAME, Party
from benchmarks.target.schedule import Curve
from benchmarks.target.tally import STAGES, Stage
from gateway.api.address import TcpAddress, parse_address
from gateway.api.link import Target
from gateway.cli.access import Access
from gateway.message import Category

Mode = Literal["fixed", "ramp", "replay"]

SECONDS: Final[Mapping[Mode, float]] = {"fixed": 60.0, "ramp": 300.0, "replay": 300.0}
MESSAGES: Final[Mapping[Mode, int]] = {"fixed": 100_000, "ramp": 1_000_000, "replay": 100_000}
"""Bounds where none are given: offering ends at whichever comes first."""

JUDGED: Final = Limits(p99=1.0, loss=0.001)
"""What a ramp has to hold where nothing is said."""

LONGEST: Final = 7 * 86_400.0
MOST: Final = 100_000_000

CURVE: Final = "a shop's day"

T = TypeVar("T")


class MistakeError(Exception):
    """The command line asks for what cannot be; nothing was sent."""


class Settings(Struct, frozen=True, kw_only=True):
    """What is asked for, but for secrets: it is stored with the result. ``p99`` and ``loss`` are
    None where nothing is judged; ``step`` is seconds of each rate of a ramp."""

    address: str
    mode: Mode
    rate: float
    highest: float
    seconds: float
    messages: int
    drain: float
    step: float
    stage: Stage
    p99: float | None
    loss: float | None
    curve: str
    text: dict[TextKind, float]
    batch: dict[int, float]
    otp: float
    category: Category
    sender: str | None
    recipients: str
    tenants: int
    seed: int
    stamps: list[str]


class Asked(Struct, frozen=True, kw_only=True):
    """The whole command line."""

    settings: Settings
    parties: list[Party]
    recipients: Recipients
    curve: Curve
    stamps: list[tuple[str, int]]
    metrics: str
    metrics_token: str | None
    yes: bool
    name: str
    output: Path


def add(parser: ArgumentParser, output: Path) -> None:
    """Let a parser take everything; ``output`` is where results go by default."""
    env = os.environ.get
    reach = parser.add_argument_group("whom to load")
    put = reach.add_argument
    put("--address", default=env("GATEWAY_ADDRESS", "tcp://127.0.0.1:7600"), type=values.address)
    put("--token", help="or GATEWAY_TOKEN, which others cannot list")
    put("--tenants", type=Path, metavar="FILE", help="a line TOKEN or TOKEN,WEIGHT for each tenant")
    put("--tls", action="store_true", help="speak TLS, and trust what this machine trusts")
    put("--ca", type=Path, metavar="FILE", help="speak TLS, and trust these authorities")
    put("--cert", type=Path, metavar="FILE", help="speak TLS, and show this certificate")
    put("--metrics", metavar="URL", help="the gateway's /metrics; default: port 7601 of its host")
    put("--metrics-token", default=env("GATEWAY_ADMIN_TOKEN"), help="or GATEWAY_ADMIN_TOKEN")
    put("--yes", action="store_true", help="do not ask, whoever the carriers are")
    much = parser.add_argument_group("how much, and when")
    put = much.add_argument
    put("--mode", choices=get_args(Mode), default="fixed")
    rate = values.number(0.01, 1e6)
    put("--rate", type=rate, help="messages a second; a ramp begins there, a replay peaks there")
    put("--highest", type=rate, default=100_000.0, help="the highest rate that a ramp tries")
    put("--seconds", type=values.number(1, LONGEST), help=f"bound on the time: {_each(SECONDS)}")
    put("--messages", type=values.whole(1, MOST), help=f"bound on the count: {_each(MESSAGES)}")
    put("--drain", type=values.number(0, 86_400), default=30.0, help="seconds to wait for outcomes")
    put("--step", type=values.number(1, 3600), default=10.0, help="seconds of each rate of a ramp")
    put("--stage", choices=STAGES, default="outcome", help="up to where a latency is judged")
    put("--p99", type=values.number(0.0001, 86_400), help="seconds that 99 of 100 take at most")
    put("--loss", type=values.number(0, 1), help="share that may be refused, fail or stay open")
    put("--curve", type=Path, metavar="FILE", help="a day to replay: lines HH:MM,HOW-MUCH")
    what = parser.add_argument_group("what is sent, and to whom")
    put = what.add_argument
    put("--text", type=values.mix(values.text_kind), default="one part", metavar="KIND=WEIGHT,…",
        help=f"of {', '.join(TEXTS)}")  # fmt: skip
    put("--batch", type=values.mix(values.size), default="10", metavar="SIZE=WEIGHT,…",
        help="messages in a request")  # fmt: skip
    put("--otp", type=values.number(0, 1), default=0.0, help="share of one-time passwords")
    put("--category", choices=get_args(Category), default="transactional", help="of all others")
    put("--from", dest="sender", help="the sender; the tenant's first where there is none")
    put("--recipients", default="all", metavar="REGIONS|FILE",
        help=f"numbers of no phone, of {','.join(fictional.RANGES)} or all; or a file")  # fmt: skip
    put("--stamps", action="append", default=[], type=values.host_port, metavar="HOST:PORT",
        help="of `gateway simulate --stamp`; repeat for more")  # fmt: skip
    put("--seed", type=values.whole(0, 1 << 63), default=0)
    kept = parser.add_argument_group("what is kept")
    put = kept.add_argument
    put("--output", type=Path, metavar="FOLDER", default=output)
    put(
        "--name",
        dest="result",
        type=values.name,
        help="of the result; default: target and the time",
    )


def read(namespace: Namespace) -> Asked:
    """What a command line asks for. Raises MistakeError."""
    given = vars(namespace)
    mode: Mode = given["mode"]
    if mode == "replay" and given["rate"] is None:
        raise MistakeError("--rate: a replay needs the rate of its busiest minute")
    if given["curve"] is not None and mode != "replay":
        raise MistakeError(f"--curve is for --mode replay, not {mode}")
    judged = JUDGED if mode == "ramp" else None
    recipients = _recipients(given["recipients"])
    curve = _curve(given["curve"])
    parties = _parties(namespace)
    rate = given["rate"] or 100.0
    if mode == "ramp" and given["highest"] < rate:
        raise MistakeError(f"--highest: {given['highest']:g} is less than --rate, {rate:g}")
    if given["stage"] == "arrived" and not given["stamps"]:
        raise MistakeError("--stage arrived needs --stamps: nothing else tells of arrivals")
    settings = Settings(
        address=given["address"],
        mode=mode,
        rate=rate,
        highest=given["highest"],
        seconds=given["seconds"] or SECONDS[mode],
        messages=given["messages"] or MESSAGES[mode],
        drain=given["drain"],
        step=given["step"],
        stage=given["stage"],
        p99=_or(given["p99"], judged and judged.p99),
        loss=_or(given["loss"], judged and judged.loss),
        curve=str(given["curve"] or CURVE),
        text=given["text"],
        batch=given["batch"],
        otp=given["otp"],
        category=given["category"],
        sender=given["sender"],
        recipients=recipients.name,
        tenants=len(parties),
        seed=given["seed"],
        stamps=[f"{host}:{port}" for host, port in given["stamps"]],
    )
    return Asked(
        settings=settings,
        parties=parties,
        recipients=recipients,
        curve=curve,
        stamps=given["stamps"],
        metrics=given["metrics"] or _metrics_of(settings.address),
        metrics_token=given["metrics_token"],
        yes=given["yes"],
        name=given["result"]
        or datetime.fromtimestamp(time.time(), UTC).strftime("target-%Y%m%d-%H%M%S"),
        output=given["output"],
    )


def _or(given: T | None, otherwise: T | None) -> T | None:
    return otherwise if given is None else given


def _each(bounds: Mapping[Mode, float]) -> str:
    return ", ".join(f"{mode} {value:,.0f}" for mode, value in bounds.items())


# --- what is in files ---


def _recipients(text: str) -> Recipients:
    path = Path(text)
    try:
        if path.is_file():
            with path.open(encoding="utf-8-sig") as lines:
                return fictional.in_lines(path.name, lines)
        return fictional.in_regions(text)
    except (OSError, ValueError) as error:
        raise MistakeError(f"--recipients: {error}") from None


def _curve(path: Path | None) -> Curve:
    if path is None:
        return schedule.SHOP
    try:
        with path.open(encoding="utf-8-sig") as lines:
            return schedule.read_curve(lines)
    except (OSError, ValueError) as error:
        raise MistakeError(f"--curve: {path}: {_why(error)}") from None


def _parties(namespace: Namespace) -> list[Party]:
    given = vars(namespace)
    token, file = given["token"], given["tenants"]
    if file is None:
        token = token or os.environ.get("GATEWAY_TOKEN")
    if (file is None) == (token is None):
        raise MistakeError("name one tenant by --token (or GATEWAY_TOKEN), or several by --tenants")
    tokens = {str(token): 1.0} if file is None else _tokens(file)
    access = Access(
        address=given["address"], token="", tls=given["tls"], ca=given["ca"], cert=given["cert"]
    )
    try:
        tls = access.context()
    except OSError as error:
        raise MistakeError(f"--ca, --cert: {_why(error)}") from None
    address = parse_address(given["address"])
    return [Party(Target(address, token, tls, NAME), weight) for token, weight in tokens.items()]


def _tokens(path: Path) -> dict[str, float]:
    tokens: dict[str, float] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise MistakeError(f"--tenants: {path}: {_why(error)}") from None
    for number, line in enumerate(lines, 1):
        token, _, weight = (word.strip() for word in line.partition(","))
        if not token or token.startswith("#"):
            continue
        try:
            share = float(weight or 1)
        except ValueError:
            share = 0.0
        if not 0 < share < 1e9:
            raise MistakeError(f"--tenants: {path}: line {number}: {weight!r} is no weight above 0")
        if token in tokens:
            raise MistakeError(f"--tenants: {path}: line {number}: this token was there before")
        tokens[token] = share
    if not tokens:
        raise MistakeError(f"--tenants: {path}: it has no tokens")
    return tokens


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _metrics_of(address: str) -> str:
    parsed = parse_address(address)
    if not isinstance(parsed, TcpAddress):
        return "http://127.0.0.1:7601/metrics"
    host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
    return f"http://{host}:7601/metrics"

"""``python -m benchmarks target``: looks before it sends, asks where that may reach phones, sends,
and tells what came of it. The exit status is 0; 1 where a goal is missed, nothing could be sent or
the gateway went away; 2 for a mistake in the command line; 130 where Ctrl-C ended it, with what was
measured so far."""

import sys
import time
from argparse import Namespace
from datetime import UTC, datetime
from typing import Final, Self
from urllib.error import URLError
from urllib.request import Request, urlopen
from uuid import uuid4

import msgspec
import trio
from rich.console import Console

from benchmarks.benchmark import WIDTH, keep
from benchmarks.machine import computer, versions
from benchmarks.results import Result
from benchmarks.target import caution, ramp, report, schedule
from benchmarks.target.arguments import Asked, MistakeError, read
from benchmarks.target.driver import Driver
from benchmarks.target.ramp import Limits
from benchmarks.target.reach import NAME, Party, address_of
from benchmarks.target.report import Step
from benchmarks.target.traffic import Traffic
from gateway.api.client import connect
from gateway.api.link import open_link
from gateway.api.wire import ApiError, Rejected

FAILED: Final = 1
MISTAKEN: Final = 2
INTERRUPTED: Final = 130

SCRAPE: Final = 5.0
"""Seconds for the gateway to show its metrics."""

LINE_EVERY: Final = 5
"""Seconds between two lines of progress where stderr is no terminal."""

FIRST: Final = 60.0
"""Seconds for what is looked at before anything is sent."""


class CannotError(Exception):
    """Nothing could be sent, and why."""


def main(namespace: Namespace) -> int:
    """Carry out a command line; the exit status."""
    try:
        return _run(read(namespace))
    except MistakeError as error:
        print(f"python -m benchmarks target: {error}", file=sys.stderr)
        return MISTAKEN
    except (OSError, ApiError, CannotError) as error:
        print(f"python -m benchmarks target: {_told(error)}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("nothing was sent", file=sys.stderr)
        return INTERRUPTED


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__


def _run(asked: Asked) -> int:
    settings = asked.settings
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    traffic = Traffic(
        run=uuid4().hex[:8],
        recipients=asked.recipients,
        texts=settings.text,
        batches=settings.batch,
        otp=settings.otp,
        tenants=[party.weight for party in asked.parties],
        category=settings.category,
        sender=settings.sender,
        seed=settings.seed,
    )
    parties, notes = trio.run(_look, asked, traffic)
    _consent(asked, parties, console, notes)
    driver = Driver(parties, traffic, settings.stage, asked.stamps, settings.drain)
    steps: list[Step] = []
    about, known = computer(), versions()
    at, started = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    with _Progress(driver) as progress:
        trio.run(driver.run, lambda: _plan(asked, driver, steps), progress.tick)
    if not any(step.tally.offered for step in steps):
        raise CannotError("; ".join(driver.notes) or "nothing was due")
    findings = report.findings(settings, steps, driver.timeline, [*notes, *driver.notes])
    result = Result(
        asked.name,
        f"{settings.mode}, {settings.rate:g} a second, against {settings.address}",
        at,
        time.monotonic() - started,
        about,
        known,
        msgspec.to_builtins(settings, str_keys=True),
        findings,
    )
    keep(result, report.draw, console, asked.output)
    if driver.interrupted:
        return INTERRUPTED
    if driver.halted():
        return FAILED
    return 0 if all(target.met for target in findings.targets) else FAILED


# --- before ---


async def _look(asked: Asked, traffic: Traffic) -> tuple[list[Party], list[str]]:
    """See whether every tenant is let in and what would become of a message of each kind; the
    tenants with their names, and what is to be noted. Raises CannotError."""
    largest = max(asked.settings.batch)
    parties, notes = [], []
    with trio.move_on_after(FIRST) as patience:
        for party in asked.parties:
            target = party.target
            link = await open_link(target)
            await trio.aclose_forcefully(link.stream)
            if largest > link.limits.max_batch:
                raise MistakeError(
                    f"--batch: {largest:,} is more than it takes, {link.limits.max_batch:,}"
                )
            address = address_of(target)
            async with connect(address, target.token, tls=target.tls, name=NAME) as client:
                quotes = await client.quote(traffic.samples())  # type: ignore[arg-type]  # a literal
            refusals = [quote for quote in quotes if isinstance(quote, Rejected)]
            if len(refusals) == len(quotes):
                why = refusals[0]
                raise CannotError(
                    f"the gateway would refuse all of {link.tenant}: {why.code}: {why.message}"
                )
            notes += [f"{link.tenant}: {why.code}: {why.message}" for why in refusals]
            waits = [q for q in quotes if not isinstance(q, Rejected) and q.not_before]
            if waits:
                notes.append(
                    f"{link.tenant}: messages wait, for quiet hours or the like, before they are "
                    "sent; those of --category transactional do not as a rule"
                )
            parties.append(party._replace(name=link.tenant))
    if patience.cancelled_caught:
        raise CannotError(f"the gateway did not answer within {FIRST:g} seconds")
    return parties, notes


def _consent(asked: Asked, parties: list[Party], console: Console, notes: list[str]) -> None:
    """Say what is about to be done and, where a carrier may be a real one, ask. Raises
    MistakeError where there is nobody to ask, CannotError where the answer is no."""
    settings = asked.settings
    tenants = ", ".join(party.name for party in parties)
    console.print(
        f"{settings.mode}: up to {settings.messages:,} messages in up to {settings.seconds:,g} s, "
        f"{settings.rate:g} a second{' at first' if settings.mode == 'ramp' else ''}, "
        f"as {tenants} at {settings.address}, to {asked.recipients.name}",
        highlight=False,
        markup=False,
    )
    for note in notes:
        console.print(f"note: {note}", highlight=False, markup=False)
    doubts = _doubts(asked)
    if not doubts:
        console.print("every carrier of the gateway is a simulator", highlight=False)
        return
    for doubt in doubts:
        console.print(doubt, highlight=False, markup=False)
    console.print("These messages may go to a real carrier: they cost money, and reach phones "
                  "where numbers are of any.", highlight=False)  # fmt: skip
    if asked.yes:
        return
    if not sys.stdin.isatty():
        raise MistakeError("there is nobody to ask: --yes sends even so")
    if console.input("Send them? Type yes: ").strip().lower() != "yes":
        raise CannotError("nothing was sent")


def _doubts(asked: Asked) -> list[str]:
    headers = {}
    if asked.metrics_token is not None:
        headers["authorization"] = f"Bearer {asked.metrics_token}"
    try:
        request = Request(asked.metrics, headers=headers)
        with urlopen(request, timeout=SCRAPE) as reply:
            return caution.doubts(reply.read().decode())
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) if isinstance(error, URLError) else None
        mend = "name the page by --metrics, and a token by --metrics-token"
        return [
            f"whether carriers are simulated is unknown: {asked.metrics}: {reason or error}; {mend}"
        ]


# --- meanwhile ---


async def _plan(asked: Asked, driver: Driver, steps: list[Step]) -> None:
    """Offer what was asked for. Each step is in ``steps`` from its beginning."""
    settings = asked.settings
    if settings.mode != "ramp":
        whole = (
            schedule.steady(settings.rate, settings.seconds)
            if settings.mode == "fixed"
            else schedule.day(asked.curve, settings.rate, settings.seconds)
        )
        if whole.total > settings.messages:
            driver.notes.append(
                f"{settings.messages:,} of {whole.total:,} messages were to be sent at most: "
                "--messages takes more"
            )
        driver.label = f"{settings.rate:,.4g} a second"
        steps.append(Step(settings.rate, await driver.step(whole, settings.messages)))
        return
    limits = Limits(settings.p99 or 0.0, settings.loss or 0.0)
    left, until = settings.messages, trio.current_time() + settings.seconds
    while not driver.halted():
        trials = [step.trial(settings) for step in steps]
        rate = ramp.next_rate(trials, limits, settings.rate, settings.highest)
        if rate is None:
            return
        one = schedule.steady(rate, settings.step)
        if one.total > left or trio.current_time() + settings.step > until:
            driver.notes.append(
                f"the search ended before {rate:,.4g} a second was tried: --messages and --seconds "
                "bound it"
            )
            return
        driver.label = f"tries {rate:,.4g} a second"
        tally = await driver.step(one, left)
        left -= tally.offered
        if driver.halted():
            if not steps:
                steps.append(Step(rate, tally))
            return
        steps.append(Step(rate, tally))
        if tally.open:
            try:
                await driver.cancel()
            except (OSError, ApiError) as error:
                driver.notes.append(f"the search ended, since what is left cannot go: {error}")
                return


class _Progress:
    """A line that is kept up to date on a terminal, and one now and then elsewhere."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        self._status = self._console.status("")

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def tick(self) -> None:
        """A second has passed."""
        line = told(self._driver)
        if self._console.is_terminal:
            self._status.update(line)
        elif len(self._driver.timeline.seconds) % LINE_EVERY == 0:
            self._console.print(line)


def told(driver: Driver) -> str:
    """How it goes, in a line."""
    second, tally = driver.timeline.seconds[-1], driver.tally
    p50, p99 = (
        "-" if value is None else f"{value * 1e3:,.1f} ms" for value in (second.p50, second.p99)
    )
    refused = f", {tally.refused.total():,} refused" if tally.refused else ""
    return (
        f"{second.at:,.0f} s: {driver.label}: offered {second.offered:,.0f}/s, "
        f"accepted {second.accepted:,.0f}/s, ended {second.ended:,.0f}/s, p50 {p50}, p99 {p99}; "
        f"{tally.offered:,} sent, {tally.open:,} open{refused}"
    )

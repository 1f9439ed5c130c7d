"""``gateway send`` and ``quote``: messages from a CSV file, or one from the command line.

The file is read as fast as the gateway accepts and never held, so its size does not matter.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

from cyclopts import Parameter

from gateway.api.blocking import Client
from gateway.api.wire import Accepted, Message, Quoted, Rejected
from gateway.cli.access import Access
from gateway.cli.mailing import Mailing, Refusals
from gateway.cli.output import UsageError, record, show
from gateway.cli.progress import STDERR, Meter
from gateway.cli.recipients import Reader, Region, reader
from gateway.cli.rows import FIELDS, Rows
from gateway.message import Category

QUOTED: Final = 1000
"""Messages in one request for quotes."""

WAITS: Final = "the queue is full: waiting for room, until Ctrl-C"

PAUSE: Final = 1.0
"""Seconds until a single message looks for room again."""

Ask = Callable[[Client, Iterable[Message], Message], Iterable[Accepted | Quoted | Rejected]]
"""Asks about messages, given what they have in common; the results come in their order."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Fields:
    """What messages say that have no column for it, or nothing in that column."""

    text: str | None = None
    """The text, of all messages."""

    from_: Annotated[str | None, Parameter(name="--from")] = None
    """The sender; the tenant's first where there is none."""

    category: Category | None = None
    """What kind of message it is; the tenant's default where nothing says."""

    campaign: str | None = None
    """What the messages belong to."""

    variant: str | None = None
    """Which of several wordings in the campaign they have."""

    send_at: str | None = None
    """Not to be sent before: Unix seconds, or 2026-11-11T09:00+08:00."""

    send_at_local: str | None = None
    """Not to be sent before, on the recipient's wall clock: 2026-11-11T10:00."""

    time_zone: str | None = None
    """The recipients' time zone, where it is known better than by their numbers."""

    window: str | None = None
    """Hours of the recipient's wall clock to send within: 10:00-12:00,15:00-18:00."""

    expires_at: str | None = None
    """Not to be sent after, as --send-at."""

    encoding: Literal["auto", "gsm7", "ucs2"] | None = None
    """The encoding; auto takes the one with fewer parts."""

    report: Literal["final", "none"] | None = None
    """Whether to wait for the carrier's receipt."""

    tlvs: str | None = None
    """Optional parameters for the carrier: 0x1400=1101456700000012345 0x1401=..."""

    template: str | None = None
    """The template that makes the text."""

    vars: str | None = None
    """What fills its variables: a JSON object. In a file, columns vars.NAME do."""

    def message(self) -> Message:
        """The fields that are given. Raises UsageError."""
        fields: dict[str, Any] = {}
        for attribute, text in vars(self).items():
            if text is not None:
                name = attribute.rstrip("_")
                try:
                    fields[name] = FIELDS[name](text)
                except ValueError as error:
                    raise UsageError(f"--{name.replace('_', '-')}: {error}") from None
        return cast("Message", fields)  # its names are those of `FIELDS`


def send(
    file: Path | None = None,
    *,
    to: str | None = None,
    key: str | None = None,
    region: Region = None,
    refused: Path | None = None,
    fields: Fields = Fields(),
    access: Access,
) -> int:
    """Submit the messages of a CSV file, or one message.

    The exit status is 1 if one was refused.

    The file begins with the names of its columns: to, text and whatever else a message can say
    (from, key, category, campaign, variant, send_at, send_at_local, time_zone, region, window,
    allow_repeat, expires_at, encoding, report, tlvs, template, and vars.NAME for each of its
    variables). With a column key, a file that was sent in part can be sent again: nothing goes out
    twice. Where the queue is full, it waits for room.

    Parameters
    ----------
    file
        The CSV file, as spreadsheets write one, best as UTF-8; /dev/stdin reads from a pipe.
    to
        The recipient, of a single message.
    key
        The key, of a single message: with it, it can be sent again and goes out once.
    region
        Whose numbers those without a country code are, such as CN; the tenant's default_region
        where it is left out.
    refused
        A file for the rows that were refused, each with its line, code and reason, otherwise in the
        form of the first file. Once mended it can be sent as it is. Otherwise the first few are
        told on stderr.
    """
    if file is None:
        return _one(Client.submit_many, to, key, reader(region), fields, access, patient=True)
    path = _file(file, to, key)
    return _many(Client.submit_many, path, refused, reader(region), fields, access, patient=True)


def quote(
    file: Path | None = None,
    *,
    to: str | None = None,
    region: Region = None,
    refused: Path | None = None,
    fields: Fields = Fields(),
    access: Access,
) -> int:
    """Tell what submitting them would give, in all and by country; nothing is stored or sent.

    The exit status is 1 if one would be refused.

    Parameters
    ----------
    file
        The CSV file, as for send.
    to
        The recipient, of a single message.
    region
        Whose numbers those without a country code are, as for send.
    refused
        A CSV file for the rows that would be refused.
    """
    if file is None:
        return _one(_quoted, to, None, reader(region), fields, access, patient=False)
    path = _file(file, to, None)
    return _many(_quoted, path, refused, reader(region), fields, access, patient=False)


def _file(file: Path, to: str | None, key: str | None) -> Path:
    if to is not None or key is not None:
        raise UsageError("--to and --key are for one message: leave the file out, or them")
    return file


def _quoted(
    client: Client, messages: Iterable[Message], defaults: Message
) -> Iterator[Quoted | Rejected]:
    source = iter(messages)
    while batch := list(islice(source, QUOTED)):
        yield from client.quote(batch, defaults)


def _one(
    ask: Ask,
    to: str | None,
    key: str | None,
    recipient: Reader,
    fields: Fields,
    access: Access,
    *,
    patient: bool,
) -> int:
    message = fields.message()
    if to is None or not ("text" in message or "template" in message):
        raise UsageError("name a CSV file, or a message with --to and --text or --template")
    try:
        message["to"] = recipient(to)
    except ValueError as error:
        raise UsageError(f"--to: {error}") from None
    if key is not None:
        message["key"] = key
    with access.client() as client:
        (result,) = ask(client, [message], {})
        if patient and _is_full(result):
            STDERR.print(WAITS)
            while _is_full(result):
                time.sleep(PAUSE)
                (result,) = ask(client, [message], {})
    if isinstance(result, Rejected):
        print(f"gateway: refused: {result.code}: {result.message}", file=sys.stderr)
        return 1
    show([record(result)])
    return 0


def _many(
    ask: Ask,
    path: Path,
    refused: Path | None,
    recipient: Reader,
    fields: Fields,
    access: Access,
    *,
    patient: bool,
) -> int:
    shared = fields.message()
    if refused is not None and refused.exists() and refused.samefile(path):
        raise UsageError(f"--refused: {refused} is the file to be read: name another")
    with ExitStack() as stack:
        rows = Rows(stack.enter_context(path.open("rb")), shared, recipient)
        client = stack.enter_context(access.client())
        report = None if refused is None else stack.enter_context(refused.open("wb"))
        mailing = Mailing(rows, Refusals(rows, report), patient=patient)
        meter = Meter(path.stat().st_size if path.is_file() else None)
        told = False
        try:
            with meter:
                while not mailing.done:
                    for result in ask(client, mailing.messages(), shared):
                        mailing.settle(result)
                        if meter.due:
                            _report(meter, rows, mailing)
                    mailing.rest()
                    if mailing.pause:
                        if not told:
                            STDERR.print(WAITS)
                            told = True
                        time.sleep(mailing.pause)
        finally:
            mailing.give_up()
            if mailing.unanswered is not None:
                print(f"gateway: no answer from {mailing.unanswered} on", file=sys.stderr)
            elif not mailing.done:
                print(f"gateway: not read from line {rows.next_line} on", file=sys.stderr)
            show([{**mailing.told(), "seconds": round(meter.seconds, 1)}])
            if mailing.places:
                show(mailing.told_by_region())
    return int(mailing.refused > 0)


def _report(meter: Meter, rows: Rows, mailing: Mailing) -> None:
    meter.show(
        int(rows.position * mailing.answered),
        mailing.accepted,
        mailing.duplicates,
        mailing.refused,
        mailing.without_room,
    )


def _is_full(result: Accepted | Quoted | Rejected) -> bool:
    return isinstance(result, Rejected) and result.code == "queue_full"

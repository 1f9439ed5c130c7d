"""``gateway send`` and ``quote``: messages from a CSV file, or one from the command line.

The file is read as fast as the gateway accepts and never held, so its size does not matter.
"""

import csv
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, Any, Final, Literal, cast

from cyclopts import Parameter

from gateway.api.blocking import Client
from gateway.api.wire import Accepted, Message, Quoted, Rejected
from gateway.cli.access import Access
from gateway.cli.output import UsageError, record, show
from gateway.cli.progress import STDERR, Meter
from gateway.cli.rows import ASIDE, FIELDS, Row, Rows
from gateway.message import Category

QUOTED: Final = 1000
"""Messages in one request for quotes."""

SHOWN: Final = 20
"""Refusals that a person reads; who wants them all has them written to a file."""

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

    send_at: str | None = None
    """Not to be sent before: Unix seconds, or 2026-11-11T09:00+08:00."""

    expires_at: str | None = None
    """Not to be sent after, in the same form."""

    encoding: Literal["auto", "gsm7", "ucs2"] | None = None
    """The encoding; auto takes the one with fewer parts."""

    report: Literal["final", "none"] | None = None
    """Whether to wait for the carrier's receipt."""

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
    refused: Path | None = None,
    fields: Fields = Fields(),
    access: Access,
) -> int:
    """Submit the messages of a CSV file, or one message.

    The exit status is 1 if one was refused.

    The file begins with the names of its columns: to, text and whatever else a message can say
    (from, key, category, campaign, send_at, expires_at, encoding, report). With a column key, a
    file that was sent in part can be sent again: nothing goes out twice.

    Parameters
    ----------
    file
        The CSV file, in UTF-8; /dev/stdin reads from a pipe.
    to
        The recipient, of a single message.
    key
        The key, of a single message: with it, it can be sent again and goes out once.
    refused
        A CSV file for the rows that were refused, each with its line, code and reason. Once mended
        it can be sent as it is. Otherwise the first few are told on stderr.
    """
    if file is None:
        return _one(Client.submit_many, to, key, fields, access)
    return _many(Client.submit_many, _file(file, to, key), refused, fields, access)


def quote(
    file: Path | None = None,
    *,
    to: str | None = None,
    refused: Path | None = None,
    fields: Fields = Fields(),
    access: Access,
) -> int:
    """Tell what submitting them would give; nothing is stored or sent.

    The exit status is 1 if one would be refused.

    Parameters
    ----------
    file
        The CSV file, as for send.
    to
        The recipient, of a single message.
    refused
        A CSV file for the rows that would be refused.
    """
    if file is None:
        return _one(_quoted, to, None, fields, access)
    return _many(_quoted, _file(file, to, None), refused, fields, access)


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


def _one(ask: Ask, to: str | None, key: str | None, fields: Fields, access: Access) -> int:
    message = fields.message()
    if to is None or "text" not in message:
        raise UsageError("name a CSV file, or a message with --to and --text")
    message["to"] = to
    if key is not None:
        message["key"] = key
    with access.client() as client:
        (result,) = ask(client, [message], {})
    if isinstance(result, Rejected):
        print(f"gateway: refused: {result.code}: {result.message}", file=sys.stderr)
        return 1
    show([record(result)])
    return 0


def _many(ask: Ask, path: Path, refused: Path | None, fields: Fields, access: Access) -> int:
    shared = fields.message()
    with ExitStack() as stack:
        rows = Rows(stack.enter_context(path.open("rb")), shared)
        client = stack.enter_context(access.client())
        report = None
        if refused is not None:
            # As in `Rows`: what is not UTF-8 comes out as it came in.
            report = refused.open("w", encoding="utf-8", errors="surrogateescape", newline="")
            stack.enter_context(report)
        mailing = Mailing(rows, Refusals(rows.columns, report))
        meter = Meter(path.stat().st_size if path.is_file() else None)
        try:
            with meter:
                for result in ask(client, mailing.messages(), shared):
                    mailing.settle(result)
                    if meter.due:
                        done = int(rows.position * mailing.answered)
                        meter.show(done, mailing.accepted, mailing.duplicates, mailing.refused)
        finally:
            if mailing.unanswered is not None:
                print(f"gateway: no answer from line {mailing.unanswered} on", file=sys.stderr)
            show([{**mailing.told(), "seconds": round(meter.seconds, 1)}])
    return int(mailing.refused > 0)


class Refusals:
    """Tells which rows were refused: all of them in a file, or a few on stderr.

    Attributes:
        codes: how many were, by code; ``bad_row`` for those that never get to the gateway.
    """

    def __init__(self, columns: list[str], file: IO[str] | None) -> None:
        self.codes: Counter[str] = Counter()
        self._writer = None if file is None else csv.writer(file)
        if self._writer is not None:
            self._writer.writerow([f"{ASIDE}line", f"{ASIDE}code", f"{ASIDE}why", *columns])

    def add(self, row: Row, code: str, why: str) -> None:
        self.codes[code] += 1
        if self._writer is not None:
            self._writer.writerow([row.line, code, why, *row.cells])
        elif self.codes.total() <= SHOWN:
            STDERR.print(f"line {row.line}: {code}: {why}")
        elif self.codes.total() == SHOWN + 1:
            STDERR.print("more are refused; --refused FILE takes them all")


class Mailing:
    """The rows of a file on their way: which of them wait for an answer, and what was answered.

    Attributes:
        accepted: messages, without ``duplicates`` of earlier ones.
        parts: how many parts those have.
        deferred: how many of them are not to be sent yet.
    """

    def __init__(self, rows: Iterable[Row], refusals: Refusals) -> None:
        self.accepted = self.parts = self.deferred = self.duplicates = 0
        self._rows = rows
        self._refusals = refusals
        # As many as the client has in flight.
        self._waiting: deque[Row] = deque()

    @property
    def refused(self) -> int:
        return self._refusals.codes.total()

    @property
    def answered(self) -> float:
        """The share of what was read that is answered: reading runs ahead."""
        count = self.accepted + self.duplicates + self.refused
        return count / (count + len(self._waiting))

    @property
    def unanswered(self) -> int | None:
        """The line of the first row that waits for an answer."""
        return self._waiting[0].line if self._waiting else None

    def messages(self) -> Iterator[Message]:
        """The messages to ask about, in order; `settle` is called for each in that order."""
        for row in self._rows:
            if row.message is None:
                self._refusals.add(row, "bad_row", row.fault)
            else:
                self._waiting.append(row)
                yield row.message

    def settle(self, result: Accepted | Quoted | Rejected) -> None:
        row = self._waiting.popleft()
        if isinstance(result, Rejected):
            self._refusals.add(row, result.code, result.message)
        elif isinstance(result, Accepted) and result.duplicate:
            self.duplicates += 1
        else:
            self.accepted += 1
            self.parts += result.parts
            self.deferred += result.not_before is not None

    def told(self) -> dict[str, Any]:
        """All in all."""
        return {
            "accepted": self.accepted,
            "parts": self.parts,
            "deferred": self.deferred,
            "duplicates": self.duplicates,
            "refused": self.refused,
            "codes": dict(self._refusals.codes.most_common()),
        }

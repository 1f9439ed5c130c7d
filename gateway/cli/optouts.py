"""``gateway optout``: opt-outs of numbers from the command line, or of a file of them.

Whatever is wrong with a line of the file, it is told by its number, and all others are heeded.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Final, Literal, NamedTuple

from gateway.api.blocking import Client
from gateway.api.wire import OptoutAction, OptoutBy, Rejected
from gateway.cli import orders
from gateway.cli.access import Access
from gateway.cli.operators import LOCAL, NOBODY, AdminAccess, MaybeAccess
from gateway.cli.output import UsageError, record, show
from gateway.cli.recipients import Reader, Region, reader
from gateway.cli.rows import may_be_number, name_of
from gateway.cli.sheets import Record, Sheet, separator_of

BATCH: Final = 1000
"""Numbers in one request, far fewer than the gateway takes."""

COLUMNS: Final = ("number", "to", "phone", "phone_number", "mobile", "msisdn")
"""What a column of numbers may be called."""


class Line(NamedTuple):
    """A number as it was written.

    Attributes:
        place: where in the file; empty on the command line.
        fault: why there is none.
    """

    place: str
    written: str
    fault: str = ""

    def number(self, read: Reader) -> str:
        """The number, as the gateway is to have it. Raises ValueError where it is none."""
        if self.fault:
            raise ValueError(self.fault)
        return read(self.written)


class Numbers:
    """The numbers of a file: one a line, or the column of a CSV file that its first line names.

    Raises:
        UsageError: it cannot be told which column has the numbers.
    """

    def __init__(self, file: IO[bytes]) -> None:
        sheet = Sheet(file)
        separator = separator_of(sheet, lambda cell: name_of(cell) in COLUMNS)
        self._records: Iterator[Record] = sheet.records(
            separator, lambda cells: any(map(may_be_number, cells))
        )
        self._index = 0
        first = next(self._records, None)
        if first is not None and not self._is_header(first):
            self._records = chain([first], self._records)

    def _is_header(self, first: Record) -> bool:
        names = list(map(name_of, first.cells))
        found = [name for name in names if name in COLUMNS]
        if len(found) == 1:
            self._index = names.index(found[0])
        elif found:
            raise UsageError(
                f"line {first.line}: {found[0]!r} and {found[1]!r} may both have the numbers: "
                "rename one of the columns"
            )
        elif sum(map(bool, names)) > 1:
            raise UsageError(
                f"line {first.line}: names no column {COLUMNS[0]!r}: write one number a line, or "
                f"name the columns in the first line, that of the numbers {COLUMNS[0]!r}"
            )
        return bool(found)

    def __iter__(self) -> Iterator[Line]:
        for one in self._records:
            cell = one.cells[self._index].strip() if self._index < len(one.cells) else ""
            yield Line(f"line {one.line}", cell, one.fault or ("" if cell else "has no number"))


def optout(
    action: Literal["add", "remove", "check", "list"],
    /,
    *numbers: str,
    file: Path | None = None,
    region: Region = None,
    source: OptoutBy | None = None,
    everybody: bool = False,
    access: MaybeAccess = NOBODY,
    operators: AdminAccess = LOCAL,
) -> int:
    """Add, remove, check or list opt-outs.

    The exit status is 1 if one of the numbers is none.

    Parameters
    ----------
    action
        What to do; a list is of all opt-outs of the tenant's own.
    numbers
        Phone numbers with their country code.
    file
        A file of numbers: one a line, or a CSV file whose first line names the column number (or
        to, phone, mobile, msisdn). A line without a number is told, and all others are heeded.
    region
        Whose numbers those without a country code are, such as CN; the tenant's default_region
        where it is left out.
    source
        Who says so: api for numbers that are named, import for those of a file. Only a complaint
        takes a complaint back.
    everybody
        Those that hold for everybody's texts, which are operators' to add, remove and list.
    """
    if everybody:
        return _everybodys(action, numbers, file, source, operators)
    if action == "list":
        if numbers or file is not None:
            raise UsageError("a list takes no numbers: check looks them up")
        return _list(access.required())
    if bool(numbers) == (file is not None):
        raise UsageError("name phone numbers, or a file of them with --file")
    with ExitStack() as stack:
        lines: Iterable[Line] = (Line("", number) for number in numbers)
        if file is not None:
            lines = Numbers(stack.enter_context(file.open("rb")))
        by = source or ("api" if file is None else "import")
        desk = Desk(action, by, reader(region), stack.enter_context(access.required().client()))
        rest = iter(lines)
        try:
            while batch := list(islice(rest, BATCH)):
                known = desk.settle(batch)
                if file is None or action == "check":
                    show(known)
        finally:
            if file is not None:
                if desk.unanswered is not None:
                    print(f"gateway: no answer from {desk.unanswered} on", file=sys.stderr)
                if action != "check":
                    show([desk.told()])
    return int(desk.refused > 0)


def _everybodys(
    action: Literal["add", "remove", "check", "list"],
    numbers: tuple[str, ...],
    file: Path | None,
    source: OptoutBy | None,
    operators: AdminAccess,
) -> int:
    """Opt-outs of everybody's texts."""
    if action == "check" or file is not None:
        raise UsageError("--everybody: add, remove or list them, and name numbers")
    if bool(numbers) == (action == "list"):
        raise UsageError("name phone numbers to add or remove, and none to list")
    return orders.optout(action, numbers, source or "complaint", operators)


def _list(access: Access) -> int:
    after = ""
    with access.client() as client:
        while page := client.optouts(after):
            show([record(each) for each in page])
            after = page[-1].number
    return 0


class Desk:
    """Asks about numbers, some at a time, and counts what became of them.

    Attributes:
        refused: how many were none.
        unanswered: the place of the first one that waits for an answer.
    """

    def __init__(
        self, action: OptoutAction, source: OptoutBy, read: Reader, client: Client
    ) -> None:
        self.refused = 0
        self.unanswered: str | None = None
        self._action: OptoutAction = action
        self._source: OptoutBy = source
        self._read = read
        self._client = client
        self._known = self._changed = self._out = 0

    def settle(self, lines: Iterable[Line]) -> list[dict[str, Any]]:
        """What became of those that are numbers; the others are told on stderr."""
        asked = []
        for line in lines:
            self.unanswered = self.unanswered or line.place
            try:
                asked.append((line, line.number(self._read)))
            except ValueError as error:
                self._refuse(line, str(error))
        numbers = [number for _, number in asked]
        results = self._client.optout(self._action, numbers, self._source) if numbers else []
        self.unanswered = None
        known = []
        for (line, _), result in zip(asked, results, strict=True):
            if isinstance(result, Rejected):
                self._refuse(line, f"{result.code}: {result.message}")
            else:
                self._known += 1
                self._changed += result.changed
                self._out += result.opted_out
                known.append(record(result))
        return known

    def _refuse(self, line: Line, why: str) -> None:
        self.refused += 1
        print(f"gateway: {line.place and line.place + ': '}{why}", file=sys.stderr)

    def told(self) -> dict[str, int]:
        """All in all."""
        return {
            "numbers": self._known,
            "changed": self._changed,
            "opted_out": self._out,
            "refused": self.refused,
        }

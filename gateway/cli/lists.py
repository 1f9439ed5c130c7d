"""Lists of numbers that people bring along: read from files however spreadsheets write them,
carried to the gateway some at a time, and told line by line where something is wrong.

A list is taken row by row, where all lines but those that are wrong are heeded, or all or nothing:
then all of it is staged before anything is done, and holds at one word. Where the gateway goes away
in between, what that means is told; the same list can be given again, and what is there already
changes nothing.
"""

import secrets
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from difflib import get_close_matches
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Final, Generic, NamedTuple, TypeVar

from gateway.api.wire import Imported, Into, Rejected
from gateway.cli.output import UsageError, record
from gateway.cli.recipients import Reader
from gateway.cli.rows import may_be_number, name_of
from gateway.cli.sheets import Record, Sheet, separator_of

BATCH: Final = 1000
"""Numbers in one request, far fewer than the gateway takes."""

COLUMNS: Final = ("number", "to", "phone", "phone_number", "mobile", "msisdn")
"""What a column of numbers may be called."""

DECIDING: Final = "state"
"""A column that each line must reach where there is one: a line that is cut off before it would
give a consent that was withdrawn."""

ALIKE: Final = 0.85
"""How much the name of a column is like one that says more, for a slip of the pen."""

Row = TypeVar("Row")
Result = TypeVar("Result")


class Line(NamedTuple):
    """A number as it was written.

    Attributes:
        place: where in the file; empty on the command line.
        fault: why there is none.
        cells: what else the line says, by the column.
    """

    place: str
    written: str
    fault: str = ""
    cells: Mapping[str, str] = {}

    def number(self, read: Reader) -> str:
        """The number, as the gateway is to have it. Raises ValueError where it is none."""
        if self.fault:
            raise ValueError(self.fault)
        return read(self.written)


class Numbers:
    """The numbers of a file: one a line, or the column of a CSV file that its first line names.

    Args:
        others: columns that say more of each number.

    Raises:
        UsageError: it cannot be told which column has the numbers, or what another one is.
    """

    def __init__(self, file: IO[bytes], others: Collection[str] = ()) -> None:
        self._sheet = sheet = Sheet(file)
        known = {*COLUMNS, *others}
        separator = separator_of(sheet, lambda cell: name_of(cell) in known)
        self._records: Iterator[Record] = sheet.records(
            separator, lambda cells: any(map(may_be_number, cells))
        )
        self._index = 0
        self._others: dict[str, int] = {}
        self._columns = 0
        first = next(self._records, None)
        if first is not None and not self._is_header(first, others):
            self._records = chain([first], self._records)

    @property
    def position(self) -> int:
        """Bytes that have been read."""
        return self._sheet.position

    def _is_header(self, first: Record, others: Collection[str]) -> bool:
        names = list(map(name_of, first.cells))
        found = [name for name in names if name in COLUMNS]
        if len(found) == 1:
            self._index = names.index(found[0])
            self._others = {name: names.index(name) for name in others if name in names}
            self._columns = len(names)
            for name in names:
                if name in others and names.count(name) > 1:
                    raise UsageError(
                        f"line {first.line}: there are two columns {name!r}: rename one of them"
                    )
                if name not in others and (close := get_close_matches(name, others, 1, ALIKE)):
                    raise UsageError(f"line {first.line}: {name!r}: did you mean {close[0]!r}?")
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
            cell = _cell(one, self._index)
            fault = one.fault or self._odd(one.cells) or ("" if cell else "has no number")
            cells = {name: _cell(one, index) for name, index in self._others.items()}
            yield Line(f"line {one.line}", cell, fault, cells)

    def _odd(self, cells: Sequence[str]) -> str:
        """Why cells cannot be those of the columns: a separator or a line break too many."""
        count, columns = len(cells), self._columns
        if columns and any(map(str.strip, cells[columns:])):
            return (
                f"{count} fields, but there are {columns} columns: a separator or a line break "
                "within a text needs quotation marks around it"
            )
        if count <= self._others.get(DECIDING, -1):
            return f"{DECIDING}: missing: {count} fields, but there are {columns} columns"
        return ""


def _cell(record: Record, index: int) -> str:
    return record.cells[index].strip() if index < len(record.cells) else ""


class Desk(Generic[Row, Result]):
    """Asks about the lines of a list, some at a time, and counts what became of them.

    Attributes:
        refused: how many were none.
        known: how many were.
        begun: the list could be read.
        unanswered: the place of the first one that waits for an answer.

    Args:
        row: what of a line is asked; raises ValueError where it says nothing that can be.
        ask: asks the gateway, for a result of each.
        note: told each result that is none of an error.
    """

    def __init__(
        self,
        row: Callable[[Line], Row],
        ask: Callable[[Sequence[Row]], Sequence[Result | Rejected]],
        note: Callable[[Result], None],
    ) -> None:
        self.refused = self.known = 0
        self.begun = False
        self.unanswered: str | None = None
        self._row = row
        self._ask = ask
        self._note = note

    def settle(self, lines: Iterable[Line]) -> list[dict[str, Any]]:
        """What became of those that are numbers; the others are told on stderr."""
        asked = []
        for line in lines:
            self.unanswered = self.unanswered or line.place
            try:
                asked.append((line, self._row(line)))
            except ValueError as error:
                self._refuse(line, str(error))
        results = self._ask([row for _, row in asked]) if asked else []
        self.unanswered = None
        told = []
        for (line, _), result in zip(asked, results, strict=True):
            if isinstance(result, Rejected):
                self._refuse(line, f"{result.code}: {result.message}")
            else:
                self.known += 1
                self._note(result)
                told.append(record(result))
        return told

    def _refuse(self, line: Line, why: str) -> None:
        self.refused += 1
        print(f"gateway: {line.place and line.place + ': '}{why}", file=sys.stderr)


def carry(
    path: Path,
    desk: Desk[Any, Any],
    show: Callable[[list[dict[str, Any]]], None] | None = None,
    others: Collection[str] = (),
    did: str = "done",
    lost: str = "give the list again, what is there already changes nothing",
) -> None:
    """Carry a file to a desk, with its progress on stderr; ``show`` is given what became of it,
    ``did`` says in a word what that is, and ``lost`` what it means that an answer did not come."""
    # It takes longer to import than a small command does.
    from gateway.cli.progress import Meter  # noqa: PLC0415

    meter = Meter(path.stat().st_size if path.is_file() else None)
    with path.open("rb") as file, meter:
        numbers = Numbers(file, others)
        rest = iter(numbers)
        desk.begun = True
        try:
            while batch := list(islice(rest, BATCH)):
                told = desk.settle(batch)
                if show is not None:
                    show(told)
                if meter.due:
                    meter.tell(numbers.position, f"{desk.known:,} {did}, {desk.refused:,} refused")
        finally:
            if desk.unanswered is not None:
                print(f"gateway: no answer from {desk.unanswered} on; {lost}", file=sys.stderr)


Page = TypeVar("Page", bound=Sequence[Any])


def pages(ask: Callable[[str], Page]) -> Iterator[Page]:
    """What the gateway lists, some numbers at a time, each behind the last one before; with its
    progress on stderr, unless a terminal shows the list itself."""
    from gateway.cli.progress import Meter  # noqa: PLC0415

    after, count, meter = "", 0, Meter(None)
    is_shown = sys.stdout.isatty()
    with nullcontext() if is_shown else meter:
        while page := ask(after):
            yield page
            after, count = page[-1].number, count + len(page)
            if meter.due and not is_shown:
                meter.tell(count, f"{count:,} listed")


class Whole:
    """A list that is taken all or nothing: its lines are staged in an import, which is applied."""

    def __init__(self) -> None:
        self._name = secrets.token_hex(8)
        self._parts = self._size = 0

    def part(self) -> Into:
        """Where the changes of the next request are staged."""
        self._parts += 1
        return Into(self._name, self._parts)

    def note(self, results: Sequence[Any | Rejected]) -> None:
        """Count what was staged by a request that had these results."""
        self._size += sum(not isinstance(result, Rejected) for result in results)

    def carry(
        self,
        path: Path,
        desk: Desk[Any, Any],
        apply: Callable[[str, int], Imported],
        others: Collection[str] = (),
    ) -> Imported | None:
        """Carry a file to a desk that stages it, and have all of it hold, both with progress on
        stderr. None where a line of it is wrong, which is told: nothing is done then."""
        carry(path, desk, None, others, "staged", "nothing was done; give the list again")
        if desk.refused:
            print(
                f"gateway: nothing was done: of {desk.known + desk.refused:,} lines"
                f" {desk.refused:,} are wrong; mend them, or leave --all-or-nothing out",
                file=sys.stderr,
            )
            return None
        return self._apply(apply) if self._size else Imported(0, 0, 0)

    def _apply(self, apply: Callable[[str, int], Imported]) -> Imported:
        from gateway.cli.progress import Meter  # noqa: PLC0415

        known = None
        try:
            with Meter(self._size) as meter:
                while (known := apply(self._name, self._size)).rest:
                    if meter.due:
                        done = known.size - known.rest
                        meter.tell(done, f"{done:,} of {known.size:,} hold")
        finally:
            if known is None or known.rest:
                print(
                    "gateway: all of the list will hold, whatever ends meanwhile"
                    if known
                    else "gateway: either all of the list will hold, or nothing of it",
                    "; give it again to see that it does",
                    sep="",
                    file=sys.stderr,
                )
        return known

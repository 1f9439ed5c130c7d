"""``gateway optout``: opt-outs of numbers from the command line, or of a file of them.

Whatever is wrong with a line of the file, it is told by its number; all others are heeded, or none
where the list is to be taken all or nothing.
"""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

from cyclopts import Parameter

from gateway.api.blocking import Client
from gateway.api.wire import OptoutAction, OptoutBy, OptoutResult, Rejected
from gateway.cli import orders
from gateway.cli.access import Access
from gateway.cli.lists import Desk, Line, Whole, carry, pages
from gateway.cli.operators import LOCAL, NOBODY, AdminAccess, MaybeAccess
from gateway.cli.output import UsageError, record, show
from gateway.cli.recipients import Region, reader

EXPORTED: Final = ("number", "source", "at", "everybody", "text")
"""The columns of a list as CSV; the first two are read again."""

MORE: Final = ("source",)
"""Columns that say more of a number."""

Row = tuple[str, OptoutBy]
"""A number, and who says that it is opted out."""


def optout(
    action: Literal["add", "remove", "check", "list"],
    /,
    *numbers: str,
    file: Path | None = None,
    region: Region = None,
    source: OptoutBy | None = None,
    everybody: bool = False,
    all_or_nothing: bool = False,
    csv_: Annotated[bool, Parameter(name="--csv")] = False,
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
        to, phone, mobile, msisdn), and if need be source. A line without a number is told, and all
        others are heeded.
    region
        Whose numbers those without a country code are, such as CN; the tenant's default_region
        where it is left out.
    source
        Who says so: api for numbers that are named, import for those of a file unless a line of it
        says complaint. Only a complaint takes a complaint back.
    everybody
        Those that hold for everybody's texts, which are operators' to add, remove and list.
    all_or_nothing
        Add or remove all numbers of the file, or none: none where a line of it is wrong, and never
        a part of them, whatever ends meanwhile.
    csv_
        Write a list as CSV, which --file reads again.
    """
    if everybody:
        return _everybodys(action, numbers, file, source, operators)
    if action == "list":
        if numbers or file is not None:
            raise UsageError("a list takes no numbers: check looks them up")
        return _list(access.required(), as_csv=csv_)
    if bool(numbers) == (file is not None):
        raise UsageError("name phone numbers, or a file of them with --file")
    if all_or_nothing and (file is None or action == "check"):
        raise UsageError("--all-or-nothing: add or remove a list, and name its file with --file")
    by = source or ("api" if file is None else "import")
    tally, whole = Tally(), Whole() if all_or_nothing else None
    with access.required().client() as client:
        desk = _desk(client, action, by, region, tally, whole)
        if file is None:
            show(desk.settle([Line("", number) for number in numbers]))
        elif whole is not None:
            if (done := whole.carry(file, desk, client.apply, MORE)) is not None:
                show([{"numbers": desk.known, "changed": done.changed, "refused": 0}])
        else:
            try:
                carry(file, desk, show if action == "check" else None, MORE)
            finally:
                if action != "check" and desk.begun:
                    show([tally.told(desk.refused)])
    return int(desk.refused > 0)


def _desk(
    client: Client,
    action: OptoutAction,
    by: OptoutBy,
    region: Region,
    tally: "Tally",
    whole: Whole | None,
) -> Desk[Row, OptoutResult]:
    read = reader(region)

    def row(line: Line) -> Row:
        # A keyword of elsewhere came in with the list, and so did what programs said there.
        says = "complaint" if line.cells.get("source", "").lower() == "complaint" else by
        return line.number(read), says

    def ask(rows: Sequence[Row]) -> Sequence[OptoutResult | Rejected]:
        results: dict[int, OptoutResult | Rejected] = {}
        for source in get_args(OptoutBy):
            those = [index for index, (_, says) in enumerate(rows) if says == source]
            if those:
                numbers = [rows[index][0] for index in those]
                into = None if whole is None else whole.part()
                told = client.optout(action, numbers, source, into)
                if whole is not None:
                    whole.note(told)
                results |= zip(those, told, strict=True)
        return [results[index] for index in range(len(rows))]

    return Desk(row, ask, tally.note)


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


def _list(access: Access, *, as_csv: bool) -> int:
    table = csv.DictWriter(sys.stdout, EXPORTED, extrasaction="ignore", lineterminator="\n")
    with access.client() as client:
        if as_csv:
            table.writeheader()
        for page in pages(client.optouts):
            if as_csv:
                rows = ({"number": one.number, **held} for one in page for held in one.held_by)
                table.writerows(rows)
            else:
                show([record(each) for each in page])
    return 0


class Tally:
    """Counts what became of numbers."""

    def __init__(self) -> None:
        self._numbers = self._changed = self._out = 0

    def note(self, result: OptoutResult) -> None:
        """Count one."""
        self._numbers += 1
        self._changed += result.changed
        self._out += result.opted_out

    def told(self, refused: int) -> dict[str, int]:
        """All in all."""
        return {
            "numbers": self._numbers,
            "changed": self._changed,
            "opted_out": self._out,
            "refused": refused,
        }

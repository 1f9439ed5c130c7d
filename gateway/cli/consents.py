"""``gateway consent``: who allowed texts, from the command line or a file of them.

A file may say more of each number: its ``purpose``, ``at``, ``source``, ``wording`` and ``by``; and
its ``state``, as a list that was written here has it, so that a withdrawal comes back as one.
"""

import csv
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter

from gateway.api.blocking import Client
from gateway.api.wire import ConsentAction, ConsentResult, Rejected
from gateway.cli import cells
from gateway.cli.access import Access
from gateway.cli.lists import Desk, Line, Whole, carry, pages
from gateway.cli.output import UsageError, record, show
from gateway.cli.recipients import Region, reader

MORE: Final = ("purpose", "at", "source", "wording", "by", "state")
"""Columns that say more of a number."""

EXPORTED: Final = ("number", *MORE)

STATES: Final[Mapping[str, ConsentAction]] = {
    "": "add",
    "given": "add",
    "asked": "check",
    "withdrawn": "withdraw",
}
"""What is done with a row that is added, by its state. That a phone was asked allows nothing, and
whoever reads the list did not ask it."""

CHANGING: Final = ("add", "withdraw")
"""Actions that can be staged."""

Fields = dict[str, Any]


def consent(
    action: Literal["add", "withdraw", "ask", "check", "history", "list"],
    /,
    *numbers: str,
    file: Path | None = None,
    region: Region = None,
    purpose: str | None = None,
    source: str | None = None,
    wording: str | None = None,
    by: str | None = None,
    all_or_nothing: bool = False,
    csv_: Annotated[bool, Parameter(name="--csv")] = False,
    access: Access,
) -> int:
    """Put consents on record, withdraw them, ask for them, or look them up.

    The exit status is 1 if one of the numbers is none, or cannot be asked.

    Parameters
    ----------
    action
        What to do; ask sends the tenant's question, which a phone answers with YES.
    numbers
        Phone numbers with their country code.
    file
        A file of numbers: one a line, or a CSV file whose first line names the column number, and
        if need be purpose, at (Unix seconds or 2026-11-11T10:00+08:00), source, wording, by and
        state (given or withdrawn).
    region
        Whose numbers those without a country code are, such as CN; the tenant's default_region
        where it is left out.
    purpose
        What for: marketing, where it is left out.
    source
        How: form, checkout, shop or another word; import for a file, api for numbers.
    wording
        What the person read and agreed to.
    by
        Who says so.
    all_or_nothing
        Add or withdraw all of the file, or nothing: nothing where a line of it is wrong, and never
        a part of it, whatever ends meanwhile.
    csv_
        Write a list as CSV, a line for each record, which add --file reads again.
    """
    if action == "list":
        if numbers or file is not None:
            raise UsageError("a list takes no numbers: check looks them up")
        return _list(access, as_csv=csv_)
    if bool(numbers) == (file is not None):
        raise UsageError("name phone numbers, or a file of them with --file")
    if all_or_nothing and (file is None or action not in CHANGING):
        raise UsageError("--all-or-nothing: add or withdraw a list, and name its file with --file")
    shared = {"purpose": purpose, "source": source, "wording": wording, "by": by}
    if source is None:
        shared["source"] = "api" if file is None else "import"
    said = {name: value for name, value in shared.items() if value is not None}
    tally, whole = Tally(), Whole() if all_or_nothing else None
    with access.client() as client:
        desk = _desk(client, action, said, region, tally, whole)
        if file is None:
            show(desk.settle([Line("", number) for number in numbers]))
        elif whole is not None:
            if (done := whole.carry(file, desk, client.apply, MORE)) is not None:
                show([{"numbers": desk.known, "changed": done.changed, "refused": 0}])
        else:
            shown = action in ("check", "history")
            try:
                carry(file, desk, show if shown else None, MORE)
            finally:
                if not shown and desk.begun:
                    show([tally.told(desk.refused)])
    return int(desk.refused > 0)


def _list(access: Access, *, as_csv: bool) -> int:
    table = csv.DictWriter(sys.stdout, EXPORTED, lineterminator="\n")
    with access.client() as client:
        if as_csv:
            table.writeheader()
        for page in pages(client.consents):
            if as_csv:
                table.writerows(
                    {"number": one.number, "purpose": one.purpose, **each}
                    for one in page
                    for each in one.records
                )
            else:
                show([record(each) for each in page])
    return 0


def _desk(
    client: Client,
    action: ConsentAction,
    shared: Mapping[str, str],
    region: Region,
    tally: "Tally",
    whole: Whole | None,
) -> Desk[Fields, ConsentResult]:
    read = reader(region)

    def ask(rows: Sequence[Fields]) -> list[ConsentResult | Rejected]:
        """Each as its state says, withdrawals behind the others: the times decide."""
        results: dict[int, ConsentResult | Rejected] = {}
        for state in STATES:
            those = [i for i, row in enumerate(rows) if row["state"] == state]
            if not those:
                continue
            asked = [{k: v for k, v in rows[i].items() if k != "state"} for i in those]
            does = STATES[state] if action == "add" else action
            staging = whole if does in CHANGING else None
            into = None if staging is None else staging.part()
            told = client.consent(does, rows=asked, into=into, **shared)
            if staging is not None:
                staging.note(told)
            results |= zip(those, told, strict=True)
        return [results[index] for index in range(len(rows))]

    return Desk(lambda line: _row(line, line.number(read)), ask, tally.note)


def _row(line: Line, number: str) -> Fields:
    """What a line says. Raises ValueError where a value of it means nothing."""
    state = line.cells.get("state", "")
    if state not in STATES:
        raise ValueError(f"state: {state[:40]!r} is neither 'given' nor 'withdrawn'")
    row: Fields = {"number": number, "state": state}
    for name in ("purpose", "source", "wording", "by"):
        if cell := line.cells.get(name):
            row[name] = cell
    if at := line.cells.get("at"):
        row["at"] = moment(at)
    return row


def moment(written: str) -> float:
    """Unix seconds, of these or of a date and time by ISO 8601, in UTC where it names no zone.
    Raises ValueError for anything else, and for what a spreadsheet makes of either."""
    try:
        return _moment(cells.plain("at", written))
    except ValueError as error:
        raise ValueError(f"at: {error}") from None


def _moment(written: str) -> float:
    try:
        float(written)
    except ValueError:
        pass
    else:
        return cells.moment(written)
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        mend = "Unix seconds or a time such as 2026-11-11T10:00+08:00"
        raise ValueError(f"{written[:40]!r} is not {mend}") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


class Tally:
    """Counts what became of numbers."""

    def __init__(self) -> None:
        self._numbers = self._changed = self._consented = 0

    def note(self, result: ConsentResult) -> None:
        """Count one."""
        self._numbers += 1
        self._changed += result.changed
        self._consented += result.consented

    def told(self, refused: int) -> dict[str, int]:
        """All in all."""
        return {
            "numbers": self._numbers,
            "changed": self._changed,
            "consented": self._consented,
            "refused": refused,
        }

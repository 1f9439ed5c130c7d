"""Reads messages from the records of a CSV file: what cannot be read is told by its place, and
loses nothing else. Whether a message is acceptable is for the gateway to say."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import IO, Any, Final, NamedTuple, cast, get_type_hints

from gateway.api.wire import Message
from gateway.cli.cells import moment, parameters, plain, truth, variables
from gateway.cli.output import UsageError
from gateway.cli.sheets import SEPARATORS, Form, Record, Sheet, separator_of

ASIDE: Final = "#"
"""Begins the name of a column that is none of a message's."""

VARIABLE: Final = "vars."
"""Begins the name of a column that has a variable of a template: ``vars.name``."""

NUMBER_LEAST: Final = 7
"""Digits that a cell has which may be a recipient."""


BLOCK: Final = 16
"""Rows that Excel writes together: it leaves out the last columns where none has anything there."""


class Row(NamedTuple):
    """A row of the file.

    Attributes:
        record: as it stands there.
        message: what it comes to; None where it comes to none.
        fault: why not.
    """

    record: Record
    message: Message | None
    fault: str = ""

    @property
    def place(self) -> str:
        """Where it is, for an editor of texts and for a spreadsheet."""
        line, row = self.record.line, self.record.row
        return f"line {line}" if line == row else f"line {line} (row {row})"


READERS: Final[Mapping[Any, Callable[[str], Any]]] = {float: moment, bool: truth}
"""How values are read that are no texts, by their type."""

FIELDS: Final[Mapping[str, Callable[[str], Any]]] = {
    name: READERS.get(kind, str) for name, kind in get_type_hints(Message).items()
} | {"tlvs": parameters, "vars": variables}
"""Every field of a message, and how it is read from a cell."""


def name_of(cell: str) -> str:
    """The name of a column as fields have it: ``Send At`` is ``send_at``."""
    cell = cell.strip("\ufeff\u200b \t\r\n\xa0")
    return cell if cell.startswith(ASIDE) else "_".join(cell.replace("-", " ").split()).lower()


class Rows:
    """The rows of a CSV file that begins with the names of its columns.

    Attributes:
        header: its cells as they stand there.
        form, separator: how the file is written.
        stated: it says itself what its separator is.

    Args:
        file: of bytes.
        shared: the fields that need no column, because all messages have them in common.
        recipient: how a recipient is read; raises ValueError.

    Raises:
        UsageError: the columns do not make messages.
    """

    def __init__(
        self, file: IO[bytes], shared: Message, recipient: Callable[[str], str] = str
    ) -> None:
        self._sheet = sheet = Sheet(file)
        self.form: Form = sheet.form
        self.separator = separator_of(sheet, lambda cell: name_of(cell) in FIELDS)
        self.stated = sheet.separator is not None
        self._records = sheet.records(self.separator, self._is_whole)
        self._names: list[str] = []
        header = next(self._records, Record(1, 1, "", []))
        if header.fault:
            raise UsageError(f"line {header.line} is no header: {header.fault}")
        self.header = header.cells
        self._header_block = _block(header)
        self._names = [name_of(cell) for cell in header.cells]
        self._check(header.line, shared)
        readers = {**FIELDS, "to": recipient}
        needed = {"to"} if self._is_filled(shared) else {"to", "text"}
        self._fields = [
            (index, name, readers[name], name in needed and name not in shared)
            for index, name in enumerate(self._names)
            if name in FIELDS
        ]
        self._variables = [
            (index, cell.strip()[len(VARIABLE) :])
            for index, (name, cell) in enumerate(zip(self._names, header.cells, strict=True))
            if name.startswith(VARIABLE)
        ]
        # Read, and not given out yet: a block at most, and one.
        self._ahead: deque[Record] = deque()
        self._unnamed = [index for index, name in enumerate(self._names) if not name]

    @property
    def position(self) -> int:
        """How many bytes of the file have been read."""
        return self._sheet.position

    @property
    def next_line(self) -> int:
        """The first line that has not been read."""
        return self._ahead[0].line if self._ahead else self._sheet.next_line

    def _is_filled(self, shared: Message) -> bool:
        """Whether the texts are those of templates."""
        return "template" in self._names or "template" in shared

    def _check(self, line: int, shared: Message) -> None:
        aside = (ASIDE, VARIABLE)
        names = [name for name in self._names if name and not name.startswith(aside)]
        for name in names:
            if name not in FIELDS:
                raise UsageError(f"line {line}: {self._unknown(name)}")
            if names.count(name) > 1:
                raise UsageError(f"line {line}: there are two columns {name!r}")
        for name in ("to",) if self._is_filled(shared) else ("to", "text"):
            if name not in names and name not in shared:
                raise UsageError(f"line {line}: there is no column {name!r}")

    def _unknown(self, name: str) -> str:
        shown = f"{name[:40]!r}"
        if may_be_number(name):
            return (
                f"{shown} is no name of a column: the file has no header, a line with the names of "
                "its columns, such as to and text"
            )
        if any(one in name for one in SEPARATORS):
            return (
                f"{shown} is one cell: {self.separator!r} stands between cells here, and quotation "
                "marks are around one cell, not around a line"
            )
        close = get_close_matches(name, FIELDS, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(FIELDS)}"
        return f"{shown} is no field of a message; {hint}"

    def _is_whole(self, cells: Sequence[str]) -> bool:
        """Whether a line may be a row of its own."""
        if len(cells) < 2 or len(cells) != len(self._names) or "to" not in self._names:
            return False
        return may_be_number(cells[self._names.index("to")])

    def __iter__(self) -> Iterator[Row]:
        ahead = self._ahead
        for record in self._records:
            ahead.append(record)
            if _block(record) != _block(ahead[0]):
                yield from self._rows_of(len(ahead) - 1)
        yield from self._rows_of(len(ahead))

    def _rows_of(self, count: int) -> Iterator[Row]:
        """The first rows of those that were read ahead, a block."""
        width = self._width(list(islice(self._ahead, count)))
        for _ in range(count):
            yield self._row(self._ahead.popleft(), width)

    def _width(self, block: Sequence[Record]) -> int:
        """How many cells the rows of a block have: fewer than there are columns only if that is so
        in all of them. Else one with too few may be the first line of a text that has line breaks
        and no quotation marks, or what is left of a file that breaks off."""
        columns = len(self._names)
        counts = {len(record.cells) for record in block}
        count = min(counts, default=columns)
        if len(counts) != 1 or count >= columns or _block(block[0]) == self._header_block:
            return columns
        needed = max(index for index, *_, needed in self._fields if needed)
        whole = needed < count and block[-1].raw.endswith(("\n", "\r"))
        to = self._names.index("to")
        if whole and all(may_be_number(record.cells[to]) for record in block):
            return count
        return columns

    def _row(self, record: Record, width: int) -> Row:
        if record.fault:
            return Row(record, None, record.fault)
        try:
            return Row(record, self._message(record.cells, width))
        except ValueError as error:
            return Row(record, None, str(error))

    def _message(self, cells: list[str], width: int) -> Message:
        count = len(self._names)
        # Spreadsheets end rows with empty cells.
        if len(cells) < width or (len(cells) > count and any(map(str.strip, cells[count:]))):
            raise ValueError(f"{len(cells)} fields, but there are {count} columns")
        for index in self._unnamed:
            if index < len(cells) and cells[index].strip():
                raise ValueError(
                    f"column {index + 1} says {cells[index][:40]!r} and has no name: give it one, "
                    f"which begins with {ASIDE} if it is not to be sent"
                )
        message: dict[str, Any] = {}
        for index, name, read, needed in self._fields:
            cell = cells[index] if index < len(cells) else ""
            if cell or needed:
                try:
                    value = plain(name, cell)
                    if value or needed:
                        message[name] = read(value)
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from None
        given = {name: cells[at] for at, name in self._variables if at < len(cells) and cells[at]}
        if given:
            message["vars"] = {**message.get("vars", {}), **given}
        return cast("Message", message)  # its names are those of `FIELDS`


def _block(record: Record) -> int:
    return (record.row - 1) // BLOCK


def may_be_number(cell: str) -> bool:
    """Whether a cell looks like a phone number, rather than like a name or a text."""
    digits = sum(map(str.isdecimal, cell))
    return digits >= NUMBER_LEAST and not any(map(str.isalpha, cell))

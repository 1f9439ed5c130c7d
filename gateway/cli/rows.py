"""Reads messages from CSV, a row at a time: what cannot be read is told by its line, and loses
nothing else. Whether a message is acceptable is for the gateway to say."""

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches
from io import TextIOWrapper
from typing import IO, Any, Final, NamedTuple, cast, get_type_hints

from gateway.api.wire import Message
from gateway.cli.output import UsageError

ASIDE: Final = "#"
"""Begins the name of a column that is none of a message's."""


class Row(NamedTuple):
    """A row of the file.

    Attributes:
        line: where it begins; the first line is 1.
        cells: as they stand there.
        message: what they come to; None where they come to none.
        fault: why not.
    """

    line: int
    cells: list[str]
    message: Message | None
    fault: str = ""


def _time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ValueError(
            f"{text[:40]!r} is neither Unix seconds nor a time with its offset from UTC, such as "
            "2026-11-11T09:00+08:00"
        )
    return time.timestamp()


FIELDS: Final[Mapping[str, Callable[[str], Any]]] = {
    name: _time if kind is float else str for name, kind in get_type_hints(Message).items()
}
"""Every field of a message, and how it is read from a cell."""


class Rows:
    """The rows of a CSV file in UTF-8 that begins with the names of its columns.

    Args:
        file: of bytes.
        shared: the fields that need no column, because all messages have them in common.

    Raises:
        UsageError: the columns do not make messages.
    """

    def __init__(self, file: IO[bytes], shared: Message) -> None:
        # Bytes that are not UTF-8 become lone surrogates, so that only their row is at fault.
        text = TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
        self._reader = csv.reader(text)
        try:
            self.columns = [name.strip() for name in next(self._reader, [])]
        except csv.Error as error:
            raise UsageError(f"{file.name}: line 1 is no header: {error}") from None
        self._check(shared)
        self._file = file
        self._fields = [
            (index, name, FIELDS[name], name in ("to", "text") and name not in shared)
            for index, name in enumerate(self.columns)
            if not name.startswith(ASIDE)
        ]

    @property
    def position(self) -> int:
        """How many bytes of the file have been read; 0 where it is a pipe."""
        return self._file.tell() if self._file.seekable() else 0

    def _check(self, shared: Message) -> None:
        names = [name for name in self.columns if not name.startswith(ASIDE)]
        for name in names:
            if name not in FIELDS:
                close = get_close_matches(name, FIELDS, 1)
                hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(FIELDS)}"
                raise UsageError(f"line 1: {name[:40]!r} is no field of a message; {hint}")
            if names.count(name) > 1:
                raise UsageError(f"line 1: there are two columns {name!r}")
        for name in ("to", "text"):
            if name not in names and name not in shared:
                raise UsageError(f"line 1: there is no column {name!r}")

    def __iter__(self) -> Iterator[Row]:
        while True:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Row(line, [], None, str(error))
                continue
            if cells:
                yield self._row(line, cells)

    def _row(self, line: int, cells: list[str]) -> Row:
        try:
            return Row(line, cells, self._message(cells))
        except UnicodeEncodeError:
            return Row(line, cells, None, "not UTF-8")
        except ValueError as error:
            return Row(line, cells, None, str(error))

    def _message(self, cells: list[str]) -> Message:
        if len(cells) != len(self.columns):
            raise ValueError(f"{len(cells)} fields, but there are {len(self.columns)} columns")
        message: dict[str, Any] = {}
        for index, name, read, needed in self._fields:
            cell = cells[index]
            if cell or needed:
                cell.encode()
                try:
                    message[name] = read(cell)
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from None
        return cast("Message", message)  # its names are those of `FIELDS`

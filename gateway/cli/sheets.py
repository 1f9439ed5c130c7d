"""Reads the records of a CSV file, however spreadsheets write one. Its encoding and what stands
between its cells are decided once, from its beginning, and for all of it.

A record that cannot be read loses no other: an odd quotation mark takes its own line, not those
that follow. What the records say is not known here.
"""

import codecs
import csv
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BufferedReader, RawIOBase, TextIOWrapper
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from gateway.cli.charsets import HEAD, MEND, encoding_of, is_utf8
from gateway.cli.output import UsageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SEPARATORS: Final = (",", ";", "\t", "|")
"""What stands between cells: commas; semicolons where numbers have a comma; tabs in what a
spreadsheet calls Unicode text."""


class Form(NamedTuple):
    """How a file is written.

    Attributes:
        encoding: the codec.
        errors: what the codec does with bytes that are none of its, so that they spoil one record
            and are written again as they came.
        mark: the byte order mark that it begins with, or nothing.
        end: of its lines.
    """

    encoding: str
    errors: str
    mark: bytes
    end: str


class Record(NamedTuple):
    """A record of the file.

    Attributes:
        line: where it begins; the first line is 1.
        row: what a spreadsheet counts: records, from 1.
        raw: as it stands there.
        cells: what it consists of; nothing where it cannot be read.
        fault: why not.
    """

    line: int
    row: int
    raw: str
    cells: list[str]
    fault: str = ""


def _keep(error: UnicodeError) -> tuple[str | bytes, int]:
    """Lone surrogates of UTF-16 pass; a file that ends within a character ends with one."""
    try:
        return codecs.lookup_error("surrogatepass")(error)
    except UnicodeDecodeError as cut:
        return "\udc00", cut.end


codecs.register_error("gateway-keep", _keep)


class Sheet:
    """The records of a file, the first line being that of its header.

    Attributes:
        form: how it is written.
        separator: what the file says is between its cells (``sep=;``), or None.
        first: the line of the header, without its end.

    Raises:
        UsageError: it is no CSV, or in no encoding that can be told.
    """

    def __init__(self, file: IO[bytes]) -> None:
        head = b""
        while len(head) < HEAD and (more := file.read(HEAD - len(head))):
            head += more
        following = iter(partial(file.read, HEAD), b"") if file.seekable() else iter(())
        encoding, mark = encoding_of(head, following, file.name)
        if file.seekable():
            file.seek(len(head))
        self._source = _Joined(head[len(mark) :], file)
        errors = "gateway-keep" if encoding.startswith("utf-16") else "surrogateescape"
        text = TextIOWrapper(BufferedReader(self._source), encoding, errors, newline="")
        self._lines = _Lines(text)
        self._row = 0
        self.separator: str | None = None
        line = self._lines.peek()
        if (bare := line.strip().strip('"')).lower().startswith("sep="):
            self.separator = bare[4:] or "\t"
            if len(self.separator) != 1:
                raise UsageError(f"line 1: {bare[:40]!r} names no separator of one character")
            next(self._lines)
            line = self._lines.peek()
        while line and not line.strip("".join(SEPARATORS) + '" \t\r\n'):
            next(self._lines)
            self._row += 1
            line = self._lines.peek()
        self.first = line.rstrip("\r\n")
        self.form = Form(encoding, errors, mark, line[len(self.first) :] or "\n")

    @property
    def position(self) -> int:
        """How many bytes have been read."""
        return self._source.position

    @property
    def next_line(self) -> int:
        """The line behind the last record."""
        return self._lines.count + 1

    def records(
        self, separator: str, is_whole: Callable[[Sequence[str]], bool]
    ) -> Iterator[Record]:
        """All records from the header on, but for those that are empty. ``is_whole`` tells cells
        that make a record of their own: such a line is never within the text of another."""
        lines = self._lines
        # Strict: else a text that has a quotation mark too few takes the rows that follow, and
        # goes out with them in it.
        reader = csv.reader(lines, delimiter=separator, strict=True)
        while True:
            line = lines.count + 1
            self._row += 1
            lines.taken.clear()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                why = _UNCLOSED if "end of data" in str(error) else str(error)
                yield Record(line, self._row, lines.keep_one(), [], why)
                continue
            if len(lines.taken) > 1 and any(
                map(is_whole, csv.reader(lines.taken[1:], delimiter=separator))
            ):
                yield Record(line, self._row, lines.keep_one(), [], _UNCLOSED)
            elif cells and (cells[0].strip() or any(map(str.strip, cells))):
                raw = "".join(lines.taken)
                yield Record(line, self._row, raw, cells, self._doubt(raw))

    def _doubt(self, raw: str) -> str:
        """What speaks against the encoding in a record."""
        if raw.isascii():
            return ""
        encoding, errors, *_ = self.form
        if encoding == "gb18030" and is_utf8(raw.encode(encoding, errors)):
            return f"this row is UTF-8, and others of the file are GB18030: {MEND}"
        try:
            raw.encode(encoding)
        except UnicodeEncodeError:
            return f"not {encoding.upper()}: {MEND}"
        return ""


_UNCLOSED: Final = "a quotation mark is not closed: one within a text is written twice"


class _Lines:
    """The lines of a file, of which some can be put back.

    Attributes:
        taken: the lines since it was cleared.
        count: how many have been taken and not put back.
    """

    def __init__(self, text: TextIOWrapper) -> None:
        self.taken: list[str] = []
        self.count = 0
        self._text = text
        self._back: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._back.pop() if self._back else self._text.readline()
        if not line:
            raise StopIteration
        self.taken.append(line)
        self.count += 1
        return line

    def peek(self) -> str:
        """The next line; empty at the end."""
        if not self._back:
            self._back.append(self._text.readline())
        return self._back[-1]

    def keep_one(self) -> str:
        """The first of the lines taken; the others are put back."""
        first, *others = self.taken
        self._back += reversed(others)
        self.count -= len(others)
        return first


class _Joined(RawIOBase):
    """A file from its beginning, of which the head has been read already.

    Attributes:
        position: how much was asked for.
    """

    def __init__(self, head: bytes, file: IO[bytes]) -> None:
        self.position = 0
        self._head = memoryview(head)
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        room = memoryview(buffer)
        data = self._head[: len(room)] or self._file.read(len(room))
        self._head = self._head[len(data) :]
        room[: len(data)] = data
        self.position += len(data)
        return len(data)


def separator_of(sheet: Sheet, known: Callable[[str], bool]) -> str:
    """What is between the cells: what the file says, or what makes the most known names of its
    first line, or else the most names."""
    if sheet.separator is not None:
        return sheet.separator

    def promise(separator: str) -> tuple[int, int]:
        names = next(csv.reader([sheet.first], delimiter=separator), [])
        return sum(map(known, names)), len(names)

    return max(SEPARATORS, key=promise)

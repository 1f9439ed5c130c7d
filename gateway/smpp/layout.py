"""The bodies of PDUs as data: one list of typed fields serves reader and writer.

A record type declares its fields in wire order, each annotated with its kind; `Layout` compiles
the list once. Neighbouring octets and C-octet strings form a *run*, read by one regular expression
and written by one format string; the few other kinds stand between runs. What reads a record is a
function generated from the list. This module knows no PDU, no header and no status.

Where implementations differ in how long a field may be, it is read up to the longest and written
up to the shortest. What breaks the layout is not read here: see `gateway.smpp.lenient`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple, Protocol, get_type_hints

import msgspec

from gateway.errors import RemoteProtocolError


class MisfitError(RemoteProtocolError):
    """Octets that do not have a record's layout."""


class Octet(NamedTuple):
    """An integer of one octet. ``pattern`` matches those that are read."""

    pattern: str = "."
    format: str = "%c"

    def fault(self, value: Any) -> str | None:
        """Why ``value`` cannot be written, or None."""
        fits = isinstance(value, int) and 0 <= value <= 0xFF
        return None if fits else f"{value!r} is not between 0 and 255"


class CString(NamedTuple):
    """Latin-1 text ended by a NUL. Sizes are in octets and count the NUL.

    Attributes:
        size: the longest that is read.
        emit: the longest that is written; 0 for ``size``.
        exact: written in full or empty, nothing between.
        unread: the characters beside NUL that are not read, as a regular expression has them.
    """

    size: int
    emit: int = 0
    exact: bool = False
    unread: str = ""

    @property
    def width(self) -> int:
        """Octets of the field where it has always the same."""
        return self.emit or self.size

    @property
    def pattern(self) -> str:
        return rf"([^\0{self.unread}]{{0,{self.size - 1}}})\0"

    @property
    def format(self) -> str:
        return "%s\0"

    @property
    def writable(self) -> str:
        """The pattern of what may be written, without the NUL."""
        longest = (self.emit or self.size) - 1
        return rf"(?:[\x01-\xff]{{{longest}}})?" if self.exact else rf"[\x01-\xff]{{0,{longest}}}"

    def fault(self, value: Any) -> str | None:
        """Why ``value`` cannot be written, or None."""
        if isinstance(value, str) and re.fullmatch(self.writable, value):
            return None
        longest = (self.emit or self.size) - 1
        return f"not {'0 or' if self.exact else 'up to'} {longest} Latin-1 characters without NUL"


class Special(Protocol):
    """A kind of field that does not fit into a run.

    ``read`` is given the frame, and the same as Latin-1 text, a character an octet. It returns the
    value and the position after it. It raises `MisfitError` where it cannot, ``write`` ValueError.
    """

    def read(self, frame: bytes, text: str, pos: int) -> tuple[Any, int]: ...

    def write(self, value: Any) -> bytes: ...


class ShortMessage:
    """sm_length and short_message. Up to 255 octets are read (SMPP 5.0), 254 written (3.4)."""

    def read(self, frame: bytes, text: str, pos: int) -> tuple[bytes, int]:
        start = pos + 1
        end = start + frame[pos] if pos < len(frame) else start
        if end > len(frame):
            raise MisfitError
        return frame[start:end], end

    def write(self, value: bytes) -> bytes:
        if len(value) > 254:
            raise ValueError(f"{len(value)} octets, over 254")
        return b"%c%b" % (len(value), value)


class Word:
    """An integer of four octets."""

    def read(self, frame: bytes, text: str, pos: int) -> tuple[int, int]:
        end = pos + 4
        if end > len(frame):
            raise MisfitError
        return int.from_bytes(frame[pos:end], "big"), end

    def write(self, value: int) -> bytes:
        try:
            return value.to_bytes(4, "big")
        except OverflowError:
            raise ValueError(f"{value} does not fit into 4 octets") from None


class Records:
    """A count of one octet and as many records, up to ``most``.

    ``types`` are the record types by the octet that stands before a record to tell which it is;
    the key None says that there is only one type and no such octet.
    """

    def __init__(self, types: Mapping[int | None, type[msgspec.Struct]], most: int) -> None:
        self._types = types
        self._layouts = {flag: Layout(record) for flag, record in types.items()}
        self._flags = {record: flag for flag, record in types.items()}
        self._most = most

    def read(self, frame: bytes, text: str, pos: int) -> tuple[tuple[Any, ...], int]:
        if pos >= len(frame):
            raise MisfitError
        count = frame[pos]
        pos += 1
        records = []
        for _ in range(count):
            flag = None
            if None not in self._types:
                flag = frame[pos] if pos < len(frame) else -1
                pos += 1
            if flag not in self._types:
                raise MisfitError
            values, pos = self._layouts[flag].read(frame, text, pos)
            records.append(self._types[flag](*values))
        return tuple(records), pos

    def write(self, value: Sequence[Any]) -> bytes:
        if len(value) > self._most:
            raise ValueError(f"{len(value)} records, over {self._most}")
        parts = [bytes((len(value),))]
        for record in value:
            flag = self._flags[type(record)]
            parts += (b"" if flag is None else bytes((flag,)), self._layouts[flag].write(record))
        return b"".join(parts)


class Field(NamedTuple):
    """A field of a record, and its kind."""

    name: str
    kind: Any


class _Run:
    """Neighbouring octets and C-octet strings: the values from index ``start`` of a record."""

    def __init__(self, fields: Sequence[Field], start: int) -> None:
        self._fields = fields
        self._mine = slice(start, start + len(fields))

        texts = [i for i, (_, kind) in enumerate(fields) if isinstance(kind, CString)]
        self._format = "".join(kind.format for _, kind in fields)
        self._texts = _getter(texts)
        self._writable = re.compile(r"\0".join(fields[i].kind.writable for i in texts)).fullmatch

    def reading(self, names: dict[str, Any]) -> list[str]:
        """The lines of a reader that read the run. Puts what they call into ``names``."""
        # Each text is a group of its own, octets side by side share one.
        pattern = ""
        groups: list[str] = []
        for text, members in groupby(
            self._fields, lambda field: field.name if isinstance(field.kind, CString) else ""
        ):
            kinds = "".join(kind.pattern for _, kind in members)
            pattern += kinds if text else f"({kinds})"
            groups.append(text or f"_octets_{len(groups)}")
        first = self._fields[0].name
        match = f"_match_{first}"
        names[match] = re.compile(pattern, re.DOTALL).match
        lines = [
            f"_match = {match}(_text, _pos)",
            "if _match is None:",
            "    raise MisfitError",
            f"{', '.join(groups)}, = _match.groups()",
            "_pos = _match.end()",
        ]
        octets = [name for name, kind in self._fields if isinstance(kind, Octet)]
        if octets:
            together = "".join(f"{{{group}}}" for group in groups if group.startswith("_octets_"))
            lines.append(f"{', '.join(octets)}, = f'{together}'.encode('latin-1')")
        return lines

    def write(self, values: tuple[Any, ...]) -> bytes:
        mine = values[self._mine]
        try:
            # NULs between the texts: with one inside a text there would be too many.
            if self._writable("\0".join(self._texts(mine))):
                return (self._format % mine).encode("latin-1")
        except (TypeError, ValueError, OverflowError):
            pass  # an integer out of range, or what is no text; said below
        faults = (
            f"{name}: {fault}"
            for (name, kind), value in zip(self._fields, mine, strict=True)
            if (fault := kind.fault(value))
        )
        raise ValueError("; ".join(faults))


class _Single:
    """One field of a special kind: the value at ``index`` of a record."""

    def __init__(self, field: Field, index: int) -> None:
        self._name = field.name
        self._kind: Special = field.kind
        self._index = index

    def reading(self, names: dict[str, Any]) -> list[str]:
        """The lines of a reader that read the field. Puts what they call into ``names``."""
        read = f"_read_{self._name}"
        names[read] = self._kind.read
        return [f"{self._name}, _pos = {read}(_frame, _text, _pos)"]

    def write(self, values: tuple[Any, ...]) -> bytes:
        try:
            return self._kind.write(values[self._index])
        except ValueError as error:
            raise ValueError(f"{self._name}: {error}") from None


Reader = Callable[[bytes, str, int], tuple[tuple[Any, ...], int]]
"""Given a frame, the same as Latin-1 text, and a position: the values of a record's fields from
there on, and the position after them. Raises `MisfitError`."""


class Layout:
    """The octets of one record type: its fields that are annotated with a kind, in order.

    Attributes:
        fields: the fields, in order.
        read: see `Reader`.
    """

    def __init__(self, record: type[msgspec.Struct]) -> None:
        hints = get_type_hints(record, include_extras=True)
        fields = [
            Field(name, hints[name].__metadata__[0])
            for name in record.__struct_fields__
            if hasattr(hints[name], "__metadata__")
        ]
        self.fields: Final = tuple(fields)
        self._steps = tuple(_steps(fields))
        self.read: Final = _reader(fields, self._steps)

    def write(self, record: msgspec.Struct) -> bytes:
        """The octets of ``record``. Raises ValueError, naming the field."""
        values = msgspec.structs.astuple(record)
        return b"".join([step.write(values) for step in self._steps])


def _steps(fields: Sequence[Field]) -> Iterator[_Run | _Single]:
    index = 0
    for in_run, members in groupby(fields, lambda field: isinstance(field.kind, Octet | CString)):
        some = list(members)
        if in_run:
            yield _Run(some, index)
        else:
            yield from (_Single(field, index + i) for i, field in enumerate(some))
        index += len(some)


def _reader(fields: Sequence[Field], steps: Sequence[_Run | _Single]) -> Reader:
    # Generated, with a variable for each field: the groups of a run are not in the order of the
    # fields, and to sort them by index and call each step takes 0.5 us longer for a deliver_sm.
    names: dict[str, Any] = {"MisfitError": MisfitError}
    lines = [line for step in steps for line in step.reading(names)]
    lines.append(f"return ({''.join(f'{name}, ' for name, _ in fields)}), _pos")
    source = "\n    ".join(["def read(_frame, _text, _pos):", *lines])
    exec(source, names)  # noqa: S102 - made of this module's text and of names of fields alone
    read: Reader = names["read"]
    return read


def _getter(indices: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """An itemgetter that gives a tuple however many indices there are."""
    if len(indices) > 1:
        return itemgetter(*indices)
    start = indices[0] if indices else 0
    return itemgetter(slice(start, start + len(indices)))

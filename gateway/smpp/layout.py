"""The bodies of PDUs as data: one list of typed fields serves reader and writer.

A record type declares its fields in wire order, each annotated with its kind; `Layout` compiles
the list once. Neighbouring octets and C-octet strings form a *run*, read by one regular expression
and written by one format string; the few other kinds stand between runs. This module knows no
PDU, no header and no status.

Where implementations differ in how long a field may be, it is read up to the longest and written
up to the shortest.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, Protocol, get_type_hints

import msgspec

from gateway.errors import RemoteProtocolError


class Octet(NamedTuple):
    """An integer of one octet."""

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
    """

    size: int
    emit: int = 0
    exact: bool = False

    @property
    def pattern(self) -> str:
        return rf"([^\0]{{0,{self.size - 1}}})\0"

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

    ``read`` is given the frame as Latin-1 text, a character an octet, and returns the value and the
    position after it. It raises RemoteProtocolError where it cannot, ``write`` ValueError.
    """

    def read(self, text: str, pos: int) -> tuple[Any, int]: ...

    def write(self, value: Any) -> bytes: ...


class ShortMessage:
    """sm_length and short_message. Up to 255 octets are read (SMPP 5.0), 254 written (3.4)."""

    def read(self, text: str, pos: int) -> tuple[bytes, int]:
        start = pos + 1
        end = start + (ord(text[pos]) if pos < len(text) else 0)
        if end > len(text):
            raise RemoteProtocolError("the PDU ends inside it")
        return text[start:end].encode("latin-1"), end

    def write(self, value: bytes) -> bytes:
        if len(value) > 254:
            raise ValueError(f"{len(value)} octets, over 254")
        return b"%c%b" % (len(value), value)


class Word:
    """An integer of four octets."""

    def read(self, text: str, pos: int) -> tuple[int, int]:
        end = pos + 4
        if end > len(text):
            raise RemoteProtocolError("the PDU ends inside it")
        return int.from_bytes(text[pos:end].encode("latin-1"), "big"), end

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

    def read(self, text: str, pos: int) -> tuple[tuple[Any, ...], int]:
        if pos >= len(text):
            raise RemoteProtocolError("the PDU ends before it")
        count = ord(text[pos])
        pos += 1
        records = []
        for index in range(count):
            flag = None
            if None not in self._types:
                flag = ord(text[pos]) if pos < len(text) else -1
                pos += 1
            if flag not in self._types:
                raise RemoteProtocolError(f"[{index}]: no flag of a known kind")
            values, pos = self._layouts[flag].read(text, pos)
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


class _Field(NamedTuple):
    name: str
    kind: Any


class _Run:
    """Neighbouring octets and C-octet strings: the values from index ``start`` of a record."""

    def __init__(self, fields: Sequence[_Field], start: int) -> None:
        self._fields = fields
        self._mine = slice(start, start + len(fields))

        texts = [i for i, (_, kind) in enumerate(fields) if isinstance(kind, CString)]
        self._format = "".join(kind.format for _, kind in fields)
        self._texts = _getter(texts)
        self._writable = re.compile(r"\0".join(fields[i].kind.writable for i in texts)).fullmatch

        # Each text is a group of its own, octets side by side share one. A match is turned into
        # its groups and, after them, the octets of all groups of octets; `order` puts the values
        # among those into the order of the fields.
        groups = [
            list(members)
            for _, members in groupby(
                fields, lambda f: f.name if isinstance(f.kind, CString) else ""
            )
        ]
        pattern, order, octets, taken = "", [], [], len(groups)
        for index, members in enumerate(groups):
            kinds = "".join(kind.pattern for _, kind in members)
            if isinstance(members[0].kind, CString):
                pattern += kinds
                order.append(index)
            else:
                pattern += f"({kinds})"
                octets.append(index)
                order += range(taken, taken + len(members))
                taken += len(members)
        self._match = re.compile(pattern, re.DOTALL).match
        self._octets = _getter(octets) if octets else None
        self._order = _getter(order)

    def read(self, text: str, pos: int, values: list[Any]) -> int:
        match = self._match(text, pos)
        if match is None:
            raise RemoteProtocolError(self._misfit(text, pos))
        groups = match.groups()
        if self._octets is None:
            values += groups
        else:
            octets = "".join(self._octets(groups)).encode("latin-1")
            values += self._order((*groups, *octets))
        return match.end()

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

    def _misfit(self, text: str, pos: int) -> str:
        """What is wrong with a run that does not match."""
        for name, kind in self._fields:
            match = re.compile(kind.pattern, re.DOTALL).match(text, pos)
            if match is not None:
                pos = match.end()
            elif isinstance(kind, CString) and len(text) - pos >= kind.size:
                return f"{name}: no NUL within {kind.size} octets"
            else:
                break
        return f"{name}: the PDU ends inside it"


class _Single:
    """One field of a special kind: the value at ``index`` of a record."""

    def __init__(self, field: _Field, index: int) -> None:
        self._name = field.name
        self._kind: Special = field.kind
        self._index = index

    def read(self, text: str, pos: int, values: list[Any]) -> int:
        try:
            value, pos = self._kind.read(text, pos)
        except RemoteProtocolError as error:
            raise RemoteProtocolError(f"{self._name}: {error}") from None
        values.append(value)
        return pos

    def write(self, values: tuple[Any, ...]) -> bytes:
        try:
            return self._kind.write(values[self._index])
        except ValueError as error:
            raise ValueError(f"{self._name}: {error}") from None


class Layout:
    """The octets of one record type: its fields that are annotated with a kind, in order."""

    def __init__(self, record: type[msgspec.Struct]) -> None:
        hints = get_type_hints(record, include_extras=True)
        fields = [
            _Field(name, hints[name].__metadata__[0])
            for name in record.__struct_fields__
            if hasattr(hints[name], "__metadata__")
        ]
        self._steps = tuple(_steps(fields))

    def read(self, text: str, pos: int) -> tuple[list[Any], int]:
        """The values of the fields from ``pos`` on, and the position after them.

        ``text`` is the frame in Latin-1. Raises RemoteProtocolError, naming the field.
        """
        values: list[Any] = []
        for step in self._steps:
            pos = step.read(text, pos, values)
        return values, pos

    def write(self, record: msgspec.Struct) -> bytes:
        """The octets of ``record``. Raises ValueError, naming the field."""
        values = msgspec.structs.astuple(record)
        return b"".join([step.write(values) for step in self._steps])


def _steps(fields: Sequence[_Field]) -> Iterator[_Run | _Single]:
    index = 0
    for in_run, members in groupby(fields, lambda field: isinstance(field.kind, Octet | CString)):
        some = list(members)
        if in_run:
            yield _Run(some, index)
        else:
            yield from (_Single(field, index + i) for i, field in enumerate(some))
        index += len(some)


def _getter(indices: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """An itemgetter that gives a tuple however many indices there are."""
    if len(indices) > 1:
        return itemgetter(*indices)
    start = indices[0] if indices else 0
    return itemgetter(slice(start, start + len(indices)))

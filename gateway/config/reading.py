"""Reads TOML values as typed tables and finds every fault on the way, not just the first.

A table is a `msgspec.Struct` whose annotations say what each key takes: a type, with bounds and
lengths by `msgspec.Meta`, or a text as `rule` and `secret` describe it. A value that cannot be read
is reported with its key path and stood in for by its default, or by the empty value of its type,
so that everything else can still be checked. What the keys mean is not known here.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cache, reduce
from operator import or_
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

from msgspec import Meta, Struct, ValidationError, convert, structs

T = TypeVar("T", bound=Struct)

SHOWN: Final = 40
"""Characters of a faulty text that are shown."""

LINE: Final = 500
"""Characters of a fault that are kept; what is longer repeats what somebody else's check was given.
"""

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAMES: Final[Mapping[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a table",
}
_LISTS: Final = (list, tuple, frozenset)
_FAULTY: Final = object()


def rule(check: Callable[[str], object]) -> Meta:
    """Says that a text must be one that ``check`` takes; the message of the ValueError that it
    raises otherwise goes to the person who wrote the text."""
    return Meta(extra={"check": check})


def secret(description: str, pattern: str | None = None) -> Meta:
    """Says that a text is never shown, and what it must be."""
    return Meta(description=description, pattern=pattern, extra={"secret": True})


class Faults:
    """The faults found so far, a line each: ``carriers[1].window: 0 is not …``."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._places: set[str] = set()

    def add(self, where: str, what: str) -> None:
        """Note a fault at a key path, or of the whole file where the path is empty."""
        line = f"{where}: {what}" if where else what
        self.lines.append(line if len(line) <= LINE else f"{line[:LINE]}…")
        self._places.add(where)

    def at(self, where: str) -> bool:
        """Whether a fault was noted at this very path."""
        return where in self._places


def meant(name: str, names: Iterable[str]) -> str:
    """``; did you mean 'window'?`` where one of ``names`` is close to ``name``, else nothing."""
    close = get_close_matches(name[:64], list(names), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def read_table(kind: type[T], value: object, where: str, faults: Faults) -> T:
    """The table at the path ``where``."""
    if not isinstance(value, dict):
        faults.add(where, f"{_shown(value)} is not a table")
        value = {}
    fields = _fields(kind)
    for key in value:
        if key not in fields:
            faults.add(below(where, key), f"unknown key{meant(key, fields)}")
    values: dict[str, Any] = {}
    for key, field in fields.items():
        found: object = _FAULTY
        if key in value:
            found = _read(field.type, value[key], below(where, key), faults)
        elif field.required:
            faults.add(below(where, key), "is missing")
        if found is not _FAULTY:
            values[field.name] = found
        elif field.required:
            values[field.name] = _empty(field.type)
    return kind(**values)


@cache
def _fields(kind: type[Struct]) -> Mapping[str, structs.FieldInfo]:
    """The keys of a table; half the time of reading a thousand tenants without the cache."""
    return {field.encode_name: field for field in structs.fields(kind)}


def _read(annotation: Any, value: object, where: str, faults: Faults) -> Any:
    """The value at ``where``, or `_FAULTY`."""
    kind, meta = _peel(annotation)
    members = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    kind = next((one for one in members if _is_table(one) == isinstance(value, dict)), members[0])
    if isinstance(kind, type) and issubclass(kind, Struct):
        return read_table(kind, value, where, faults)
    form = get_origin(kind)
    if form is dict and isinstance(value, dict):
        return _mapping(get_args(kind)[1], value, where, faults)
    if form in _LISTS and isinstance(value, list):
        return _list(kind, meta, value, where, faults)
    if form is dict or form in _LISTS:
        faults.add(where, f"{_shown(value)} is not {_NAMES[dict if form is dict else list]}")
        return _FAULTY
    return _leaf(kind, meta, value, where, faults)


def _mapping(item: Any, table: dict[str, object], where: str, faults: Faults) -> dict[str, Any]:
    read = {key: _read(item, value, below(where, key), faults) for key, value in table.items()}
    return {key: found for key, found in read.items() if found is not _FAULTY}


def _list(kind: Any, meta: Meta, values: list[object], where: str, faults: Faults) -> Any:
    if len(values) < (meta.min_length or 0):
        faults.add(where, f"{len(values)} entries, but at least {meta.min_length} needed")
    if meta.max_length is not None and len(values) > meta.max_length:
        faults.add(where, f"{len(values)} entries, over {meta.max_length}")
    item = get_args(kind)[0]
    read = (_read(item, value, f"{where}[{i}]", faults) for i, value in enumerate(values))
    # Faulty entries keep their place, so that the paths of later faults are right.
    return get_origin(kind)(_empty(item) if one is _FAULTY else one for one in read)


def _leaf(kind: Any, meta: Meta, value: object, where: str, faults: Faults) -> Any:
    extra = meta.extra or {}
    try:
        found = convert(value, Annotated[kind, meta])
    except ValidationError:
        shown = "what is there" if extra.get("secret") else _shown(value)
        faults.add(where, f"{shown} is not {_expected(kind, meta, value)}")
        return _FAULTY
    try:
        extra.get("check", str)(found)
    except ValueError as error:
        faults.add(where, str(error))
        return _FAULTY
    return found


def _expected(kind: Any, meta: Meta, value: object) -> str:
    """What a value would have to be."""
    if meta.description:
        return meta.description
    if get_origin(kind) is Literal:
        *others, last = map(repr, get_args(kind))
        return f"{', '.join(others)} or {last}" if others else last
    if meta.ge is not None:
        bounds = f"between {meta.ge} and {meta.le}"
        number = isinstance(value, int if kind is int else int | float)
        return bounds if number and not isinstance(value, bool) else f"{_NAMES[kind]} {bounds}"
    return _NAMES[kind]


def _shown(value: object) -> str:
    """A faulty value as the file has it. Lists and tables may hold secrets and are not shown."""
    match value:
        case bool():
            return str(value).lower()
        case int() if value.bit_length() > 64:  # Python may refuse to write it out
            return "a number beyond 64 bits"
        case int() | float() | str():
            text = repr(value)
            return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
        case list() | dict():
            return _NAMES[type(value)]
        case _:
            return "a date or time"


def _peel(annotation: Any) -> tuple[Any, Meta]:
    """A type without its annotation and without None, which TOML does not have."""
    meta = Meta()
    while True:
        if get_origin(annotation) is Annotated:
            annotation, meta = get_args(annotation)
        elif NoneType in get_args(annotation):
            annotation = reduce(or_, (one for one in get_args(annotation) if one is not NoneType))
        else:
            return annotation, meta


def _is_table(kind: Any) -> bool:
    return get_origin(kind) is dict or (isinstance(kind, type) and issubclass(kind, Struct))


def _empty(annotation: Any) -> Any:
    """What stands in for a value that has no default."""
    kind, _ = _peel(annotation)
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    return (get_origin(kind) or kind)()


def below(where: str, key: str) -> str:
    """The path of a key in the table at ``where``."""
    name = key if _BARE_KEY.fullmatch(key) else repr(key[:SHOWN])
    return f"{where}.{name}" if where else name

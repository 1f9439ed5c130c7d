"""``docs/configuration.md`` and the code agree on every key."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from gateway.config import keys
from gateway.message import CATEGORIES
from gateway.policy.quiet_hours import MAX_MARGIN, MAX_REOPENING

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"

Rows = dict[str, tuple[str, str]]
"""Default and bounds, as the page writes them, by key."""


def documented() -> dict[str, Rows]:
    """The rows of every table of the page, by the table that they are about."""
    found: dict[str, Rows] = {}
    rows: Rows = {}
    for line in PAGE.read_text().splitlines():
        if heading := re.fullmatch(r"##+ `\[*([\w.]+)\]*`", line):
            rows = found.setdefault(heading[1], {})
        elif row := re.fullmatch(r"\| `(\w+)` \| (.*?) \| (.*?) ?\| (.+) \|", line):
            rows[row[1]] = (row[2], row[3])
    return found


def declared(kind: type[msgspec.Struct], name: str) -> Iterator[tuple[str, Rows]]:
    """The same from the code."""
    fields = msgspec.structs.fields(kind)
    yield name, {field.encode_name: (default(field), bounds(field.type)) for field in fields}
    for field in fields:
        below = f"{name}.{field.encode_name}".strip(".")
        for table in tables_of(field.type):
            yield from declared(table, f"{below}.CODE" if field.name == "regions" else below)


def tables_of(annotation: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield annotation
    for inner in get_args(annotation):
        yield from tables_of(inner)


def default(field: msgspec.structs.FieldInfo) -> str:
    value = field.default
    if value is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    if value is msgspec.NODEFAULT:
        return "required"
    if value is None or isinstance(value, dict | msgspec.Struct):
        return "unset"
    return f"`{written(value)}`"


def written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case frozenset():
            return written(tuple(one for one in CATEGORIES if one in value))
        case tuple() | list():
            return "[" + ", ".join(map(written, value)) + "]"
        case int() | float():
            return f"{value:.15g}"
    raise AssertionError(value)


def bounds(annotation: Any) -> str:
    """What the annotation says, or one within it that is no table: a list's, an entry's."""
    if get_origin(annotation) is Annotated:
        kind, meta = get_args(annotation)
        if meta.ge is not None:
            return f"{meta.ge} to {meta.le}"
        if meta.max_length and kind is not str:
            return f"{meta.min_length or 0} to {meta.max_length} entries"
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{written(value)}`" for value in get_args(annotation))
    if get_origin(annotation) is dict:
        return ""
    return next(filter(None, map(bounds, get_args(annotation))), "")


def test_the_page_has_every_key_with_its_default_and_bounds() -> None:
    code = dict(declared(keys.Keys, ""))
    del code[""], code["policy"]  # nothing but tables
    # Not in their annotations.
    code["policy.quiet_hours"]["margin"] = ("`60`", f"0 to {MAX_MARGIN}")
    code["policy.quiet_hours"]["reopening"] = ("`0`", f"0 to {MAX_REOPENING}")
    assert documented() == code

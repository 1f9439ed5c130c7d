"""Tells what a reload changes, and what it cannot change before the next start, by the keys of the
file; never by their values, some of which are secret."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from gateway.config.settings import Settings

SHOWN: Final = 50
"""Changes that are told, of each kind; a line with all of ten thousand tenants tells nothing."""

_AT_START: Final = (
    "api", "admin.listen", "log", "queue.backend", "queue.path",
    "queue.dsn", "queue.dsn_env", "queue.dsn_file", "queue.node", "queue.nodes",
    "queue.synchronous",
)  # fmt: skip
"""What is read at the start alone. Certificates of the API are read anew where there were some."""

_CERTIFICATES: Final = frozenset({"api.tls.cert", "api.tls.key"})


class Changes(NamedTuple):
    """Keys, each with a word where it is a whole table that came or went.

    Attributes:
        made: what is otherwise since the last configuration, and holds now.
        waiting: what is otherwise than at the start, and holds from the next one on.
    """

    made: list[str]
    waiting: list[str]


def changes(start: Settings, last: Settings, new: Settings) -> Changes:
    """What is otherwise in a configuration than in the last, and than in that of the start."""
    made = [key for key in _differing(last.file, new.file) if not _waits(key)]
    carriers = {one.options.id: one.identity for one in last.dispatch.carriers}
    for one in new.dispatch.carriers:
        where = f"carriers.{one.options.id}"
        known = carriers.get(one.options.id, one.identity)
        if known != one.identity and not any(key.startswith(f"{where}.") for key in made):
            made.append(f"{where}: its password or certificates")
    waiting = [key for key in _differing(start.file, new.file) if _waits(key)]
    return Changes(_few(made), _few(waiting))


def _waits(key: str) -> bool:
    if key in _CERTIFICATES:
        return False
    return any(key == one or key.startswith(f"{one}.") for one in _AT_START)


def _few(keys: list[str]) -> list[str]:
    left = len(keys) - SHOWN
    return [*keys[:SHOWN], f"{left} more"] if left > 0 else keys


def _differing(before: object, after: object, path: str = "") -> Iterator[str]:
    """The keys at which two tables, or lists of tables, are not the same."""
    if before == after:
        return
    one, two = _parts(before), _parts(after)
    if type(before) is not type(after) or one is None or two is None:
        yield path
        return
    lead = f"{path}." if path else ""
    for name in dict.fromkeys((*one, *two)):
        if name not in two:
            yield f"{lead}{name}: removed"
        elif name not in one:
            yield f"{lead}{name}: added"
        else:
            yield from _differing(one[name], two[name], f"{lead}{name}")


def _parts(value: object) -> Mapping[str, object] | None:
    """What a value consists of that has keys of its own: a table, or tables that have ids."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(type(value))
        return {field.encode_name: getattr(value, field.name) for field in fields}
    if isinstance(value, Mapping):
        return {str(key): one for key, one in value.items()}
    if isinstance(value, Sequence) and value and all(hasattr(one, "id") for one in value):
        return {str(one.id): one for one in value} if _has_names(value) else None
    return None


def _has_names(tables: Sequence[object]) -> bool:
    """Whether each has an id of its own; the carriers of a route may come twice."""
    return len({getattr(one, "id", None) for one in tables}) == len(tables)

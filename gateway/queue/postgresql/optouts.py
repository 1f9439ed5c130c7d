"""Opt-outs, under the one number of each phone."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.numbers import canonical
from gateway.queue.filter import BitFilter
from gateway.queue.postgresql import statements
from gateway.queue.postgresql.arrays import float8s, maybe_octets, maybe_texts, texts
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.session import Session
from gateway.queue.store import GLOBAL, LIFTS, OptoutChange, OptoutEntry

WRITES: Final = statements.load("settling")
READS: Final = statements.load("reading")

BLOCK: Final = 20_000
"""Opt-outs read at a time when the filter is filled."""


def rows(changes: Sequence[OptoutChange]) -> list[OptoutChange]:
    """Changes under the number that stands for their phone."""
    return [change._replace(number=canonical(change.number)) for change in changes]


def change(session: Session, changes: Sequence[OptoutChange], *, dated: bool = False) -> list[bool]:
    """Add opt-outs and take some back, in order; says of each whether it changed anything.
    ``dated``: only what was added until then is taken back."""
    # By scope and number, when each source said so, and the change; None for one that is stored.
    entries: dict[tuple[str, str], dict[str, tuple[float, OptoutChange | None]]] = {}
    gone: dict[tuple[str, str], set[str]] = {}
    for scope in dict.fromkeys(one.scope for one in changes):
        asked = texts({one.number for one in changes if one.scope == scope})
        found = session.execute(WRITES["optouts_of"], {"scope": scope, "numbers": asked})
        for number, source, since in found.fetchall():
            entries.setdefault((scope, number), {})[source] = since, None
    changed = []
    for one in changes:
        held = entries.setdefault((one.scope, one.number), {})
        before = len(held)
        if one.out:
            held.setdefault(one.source, (one.at, one))
        else:
            for lifted in LIFTS[one.source]:
                if lifted not in held or (dated and held[lifted][0] > one.at):
                    continue
                if held.pop(lifted)[1] is None:
                    gone.setdefault((one.scope, lifted), set()).add(one.number)
        changed.append(len(held) != before)
    for (scope, source), numbers in gone.items():
        values = {"scope": scope, "source": source, "numbers": texts(numbers)}
        session.execute(WRITES["opt_in"], values)
    added = [one for held in entries.values() for _, one in held.values() if one is not None]
    if added:
        session.execute(WRITES["opt_out"], _columns(added))
    return changed


def _columns(added: Sequence[OptoutChange]) -> dict[str, Any]:
    return {
        "scopes": texts(one.scope for one in added),
        "numbers": texts(one.number for one in added),
        "sources": texts(one.source for one in added),
        "ats": float8s([one.at for one in added]),
        "messages": maybe_texts(one.message for one in added),
        "texts": maybe_octets([None if one.text is None else one.text.encode() for one in added]),
    }


def work(changes: Sequence[OptoutChange]) -> Callable[[Session], Callable[[], list[bool]]]:
    """Makes changes in a transaction."""

    def done(session: Session) -> Callable[[], list[bool]]:
        changed = change(session, changes)
        return lambda: changed

    return done


def opted_out(connection: Connected, tenant: str, asked: set[str]) -> set[str]:
    """Those of ``asked`` that are opted out of a tenant's texts, or of everybody's."""
    values = {"scopes": texts((GLOBAL, tenant)), "numbers": texts(asked)}
    found = connection.cursor(binary=True).execute(READS["opted_out"], values)
    return {number for [number] in found}


def entries(connection: Connected, tenant: str, asked: set[str]) -> dict[str, list[OptoutEntry]]:
    """The opt-outs of ``asked`` that hold for a tenant."""
    values = {"scopes": texts({GLOBAL, tenant}), "numbers": texts(asked)}
    found: dict[str, list[OptoutEntry]] = {}
    for row in connection.cursor(binary=True).execute(READS["optout_entries"], values):
        found.setdefault(row[1], []).append(_entry(row))
    return found


def page(connection: Connected, tenant: str, after: str, limit: int) -> list[OptoutEntry]:
    """The opt-outs of the next numbers of a tenant."""
    values = {"scope": tenant, "after": after, "limit": limit}
    found = connection.cursor(binary=True).execute(READS["optout_list"], values)
    return [_entry(row) for row in found]


def _entry(row: Sequence[Any]) -> OptoutEntry:
    scope, number, source, at, message, text = row
    told = None if text is None else bytes(text).decode()
    return OptoutEntry(scope, number, source, at, message, told)


def load(connection: Connected) -> BitFilter:
    """The filter of all numbers that are opted out."""
    cursor = connection.cursor(binary=True)
    row = cursor.execute(READS["optout_count"]).fetchone()
    numbers_out = BitFilter(row[0] if row else 0)
    place = {"scope": "", "number": "", "source": "", "limit": BLOCK}
    while found := cursor.execute(READS["optout_block"], place).fetchall():
        numbers_out.include([number for _, number, _ in found])
        last = zip(("scope", "number", "source"), found[-1], strict=True)
        place = place | dict(last)
    return numbers_out

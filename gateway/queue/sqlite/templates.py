"""What the store does with templates: a row for each version, the newest of each name at hand."""

from collections.abc import Iterable, Sequence

from gateway.queue.sqlite.bulk import Execute
from gateway.queue.sqlite.session import Session
from gateway.queue.store import VERSIONS, TemplateChange, TemplateVersion

Row = tuple[int, str, float, bytes]
"""A tenant by its number, a name, Unix seconds, and what the template is."""


def put_rows(session: Session, changes: Sequence[TemplateChange]) -> list[Row]:
    """What is to be written, in the event loop."""
    return [(session.tenants.number(one.tenant), one.name, one.at, one.body) for one in changes]


def put(session: Session, rows: Sequence[Row]) -> list[int]:
    """Add versions; returns their numbers."""
    given = []
    for number, name, at, body in rows:
        [[last]] = session.execute(
            "SELECT coalesce(max(version), 0) FROM template WHERE tenant = ? AND name = ?",
            (number, name),
        )
        version = int(last) + 1
        session.execute(
            "INSERT INTO template VALUES (?, ?, ?, ?, ?)", (number, name, version, at, body)
        )
        session.execute(
            "DELETE FROM template WHERE tenant = ? AND name = ? AND version <= ?",
            (number, name, version - VERSIONS),
        )
        given.append(version)
    return given


def newest(execute: Execute) -> list[TemplateVersion]:
    """The newest version of every template that is not deleted."""
    return _versions(
        execute(
            """SELECT tenant.name, t.name, version, at, body FROM template AS t
            JOIN tenant ON tenant.id = t.tenant WHERE length(body) > 0 AND version =
            (SELECT max(version) FROM template WHERE tenant = t.tenant AND name = t.name)
            ORDER BY tenant.name, t.name"""
        )
    )


def changes(execute: Execute) -> int:
    """The sum of all versions: of one that is added it grows by more than by the one that goes."""
    [[found]] = execute("SELECT coalesce(sum(version), 0) FROM template")
    return int(str(found))


def versions(execute: Execute, tenant: str, name: str) -> list[TemplateVersion]:
    """The versions that are kept of a template, the oldest first."""
    return _versions(
        execute(
            """SELECT tenant.name, t.name, version, at, body FROM template AS t
            JOIN tenant ON tenant.id = t.tenant WHERE tenant.name = ? AND t.name = ?
            ORDER BY version""",
            (tenant, name),
        )
    )


def _versions(rows: Iterable[tuple[object, ...]]) -> list[TemplateVersion]:
    return [TemplateVersion._make(row) for row in rows]

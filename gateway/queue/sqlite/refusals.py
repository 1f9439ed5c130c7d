"""What was not accepted: a row for each, found by its key and by its phone."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from gateway.numbers import canonical
from gateway.queue.sqlite.bulk import Execute, Rows, texts
from gateway.queue.sqlite.session import Session
from gateway.queue.store import MOST_REFUSED, Refused

_ADD: Final = Rows.inserted("INTO refusal (tenant, number, key, at, code, rule, why, config)", 8)


def rows(session: Session, refused: Sequence[Refused]) -> list[Any]:
    """The rows of refusals."""
    flat: list[Any] = []
    number_of = session.tenants.number
    for tenant, number, *rest in refused:
        flat += (number_of(tenant), canonical(number), *rest)
    return flat


def add(execute: Execute, flat: Sequence[Any]) -> None:
    """Keep refusals."""
    _ADD.run(execute, flat)


def find(execute: Execute, tenant: int, name: str, keys: Iterable[str]) -> dict[str, list[Refused]]:
    """What was refused under keys."""
    found: dict[str, list[Refused]] = {}
    for number, key, *rest in execute(
        """SELECT number, key, at, code, rule, why, config FROM refusal WHERE tenant = ?
        AND key IN (SELECT CAST(value AS TEXT) FROM carray(?)) ORDER BY id""",
        (tenant, texts(keys)),
    ):
        found.setdefault(key, []).append(Refused(name, number, key, *rest))
    return found


def of_phones(execute: Execute, phones: Iterable[str], limit: int) -> list[Refused]:
    """What was refused to phones, the newest first."""
    rows = execute(
        """SELECT name, number, key, at, code, rule, why, config FROM refusal
        JOIN tenant ON tenant.id = refusal.tenant
        WHERE number IN (SELECT CAST(value AS TEXT) FROM carray(?)) ORDER BY refusal.id DESC
        LIMIT ?""",
        (texts(phones), limit),
    )
    return [Refused(*row) for row in rows]


def forget(session: Session, before: float, limit: int) -> int:
    """Forget some that are too old, or too many; returns how many."""
    session.execute(
        """DELETE FROM refusal WHERE id IN (SELECT id FROM refusal ORDER BY id LIMIT ?1)
        AND (at < ?2 OR id <= (SELECT max(id) FROM refusal) - ?3)""",
        (limit, before, MOST_REFUSED),
    )
    return session.connection.changes()

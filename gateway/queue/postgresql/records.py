"""Records that are only ever added to: consents, and the versions of templates."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.numbers import canonical
from gateway.queue.consents import RECORDS, Consent, is_new
from gateway.queue.filter import BitFilter
from gateway.queue.postgresql import statements
from gateway.queue.postgresql.arrays import float8s, int4s, int8s, maybe_octets, octets, texts
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.session import Session, Work, every
from gateway.queue.store import VERSIONS, TemplateChange, TemplateVersion

SQL: Final = statements.load("records")


def rows(changes: Sequence[Consent]) -> list[Consent]:
    """Records under the number that stands for their phone."""
    return [change._replace(number=canonical(change.number)) for change in changes]


def add(session: Session, changes: Sequence[Consent]) -> list[bool]:
    """Add records that say something new, in order; says which did."""
    known: dict[tuple[str, str], list[Consent]] = {}
    last: dict[tuple[str, str], int] = {}
    for tenant in dict.fromkeys(change.tenant for change in changes):
        asked = texts({change.number for change in changes if change.tenant == tenant})
        found = session.execute(SQL["consents"], {"tenant": tenant, "numbers": asked})
        for row in found.fetchall():
            known.setdefault((tenant, row[0]), []).append(_consent(tenant, row))
            last[tenant, row[0]] = row[1]
    new, added = [], list[tuple[int, int, Consent]]()
    dropped: dict[tuple[int, str], int] = {}
    for change in changes:
        key = change.tenant, change.number
        records = known.setdefault(key, [])
        new.append(is_new(records, change))
        if not new[-1]:
            continue
        records.append(change)
        n = last[key] = last.get(key, 0) + 1
        added.append((session.tenant(change.tenant), n, change))
        if len(records) > RECORDS:
            dropped[added[-1][0], change.number] = n - RECORDS
    if added:
        session.execute(SQL["add_consent"], _columns(added))
    for (tenant_number, number), n in dropped.items():
        values = {"tenant": tenant_number, "number": number, "n": n}
        session.execute(SQL["drop_consents"], values)
    return new


def work(changes: Sequence[Consent]) -> Work[list[bool]]:
    """Adds records in a transaction."""

    def done(session: Session) -> Callable[[], list[bool]]:
        new = add(session, changes)
        return lambda: new

    return done


def _columns(added: Sequence[tuple[int, int, Consent]]) -> dict[str, Any]:
    said = [one for _, _, one in added]
    return {
        "tenants": int4s([tenant for tenant, _, _ in added]),
        "numbers": texts(one.number for one in said),
        "ns": int8s([n for _, n, _ in added]),
        "purposes": octets([one.purpose.encode() for one in said]),
        "states": texts(one.state for one in said),
        "ats": float8s([one.at for one in said]),
        "sources": octets([one.source.encode() for one in said]),
        "wordings": maybe_octets([_encoded(one.wording) for one in said]),
        "bys": maybe_octets([_encoded(one.by) for one in said]),
    }


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _consent(tenant: str, row: Sequence[Any]) -> Consent:
    number, _, purpose, state, at, source, *more = row
    wording, by = (None if one is None else bytes(one).decode() for one in more)
    said, how = bytes(purpose).decode(), bytes(source).decode()
    return Consent(tenant, number, said, state, at, how, wording, by)


def find(connection: Connected, tenant: str, asked: set[str]) -> dict[str, list[Consent]]:
    """The records of phones with a tenant, in the order in which they came in."""
    values = {"tenant": tenant, "numbers": texts(asked)}
    found: dict[str, list[Consent]] = {}
    for row in connection.cursor(binary=True).execute(SQL["consents"], values):
        found.setdefault(row[0], []).append(_consent(tenant, row))
    return found


def load_withdrawals(connection: Connected) -> BitFilter:
    """The filter of all phones that forbade something, or did once."""
    found = BitFilter()
    found.include(every(connection.cursor(binary=True).execute(SQL["withdrawals"])))
    return found


def page(connection: Connected, tenant: str, after: str, limit: int) -> list[Consent]:
    """All records of the next phones of a tenant."""
    values = {"tenant": tenant, "after": after, "limit": limit}
    found = connection.cursor(binary=True).execute(SQL["consent_list"], values)
    return [_consent(tenant, row) for row in found]


def put_templates(changes: Sequence[TemplateChange]) -> Work[list[int]]:
    """Adds versions of templates; gives their numbers."""

    def done(session: Session) -> Callable[[], list[int]]:
        given = []
        for change in changes:
            what = {"tenant": session.tenant(change.tenant), "name": change.name.encode()}
            values = what | {"at": change.at, "body": change.body}
            [[version]] = session.execute(SQL["put_template"], values).fetchall()
            session.execute(SQL["drop_templates"], what | {"version": version - VERSIONS})
            given.append(int(version))
        return lambda: given

    return done


def template_changes(connection: Connected) -> int:
    """The sum of all versions: of one that is added it grows by more than by the one that goes."""
    [[found]] = connection.cursor(binary=True).execute(SQL["template_changes"])
    return int(found)


def templates(connection: Connected) -> list[TemplateVersion]:
    """The newest version of every template that is not deleted."""
    return [_version(row) for row in connection.cursor(binary=True).execute(SQL["templates"])]


def versions(connection: Connected, tenant: str, name: str) -> list[TemplateVersion]:
    """The versions that are kept of a template, the oldest first."""
    values = {"tenant": tenant, "name": name.encode()}
    found = connection.cursor(binary=True).execute(SQL["template_versions"], values)
    return [_version(row) for row in found]


def _version(row: Sequence[Any]) -> TemplateVersion:
    tenant, name, version, at, body = row
    return TemplateVersion(tenant, bytes(name).decode(), version, at, bytes(body))

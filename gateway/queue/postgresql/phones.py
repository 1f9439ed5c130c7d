"""What is known of phones that texts do not reach, and what was not accepted at all."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from gateway.numbers import canonical
from gateway.queue.failing import Failing, Strike, after
from gateway.queue.postgresql import statements
from gateway.queue.postgresql.arrays import float8s, octets, texts
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.session import Session, Work
from gateway.queue.store import Refused

SQL: Final = statements.load("records")

Struck = dict[str, dict[str, list[Strike]]]
"""Failures by tenant and phone."""


def struck(strikes: Sequence[Strike]) -> Struck:
    """Failures by the number that stands for the phone."""
    found: Struck = {}
    for one in strikes:
        found.setdefault(one.tenant, {}).setdefault(canonical(one.number), []).append(one)
    return found


def heard(of: Sequence[tuple[str, str]]) -> dict[str, set[str]]:
    """Phones that were heard of, by tenant."""
    found: dict[str, set[str]] = {}
    for tenant, number in of:
        found.setdefault(tenant, set()).add(canonical(number))
    return found


def note(session: Session, strikes: Struck, there: dict[str, set[str]]) -> None:
    """Put failures down, and forget those of phones that were heard of, which come before them."""
    for tenant, numbers in there.items():
        values = {"tenant": session.tenant(tenant), "numbers": texts(numbers)}
        session.execute(SQL["heard"], values)
    for tenant, phones in strikes.items():
        asked = {"tenant": session.tenant(tenant), "numbers": texts(phones)}
        known = {
            number: Failing(tuple(times), until, expires)
            for number, times, until, expires in session.execute(SQL["failing"], asked).fetchall()
        }
        for number, of_phone in phones.items():
            new = after(known.get(number, Failing()), of_phone)
            put = {"tenant": asked["tenant"], "number": number, **new._asdict()}
            session.execute(SQL["put_failing"], put | {"times": float8s(new.times)})


def unreachable(connection: Connected, tenant: str, asked: set[str]) -> dict[str, float]:
    """Until when phones are unreachable for a tenant; others are left out."""
    values = {"tenant": tenant, "numbers": texts(asked)}
    return dict(connection.cursor(binary=True).execute(SQL["unreachable"], values).fetchall())


def some(connection: Connected) -> bool:
    """Whether any phone is failing at all."""
    return bool(connection.execute(SQL["failing_some"]).fetchall())


def refuse(refused: Sequence[Refused]) -> Work[None]:
    """Keeps what was not accepted."""

    def work(session: Session) -> Callable[[], None]:
        for one in refused:
            values = one._asdict() | {
                "tenant": session.tenant(one.tenant),
                "number": canonical(one.number).encode(),
                "key": None if one.key is None else one.key.encode(),
                "why": one.why.encode(),
            }
            session.execute(SQL["refuse"], values)
        return lambda: None

    return work


def refusals(connection: Connected, tenant: str, keys: Sequence[str]) -> dict[str, list[Refused]]:
    """What was refused under keys."""
    values = {"tenant": tenant, "keys": octets([key.encode() for key in keys])}
    found: dict[str, list[Refused]] = {}
    for number, key, at, code, rule, why, config in connection.cursor(binary=True).execute(
        SQL["refusals"], values
    ):
        name, phone, told = (bytes(one).decode() for one in (key, number, why))
        one = Refused(tenant, phone, name, at, code, rule, told, config)
        found.setdefault(name, []).append(one)
    return found


def of_phones(connection: Connected, asked: Collection[str], limit: int) -> list[Refused]:
    """What was refused to phones, the newest first."""
    values = {"phones": octets([phone.encode() for phone in asked]), "limit": limit}
    return [
        Refused(
            tenant,
            bytes(number).decode(),
            None if key is None else bytes(key).decode(),
            at,
            code,
            rule,
            bytes(why).decode(),
            config,
        )
        for tenant, number, key, at, code, rule, why, config in connection.cursor(binary=True)
        .execute(SQL["refused_to"], values)
        .fetchall()
    ]

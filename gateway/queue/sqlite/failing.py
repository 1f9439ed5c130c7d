"""The phones that texts do not reach, a row for each: see `gateway.queue.failing`."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from gateway.numbers import canonical
from gateway.queue.failing import Failing, Strike, after
from gateway.queue.sqlite.bulk import Execute, Rows, texts
from gateway.queue.sqlite.session import Session

_PUT: Final = Rows.inserted("OR REPLACE INTO failing", 5)
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(tuple[float, ...]).decode


class FailingRows(NamedTuple):
    """Failures by tenant and phone, and the phones that were heard of, which come before them."""

    struck: dict[tuple[int, str], list[Strike]]
    heard: list[tuple[int, str]]


def rows(
    session: Session, strikes: Sequence[Strike], heard: Sequence[tuple[str, str]]
) -> FailingRows | None:
    """What a settlement says of phones, None where that is nothing."""
    if not strikes and not heard:
        return None
    number_of = session.tenants.number
    found: dict[tuple[int, str], list[Strike]] = {}
    for strike in strikes:
        key = number_of(strike.tenant), canonical(strike.number)
        found.setdefault(key, []).append(strike)
    return FailingRows(found, [(number_of(one), canonical(number)) for one, number in heard])


def settle(execute: Execute, changes: FailingRows) -> None:
    """Put failures down, and forget those of phones that were heard of."""
    for tenant in {tenant for tenant, _ in changes.heard}:
        phones = [number for of, number in changes.heard if of == tenant]
        execute(
            """DELETE FROM failing WHERE tenant = ?
            AND number IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
            (tenant, texts(phones)),
        )
    flat: list[Any] = []
    for tenant in {tenant for tenant, _ in changes.struck}:
        phones = [number for of, number in changes.struck if of == tenant]
        known = {
            number: Failing(_decode(times), until, expires)
            for number, times, until, expires in execute(
                """SELECT number, times, until, expires FROM failing WHERE tenant = ?
                AND number IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
                (tenant, texts(phones)),
            )
        }
        for number in phones:
            new = after(known.get(number, Failing()), changes.struck[tenant, number])
            flat += (tenant, number, _encode(new.times).decode(), new.until, new.expires)
    _PUT.run(execute, flat)


def find(execute: Execute, tenant: int, phones: Iterable[str]) -> dict[str, float]:
    """Until when phones are unreachable for a tenant; others are left out."""
    return dict(
        execute(
            """SELECT number, until FROM failing WHERE tenant = ? AND until > 0
            AND number IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
            (tenant, texts(phones)),
        )
    )


def some(execute: Execute) -> bool:
    """Whether any phone is failing at all."""
    return bool(list(execute("SELECT 1 FROM failing LIMIT 1")))


def forget(session: Session, now: float, limit: int) -> int:
    """Forget phones of which nothing matters any more; returns how many."""
    session.execute(
        """DELETE FROM failing WHERE (tenant, number) IN
        (SELECT tenant, number FROM failing WHERE expires < ? LIMIT ?)""",
        (now, limit),
    )
    return int(session.connection.changes())

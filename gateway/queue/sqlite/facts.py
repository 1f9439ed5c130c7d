"""What rules want to know of a batch, asked in one read: see `gateway.queue.store.Store.facts`."""

from collections.abc import Callable, Iterable, Sequence

from gateway.facts import Facts, Wants
from gateway.numbers import canonical
from gateway.queue.filter import BitFilter
from gateway.queue.sqlite.bulk import Execute, decode_texts, texts
from gateway.queue.sqlite.schema import GLOBAL_SCOPE
from gateway.queue.sqlite.session import Session


def lookup(
    tenant: str, numbers: Sequence[str], wants: Wants, session: Session, optouts: BitFilter
) -> Callable[[Execute], Facts] | None:
    """What looks facts up, None where it is known from memory that there are none."""
    if not numbers or "optouts" not in wants or optouts.empty:
        return None
    phones = list(map(canonical, numbers))
    perhaps = optouts.maybe(phones)
    if not perhaps:
        return None
    own = session.tenants.known(tenant)
    scopes = [GLOBAL_SCOPE] if own is None else [GLOBAL_SCOPE, own]

    def look_up(execute: Execute) -> Facts:
        out = _opted_out(execute, scopes, perhaps)
        pairs = zip(numbers, phones, strict=True)
        return Facts(opted_out={number for number, phone in pairs if phone in out})

    return look_up


def _opted_out(execute: Execute, scopes: Iterable[int], asked: Iterable[str]) -> set[str]:
    """Those of ``asked`` that are opted out in one of the scopes."""
    return {number for scope in scopes for number in stored_numbers(execute, scope, asked)}


def stored_numbers(execute: Execute, scope: int, asked: Iterable[str]) -> list[str]:
    """Those of ``asked`` that are opted out in a scope."""
    [[found]] = execute(
        """SELECT json_group_array(number) FROM optout WHERE scope = ?
        AND number IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
        (scope, texts(asked)),
    )
    return decode_texts(found)

"""What rules want to know of a batch, asked in one read: see `gateway.queue.store.Store.facts`."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec import structs

from gateway.facts import Facts, Use, Wants
from gateway.numbers import canonical
from gateway.queue.consents import allowed, withdrawn
from gateway.queue.filter import BitFilter
from gateway.queue.sqlite import accounts, consents, failing, uses
from gateway.queue.sqlite.bulk import Execute, decode_texts, texts
from gateway.queue.sqlite.schema import GLOBAL_SCOPE
from gateway.queue.sqlite.session import Session


def lookup(
    tenant: str,
    numbers: Sequence[str],
    wants: Wants,
    session: Session,
    optouts: BitFilter,
    withdrawals: BitFilter,
    used: Collection[str],
) -> Callable[[Execute], Facts] | None:
    """What looks facts up, None where it is known from memory that there are none; ``used`` are the
    phones that may have rows of what counts."""
    if not numbers or not (wants or used):
        return None
    asks_optouts = "optouts" in wants and not optouts.empty
    own = session.tenants.known(tenant)
    asks_consents = "consents" in wants and own is not None
    asks_uses = bool(used) and own is not None
    asks_failing = "unreachable" in wants and own is not None
    asks_spent = "spent" in wants and own is not None
    asks_more = asks_consents or asks_uses or asks_failing or asks_spent
    asks_withdrawals = "withdrawals" in wants and own is not None and not withdrawals.empty
    if not (asks_optouts or asks_withdrawals or asks_more):
        return None
    phones = list(map(canonical, numbers))
    perhaps = optouts.maybe(phones) if asks_optouts else set()
    forbidden = withdrawals.maybe(phones) if asks_withdrawals else set()
    if not (perhaps or forbidden or asks_more):
        return None

    def look_up(execute: Execute) -> Facts:
        pairs = list(zip(numbers, phones, strict=True))
        scopes = [GLOBAL_SCOPE] if own is None else [GLOBAL_SCOPE, own]
        stored = _opted_out(execute, scopes, perhaps) if perhaps else set()
        out = {number for number, phone in pairs if phone in stored}
        if own is None:
            return Facts(opted_out=out)
        given: dict[str, frozenset[str]] = {}
        refused: dict[str, frozenset[str]] = {}
        if asks_consents or forbidden:
            asked = set(phones) if asks_consents else forbidden
            records = consents.find(execute, own, tenant, asked)
            known = [(number, records[phone]) for number, phone in pairs if phone in records]
            if asks_consents:
                given = {number: purposes for number, of in known if (purposes := allowed(of))}
            if forbidden:
                refused = {number: purposes for number, of in known if (purposes := withdrawn(of))}
        counting = uses.find(execute, own, used) if asks_uses else {}
        silent: dict[str, float] = {}
        if asks_failing and (untils := failing.find(execute, own, set(phones))):
            silent = {number: untils[phone] for number, phone in pairs if phone in untils}
        spent = accounts.find(execute, own) if asks_spent else {}
        return Facts(
            opted_out=out,
            withdrawn=refused,
            consents=given,
            uses=counting,
            unreachable=silent,
            spent=spent,
        )

    return look_up


def with_reserved(facts: Facts, reserved: Mapping[str, Sequence[Use]]) -> Facts:
    """Facts with what counted before they were looked up, but for what they know by now."""
    counting = dict(facts.uses)
    for phone, some in reserved.items():
        stored = counting.get(phone, ())
        there = {one.message for one in stored}
        counting[phone] = [*stored, *(one for one in some if one.message not in there)]
    return structs.replace(facts, uses=counting)


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

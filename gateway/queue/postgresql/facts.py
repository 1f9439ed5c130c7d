"""What rules want to know of a batch, asked in one go: see `gateway.queue.store.Store.facts`."""

from collections.abc import Callable, Sequence

from gateway.facts import Facts, Wants
from gateway.numbers import canonical
from gateway.queue.consents import allowed, withdrawn
from gateway.queue.filter import BitFilter
from gateway.queue.postgresql import accounts, optouts, phones, reading, records
from gateway.queue.postgresql.connecting import Connected


def lookup(
    tenant: str,
    numbers: Sequence[str],
    wants: Wants,
    opted_out: BitFilter,
    withdrawals: BitFilter,
    nobody: Wants,
) -> Callable[[Connected], Facts] | None:
    """What looks facts up, None where it is known from memory that there are none: by the filters,
    and as ``nobody`` has any of some."""
    asks = wants - nobody
    if not numbers or not asks:
        return None
    spellings = list(map(canonical, numbers))
    out = opted_out.maybe(spellings) if "optouts" in asks else set()
    forbidden = withdrawals.maybe(spellings) if "withdrawals" in asks else set()
    if not (out or forbidden or asks - {"optouts", "withdrawals"}):
        return None

    def look_up(connection: Connected) -> Facts:
        asked, pairs = set(spellings), list(zip(numbers, spellings, strict=True))
        stored = optouts.opted_out(connection, tenant, out) if out else ()
        of_phone = asked if "consents" in asks else forbidden
        kept = records.find(connection, tenant, of_phone) if of_phone else {}
        known = [(number, kept[phone]) for number, phone in pairs if phone in kept]
        given = {n: purposes for n, of in known if (purposes := allowed(of))}
        refused = {n: purposes for n, of in known if (purposes := withdrawn(of))}
        silent = phones.unreachable(connection, tenant, asked) if "unreachable" in asks else {}
        return Facts(
            opted_out={number for number, phone in pairs if phone in stored},
            withdrawn=refused if "withdrawals" in asks else {},
            consents=given if "consents" in asks else {},
            uses=reading.uses(connection, tenant, asked) if "uses" in asks else {},
            unreachable={number: silent[phone] for number, phone in pairs if phone in silent},
            spent=accounts.find(connection, tenant) if "spent" in asks else {},
        )

    return look_up

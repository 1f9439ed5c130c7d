"""What the tests of stores ask again and again."""

from collections.abc import Collection, Sequence

from gateway.facts import OPTOUTS
from gateway.queue.store import Store


async def opted_out(store: Store, tenant: str, numbers: Sequence[str]) -> Collection[str]:
    """Those of ``numbers`` that are opted out of a tenant's texts."""
    return (await store.facts(tenant, numbers, OPTOUTS)).opted_out

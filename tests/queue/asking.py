"""What the tests of stores ask again and again."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final

from gateway.facts import OPTOUTS
from gateway.queue.operators import Owing
from gateway.queue.store import Ref, Store

DEADLINE: Final = 9e8
"""Until when carriers owe a receipt."""

Asks = Callable[[Any], Awaitable[object]]

SINGLE: Final[Sequence[tuple[Asks, int]]] = [
    (lambda s: s.find("acme", [2], []), 1),
    (lambda s: s.find_any(2), 1),
    (lambda s: s.put_back([2]), 1),
    (lambda s: s.leased(0, 10), 0),
    (lambda s: s.search(["447911123456"], None, 10), 0),
    (lambda s: s.match([Ref("alpha", "r2")]), 1),
    (lambda s: s.owed_count(Owing("alpha", 9e9, 0.0)), 1),
    (lambda s: s.owed(Owing("alpha", 9e9, 0.0), "", 10), 1),
    (lambda s: s.requeue(Owing("alpha", 9e9, 0.0), [2], 1.0), 1),
    (lambda s: s.overdue(DEADLINE, 10), 1),
]
"""What is asked of single messages, number 2 among them; and of two rows of chunks that arrived,
one of which has it, how many there are afterwards."""


async def opted_out(store: Store, tenant: str, numbers: Sequence[str]) -> Collection[str]:
    """Those of ``numbers`` that are opted out of a tenant's texts."""
    return (await store.facts(tenant, numbers, OPTOUTS)).opted_out

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.queue.memory import MemoryStore
from gateway.queue.operators import OperatorStore
from gateway.queue.sqlite import SqliteStore
from tests.security.running import Peer, Running, running

STORES: dict[str, Callable[[Path], OperatorStore]] = {
    "memory": lambda _: MemoryStore(),
    "sqlite": lambda folder: SqliteStore(str(folder / "gateway.db")),
}


@pytest.fixture(params=STORES)
async def gateway(request: Any, tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway on each store, with the tenants acme and rival."""
    async with running(STORES[request.param](tmp_path), tmp_path, refusal_delay=0.0) as found:
        yield found


@pytest.fixture
async def acme(gateway: Running) -> Peer:
    return await gateway.tenant("acme")


@pytest.fixture
async def rival(gateway: Running) -> Peer:
    return await gateway.tenant("rival")

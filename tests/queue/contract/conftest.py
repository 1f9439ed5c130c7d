"""Every test of this package runs on every engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.queue.store import Store
from tests.queue.contract.rig import ENGINES, Rig


@pytest.fixture(params=list(ENGINES))
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(ENGINES[request.param](tmp_path))
    await rig.store.open()
    yield rig
    await rig.aclose()


@pytest.fixture
def store(rig: Rig) -> Store:
    return rig.store

"""Phones that texts do not reach, asked of every engine: learnt with outcomes, and forgotten."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from gateway.facts import UNREACHABLE
from gateway.queue.failing import Failing, Strike, after
from gateway.queue.memory import MemoryStore
from gateway.queue.sqlite import SqliteStore
from gateway.queue.store import Settlement, Store

PHONE, OTHER = "447911123456", "447911123457"
DAY = 86_400.0


class Rig:
    """A store under a clock that the test sets."""

    def __init__(self, engine: str, folder: Path) -> None:
        self.now = 1_000.0
        self._engine, self._folder = engine, folder
        self.store = self._made()

    def _made(self) -> Store:
        if self._engine == "memory":
            return MemoryStore(lambda: self.now)
        return SqliteStore(str(self._folder / "store.db"), clock=lambda: self.now)

    async def restart(self) -> None:
        await self.store.aclose()
        if self._engine == "sqlite":
            self.store = self._made()
        await self.store.open()

    async def strike(
        self, at: float, failures: int, keep: float, *, number: str = PHONE, tenant: str = "acme"
    ) -> None:
        one = Strike(tenant, number, at, failures, 14 * DAY, keep)
        await self.store.settle(Settlement(strikes=[one]))

    async def until(
        self, numbers: Sequence[str] = (PHONE,), tenant: str = "acme"
    ) -> dict[str, float]:
        found = await self.store.facts(tenant, numbers, UNREACHABLE)
        return dict(found.unreachable)


@pytest.fixture(params=["memory", "sqlite"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(request.param, tmp_path)
    await rig.store.open()
    yield rig
    await rig.store.aclose()


async def test_one_failure_may_be_enough(rig: Rig) -> None:
    assert await rig.until() == {}
    await rig.strike(1_000, 1, 90 * DAY)
    assert await rig.until((PHONE, OTHER)) == {PHONE: 1_000 + 90 * DAY}
    assert await rig.until(tenant="umbrella") == {}
    await rig.restart()
    assert await rig.until() == {PHONE: 1_000 + 90 * DAY}


async def test_several_failures_in_a_time(rig: Rig) -> None:
    await rig.strike(0, 3, 30 * DAY)
    await rig.strike(1 * DAY, 3, 30 * DAY)
    assert await rig.until() == {}
    await rig.strike(14.5 * DAY, 3, 30 * DAY)  # the first one is too long ago
    assert await rig.until() == {}
    await rig.restart()
    await rig.strike(14.6 * DAY, 3, 30 * DAY)
    assert await rig.until() == {PHONE: 44.6 * DAY}


async def test_several_of_one_settlement_count(rig: Rig) -> None:
    strikes = [Strike("acme", PHONE, float(at), 3, DAY, DAY) for at in range(3)]
    await rig.store.settle(Settlement(strikes=strikes))
    assert await rig.until() == {PHONE: 2 + DAY}


async def test_a_phone_that_is_heard_of_is_there(rig: Rig) -> None:
    await rig.strike(1_000, 1, DAY)
    await rig.strike(1_000, 1, DAY, tenant="umbrella")
    await rig.store.settle(Settlement(heard=[("acme", PHONE), ("acme", OTHER)]))
    assert await rig.until() == {}
    assert await rig.until(tenant="umbrella") == {PHONE: 1_000 + DAY}
    await rig.strike(2_000, 2, DAY)  # the first failure is forgotten
    assert await rig.until() == {}


async def test_a_phone_is_the_same_in_all_its_spellings(rig: Rig) -> None:
    await rig.strike(1_000, 1, DAY, number="5215512345678")
    assert await rig.until(("525512345678",)) == {"525512345678": 1_000 + DAY}


async def test_what_matters_no_more_is_forgotten(rig: Rig) -> None:
    await rig.strike(1_000, 1, 90 * DAY)
    await rig.strike(1_000, 3, 30 * DAY, number=OTHER)
    rig.now = 1_000 + 14 * DAY + 1
    assert await rig.store.prune(0.0, 100) == 1
    assert await rig.store.prune(0.0, 100) == 0
    assert await rig.until() == {PHONE: 1_000 + 90 * DAY}
    rig.now = 1_000 + 90 * DAY + 1
    assert await rig.store.prune(0.0, 100) == 1
    assert await rig.until() == {}


def test_a_longer_time_is_not_shortened() -> None:
    never = Strike("acme", PHONE, 0.0, 1, 14 * DAY, 90 * DAY)
    often = [Strike("acme", PHONE, float(at), 3, 14 * DAY, 30 * DAY) for at in range(1, 40)]
    known = after(Failing(), [never, *often])
    assert known.until == 90 * DAY
    assert len(known.times) == 16

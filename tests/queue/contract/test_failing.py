"""Phones that texts do not reach, asked of every engine: learnt with outcomes, and forgotten."""

from collections.abc import Sequence

from gateway.facts import UNREACHABLE
from gateway.queue.failing import Failing, Strike, after
from gateway.queue.store import Settlement
from tests.queue.contract.rig import Rig

PHONE, OTHER = "447911123456", "447911123457"
DAY = 86_400.0


async def strike(
    rig: Rig, at: float, failures: int, keep: float, *, number: str = PHONE, tenant: str = "acme"
) -> None:
    one = Strike(tenant, number, at, failures, 14 * DAY, keep)
    await rig.store.settle(Settlement(strikes=[one]))


async def until(
    rig: Rig, numbers: Sequence[str] = (PHONE,), tenant: str = "acme"
) -> dict[str, float]:
    found = await rig.store.facts(tenant, numbers, UNREACHABLE)
    return dict(found.unreachable)


async def test_one_failure_may_be_enough(rig: Rig) -> None:
    assert await until(rig) == {}
    await strike(rig, 1_000, 1, 90 * DAY)
    assert await until(rig, (PHONE, OTHER)) == {PHONE: 1_000 + 90 * DAY}
    assert await until(rig, tenant="umbrella") == {}
    await rig.reopen()
    assert await until(rig) == {PHONE: 1_000 + 90 * DAY}


async def test_several_failures_in_a_time(rig: Rig) -> None:
    await strike(rig, 0, 3, 30 * DAY)
    await strike(rig, 1 * DAY, 3, 30 * DAY)
    assert await until(rig) == {}
    await strike(rig, 14.5 * DAY, 3, 30 * DAY)  # the first one is too long ago
    assert await until(rig) == {}
    await rig.reopen()
    await strike(rig, 14.6 * DAY, 3, 30 * DAY)
    assert await until(rig) == {PHONE: 44.6 * DAY}


async def test_several_of_one_settlement_count(rig: Rig) -> None:
    strikes = [Strike("acme", PHONE, float(at), 3, DAY, DAY) for at in range(3)]
    await rig.store.settle(Settlement(strikes=strikes))
    assert await until(rig) == {PHONE: 2 + DAY}


async def test_a_phone_that_is_heard_of_is_there(rig: Rig) -> None:
    await strike(rig, 1_000, 1, DAY)
    await strike(rig, 1_000, 1, DAY, tenant="umbrella")
    await rig.store.settle(Settlement(heard=[("acme", PHONE), ("acme", OTHER)]))
    assert await until(rig) == {}
    assert await until(rig, tenant="umbrella") == {PHONE: 1_000 + DAY}
    await strike(rig, 2_000, 2, DAY)  # the first failure is forgotten
    assert await until(rig) == {}


async def test_a_phone_is_the_same_in_all_its_spellings(rig: Rig) -> None:
    await strike(rig, 1_000, 1, DAY, number="5215512345678")
    assert await until(rig, ("525512345678",)) == {"525512345678": 1_000 + DAY}


async def test_what_matters_no_more_is_forgotten(rig: Rig) -> None:
    await strike(rig, 1_000, 1, 90 * DAY)
    await strike(rig, 1_000, 3, 30 * DAY, number=OTHER)
    rig.now = 1_000 + 14 * DAY + 1
    assert await rig.store.prune(0.0, 100) == 1
    assert await rig.store.prune(0.0, 100) == 0
    assert await until(rig) == {PHONE: 1_000 + 90 * DAY}
    rig.now = 1_000 + 90 * DAY + 1
    assert await rig.store.prune(0.0, 100) == 1
    assert await until(rig) == {}


def test_a_longer_time_is_not_shortened() -> None:
    never = Strike("acme", PHONE, 0.0, 1, 14 * DAY, 90 * DAY)
    often = [Strike("acme", PHONE, float(at), 3, 14 * DAY, 30 * DAY) for at in range(1, 40)]
    known = after(Failing(), [never, *often])
    assert known.until == 90 * DAY
    assert len(known.times) == 16

"""Imports that hold all or not at all."""

from itertools import count
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from gateway.api.schema import ConsentRow, Imported, Into
from gateway.dispatch.serving import imports
from gateway.errors import RequestError, StoreError
from gateway.queue.store import OptoutChange

PHONES = ("447400123456", "447400123457", "447400123458")


async def out(world: Any, *numbers: str) -> list[str]:
    """Those that are opted out."""
    results = await world.service.optout("acme", "check", numbers or PHONES)
    return [one.number for one in results if one.opted_out]


parts = count()


def part() -> Into:
    return Into("spring", next(parts))


async def stage(world: Any, *numbers: str, action: str = "add") -> list[Any]:
    results = await world.service.optout("acme", action, numbers, "import", part())
    return [getattr(one, "number", None) for one in results]


async def finish(world: Any, size: int, name: str = "spring") -> Imported:
    with trio.fail_after(30):
        while (known := await world.service.apply("acme", name, size)).rest:
            pass
    assert isinstance(known, Imported)
    return known


async def test_opt_outs_hold_once_all_have_come(world: Any, autojump_clock: MockClock) -> None:
    assert await stage(world, PHONES[0], "nobody", PHONES[1]) == [PHONES[0], None, PHONES[1]]
    assert await stage(world, PHONES[2], PHONES[0]) == [PHONES[2], PHONES[0]]
    await trio.sleep(3 * imports.LOOK)
    assert await out(world) == []
    assert await finish(world, 4) == Imported(4, 0, 3)
    assert await out(world) == [*PHONES]
    [held] = (await world.service.optout("acme", "check", PHONES[:1]))[0].held_by
    assert held.source == "import"
    assert world.metrics.optouts.values() == {("acme", "import", "add"): 3}
    assert await finish(world, 4) == Imported(4, 0, 3), "who asks again learns the same"


async def test_a_part_of_an_import_never_holds(world: Any, autojump_clock: MockClock) -> None:
    await stage(world, *PHONES)
    for size in (2, 4):
        with pytest.raises(
            RequestError, match=f"size: 3 changes are staged as 'spring', not {size}"
        ):
            await world.service.apply("acme", "spring", size)
    with pytest.raises(RequestError, match="size: 0 changes are staged as 'winter', not 3"):
        await world.service.apply("acme", "winter", 3)
    with pytest.raises(RequestError, match="size: 0 changes"):
        await world.service.apply("umbrella", "spring", 3)
    await trio.sleep(3 * imports.LOOK)
    assert await out(world) == []


async def test_an_import_that_was_applied_takes_no_more(
    world: Any, autojump_clock: MockClock
) -> None:
    await stage(world, PHONES[0])
    await finish(world, 1)
    with pytest.raises(RequestError, match="import: 'spring' was applied; take another name"):
        await stage(world, PHONES[1])
    assert await finish(world, 2) == Imported(1, 0, 1), "it holds, whatever is asked of it"
    assert await out(world) == [PHONES[0]]


async def test_an_import_is_bounded(
    world: Any, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "LARGEST", 2)
    await stage(world, *PHONES[:2])
    with pytest.raises(RequestError, match="import: more than 2 changes; split it"):
        await stage(world, PHONES[2])


async def test_a_list_that_takes_opt_outs_back_takes_back_no_later_ones(
    world: Any, autojump_clock: MockClock
) -> None:
    await world.service.optout("acme", "add", PHONES[:2])
    await stage(world, *PHONES, action="remove")
    await trio.sleep(60)
    later = OptoutChange("acme", PHONES[1], True, "keyword", world.clock())
    await world.store.optout([later])
    assert (await finish(world, 3)).changed == 2
    assert await out(world) == [PHONES[1]]
    [held] = (await world.service.optout("acme", "check", PHONES[1:2]))[0].held_by
    assert held.source == "keyword"


async def test_consents_are_as_old_as_they_were_staged(
    world: Any, autojump_clock: MockClock
) -> None:
    given, gone = ConsentRow(f"+{PHONES[0]}"), ConsentRow(f"+{PHONES[1]}")
    await world.service.consent("acme", "add", [given, gone, ConsentRow("nobody")], part())
    await world.service.consent("acme", "withdraw", [gone], part())
    assert not any(one.consented for one in await world.service.consent("acme", "check", [given]))
    await trio.sleep(60)
    await world.service.consent("acme", "withdraw", [given])
    assert await finish(world, 3) == Imported(3, 0, 3)
    found = await world.service.consent("acme", "history", [given, gone])
    assert [one.consented for one in found] == [False, False]
    assert [[each.state for each in one.records] for one in found] == [
        ["withdrawn", "given"],
        ["given", "withdrawn"],
    ]
    assert world.metrics.consents.values() == {("acme", "add"): 2, ("acme", "withdraw"): 2}


async def test_what_is_marked_is_carried_out_as_soon_as_the_store_takes_it(
    world: Any, autojump_clock: MockClock
) -> None:
    await stage(world, *PHONES)
    world.store.failing = {"carry_out"}
    assert (await world.service.apply("acme", "spring", 3)).rest == 3
    await trio.sleep(60)
    assert await out(world) == []
    world.store.failing = set()
    await trio.sleep(2 * imports.LOOK)
    assert await out(world) == [*PHONES]


async def test_what_another_node_has_marked_is_carried_out(
    world: Any, autojump_clock: MockClock
) -> None:
    await stage(world, *PHONES)
    await world.store.apply("acme", "spring", 3, world.clock())
    await trio.sleep(2 * imports.LOOK)
    assert await out(world) == [*PHONES]


async def test_a_store_that_fails_stages_nothing(world: Any, autojump_clock: MockClock) -> None:
    world.store.failing = {"stage"}
    with pytest.raises(StoreError):
        await stage(world, *PHONES)
    world.store.failing = set()
    with pytest.raises(RequestError, match="size: 0 changes"):
        await world.service.apply("acme", "spring", 3)

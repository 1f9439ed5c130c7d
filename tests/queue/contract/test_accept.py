"""`Store.accept` and `Store.known`: messages and the keys that they came under."""

from typing import Any

import pytest
import trio

from gateway.errors import StoreError
from gateway.queue.store import Known, Settlement, Store
from tests.queue.contract.rig import LANE, REFUSING, MakeEntry, MakeFinal, Rig, known


async def test_a_message_comes_back_whole(rig: Rig, entry: MakeEntry) -> None:
    full = entry(
        1 << 62,
        key="order-17",
        campaign="spring",
        text="余额 \x00 € 😀",
        report="none",
        attempts=3,
        maybe_duplicate=True,
        due=999.25,
        tlvs=((0x1400, b"1101456700000012345\0"), (0x3FFF, b"\xff")),
        variant="b",
    )
    await rig.store.accept([full])
    await rig.crash()
    assert (await rig.store.lease(full.message.lane, 1_000.0, 10)).messages == [full.message]


async def test_accepting_nothing_is_nothing(store: Store) -> None:
    assert await store.accept([]) == {}


async def test_a_key_seen_before_names_the_first_message(store: Store, entry: MakeEntry) -> None:
    assert await store.accept([entry(1, key="a", digest=-5), entry(2)]) == {}
    again = [entry(3, key="b"), entry(4, key="a", digest=6), entry(5)]
    assert await store.accept(again) == {1: known(1, -5)}
    leased = await store.lease(LANE, 1_000.0, 10)
    assert [m.id for m in leased.messages] == [1, 2, 3, 5]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (1, "ucs2", None)),
        ({"parts": 255, "encoding": "gsm7"}, (255, "gsm7", None)),
        ({"parts": 255, "encoding": "ucs2"}, (255, "ucs2", None)),
        ({"due": 1_792_256_400.0}, (1, "ucs2", 1_792_256_400.0)),
        ({"due": 1_792_256_400.123_456_7}, (1, "ucs2", 1_792_256_400.123_456_7)),
        ({"due": 1_000.000_1}, (1, "ucs2", 1_000.000_1)),
    ],
)
async def test_a_key_tells_what_its_first_message_got(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal, fields: dict[str, Any], expected: Any
) -> None:
    first = entry(1, key="a", digest=-(1 << 63), leased=True, **fields)
    await rig.store.accept([first])
    await rig.store.settle(Settlement(finals=[delivered(first.message)]))
    await rig.crash()
    stands = Known(1, -(1 << 63), *expected)
    assert await rig.store.known("acme", ["a"]) == {"a": stands}
    assert await rig.store.accept([entry(2, key="a")]) == {0: stands}
    twice = [entry(3, key="b", digest=(1 << 63) - 1, **fields), entry(4, key="b")]
    assert await rig.store.accept(twice) == {1: Known(3, (1 << 63) - 1, *expected)}


async def test_a_key_twice_in_one_call(store: Store, entry: MakeEntry) -> None:
    accepted = [entry(n, key="ab"[n % 2], digest=n) for n in range(1, 6)]
    assert await store.accept(accepted) == {2: known(1, 1), 3: known(2, 2), 4: known(1, 1)}
    assert len((await store.lease(LANE, 1_000.0, 10)).messages) == 2


@pytest.mark.parametrize("count", [1, 2, 3, 1_000, 1_025, 2_500])
async def test_every_message_of_a_call_goes_to_its_place(
    store: Store, entry: MakeEntry, count: int
) -> None:
    async def accept(start: int) -> set[int]:
        """Accept messages of two lanes that came at two times; every fifth key comes again."""
        return set(
            await store.accept(
                [
                    entry(
                        start + i,
                        key=f"k{i if i % 5 else start + i}",
                        route="uk" if i % 3 else "de",
                        accepted_at=1_000.0 + i % 2,
                        leased=i % 7 == 6,
                    )
                    for i in range(count)
                ]
            )
        )

    assert await accept(10_000) == set()
    assert await accept(20_000) == {i for i in range(count) if i % 5}
    stored = {10_000 + i for i in range(count)} | {20_000 + i for i in range(0, count, 5)}
    for route in ("uk", "de"):
        waiting = [
            i for i in stored if i % 10_000 % 7 != 6 and bool(i % 10_000 % 3) == (route == "uk")
        ]
        leased = (await store.lease(LANE._replace(route=route), 2_000.0, 10_000)).messages
        assert [m.id for m in leased] == sorted(waiting)
    records, _ = await store.find("acme", sorted(stored), ())
    assert [record and record.updated_at for record in records] == [
        1_000.0 + i % 10_000 % 2 for i in sorted(stored)
    ]


async def test_a_key_is_one_tenants_own(store: Store, entry: MakeEntry) -> None:
    assert await store.accept([entry(1, key="a")]) == {}
    assert await store.accept([entry(2, key="a", tenant="zeta")]) == {}
    assert await store.known("zeta", ["a", "b"]) == {"a": known(2, 1)}
    assert await store.known("acme", ["a"]) == {"a": known(1, 1)}
    assert await store.known("nobody", ["a"]) == {}
    assert await store.known("acme", []) == {}


async def test_keys_may_hold_any_text(rig: Rig, entry: MakeEntry) -> None:
    keys = ["", "a", "a\0b", "a\0c", 'quote " and \\', "键"]
    await rig.store.accept([entry(n, key=key) for n, key in enumerate(keys, 1)])
    await rig.crash()
    assert await rig.store.known("acme", keys) == {k: known(n, 1) for n, k in enumerate(keys, 1)}
    again = await rig.store.accept([entry(n, key=key) for n, key in enumerate(keys, 11)])
    assert again == {n: known(n + 1, 1) for n in range(len(keys))}


async def test_keys_outlive_their_messages(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    first = entry(1, key="a", leased=True)
    await rig.store.accept([first])
    await rig.store.settle(Settlement(finals=[delivered(first.message)]))
    await rig.reopen()
    assert await rig.store.accept([entry(2, key="a")]) == {0: known(1, 1)}


@pytest.mark.parametrize("rig", REFUSING, indirect=True)
async def test_a_call_that_fails_spoils_no_other(store: Store, entry: MakeEntry) -> None:
    await store.accept([entry(5)])
    outcomes: dict[int, bool] = {}

    async def accept(*numbers: int) -> None:
        try:
            await store.accept([entry(n, key=f"k{n}") for n in numbers])
            outcomes[numbers[0]] = True
        except StoreError:
            outcomes[numbers[0]] = False

    async with trio.open_nursery() as nursery:
        for numbers in [(1, 2), (3, 5), (4,)]:
            nursery.start_soon(accept, *numbers)
    assert outcomes == {1: True, 3: False, 4: True}
    assert sorted(await store.known("acme", [f"k{n}" for n in range(9)])) == ["k1", "k2", "k4"]
    leased = await store.lease(LANE, 1_000.0, 10)
    assert [m.id for m in leased.messages] == [1, 2, 4, 5]


async def test_a_cancelled_call_takes_its_course(store: Store, entry: MakeEntry) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await store.accept([entry(1, key="a")])
    assert await store.known("acme", ["a"]) == {"a": known(1, 1)}

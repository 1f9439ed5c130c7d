"""`Store.settle`: receipts for some parts of messages, and when that was the last one."""

import random

from gateway.queue import parts
from gateway.queue.parts import NOT_OWED, SHARED
from gateway.queue.store import (
    Expected,
    Final,
    Owed,
    Progress,
    Ref,
    Sent,
    Settled,
    Settlement,
    Store,
)
from tests.queue.contract.rig import MakeEntry, MakeFinal, Rig

DEADLINE = 9_000.0


async def _send(store: Store, entry: MakeEntry, *expected: Expected, parts: int = 2) -> None:
    """Have messages 1 and 2 sent."""
    entries = [entry(n, leased=True, parts=parts) for n in (1, 2)]
    await store.accept(entries)
    sent = [
        Sent(one.message, "alpha", tuple(f"{n}-{part}" for part in range(parts)), DEADLINE)
        for n, one in enumerate(entries, 1)
    ]
    await store.settle(Settlement(sent=sent, expected=[*expected]))


async def _states(store: Store, message: int) -> bytes:
    ref = Ref("alpha", f"{message}-0")
    return (await store.match([ref]))[ref].states


async def test_the_last_receipt_completes_a_message(rig: Rig, entry: MakeEntry) -> None:
    """It is told to whom brings it, and the message is overdue from then on, though not after a
    repetition."""
    await _send(rig.store, entry)
    assert await rig.store.settle(Settlement(progress=[Progress(1, 1, 2, 2)])) == Settled()
    assert await rig.store.overdue(rig.now, 10) == []
    await rig.crash()
    settled = await rig.store.settle(Settlement(progress=[Progress(1, 0, 5, 2)]))
    assert settled == Settled(complete={1: b"\x05\x02"})
    assert await _states(rig.store, 2) == b"\0\0"
    assert await rig.store.overdue(rig.now, 10) == [
        Owed(entry(1, parts=2).message, b"\x05\x02", 1_000.0)
    ]


async def test_all_receipts_at_once(store: Store, entry: MakeEntry) -> None:
    await _send(store, entry, parts=3)
    told = [Progress(1, part, 2, 3) for part in (2, 0, 1)]
    other = [Progress(2, 0, 2, 3), Progress(2, 2, 8, 3)]
    assert (await store.settle(Settlement(progress=told + other))).complete == {1: b"\2\2\2"}
    assert await _states(store, 2) == b"\2\0\x08"


async def test_the_first_receipt_for_a_part_counts(store: Store, entry: MakeEntry) -> None:
    await _send(store, entry)
    for state in (5, 2):
        assert await store.settle(Settlement(progress=[Progress(1, 0, state, 2)])) == Settled()
    assert await _states(store, 1) == b"\x05\0"


async def test_what_is_expected_goes_before_what_came(store: Store, entry: MakeEntry) -> None:
    one = bytes((NOT_OWED, 0))
    await _send(store, entry, Expected(1, one), Expected(2, bytes((SHARED, 0))))
    assert await _states(store, 1) == one
    settlement = Settlement(
        expected=[Expected(1, bytes((0, NOT_OWED)))],
        progress=[Progress(1, 0, 2, 2), Progress(2, 1, 2, 2)],
    )
    assert (await store.settle(settlement)).complete == {1: bytes((2, NOT_OWED))}
    # The parts of the second share an id: another receipt under it is for the other part.
    settled = await store.settle(Settlement(progress=[Progress(2, 1, 5, 2)]))
    assert settled.complete == {2: b"\x05\x02"}


async def test_what_has_its_outcome_waits_for_nothing(
    store: Store, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await _send(store, entry)
    both = [Progress(n, part, 2, 2) for n in (1, 2) for part in (0, 1)]
    final: list[Final] = [delivered(entry(1, parts=2).message)]
    settled = await store.settle(Settlement(progress=both, finals=final))
    assert settled == Settled(complete={2: b"\x02\x02"})
    assert await store.settle(Settlement(progress=both[:2])) == Settled()
    settled = await store.settle(Settlement(progress=[Progress(8, 0, 2, 1)], finals=final))
    assert settled == Settled(frozenset({1}))


async def test_receipts_in_any_order_come_to_the_same(store: Store, entry: MakeEntry) -> None:
    """What an engine makes of them is what `gateway.queue.parts` says."""
    chance = random.Random(7)
    size = 6
    await _send(store, entry, parts=size)
    for _ in range(40):
        states = bytes(chance.choice((0, 0, 2, SHARED, NOT_OWED)) for _ in range(size))
        came = [
            (chance.randrange(size), chance.choice((2, 5, 8))) for _ in range(chance.randrange(9))
        ]
        known = bytearray(states)
        for part, state in came:
            parts.fill(known, part, state)
        told = [Progress(1, part, state, size) for part, state in came]
        settled = await store.settle(Settlement(expected=[Expected(1, states)], progress=told))
        assert await _states(store, 1) == known
        assert settled.complete == ({1: bytes(known)} if told and parts.complete(known) else {})

"""How many receipts long messages are owed: by their ids, as stated and as learnt."""

from collections.abc import Sequence
from typing import Any

import pytest
import trio

from gateway.dispatch.settling import long_receipts, outcomes
from gateway.dispatch.settling.long_receipts import LongReceipts
from gateway.queue.memory import MemoryStore
from gateway.queue.parts import NOT_OWED, SHARED
from gateway.queue.store import Final, Progress, Ref, Settlement

PHONE = "447400000001"
LONG = "x" * 400  # three parts
N, S = NOT_OWED, SHARED


@pytest.mark.parametrize(
    ("refs", "mode", "came", "marked"),
    [
        (["a", "b", "c"], "auto", [0, 0, 0], [0, 0, 0]),
        (["", "", "c"], "auto", [0, 0, 0], [N, N, 0]),
        (["a", "", ""], "each", [0, 0, 0], [0, N, N]),
        (["a", "", "c"], "one", [2, 0, 0], [2, N, 0]),
        (["", "", ""], "auto", [0, 0, 0], [0, 0, 0]),
        (["a", "a", "a"], "auto", [0, 0, 0], [N, N, 0]),
        (["a", "a", "a"], "one", [0, 0, 0], [N, N, 0]),
        (["a", "a", "a"], "each", [0, 0, 0], [S, S, 0]),
        (["a", "a", "a"], "auto", [2, 0, 0], [N, N, 2]),
        (["a", "a", "a"], "each", [2, 0, 0], [S, S, 2]),
        (["a", "a", "a"], "each", [2, 5, 0], [5, S, 2]),
        (["a", "a", "a"], "each", [2, 2, 2], [2, 2, 2]),
        (["a", "b", "b", ""], "auto", [0, 0, 0, 0], [0, N, 0, N]),
        (["a"], "auto", [0], [0]),
        ([""], "auto", [0], [0]),
    ],
)
def test_what_a_message_is_owed(
    refs: list[str], mode: LongReceipts, came: list[int], marked: list[int]
) -> None:
    states = bytearray(came)
    assert long_receipts.owe(states, refs, mode) is (
        came != marked or len(set(refs)) < len(refs) > 1
    )
    assert list(states) == marked


@pytest.mark.parametrize(
    ("states", "one", "complete", "after"),
    [
        ([0], False, False, [0]),
        ([2], False, True, [2]),
        ([2, 0, 0], False, False, [2, 0, 0]),
        ([2, 0, 0], True, True, [2, N, N]),
        ([0, 0, 0], True, False, [0, 0, 0]),
        ([N, N, 0], True, False, [N, N, 0]),
        ([N, N, 2], False, True, [N, N, 2]),
        ([S, S, 2], False, False, [S, S, 2]),
        ([S, S, 2], True, True, [N, N, 2]),
        ([S, S, 0], True, False, [S, S, 0]),
    ],
)
def test_when_it_has_had_them(
    states: list[int], one: bool, complete: bool, after: list[int]
) -> None:
    found = bytearray(states)
    assert long_receipts.complete(found, one=one) is complete
    assert list(found) == after


# --- messages ---


class Site:
    """A carrier that answers and reports as a test says."""

    def __init__(self, world: Any, make_receipt: Any, place: str) -> None:
        self.world = world
        self.make_receipt = make_receipt
        self.place = place
        self.count = 0

    async def long(self, refs: Sequence[str], *receipts: tuple[str, str]) -> str:
        """A message of three parts under these ids, and these receipts."""
        self.count += 1
        phone = f"44740000{self.count:04}"
        [message] = await self.world.accepted({"to": phone, "text": LONG})
        if self.place == "before the responses":
            await self.receipts(phone, *receipts)
        self.world.bind.reply(ids=refs)
        await self.world.calm()
        if self.place != "before the responses":
            await self.receipts(phone, *receipts)
        found: str = message
        return found

    async def receipts(self, phone: str, *receipts: tuple[str, str]) -> None:
        for ref, stat in receipts:
            if self.place == "in the store":
                self.world.forget_parts()
            await self.world.bind.receipts(self.make_receipt(ref, stat, phone))
            await self.world.calm()

    async def outcome(self, message: str) -> str | None:
        outcomes = await self.world.outcomes()
        found: str | None = outcomes.get(message)
        return found


PLACES = ["in memory", "in the store", "before the responses"]


@pytest.fixture(params=PLACES)
def site(world: Any, make_receipt: Any, request: pytest.FixtureRequest) -> Site:
    return Site(world, make_receipt, request.param)


@pytest.fixture(params=PLACES[:2])
def after(world: Any, make_receipt: Any, request: pytest.FixtureRequest) -> Site:
    """The same where receipts do not come before responses."""
    return Site(world, make_receipt, request.param)


SEPARATE, SAME = ["m1", "m2", "m3"], ["m1", "m1", "m1"]
FIRST, LAST, MIDDLE_LESS = ["m1", "", ""], ["", "", "m1"], ["m1", "", "m3"]
OK, BAD = "DELIVRD", "UNDELIV"


@pytest.mark.parametrize(
    ("mode", "refs", "receipts", "outcome"),
    [
        # one id for all, one receipt
        ("auto", SAME, [("m1", OK)], "delivered"),
        ("auto", SAME, [("m1", BAD)], "failed"),
        ("one", SAME, [("m1", OK)], "delivered"),
        # one id for all, a receipt for each
        ("each", SAME, [("m1", OK)], None),
        ("each", SAME, [("m1", OK), ("m1", OK)], None),
        # the id with one response only
        ("auto", LAST, [("m1", OK)], "delivered"),
        ("auto", FIRST, [("m1", OK)], "delivered"),
        ("each", LAST, [("m1", BAD)], "failed"),
        ("one", FIRST, [("m1", OK)], "delivered"),
        ("auto", MIDDLE_LESS, [("m1", OK)], None),
        ("auto", MIDDLE_LESS, [("m1", OK), ("m3", OK)], "delivered"),
        ("one", MIDDLE_LESS, [("m3", OK)], "delivered"),
        # an id for each, a receipt for each
        ("auto", SEPARATE, [("m1", OK), ("m2", OK)], None),
        ("auto", SEPARATE, [("m1", OK), ("m2", OK), ("m3", OK)], "delivered"),
        ("auto", SEPARATE, [("m3", OK), ("m1", BAD), ("m2", OK)], "failed"),
        ("each", SEPARATE, [("m2", OK)], None),
        # an id for each, one receipt
        ("one", SEPARATE, [("m1", OK)], "delivered"),
        ("one", SEPARATE, [("m2", OK)], "delivered"),
        ("one", SEPARATE, [("m3", BAD)], "failed"),
        ("one", SEPARATE, [("m3", "EXPIRED")], "expired"),
    ],
)
async def test_messages_end_with_the_receipts_that_they_are_owed(
    site: Site, make_settings: Any, mode: str, refs: list[str], receipts: list[tuple[str, str]],
    outcome: str | None,
) -> None:  # fmt: skip
    await site.world.configure(carriers=[make_settings(long_receipts=mode)])
    message = await site.long(refs, *receipts)
    assert await site.outcome(message) == outcome
    if outcome is not None:
        await site.world.check_finished()


async def test_one_id_for_all_and_a_receipt_for_each(site: Site, make_settings: Any) -> None:
    await site.world.configure(carriers=[make_settings(long_receipts="each")])
    message = await site.long(SAME, ("m1", OK), ("m1", BAD), ("m1", OK))
    assert await site.outcome(message) == "failed"
    [event] = await site.world.events()
    assert event["detail"]["parts_delivered"] == 2
    await site.world.check_finished()


async def test_the_receipts_that_follow_the_one_for_all_are_repeats(after: Site) -> None:
    message = await after.long(SAME, ("m1", OK), ("m1", OK), ("m1", BAD))
    assert await after.outcome(message) == "delivered"
    assert after.world.parked() == {"alpha": 0}
    await after.world.check_finished()


async def test_parts_without_an_id_are_told_apart_over_a_restart(
    open_world: Any, make_receipt: Any
) -> None:
    async with open_world() as before:
        site = Site(before, make_receipt, "in memory")
        last, same = await site.long(LAST), await site.long(["n1"] * 3)
        store = before.store
    async with open_world(store) as world:
        await world.bind.receipts(
            make_receipt("m1", phone="447400000001"), make_receipt("n1", phone="447400000002")
        )
        await world.calm()
        assert await world.outcomes() == {last: "delivered", same: "delivered"}
        await world.check_finished()


# --- what is learnt ---


def refs(n: int) -> list[str]:
    return [f"m{n}a", f"m{n}b", f"m{n}c"]


async def test_that_one_receipt_is_for_all_is_learnt(after: Site, autojump_clock: object) -> None:
    ids = [await after.long(refs(n), (f"m{n}c", OK)) for n in range(3)]
    assert [await after.outcome(one) for one in ids] == [None] * 3
    await trio.sleep(long_receipts.FRESH.patience + 10)
    assert [await after.outcome(one) for one in ids] == ["delivered"] * 3
    later = await after.long(refs(9), ("m9a", BAD))
    assert await after.outcome(later) == "failed"
    await after.world.check_finished()


async def test_it_is_not_learnt_while_some_have_several(
    after: Site, autojump_clock: object
) -> None:
    ids = [await after.long(refs(n), (f"m{n}c", OK)) for n in range(2)]
    await after.long(refs(7), ("m7a", OK), ("m7c", OK))
    ids += [await after.long(refs(n), (f"m{n}c", OK)) for n in range(3, 6)]
    await trio.sleep(300)
    assert [await after.outcome(one) for one in ids] == [None] * 5


async def test_what_other_nodes_have_heard_is_no_sign_of_one_for_all(
    after: Site, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each message one receipt came here, and another one elsewhere, or it was ended there."""
    monkeypatch.setattr(MemoryStore, "shared", True)
    store = after.world.store
    ids = []
    for n in range(4):
        ids.append(await after.long(refs(n), (f"m{n}c", OK)))
        [match] = (await store.match([Ref("alpha", f"m{n}a")])).values()
        if n < 3:
            await store.settle(Settlement(progress=[Progress(match.message.id, 0, 2, 3)]))
        else:
            event = outcomes.delivered(match.message, "alpha", 0.0, 0.0)
            await store.settle(Settlement(finals=[Final(match.message, event)]))
    await trio.sleep(long_receipts.ALONE + 10)
    assert [await after.outcome(one) for one in ids[:3]] == [None] * 3
    assert await after.outcome(await after.long(refs(9), ("m9a", OK))) is None


async def test_a_single_message_does_not_wait_for_its_deadline(
    after: Site, autojump_clock: object
) -> None:
    message = await after.long(SEPARATE, ("m1", OK))
    await trio.sleep(long_receipts.ALONE + 10)
    assert await after.outcome(message) == "delivered"
    await after.world.check_finished()


async def test_unless_it_is_known_that_each_part_has_one(
    after: Site, make_settings: Any, autojump_clock: object
) -> None:
    await after.long(refs(1), *((ref, OK) for ref in refs(1)))
    message = await after.long(refs(2), ("m2a", OK))
    await trio.sleep(long_receipts.ALONE + 10)
    assert await after.outcome(message) is None
    await after.receipts("447400000002", ("m2b", OK), ("m2c", OK))
    assert await after.outcome(message) == "delivered"


async def test_what_was_learnt_is_unlearnt_by_receipts_for_other_parts(
    world: Any, make_receipt: Any, autojump_clock: object
) -> None:
    site = Site(world, make_receipt, "in memory")
    for n in range(3):
        await site.long(refs(n), (f"m{n}c", OK))
    await trio.sleep(long_receipts.FRESH.patience + 10)
    early = await site.long(refs(5), ("m5a", OK), ("m5b", OK))
    assert await site.outcome(early) == "delivered"
    message = await site.long(refs(6), ("m6a", OK))
    assert await site.outcome(message) is None
    await site.receipts("447400000005", ("m6b", OK), ("m6c", BAD))
    assert await site.outcome(message) == "failed"


async def test_that_each_part_has_one_is_unlearnt_too(after: Site, autojump_clock: object) -> None:
    await after.long(refs(0), *((ref, OK) for ref in refs(0)))
    ids = [await after.long(refs(n), (f"m{n}c", OK)) for n in range(1, 11)]
    await trio.sleep(long_receipts.AGAINST.patience + 10)
    assert [await after.outcome(one) for one in ids] == ["delivered"] * 10


async def test_what_was_learnt_survives_a_restart(
    open_world: Any, make_receipt: Any, autojump_clock: object
) -> None:
    async with open_world() as before:
        site = Site(before, make_receipt, "in memory")
        for n in range(3):
            await site.long(refs(n), (f"m{n}c", OK))
        await trio.sleep(long_receipts.FRESH.patience + 10)
        store = before.store
    async with open_world(store) as world:
        site = Site(world, make_receipt, "in memory")
        message = await site.long(refs(9), ("m9a", OK))
        assert await site.outcome(message) == "delivered"

"""What `gateway.queue.store` promises, asked of every engine."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import StoreError
from gateway.message import Event, LaneKey, Message, message_id
from gateway.queue.events import CHUNK, CHUNK_BYTES
from gateway.queue.memory import MemoryStore
from gateway.queue.sqlite import SqliteStore
from gateway.queue.store import (
    GLOBAL,
    NEWEST,
    Count,
    Entry,
    EventChunk,
    Final,
    Held,
    Known,
    Match,
    Notice,
    OptoutChange,
    OptoutEntry,
    OptoutSource,
    Progress,
    Record,
    Recovery,
    Ref,
    Sent,
    Settlement,
    Store,
)
from gateway.queue.tallies import HOUR, KEPT, SPAN, Key, Stats
from tests.queue.asking import opted_out

LANE = LaneKey("acme", "transactional", "uk")
MakeMessage = Callable[..., Message]
MakeEntry = Callable[..., Entry]
MakeFinal = Callable[..., Final]


class Rig:
    """A store, a clock that the test sets, and ways to end and open it again."""

    def __init__(self, engine: str, directory: Path) -> None:
        self.now = 1_000.0
        self._engine = engine
        self._directory = directory
        self._copies = 0
        self._ended: list[Store] = []
        self.store = self._made()

    def _made(self) -> Store:
        if self._engine == "memory":
            return MemoryStore(lambda: self.now)
        return SqliteStore(str(self._directory / "store.db"), clock=lambda: self.now)

    async def reopen(self) -> Recovery:
        """End in order and open again."""
        await self.store.aclose()
        return await self.store.open()

    async def crash(self) -> Recovery:
        """Open what a process that was killed now would leave."""
        if self._engine == "sqlite":
            self._ended.append(self.store)
            self._copies += 1
            copy = self._directory.with_name(f"{self._directory.name}-{self._copies}")
            shutil.copytree(self._directory, copy, ignore=shutil.ignore_patterns("*-shm"))
            self._directory = copy
            self.store = self._made()
        return await self.store.open()

    async def aclose(self) -> None:
        for store in [*self._ended, self.store]:
            await store.aclose()


def known(message: int, digest: int = 1, not_before: float | None = None) -> Known:
    """What the key of one of these messages stands for."""
    return Known(message, digest, 1, "ucs2", not_before)


@pytest.fixture(params=["memory", "sqlite"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    directory = tmp_path / "store"
    directory.mkdir()
    rig = Rig(request.param, directory)
    await rig.store.open()
    yield rig
    await rig.aclose()


@pytest.fixture
def store(rig: Rig) -> Store:
    return rig.store


def decoded(chunks: list[EventChunk]) -> list[dict[str, Any]]:
    """The events of chunks as a subscriber reads them; checks that the chunks are what they say."""
    found: list[dict[str, Any]] = []
    for chunk in chunks:
        unpacker = msgpack.Unpacker()
        unpacker.feed(chunk.body)
        maps = list(unpacker)
        assert [event["seq"] for event in maps] == list(range(chunk.first, chunk.last + 1))
        assert len(maps) == chunk.size <= CHUNK
        found += maps
    return found


# --- opening and closing ---


async def test_a_new_store_is_clean_and_empty(rig: Rig) -> None:
    assert await rig.reopen() == Recovery(clean=True, last_id=0, lanes={}, counts=[], held=[])


async def test_a_closed_store_refuses_calls(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.aclose()
    with pytest.raises(StoreError):
        await rig.store.accept([entry(1)])
    with pytest.raises(StoreError):
        await opted_out(rig.store, "acme", ["447911123456"])
    await rig.store.open()


async def test_closing_twice_is_closing(store: Store) -> None:
    await store.aclose()
    await store.aclose()
    await store.open()


async def test_an_orderly_end_puts_leased_messages_back_unmarked(
    rig: Rig, entry: MakeEntry
) -> None:
    await rig.store.accept([entry(1), entry(2, leased=True)])
    await rig.store.lease(LANE, 1_000.0, 1)
    recovery = await rig.reopen()
    assert recovery.clean
    assert recovery.lanes == {LANE: 1_000.0}
    leased = await rig.store.lease(LANE, 1_000.0, 10)
    assert leased.messages == [entry(1).message, entry(2).message]


async def test_a_store_that_is_closed_in_doubt_marks_what_was_leased(
    rig: Rig, entry: MakeEntry
) -> None:
    await rig.store.accept([entry(1), entry(2, leased=True)])
    await rig.store.aclose(in_doubt=True)
    recovery = await rig.store.open()
    assert not recovery.clean
    leased = await rig.store.lease(LANE, 1_000.0, 10)
    assert [(m.id, m.maybe_duplicate) for m in leased.messages] == [(1, False), (2, True)]


async def test_a_crash_marks_what_was_leased_and_only_that(rig: Rig, entry: MakeEntry) -> None:
    accepted = [entry(1), entry(2, leased=True), entry(3, due=990.0), entry(4, leased=True)]
    await rig.store.accept(accepted)
    await rig.store.settle(Settlement(sent=[Sent(entry(4).message, "alpha", ("r4",), 9_000.0)]))
    await rig.store.lease(LANE, 995.0, 10)
    recovery = await rig.crash()
    assert not recovery.clean
    leased = await rig.store.lease(LANE, 1_000.0, 10)
    assert [(m.id, m.maybe_duplicate) for m in leased.messages] == [
        (3, True),
        (1, False),
        (2, True),
    ]
    assert (await rig.store.match([Ref("alpha", "r4")]))[Ref("alpha", "r4")].message.id == 4


async def test_what_is_sent_keeps_the_mark_that_it_has_by_then(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.accept([entry(1, leased=True), entry(2, leased=True)])
    torn = msgspec.structs.replace(entry(1).message, maybe_duplicate=True)
    sent = [Sent(torn, "alpha", ("r1",), 9e3), Sent(entry(2).message, "alpha", ("r2",), 9e3)]
    await rig.store.settle(Settlement(sent=sent))
    await rig.crash()
    found = await rig.store.match([Ref("alpha", "r1"), Ref("alpha", "r2")])
    marks = {ref.ref: match.message.maybe_duplicate for ref, match in found.items()}
    assert marks == {"r1": True, "r2": False}


async def test_opening_tells_what_there_is(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    otp = LaneKey("acme", "otp", "uk")
    held = Held("receipt", "alpha r9", b"receipt", 2_000.0)
    await rig.store.accept(
        [
            entry(1, due=2_000.0),
            entry(2, due=1_500.0),
            entry(3),
            entry(4, leased=True),
            entry(5, category="otp", due=900.0, route="uk"),
            entry(6, route="fr"),
            entry(9, tenant="zeta", leased=True),
        ]
    )
    await rig.store.settle(
        Settlement(
            sent=[Sent(entry(4).message, "alpha", ("r4",), 9_000.0)],
            finals=[delivered(entry(9, tenant="zeta").message)],
            hold=[held],
        )
    )
    recovery = await rig.reopen()
    assert recovery.last_id == 9
    assert recovery.lanes == {LANE: 1_000.0, otp: 900.0, LANE._replace(route="fr"): 1_000.0}
    assert sorted(recovery.counts) == [
        Count("acme", "otp", "queued", 1),
        Count("acme", "transactional", "deferred", 2),
        Count("acme", "transactional", "queued", 2),
        Count("acme", "transactional", "sent", 1),
    ]
    assert recovery.held == [held]


async def test_the_last_id_outlives_its_message(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await rig.store.accept([entry(7, leased=True)])
    await rig.store.settle(Settlement(finals=[delivered(entry(7).message)]))
    while await rig.store.prune(9e9, 100):
        pass
    assert (await rig.reopen()).last_id == 7


# --- the way in ---


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


# --- opt-outs ---


def change(
    number: str, out: bool = True, scope: str = "acme", source: OptoutSource = "api"
) -> OptoutChange:
    return OptoutChange(scope, number, out, source, 1_000.0)


async def test_optouts_hold_for_their_scope(rig: Rig) -> None:
    await rig.store.optout([change("111"), change("222", scope=GLOBAL), change("333", scope="b")])
    for _ in range(2):
        assert await opted_out(rig.store, "acme", ["111", "222", "333", "444"]) == {
            "111",
            "222",
        }
        assert await opted_out(rig.store, "b", ["111", "222", "333"]) == {
            "222",
            "333",
        }
        assert await opted_out(rig.store, "nobody", ["111", "222"]) == {"222"}
        assert await opted_out(rig.store, "acme", []) == set()
        await rig.crash()


async def test_optout_says_what_changed(store: Store) -> None:
    assert await store.optout([change("1"), change("1"), change("2", out=False)]) == [
        True,
        False,
        False,
    ]
    toggled = [change("1", out=False), change("1"), change("1", out=False), change("3")]
    assert await store.optout(toggled) == [True, True, True, True]
    assert await opted_out(store, "acme", ["1", "2", "3"]) == {"3"}
    assert await store.optout([change("3", out=False), change("3")]) == [True, True]
    assert await opted_out(store, "acme", ["3"]) == {"3"}
    assert await store.optout([]) == []


SOURCES: tuple[OptoutSource, ...] = ("keyword", "api", "import", "complaint")


@pytest.mark.parametrize(
    ("lifted_by", "left"),
    [
        ("keyword", {"api", "import", "complaint"}),
        ("api", {"complaint"}),
        ("import", {"complaint"}),
        ("complaint", set()),
    ],
)
async def test_an_optout_is_lifted_by_a_source_of_its_rank_or_above(
    store: Store, lifted_by: OptoutSource, left: set[str]
) -> None:
    await store.optout([change("1", source=source) for source in SOURCES])
    assert await store.optout([change("1", out=False, source=lifted_by)]) == [True]
    found = await store.optout_entries("acme", ["1"])
    assert {entry.source for entry in found.get("1", ())} == left
    assert await opted_out(store, "acme", ["1"]) == ({"1"} if left else set())
    assert await store.optout([change("1", out=False, source=lifted_by)]) == [False]


async def test_an_optout_knows_where_it_is_from(rig: Rig) -> None:
    stop = OptoutChange("acme", "1", True, "keyword", 7.5, "1a2b", "STOP it now")
    everywhere = OptoutChange(GLOBAL, "1", True, "complaint", 8.5)
    assert await rig.store.optout([stop, everywhere, change("2", scope="b")]) == [True] * 3
    again = OptoutChange("acme", "1", True, "keyword", 9.5, "1a2c", "stop!")
    assert await rig.store.optout([again]) == [False]
    for _ in range(2):
        found = await rig.store.optout_entries("acme", ["1", "2", "3"])
        assert set(found) == {"1"}
        assert set(found["1"]) == {
            OptoutEntry("acme", "1", "keyword", 7.5, "1a2b", "STOP it now"),
            OptoutEntry(GLOBAL, "1", "complaint", 8.5),
        }
        assert set(await rig.store.optout_entries("nobody", ["1", "2"])) == {"1"}
        assert await rig.store.optout_entries("acme", []) == {}
        await rig.crash()


async def test_one_that_is_lifted_and_added_again_is_new(store: Store) -> None:
    first, later = (OptoutChange("acme", "1", True, "keyword", at, str(at)) for at in (1.0, 2.0))
    await store.optout([first])
    back = change("1", out=False, source="keyword")
    assert await store.optout([back, later, back, later]) == [True] * 4
    found = await store.optout_entries("acme", ["1"])
    assert [entry.message for entry in found["1"]] == ["2.0"]


async def test_optouts_are_listed_by_the_page(store: Store) -> None:
    assert list(await store.optout_list("acme", "", 10)) == []
    await store.optout([change(f"{n}") for n in range(100, 110)])
    await store.optout([change("101", source="keyword"), change("105", scope=GLOBAL)])
    await store.optout([change("104", scope="b")])
    listed: list[OptoutEntry] = []
    after = ""
    while page := await store.optout_list("acme", after, 3):
        assert len({entry.number for entry in page}) <= 3
        listed += page
        after = page[-1].number
    assert [entry.number for entry in listed] == ["100", "101", *map(str, range(101, 110))]
    assert {entry.source for entry in listed if entry.number == "101"} == {"api", "keyword"}
    assert {entry.scope for entry in listed} == {"acme"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("525512345678", "5215512345678"),  # Mexico's mobiles, with the 1 of before 2019
        ("541123456789", "5491123456789"),  # Argentina's, as at home and from abroad
        ("551187654321", "5511987654321"),  # Brazil's ninth digit
        ("22997123456", "2290197123456"),  # Benin's, before November 2024
        ("972591234567", "970591234567"),  # Palestine's, under Israel's code
        ("33690123456", "590690123456"),  # Guadeloupe's, under France's
    ],
)
@pytest.mark.parametrize("scope", ["acme", GLOBAL])
async def test_an_optout_is_of_the_phone_in_whichever_spelling(
    rig: Rig, one: str, other: str, scope: str
) -> None:
    stranger = f"{other[:-1]}0"
    for added, asked in ((one, other), (other, one)):
        assert await rig.store.optout([change(added, scope=scope)]) == [True]
        assert await rig.store.optout([change(asked, scope=scope)]) == [False]
        for _ in range(2):
            numbers = [one, other, stranger]
            assert await opted_out(rig.store, "acme", numbers) == {one, other}
            entries = await rig.store.optout_entries("acme", numbers)
            assert set(entries) == {one, other}
            assert entries[one] == entries[other]
            await rig.reopen()
        if scope == "acme":
            listed = await rig.store.optout_list("acme", "", 10)
            assert [entry.number for entry in listed] == [entries[one][0].number]
        assert await rig.store.optout([change(asked, out=False, scope=scope)]) == [True]
        assert await opted_out(rig.store, "acme", [one, other]) == set()


async def test_a_stop_from_another_spelling_holds_at_once(store: Store) -> None:
    await store.settle(Settlement(optouts=[change("5215512345678", source="keyword")]))
    assert await opted_out(store, "acme", ["525512345678"]) == {"525512345678"}


async def test_a_settlement_changes_optouts(store: Store) -> None:
    await store.settle(Settlement(optouts=[change("1"), change("1", scope=GLOBAL)]))
    assert await opted_out(store, "acme", ["1"]) == {"1"}


# --- lanes ---


async def test_lease_takes_what_is_due_the_longest_due_first(
    store: Store, entry: MakeEntry
) -> None:
    dues = [1_005.0, 1_003.0, 1_004.0, 1_003.0, 1_050.5]
    await store.accept([entry(n, due=due) for n, due in enumerate(dues, 1)])
    await store.accept([entry(9, route="fr"), entry(10, category="otp"), entry(11, tenant="b")])
    first = await store.lease(LANE, 1_010.0, 3)
    assert [m.id for m in first.messages] == [2, 4, 3]
    assert first.next_due == 1_005.0
    second = await store.lease(LANE, 1_010.0, 3)
    assert [m.id for m in second.messages] == [1]
    assert second.next_due == 1_050.5
    third = await store.lease(LANE, 1_050.5, 3)
    assert [m.id for m in third.messages] == [5]
    assert third.next_due is None
    assert await store.lease(LaneKey("nobody", "otp", "uk"), 9e9, 3) == ([], None)


async def test_deferred_messages_wait_as_they_are_now(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.accept([entry(1, leased=True), entry(2)])
    await rig.store.settle(Settlement(sent=[Sent(entry(2).message, "alpha", ("r",), 9e9)]))
    fr = LANE._replace(route="fr")
    changed = msgspec.structs.replace(
        entry(1).message, due=1_100.0, attempts=1, route="fr", maybe_duplicate=True
    )
    await rig.store.defer([changed, entry(2).message, entry(3).message])
    recovery = await rig.crash()
    assert recovery.lanes == {fr: 1_100.0}
    assert (await rig.store.lease(fr, 1_100.0, 10)).messages == [changed]
    await rig.store.defer([])


async def test_lease_ids_takes_only_the_tenants_waiting_messages(
    store: Store, entry: MakeEntry
) -> None:
    await store.accept([entry(1), entry(2, leased=True), entry(3, tenant="b"), entry(4)])
    leased = await store.lease_ids("acme", [1, 2, 3, 99])
    assert leased == [entry(1).message]
    assert await store.lease_ids("acme", [1]) == []
    assert await store.lease_ids("acme", []) == []
    assert [m.id for m in (await store.lease(LANE, 1_000.0, 10)).messages] == [4]


async def test_lease_campaign_takes_only_that_campaign(store: Store, entry: MakeEntry) -> None:
    await store.accept(
        [entry(n, campaign="spring", due=5_000.0) for n in range(1, 4)]
        + [entry(4, campaign="spring", tenant="b"), entry(5), entry(6, campaign="x")]
        + [entry(7, campaign="spring", leased=True)]
    )
    first = await store.lease_campaign("acme", "spring", NEWEST, 2)
    second = await store.lease_campaign("acme", "spring", NEWEST, 2)
    assert sorted(m.id for m in first + second) == [1, 2, 3]
    assert len(first) == 2
    assert await store.lease_campaign("acme", "spring", NEWEST, 2) == []


async def test_each_campaign_is_a_queue_of_its_own(rig: Rig, entry: MakeEntry) -> None:
    spring, autumn = LANE._replace(campaign="spring"), LANE._replace(campaign="autumn")
    entries = [
        entry(1),
        entry(2, campaign="spring", due=1_200.0),
        entry(3, campaign="autumn"),
        entry(4, campaign="spring", due=1_100.0),
    ]
    await rig.store.accept(entries)
    recovery = await rig.crash()
    assert recovery.lanes == {LANE: 1_000.0, spring: 1_100.0, autumn: 1_000.0}
    assert await rig.store.lease(spring, 1_100.0, 10) == ([entries[3].message], 1_200.0)
    assert await rig.store.lease(LANE, 9e9, 10) == ([entries[0].message], None)
    await rig.store.defer([entries[3].message])
    assert await rig.store.lease(spring, 1_100.0, 10) == ([entries[3].message], 1_200.0)


async def test_what_waits_of_a_campaign_is_counted(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.accept(
        [
            entry(1, campaign="spring"),
            entry(2, campaign="spring", category="otp", route="fr", due=9e8),
            entry(3, campaign="spring", leased=True),
            entry(4, campaign="autumn"),
            entry(5, campaign="spring", tenant="b"),
            entry(6),
        ]
    )
    assert await rig.store.waiting_in("acme", "spring") == 2
    assert await rig.store.waiting_in("acme", "spring", 1) == 1
    assert [m.id for m in await rig.store.lease_campaign("acme", "spring", 1, 10)] == [1]
    assert await rig.store.waiting_in("acme", "winter") == 0
    assert await rig.store.waiting_in("nobody", "spring") == 0


async def test_a_campaign_may_be_given_more_time(rig: Rig, entry: MakeEntry) -> None:
    entries = [entry(n, campaign="spring", expires_at=2_000.0) for n in range(1, 5)]
    other = entry(9, campaign="autumn", expires_at=2_000.0)
    await rig.store.accept([*entries, other])
    await rig.store.extend("acme", "spring", 500.0)
    await rig.store.extend("acme", "winter", 500.0)
    await rig.reopen()
    assert [m.id for m in await rig.store.expired(2_000.0, 10)] == [9]
    later = await rig.store.expired(2_500.0, 10)
    assert [(m.id, m.expires_at) for m in later] == [(n, 2_500.0) for n in range(1, 5)]


async def test_a_clock_that_was_set_back_delays_only_what_was_put_off(
    store: Store, entry: MakeEntry
) -> None:
    await store.accept([entry(1, accepted_at=5_000.0, due=5_000.0)])
    await store.accept([entry(2, accepted_at=5_000.0, due=5_030.0)])
    await store.accept([entry(3, accepted_at=5_000.0, due=5_090.0)])
    await store.accept([entry(4, accepted_at=1_000.0, due=1_000.0)])
    await store.hasten(2_000.0, 60.0)
    lease = await store.lease(LANE, 2_000.0, 10)
    assert sorted(m.id for m in lease.messages) == [1, 2, 4]
    assert lease.next_due == 5_090.0


async def test_expired_leases_waiting_messages_at_their_expiry(
    store: Store, entry: MakeEntry
) -> None:
    await store.accept([entry(n, expires_at=1_000.0 + n) for n in range(1, 5)])
    await store.accept([entry(9, expires_at=1_000.0, leased=True)])
    assert [m.id for m in await store.expired(1_003.0, 2)] == [1, 2]
    assert [m.id for m in await store.expired(1_003.0, 2)] == [3]
    assert await store.expired(1_003.0, 2) == []


# --- outcomes ---


async def test_an_outcome_ends_a_message_wherever_it_is(
    store: Store, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1), entry(2, leased=True), entry(3, leased=True)])
    await store.settle(Settlement(sent=[Sent(entry(3).message, "alpha", ("r",), 2_000.0)]))
    finals = [delivered(entry(n).message) for n in (1, 2, 3)]
    assert await store.settle(Settlement(finals=finals)) == frozenset()
    assert (await store.lease(LANE, 9e9, 10)) == ([], None)
    assert await store.overdue(9e9, 10) == []
    assert [event["message_id"] for event in decoded(await store.events("acme", 0, 10))] == [
        "1",
        "2",
        "3",
    ]


async def test_there_is_never_a_second_outcome(
    store: Store, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(n, leased=True) for n in (1, 2, 3)])
    once, twice, other = (delivered(entry(n).message) for n in (1, 2, 3))
    never = delivered(entry(8).message)
    assert await store.settle(Settlement(finals=[once])) == frozenset()
    again = Settlement(finals=[once, twice, twice, never, other])
    assert await store.settle(again) == {1, 2, 8}
    told = decoded(await store.events("acme", 0, 10))
    assert [(event["seq"], event["message_id"]) for event in told] == [
        (1, "1"),
        (2, "2"),
        (3, "3"),
    ]
    records, _ = await store.find("acme", [2, 3, 8], [])
    assert [r and r.event and r.event.message_id for r in records] == ["2", "3", None]


async def test_a_settlement_that_fails_is_not_half_done(
    store: Store, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1, leased=True)])
    broken = Notice("acme", Event("inbound", 1_000.0, text="\ud800"))
    with pytest.raises(UnicodeEncodeError):
        await store.settle(Settlement(finals=[delivered(entry(1).message)], notices=[broken]))
    assert await store.bounds("acme") == (1, 0)
    assert await store.settle(Settlement(finals=[delivered(entry(1).message)])) == frozenset()
    assert len(decoded(await store.events("acme", 0, 10))) == 1


async def test_receipts_find_their_part(rig: Rig, entry: MakeEntry, delivered: MakeFinal) -> None:
    two, three = entry(2, leased=True), entry(3, leased=True, parts=3)
    await rig.store.accept([two, three])
    sent = [
        Sent(two.message, "alpha", ("7",), 9_000.0),
        Sent(three.message, "beta", ("7", "8\0", "9"), 9_000.0),
    ]
    rig.now = sent_at = 1_002.5
    await rig.store.settle(Settlement(sent=sent))
    rig.now = 1_005.0
    await rig.store.settle(Settlement(progress=[Progress(3, b"\x02\x00\x05"), Progress(8, b"")]))
    await rig.crash()
    asked = [Ref("alpha", "7"), Ref("beta", "7"), Ref("beta", "8\0"), Ref("beta", "1")]
    found = await rig.store.match([*asked, Ref("gamma", "7")])
    assert found == {
        asked[0]: Match(two.message, 0, b"\0", sent_at),
        asked[1]: Match(three.message, 0, b"\x02\x00\x05", sent_at),
        asked[2]: Match(three.message, 1, b"\x02\x00\x05", sent_at),
    }
    done = delivered(three.message, refs=(Ref("beta", "7"), Ref("beta", "8\0"), Ref("beta", "9")))
    await rig.store.settle(Settlement(finals=[done]))
    assert (await rig.store.match(asked)).keys() == {asked[0]}
    assert await rig.store.match([]) == {}


async def test_a_part_without_a_reference_is_not_looked_for(store: Store, entry: MakeEntry) -> None:
    entries = [entry(1, leased=True, parts=2), entry(2, leased=True)]
    await store.accept(entries)
    refs = [("", "7"), ("",)]
    sent = [Sent(e.message, "alpha", r, 9e3) for e, r in zip(entries, refs, strict=True)]
    await store.settle(Settlement(sent=sent))
    found = await store.match([Ref("alpha", ""), Ref("alpha", "7")])
    assert found == {Ref("alpha", "7"): Match(entries[0].message, 1, b"\0\0", 1_000.0)}


async def test_a_part_whose_message_is_gone_is_left_out(
    store: Store, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1, leased=True)])
    await store.settle(Settlement(sent=[Sent(entry(1).message, "alpha", ("7",), 9_000.0)]))
    await store.settle(Settlement(finals=[delivered(entry(1).message)]))
    assert await store.match([Ref("alpha", "7")]) == {}


async def test_a_carrier_that_uses_a_reference_again_means_the_newest(
    store: Store, entry: MakeEntry
) -> None:
    await store.accept([entry(1, leased=True), entry(2, leased=True)])
    for n in (1, 2):
        await store.settle(Settlement(sent=[Sent(entry(n).message, "alpha", ("7",), 9_000.0)]))
    found = await store.match([Ref("alpha", "7")])
    assert found[Ref("alpha", "7")].message.id == 2


async def test_what_is_sent_and_final_at_once_is_final(
    store: Store, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1, leased=True)])
    sent = Sent(entry(1).message, "alpha", ("7",), 1_001.0)
    both = Settlement(sent=[sent], finals=[delivered(entry(1).message)])
    assert await store.settle(both) == frozenset()
    assert await store.match([Ref("alpha", "7")]) == {}
    assert await store.overdue(9e9, 10) == []


async def test_overdue_tells_sent_messages_past_their_deadline(
    store: Store, entry: MakeEntry
) -> None:
    await store.accept([entry(n, leased=True) for n in range(1, 5)])
    deadlines = [1_300.0, 1_100.5, 1_200.0]
    sent = [Sent(entry(n).message, "a", (str(n),), d) for n, d in enumerate(deadlines, 1)]
    await store.settle(Settlement(sent=sent, progress=[Progress(3, b"\x02")]))
    late = [(entry(2).message, b"\0"), (entry(3).message, b"\x02")]
    assert await store.overdue(1_200.0, 10) == late
    assert await store.overdue(9e9, 2) == late
    assert await store.overdue(1_100.0, 10) == []


async def test_the_oldest_are_told_by_tenant_category_and_place(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    store = rig.store
    await store.accept(
        [
            entry(1, due=900.0),
            entry(2, due=950.0, category="otp"),
            entry(3, due=1_100.0, category="otp"),
            entry(4, due=5_000.0, tenant="umbrella"),
            entry(5, due=800.0, leased=True),
            entry(6, due=700.0, leased=True, campaign="spring"),
            entry(7, due=910.0, campaign="spring"),
        ]
    )
    found = {(o.tenant, o.category, o.place): o.since for o in await store.oldest(rig.now)}
    assert found == {
        ("acme", "transactional", "waiting"): 900.0,
        ("acme", "otp", "waiting"): 950.0,
    }
    rig.now = 1_010.0
    await store.settle(Settlement(sent=[Sent(entry(6).message, "alpha", ("r6",), 90_000.0)]))
    rig.now = 1_020.0
    await store.settle(Settlement(sent=[Sent(entry(5).message, "alpha", ("r5",), 90_000.0)]))
    [sent] = [one for one in await store.oldest(rig.now) if one.place == "sent"]
    assert (sent.tenant, sent.category, sent.since) == ("acme", "transactional", 1_010.0)
    await store.settle(Settlement(finals=[delivered(entry(6).message)]))
    [sent] = [one for one in await store.oldest(rig.now) if one.place == "sent"]
    assert sent.since == 1_020.0


async def test_held_things_stay_until_dropped(rig: Rig) -> None:
    first, second = Held("receipt", "k\0", b"1", 10.0), Held("receipt", "k\0", b"2", 20.0)
    other, brief = Held("inbound", "k\0", b"3", 10.0), Held("inbound", "z", b"4", 10.0)
    await rig.store.settle(Settlement(hold=[first, other]))
    await rig.store.settle(Settlement(hold=[second, brief], drop=[("inbound", "z")]))
    assert sorted((await rig.crash()).held) == [other, second]
    await rig.store.settle(Settlement(drop=[("receipt", "k\0"), ("receipt", "none")]))
    assert (await rig.crash()).held == [other]


# --- what tenants ask ---


async def test_find_tells_where_messages_are(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    store = rig.store
    made = [
        entry(1, key="one", due=2_000.0),
        entry(2, key="two"),
        entry(3, key="three", leased=True),
        entry(4, key="four", leased=True),
        entry(5, key="five", leased=True),
        entry(6, tenant="b", key="one"),
    ]
    await store.accept(made)
    rig.now = 1_020.0
    final = delivered(made[4].message, at=1_015.0)
    await store.settle(
        Settlement(sent=[Sent(made[3].message, "alpha", ("7",), 9_000.0)], finals=[final])
    )
    expected = [
        Record(1, 1_000.0, message=made[0].message, state="deferred"),
        Record(2, 1_000.0, message=made[1].message, state="queued"),
        Record(3, 1_000.0, message=made[2].message, state="queued"),
        Record(4, 1_020.0, message=made[3].message, state="sent"),
        Record(5, 1_015.0, event=final.event),
    ]
    by_number, by_key = await store.find(
        "acme", [5, 4, 3, 2, 1, 6, 7], ["none", "one", "two", "three", "four", "five"]
    )
    assert by_number == [*reversed(expected), None, None]
    assert by_key == [None, *expected]
    assert await store.find("nobody", [1], ["one"]) == ([None], [None])
    assert await store.find("acme", [], []) == ([], [])
    rig.now = 2_000.0
    assert (await store.find("acme", [1], []))[0] == [
        Record(1, 1_000.0, message=made[0].message, state="queued")
    ]


async def test_find_tells_outcomes_of_every_chunk(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    numbers = range(1, 1_300)
    await rig.store.accept([entry(n, leased=True) for n in numbers])
    order = sorted(numbers, key=lambda n: n * 7_919 % 1_301)
    await rig.store.settle(Settlement(finals=[delivered(entry(n).message) for n in order]))
    await rig.reopen()
    records, _ = await rig.store.find("acme", list(numbers), [])
    assert [r and r.event and r.event.message_id for r in records] == [
        message_id(n) for n in numbers
    ]


# --- events ---


def notices(tenant: str, count: int, text: str = "hi") -> list[Notice]:
    return [Notice(tenant, Event("inbound", 1_000.0 + n, text=text)) for n in range(count)]


async def test_events_are_numbered_by_tenant_without_gaps(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await rig.store.accept([entry(1, leased=True), entry(2, tenant="b", leased=True)])
    one, two = delivered(entry(1).message), delivered(entry(2, tenant="b").message)
    await rig.store.settle(
        Settlement(finals=[one, two], notices=[*notices("acme", 2), *notices("b", 1)])
    )
    await rig.crash()
    await rig.store.settle(Settlement(notices=notices("acme", 1)))
    told = decoded(await rig.store.events("acme", 0, 10))
    assert [(event["seq"], event["type"]) for event in told] == [
        (1, "delivered"),
        (2, "inbound"),
        (3, "inbound"),
        (4, "inbound"),
    ]
    assert told[0] == {"seq": 1, **msgspec.to_builtins(one.event)}
    assert await rig.store.bounds("acme") == (1, 4)
    assert await rig.store.bounds("b") == (1, 2)
    assert await rig.store.bounds("nobody") == (1, 0)


@pytest.mark.parametrize("reopened", [False, True])
async def test_events_after_any_place(rig: Rig, reopened: bool) -> None:
    await rig.store.settle(Settlement(notices=notices("acme", 1_200)))
    for _ in range(30):
        await rig.store.settle(Settlement(notices=notices("acme", 1)))
    if reopened:
        await rig.reopen()
    for after in (0, 1, 499, 500, 777, 1_199, 1_200, 1_211, 1_229):
        told = decoded(await rig.store.events("acme", after, 10_000))
        assert [event["seq"] for event in told] == list(range(after + 1, 1_231))
        some = decoded(await rig.store.events("acme", after, 100))
        assert [event["seq"] for event in some] == [e["seq"] for e in told][: len(some)]
        assert 1 <= len(some) < 100 + CHUNK
    assert await rig.store.events("acme", 1_230, 100) == []
    assert await rig.store.events("acme", 9_999, 100) == []
    assert await rig.store.events("nobody", 0, 100) == []


async def test_chunks_are_bounded_in_bytes(rig: Rig) -> None:
    await rig.store.settle(Settlement(notices=notices("acme", 20, "x" * 30_000)))
    for _ in range(2):
        chunks = await rig.store.events("acme", 0, 100)
        assert len(decoded(chunks)) == 20
        assert max(len(chunk.body) for chunk in chunks) <= CHUNK_BYTES
        await rig.reopen()


async def cursors(rig: Rig, tenant: str | None = None) -> dict[tuple[str, str], tuple[int, int]]:
    """Where consumers stand, and how far behind they are."""
    found = await rig.store.consumers(tenant)
    return {(one.tenant, one.name): (one.seq, one.lag) for one in found}


async def test_cursors_only_move_forward(rig: Rig) -> None:
    await rig.store.settle(Settlement(notices=[*notices("acme", 9), *notices("b", 1)]))
    assert await cursors(rig) == {}
    assert await rig.store.acknowledge("acme", "crm", 7) == 7
    assert await rig.store.acknowledge("acme", "crm", 5) == 7
    assert await rig.store.acknowledge("acme", "crm", 10) == 7
    assert await rig.store.acknowledge("acme", "billing", 3) == 3
    assert await rig.store.acknowledge("b", "crm", 1) == 1
    assert await rig.store.acknowledge("nobody", "crm", 1) == 0
    told = {("acme", "billing"): (3, 6), ("acme", "crm"): (7, 2), ("b", "crm"): (1, 0)}
    assert await cursors(rig) == told
    assert await cursors(rig, "b") == {("b", "crm"): (1, 0)}
    assert await cursors(rig, "nobody") == {}
    await rig.crash()
    assert await cursors(rig) == told


async def test_a_tenant_has_so_many_consumers(rig: Rig) -> None:
    await rig.store.settle(Settlement(notices=[*notices("acme", 9), *notices("b", 9)]))
    for name in ("one", "two"):
        assert await rig.store.acknowledge("acme", name, 1, 2) == 1
    assert await rig.store.acknowledge("acme", "three", 1, 2) is None
    assert await rig.store.acknowledge("acme", "one", 5, 2) == 5
    assert await rig.store.acknowledge("b", "three", 1, 2) == 1
    assert not await rig.store.forget_consumer("acme", "three")
    assert not await rig.store.forget_consumer("nobody", "one")
    assert await rig.store.forget_consumer("acme", "one")
    assert await rig.store.acknowledge("acme", "three", 1, 2) == 1
    await rig.crash()
    told = {("acme", "three"): (1, 8), ("acme", "two"): (1, 8), ("b", "three"): (1, 8)}
    assert await cursors(rig) == told


async def test_when_a_consumer_was_seen_is_known(rig: Rig) -> None:
    await rig.store.settle(Settlement(notices=notices("acme", 9)))

    async def times() -> list[tuple[float, float]]:
        return [(one.since, one.seen) for one in await rig.store.consumers("acme")]

    rig.now = 1_000.0
    await rig.store.acknowledge("acme", "crm", 1)
    rig.now = 1_010.0
    await rig.store.acknowledge("acme", "crm", 1)
    assert await times() == [(1_000.0, 1_010.0)]
    rig.now = 1_020.0
    await rig.store.acknowledge("acme", "crm", 99)
    assert await times() == [(1_000.0, 1_020.0)]
    rig.now = 1_030.0
    await rig.store.seen([("acme", "crm"), ("acme", "other"), ("nobody", "crm")])
    await rig.store.seen([])
    await rig.crash()
    assert await times() == [(1_000.0, 1_030.0)]


async def test_consumers_that_were_not_seen_for_long_are_forgotten(rig: Rig) -> None:
    await rig.store.settle(Settlement(notices=notices("acme", 9)))
    for rig.now, name in ((1_000.0, "old"), (2_000.0, "new"), (1_000.0, "kept")):
        await rig.store.acknowledge("acme", name, 1)
    rig.now = 2_000.0
    await rig.store.seen([("acme", "kept")])
    while await rig.store.prune(1_500.0, 100):
        pass
    assert [one.name for one in await rig.store.consumers()] == ["kept", "new"]
    await rig.reopen()
    assert [one.name for one in await rig.store.consumers()] == ["kept", "new"]


async def test_the_epoch_outlives_every_end(rig: Rig) -> None:
    epoch = rig.store.epoch
    assert epoch
    for end in (rig.reopen, rig.crash, rig.crash, rig.reopen):
        await end()
        assert (rig.store.epoch, rig.store.restored) == (epoch, False)


# --- upkeep ---


async def test_memos_are_kept_and_replaced(rig: Rig) -> None:
    assert await rig.store.recall("forms") is None
    await rig.store.remember("forms", b"\0\xff")
    await rig.store.remember("other", b"")
    await rig.store.remember("forms", b"hex")
    await rig.crash()
    assert await rig.store.recall("forms") == b"hex"
    assert await rig.store.recall("other") == b""


async def pruned(store: Store, before: float, limit: int = 100) -> int:
    total = 0
    while gone := await store.prune(before, limit):
        assert gone <= limit + 2 * CHUNK
        total += gone
    return total


async def test_prune_forgets_what_is_old_and_only_that(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    day = 86_400.0
    old = [entry(n, key=f"old{n}", leased=True) for n in range(1, 700)]
    new = entry(1_001, key="new", accepted_at=1_000.0 + 3 * day, leased=True)
    await rig.store.accept(old)
    await rig.store.settle(Settlement(finals=[delivered(e.message, at=1_001.0) for e in old]))
    await rig.store.settle(Settlement(notices=notices("b", 1)))
    rig.now += 3 * day
    await rig.store.accept([new])
    await rig.store.settle(Settlement(finals=[delivered(new.message, at=rig.now)]))
    assert await pruned(rig.store, 1_000.0) == 0
    assert await pruned(rig.store, 2_000.0)
    for _ in range(2):
        assert await rig.store.bounds("acme") == (700, 700)
        assert await rig.store.bounds("b") == (2, 1)
        assert await rig.store.events("b", 0, 10) == []
        told = decoded(await rig.store.events("acme", 0, 1_000))
        assert [event["seq"] for event in told] == [700]
        records, by_key = await rig.store.find("acme", [1, 1_001], ["old1", "new"])
        assert [record is None for record in records + by_key] == [True, False, True, False]
        assert await rig.store.known("acme", ["old1", "old699", "new"]) == {"new": known(1_001, 1)}
        await rig.reopen()
    assert await rig.store.accept([entry(1_002, key="old1")]) == {}
    await rig.store.settle(Settlement(notices=notices("b", 1)))
    assert [event["seq"] for event in decoded(await rig.store.events("b", 0, 10))] == [2]


async def test_a_key_is_kept_as_long_as_its_message_waits(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.accept([entry(1, key="a", due=9e8), entry(2, key="b", due=9e8)])
    rig.now = 1e6
    for _ in range(2):
        await pruned(rig.store, 1e6)
        assert await rig.store.accept([entry(3, key="a")]) == {0: known(1, 1, 9e8)}
        assert await rig.store.known("acme", ["b"]) == {"b": known(2, 1, 9e8)}
        await rig.reopen()
    assert (await rig.store.lease(LANE, 9e9, 10)).messages == [
        entry(1, key="a", due=9e8).message,
        entry(2, key="b", due=9e8).message,
    ]


async def test_prune_forgets_parts_without_a_message(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await rig.store.accept([entry(1, leased=True), entry(2, leased=True)])
    sent = [Sent(entry(n).message, "alpha", (f"r{n}",), 9e8) for n in (1, 2)]
    await rig.store.settle(Settlement(sent=sent))
    await rig.store.settle(Settlement(finals=[delivered(entry(1).message, at=9e9)]))
    assert await pruned(rig.store, 999.0) == 0
    assert await pruned(rig.store, 1e6) == 1
    assert (await rig.store.match([Ref("alpha", "r1"), Ref("alpha", "r2")])).keys() == {
        Ref("alpha", "r2")
    }


# --- what is counted ---


async def counted(store: Store, tenant: str = "acme", campaign: str | None = None) -> set[Any]:
    """What the store has counted, without the hours."""
    rows: list[Any] = []
    start: int | None = 0
    while start is not None:
        found, start = await store.stats(tenant, campaign, start, 1 << 20, 100)
        rows += [stat[1:] for stat in found]
    assert len(set(rows)) == len(rows)
    return set(rows)


async def test_what_is_accepted_and_what_ends_is_counted(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    spring = [entry(n, campaign="spring", variant="a" if n < 4 else "b") for n in range(1, 6)]
    await rig.store.accept([*spring, entry(6), entry(7, tenant="b", campaign="spring")])
    detail = {"carrier": "alpha", "receipt_state": "UNDELIV"}
    ends = [
        delivered(spring[0].message),
        delivered(spring[1].message),
        Final(spring[3].message, Event("failed", 1.0, code="undelivered", detail=detail)),
        Final(spring[4].message, Event("failed", 1.0, code="undelivered", detail=detail)),
        Final(entry(6).message, Event("sent", 1.0, detail={"carrier": "beta"})),
    ]
    tallies: dict[Key, int] = {
        ("acme", "spring", "a", "alpha", "sent"): 2,
        ("acme", "spring", "a", "alpha", "parts"): 6,
        ("acme", None, None, "", "refused opted_out"): 4,
        ("acme", "autumn", None, "", "deferred quiet_hours"): 5,
    }
    await rig.store.settle(Settlement(finals=ends, tallies=tallies))
    of_spring = {
        ("spring", "a", "", "accepted", 3),
        ("spring", "b", "", "accepted", 2),
        ("spring", "a", "", "ended delivered", 2),
        ("spring", "b", "alpha", "ended failed undelivered", 2),
        ("spring", "a", "alpha", "sent", 2),
        ("spring", "a", "alpha", "parts", 6),
    }
    others = {
        (None, None, "", "accepted", 1),
        (None, None, "beta", "ended sent", 1),
        (None, None, "", "refused opted_out", 4),
        ("autumn", None, "", "deferred quiet_hours", 5),
    }
    assert await counted(rig.store) == of_spring | others
    assert await counted(rig.store, campaign="spring") == of_spring
    assert await counted(rig.store, campaign="winter") == set()
    assert await counted(rig.store, "b") == {("spring", None, "", "accepted", 1)}
    assert await counted(rig.store, "nobody") == set()
    await rig.crash()
    assert await counted(rig.store) == of_spring | others
    await rig.store.settle(Settlement(tallies=tallies))  # counts go on where they were
    assert ("spring", "a", "alpha", "parts", 12) in await counted(rig.store)


async def test_duplicates_and_second_outcomes_are_not_counted(
    store: Store, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1, key="k"), entry(2, key="k"), entry(3)])
    await store.accept([entry(4, key="k"), entry(5, key="k", campaign="spring")])
    m = entry(3).message
    late = Final(m, Event("expired", 1.0, code="expired"))
    await store.settle(Settlement(finals=[delivered(m), late]))
    await store.settle(Settlement(finals=[late, delivered(entry(1).message)]))
    await store.settle(Settlement(finals=[delivered(entry(5).message)]))
    assert await counted(store) == {
        (None, None, "", "accepted", 2),
        (None, None, "", "ended delivered", 2),
    }


async def test_what_was_undone_is_not_counted(store: Store, entry: MakeEntry) -> None:
    named = {"campaign": "spring", "variant": "a"}
    await store.accept([entry(1, **named)])
    with pytest.raises(StoreError):
        await store.accept([entry(1, **named), entry(2, tenant="b", **named)])
    await store.accept([entry(3, **named), entry(4, tenant="b", **named)])
    assert await counted(store) == {("spring", "a", "", "accepted", 2)}
    assert await counted(store, "b") == {("spring", "a", "", "accepted", 1)}


async def test_counts_are_of_an_hour_and_come_in_whole_hours(rig: Rig, entry: MakeEntry) -> None:
    for hour in range(10, 20):
        rig.now = hour * HOUR + 59.0
        await rig.store.accept([entry(3 * hour + n, campaign=f"c{n}") for n in range(3)])
    stats = rig.store.stats
    rows, following = await stats("acme", None, 0, 1_000, 7)
    assert ([row.hour for row in rows], following) == ([10] * 3 + [11] * 3, 12)
    rows, following = await stats("acme", None, 12, 14, 100)
    assert ([row.hour for row in rows], following) == ([12] * 3 + [13] * 3, None)
    rows, following = await stats("acme", None, 12, 14, 2)  # an hour is told whole
    assert ([row.hour for row in rows], following) == ([12] * 3, 13)
    rows, following = await stats("acme", None, 13, 14, 2)
    assert ([row.hour for row in rows], following) == ([13] * 3, None)
    rows, following = await stats("acme", "c1", 15, 1_000, 3)
    assert ([row.hour for row in rows], following) == ([15, 16, 17], 18)
    assert await stats("acme", "c1", 18, 18, 3) == Stats([], None)
    assert await stats("acme", None, 20, 1_000, 3) == Stats([], None)


async def test_a_look_at_counts_goes_over_a_month(rig: Rig, entry: MakeEntry) -> None:
    for number, hour in enumerate((10, 10 + SPAN, 10 + 3 * SPAN), 1):
        rig.now = hour * HOUR + 1.0
        await rig.store.accept([entry(number, campaign="spring")])
    for campaign in (None, "spring"):
        first, following = await rig.store.stats("acme", campaign, 0, 1 << 20, 100)
        assert ([row.hour for row in first], following) == ([10], 10 + SPAN)
        hours = [row.hour for row in first]
        while following is not None:
            more, following = await rig.store.stats("acme", campaign, following, 1 << 20, 100)
            hours += [row.hour for row in more]
        assert hours == [10, 10 + SPAN, 10 + 3 * SPAN]


async def test_counts_are_kept_for_four_hundred_days(rig: Rig, entry: MakeEntry) -> None:
    for day in range(4):
        rig.now = 86_400.0 * (100 + day)
        await rig.store.accept([entry(day + 1, campaign=f"c{day}"), entry(day + 11, tenant="b")])
    rig.now += KEPT * HOUR - 86_400.0
    while await rig.store.prune(0.0, 100):
        pass
    for tenant, names in (("acme", ["c2", "c3"]), ("b", [None, None])):
        rows, _ = await rig.store.stats(tenant, None, 0, 1 << 20, 100)
        assert [row.campaign for row in rows] == names
    assert await counted(rig.store, campaign="c1") == set()
    await rig.store.accept([entry(21, campaign="c1")])
    assert await counted(rig.store, campaign="c1") == {("c1", None, "", "accepted", 1)}


# --- both engines, side by side ---

NUMBERS = st.integers(1, 30)
PLACES = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["uk", "fr"]))
CALLS = st.lists(
    st.one_of(
        st.tuples(
            st.just("accept"),
            st.lists(st.tuples(PLACES, st.integers(0, 9), st.booleans(), st.integers(0, 4))),
        ),
        st.tuples(st.just("lease"), st.tuples(PLACES, st.integers(0, 9), st.integers(1, 5))),
        st.tuples(st.just("cancel"), st.tuples(PLACES, st.lists(NUMBERS, max_size=3))),
        st.tuples(st.just("defer"), st.lists(st.tuples(NUMBERS, st.integers(0, 9)), max_size=3)),
        st.tuples(
            st.just("settle"),
            st.tuples(st.lists(NUMBERS, max_size=4), st.lists(NUMBERS, max_size=4)),
        ),
        st.tuples(
            st.just("optout"),
            st.lists(
                st.tuples(
                    st.sampled_from(["a", GLOBAL]),
                    st.sampled_from(["1", "2"]),
                    st.booleans(),
                    st.sampled_from(SOURCES),
                ),
                max_size=8,
            ),
        ),
        st.tuples(st.just("late"), st.integers(0, 9)),
        st.tuples(st.just("reopen"), st.booleans()),
    ),
    max_size=25,
)


async def answers(rig: Rig, calls: list[tuple[str, Any]]) -> list[Any]:
    """What a store answers to calls. Messages are numbered as they are accepted."""
    made: dict[int, Message] = {}
    told: list[Any] = []

    def accepted(place: tuple[str, str], due: int, leased: bool, key: int) -> Entry:
        made[len(made) + 1] = message = Message(
            id=len(made) + 1,
            tenant=place[0],
            to="447911123456",
            sender="1",
            text="hi",
            category="otp",
            route=place[1],
            encoding="gsm7",
            parts=1,
            accepted_at=0.0,
            due=float(due),
            expires_at=float(due + 5),
            key=f"k{key}" if key else None,
            campaign="spring" if due % 2 else None,
        )
        return Entry(message, due, leased)

    await rig.store.open()
    for call, detail in calls:
        store = rig.store
        if call == "accept":
            told.append(await store.accept([accepted(*one) for one in detail]))
        elif call == "lease":
            (tenant, route), now, limit = detail
            told.append(await store.lease(LaneKey(tenant, "otp", route), now, limit))
        elif call == "cancel":
            (tenant, _), numbers = detail
            told.append(sorted(await store.lease_ids(tenant, numbers), key=lambda m: m.id))
            campaign = await store.lease_campaign(tenant, "spring", NEWEST, 100)
            told.append(sorted(campaign, key=lambda m: m.id))
        elif call == "defer":
            there = [(made[n], due) for n, due in dict(detail).items() if n in made]
            await store.defer([msgspec.structs.replace(m, due=float(due)) for m, due in there])
        elif call == "settle":
            sent, ended = ([made[n] for n in numbers if n in made] for numbers in detail)
            settlement = Settlement(
                sent=[Sent(m, "alpha", (f"r{m.id}",), m.due + 3) for m in sent],
                finals=[Final(m, Event("sent", 1.0, message_id(m.id))) for m in ended],
            )
            told.append(await store.settle(settlement))
        elif call == "optout":
            changes = [
                OptoutChange(scope, number, out, source, float(at))
                for at, (scope, number, out, source) in enumerate(detail)
            ]
            told.append(await store.optout(changes))
        elif call == "late":
            told.append(sorted(await store.expired(detail, 100), key=lambda m: m.id))
            told.append(sorted(await store.overdue(detail, 100), key=lambda late: late[0].id))
        else:
            recovery = await (rig.reopen() if detail else rig.crash())
            told.append((recovery.lanes, sorted(recovery.counts), recovery.last_id))
    for tenant in ("a", "b"):
        keys = ["k1", "k2", "k3", "k4"]
        told.append(await rig.store.find(tenant, range(1, len(made) + 1), keys))
        told.append(await rig.store.known(tenant, keys))
        told.append(decoded(await rig.store.events(tenant, 0, 1_000)))
        told.append(await rig.store.bounds(tenant))
        entries = await rig.store.optout_entries(tenant, ["1", "2"])
        told.append({number: sorted(held) for number, held in entries.items()})
        told.append(sorted(await rig.store.optout_list(tenant, "", 10)))
        told.append(sorted((await rig.store.stats(tenant, None, 0, 9, 1_000)).rows, key=str))
    told.append(await rig.store.match([Ref("alpha", f"r{n}") for n in made]))
    await rig.aclose()
    return told


@settings(max_examples=60, deadline=None)
@given(CALLS)
def test_the_engines_agree(calls: list[tuple[str, Any]]) -> None:
    async def agree() -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "store"
            path.mkdir()
            of_sqlite = await answers(Rig("sqlite", path), calls)
            assert of_sqlite == await answers(Rig("memory", path), calls)

    trio.run(agree)

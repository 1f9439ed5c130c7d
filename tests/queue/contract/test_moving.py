"""Everything that a store knows moves into another, of the same engine or the other one, whole; a
move that was broken off goes on; nothing is moved twice, onto anything, or half."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import StoreError
from gateway.facts import CONSENTS, OPTOUTS, SPENT, UNREACHABLE, USES
from gateway.message import Charge, Counted, Event, LaneKey, Message, message_id
from gateway.queue import moving
from gateway.queue.consents import Consent
from gateway.queue.failing import Strike
from gateway.queue.moving import Movable, move, refuse_moved
from gateway.queue.store import (
    GLOBAL,
    Final,
    Held,
    Notice,
    OptoutChange,
    Progress,
    Ref,
    Refused,
    Sent,
    Settlement,
    Staged,
    TemplateChange,
)
from tests.queue.contract.rig import READY, MakeEntry, Rig, decoded, engine
from tests.servers import Postgres

PERSISTENT = ("sqlite", "postgresql")
PHONE, OTHER = "447911123456", "447911123457"
PLACES = ("the old one", "the new one")
ODD = "odd \0 名"
"""What tenants may call things."""


PAIRS = [f"{one} to {other}" for one in PERSISTENT for other in PERSISTENT]
each_to_the_other = pytest.mark.parametrize("rigs", PAIRS[1:3], indirect=True)


@pytest.fixture(params=PAIRS)
def rigs(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Rig, Rig]:
    made = []
    for name, folder in zip(request.param.split(" to "), ("old", "new"), strict=True):
        (tmp_path / folder).mkdir()
        made.append(Rig(engine(name, tmp_path / folder, lambda: request.getfixturevalue("ready"))))
    return made[0], made[1]


def movable(rig: Rig) -> Movable:
    return rig.store  # type: ignore[return-value]  # but for the engine in memory, all are


async def fill(rig: Rig, entry: MakeEntry) -> None:
    """Have a store know something of every kind."""
    store = rig.store
    counted = {"counted": (Counted(-7, 86_400), Counted(9, 60))}
    charged = {"charges": (Charge("balance", 90, (("alpha", 45),)),)}
    entries = [
        entry(1, key=ODD, campaign=ODD, variant="b", **counted),
        entry(2, due=5_000.0, key="later", leased=False, **charged),
        entry(3, leased=True, parts=2, text="long " * 40, **charged),
        entry(4, leased=True, key="ended", campaign="spring"),
        entry(5, leased=True, to=OTHER),
    ]
    await store.accept(entries, {}, {"balance": 1_000})
    others = [entry(n, tenant="other", key=f"k{n}", due=1_000.0 + n) for n in range(10, 150)]
    await store.accept(others)
    third, fourth, fifth = (one.message for one in entries[2:])
    delivered = Event("delivered", 1_010.0, message_id(4), "ended", fourth.to)
    await store.settle(
        Settlement(
            sent=[
                Sent(third, "alpha", (ODD, "r3b"), 9_000.0),
                Sent(fifth, "beta", ("",), 9_500.0),
            ],
            progress=[Progress(3, 0, 2, 2)],
            finals=[Final(fourth, delivered)],
            notices=[Notice("acme", Event("inbound", 1_000.0 + n, text="hi")) for n in range(90)],
            hold=[
                Held("receipt", ODD, b"early", 4_000.0),
                Held("inbound", "part", b"\0\xff", 4_000.0),
            ],
            optouts=[
                OptoutChange("acme", PHONE, True, "keyword", 1_001.0, "mo-1", ODD),
                OptoutChange("acme", PHONE, True, "complaint", 1_002.0),
                OptoutChange(GLOBAL, OTHER, True, "import", 1_003.0),
            ],
            consents=[Consent("acme", PHONE, "marketing", "given", 1.0, "form", ODD, "bob")],
            strikes=[Strike("acme", OTHER, 1_000.0, 1, 60.0, 600.0)],
        )
    )
    await store.refuse([Refused("acme", PHONE, ODD, 1_000.0, "opted_out", None, ODD, "c0ffee")])
    await store.put_templates(
        [TemplateChange("acme", ODD, 1.0, b"1"), TemplateChange("acme", ODD, 2.0, b"")]
    )
    await store.stage(Staged("acme", ODD, 1, 2, b"\0\xff"), 1_000.0)
    await store.stage(Staged("acme", ODD, 2, 3, b""), 1_000.0)
    await store.apply("acme", ODD, 5, 1_001.0)
    await store.stage(Staged("other", "begun", 1, 1, b"1"), 1_000.0)
    await store.acknowledge("acme", ODD, 40)
    await store.remember("learnt", b"\0\x01")
    operators: Any = store
    await operators.note_change(None, 1_000.0, b"paused")


async def knows(rig: Rig) -> list[Any]:
    """What a store answers to whoever asks."""
    store, operators = rig.store, rig.store
    wants = OPTOUTS | USES | CONSENTS | UNREACHABLE | SPENT
    asking: Any = operators
    lane = LaneKey("other", "transactional", "uk")
    return [
        await store.find("acme", range(1, 6), [ODD, "later", "ended"]),
        await store.known("other", [f"k{n}" for n in range(10, 150)]),
        await store.match([Ref("alpha", ODD), Ref("alpha", "r3b"), Ref("beta", "")]),
        decoded(await store.events("acme", 0, 1_000)),
        await store.bounds("acme"),
        await store.consumers(),
        await store.facts("acme", [PHONE, OTHER], wants),
        {
            phone: sorted(entries, key=str)
            for phone, entries in (await store.optout_entries("acme", [PHONE, OTHER])).items()
        },
        await store.consents("acme", [PHONE]),
        await store.template_versions("acme", ODD),
        await store.refusals("acme", [ODD]),
        [await store.imported("acme", ODD), await store.imported("other", "begun")],
        await store.next_staged(),
        sorted((await store.stats("acme", None, 0, 9, 1_000)).rows, key=str),
        sorted((await store.stats("acme", ODD, 0, 9, 1_000)).rows, key=str),
        await store.recall("learnt"),
        await asking.changes(1 << 62, 10),
        sorted(await asking.waiting(2_000.0), key=str),
        [message.id for message in (await store.lease(lane, 1_100.0, 1_000)).messages],
        store.epoch,
    ]


async def moved(rigs: tuple[Rig, Rig], **how: Any) -> Any:
    old, new = rigs
    return await move(movable(old), movable(new), PLACES, how.get("observe", lambda *_: None))


async def test_everything_moves(rigs: tuple[Rig, Rig], entry: MakeEntry) -> None:
    old, new = rigs
    old.now = new.now = 1_050.0
    await old.store.open()
    await fill(old, entry)
    before_move = await old.reopen()
    await new.store.open()
    told: list[tuple[str, int, int]] = []
    sizes = await moved(rigs, observe=lambda *seen: told.append(seen))
    assert {table for table, size in sizes.items() if not size} == set()
    assert told[-1][1:] == (2 * sum(sizes.values()), 2 * sum(sizes.values()))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    after_move = await new.reopen()
    for field in ("clean", "last_id", "last_accepted", "lanes"):
        assert getattr(after_move, field) == getattr(before_move, field)
    assert sorted(after_move.counts) == sorted(before_move.counts)
    assert sorted(after_move.held) == sorted(before_move.held)
    assert not new.store.restored
    assert await knows(new) == await knows(old)
    # And it goes on: numbers that are given are new ones.
    await new.store.settle(Settlement(notices=[Notice("acme", Event("inbound", 2_000.0))]))
    assert (await new.store.bounds("acme"))[1] == (await old.store.bounds("acme"))[1] + 1
    asking: Any = new.store
    assert await asking.note_change(None, 1_001.0, b"resumed") == 2
    assert await new.store.put_templates([TemplateChange("acme", ODD, 3.0, b"3")]) == [3]
    for rig in rigs:
        await rig.aclose()


async def test_a_move_that_was_broken_off_goes_on(
    rigs: tuple[Rig, Rig], entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "PAGE", 7)
    monkeypatch.setattr(moving, "LARGE", {})
    old, new = rigs
    old.now = new.now = 1_050.0
    await old.store.open()
    await fill(old, entry)
    await old.reopen()
    await new.store.open()
    pages = 0

    def broken(what: str, *_: Any) -> None:
        nonlocal pages
        pages += 1
        if pages % 5 == 0 and what.startswith("moving"):
            raise ConnectionError

    for _ in range(100):
        try:
            await moved(rigs, observe=broken)
        except ConnectionError:
            for rig, place in zip(rigs, PLACES, strict=True):
                with pytest.raises(StoreError, match="run gateway migrate again to go on"):
                    await refuse_moved(rig.store, place)
            await new.crash()
            await old.reopen()
        else:
            break
    assert pages > 20
    await new.reopen()
    assert await moving.tally(movable(new)) == await moving.tally(movable(old))
    await refuse_moved(new.store, "new")
    with pytest.raises(StoreError, match="the old one: was moved to the new one; have queue name"):
        await refuse_moved(old.store, "the old one")
    for rig in rigs:
        await rig.aclose()


@each_to_the_other
async def test_nothing_is_moved_where_something_is(rigs: tuple[Rig, Rig], entry: MakeEntry) -> None:
    old, new = rigs
    await old.store.open()
    await new.store.open()
    await new.store.remember("learnt", b"1")
    with pytest.raises(StoreError, match="the new one: is not empty, there are rows in memo"):
        await moved(rigs)
    await refuse_moved(old.store, "the old one")
    for rig in rigs:
        await rig.aclose()


@each_to_the_other
async def test_what_was_moved_is_not_moved_again(rigs: tuple[Rig, Rig], entry: MakeEntry) -> None:
    old, new = rigs
    await old.store.open()
    await fill(old, entry)
    await old.reopen()
    await new.store.open()
    await moved(rigs)
    with pytest.raises(StoreError, match="the old one: was moved to the new one; move that one"):
        await moved(rigs)
    for rig in rigs:
        await rig.aclose()


@each_to_the_other
async def test_what_arrives_otherwise_is_told(
    rigs: tuple[Rig, Rig], entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = rigs
    await old.store.open()
    await fill(old, entry)
    await old.reopen()
    await new.store.open()
    write = movable(new).write_rows

    async def lossy(table: str, rows: Any, note: bytes) -> None:
        await write(table, rows[1:] if table == "optout" else rows, note)

    monkeypatch.setattr(new.store, "write_rows", lossy)
    told = r"the new one: optout( of \w+)? has \d rows that are not the \d of the old one; drop it"
    with pytest.raises(StoreError, match=told):
        await moved(rigs)
    with pytest.raises(StoreError, match="has only a part"):
        await refuse_moved(new.store, "the new one")
    for rig in rigs:
        await rig.aclose()


@each_to_the_other
async def test_what_a_node_holds_is_not_moved(rigs: tuple[Rig, Rig], entry: MakeEntry) -> None:
    old, new = rigs
    await old.store.open()
    await old.store.accept([entry(1, leased=True)])
    await new.store.open()
    with pytest.raises(StoreError, match="the old one: has messages that a node holds"):
        await moved(rigs)
    for rig in rigs:
        await rig.aclose()


@each_to_the_other
async def test_messages_that_were_under_way_are_marked(
    rigs: tuple[Rig, Rig], entry: MakeEntry
) -> None:
    old, new = rigs
    await old.store.open()
    await old.store.accept([entry(1, leased=True), entry(2)])
    await old.crash()
    await new.store.open()
    await moved(rigs)
    await new.reopen()
    lane = LaneKey("acme", "transactional", "uk")
    messages: list[Message] = [*(await new.store.lease(lane, 2_000.0, 10)).messages]
    assert [(m.id, m.maybe_duplicate) for m in messages] == [(1, True), (2, False)]
    for rig in rigs:
        await rig.aclose()


OF_NODES = {
    "node", "shard", "slot", "granted", "arrival", "notice", "gateway", "epoch", "generation",
}  # fmt: skip
"""Tables of nodes and of what goes on counting (`Numbers`), which a new store has its own of."""

NAMES = {"tenant", "carrier", "lane", "stat_name"}
"""Tables of names, which are made as rows are added, and others that only stand in for rows."""

CHUNKS = {"taken", "arrived", "progress", "backlog", "reserved", "spent"}
"""Tables of what is shelved, or put away, before anything moves."""


async def test_every_table_moves_or_is_known_not_to(tmp_path: Path, ready: Postgres) -> None:
    made = engine("sqlite", tmp_path, lambda: ready).store(lambda: 1_000.0)
    await made.open()
    await made.aclose()
    with closing(sqlite3.connect(tmp_path / "store" / "store.db")) as file:
        names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        tables = {"sqlite": {name for [name] in file.execute(names)}}
        asked = "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c"
        columns = {"sqlite": set(file.execute(asked))}
    found = ready.ask(
        READY,
        "SELECT relname, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0"
        " AND NOT relispartition",
    )
    tables["postgresql"] = {table for table, _ in found}
    columns["postgresql"] = {(table, column) for table, column in found}
    for name in PERSISTENT:
        assert tables[name] - OF_NODES - NAMES - CHUNKS <= moving.TABLES.keys()
        # What an engine has of its own: numbers of rows and of names, and whose they are.
        own = {"id", "lane", "shard", "node", "generation", "name", "tenant"}
        for table, column in columns[name]:
            if table in moving.TABLES:
                assert column in moving.TABLES[table].columns.keys() | own, (table, column)

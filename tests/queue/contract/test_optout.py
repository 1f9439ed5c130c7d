"""`Store.optout`, `optout_entries` and `optout_list`: who is not to be texted."""

import pytest

from gateway.queue.store import GLOBAL, OptoutChange, OptoutEntry, OptoutSource, Settlement, Store
from tests.queue.asking import opted_out
from tests.queue.contract.rig import SOURCES, Rig, change


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

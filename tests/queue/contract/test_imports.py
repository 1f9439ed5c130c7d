"""`Store.stage`, `apply`, `imported`, `next_staged` and `carry_out`: all holds, or nothing does."""

from collections.abc import Sequence

from gateway.queue.consents import Consent
from gateway.queue.store import IMPORT_KEPT, Import, OptoutChange, Staged, Store
from tests.queue.asking import opted_out
from tests.queue.contract.rig import Rig, change

MINE = ("acme", "spring")
TWO, THREE = Staged(*MINE, 7, 2, b"\0two"), Staged(*MINE, 1 << 40, 3, b"three")


def outs(*numbers: str, out: bool = True, at: float = 1_000.0) -> list[OptoutChange]:
    return [OptoutChange("acme", one, out, "import", at) for one in numbers]


def consent(number: str, state: str, at: float = 900.0) -> Consent:
    return Consent("acme", number, "marketing", state, at, "import")  # type: ignore[arg-type]


async def stage(
    store: Store, *sizes: int, of: tuple[str, str] = MINE, now: float = 1_000.0
) -> None:
    for size in sizes:
        await store.stage(Staged(*of, size, size, b"%d" % size), now)


async def carry_out(
    store: Store, optouts: Sequence[OptoutChange] = (), consents: Sequence[Consent] = ()
) -> Staged:
    """Carry out what is next; returns that."""
    staged = await store.next_staged()
    assert staged is not None
    assert await store.carry_out(staged, optouts, consents) is not None
    return staged


async def test_what_is_staged_waits_for_the_mark_and_no_longer(rig: Rig) -> None:
    assert await rig.store.imported(*MINE) is None
    assert await rig.store.apply(*MINE, 5, 1_001.0) is None
    assert await rig.store.stage(TWO, 1_000.0) == Import(2, 2, 0, None)
    assert await rig.store.stage(THREE, 1_000.0) == Import(5, 5, 0, None)
    await rig.crash()
    assert await rig.store.next_staged() is None
    assert await rig.store.apply(*MINE, 5, 1_001.0) == Import(5, 5, 0, 1_001.0)
    await rig.crash()
    assert await rig.store.next_staged() == TWO
    await carry_out(rig.store, outs("1", "2"))
    await rig.crash()
    assert await rig.store.imported(*MINE) == Import(5, 3, 2, 1_001.0)
    assert await rig.store.next_staged() == THREE
    await carry_out(rig.store, outs("2", "3", "4"))
    assert await rig.store.next_staged() is None
    await rig.crash()
    assert await rig.store.next_staged() is None
    assert await rig.store.imported(*MINE) == Import(5, 0, 4, 1_001.0)
    assert await opted_out(rig.store, "acme", ["1", "2", "3", "4", "5"]) == {"1", "2", "3", "4"}


async def test_an_import_of_which_something_is_missing_is_not_marked(store: Store) -> None:
    await stage(store, 2, 3)
    for size in (2, 4, 6):
        assert await store.apply(*MINE, size, 1_001.0) == Import(5, 5, 0, None)
    assert await store.next_staged() is None


async def test_what_comes_twice_is_staged_once(rig: Rig) -> None:
    """Its answer was lost."""
    for staged in (THREE, TWO, THREE, TWO):
        known = await rig.store.stage(staged, 1_000.0)
        await rig.crash()
    assert known == Import(5, 5, 0, None)
    await rig.store.apply(*MINE, 5, 1_001.0)
    assert [await carry_out(rig.store) for _ in range(2)] == [TWO, THREE], "as they are numbered"
    assert await rig.store.next_staged() is None


async def test_an_import_that_is_marked_takes_no_more(store: Store) -> None:
    await stage(store, 2)
    await store.apply(*MINE, 2, 1_001.0)
    for _ in range(2):
        marked = await store.stage(Staged(*MINE, 7, 1, b"more"), 1_002.0)
        assert (marked.size, marked.marked) == (2, 1_001.0)
        marked = await store.apply(*MINE, 2, 1_003.0) or marked
        assert (marked.size, marked.marked) == (2, 1_001.0), "marked once"
        if marked.rest:
            await carry_out(store)
    assert await store.next_staged() is None


async def test_imports_are_carried_out_in_the_order_of_their_marks(store: Store) -> None:
    later, other = ("acme", "later"), ("umbrella", "spring")
    await stage(store, 1, 2, of=later)
    await stage(store, 3, of=other)
    await stage(store, 4)
    await store.apply(*other, 3, 1_001.0)
    await store.apply(*later, 3, 1_002.0)
    assert [(one := await carry_out(store))[:2] + one[4:] for _ in range(3)] == [
        (*other, b"3"),
        (*later, b"1"),
        (*later, b"2"),
    ]
    assert await store.next_staged() is None, "one was never marked"


async def test_what_is_gone_already_is_not_carried_out_again(rig: Rig) -> None:
    await stage(rig.store, 1)
    await rig.store.apply(*MINE, 1, 1_001.0)
    staged = await carry_out(rig.store, outs("1"))
    await rig.store.optout([change("1", out=False)])
    assert await rig.store.carry_out(staged, outs("1"), [consent("1", "given")]) is None
    assert await opted_out(rig.store, "acme", ["1"]) == set()
    assert await rig.store.consents("acme", ["1"]) == {}
    assert await rig.store.imported(*MINE) == Import(1, 0, 1, 1_001.0)


async def test_consents_come_on_record_as_single_ones_do(store: Store) -> None:
    await store.consent([consent("1", "withdrawn", at=950.0)])
    await stage(store, 3)
    await store.apply(*MINE, 3, 1_001.0)
    staged = await store.next_staged()
    assert staged is not None
    asked = [consent("1", "given"), consent("2", "withdrawn"), consent("2", "withdrawn")]
    assert await store.carry_out(staged, [], asked) == [True, True, False]
    found = await store.consents("acme", ["1", "2"])
    assert {n: [one.state for one in of] for n, of in found.items()} == {
        "1": ["withdrawn", "given"],
        "2": ["withdrawn"],
    }
    facts = await store.facts("acme", ["1", "2", "3"], frozenset({"withdrawals"}))
    assert facts.withdrawn == {n: frozenset({"marketing"}) for n in ("1", "2")}


async def test_what_was_said_after_a_list_was_read_is_not_taken_back(store: Store) -> None:
    """A list of removals may be carried out long after: the gateway was down."""
    for number, at in (("1", 999.0), ("2", 1_000.0), ("3", 1_000.5)):
        await store.optout([OptoutChange("acme", number, True, "keyword", at)])
    await stage(store, 3)
    await store.apply(*MINE, 3, 1_001.0)
    staged = await store.next_staged()
    assert staged is not None
    done = await store.carry_out(staged, outs("1", "2", "3", out=False), [])
    assert done == [True, True, False]
    assert await opted_out(store, "acme", ["1", "2", "3"]) == {"3"}
    assert await store.optout(outs("3", out=False)) == [True], "who removes one means it as it is"


async def test_one_that_nobody_applies_is_forgotten_and_so_is_one_that_is_done(rig: Rig) -> None:
    abandoned, done, young = ("acme", "abandoned"), ("acme", "done"), ("acme", "young")
    await stage(rig.store, 1, 2, of=abandoned)
    for of in (done, MINE):
        await stage(rig.store, 1, of=of)
        await rig.store.apply(*of, 1, 1_000.0)
    await carry_out(rig.store)
    rig.now += IMPORT_KEPT + 1
    await stage(rig.store, 1, of=young, now=rig.now)
    while await rig.store.prune(0.0, 1_000):
        pass
    assert [await rig.store.imported(*of) for of in (abandoned, done)] == [None, None]
    assert await rig.store.apply(*abandoned, 3, rig.now) is None
    assert await rig.store.imported(*young) == Import(1, 1, 0, None)
    assert await carry_out(rig.store, outs("1")) == Staged(*MINE, 1, 1, b"1"), "it is to hold"
    await stage(rig.store, 4, of=abandoned, now=rig.now)
    await rig.store.apply(*abandoned, 4, rig.now)
    assert (await carry_out(rig.store)).body == b"4"

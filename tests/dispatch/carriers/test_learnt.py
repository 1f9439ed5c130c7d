"""What was learnt of carriers is kept."""

from typing import Any

import pytest

from gateway.dispatch.carriers.learnt import NAME, Lessons
from gateway.queue.memory import MemoryStore


@pytest.fixture
async def store(clock: Any) -> MemoryStore:
    store = MemoryStore(clock)
    await store.open()
    return store


async def test_what_was_learnt_is_taught_again(store: MemoryStore, bench: Any) -> None:
    learnt = bench.carrier("alpha")
    learnt.correlator.ids.learn("hex-dec")
    learnt.correlator.long.learn("one")
    await Lessons(store).save([learnt, bench.carrier("beta")])
    lessons = Lessons(store)
    await lessons.load()
    alpha, beta = bench.carrier("alpha"), bench.carrier("beta")
    lessons.teach([alpha, beta])
    assert (alpha.correlator.ids.learnt, alpha.correlator.long.learnt) == ("hex-dec", "one")
    assert (beta.correlator.ids.learnt, beta.correlator.long.learnt) == (None, None)


async def test_what_is_stated_comes_first_and_is_not_kept(store: MemoryStore, bench: Any) -> None:
    learnt = bench.carrier("alpha")
    learnt.correlator.ids.learn("hex-dec")
    lessons = Lessons(store)
    await lessons.save([learnt])
    stated = bench.carrier("alpha", receipt_id="same", long_receipts="each")
    lessons.teach([stated])
    assert stated.correlator.ids.learnt == "same"
    await lessons.save([stated])
    again = bench.carrier("alpha")
    lessons.teach([again])
    assert (again.correlator.ids.learnt, again.correlator.long.learnt) == ("hex-dec", None)


async def test_carriers_that_are_not_configured_are_not_forgotten(
    store: MemoryStore, bench: Any
) -> None:
    learnt = bench.carrier("alpha")
    learnt.correlator.ids.learn("hex-dec")
    lessons = Lessons(store)
    await lessons.save([learnt])
    other = bench.carrier("beta")
    other.correlator.ids.learn("same")
    await lessons.save([other])
    again = bench.carrier("alpha")
    lessons.teach([again])
    assert again.correlator.ids.learnt == "hex-dec"


async def test_nothing_is_written_while_nothing_is_new(store: MemoryStore, bench: Any) -> None:
    lessons = Lessons(store)
    await lessons.save([bench.carrier("alpha")])
    assert await store.recall(NAME) is None


async def test_what_cannot_be_read_is_learnt_anew(store: MemoryStore, bench: Any) -> None:
    await store.remember(NAME, b"\xc1")
    lessons = Lessons(store)
    await lessons.load()
    carrier = bench.carrier("alpha")
    lessons.teach([carrier])
    assert carrier.correlator.ids.learnt is None

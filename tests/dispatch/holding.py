"""Whether a dispatch of a test holds what the store says that it has leased, each message in one
place: asked after every test that has one."""

from typing import Protocol

from gateway.dispatch.core import Dispatch
from gateway.dispatch.places import PLACES
from gateway.queue.store import Leased

EVERY = 1_000_000


class Leasing(Protocol):
    """What is asked of a store."""

    async def leased(self, after: int, limit: int) -> Leased: ...


def check_lists(dispatch: Dispatch) -> set[int]:
    """What has messages has those that the registry says, and each is in one place; returns all
    that are held."""
    places, fleet = dispatch.places, dispatch.fleet
    lanes = [message.id for lane in dispatch.lanes.each() for message in lane.messages]
    assert sorted(lanes) == sorted(places.members("lane"))
    again = [message.id for carrier in fleet.carriers for message in carrier.torn]
    assert sorted(again) == sorted(places.members("again"))
    written = {part.flight.message.id for one in fleet.carriers for part in one.unanswered()}
    assert written <= places.members("carrier")
    held = [number for place in PLACES for number in places.members(place)]
    assert len(held) == len(set(held)) == places.total
    return set(held)


async def check_store(dispatch: Dispatch, store: Leasing) -> None:
    """The store has leased what is held: but for that of which it has just been told."""
    held = check_lists(dispatch)
    leased = set((await store.leased(0, EVERY)).numbers)
    told = dispatch.places.members("settlement") | dispatch.places.members("deferral")
    assert leased <= held
    assert held - leased <= told

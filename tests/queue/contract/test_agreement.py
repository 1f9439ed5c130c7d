"""All engines, given the same calls, answer the same."""

import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.message import Event, LaneKey, Message, message_id
from gateway.queue.sqlite import backlog
from gateway.queue.store import GLOBAL, NEWEST, Entry, Final, OptoutChange, Ref, Sent, Settlement
from tests.queue.contract.rig import ENGINES, SOURCES, Rig, decoded, engine

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
            told.append((await store.settle(settlement)).passed_over)
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


@pytest.mark.parametrize("other", [name for name in ENGINES if name != "memory"])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(calls=CALLS)
def test_the_engines_agree(
    request: pytest.FixtureRequest, other: str, calls: list[tuple[str, Any]]
) -> None:
    async def told(name: str) -> list[Any]:
        with tempfile.TemporaryDirectory() as directory:
            made = engine(name, Path(directory), lambda: request.getfixturevalue("ready"))
            with pytest.MonkeyPatch.context() as patched:
                if name == "chunks":
                    patched.setattr(backlog, "SMALLEST", 1)
                return await answers(Rig(made), calls)

    async def agree() -> None:
        assert await told(other) == await told("memory")

    trio.run(agree)

"""Which carrier takes a message."""

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dispatch.carriers.carriers import Carrier
from gateway.dispatch.release import pool as pool_module
from gateway.dispatch.release.pool import CarrierPool, routes_or_default
from gateway.dispatch.release.routing import CarrierShare, RouteOptions
from gateway.message import Message

Placed = tuple[list[tuple[Carrier, list[Message]]], list[Message]]


def route(*shares: CarrierShare, backup: Sequence[str] = (), name: str = "default") -> RouteOptions:
    return RouteOptions(name=name, carriers=list(shares), backup=list(backup))


def pool_of(carriers: Sequence[Carrier], *routes: RouteOptions) -> CarrierPool:
    pool = CarrierPool()
    pool.configure(carriers, routes)
    return pool


def taken(placed: Placed) -> dict[str, list[int]]:
    return {carrier.options.id: [m.id for m in batch] for carrier, batch in placed[0]}


@pytest.mark.parametrize("weights", [(3, 1), (1, 1), (5, 2)])
def test_parts_are_shared_by_weight(
    bench: Any, make_message: Any, weights: tuple[int, int]
) -> None:
    carriers = [bench.carrier(name, window=10_000) for name in ("alpha", "beta")]
    shares = [
        CarrierShare(carrier.options.id, weight)
        for carrier, weight in zip(carriers, weights, strict=True)
    ]
    pool = pool_of(carriers, route(*shares))
    had: Counter[str] = Counter()
    for batch in range(20):
        messages = [make_message(batch * 50 + n, parts=1 + n % 3) for n in range(50)]
        placed, left = pool.place("default", messages, 0.0)
        assert left == []
        for carrier, share in placed:
            assert [m.id for m in share] == sorted(m.id for m in share)
            had[carrier.options.id] += sum(m.parts for m in share)
    expected = had.total() * weights[0] / sum(weights)
    assert had["alpha"] == pytest.approx(expected, abs=6)


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=40),
    st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30)),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
)
def test_what_fits_into_all_windows_together_is_all_placed(
    make_bench: Any,
    make_message: Any,
    parts: list[int],
    windows: tuple[int, ...],
    weights: tuple[int, ...],
) -> None:
    bench = make_bench()
    carriers = [bench.carrier(f"c{n}", window=window) for n, window in enumerate(windows)]
    shares = [CarrierShare(f"c{n}", weight) for n, weight in enumerate(weights)]
    pool = pool_of(carriers, route(*shares))
    room = pool.room("default", 0.0)
    messages: list[Message] = []
    for number, count in enumerate(parts):
        if messages and sum(m.parts for m in messages) + count > room:
            break
        messages.append(make_message(number, parts=count))
    placed, left = pool.place("default", messages, 0.0)
    assert left == []
    assert sorted(m.id for _, batch in placed for m in batch) == [m.id for m in messages]


def test_a_carrier_without_room_is_passed_over(bench: Any, make_message: Any) -> None:
    alpha, beta = bench.carrier("alpha", window=1), bench.carrier("beta")
    pool = pool_of([alpha, beta], route(CarrierShare("alpha", 100), CarrierShare("beta")))
    messages = [make_message(n) for n in range(5)]
    assert taken(pool.place("default", messages, 0.0)) == {"alpha": [0], "beta": [1, 2, 3, 4]}


@pytest.mark.parametrize("per_second", [4, 40, 400, 4_000])
@pytest.mark.parametrize("why", ["had no room", "was down"])
@pytest.mark.parametrize("gone", ["alpha", "beta"])
def test_one_that_comes_back_gets_its_share_within_seconds(
    bench: Any, make_message: Any, gone: str, why: str, per_second: int
) -> None:
    """A minute without one of two: then neither nothing nor all there is."""
    carriers = {name: bench.carrier(name, window=10_000) for name in ("alpha", "beta")}
    pool = pool_of(
        list(carriers.values()), route(CarrierShare("alpha", 3), CarrierShare("beta", 1))
    )
    now, numbers, had = 0.0, itertools.count(1), Counter[str]()

    def run(seconds: int) -> None:
        nonlocal now
        for _ in range(seconds * min(per_second, 20)):
            messages = [make_message(next(numbers)) for _ in range(max(1, per_second // 20))]
            for name, batch in taken(pool.place("default", messages, now)).items():
                had[name] += len(batch)
            now += 1 / min(per_second, 20)

    run(10)
    assert had["alpha"] == pytest.approx(7.5 * per_second, abs=4)
    up = carriers[gone].binds
    if why == "was down":
        up[0].lose()
    else:
        carriers[gone].use(bench.carrier(gone, window=0).binds)
    run(60)
    if why == "was down":
        up[0].come_up()
    else:
        carriers[gone].use(up)
    run(4)  # at 4 a second, what it may have at once is three rounds
    had.clear()
    run(20)
    assert had["alpha"] == pytest.approx(15 * per_second, abs=4)


def test_one_that_had_no_room_for_a_moment_catches_up(bench: Any, make_message: Any) -> None:
    alpha, beta = bench.carrier("alpha", window=10_000), bench.carrier("beta", window=10_000)
    pool = pool_of([alpha, beta], route(CarrierShare("alpha"), CarrierShare("beta")))
    up = alpha.binds
    alpha.use(bench.carrier("alpha", window=0).binds)
    pool.place("default", [make_message(n) for n in range(100)], 10.0)
    alpha.use(up)
    placed = taken(pool.place("default", [make_message(n) for n in range(100)], 10.1))
    assert len(placed["alpha"]) == 75
    placed = taken(pool.place("default", [make_message(n) for n in range(100)], 10.2))
    assert len(placed["alpha"]) == 50


def test_a_backup_takes_over_only_while_no_other_is_up(bench: Any, make_message: Any) -> None:
    alpha, gamma, delta = (bench.carrier(name) for name in ("alpha", "gamma", "delta"))
    pool = pool_of([alpha, gamma, delta], route(CarrierShare("alpha"), backup=["gamma", "delta"]))
    messages = [make_message()]
    assert taken(pool.place("default", messages, 0.0)) == {"alpha": [1]}
    alpha.binds[0].lose()
    assert taken(pool.place("default", messages, 0.0)) == {"gamma": [1]}
    gamma.binds[0].lose()
    assert taken(pool.place("default", messages, 0.0)) == {"delta": [1]}
    assert pool.room("default", 0.0) == 10
    delta.binds[0].lose()
    assert pool.place("default", messages, 0.0) == ([], messages)
    assert pool.room("default", 0.0) == 0
    alpha.binds[0].come_up()
    assert taken(pool.place("default", messages, 0.0)) == {"alpha": [1]}


def test_a_carrier_that_refused_a_message_does_not_get_it_again(
    bench: Any, make_message: Any
) -> None:
    carriers = [bench.carrier(name) for name in ("alpha", "beta")]
    pool = pool_of(carriers, route(CarrierShare("alpha", 9), CarrierShare("beta")))
    message, other = make_message(1), make_message(2)
    assert pool.avoid(message, "alpha")
    assert taken(pool.place("default", [message, other], 0.0)) == {"beta": [1], "alpha": [2]}
    carriers[1].binds[0].lose()
    assert pool.place("default", [message], 0.0) == ([], [message])
    assert not pool.avoid(message, "beta")


def test_what_the_others_refused_goes_to_the_backup(bench: Any, make_message: Any) -> None:
    carriers = [bench.carrier(name) for name in ("alpha", "gamma")]
    pool = pool_of(carriers, route(CarrierShare("alpha"), backup=["gamma"]))
    message = make_message()
    assert pool.avoid(message, "alpha")
    assert taken(pool.place("default", [message], 0.0)) == {"gamma": [1]}


def test_nothing_is_avoided_after_the_outcome(bench: Any, make_message: Any) -> None:
    carriers = [bench.carrier(name) for name in ("alpha", "beta")]
    pool = pool_of(carriers, route(CarrierShare("alpha", 9), CarrierShare("beta")))
    pool.avoid(make_message(), "alpha")
    pool.settled([make_message()])
    assert taken(pool.place("default", [make_message()], 0.0)) == {"alpha": [1]}


def test_what_is_avoided_is_bounded(
    bench: Any, make_message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "AVOIDING", 3)
    carriers = [bench.carrier(name) for name in ("alpha", "beta")]
    pool = pool_of(carriers, route(CarrierShare("alpha"), CarrierShare("beta")))
    for number in range(10):
        assert pool.avoid(make_message(number), "alpha")
    assert not pool.avoid(make_message(9), "beta")
    assert pool.avoided <= 3


def test_a_removed_route_lets_its_messages_out_to_be_given_another(bench: Any) -> None:
    pool = pool_of([bench.carrier()], route(CarrierShare("alpha")))
    assert pool.has_route("default")
    pool.configure(pool.carriers.values(), [route(CarrierShare("alpha"), name="new")])
    assert not pool.has_route("default")
    assert pool.room("default", 0.0) > 0


def test_without_routes_every_carrier_shares_the_load() -> None:
    [only] = routes_or_default([], ["alpha", "beta"])
    assert [(share.id, share.weight) for share in only.carriers] == [("alpha", 1), ("beta", 1)]
    stated = [route(CarrierShare("alpha"))]
    assert routes_or_default(stated, ["alpha", "beta"]) == stated

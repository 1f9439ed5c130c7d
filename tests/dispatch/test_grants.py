"""Rates over several nodes: never more than the rate together, and all of it where it is wanted."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dispatch.grants import NEAR, RESERVE, Claim, Grants, Rate, shared_out
from gateway.queue.store import Ask, Granted

CLAIMS = st.dictionaries(
    st.integers(0, 9),
    st.builds(Claim, st.floats(0, 1), st.sampled_from([0.0, 0.1, 0.25, 1.0])),
    min_size=1,
)


@given(claims=CLAIMS)
def test_all_is_shared_out_and_nobody_lacks_what_another_has_to_spare(
    claims: dict[int, Claim],
) -> None:
    parts = shared_out(claims)
    total = sum(one.weight for one in claims.values())
    assert all(part >= 0 for part in parts.values())
    if not total:
        return
    assert sum(parts.values()) == pytest.approx(1)
    for node, one in claims.items():
        fair = one.weight / total
        assert parts[node] >= min(max(one.want, RESERVE * fair), fair) - 1e-9
        if one.weight and parts[node] < one.want - 1e-9:
            for other, his in claims.items():
                assert parts[other] <= max(his.want, RESERVE * his.weight / total) + 1e-9
                assert parts[other] * one.weight <= parts[node] * his.weight + 1e-9


@pytest.mark.parametrize(
    ("wants", "expected"),
    [
        ((1, 1, 1), (1 / 3, 1 / 3, 1 / 3)),
        ((0, 0, 0), (1 / 3, 1 / 3, 1 / 3)),
        ((1, 0, 0), (1 - RESERVE * 2 / 3, RESERVE / 3, RESERVE / 3)),
        ((1, 0.1, 0.2), (0.7, 0.1, 0.2)),
        ((1, 0.4, 0.1), (0.5, 0.4, 0.1)),
        ((1, 0.9, 0.1), (0.45, 0.45, 0.1)),
    ],
)
def test_what_one_does_not_want_others_have(
    wants: Sequence[float], expected: Sequence[float]
) -> None:
    claims = {node: Claim(want, 1 / 3) for node, want in enumerate(wants)}
    assert [*shared_out(claims).values()] == pytest.approx([*expected])


class Table:
    """What the store does of it (`gateway.queue.store.Store.grant`)."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], Granted] = {}

    def grant(self, node: int, asks: Sequence[Ask]) -> list[Granted]:
        for one in asks:
            others = sum(r.held for (n, at), r in self.rows.items() if n == one.name and at != node)
            held = max(one.use, min(one.ask, 1 - others))
            self.rows[one.name, node] = Granted(one.name, node, one.want, one.weight, held)
        wanted = {r.name for r in self.rows.values() if r.want} | {one.name for one in asks}
        return [row for row in self.rows.values() if row.name in wanted]


class Node:
    """A node whose messages for one rate of 1,000 come at some speed, and wait."""

    def __init__(self, number: int, weight: float) -> None:
        self.grants = Grants()
        self.grants.me = number
        self.weight = weight
        self.comes = 0.0
        self.waiting = self.passed = 0.0
        self.told = 0

    def live(self, seconds: float) -> None:
        self.waiting += self.comes * seconds
        sent = min(self.waiting, 1_000 * self.grants.part("x") * seconds)
        self.waiting -= sent
        self.passed += sent

    def look(self, table: Table, now: float) -> None:
        rate = Rate("x", self.weight, 1_000, self.passed, self.waiting > 1)
        asks = self.grants.asks([rate], now)
        self.told += len(asks)
        self.grants.take(table.grant(self.grants.me, asks))


def run(nodes: Sequence[Node], table: Table, seconds: float, began: float) -> float:
    """Let nodes send, each looking ten times a second at moments of its own, and see that they
    never go by more than the rate. Returns what they have sent a second."""
    before = sum(node.passed for node in nodes)
    steps = round(seconds * 100)
    for step in range(steps):
        now = began + step / 100
        for node in nodes:
            node.live(0.01)
            if step % 10 == node.grants.me * 3 % 10:
                node.look(table, now)
                assert sum(one.grants.part("x") for one in nodes) <= 1 + 1e-9
    return (sum(node.passed for node in nodes) - before) / seconds


@pytest.mark.parametrize(
    ("comes", "sent"),
    [
        ((5_000, 0, 0), 1_000),
        ((5_000, 5_000, 5_000), 1_000),
        ((5_000, 50, 0), 1_000),
        ((5_000, 200, 100), 1_000),
        ((5_000, 5_000, 10), 1_000),
        ((300, 200, 100), 600),
        ((400, 350, 100), 850),
    ],
)
def test_the_sum_is_the_rate_however_uneven_the_demand(comes: Sequence[float], sent: float) -> None:
    table = Table()
    nodes = [Node(number, 1 / 3) for number in range(3)]
    run(nodes, table, 1, 0)
    for node, rate in zip(nodes, comes, strict=True):
        node.comes = rate
    assert run(nodes, table, 10, 1) == pytest.approx(sent, rel=0.05)
    assert run(nodes, table, 10, 11) == pytest.approx(sent, rel=0.03)


def test_it_follows_when_demand_moves() -> None:
    table, chance = Table(), random.Random(7)
    nodes = [Node(number, 1 / 3) for number in range(3)]
    for turn in range(20):
        for node in nodes:
            node.comes, node.waiting = 0.0, 0.0
        chance.choice(nodes).comes = 3_000.0
        run(nodes, table, 0.5, turn * 4)
        assert run(nodes, table, 3, turn * 4 + 0.5) == pytest.approx(1_000, rel=0.05)


def test_a_node_comes_and_another_goes() -> None:
    table = Table()
    nodes = [Node(0, 0.5), Node(1, 0.5)]
    for node in nodes:
        node.comes = 5_000
    run(nodes, table, 2, 0)
    nodes.append(Node(2, 1 / 3))
    for node in nodes:
        node.comes, node.weight = 5_000, 1 / 3
    run(nodes, table, 1, 2)
    assert [node.grants.part("x") for node in nodes] == pytest.approx([1 / 3] * 3, abs=2 * NEAR)
    del table.rows["x", 1], nodes[1]
    for node in nodes:
        node.weight = 0.5
    run(nodes, table, 1, 3)
    assert [node.grants.part("x") for node in nodes] == pytest.approx([0.5] * 2, abs=2 * NEAR)


def test_where_nothing_changes_nothing_is_told() -> None:
    table = Table()
    nodes = [Node(number, 1 / 3) for number in range(3)]
    run(nodes, table, 3, 0)
    before = [node.told for node in nodes]
    run(nodes, table, 10, 3)
    assert [node.told for node in nodes] == before


def test_a_node_that_may_have_been_taken_for_dead_goes_by_nothing() -> None:
    table = Table()
    node = Node(0, 1.0)
    run([node], table, 1, 0)
    assert node.grants.part("x") == 1.0
    assert node.grants.forget() == ["x"]
    assert node.grants.part("x") == 0.0
    [ask] = node.grants.asks([Rate("x", 1.0, 1_000, 0, False)], 1.0)
    assert ask.use == 0.0
    assert node.grants.forget() == []


def test_rates_that_nobody_uses_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until they are used, waited for or shared out otherwise, or may not have been told."""
    measured: list[str] = []
    measure = Grants._measure  # noqa: SLF001

    def noting(self: Grants, own: object, rate: Rate, seconds: float) -> None:
        measured.append(rate.name)
        measure(self, own, rate, seconds)  # type: ignore[arg-type]

    monkeypatch.setattr(Grants, "_measure", noting)
    grants, clock = Grants(), iter(range(1_000))

    def asks(**changes: Any) -> list[str]:
        """What is told of ten rates, of which one has changed."""
        measured.clear()
        rates = [Rate(f"tenant {n}", 0.5, 10.0, 0.0, short=False) for n in range(10)]
        rates[3] = rates[3]._replace(**changes)
        return [one.name for one in grants.asks(rates, next(clock) / 10)]

    assert len(asks()) == 10
    for _ in range(3):
        assert asks() == []
    assert measured == []
    assert asks(passed=5.0) == ["tenant 3"]
    assert measured == ["tenant 3"]
    for _ in range(100):
        if not asks(passed=5.0) and not measured:
            break
    assert measured == []
    assert asks(passed=5.0, weight=0.25) == ["tenant 3"]
    asks(passed=5.0, weight=0.25, short=True)
    assert asks(passed=5.0, weight=0.25, short=True) == ["tenant 3"]
    grants.untold()
    assert len(asks(passed=5.0)) == 10
    grants.take([Granted("tenant 7", 0, 0.0, 0.5, 0.25)])
    asks(passed=5.0)
    assert "tenant 7" in measured
    assert grants.forget() == ["tenant 7"]
    assert len(asks(passed=5.0)) == 10

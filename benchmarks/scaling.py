"""``python -m benchmarks.scaling [RESULT.json]``: what several nodes on a database would carry, and
several such databases, by what `benchmarks.nodes` has measured. Prints the tables of
``docs/scaling.md``.

The model is arithmetic and no more. A message costs the gateways and the server what it costs on
one node, and beside that something for the part of it that another node has to do with: where n
nodes share the phones, (n - 1) / n of the messages are accepted by one and sent by another. What
that costs is fitted to the runs with several nodes. A node looks at the database all the time,
which costs as much however little there is to do. A gateway is one process that has one core.
"""

import math
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from benchmarks.nodes import IDLE, IDLE_SERVER, KEPT, LOG, SENT, SERVER, TAKEN
from benchmarks.results import Case, Result, number
from benchmarks.runs import GATEWAY, RATE
from gateway.queue.postgresql.sharing import SHARDS

RESULT: Final = Path(__file__).parent / "results" / "nodes.json"

NODES: Final = (1, 2, 3, 4, 8, 16, 32, 64)
"""Nodes on one database; there are no more than shards."""

CORES: Final = (4, 8, 16, 32, 64)
"""Of a machine with the database."""

GOAL: Final = 1_000_000
"""Messages a second of which the page says what they would take."""

DAY: Final = 86_400


class Cost(Struct, frozen=True):
    """What a message costs, and an idle node: in microseconds of CPU, or in octets.

    Attributes:
        alone: where there is one node.
        shared: beside that where every message concerned another node than the one that sends it.
        idle: CPU time of a node that looks and finds nothing, in parts of a core.
    """

    alone: float
    shared: float
    idle: float

    def message(self, nodes: int) -> float:
        """What it costs where so many nodes share a database."""
        return self.alone + self.shared * (nodes - 1) / nodes


class Model(Struct, frozen=True):
    """What is known of one database and its nodes; ``kept`` in octets a message."""

    gateway: Cost
    server: Cost
    log: Cost
    kept: float

    def node(self, nodes: int) -> float:
        """Messages a second of each of some nodes, with a core for each."""
        return (1 - self.gateway.idle) * 1e6 / self.gateway.message(nodes)

    def rate(self, nodes: int) -> float:
        """Messages a second of all of them, where the database is no limit."""
        return nodes * self.node(nodes)

    def cores(self, nodes: int, rate: float) -> float:
        """Cores that the server has to work with."""
        return rate * self.server.message(nodes) / 1e6 + nodes * self.server.idle

    def carried(self, cores: int) -> tuple[int, float]:
        """With how many nodes a server of so many cores is full, and what they carry then: what the
        cores allow, or all the nodes that there may be."""
        full = next((n for n in range(1, SHARDS + 1) if self.cores(n, self.rate(n)) > cores), None)
        if full is None:
            return SHARDS, self.rate(SHARDS)
        return full, (cores - full * self.server.idle) * 1e6 / self.server.message(full)


def model(cases: Iterable[Case]) -> Model:
    """The model that results lead to, by the cheapest of the repeats of each case."""
    floods = {int(one.settings["nodes"]): one for one in cases if "queued" not in one.settings}
    return Model(
        _cost(floods, GATEWAY[0], IDLE[0]),
        _cost(floods, SERVER[0], IDLE_SERVER[0]),
        _fitted({nodes: one.figures[LOG[0]].min for nodes, one in floods.items()}, 0.0),
        floods[1].figures[KEPT[0]].min,
    )


def _cost(floods: dict[int, Case], spent: str, idle: str) -> Cost:
    most = max(floods)
    still = floods[most].figures[idle].min / most / 1e3
    return _fitted({nodes: _net(one, spent, idle) for nodes, one in floods.items()}, still)


def _fitted(each: dict[int, float], idle: float) -> Cost:
    """What a message costs by the number of nodes, as the model has it: by least squares."""
    parts = {nodes: (nodes - 1) / nodes for nodes in each}
    squares = sum(part * part for part in parts.values())
    more = sum(parts[nodes] * (each[nodes] - each[1]) for nodes in each)
    return Cost(each[1], max(0.0, more / squares) if squares else 0.0, idle)


def _net(one: Case, spent: str, idle: str) -> float:
    """Microseconds of a message, without what the nodes would have spent in that time anyway."""
    figures = one.figures
    still = figures[idle].min * 1e3
    runs = zip(figures[spent].repeats, figures[RATE[0]].repeats, strict=True)
    return min(micros - still / rate for micros, rate in runs)


# --- the tables ---

Column = tuple[str, Callable[[int], float]]


def _table(first: str, values: Sequence[int], columns: Sequence[Column]) -> str:
    """A table of markdown, a row for each value."""
    lines = ["| " + " | ".join([first, *(name for name, _ in columns)]) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    lines += [
        "| " + " | ".join([f"{value:,}", *(_cell(of(value)) for _, of in columns)]) + " |"
        for value in values
    ]
    return "\n".join(lines)


def _cell(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else number(value)


def measured(cases: Iterable[Case]) -> str:
    """What was measured."""
    figures = (RATE, GATEWAY, SERVER, LOG, KEPT, IDLE, IDLE_SERVER)
    floods = [one for one in cases if "queued" not in one.settings]
    lines = ["| nodes | " + " | ".join(f"{name}, {unit}" for name, unit in figures) + " |"]
    lines.append("|---" * (len(figures) + 1) + "|")
    lines += [
        f"| {one.settings['nodes']} | "
        + " | ".join(str(one.figures[name]) for name, _ in figures)
        + " |"
        for one in floods
    ]
    return "\n".join(lines)


def costs(known: Model) -> str:
    """What the model makes of it."""
    rows = (("gateways", known.gateway), ("server", known.server))
    lines = [
        "| | alone, us a message | shared, us more | idle node, of a core |",
        "|---|---|---|---|",
        *(
            f"| {name} | {number(one.alone)} | {number(one.shared)} | {number(one.idle)} |"
            for name, one in rows
        ),
    ]
    return "\n".join(lines)


def one_database(known: Model) -> str:
    """What nodes on one database carry, and what the server needs for it."""
    return _table(
        "nodes",
        NODES,
        [
            ("messages/s", known.rate),
            ("gateway CPU, us a message", known.gateway.message),
            ("server CPU, us a message", known.server.message),
            ("cores of the server", lambda n: known.cores(n, known.rate(n))),
            ("WAL, MB/s", lambda n: known.rate(n) * known.log.message(n) / 1e6),
            ("kept, GB a day", lambda n: known.rate(n) * known.kept * DAY / 1e9),
        ],
    )


def limits(known: Model) -> str:
    """With how many nodes servers are full."""
    return _table(
        "cores of the server",
        CORES,
        [
            ("full with nodes", lambda cores: known.carried(cores)[0]),
            ("messages/s", lambda cores: known.carried(cores)[1]),
        ],
    )


def goal(known: Model) -> str:
    """What the goal takes where tenants are split evenly over databases, by the nodes on each."""

    def databases(nodes: int) -> int:
        return math.ceil(GOAL / known.rate(nodes))

    def each(nodes: int) -> float:
        return GOAL / databases(nodes)

    return _table(
        "nodes on each database",
        NODES,
        [
            ("databases", databases),
            ("nodes in all", lambda nodes: nodes * databases(nodes)),
            ("cores of each server", lambda nodes: known.cores(nodes, each(nodes))),
            ("of all servers", lambda nodes: databases(nodes) * known.cores(nodes, each(nodes))),
            ("WAL of each, MB/s", lambda nodes: each(nodes) * known.log.message(nodes) / 1e6),
            ("kept by each, GB a day", lambda nodes: each(nodes) * known.kept * DAY / 1e9),
        ],
    )


def takeover(cases: Iterable[Case]) -> str:
    """How soon a dead node's part is sent by others."""
    rows = [one for one in cases if "queued" in one.settings]
    lines = [
        "| nodes | queued | shards taken, s | all of them sent, s |",
        "|---|---|---|---|",
        *(
            f"| {one.settings['nodes']} | {one.settings['queued']:,}"
            f" | {one.figures[TAKEN[0]]} | {one.figures[SENT[0]]} |"
            for one in rows
        ),
    ]
    return "\n".join(lines)


def tables(result: Result) -> dict[str, str]:
    """All tables, by what each tells."""
    cases = result.findings.cases
    known = model(cases)
    return {
        "Measured": measured(cases),
        "Take-over": takeover(cases),
        "What a message costs": costs(known),
        "One database": one_database(known),
        "Where the server is full": limits(known),
        f"{GOAL:,} messages a second": goal(known),
    }


def load(path: Path) -> Result:
    """A result that `benchmarks.nodes` has left."""
    return msgspec.json.decode(path.read_bytes(), type=Result)


def main(words: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("result", type=Path, nargs="?", default=RESULT)
    for title, table in tables(load(parser.parse_args(words).result)).items():
        print(f"{title}:\n\n{table}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

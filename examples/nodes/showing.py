"""What the demo of several nodes prints: what is about to happen, how far it has come, and the
tables in the end."""

import time
from collections.abc import Mapping

import trio
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from examples.board import BAR_EVERY, LINE_EVERY
from examples.nodes.books import LEASE, Books, Done
from examples.nodes.cluster import NODES, Cluster
from examples.tally import Tally


class Sight:
    """What can be seen of the nodes now.

    Attributes:
        done: what each has done; of one that is dead, before that.
        phones: the part of all phones that each sends to.
        dead: those that were killed.
    """

    def __init__(self) -> None:
        self.done: dict[str, Done] = dict.fromkeys(NODES, Done())
        self.phones: dict[str, float] = dict.fromkeys(NODES, 0.0)
        self.dead: set[str] = set()


def introduce(console: Console, size: int) -> None:
    """Say what is about to happen."""
    console.print(
        "\n[bold]Three nodes, one of which is killed[/]\n\n"
        f"A shop texts {size:,} customers through three nodes that share a PostgreSQL and two "
        "carriers.\nEach phone is one node's, which alone sends to it. In the middle one node is "
        "killed (kill -9):\nwhat was its waits until its lease of "
        f"{LEASE:.0f} s is over; then the other two have it.\n"
    )


def follow(console: Console, cluster: Cluster) -> None:
    """Say where it can be followed."""
    console.print(f"PostgreSQL {cluster.server} runs, and these nodes on it:")
    for node in cluster.nodes:
        console.print(f"  {node.name}  {node.address}, its console is at [bold]{node.admin}/[/]")
    console.print()


class Board:
    """How far it has come: bars on a terminal, a plain line a second elsewhere."""

    def __init__(self, console: Console, tally: Tally, sight: Sight, size: int) -> None:
        self._console = console
        self._tally = tally
        self._sight = sight
        self._size = size
        self._started = 0.0
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(40),
            TextColumn("{task.fields[more]}"),
            console=console,
            disable=not console.is_terminal,
        )

    def begin(self) -> None:
        """The campaign begins."""
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since then."""
        return time.monotonic() - self._started

    def say(self, what: str) -> None:
        """Say that something has happened."""
        self._console.print(f"{self.seconds:5.1f} s  [bold]{what}[/]")

    async def show(self) -> None:
        """Show it until cancelled."""
        add = self._bars.add_task
        accepted = add("accepted", total=self._size, more="")
        outcomes = add("outcomes", total=self._size, more="")
        nodes = {name: add(f"node {name}", total=1.0, more="") for name in NODES}
        with self._bars:
            while True:
                await trio.sleep(BAR_EVERY if self._console.is_terminal else LINE_EVERY)
                asked, done = len(self._tally.accepted), len(self._tally.outcomes)
                for bar, count in ((accepted, asked), (outcomes, done)):
                    self._bars.update(bar, completed=count, more=f"{count:,} of {self._size:,}")
                for name, bar in nodes.items():
                    phones = self._sight.phones[name]
                    self._bars.update(bar, completed=phones, more=self._stands(name))
                if not self._console.is_terminal:
                    self._console.print(self._line(asked, done))

    def _line(self, asked: int, done: int) -> str:
        sight = self._sight
        phones = " ".join(f"{name} {share:.0%}" for name, share in sight.phones.items())
        parts = " ".join(f"{name} {done.parts:,}" for name, done in sight.done.items())
        return (
            f"{self.seconds:5.1f} s  {asked:,} accepted, {done:,} ended;  phones: {phones};  "
            f"parts: {parts}"
        )

    def _stands(self, name: str) -> str:
        """Where a node stands."""
        sight = self._sight
        dead = ", killed" if name in sight.dead else ""
        return f"{sight.phones[name]:.0%} of the phones, {sight.done[name].parts:,} parts{dead}"


def conclude(console: Console, books: Books) -> bool:
    """Show what became of it; whether everything adds up."""
    console.print("", _nodes(books), "", _carriers(books), "", sep="\n")
    death, tally = books.death, books.tally
    ends = ", ".join(f"{count:,} {name}" for name, count in books.outcomes.most_common())
    console.print(
        f"Of {len(tally.accepted):,} messages {ends}; {len(tally.maybe_twice):,} are marked "
        f"maybe_duplicate.\n{death.name} was killed after {death.at:.1f} s and had "
        f"{death.phones:.0%} of the phones; the others had them {death.took:.1f} s later,\nof "
        f"which {LEASE:.0f} s are its lease. It did not live to answer {books.again:,} messages, "
        f"which the shop\nsubmitted again to the others: {books.known:,} were stored already, and "
        f"recognised by their keys.\nThe last outcome came after {books.took:.1f} s.\n"
    )
    for kept, what in books.checks:
        console.print("  [green]yes[/]" if kept else "  [bold red]NO [/]", what)
    adds_up = all(kept for kept, _ in books.checks)
    verdict = "[bold green]It adds up.[/]" if adds_up else "[bold red]It does not add up.[/]"
    console.print(f"\n{verdict}\n")
    return adds_up


def _nodes(books: Books) -> Table:
    """What each node did."""
    table = _table("node", "accepted", "parts sent", "outcomes", "phones in the end")
    for name, done in books.done.items():
        dead = name == books.death.name
        table.add_row(
            f"{name}, killed" if dead else name,
            f"{books.answered[name]:,}",
            f"{done.parts:,}",
            f"{done.outcomes:,}",
            f"{books.phones[name]:.0%}",
        )
    parts, outcomes = books.unseen
    table.add_row(f"{books.death.name}, after its last look", "", f"{parts:,}", f"{outcomes:,}", "")
    table.add_section()
    table.add_row(
        "together",
        f"{len(books.tally.accepted):,}",
        f"{books.audit.parts:,}",
        f"{len(books.tally.outcomes):,}",
        f"{sum(books.phones.values()):.0%}",
    )
    return table


def _carriers(books: Books) -> Table:
    """What the carriers saw."""
    audit = books.audit
    table = _table("carrier", "parts taken")
    taken: Mapping[str, int] = audit.taken
    for name in sorted(taken):
        table.add_row(name, f"{taken[name]:,}")
    table.add_section()
    table.add_row("together", f"{audit.parts:,}")
    table.add_row("each once", f"{audit.parts - audit.twice:,}")
    table.add_row("once more", f"{audit.twice:,}")
    return table


def _table(first: str, *others: str) -> Table:
    """A table whose other columns are numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table

"""The boards of `gateway.ops.watching`, drawn from the samples of this process."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import trio

from gateway.ops.console import words
from gateway.ops.console.samples import EVERY, Line, Samples
from gateway.ops.instruments import Table
from gateway.ops.metrics import Metrics
from gateway.ops.problems import ProblemError
from gateway.ops.watching import BOARDS, RECORDINGS
from gateway.ops.watching.declared import Board, Panel

DRAWN: Final = 8
"""Lines that are drawn of a panel, as many as can be told apart; the largest."""

LOOKED: Final = 15.0
"""Seconds after which nobody looks at a board any more: a page that is open asks every five."""

SELDOM: Final = 30.0
"""Seconds between samples of all boards while nobody looks: a thousand tenants and a hundred
carriers take 60 ms."""

BY_NAME: Final = {board.name: board for board in BOARDS}


class Drawn(msgspec.Struct, frozen=True):
    """A line as it is drawn; ``last`` is its newest value, in words."""

    name: str
    values: list[float | None]
    last: str


class Series(msgspec.Struct, frozen=True):
    """What is drawn of a panel; ``rest`` is how many lines more there are."""

    times: list[float]
    lines: list[Drawn]
    rest: int


class Panels:
    """All boards."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._metrics = metrics
        self._clock = clock
        self._samples = {board.name: _samples(board) for board in BOARDS}
        self._looked_at = dict.fromkeys(self._samples, -math.inf)
        self._all_taken_at = -math.inf
        self._taken_at = dict.fromkeys(self._samples, -math.inf)
        self._taking = trio.Lock()

    async def run(self) -> None:
        """Take samples until cancelled."""
        while True:
            await self.sample()
            await trio.sleep(EVERY)

    async def sample(self) -> None:
        """Take one of each board that somebody looks at, and now and then of the others."""
        async with self._taking:
            now = self._clock()
            due = [name for name, looked_at in self._looked_at.items() if now - looked_at < LOOKED]
            if now - self._all_taken_at >= SELDOM:
                due, self._all_taken_at = list(self._samples), now
            await self._sample(due)

    async def _sample(self, due: Sequence[str]) -> None:
        """Take one of each of these. What is read is read here and now, what it comes to is
        computed in a thread."""
        if due:
            now = self._clock()
            names = set().union(*(self._samples[name].names for name in due))
            await trio.to_thread.run_sync(self._take, due, self._metrics.readings(names), now)
            self._taken_at |= dict.fromkeys(due, now)

    def _take(
        self, boards: Sequence[str], readings: Callable[[], Mapping[str, Table]], now: float
    ) -> None:
        tables = readings()
        for name in boards:
            self._samples[name].take(tables, now)

    async def board(self, name: str, of: str = "") -> dict[str, Any]:
        """What the template of a board needs, as things stand now; of one carrier, where ``of``
        names it.

        Raises:
            ProblemError: there is no such board.
        """
        board = _board(name)
        self._looked_at[name] = self._clock()
        async with self._taking:
            if self._clock() - self._taken_at[name] >= EVERY:
                await self._sample([name])
        shown = []
        for number, panel in enumerate(board.panels, 1):
            lines, rest = self._lines(name, number, panel, of)
            about = {
                field: getattr(panel, field)
                for field in ("title", "description", "unit", "kind", "warn", "alarm")
            }
            told = [
                {"name": one.name, "last": words.measure(one.last, panel.unit)} for one in lines
            ]
            shown.append({**about, "number": number, "lines": told, "rest": rest})
        title = board.title.partition(": ")[2].capitalize()
        return {"board": name, "board_title": title, "panels": shown, "of": of}

    def series(self, name: str, of: str = "") -> bytes:
        """The lines of a board as JSON, by the numbers of its panels; for a worker thread."""
        found = {}
        board = _board(name)
        self._looked_at[name] = self._clock()
        for number, panel in enumerate(board.panels, 1):
            lines, rest = self._lines(name, number, panel, of)
            times, values = self._samples[name].series(lines if panel.kind == "timeseries" else ())
            drawn = [
                Drawn(line.name, one, words.measure(line.last, panel.unit))
                for line, one in zip(lines, values or [[]] * len(lines), strict=True)
            ]
            found[str(number)] = Series(times, drawn, rest)
        return msgspec.json.encode(found)

    def number(self, board: str, title: str) -> int:
        """The number of a panel, by its title."""
        titles = [panel.title for panel in BY_NAME[board].panels]
        return titles.index(title) + 1

    def _lines(self, board: str, number: int, panel: Panel, of: str) -> tuple[list[Line], int]:
        labels = {"carrier": of} if of else {}
        lines, rest = self._samples[board].drawn(str(number), labels, DRAWN)
        if panel.kind == "stat":
            lines = [line for line in lines if line.last is not None]
        return lines, rest


def _board(name: str) -> Board:
    try:
        return BY_NAME[name]
    except KeyError:
        raise ProblemError("not_found", f"no board is called {name!r}") from None


def _samples(board: Board) -> Samples:
    """The samples of a board, by the numbers of its panels, with what it needs to be recorded."""
    queries = [query.expr for panel in board.panels for query in panel.queries]
    used = [one for one in RECORDINGS if any(one.name in expr for expr in queries)]
    return Samples({str(number): one for number, one in enumerate(board.panels, 1)}, used)

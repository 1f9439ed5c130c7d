"""The boards of `gateway.ops.watching`, drawn from the samples of this process."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import trio

from gateway.ops.console import words
from gateway.ops.console.samples import EVERY, Line, Samples
from gateway.ops.metrics import Metrics
from gateway.ops.problems import ProblemError
from gateway.ops.watching import BOARDS, RECORDINGS
from gateway.ops.watching.declared import Board, Panel

DRAWN: Final = 8
"""Lines that are drawn of a panel, as many as can be told apart; the largest."""

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
        self._samples = Samples(
            {
                _name(board.name, number): panel
                for board in BOARDS
                for number, panel in enumerate(board.panels, 1)
            },
            RECORDINGS,
        )

    async def run(self) -> None:
        """Take samples until cancelled."""
        while True:
            await self.sample()
            await trio.sleep(EVERY)

    async def sample(self) -> None:
        """Take one: what is read is read here and now, what it comes to is computed in a thread."""
        readings = self._metrics.readings()
        now = self._clock()
        await trio.to_thread.run_sync(lambda: self._samples.take(readings(), now))

    def board(self, name: str, of: str = "") -> dict[str, Any]:
        """What the template of a board needs; of one carrier, where ``of`` names it.

        Raises:
            ProblemError: there is no such board.
        """
        board = _board(name)
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
        for number, panel in enumerate(_board(name).panels, 1):
            lines, rest = self._lines(name, number, panel, of)
            times, values = self._samples.series(lines if panel.kind == "timeseries" else ())
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
        lines, rest = self._samples.drawn(_name(board, number), labels, DRAWN)
        if panel.kind == "stat":
            lines = [line for line in lines if line.last is not None]
        return lines, rest


def _board(name: str) -> Board:
    try:
        return BY_NAME[name]
    except KeyError:
        raise ProblemError("not_found", f"no board is called {name!r}") from None


def _name(board: str, number: int) -> str:
    return f"{board}/{number}"

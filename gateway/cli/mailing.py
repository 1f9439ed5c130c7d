"""Keeps the rows of a file on their way to the gateway: which of them wait for an answer or for
room, what was answered, and which were refused, written so that they can be mended and sent.
"""

import csv
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import IO, Any, Final

from gateway.api.wire import Accepted, Message, Quoted, Rejected
from gateway.cli.progress import STDERR
from gateway.cli.rows import ASIDE, Row, Rows

SHOWN: Final = 20
"""Refusals, and notes, that a person reads; who wants all refusals has them written to a file."""

PROBE: Final = 1000
"""Messages that find out whether a queue that was full has room: what goes into one request."""

SHORTEST: Final = 0.1
LONGEST: Final = 10.0
"""Seconds to wait for room before it is looked for again."""

TOLD: Final = [f"{ASIDE}line", f"{ASIDE}code", f"{ASIDE}why"]
"""The columns before those of the file, where refused rows are written."""


class Refusals:
    """Tells which rows were refused: all of them in a file, or a few on stderr.

    The file is written as that which was sent: in its encoding, with its separator and its columns.

    Attributes:
        codes: how many were, by code; ``bad_row`` for those that never get to the gateway.
    """

    def __init__(self, rows: Rows, file: IO[bytes] | None) -> None:
        self.codes: Counter[str] = Counter()
        self._file = file
        self._form = rows.form
        self._writer = csv.writer(self, delimiter=rows.separator, lineterminator=rows.form.end)
        self._beginning = csv.writer(self, delimiter=rows.separator, lineterminator="")
        # A file of refused rows may be sent, too.
        self._told = len(TOLD) if rows.header[: len(TOLD)] == TOLD else 0
        if file is not None:
            file.write(rows.form.mark)
            if rows.stated:
                self.write(f"sep={rows.separator}{rows.form.end}")
            self._writer.writerow([*TOLD, *rows.header[self._told :]])

    def write(self, text: str) -> int:
        """Append to the file, if there is one."""
        if self._file is not None:
            self._file.write(text.encode(self._form.encoding, self._form.errors))
        return len(text)

    def add(self, row: Row, code: str, why: str) -> None:
        self.codes[code] += 1
        line, _, raw, cells, _ = row.record
        if self._file is None:
            self._show(row, code, why)
        elif cells:
            self._writer.writerow([line, code, why, *cells[self._told :]])
        else:
            # As it came: nobody knows where its cells end.
            self._beginning.writerow([line, code, why, ""])
            self.write(raw.rstrip("\r\n") + self._form.end)

    def _show(self, row: Row, code: str, why: str) -> None:
        if self.codes.total() <= SHOWN:
            STDERR.print(f"{row.place}: {code}: {why}")
        elif self.codes.total() == SHOWN + 1:
            STDERR.print("more are refused; --refused FILE takes them all")


class Mailing:
    """The rows of a file, asked about in rounds, of which there is one unless a queue gets full.

    Attributes:
        accepted: messages, without ``duplicates`` of earlier ones.
        parts: how many parts those have.
        deferred: how many of them are not to be sent yet.
        ended: duplicates whose message did not arrive and is not sent again, by its state.
        places: messages and their parts that were quoted, by region; None for none.
        done: there is no row left to ask about.
        pause: seconds to wait before the next round.

    Args:
        patient: what finds the queue full waits for room, rather than being refused.
    """

    def __init__(self, rows: Iterable[Row], refusals: Refusals, *, patient: bool) -> None:
        self.accepted = self.parts = self.deferred = self.duplicates = 0
        self.ended: Counter[str] = Counter()
        self.places: dict[str | None, tuple[int, int]] = {}
        self.done = False
        self.pause = 0.0
        self._rows = iter(rows)
        self._refusals = refusals
        self._patient = patient
        self._notes = 0
        self._before = 0  # how many were accepted before this round
        # As many as the client has in flight.
        self._waiting: deque[Row] = deque()
        # Of those that were, the ones to ask about again, and the ones that found no room just now.
        self._again: deque[Row] = deque()
        self._no_room: list[Row] = []

    @property
    def refused(self) -> int:
        return self._refusals.codes.total()

    @property
    def without_room(self) -> int:
        """How many wait for room in the queue."""
        return len(self._again) + len(self._no_room)

    @property
    def answered(self) -> float:
        """The share of what was read that is answered: reading runs ahead."""
        count = self.accepted + self.duplicates + self.refused
        return count / (count + len(self._waiting) + self.without_room or 1)

    @property
    def unanswered(self) -> str | None:
        """The place of the first row that waits for an answer."""
        return self._waiting[0].place if self._waiting else None

    def give_up(self) -> None:
        """Who found no room is refused: it was not waited for long enough."""
        for row in (*self._no_room, *self._again):
            self._refusals.add(row, "queue_full", "there was no room before it was interrupted")
        self._no_room.clear()
        self._again.clear()

    def messages(self) -> Iterator[Message]:
        """The messages to ask about in a round, in order; `settle` is called for each in that
        order. A queue that is full ends the round, and the next one begins with a few."""
        probing = bool(self._no_room)
        self._again.extendleft(reversed(self._no_room))
        self._no_room.clear()
        self._before = self.accepted
        for row in islice(self._left(), PROBE) if probing else chain(self._left(), self._rows):
            if row.message is None:
                self._refusals.add(row, "bad_row", row.fault)
            else:
                self._waiting.append(row)
                yield row.message
            if self._no_room:
                return
        self.done = not probing

    def _left(self) -> Iterator[Row]:
        while self._again:
            yield self._again.popleft()

    def settle(self, result: Accepted | Quoted | Rejected) -> None:
        row = self._waiting.popleft()
        if isinstance(result, Rejected):
            if result.code == "queue_full" and self._patient:
                self._no_room.append(row)
            else:
                self._refusals.add(row, result.code, result.message)
            return
        if result.duplicate:
            self.duplicates += 1
        else:
            self.accepted += 1
            self.parts += result.parts
            self.deferred += result.not_before is not None
            if isinstance(result, Quoted):
                messages, parts = self.places.get(result.region, (0, 0))
                self.places[result.region] = messages + 1, parts + result.parts
        if isinstance(result, Accepted) and result.state is not None:
            self.ended[result.state] += 1
        if result.note is not None:
            self._note(row, result.note)

    def _note(self, row: Row, note: str) -> None:
        self._notes += 1
        if self._notes <= SHOWN:
            STDERR.print(f"{row.place}: {note}")
        elif self._notes == SHOWN + 1:
            STDERR.print("more have notes like these")

    def rest(self) -> None:
        """A round is over: there is more to do where some found no room. The pause grows while
        there is none, and is short while most find some."""
        if not self._no_room:
            self.pause = 0.0
            return
        self.done = False
        taken = self.accepted - self._before
        if not taken:
            self.pause = min(LONGEST, 2 * self.pause or SHORTEST)
        elif not self.pause or taken > len(self._no_room):
            self.pause = SHORTEST

    def told_by_region(self) -> list[dict[str, Any]]:
        """What was quoted, a record for each region, the one with the most parts first."""
        places = sorted(self.places.items(), key=lambda place: place[1][1], reverse=True)
        return [
            {"region": region, "messages": messages, "parts": parts}
            for region, (messages, parts) in places
        ]

    def told(self) -> dict[str, Any]:
        """All in all."""
        ended = {"ended": dict(self.ended.most_common())} if self.ended else {}
        return {
            "accepted": self.accepted,
            "parts": self.parts,
            "deferred": self.deferred,
            "duplicates": self.duplicates,
            **ended,
            "refused": self.refused,
            "codes": dict(self._refusals.codes.most_common()),
        }

"""The windows of a carrier's binds: which bind is given which parts, and what waits for room.

All parts of a message go to one bind, in order. Those of a long one that its window has no room for
wait here and follow as it empties, before anything else does; when the bind is lost they come back
as what was in its window does.
"""

from collections.abc import Callable, Iterable, Sequence

import trio

from gateway.dispatch.carriers.flights import Part
from gateway.smpp.bind import Bind
from gateway.smpp.pdu import Encoded

Request = tuple[Encoded, Part]
"""What a bind is given: a part, and what is to come back with its response."""

FRESH = 1.0
"""Seconds for which a part goes out as it was made; later, it is given the time that is left."""


class Windows:
    """The binds of one carrier that can send.

    Attributes:
        binds: those.
        shut: nothing is given to any, and what waits goes on waiting.

    Args:
        renewed: a part that was made some time ago, with so many seconds for the carrier.
        on_late: told of parts that were not written in time.
        clock: Unix time.
    """

    def __init__(
        self,
        renewed: Callable[[Encoded, float], Encoded],
        on_late: Callable[[Sequence[Part]], None],
        clock: Callable[[], float],
    ) -> None:
        self.binds: tuple[Bind, ...] = ()
        self.shut = False
        self._widest = 0
        self._renewed = renewed
        self._on_late = on_late
        self._clock = clock
        # By bind, the last parts of a long message that its window had no room for.
        self._waiting: dict[Bind, list[Request]] = {}
        self._handed_over = trio.Event()

    def use(self, binds: Sequence[Bind]) -> None:
        """Go on with these binds."""
        self.binds = tuple(binds)
        self._widest = max((bind.options.window for bind in binds), default=0)

    def free(self, enough: int) -> int:
        """How many parts they have room for; once that is ``enough``, the others are not asked."""
        found = 0
        for bind in self.binds:
            found += self._room(bind)
            if found >= enough:
                break
        return found

    @property
    def waiting(self) -> int:
        """How many parts of long messages wait for room in the window of their bind."""
        return sum(map(len, self._waiting.values()))

    def _room(self, bind: Bind) -> int:
        return 0 if self.shut or bind in self._waiting else bind.room

    def roomiest(self) -> Bind | None:
        """The bind with the most free window; None where none has any. One that is lost has none,
        and is given nothing: it would never hand it back."""
        most, found = 0, None
        for bind in self.binds:
            room = self._room(bind)
            if room > most:
                most, found = room, bind
                if room >= self._widest:
                    break
        return found

    def hand_over(self, bind: Bind, requests: Sequence[Request]) -> None:
        """Give a bind what its window has room for, what waits for it first."""
        first = self._waiting.pop(bind, None)
        waiting = [*(self.still_due(first) if first else ()), *requests]
        room = 0 if self.shut else bind.room
        if room and waiting:
            bind.submit(waiting[:room])
        if len(waiting) > room:
            self._waiting[bind] = waiting[room:]
        elif first:
            self._note_handed_over()

    def go_on(self, binds: Iterable[Bind] | None = None) -> None:
        """Give these binds, or all, what waits for them, as far as there is room by now; what has
        waited too long is told."""
        if self._waiting:
            for bind in list(self._waiting) if binds is None else binds:
                self.hand_over(bind, ())

    def lost(self, bind: Bind) -> list[Part]:
        """A bind is gone; returns the parts that waited for it."""
        parts = [part for _, part in self._waiting.pop(bind, ())]
        self._note_handed_over()
        return parts

    async def handed_over(self, bind: Bind) -> None:
        """Wait until a bind has all of the messages of which it has some parts, or is lost."""
        while bind in self._waiting:
            await self._handed_over.wait()

    def _note_handed_over(self) -> None:
        self._handed_over.set()
        self._handed_over = trio.Event()

    def still_due(self, waiting: Sequence[Request]) -> list[Request]:
        """Parts that were made some time ago, with the time that the carrier has for them by now.
        Of those that came to have none, nothing was sent: what becomes of their messages is judged
        as if no answer had come."""
        now = self._clock()
        due: list[Request] = []
        late: list[Part] = []
        for pdu, part in waiting:
            flight = part.flight
            if flight.until <= now:
                late.append(part)
            elif now - flight.released_at < FRESH:
                due.append((pdu, part))
            else:
                due.append((self._renewed(pdu, flight.until - now), part))
        if late:
            self._on_late(late)
        return due

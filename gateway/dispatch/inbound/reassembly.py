"""Long inbound messages: their pieces are kept until all are there.

Phones number their long messages in 8 or 16 bits, the first in a day or two, so a piece belongs to
the message that is open under its reference only where nothing speaks against that:

    a piece comes                                        what it is
    whose place in the open message is free              the open message's
    whose place has the same content                     the same once more: dropped
    whose place has other content                        the first of a new message; what there is
                                                         of the open one is told as it is
    long after the last one of an 8-bit reference        the same
    that the last complete message had as well           the same once more, unless pieces follow
                                                         that it had not

Pure: what is to be kept and forgotten goes into the settlement that tells the messages.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from gateway.dispatch.inbound.pieces import (
    WIDE,
    Done,
    Piece,
    Whole,
    decode,
    encode,
    pieces_in_order,
)
from gateway.queue.store import Held, Settlement

INCOMPLETE_AFTER: Final = 24 * 3600.0
"""Seconds after which a message that is not complete is told as it is."""

REUSED_AFTER: Final = 6 * 3600.0
"""Seconds after which a phone may have come round to the same 8-bit reference."""

TOGETHER: Final = 600.0
"""Seconds within which the pieces of a message follow one another, as a rule."""

DONE_FOR: Final = 24 * 3600.0
"""Seconds for which a message that was told is known when its pieces come again: carriers deliver
anew what was not answered before a connection broke, some after hours."""

MAX_INCOMPLETE: Final = 10_000
"""Messages that may be incomplete at once; beyond, the oldest is told as it is."""

MAX_DONE: Final = 10_000
"""Messages that were told and are remembered, the latest: some 3 MB."""

MAX_PIECE: Final = 254
"""Octets of a piece that is kept: what a short_message holds. A longer one is told at once, so that
carriers cannot fill the memory with pieces."""


class _Open(msgspec.Struct):
    """A message that is not complete. ``again`` are pieces that the last message under the same
    reference had too: until others come, it may be that one, delivered once more."""

    pieces: dict[int, Piece] = {}
    again: set[int] = set()
    last_at: float = 0.0


class Reassembly:
    """The messages that are incomplete, and those that were told lately.

    Args:
        on_repeated: called with the carrier for each piece that came once more.
    """

    def __init__(self, on_repeated: Callable[[str], None]) -> None:
        self._on_repeated = on_repeated
        self._open: OrderedDict[Whole, _Open] = OrderedDict()
        self._done: OrderedDict[Whole, Done] = OrderedDict()

    def recover(self, held: Iterable[Held]) -> None:
        """Take over what an opened store holds."""
        found = [decode(one) for one in held if one.kind == "inbound"]
        for done in sorted((one for one in found if isinstance(one, Done)), key=_told_at):
            self._done[done.whole] = done
        for piece in sorted((one for one in found if isinstance(one, Piece)), key=_arrived_at):
            self._put(piece)

    def leave(self, keeps: Callable[[str], bool]) -> None:
        """Forget the messages of phones that are not kept: another node has them now."""
        for whole in [whole for whole in self._open if not keeps(whole.source)]:
            del self._open[whole]
        for whole in [whole for whole in self._done if not keeps(whole.source)]:
            del self._done[whole]

    def add(self, piece: Piece, settlement: Settlement) -> list[Sequence[Piece]]:
        """Take in a piece; returns the messages that are to be told now, as whole as they get."""
        if piece.total == 1 or len(piece.octets) > MAX_PIECE:
            return [[piece]]
        told: list[Sequence[Piece]] = []
        whole = piece.whole
        message = self._open.get(whole)
        if message is not None:
            known = message.pieces.get(piece.sequence)
            if known is not None and known.digest() == piece.digest():
                self._on_repeated(piece.carrier)
                return []
            if known is not None or piece.arrived_at > message.last_at + _patience(piece, message):
                told += self._close(whole, settlement, piece.arrived_at)
        message = self._put(piece)
        if len(message.pieces) == piece.total:
            return told + self._close(whole, settlement, piece.arrived_at)
        expires_at = piece.arrived_at + INCOMPLETE_AFTER
        settlement.hold.append(Held("inbound", piece.key, encode(piece), expires_at, piece.source))
        if len(self._open) > MAX_INCOMPLETE:
            told += self._close(next(iter(self._open)), settlement, piece.arrived_at)
        return told

    def is_waiting(self, piece: Piece) -> bool:
        """Whether a piece, just added, waits for the others and came for the first time."""
        message = self._open.get(piece.whole)
        if message is None or piece.sequence in message.again:
            return False
        return message.pieces.get(piece.sequence) is piece

    def overdue(self, now: float, settlement: Settlement) -> list[Sequence[Piece]]:
        """The messages that have been incomplete for too long; forgets what need not be known any
        longer."""
        over = [
            whole
            for whole, message in self._open.items()
            if min(piece.arrived_at for piece in message.pieces.values()) + INCOMPLETE_AFTER <= now
        ]
        told = [pieces for whole in over for pieces in self._close(whole, settlement, now)]
        while self._done:
            done = next(iter(self._done.values()))
            if done.told_at + DONE_FOR > now:
                break
            self._forget(done, settlement)
        return told

    def _put(self, piece: Piece) -> _Open:
        message = self._open.get(piece.whole)
        if message is None:
            message = self._open[piece.whole] = _Open()
        message.pieces[piece.sequence] = piece
        message.last_at = piece.arrived_at
        done = self._done.get(piece.whole)
        if done is not None and done.digests.get(piece.sequence) == piece.digest():
            message.again.add(piece.sequence)
        return message

    def _close(self, whole: Whole, settlement: Settlement, now: float) -> list[Sequence[Piece]]:
        """What is there of a message is all that is waited for."""
        message = self._open.pop(whole)
        settlement.drop += [("inbound", piece.key) for piece in message.pieces.values()]
        if len(message.again) == len(message.pieces):
            for _ in message.pieces:
                self._on_repeated(whole.carrier)
            return []
        digests = {sequence: piece.digest() for sequence, piece in message.pieces.items()}
        done = Done(*whole, now, digests)
        self._done.pop(whole, None)
        self._done[whole] = done
        settlement.hold.append(
            Held("inbound", done.key, encode(done), now + DONE_FOR, whole.source)
        )
        if len(self._done) > MAX_DONE:
            self._forget(next(iter(self._done.values())), settlement)
        return [pieces_in_order(message.pieces)]

    def _forget(self, done: Done, settlement: Settlement) -> None:
        del self._done[done.whole]
        settlement.drop.append(("inbound", done.key))


def _patience(piece: Piece, message: _Open) -> float:
    """Seconds after which a piece is another message's, under the same reference."""
    if len(message.again) == len(message.pieces):
        return TOGETHER
    return INCOMPLETE_AFTER if piece.reference >= WIDE else REUSED_AFTER


def _told_at(done: Done) -> float:
    return done.told_at


def _arrived_at(piece: Piece) -> float:
    return piece.arrived_at

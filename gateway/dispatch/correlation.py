"""Which part a receipt speaks of: ids as carriers write them, flights in memory, parked receipts.

A part is known by its carrier and the id that the carrier's response gave it, in canonical form.
A receipt may write that id in another base; `ReceiptIds` knows, or learns, which. Parts submitted
not long ago are found in memory, all others in the store. A receipt that matches nothing, because
it overtook its response, is parked.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Literal, NamedTuple

from gateway.dispatch.flights import Flight, Part
from gateway.smpp.receipts import canonical

ReceiptId = Literal["auto", "same", "hex-dec", "dec-hex"]
"""How ids in receipts relate to ids in responses, as configured; see `written`."""

Form = Literal["same", "hex-dec", "dec-hex"]
FORMS: tuple[Form, ...] = ("same", "hex-dec", "dec-hex")

FLIGHTS = 65_536
"""Parts kept in memory per carrier in the hope of an early receipt; about 50 MB when full."""

PARKED = 100_000
"""Ids of parked receipts, up to three each, that are kept per carrier; the oldest give way."""


def written(ref: str, form: Form) -> str | None:
    """The canonical response id that a receipt's id ``ref`` stands for, if carriers write them
    in this form; None where it cannot be.

    ``hex-dec``: hexadecimal in responses, decimal in receipts; ``dec-hex``: the other way round.
    """
    if form == "same":
        return canonical(ref, "text")
    try:
        if form == "hex-dec":
            return f"{int(ref):x}" if ref.isascii() and ref.isdigit() else None
        return str(int(ref, 16)) if ref.isalnum() else None
    except ValueError:
        return None


class ReceiptIds:
    """How one carrier writes message ids in receipts: stated, or learnt from the first receipt
    that can be read in one way only. Until then, and where what was learnt leads nowhere, the
    recipient's number tells which way is right."""

    def __init__(self, stated: ReceiptId) -> None:
        self._forms: tuple[Form, ...] = FORMS if stated == "auto" else (stated,)
        self.learnt: Form | None = None if stated == "auto" else stated

    def likeliest(self, ref: str) -> str:
        """The canonical id that ``ref`` stands for by what was learnt; empty where nothing was,
        or where it can be none."""
        return written(ref, self.learnt) or "" if self.learnt is not None else ""

    def candidates(self, ref: str) -> Iterator[tuple[Form, str]]:
        """The canonical ids that ``ref`` may stand for, the likeliest first; none where it is
        empty, as the ids of some carriers' responses are too."""
        if not ref:
            return
        found: list[str] = []
        for form in self._forms:
            text = written(ref, form)
            if text is not None and text not in found:
                found.append(text)
                yield form, text

    def certain(self, form: Form, ref: str) -> bool:
        """Whether ``ref`` is to be read in this form whatever phone the receipt is about: it is
        what was learnt, or no other form reads the id as anything else."""
        if self.learnt is not None:
            return form == self.learnt
        text = written(ref, form)
        return all(written(ref, other) in {text, None} for other in FORMS)

    def confirm(self, form: Form, ref: str) -> None:
        """A receipt was matched by this reading of its id and is about the right phone: learn the
        form, unless the id reads alike in another (``7`` is 7 in any base)."""
        if self.learnt is None:
            text = written(ref, form)
            if all(written(ref, other) != text for other in FORMS if other != form):
                self.learn(form)

    def learn(self, form: Form) -> None:
        """A receipt was matched beyond doubt in this form: prefer it from now on."""
        if self.learnt is None:
            self.learnt = form
            self._forms = (form, *(other for other in FORMS if other != form))


class Parked(NamedTuple):
    """A final receipt that has matched nothing yet: under which canonical ids it may be looked
    for, and when it is given up. ``key`` names it in the store."""

    key: str
    refs: tuple[str, ...]
    recipient: str
    state: int
    error: str | None
    expires_at: float


class Correlator:
    """The parts of one carrier that wait for a receipt, and the receipts that wait for a part."""

    def __init__(self, stated: ReceiptId) -> None:
        self.ids = ReceiptIds(stated)
        self._parts: OrderedDict[str, Part] = OrderedDict()
        # By key, the oldest first; and by each id, since one receipt's id in this base may be
        # another's in that.
        self._parked: OrderedDict[str, Parked] = OrderedDict()
        self._waiting: dict[str, list[Parked]] = {}
        self._ids = 0

    def expect(self, ref: str, part: Part) -> Parked | None:
        """A part was taken under this canonical id; returns the receipt that came before."""
        self._parts[ref] = part
        if len(self._parts) > FLIGHTS:
            # Whole messages go: one half in memory would not know of the other half's receipts.
            self.forget(next(iter(self._parts.values())).flight)
        if not self._parked:
            return None
        phone = part.flight.message.to
        parked = min(
            (one for one in self._waiting.get(ref, ()) if same_number(one.recipient, phone)),
            key=lambda one: one.refs.index(ref),
            default=None,
        )
        if parked is not None:
            self._unpark(parked)
        return parked

    def find(self, ref: str) -> Part | None:
        """The part in memory under this canonical id."""
        return self._parts.get(ref)

    def forget(self, flight: Flight) -> None:
        """The message has its outcome."""
        for ref in flight.refs:
            if ref is not None:
                self._parts.pop(ref, None)

    def park(self, parked: Parked) -> list[Parked]:
        """Keep a receipt until a part is taken under one of its ids; the first of several about
        one part counts. Returns those that gave way to it."""
        if parked.key in self._parked:
            return []
        self._parked[parked.key] = parked
        for ref in parked.refs:
            self._waiting.setdefault(ref, []).append(parked)
        self._ids += len(parked.refs)
        gone: list[Parked] = []
        while self._ids > PARKED:
            oldest = next(iter(self._parked.values()))
            self._unpark(oldest)
            gone.append(oldest)
        return gone

    def given_up(self, now: float) -> list[Parked]:
        """Take out the parked receipts whose time is over."""
        over: list[Parked] = []
        while self._parked:
            parked = next(iter(self._parked.values()))
            if parked.expires_at > now:
                break
            self._unpark(parked)
            over.append(parked)
        return over

    def _unpark(self, parked: Parked) -> None:
        del self._parked[parked.key]
        self._ids -= len(parked.refs)
        for ref in parked.refs:
            others = self._waiting[ref]
            others.remove(parked)
            if not others:
                del self._waiting[ref]


def same_number(one: str, other: str) -> bool:
    """Whether two spellings mean one phone: one may lack the country code or carry ``+`` or 0s."""
    if one == other:
        return True
    one, other = one.lstrip("+0"), other.lstrip("+0")
    return one == other or (
        min(len(one), len(other)) >= 6 and (one.endswith(other) or other.endswith(one))
    )

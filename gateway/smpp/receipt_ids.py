"""How the message ids in a carrier's receipts relate to those in its responses.

A part is known by the id that the response gave it, in canonical form. A receipt may write that id
in another base: `readings` tells what it may stand for, and `ReceiptIds` which of these to believe,
as stated or as learnt. Who the parts are, and which of them wait, is dispatch's.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from gateway.smpp.receipts import canonical

ReceiptId = Literal["auto", "same", "hex-dec", "dec-hex"]
"""How ids in receipts relate to ids in responses, as configured; see `written`."""

Form = Literal["same", "hex-dec", "dec-hex"]
FORMS: tuple[Form, ...] = ("same", "hex-dec", "dec-hex")

HINTS: Final = 5
"""Receipts that must fit one part each, all in the same form, to learn it without their phones."""

DOUBTS: Final = 3
"""Receipts in a row that must fit in the same other form for it to take the place of what was
learnt."""

TELLING: Final = 8
"""Characters of an id, zeros before it left out, from which on it cannot fall together with another
one by being read in another base: the counters of carriers do not span so much within days."""

BOOK_ID: Final = 64
"""Characters that message_id has room for: what is left of a longer one at a carrier that keeps to
the book in one place only."""


class Reading(NamedTuple):
    """A canonical id that a receipt's id may stand for, and the form that this supposes."""

    form: Form
    ref: str


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
        return str(int(ref, 16)) if ref.isalnum() and ref.isascii() else None
    except ValueError:
        return None


_uuid = re.compile(
    r"\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?"
)


_wrapped = re.compile(r"[<\[({'\"`](.+)[>\])}'\"`]").fullmatch
"""An id in brackets or quotes, which the response may not have had."""


def readings(ref: str, forms: Sequence[Form] = FORMS) -> list[Reading]:
    """The canonical ids that ``ref`` may stand for, each once, in the order of ``forms``; none
    where it is empty, as the ids of some carriers' responses are too."""
    found: dict[str, Form] = {}
    wrapped = _wrapped(ref)
    for form in forms if ref else ():
        for one in (ref,) if wrapped is None else (ref, wrapped[1]):
            text = written(one, form)
            if text is None:
                continue
            found.setdefault(text, form)
            if form == "same":
                for variant in _variants(one):
                    found.setdefault(variant, form)
    return [Reading(form, text) for text, form in found.items()]


def _variants(ref: str) -> list[str]:
    """Other ways to write the same id that are no other base."""
    variants = []
    if len(ref) > BOOK_ID:
        variants.append(canonical(ref[:BOOK_ID], "text"))
    match = _uuid.fullmatch(ref.strip("\0 ").lower())
    if match is not None:
        groups = match.groups()
        forms = ("-".join(groups), "".join(groups), "{" + "-".join(groups) + "}")
        variants += [canonical(form, "text") for form in forms]
    return variants


def shows(ref: str, form: Form) -> bool:
    """Whether an id that is meant in this form shows that the carrier writes ids in it: no other
    form reads it alike, as all of them read ``7``."""
    text = written(ref, form)
    return all(written(ref, other) != text for other in FORMS if other != form)


def telling(ref: str) -> bool:
    """Whether an id is long enough to be meant when it is found in whatever form."""
    return len(ref.strip("\0 ").lstrip("0")) >= TELLING


class ReceiptIds:
    """How one carrier writes message ids in receipts: stated, or learnt from receipts that can be
    meant in one way only, and unlearnt when it stops fitting.

    Attributes:
        is_stated: it was configured, and no receipt changes it.
        learnt: the form to believe; None where none is known yet.
        doubts: receipts since the last one that fitted which fit in another form only.
    """

    def __init__(self, stated: ReceiptId) -> None:
        self.is_stated = stated != "auto"
        self.learnt: Form | None = None if stated == "auto" else stated
        self.doubts: Counter[Form] = Counter()
        self._hints: Counter[Form] = Counter()

    def likeliest(self, ref: str) -> str:
        """The canonical id that ``ref`` stands for by what was learnt; empty where nothing was,
        or where it can be none."""
        form = self.learnt
        if form == "same":
            return canonical(ref, "text")
        return written(ref, form) or "" if form is not None else ""

    def candidates(self, ref: str) -> list[Reading]:
        """The `readings` of a receipt's id, the likeliest first; only one form is possible where
        it was stated."""
        if self.learnt is None:
            return readings(ref)
        if self.is_stated:
            return readings(ref, (self.learnt,))
        return readings(ref, (self.learnt, *(form for form in FORMS if form != self.learnt)))

    def certain(self, readings: Sequence[Reading]) -> Form | None:
        """The form in which an id with these readings is meant, whatever parts there are: the one
        that is stated or learnt, or the only one in which it can be read."""
        forms = {form for form, _ in readings}
        return next(iter(forms)) if len(forms) == 1 else self.learnt

    def learn(self, form: Form) -> None:
        """A receipt was matched beyond doubt in this form: believe it from now on, unless
        something was learnt already."""
        if self.learnt is None:
            self.learnt = form

    def hint(self, form: Form) -> bool:
        """A receipt of which no phone is told fits one part, in this form. Says whether that is now
        what is believed."""
        self._hints[form] += 1
        if self.learnt is not None or len(self._hints) > 1 or self._hints[form] < HINTS:
            return False
        self.learnt = form
        return True

    def doubt(self, form: Form) -> bool:
        """A receipt fits in no other form than this one, which is not what was learnt. Says
        whether this is now what is believed."""
        self.doubts[form] += 1
        if self.is_stated or self.doubts[form] < DOUBTS:
            return False
        self.learnt = form
        self.doubts.clear()
        return True

"""Which part a receipt speaks of, where that does not go without saying.

Given are all parts, in memory and in the store, that the receipt's id names in some reading. What
is decided here can be wrong in one way only that matters: the outcome of another message. So what
fits in several ways waits until one of them is known to be right.

- Carriers use ids again, some from the first one on whenever they start anew. So while a part to
  that phone is unanswered, which may have got the same id, no part is meant whose message has its
  outcome, nor one to another phone.
- Where the form of ids is stated, or learnt, or the id can be read in one form only: the part that
  fits in that form, whatever its phone.
- Where nothing fits in what was learnt, or what does has another phone: the one part whose phone
  agrees and that fits in another form, if the id is long. A short id may fit so by chance: nothing
  is believed, but the form is doubted.
- Where nothing is known of forms: the one part whose phone agrees; where none does, the one of
  whose phone nothing is told. Not while a part to that phone is unanswered, unless the id is long:
  the receipt may be that one's.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gateway.dispatch.settling.phones import Agreement
from gateway.smpp.receipt_ids import Form, ReceiptIds, shows, telling

AGREES, SILENT, DISAGREES = Agreement


class Fit(NamedTuple):
    """A part that a receipt may speak of.

    Attributes:
        form: the form of ids that this supposes.
        phone: what the receipt's addresses say of its phone.
        waits: no final receipt has come for it.
        place: which of the parts that the caller has found.
        over: its message has its outcome.
    """

    form: Form
    phone: Agreement
    waits: bool
    place: int
    over: bool = False


class Decision(NamedTuple):
    """What to do with a receipt.

    Attributes:
        fit: the part that it speaks of; None where that is not known.
        learn: what is learnt of ids.
        hint: what would be learnt if the phone were told.
        doubt: in which form the receipt fits, against what was learnt.
        open: some part fits, but it is not sure which one is meant: to be asked again.
    """

    fit: Fit | None = None
    learn: Form | None = None
    hint: Form | None = None
    doubt: Form | None = None
    open: bool = False


UNKNOWN = Decision()


def decide(
    ids: ReceiptIds, ref_raw: str, fits: Sequence[Fit], awaited: Callable[[], bool]
) -> Decision:
    """Which of ``fits`` a receipt with this id speaks of.

    Args:
        ids: what is known of the carrier's ids.
        ref_raw: the id in the receipt.
        fits: the parts that it names in some reading, each once.
        awaited: whether a part to that phone, or to one of which it cannot be known, was submitted
            before the receipt came and is not answered yet, so that its id is not known.
    """
    if any(fit.over or fit.phone is DISAGREES for fit in fits) and awaited():
        fits = [fit for fit in fits if not fit.over and fit.phone is not DISAGREES]
    if not fits:
        return UNKNOWN
    certain = ids.certain(ids.candidates(ref_raw))
    if certain is not None:
        return _by_form(ids, ref_raw, fits, certain)
    return _by_phone(ref_raw, fits, awaited)


def _by_form(ids: ReceiptIds, ref_raw: str, fits: Sequence[Fit], form: Form) -> Decision:
    believed = _only([fit for fit in fits if fit.form == form and fit.phone is AGREES])
    believed = believed or _only([fit for fit in fits if fit.form == form])
    others = [fit for fit in fits if fit.form != form]
    other = _only([fit for fit in others if fit.phone is AGREES and fit.waits])
    if believed is not None and (ids.is_stated or believed.phone is not DISAGREES or other is None):
        teaches = ids.learnt is None and believed.waits and believed.phone is AGREES
        return Decision(believed, form if teaches and shows(ref_raw, form) else None)
    if other is None and believed is None and telling(ref_raw):
        other = _only([fit for fit in others if fit.phone is SILENT and fit.waits])
    if other is None:
        return Decision(open=any(fit.phone is not DISAGREES for fit in fits))
    if telling(ref_raw):
        return Decision(other, doubt=other.form)
    return Decision(doubt=other.form, open=True)


def _by_phone(ref_raw: str, fits: Sequence[Fit], awaited: Callable[[], bool]) -> Decision:
    named = [fit for fit in fits if fit.phone is AGREES]
    possible = named or [fit for fit in fits if fit.phone is SILENT]
    found = _only(possible)
    if found is None or (not telling(ref_raw) and awaited()):
        return Decision(open=bool(possible))
    if not (found.waits and shows(ref_raw, found.form)):
        return Decision(found)
    if found.phone is AGREES or telling(ref_raw):
        return Decision(found, learn=found.form)
    return Decision(found, hint=found.form)


def _only(fits: Sequence[Fit]) -> Fit | None:
    return fits[0] if len(fits) == 1 else None

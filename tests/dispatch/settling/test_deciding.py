"""Which part a receipt speaks of, where that does not go without saying."""

import pytest

from gateway.dispatch.settling.deciding import Decision, Fit, decide
from gateway.dispatch.settling.phones import Agreement
from gateway.smpp.receipt_ids import Form, ReceiptId, ReceiptIds

YES, NO, NOTHING = Agreement.AGREES, Agreement.DISAGREES, Agreement.SILENT
Given = tuple[Form, Agreement] | tuple[Form, Agreement, str]


def decided(
    stated: ReceiptId, learnt: Form | None, ref: str, given: list[Given], *, awaited: bool
) -> Decision:
    ids = ReceiptIds(stated)
    if learnt is not None:
        ids.learn(learnt)
    fits = [Fit(one[0], one[1], len(one) == 2, place) for place, one in enumerate(given)]
    return decide(ids, ref, fits, lambda: awaited)


SAME: Form = "same"
HEX_DEC: Form = "hex-dec"
DEC_HEX: Form = "dec-hex"
LONG, SHORT = "1000000026", "26"


@pytest.mark.parametrize(
    ("learnt", "ref", "given", "place", "learn"),
    [
        # nothing is known: the one that agrees
        (None, SHORT, [(SAME, YES)], 0, SAME),
        (None, SHORT, [(HEX_DEC, YES)], 0, HEX_DEC),
        (None, SHORT, [(SAME, NO), (HEX_DEC, YES)], 1, HEX_DEC),
        (None, SHORT, [(SAME, NOTHING), (HEX_DEC, YES)], 1, HEX_DEC),
        # or the only one of which nothing is told; from which nothing is learnt but by long ids
        (None, SHORT, [(HEX_DEC, NOTHING)], 0, None),
        (None, SHORT, [(SAME, NO), (HEX_DEC, NOTHING)], 1, None),
        (None, LONG, [(HEX_DEC, NOTHING)], 0, HEX_DEC),
        # it can be read in one way only
        (None, "m-26", [(SAME, YES)], 0, SAME),
        (None, "m-26", [(SAME, NOTHING)], 0, None),
        (None, "m-26", [(SAME, NO)], 0, None),
        (None, "7", [(SAME, YES)], 0, None),  # it is 7 in any base
        (HEX_DEC, "m-26", [(SAME, NO)], 0, None),
        # the form is known
        (SAME, SHORT, [(SAME, YES)], 0, None),
        (SAME, SHORT, [(SAME, NOTHING), (HEX_DEC, NOTHING)], 0, None),
        (SAME, SHORT, [(SAME, NO)], 0, None),
        (HEX_DEC, SHORT, [(HEX_DEC, YES), (SAME, YES)], 0, None),
        # what has come already, or is over, is a part as well
        (None, SHORT, [(SAME, YES, "over")], 0, None),
        (SAME, SHORT, [(SAME, YES, "over"), (HEX_DEC, YES)], 0, None),
        (SAME, SHORT, [(SAME, NO), (HEX_DEC, YES, "over")], 0, None),
    ],
)
def test_what_is_believed(
    learnt: Form | None, ref: str, given: list[Given], place: int, learn: Form | None
) -> None:
    decision = decided("auto", learnt, ref, given, awaited=False)
    assert decision.fit is not None
    assert (decision.fit.place, decision.learn, decision.doubt) == (place, learn, None)


@pytest.mark.parametrize(
    ("learnt", "given", "doubt", "is_open"),
    [
        # several fit
        (None, [(SAME, YES), (HEX_DEC, YES)], None, True),
        (None, [(SAME, YES), (DEC_HEX, YES, "over")], None, True),
        (None, [(SAME, NOTHING), (HEX_DEC, NOTHING)], None, True),
        # none does
        (None, [], None, False),
        (SAME, [], None, False),
        (None, [(SAME, NO)], None, False),
        (None, [(SAME, NO), (HEX_DEC, NO)], None, False),
        (SAME, [(HEX_DEC, NO)], None, False),
        # only in another form than is known: by chance, or the form has changed
        (SAME, [(HEX_DEC, YES)], HEX_DEC, True),
        (SAME, [(SAME, NO), (HEX_DEC, YES)], HEX_DEC, True),
        (SAME, [(HEX_DEC, YES), (DEC_HEX, YES)], None, True),
        (SAME, [(HEX_DEC, NOTHING)], None, True),
    ],
)
def test_what_is_not_sure(
    learnt: Form | None, given: list[Given], doubt: Form | None, is_open: bool
) -> None:
    decision = decided("auto", learnt, SHORT, given, awaited=False)
    assert decision == Decision(doubt=doubt, open=is_open)


def test_where_no_phone_is_told_it_is_a_hint() -> None:
    decision = decided("auto", None, SHORT, [(HEX_DEC, NOTHING)], awaited=False)
    assert decision == Decision(Fit(HEX_DEC, NOTHING, True, 0), hint=HEX_DEC)


@pytest.mark.parametrize("phone", [YES, NOTHING])
def test_a_long_id_fits_in_no_form_by_chance(phone: Agreement) -> None:
    decision = decided("auto", SAME, LONG, [(HEX_DEC, phone)], awaited=True)
    assert decision == Decision(Fit(HEX_DEC, phone, True, 0), doubt=HEX_DEC)


@pytest.mark.parametrize(
    ("learnt", "ref", "given", "believed"),
    [
        (None, SHORT, [(SAME, YES)], False),
        (None, SHORT, [(SAME, NOTHING)], False),
        (None, LONG, [(SAME, YES)], True),
        (None, "m-26", [(SAME, YES)], True),
        (SAME, SHORT, [(SAME, YES)], True),
    ],
)
def test_a_short_id_may_be_that_of_a_part_which_is_not_answered_yet(
    learnt: Form | None, ref: str, given: list[Given], believed: bool
) -> None:
    decision = decided("auto", learnt, ref, given, awaited=True)
    assert (decision.fit is not None, decision.open) == (believed, not believed)


@pytest.mark.parametrize("phone", [YES, NOTHING, NO])
def test_a_stated_form_is_believed_whatever_the_phone(phone: Agreement) -> None:
    decision = decided("hex-dec", None, SHORT, [(HEX_DEC, phone)], awaited=False)
    assert decision == Decision(Fit(HEX_DEC, phone, True, 0))


@pytest.mark.parametrize("stated", ["auto", "hex-dec"])
@pytest.mark.parametrize(
    ("fit", "believed"),
    [
        (Fit(HEX_DEC, YES, True, 0), True),
        (Fit(HEX_DEC, NOTHING, True, 0), True),
        (Fit(HEX_DEC, NO, True, 0), False),
        (Fit(HEX_DEC, YES, False, 0, over=True), False),
        (Fit(HEX_DEC, NO, False, 0, over=True), False),
    ],
)
def test_ids_may_be_used_again_while_one_to_that_phone_is_unanswered(
    stated: ReceiptId, fit: Fit, believed: bool
) -> None:
    ids = ReceiptIds(stated)
    if not ids.is_stated:
        ids.learn(HEX_DEC)
    assert decide(ids, LONG, [fit], lambda: True) == (Decision(fit) if believed else Decision())
    assert decide(ids, LONG, [fit], lambda: False) == Decision(fit)

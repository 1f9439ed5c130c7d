"""What is done about each status (field facts A)."""

import pytest

from gateway.dispatch.carriers.actions import ACTIONS, action
from gateway.smpp.status import Status


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ("RINVBNDSTS RSYSERR RMSGQFUL RTHROTTLED RX_T_APPN RSERTYPUNAVAIL", "wait"),
        ("RALYBND RINVSRCADR RBINDFAIL RSUBMITFAIL RUNKNOWNERR RPROHIBITED RINVDCS", "other"),
        ("RINVMSGLEN RINVDSTADR RX_P_APPN RX_R_APPN RDELIVERYFAILURE RINVEXPIRY", "refuse"),
    ],
)
def test_the_field_s_habits(statuses: str, kind: str) -> None:
    for name in statuses.split():
        assert action(Status[f"ESME_{name}"]).kind == kind, name


def test_a_status_of_the_carrier_s_own_is_tried_elsewhere() -> None:
    assert action(0x400).kind == "other"
    assert action(0x500).kind == "other"


def test_only_going_too_fast_slows_a_carrier() -> None:
    slowing = {status for status, what in ACTIONS.items() if what.slows}
    assert slowing == {Status.ESME_RTHROTTLED}


def test_waiting_is_bounded_but_for_throttling() -> None:
    endless = {s for s, what in ACTIONS.items() if what.kind == "wait" and not what.tries}
    assert endless == {Status.ESME_RTHROTTLED}
    assert all(what.delay > 0 for what in ACTIONS.values() if what.kind == "wait")

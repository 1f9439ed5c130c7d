"""What to do when a carrier refuses a part: one table from command_status to an action.

Field facts: the actions follow what the SMPP 3.4 statuses mean and what Kannel and Jasmin do with
them; a carrier's configuration can override a status (``statuses``).
"""

from typing import Literal, NamedTuple

from gateway.dispatch.carriers.pace import PAUSE

Kind = Literal["wait", "other", "refuse"]


class Action(NamedTuple):
    """``wait``: try again after ``delay`` seconds, up to ``tries`` times (0: until the message
    expires), then as ``other``; ``other``: try another carrier of the route, then refuse;
    ``refuse``: the message has failed. ``slows``: the carrier is sent less, after a pause of
    ``delay`` at first. ``doubles``: each delay is twice as long as the last."""

    kind: Kind
    delay: float = 0.0
    tries: int = 0
    slows: bool = False
    doubles: bool = False

    def wait(self, attempts: int) -> float:
        """Seconds to wait before the next attempt, after so many."""
        return self.delay * (1 << attempts if self.doubles else 1)


REFUSE = Action("refuse")
OTHER = Action("other")

ACTIONS: dict[int, Action] = {
    0x04: Action("wait", delay=5, tries=2),  # RINVBNDSTS: the bind makes a new session
    0x05: OTHER,  # RALYBND
    0x08: Action("wait", delay=5, tries=2),  # RSYSERR
    0x0A: OTHER,  # RINVSRCADR: another carrier may know the sender
    0x0D: OTHER,  # RBINDFAIL
    0x0E: OTHER,  # RINVPASWD
    0x0F: OTHER,  # RINVSYSID
    # RMSGQFUL: that of one phone, as a rule; for the account's see `full_queues`
    0x14: Action("wait", delay=30, tries=4, doubles=True),
    0x45: OTHER,  # RSUBMITFAIL
    0x53: OTHER,  # RINVSYSTYP
    0x58: Action("wait", delay=PAUSE, slows=True),  # RTHROTTLED: the carrier's pace
    0x64: Action("wait", delay=10, tries=2),  # RX_T_APPN
    0xFF: OTHER,  # RUNKNOWNERR
    0x100: OTHER,  # RSERTYPUNAUTH
    0x101: OTHER,  # RPROHIBITED
    0x102: Action("wait", delay=30, tries=1),  # RSERTYPUNAVAIL
    0x103: OTHER,  # RSERTYPDENIED
    0x104: OTHER,  # RINVDCS
}
"""The statuses that do not simply refuse the message."""

VENDOR = 0x400
"""Statuses from here on have a meaning of the carrier's own."""


def action(status: int) -> Action:
    """What to do about a status other than 0."""
    return ACTIONS.get(status, OTHER if status >= VENDOR else REFUSE)

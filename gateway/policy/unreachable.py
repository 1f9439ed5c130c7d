"""Numbers that texts do not reach: what outcomes teach, and the rule that spares them.

A number that the network does not know is unreachable at once and for long; one that was not
reached several times, for a shorter while. Both end when the phone texts. One-time passwords are
never refused: who asks for one has the phone in hand. What is learnt is each tenant's own.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import msgspec

from gateway.facts import UNREACHABLE, Facts
from gateway.message import URGENT, Category, Event, Message
from gateway.policy.rules import Refuse, Verdicts

DAY: Final = 86_400.0

NO_SUCH_NUMBER: Final = ("MK:0001", "MN:0001")
"""What Chinese gateways' receipts call a number that nobody has. What others write into ``err:`` is
each carrier's own: 001 is that at many of them, and any failure at some."""

NO_SUBSCRIBER: Final = frozenset({"3:1", "3:5"})
"""The same as GSM networks say it in network_error_code (type 3): unknown and unidentified
subscriber (3GPP TS 29.002, 17.6.6)."""

INVALID_DESTINATION: Final = "ESME_RINVDSTADR"
"""The command_status for a recipient that is none (SMPP 3.4, 5.1.3)."""

MISSED: Final = frozenset({"UNDELIV", "EXPIRED", "UNDELIVERABLE"})
"""The receipts that say that the phone was not reached. Others tell of the text or the sender."""


class UnreachableOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[policy.unreachable]``.

    Attributes:
        categories: the messages that are not sent to such numbers; none, and nothing is learnt.
        permanent_days: how long a number is spared that does not exist.
        failures, within_days: so many failures in so many days make a number unreachable.
        temporary_days: how long it is spared then.
        permanent_errors: what carriers write in receipts of a number that does not exist.
    """

    categories: frozenset[Category] = frozenset()
    permanent_days: Annotated[int, msgspec.Meta(ge=1, le=400)] = 90
    failures: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
    within_days: Annotated[int, msgspec.Meta(ge=1, le=90)] = 14
    temporary_days: Annotated[int, msgspec.Meta(ge=1, le=400)] = 30
    permanent_errors: tuple[str, ...] = NO_SUCH_NUMBER

    def problems(self) -> Iterator[str]:
        """What is wrong, each with its key."""
        if URGENT in self.categories:
            yield f"categories: {URGENT} is never refused for this; take it out"


class Lesson(msgspec.Struct, frozen=True):
    """What an outcome says of a number: so many such failures within so many seconds, and it is
    spared for so many."""

    count: int
    within: float
    keep: float


class Unreachable:
    """Refuses, as `unreachable`, what would not arrive, and says when it is tried again."""

    name = "unreachable"
    wants = UNREACHABLE

    def __init__(self, options: UnreachableOptions) -> None:
        self._categories = options.categories
        self._errors = frozenset(map(_plain, options.permanent_errors))
        within = options.within_days * DAY
        self._never = Lesson(1, within, options.permanent_days * DAY)
        self._often = Lesson(options.failures, within, options.temporary_days * DAY)

    def judge(self, messages: Sequence[Message], facts: Facts, now: float) -> Verdicts:
        known = facts.unreachable
        if not known:
            return {}
        verdicts: Verdicts = {}
        for index, message in enumerate(messages):
            until = known.get(message.to, 0.0)
            if until > max(now, message.due) and message.category in self._categories:
                verdicts[index] = Refuse(self.name, "unreachable", WHY, until)
        return verdicts

    def lesson(self, event: Event) -> Lesson | None:
        """What the outcome of a message teaches, None where that is nothing about the phone."""
        detail = event.detail
        if event.type not in ("failed", "expired") or not detail:
            return None
        if detail.get("smpp_status") == INVALID_DESTINATION:
            return self._never
        if detail.get("receipt_state") not in MISSED:
            return None
        error = detail.get("receipt_error")
        known = error is not None and _plain(str(error)) in self._errors
        if known or detail.get("network_error") in NO_SUBSCRIBER:
            return self._never
        return self._often


WHY: Final = "the number does not exist, or was not reached for long; it is tried again later"


def _plain(error: str) -> str:
    """An error without the zeros that carriers write before it."""
    return error.strip().upper().lstrip("0") if error.strip().isdigit() else error.strip().upper()

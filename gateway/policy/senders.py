"""Which senders there are at all, and which of them a tenant may use."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from gateway.facts import NOTHING, Facts
from gateway.message import Message
from gateway.policy.rules import Refuse, Verdicts

ANY: Final = "*"
"""Stands among a tenant's senders for every sender."""

# A number is bounded by what an SMPP source_addr takes (20 characters and a NUL), since Chinese
# access numbers with an extension are longer than E.164's 15 digits, which bound one with a +.
# A name is 11 characters of GSM 03.38 (TS 23.040, 9.1.2.5: 7 octets of septets after the type).
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{1,20}")
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+._-]{1,11}")


def normalise(sender: str) -> str | None:
    """The form in which a sender is compared and sent: digits without ``+``, or a name of up to 11
    letters, digits, spaces and ``& + . _ -`` with a letter in it. None (`invalid_sender`) for
    anything else."""
    if _NUMBER.fullmatch(sender):
        return sender.removeprefix("+")
    if _NAME.fullmatch(sender) and sender == sender.strip():
        return sender
    return None


def default_sender(senders: Sequence[str]) -> str | None:
    """The sender of messages that name none: the first that is one, None where there is none."""
    return next((normalise(sender) for sender in senders if sender != ANY), None)


class Senders:
    """Refuses senders that are none (`invalid_sender`) or not the tenant's (`sender_not_allowed`).

    Args:
        senders: the tenant's, of which ``*`` allows any. Names are told apart by case.
    """

    name = "senders"
    wants = NOTHING

    def __init__(self, senders: Iterable[str]) -> None:
        senders = tuple(senders)
        self._any = ANY in senders
        self._allowed = frozenset(normalise(sender) for sender in senders if sender != ANY)

    def judge(
        self,
        messages: Sequence[Message],
        facts: Facts,
        now: float,
    ) -> Verdicts:
        used = {message.sender for message in messages}
        refused = {
            sender: verdict for sender in used if (verdict := self._refuse(sender)) is not None
        }
        if not refused:
            return {}
        return {
            index: refused[message.sender]
            for index, message in enumerate(messages)
            if message.sender in refused
        }

    def _refuse(self, sender: str) -> Refuse | None:
        if normalise(sender) != sender:
            why = f"{sender[:20]!r} is neither a number nor a name of up to 11 letters and digits"
            return Refuse(self.name, "invalid_sender", why)
        if not self._any and sender not in self._allowed:
            why = f"{sender!r} is not one of this tenant's senders"
            return Refuse(self.name, "sender_not_allowed", why)
        return None

"""Signatures: the name in 【】 that a Chinese text begins with, by which carriers know its sender.

A text that begins with one of its tenant's keeps it, without spaces around it. Where there is none,
it is put in front or the message is refused, as the tenant chose. A second one, somebody else's, or
brackets further on in the text are refused, since carriers refuse the text for them.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from gateway.policy.content.options import SignatureOptions
from gateway.policy.rules import Refuse

_FIRST: Final = re.compile(r"\s*【([^【】]{0,40})】")
_BRACKETS: Final = re.compile("[【】]")
RULE: Final = "signature"

SENDERS: Final = 4_096
"""Senders and routes whose signatures are kept at hand; all are forgotten at once."""


class _Known(NamedTuple):
    """The signatures that some messages may have, and how their texts begin with these."""

    options: tuple[SignatureOptions, ...]
    beginnings: tuple[str, ...]


class Signatures:
    """A tenant's signatures.

    Args:
        options: in order of preference; at least one.
        carriers: through which the messages of each route may go, by its name.
    """

    def __init__(
        self, options: Sequence[SignatureOptions], carriers: Mapping[str, Collection[str]]
    ) -> None:
        self._options = tuple(options)
        self._carriers = carriers
        self._names = frozenset(one.name for one in options)
        self._known: dict[tuple[str, str], _Known] = {}

    def put(self, text: str, sender: str, route: str) -> str | Refuse:
        """The text of a message from a sender, on a route, with its signature in front."""
        known = self._known.get((sender, route))
        if known is None:
            known = self._look_up(sender, route)
        opening, closing = text.count("【"), text.count("】")
        if not opening and not closing:
            return self._begin(text, known.options)
        if opening == closing == 1 and text.startswith(known.beginnings):
            return text
        found = _FIRST.match(text)
        name, place = "", 0
        if found is not None:
            name, place = found[1].strip(), found.end()
            if name not in self._names:
                theirs = "、".join(one.name for one in self._options)
                return _refuse(f"【{name}】 is not one of this tenant's signatures: {theirs}", 0)
            if not any(one.name == name for one in known.options):
                return _refuse(
                    f"【{name}】 is not known to the sender {sender} or its carriers; use another",
                    0,
                )
        second = _BRACKETS.search(text, place)
        if second is not None:
            return _refuse(
                "【】 stand in a text once, around the signature at its beginning; write "
                "other brackets, such as 「」",
                second.start(),
            )
        # Spaces before it or in it: carriers look for the bare one, and opt-outs and caps go by it.
        return self._begin(text, known.options) if found is None else f"【{name}】{text[place:]}"

    def _begin(self, text: str, known: Sequence[SignatureOptions]) -> str | Refuse:
        """A text without a signature, with the first of those that it may have."""
        if not known:
            return text
        if known[0].on_missing == "refuse":
            return _refuse(f"begins with no signature; put 【{known[0].name}】 in front", 0)
        return f"【{known[0].name}】{text}"

    def _look_up(self, sender: str, route: str) -> _Known:
        """Those that such messages may have."""
        carriers = self._carriers.get(route, ())
        if len(self._known) >= SENDERS:
            self._known.clear()
        options = tuple(
            one
            for one in self._options
            if (not one.senders or sender in one.senders)
            and (not one.carriers or all(carrier in one.carriers for carrier in carriers))
        )
        beginnings = tuple(f"【{one.name}】" for one in options)
        found = self._known[sender, route] = _Known(options, beginnings)
        return found


def _refuse(why: str, place: int) -> Refuse:
    return Refuse(RULE, "content_refused", f"{RULE}: {why} (position {place})", place=place)

"""Opt-out lines: how a promotional text tells its reader to make it stop, by region and carrier.

A text has a line where it has the words of any line of its region, in whatever case and width and
with whatever spaces between (`gateway.policy.content.banned`, which finds them). A one-time
password has none: carriers refuse it for one.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from gateway.message import Category
from gateway.policy.content.banned import Words, compiled
from gateway.policy.content.links import ends_with_link
from gateway.policy.content.options import OptoutLine
from gateway.policy.hours import names_of
from gateway.policy.regions import Place, place_of
from gateway.policy.rules import Refuse

RULE: Final = "optout_line"

PLACES: Final = 4_096
"""Places, categories and routes whose line is kept at hand; all are forgotten at once."""


class _Here(NamedTuple):
    """What holds for some messages: the lines by which a text is known to have one, and the one
    that is put where there is none."""

    known: Words
    line: OptoutLine | None


class OptoutLines:
    """The opt-out lines of all tenants.

    Args:
        options: the first that fits is used.
        carriers: through which the messages of each route may go, by its name.
    """

    def __init__(
        self, options: Sequence[OptoutLine], carriers: Mapping[str, Collection[str]]
    ) -> None:
        self._options = tuple(options)
        self._carriers = carriers
        self._here: dict[tuple[Place, Category, str], _Here | None] = {}

    def put(self, text: str, to: str, category: Category, route: str) -> str | Refuse:
        """A text with the line that it needs."""
        key = (place_of(to), category, route)
        try:
            here = self._here[key]
        except KeyError:
            if len(self._here) >= PLACES:
                self._here.clear()
            here = self._here[key] = self._look_up(*key)
        if here is None:
            return text
        line = here.line
        if line is not None and line.text in text:
            return text
        found = here.known.find(text)
        if category == "otp":
            return text if found is None else _forbidden(found.written, found.place)
        if found is not None or line is None:
            return text
        if line.on_missing == "refuse":
            why = f"{RULE}: has no opt-out line; put {line.text!r} at the end"
            return Refuse(RULE, "content_refused", f"{why} (position {len(text)})", place=len(text))
        apart = (line.text[0].isascii() and not text[-1:].isspace()) or ends_with_link(text)
        return f"{text}{' ' if apart else ''}{line.text}"

    def _look_up(self, place: Place, category: Category, route: str) -> _Here | None:
        names = names_of(place)
        here = [one for one in self._options if one.region in names]
        carriers = self._carriers.get(route, ())
        line = next(
            (
                one
                for one in here
                if one.category == category
                and (not one.carriers or all(carrier in one.carriers for carrier in carriers))
            ),
            None,
        )
        if line is None and (category != "otp" or not here):
            return None
        return _Here(compiled(tuple(one.text for one in here)), line)


def _forbidden(written: str, place: int) -> Refuse:
    why = f"{RULE}: a one-time password has no opt-out line, and this one has {written!r}"
    return Refuse(RULE, "content_refused", f"{why} (position {place})", place=place)

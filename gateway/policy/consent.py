"""Consent: the rule that lets no text go to who has not allowed it, where that is required.

Which phones have is the store's to know and arrives as `Facts.consents`; how consent is recorded,
in `gateway.dispatch.inbound.consents` and, by keyword, in `gateway.dispatch.inbound.inbound`.
"""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from gateway.facts import CONSENTS, Facts
from gateway.message import CATEGORIES, QUESTION, Category, Message
from gateway.policy.hours import with_territories
from gateway.policy.regions import REGIONS, Place, place_of
from gateway.policy.rules import Refuse, Verdicts

EVERYWHERE: Final = "*"
"""Stands among regions for all of them."""


class ConsentOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[policy.consent]``.

    Attributes:
        require: the regions, with their territories, or subdivisions, whose phones are texted with
            their consent alone; `EVERYWHERE` for all.
        categories: which messages need it. The category is the purpose that it must be given for.
        answer_hours: how long a phone that was asked to confirm may take to answer.
    """

    require: tuple[str, ...] = ()
    categories: frozenset[Category] = frozenset({"marketing"})
    answer_hours: Annotated[float, msgspec.Meta(ge=0.1, le=720)] = 48.0

    def problems(self) -> list[str]:
        """What is wrong, each with its key."""
        return [
            f"require[{index}]: {name[:16]!r} is neither '*' nor an ISO 3166 code, such as 'US' or"
            " 'US-TX'"
            for index, name in enumerate(self.require)
            if name != EVERYWHERE and name not in REGIONS
        ]


class ConsentRule:
    """Refuses, as `no_consent`, what needs a consent that is not there.

    Attributes:
        purposes: the categories that it asks it for.
        answer_seconds: how long a phone may take to answer.
    """

    name = "consent"
    wants = CONSENTS

    def __init__(self, options: ConsentOptions) -> None:
        self.purposes = tuple(one for one in CATEGORIES if one in options.categories)
        self.answer_seconds = options.answer_hours * 3_600
        self._categories = options.categories
        self._regions = with_territories(options.require)
        # Countries of states that are named: a number that may be in any state may be in those.
        self._in_part = frozenset(name[:2] for name in options.require if len(name) > 2)
        self._everywhere = EVERYWHERE in options.require
        self._refusals: dict[str, Refuse] = {}

    def judge(self, messages: Sequence[Message], facts: Facts, now: float) -> Verdicts:
        categories, consents = self._categories, facts.consents
        verdicts: Verdicts = {}
        nothing: frozenset[str] = frozenset()
        for index, message in enumerate(messages):
            category = message.category
            if category in categories and category not in consents.get(message.to, nothing):
                place = place_of(message.to)
                if message.reply != QUESTION and (self._everywhere or self._holds(place)):
                    verdicts[index] = self._refusal(category, place)
        return verdicts

    def _holds(self, place: Place) -> bool:
        region, subdivision = place.region, place.subdivision
        if subdivision is None and region in self._in_part:
            return True
        return region in self._regions or subdivision in self._regions

    def _refusal(self, category: Category, place: Place) -> Refuse:
        where = place.region or "the world"
        found = self._refusals.get(f"{category} {where}")
        if found is None:
            why = (
                f"{category} messages to {where} need the recipient's consent, and none is on "
                "record: add it with the op consent"
            )
            found = self._refusals[f"{category} {where}"] = Refuse(self.name, "no_consent", why)
        return found

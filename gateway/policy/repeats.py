"""The same text to the same phone twice in a campaign: a list that was loaded twice, a customer
who is in it under two names.

It is counted as frequency caps are (`gateway.policy.frequency`), so that two submissions at once
never both pass, and what was cancelled or did not go before it went is no first one. A message that
says ``allow_repeat`` goes, and is a first one for others.
"""

from collections.abc import Iterator

import msgspec

from gateway.message import CATEGORIES, Category
from gateway.policy.caps import EACH, FrequencyCap, seconds


class RepeatOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[policy.repeats]``.

    Attributes:
        per: the time in which a campaign says the same to a phone once, ``30d``; absent, repeats
            are not looked for.
        categories: the messages that are.
    """

    per: str | None = None
    categories: frozenset[Category] = frozenset(CATEGORIES)

    def problems(self) -> Iterator[str]:
        """What is wrong, each with its key."""
        if self.per is not None:
            try:
                seconds(self.per)
            except ValueError as error:
                yield f"per: {error}"

    def caps(self) -> list[FrequencyCap]:
        """What is counted, one for each category; none where repeats are not looked for."""
        if self.per is None:
            return []
        return [
            FrequencyCap(category=one, campaign=EACH, same_text=True, max=1, per=self.per)
            for one in CATEGORIES
            if one in self.categories
        ]

"""Where texts may go: regions and ranges that are allowed or blocked, and kinds of numbers.

Where and of which kind a number is, `gateway.numbers` knows from the plans of all countries. What a
tenant has beside the policy of all narrows that, and never widens it. Without anything written,
nothing is looked at.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from gateway.facts import NOTHING, Facts
from gateway.message import CATEGORIES, Category, Message
from gateway.numbers import REGIONS, Kind, region_of
from gateway.numbers.candidates import LONGEST, SHORTEST, candidate_of
from gateway.numbers.plans import plan_of
from gateway.policy.rules import Refuse, Verdicts

MOST: Final = 10_000
"""Regions and ranges in a list."""

KindName = Literal[
    "mobile", "fixed", "premium", "toll-free", "voip", "personal", "pager", "shared cost",
    "universal access", "voicemail",
]  # fmt: skip

DECIDING: Final = 9
"""Digits by which numbers are known again; more decide in the plans of few countries."""

RECENT: Final = 16_384
"""Ranges that are known again, 2 MB; all are forgotten at once."""

EITHER: Final = frozenset({Kind.MOBILE, Kind.FIXED})


class DestinationOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[policy.destinations]``, and ``destinations`` of a tenant.

    Attributes:
        allowed: the regions (ISO 3166, ``CN``) and ranges (leading digits, ``4477``) that are
            texted; none for all.
        blocked: those that are not, whatever is allowed.
        watched: those that are guarded against traffic pumping, see `gateway.policy.pumping`.
        kinds: the kinds of numbers that are texted; none for all.
        categories: the messages that this holds for.
    """

    allowed: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()
    kinds: tuple[KindName, ...] = ()
    categories: frozenset[Category] = frozenset(CATEGORIES)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is ever refused."""
        return not (self.allowed or self.blocked or self.kinds) or not self.categories

    def problems(self) -> Iterator[str]:
        """What is wrong, each with its key."""
        for key in ("allowed", "blocked", "watched"):
            entries: tuple[str, ...] = getattr(self, key)
            if len(entries) > MOST:
                yield f"{key}: {len(entries)} entries, over {MOST}"
            for index, entry in enumerate(entries):
                if not is_entry(entry):
                    yield f"{key}[{index}]: {entry[:16]!r} is neither a region as 'CN' nor digits"
        for index, entry in enumerate(self.blocked):
            if entry in self.allowed:
                yield f"blocked[{index}]: {entry!r} is allowed as well; take one of the two out"


def is_entry(entry: str) -> bool:
    """Whether something names a region, or a range by its leading digits."""
    return entry in REGIONS or (entry.isascii() and entry.isdigit() and len(entry) <= 15)


class Places:
    """Regions and ranges, to be looked up by number."""

    def __init__(self, entries: Sequence[str]) -> None:
        self.regions = frozenset(one for one in entries if not one.isdigit())
        self.ranges = tuple(one for one in entries if one.isdigit())

    def has(self, number: str, region: str | None) -> bool:
        return region in self.regions or number.startswith(self.ranges)


class Destinations:
    """Refuses, as `destination_blocked`, what is to go where this tenant does not text."""

    name = "destinations"
    wants = NOTHING

    def __init__(self, options: DestinationOptions) -> None:
        self._categories = options.categories
        self._allowed = Places(options.allowed) if options.allowed else None
        self._blocked = Places(options.blocked) if options.blocked else None
        self._kinds = frozenset(map(Kind, options.kinds))
        self._refusals: dict[str, Refuse] = {}
        ranges = [one for of in (self._allowed, self._blocked) if of for one in of.ranges]
        self._deciding = max([DECIDING, *map(len, ranges)])
        self._recent: dict[tuple[str, int], str | None] = {}

    def judge(self, messages: Sequence[Message], facts: Facts, now: float) -> Verdicts:
        verdicts: Verdicts = {}
        categories = self._categories
        for index, message in enumerate(messages):
            if message.category in categories and not message.exempt:
                why = self._against(message.to)
                if why is not None:
                    verdicts[index] = self._refusal(why)
        return verdicts

    def _against(self, number: str) -> str | None:
        """What is against texting a number. What the table has is known again by its digits that
        decide: in a sixth of the time."""
        key = (number[: self._deciding], len(number))
        why = self._recent.get(key, "")
        if why != "":
            return why
        why = self._work_out(number)
        plan = plan_of(number)
        if plan is not None and plan.deciding <= self._deciding and plan.exact(number):
            if len(self._recent) >= RECENT:
                self._recent.clear()
            self._recent[key] = why
        return why

    def _work_out(self, number: str) -> str | None:
        # One look into the plans, half the time of asking for region and kind apart; what the table
        # has, as nearly all phones, it tells in two thirds of that.
        plan = plan_of(number) if SHORTEST <= len(number) <= LONGEST else None
        found = (plan and plan.exact(number)) or candidate_of(number)
        region = region_of(number) if found is None else found.region
        allowed, blocked = self._allowed, self._blocked
        if allowed and region not in allowed.regions and not number.startswith(allowed.ranges):
            return f"numbers of {region or 'no country'} that begin like this are not allowed"
        if blocked and (region in blocked.regions or number.startswith(blocked.ranges)):
            return f"numbers of {region or 'no country'} that begin like this are blocked"
        if self._kinds:
            kind = Kind.UNKNOWN if found is None else found.kind
            if kind is Kind.FIXED_OR_MOBILE and not self._kinds.isdisjoint(EITHER):
                return None
            # Of a number of no known kind nobody can say that it is a wrong one.
            if kind is not Kind.UNKNOWN and kind not in self._kinds:
                return f"{kind} numbers are not texted"
        return None

    def _refusal(self, why: str) -> Refuse:
        found = self._refusals.get(why)
        if found is None:  # as many as there are regions and kinds
            found = self._refusals[why] = Refuse(self.name, "destination_blocked", why)
        return found


def rules(*options: DestinationOptions | None) -> list[Destinations]:
    """The rules that several options come to, none for those that refuse nothing."""
    return [Destinations(one) for one in options if one is not None and not one.is_idle]


def _covers(places: Places, entry: str) -> bool:
    """Whether all numbers of a region or range are in these places."""
    if not entry.isdigit():
        return entry in places.regions
    plan = plan_of(entry)
    names = {one.name for one in plan.regions} if plan is not None else set()
    return entry.startswith(places.ranges) or (bool(names) and names <= places.regions)


def nothing_left(general: DestinationOptions, own: DestinationOptions) -> Iterator[str]:
    """Entries of a tenant's that the policy of all leaves nothing of."""
    allowed, blocked = Places(general.allowed), Places(general.blocked)
    for index, entry in enumerate(own.allowed):
        shut = _covers(blocked, entry)
        if not shut and general.allowed:
            plan = plan_of(entry) if entry.isdigit() else None
            names = {entry} if plan is None else {one.name for one in plan.regions}
            within = bool(names & allowed.regions) or entry.startswith(allowed.ranges)
            shut = not within and not any(
                one.startswith(entry) if entry.isdigit() else _is_of(one, entry)
                for one in allowed.ranges
            )
        if shut:
            yield (
                f"allowed[{index}]: policy.destinations leaves nothing of {entry!r}, so all there "
                "is refused; allow it there too, or take it out"
            )


def _is_of(digits: str, region: str) -> bool:
    """Whether numbers that begin so may be of a region."""
    plan = plan_of(digits)
    return plan is not None and any(one.name == region for one in plan.regions)


def advice(options: DestinationOptions) -> Iterator[str]:
    """What is allowed and hardly meant."""
    allowed = Places(options.allowed)
    for index, entry in enumerate(options.blocked):
        within = entry in allowed.regions or entry.startswith(allowed.ranges)
        covers = entry.isdigit() and any(one.startswith(entry) for one in allowed.ranges)
        plan = plan_of(entry) if entry.isdigit() else None
        shares = plan is not None and any(one.name in allowed.regions for one in plan.regions)
        if options.allowed and not (within or covers or shares):
            yield f"blocked[{index}]: {entry!r} is not allowed in any case; take it out"
    blocked = Places(options.blocked)
    for index, entry in enumerate(options.allowed):
        if _covers(blocked, entry):
            yield f"allowed[{index}]: all of {entry!r} is blocked, so this allows nothing; drop it"
    if "fixed" in options.kinds and "mobile" not in options.kinds:
        yield "kinds: has no 'mobile', so hardly anybody is texted"
    if not options.categories and (options.allowed or options.blocked or options.kinds):
        yield "categories: is empty, so nothing is refused; name what this holds for"

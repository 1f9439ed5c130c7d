"""The rule on what texts may have: no banned words, no links that lead elsewhere, no contacts where
a carrier takes none, no more parts than allowed. It judges texts as they are to be sent."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from gateway.facts import NOTHING, Facts
from gateway.message import Category, Message
from gateway.policy.content.banned import Words, compiled
from gateway.policy.content.contacts import contact, phone
from gateway.policy.content.links import is_within, links, plain_host, shorteners
from gateway.policy.content.options import Ban, ContentOptions, WordList
from gateway.policy.regions import place_of
from gateway.policy.rules import Refuse, Verdicts

SHOWN: Final = 40
"""Characters of a text that a refusal repeats."""

Look = Callable[[str], Refuse | None]
"""Looks for one thing in a text."""


class Contents:
    """Refuses texts, as `content_refused`, for what is in them.

    Args:
        options: what holds for all tenants.
        domains: those that are registered for the tenant.
        bans: what the carriers of each route take in no promotion, by its name.
    """

    name = "content"
    wants = NOTHING

    def __init__(
        self,
        options: ContentOptions,
        domains: Collection[str] = (),
        bans: Mapping[str, frozenset[Ban]] | None = None,
    ) -> None:
        self._options = options
        self._domains = frozenset(map(plain_host, domains))
        self._bans = {route: found for route, found in (bans or {}).items() if found}
        self._regions: frozenset[str | None] = frozenset(
            region for one in options.words for region in one.regions
        )
        self._by_region = bool(self._regions)
        self._looks: dict[tuple[Category, frozenset[str | None], str], tuple[Look, ...]] = {}

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to look for."""
        options = self._options
        return not (
            options.words
            or self._bans
            or options.max_parts
            or options.links == "registered"
            or options.shorteners == "refuse"
        )

    def judge(self, messages: Sequence[Message], facts: Facts, now: float) -> Verdicts:
        found: Verdicts = {}
        most = self._options.max_parts
        known: dict[tuple[str, Category, str, frozenset[str | None]], Refuse | None] = {}
        everywhere: frozenset[str | None] = frozenset()
        for index, message in enumerate(messages):
            text, category, route = message.text, message.category, message.route
            regions = everywhere
            if self._by_region:
                place = place_of(message.to)
                regions = self._regions & {place.region, place.subdivision}
            key = (text, category, route, regions)
            if key not in known:  # the texts of a batch are often one and the same
                known[key] = self._look(*key)
            refused = known[key]
            if refused is None and most and message.parts > most:
                refused = self._too_many(message, most)
            if refused is not None:
                found[index] = refused
        return found

    def _look(
        self, text: str, category: Category, route: str, regions: frozenset[str | None]
    ) -> Refuse | None:
        key = (category, regions, route)
        looks = self._looks.get(key)
        if looks is None:
            looks = self._looks[key] = self._looks_for(category, regions, route)
        for look in looks:
            refused = look(text)
            if refused is not None:
                return refused
        return None

    def _looks_for(
        self, category: Category, regions: frozenset[str | None], route: str
    ) -> tuple[Look, ...]:
        """What is looked for in the texts of such messages."""
        options = self._options
        looks: list[Look] = [
            _words(compiled(one.words), one)
            for one in options.words
            if category in one.categories and (not one.regions or regions.intersection(one.regions))
        ]
        bans = self._bans.get(route, frozenset()) if category == "marketing" else frozenset()
        if category in options.categories:
            if options.shorteners == "refuse":
                looks.append(self._shortener)
            if options.links == "registered":
                looks.append(self._foreign_link)
        if "links" in bans:
            looks.append(_any_link)
        if "phones" in bans:
            looks.append(_any_phone)
        if "contacts" in bans:
            looks.append(_any_contact)
        return tuple(looks)

    def _foreign_link(self, text: str) -> Refuse | None:
        for link in links(text):
            if not is_within(link.host, self._domains):
                what = f"{_shown(link.host)} is not a domain that is registered for this tenant"
                return _refuse("links", what, link.place)
        return None

    def _shortener(self, text: str) -> Refuse | None:
        for link in links(text):
            if is_within(link.host, shorteners()) and not is_within(link.host, self._domains):
                what = f"{link.host} is a public shortener, which hides where it leads"
                return _refuse("shorteners", what, link.place)
        return None

    def _too_many(self, message: Message, most: int) -> Refuse | None:
        if message.category not in self._options.categories:
            return None
        what = f"{message.parts} parts in {message.encoding}, over {most}; shorten the text"
        return Refuse("max_parts", "content_refused", f"max_parts: {what}")


def _words(words: Words, one: WordList) -> Look:
    def look(text: str) -> Refuse | None:
        found = words.find(text)
        if found is None:
            return None
        what = f"{_shown(found.written)} is banned by the list {one.name!r}"
        if found.written != found.word:
            what += f" as {_shown(found.word)}"
        return _refuse("banned_words", what, found.place)

    return look


def _any_link(text: str) -> Refuse | None:
    found = next(links(text), None)
    if found is None:
        return None
    return _refuse("links", f"{_shown(found.host)}: the carrier takes no links", found.place)


def _any_phone(text: str) -> Refuse | None:
    found = phone(text)
    if found is None:
        return None
    what = f"{_shown(found.written)}: the carrier takes no phone numbers"
    return _refuse("phones", what, found.place)


def _any_contact(text: str) -> Refuse | None:
    found = contact(text)
    if found is None:
        return None
    what = f"{_shown(found.written)}: the carrier takes no contacts"
    return _refuse("contacts", what, found.place)


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")


def _refuse(rule: str, what: str, place: int) -> Refuse:
    return Refuse(rule, "content_refused", f"{rule}: {what} (position {place})", place=place)

"""The rule on what texts may have: no banned words, no links that lead elsewhere, no contacts where
a carrier takes none, no more parts than allowed. It judges texts as they are to be sent."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final, Literal

from gateway.facts import NOTHING, Facts
from gateway.message import Category, Message
from gateway.policy.content.banned import Words, compiled
from gateway.policy.content.contacts import Contact, contact, phone, phone_or_contact
from gateway.policy.content.links import (
    is_within,
    links,
    plain_host,
    shorteners,
    written_host,
)
from gateway.policy.content.options import Ban, ContentOptions, WordList
from gateway.policy.hours import names_of
from gateway.policy.regions import NOWHERE, Place, place_of
from gateway.policy.rules import Refuse, Verdicts
from gateway.text.alphabets import gsm7_codes
from gateway.text.measuring import measure

SHOWN: Final = 40
"""Characters of a text that a refusal repeats."""

KINDS: Final = 4_096
"""Categories, routes and places whose looks are kept at hand; all are forgotten at once."""

Look = Callable[[str], Refuse | None]
"""Looks for one thing in a text."""

_Kind = tuple[Category, str, Place]
"""What decides which texts are refused: a category, a route and a place."""


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
        self._by_region = any(one.regions for one in options.words)
        self._looks: dict[_Kind, tuple[Look, ...]] = {}

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
        looked: dict[_Kind, dict[str, Refuse | None]] = {}
        last: _Kind | None = None
        looks: tuple[Look, ...] = ()
        known: dict[str, Refuse | None] = {}
        for index, message in enumerate(messages):
            place = place_of(message.to) if self._by_region else NOWHERE
            kind = (message.category, message.route, place)
            if kind != last:
                last, looks, known = kind, self._looks_for(kind), looked.setdefault(kind, {})
            text = message.text
            if text in known:  # the texts of a batch are often one and the same
                refused = known[text]
            else:
                refused = None
                for look in looks:
                    refused = look(text)
                    if refused is not None:
                        break
                known[text] = refused
            if refused is None and most and message.parts > most:
                refused = self._too_many(message, most)
            if refused is not None:
                found[index] = refused
        return found

    def _looks_for(self, kind: "_Kind") -> tuple[Look, ...]:
        """What is looked for in the texts of such messages."""
        looks = self._looks.get(kind)
        if looks is None:
            if len(self._looks) >= KINDS:
                self._looks.clear()
            looks = self._looks[kind] = tuple(self._look_up(*kind))
        return looks

    def _look_up(self, category: Category, route: str, place: Place) -> Iterator[Look]:
        options = self._options
        for one in options.words:
            here = not one.regions or not set(one.regions).isdisjoint(names_of(place))
            if here and category in one.categories:
                yield _words(compiled(one.words), one)
        bans = self._bans.get(route, frozenset()) if category == "marketing" else frozenset()
        if "links" in bans:
            yield _any_link
        elif category in options.categories and (
            options.shorteners == "refuse" or options.links == "registered"
        ):
            yield self._foreign_link
        if {"phones", "contacts"} <= bans:
            yield _any_of_both
        elif "phones" in bans:
            yield _any_phone
        elif "contacts" in bans:
            yield _any_contact

    def _foreign_link(self, text: str) -> Refuse | None:
        """Looks for a link to none of the tenant's domains that may not be there."""
        options = self._options
        for link in links(text):
            if is_within(link.host, self._domains):
                continue
            if options.shorteners == "refuse" and is_within(link.host, shorteners()):
                what = f"{link.host} is a public shortener, which hides where it leads"
                return _refuse("shorteners", what, link.place)
            if options.links == "registered":
                host = _shown(written_host(link.host))
                what = f"{host} is not a domain that is registered for this tenant"
                return _refuse("links", what, link.place)
        return None

    def _too_many(self, message: Message, most: int) -> Refuse | None:
        if message.category not in self._options.categories:
            return None
        what = f"{message.parts} parts in {message.encoding}, over {most}; shorten the text"
        return _refuse("max_parts", f"{what} to what fits", _end_of(message, most))


def _end_of(message: Message, parts: int) -> int:
    """Where in a text what goes into so many parts ends."""
    text = message.text
    wanted: Literal["gsm7", "ucs2"] = "ucs2"
    if message.encoding == "gsm7" and gsm7_codes(text) is not None:
        wanted = "gsm7"  # without shift tables, in which a little more fits
    return bisect_right(
        range(1, len(text) + 1), parts, key=lambda size: measure(text[:size], wanted).parts
    )


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
    found = links(text)
    if not found:
        return None
    first = found[0]
    return _refuse("links", f"{_shown(first.host)}: the carrier takes no links", first.place)


def _any_of_both(text: str) -> Refuse | None:
    number, other = phone_or_contact(text)
    return _refuse_phone(number) or _refuse_contact(other)


def _any_phone(text: str) -> Refuse | None:
    return _refuse_phone(phone(text))


def _any_contact(text: str) -> Refuse | None:
    return _refuse_contact(contact(text))


def _refuse_phone(found: Contact | None) -> Refuse | None:
    if found is None:
        return None
    what = f"{_shown(found.written)}: the carrier takes no phone numbers"
    return _refuse("phones", what, found.place)


def _refuse_contact(found: Contact | None) -> Refuse | None:
    if found is None:
        return None
    what = f"{_shown(found.written)}: the carrier takes no contacts"
    return _refuse("contacts", what, found.place)


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")


def _refuse(rule: str, what: str, place: int) -> Refuse:
    return Refuse(rule, "content_refused", f"{rule}: {what} (position {place})", place=place)

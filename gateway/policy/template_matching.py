"""Whether a text could have been made with one of a tenant's templates, in time linear in the text.

Between two literal pieces of a template stands what filled a variable: no longer than its greatest
length, of its type, without what it may not bring. From left to right the positions are kept at
which a piece may have ended: the next one stands where some of them can reach. Each position of the
text is looked at once for each variable, whatever the text is.
"""

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from gateway.policy.content.links import links
from gateway.policy.templates import Kind, Template

HEAD: Final = 4
"""Characters by which templates are told apart before they are looked at."""

_CHARACTERS: Final[Mapping[Kind, frozenset[str]]] = {
    "digits": frozenset(string.digits),
    "number": frozenset(string.digits + "+-.,' "),
    "code": frozenset(string.ascii_letters + string.digits + "-"),
}


class Book:
    """The templates of a tenant."""

    def __init__(self, templates: Iterable[Template] = ()) -> None:
        self.by_name = {one.name: one for one in templates}
        self._by_head: dict[str, list[Template]] = {}
        for one in self.by_name.values():
            head = one.literals[0][:HEAD]
            self._by_head.setdefault(head if len(head) == HEAD else "", []).append(one)

    def __len__(self) -> int:
        return len(self.by_name)

    def made_with(self, text: str) -> Iterator[Template]:
        """The templates that a text may have been made with; a signature at its beginning that they
        do not have is passed over."""
        yield from self._made_with(text)
        if text.startswith("【"):
            yield from self._made_with(text[text.find("】") + 1 :])

    def _made_with(self, text: str) -> Iterator[Template]:
        for head in (text[:HEAD], ""):
            for one in self._by_head.get(head, ()):
                if matches(one, text):
                    yield one


def matches(template: Template, text: str) -> bool:
    """Whether a text may have been made with a template."""
    literals = template.literals
    if not template.names:
        return text == literals[0]
    if not (text.startswith(literals[0]) and text.endswith(literals[-1])):
        return False
    if len(text) > template.longest:
        return False
    ends: list[int] = [len(literals[0])]
    stop = len(text) - len(literals[-1])
    for at, name in enumerate(template.names):
        variable, literal = template.variables[name], literals[at + 1]
        barred = _barred(text, variable.type, template.forbidden)
        least = 0 if variable.default == "" else 1
        places = (
            _occurrences(text, literal, ends[0], stop)
            if at < len(template.names) - 1
            else range(stop, stop + 1)
        )
        reached = _reached(ends, places, barred, least, variable.max, len(text))
        ends = [place + len(literal) for place in reached]
        if not ends:
            return False
    return not template.guards_links or [link.host for link in links(text)] == template.hosts


def _reached(
    ends: Sequence[int],
    places: Iterable[int],
    barred: Sequence[int],
    least: int,
    most: int,
    size: int,
) -> Iterator[int]:
    """The places, in order, that a variable can reach from one of the ends, in order."""
    furthest, at, bar = -1, 0, 0
    for place in places:
        while at < len(ends) and ends[at] + least <= place:
            while bar < len(barred) and barred[bar] < ends[at]:
                bar += 1
            limit = barred[bar] if bar < len(barred) else size
            furthest = max(furthest, min(ends[at] + most, limit))
            at += 1
        if place <= furthest:
            yield place


def _barred(text: str, kind: Kind, forbidden: str) -> list[int]:
    """Where characters stand that a variable cannot have, in order."""
    known = _CHARACTERS.get(kind)
    if known is not None:
        return [at for at, char in enumerate(text) if char not in known]
    if kind == "link":
        return [at for at, char in enumerate(text) if char.isspace() or char in forbidden]
    if not any(char in text for char in forbidden):
        return []
    return [at for at, char in enumerate(text) if char in forbidden]


def _occurrences(text: str, literal: str, start: int, stop: int) -> Iterator[int]:
    """Where a piece stands in a text, in order; it may overlap itself."""
    if not literal:
        yield from range(start, stop + 1)
        return
    at = text.find(literal, start, stop)
    while at >= 0:
        yield at
        at = text.find(literal, at + 1, stop)

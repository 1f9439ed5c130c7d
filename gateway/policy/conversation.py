"""Answers of a tenant's own to what phones send: which rule a text meets, and what follows.

A text is compared as keywords are (`gateway.policy.folding`), as a whole. Keywords come first,
always: a text that asks for an end, a beginning or for help, or that may, meets no rule here.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Final, Literal

import msgspec

from gateway.policy.folding import Phrase, atoms
from gateway.policy.replies import LONGEST

ANYTHING: Final = "*"
"""Among the texts of a rule: any text."""

MOST: Final = 200
"""Rules of a tenant."""

NAME_MAX: Final = 32

Action = Literal["handover", "optin"]


class ReplyRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[tenants.replies]]``.

    Attributes:
        match: the texts that it is for, ``*`` for any.
        number: which of the tenant's numbers was texted; absent, any.
        name: names it in events and metrics; absent, its first text.
        text: the answer; empty for none.
        template: names the template that is the answer; every variable of it has a default.
        tag: what the event of the text is marked with, for the tenant's own use.
        action: what else follows: a person takes over, or the phone opts in.
        hours: after how many hours the gateway answers again where a person took over, unless that
            one says before that the conversation is over.
    """

    match: tuple[str, ...]
    number: str | None = None
    name: str | None = None
    text: str = ""
    template: str | None = None
    tag: str | None = None
    action: Action | None = None
    hours: Annotated[float, msgspec.Meta(ge=0.1, le=720)] = 24.0

    @property
    def called(self) -> str:
        """Its name."""
        return self.name or (self.match[0] if self.match else "")

    def problems(self) -> Iterator[str]:
        """What is wrong, each with its key."""
        if not self.match:
            yield "match: is empty; name the texts that are answered, or '*' for any"
        for index, text in enumerate(self.match):
            if text != ANYTHING and not atoms(text):
                yield f"match[{index}]: {text[:40]!r} has no letter and no digit"
        if len(self.text) > LONGEST:
            yield f"text: {self.text[:40]!r}… is longer than {LONGEST} characters"
        if self.text and self.template is not None:
            yield "template: is there beside a text; leave one of them out"
        if not (self.text or self.template or self.tag or self.action):
            yield "text: is missing, and nothing else follows; state text, template, tag or action"
        if self.action == "optin" and (self.text or self.template is not None):
            yield "text: is there where the action is optin; who opts in gets tenants.welcome"
        if not 0 < len(self.called) <= NAME_MAX:
            yield f"name: {self.called[:40]!r} is not 1 to {NAME_MAX} characters long"


class Conversation:
    """The rules of one tenant, ready to be asked."""

    def __init__(self, rules: Sequence[ReplyRule]) -> None:
        self._rules = [
            (rule, _number(rule), frozenset(atoms(one) for one in rule.match if one != ANYTHING))
            for rule in rules
        ]

    def rule_for(self, number: str, text: str) -> ReplyRule | None:
        """The first rule that a text to one of the tenant's numbers meets."""
        said: Phrase | None = None
        for rule, of_number, phrases in self._rules:
            if of_number is not None and of_number != number:
                continue
            if said is None:
                said = atoms(text)
            if ANYTHING in rule.match or said in phrases:
                return rule
        return None


def _number(rule: ReplyRule) -> str | None:
    return None if rule.number is None else rule.number.removeprefix("+")


def problems(rules: Sequence[ReplyRule]) -> Iterator[str]:
    """What is wrong with the rules of a tenant, each with its index and key."""
    first: dict[str, int] = {}
    for at, rule in enumerate(rules):
        yield from (f"replies[{at}].{problem}" for problem in rule.problems())
        other = first.setdefault(rule.called, at)
        if other != at:
            yield f"replies[{at}].name: {rule.called!r} is that of replies[{other}] as well"


def advice(
    rules: Sequence[ReplyRule], numbers: Iterable[str], asked: Callable[[str], object]
) -> Iterator[str]:
    """What is allowed and hardly meant. ``asked`` tells what a text asks for as a keyword, None
    where it is none."""
    owned = {*numbers}
    met: set[tuple[str | None, Phrase]] = set()
    anything: set[str | None] = set()
    for at, rule in enumerate(rules):
        number = _number(rule)
        if number is not None and owned and number not in owned:
            yield f"replies[{at}].number: {rule.number} is none of the tenant's numbers"
        if None in anything or number in anything:
            yield f"replies[{at}]: never applies, since a rule before it takes any text"
        for index, text in enumerate(rule.match):
            if text == ANYTHING:
                anything.add(number)
                continue
            phrase = atoms(text)
            if asked(text) is not None:
                yield (
                    f"replies[{at}].match[{index}]: {text!r} is a keyword, or near one, and those"
                    " come first: no rule answers it; match another text"
                )
            if (None, phrase) in met or (number, phrase) in met:
                yield f"replies[{at}].match[{index}]: {text!r} is answered by a rule before it"
            met.add((number, phrase))

"""Templates: texts with variables, ``${name}``, as a tenant defines them and as they are filled.

A variable has a type, a greatest length and, perhaps, a default. What fills one may bring no line
breaks, no 【】 and no links unless the template allows it: whatever a customer's name says, the
text is still the one that somebody approved. Whether a plain text could have been made with a
template is told in `gateway.policy.template_matching`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import Final, Literal

import msgspec

from gateway.message import CATEGORIES, Category
from gateway.policy.content.links import links
from gateway.policy.rules import Refuse

RULE: Final = "template"

LONGEST: Final = 2_000
"""Characters of a template."""

MOST_VARS: Final = 32
"""Variables of a template, and places of them in its text."""

LONGEST_VALUE: Final = 500
"""Characters of a variable at most, and `USUAL` of one that says nothing of it."""

USUAL: Final = 100

BREAKS: Final = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""What ends a line, as `str.splitlines` has it."""

Kind = Literal["text", "digits", "number", "code", "link"]
"""What a variable may be: anything; ASCII digits; digits with signs, ``1,299.00``; letters and
digits; one link."""

Allowed = Literal["brackets", "links", "breaks"]

Value = str | int | float

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIABLE: Final = re.compile(r"\$\{([^{}]{0,80})\}?")
_VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")
_KINDS: Final[Mapping[Kind, Callable[[str], object]]] = {
    "text": lambda _: True,
    "digits": re.compile(r"[0-9]+").fullmatch,
    "number": re.compile(r"[+-]?[0-9][0-9.,' ]*").fullmatch,
    "code": re.compile(r"[A-Za-z0-9-]+").fullmatch,
    "link": re.compile(r"\S+").fullmatch,
}


class Variable(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What may stand for one ``${name}``; without a default it has to be given."""

    type: Kind = "text"
    max: int = USUAL
    default: str | None = None


class Definition(msgspec.Struct, frozen=True, omit_defaults=True):
    """A template as its tenant has it.

    Attributes:
        text: with variables.
        category: of its messages; None for whatever they say.
        vars: what there is to say of variables, by name; others are of the usual kind.
        allow: what variables may bring.
        approved: the id by which each carrier knows the template.
    """

    text: str
    category: Category | None = None
    vars: dict[str, Variable] = {}
    allow: tuple[Allowed, ...] = ()
    approved: dict[str, str] = {}

    def problems(self) -> Iterator[str]:
        """What is wrong, each with its key."""
        if not 0 < len(self.text) <= LONGEST:
            yield f"text: {len(self.text)} characters, not 1 to {LONGEST}"
        if self.category is not None and self.category not in CATEGORIES:
            yield f"category: {str(self.category)[:32]!r} is not otp, transactional or marketing"
        used = []
        for hit in _VARIABLE.finditer(self.text):
            used.append(hit[1])
            if not hit[0].endswith("}"):
                yield f"text: '${{' at position {hit.start()} is not closed by a '}}'"
            elif not _VARIABLE_NAME.fullmatch(hit[1]):
                yield (
                    f"text: {hit[1][:40]!r} at position {hit.start()} is no name of a variable, "
                    "and templates include no others; names have up to 32 letters, digits and _"
                )
        if len(used) > MOST_VARS:
            yield f"text: {len(used)} variables, over {MOST_VARS}"
        for name, one in self.vars.items():
            where = f"vars.{name[:40]}"
            if name not in used:
                yield f"{where}: is not in the text; write ${{{name[:40]}}} there, or take it out"
            if not 1 <= one.max <= LONGEST_VALUE:
                yield f"{where}.max: {one.max} is not between 1 and {LONGEST_VALUE}"
            if one.default is None:
                continue
            if "${" in one.default:
                yield f"{where}.default: has '${{': a default is a text as it is, without variables"
            elif len(one.default) > one.max:
                yield f"{where}.default: {len(one.default)} characters, over its max, {one.max}"
            elif one.default and not _KINDS[one.type](one.default):
                yield f"{where}.default: {one.default[:40]!r} is not of the type {one.type}"
        for carrier, identifier in self.approved.items():
            if not 0 < len(identifier) <= 64 or not identifier.isascii():
                yield f"approved.{carrier[:40]}: {identifier[:40]!r} is no id of 1 to 64 characters"
        if len(self.approved) > 100:
            yield f"approved: {len(self.approved)} carriers, over 100"


class Template:
    """A definition, ready to be filled.

    Attributes:
        literals: the text around the variables: one more than there are variables.
        names: the variables, in their order in the text.
    """

    def __init__(self, name: str, version: int, definition: Definition) -> None:
        self.name = name
        self.version = version
        self.definition = definition
        pieces = re.split(r"\$\{([^{}]*)\}", definition.text)
        self.literals = tuple(pieces[::2])
        self.names = tuple(pieces[1::2])
        self.variables = {one: definition.vars.get(one, Variable()) for one in self.names}

    @cached_property
    def hosts(self) -> list[str]:
        """Where its links lead, with the beginning of a path in the place of each variable."""
        return [link.host for link in links("/".join(self.literals))]

    @cached_property
    def longest(self) -> int:
        """Characters of a text that it makes, at most."""
        return sum(map(len, self.literals)) + sum(self.variables[one].max for one in self.names)

    @property
    def guards_links(self) -> bool:
        """Whether no variable may bring a link, or lead one elsewhere."""
        return "links" not in self.definition.allow and not any(
            one.type == "link" for one in self.variables.values()
        )

    @cached_property
    def forbidden(self) -> str:
        """The characters that no variable may have."""
        allow = self.definition.allow
        return ("" if "brackets" in allow else "【】") + ("" if "breaks" in allow else BREAKS)

    def fill(self, values: Mapping[str, Value]) -> str | Refuse:
        """The text with these values, or why there is none."""
        for name in values:
            if name not in self.variables:
                close = get_close_matches(name[:64], list(self.variables), 1)
                mend = f"; did you mean {close[0]!r}?" if close else ""
                return _wrong(f"vars.{name[:32]}", f"{self.name!r} has no such variable{mend}")
        found: dict[str, str] = {}
        for name, one in self.variables.items():
            given = values.get(name)
            value = "" if given is None else str(given)
            if not value:
                if one.default is None:
                    return _wrong(f"vars.{name}", "missing, and the template has no default for it")
                value = one.default
            elif len(value) > one.max:
                return _wrong(f"vars.{name}", f"{len(value)} characters, over {one.max}")
            elif not _KINDS[one.type](value):
                return _wrong(f"vars.{name}", f"{value[:32]!r} is not of the type {one.type}")
            elif bad := next((char for char in self.forbidden if char in value), None):
                what = "a line break" if bad.isspace() else repr(bad)
                return _refuse(f"vars.{name}: has {what}, which {self.name!r} does not allow")
            found[name] = value
        literals = iter(self.literals)
        text = next(literals) + "".join(
            found[name] + literal for name, literal in zip(self.names, literals, strict=True)
        )
        if self.guards_links and [link.host for link in links(text)] != self.hosts:
            return self._brings_link(found)
        return text

    def _brings_link(self, found: Mapping[str, str]) -> Refuse:
        """Says which variable has a link, unless it is one only with what is beside it."""
        for name, value in found.items():
            if first := next(iter(links(value)), None):
                what = f"vars.{name}: has a link to {first.host[:40]}"
                break
        else:
            what = "vars: make a link of the text around them"
        return _refuse(f"{what}, which {self.name!r} does not allow")


def _wrong(path: str, why: str) -> Refuse:
    return Refuse(RULE, "invalid_value", f"{path}: {why}")


def _refuse(why: str) -> Refuse:
    return Refuse(RULE, "content_refused", f"{RULE}: {why}")

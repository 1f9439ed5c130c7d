"""Makes pages of templates: the filters that they use, and the headers that all pages go with."""

import re
from collections.abc import Container, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from gateway.ops.console import words
from gateway.ops.views import OWED, Finding, ReachView

HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
"""Of every page: scripts and styles only from our own files, no frame around it, nothing kept."""


class Leads(NamedTuple):
    """A link."""

    href: str
    label: str


def mix(counts: Mapping[str, int], most: int = 3) -> str:
    """The shares of several counts, the largest first, and how many there are in all."""
    whole = sum(counts.values())
    if not whole:
        return words.NONE
    ranked = sorted((item for item in counts.items() if item[1]), key=lambda item: -item[1])
    told = [f"{_status(name)} {_percent(n / whole)}" for name, n in ranked[:most]]
    if rest := sum(n for _, n in ranked[most:]):
        told.append(f"others {_percent(rest / whole)}")
    return f"{', '.join(told)} of {words.count(whole)}"


def amounts(counts: Mapping[str, int]) -> str:
    """Several counts, the largest first."""
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{_status(name)} {words.count(n)}" for name, n in ranked) or words.NONE


def _status(name: str) -> str:
    return "ok" if name == "ESME_ROK" else name.removeprefix("ESME_").replace("_", " ")


def _percent(share: float) -> str:
    """Nothing that happened is rounded away, nor made all where it is not."""
    if 0 < share < 0.01:
        return "<1%"
    return ">99%" if 0.99 < share < 1 else f"{share:.0%}"


def pairs(values: Mapping[str, Any]) -> str:
    """Names and values in a row."""
    told = [f"{name.replace('_', ' ')}: {value_of(name, value)}" for name, value in values.items()]
    return ", ".join(told) or words.NONE


def value_of(name: str, value: Any) -> str:
    """A value in words; one that is named as a moment is told as one."""
    is_moment = name in ("at", "until") or name.endswith("_at")
    if is_moment and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return f"({pairs(value)})"
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value)) or "none"
    if isinstance(value, float):
        return f"{value:,.10g}"
    return "none" if value is None else str(value)


def marked(text: str) -> Markup:
    """A sentence of a runbook, whose code is in backticks."""
    pieces = re.split(r"`([^`]+)`", text)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if odd % 2 else escape(piece)
        for odd, piece in enumerate(pieces)
    )


def addressed(fields: Mapping[str, Any]) -> str:
    """The query of an address."""
    return urlencode([item for item in fields.items() if item[1] not in (None, "")])


@lru_cache
def tag(state: str) -> Markup:
    """A state, in its colour and its word."""
    return Markup('<span class="tag {}">{}</span>').format(words.look(state), words.word(state))


def act(
    may: Container[str],
    verb: str,
    label: str,
    back: str,
    *,
    first: bool = False,
    quiet: bool = True,
    **fields: Any,
) -> Markup:
    """A button that leads to the form of a verb, where ``fields`` are filled in, and from there
    ``back``; nothing for those who may not."""
    if verb not in may:
        return Markup()
    return _act(verb, label, back, first, quiet, *fields.items())


@lru_cache(4096)
def _act(
    verb: str, label: str, back: str, first: bool, quiet: bool, *fields: tuple[str, Any]
) -> Markup:
    """Kept: a page has two hundred of them, and is drawn every second."""
    look = "button" + " first" * first + " small" * quiet
    query = addressed({**dict(fields), "back": back})
    return Markup('<a class="{}" href="/do/{}?{}">{}</a>').format(look, verb, query, label)


def hour(at: float, now: float) -> Markup | str:
    """The hour that something was counted in."""
    return words.moment(at, now)


def hours(number: int) -> str:
    return f"{number} h" if number <= 48 else f"{number // 24} days"


def clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S} UTC"


def whereabouts(finding: Finding) -> Leads | None:
    """The page that shows more of what a finding is about."""
    kind, _, name = finding.subject.partition(" ")
    match kind:
        case "carrier" if name:
            return Leads(f"/carriers/{quote(name, safe='')}", "The carrier")
        case "tenant" if name:
            return Leads(f"/queues?{urlencode({'q': name})}", "Its queues")
        case "consumer":
            return Leads("/consumers", "Consumers")
        case "campaign" if name:
            return Leads(f"/campaigns?{urlencode({'q': name.split()[0]})}", "The campaign")
        case "route" if name:
            return Leads(f"/queues?{urlencode({'q': name})}", "Its queues")
        case "store" | "process" | "disk" | "configuration":
            return Leads("/system", "System")
        case "texts":
            return Leads("/policy", "Policy")
    return Leads("/queues", "Queues") if finding.messages else None


def owed(number: int | None) -> str:
    """Messages that a carrier owes receipts for."""
    if number is None:
        return words.NONE
    return f"{words.count(number)} or more" if number >= OWED else words.count(number)


def reach_note(reach: ReachView) -> str:
    """What a carrier usually reaches, and how sure that is."""
    if reach.median is None:
        return "no hour of seven days has enough outcomes to compare with"
    hours = f"{reach.median_hours} hour" + ("s" if reach.median_hours != 1 else "")
    return f"median {words.percent(reach.median)}, of {hours} in seven days"


class Drawing:
    """Draws pages."""

    def __init__(self, button: Any) -> None:
        self._environment = Environment(
            loader=PackageLoader("gateway.ops.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals |= {"tag": tag, "act": act}
        self._environment.filters |= {
            "count": words.count,
            "span": words.span,
            "moment": words.moment,
            "since": words.since,
            "rate": words.rate,
            "share": words.share,
            "look": words.look,
            "word": words.word,
            "measure": words.measure,
            "bytes": lambda value: words.measure(value, "bytes"),
            "seconds": lambda value: words.measure(value, "s"),
            "percent": words.percent,
            "reach_note": reach_note,
            "owed": owed,
            "mix": mix,
            "amounts": amounts,
            "pairs": pairs,
            "value_of": value_of,
            "marked": marked,
            "addressed": addressed,
            "hour": hour,
            "hours": hours,
            "clock": clock,
            "whereabouts": whereabouts,
            "button": button,
        }

    def draw(self, template: str, context: Mapping[str, Any]) -> str:
        """The text of a template."""
        return self._environment.get_template(template).render(context)

    def page(self, template: str, context: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """A page, with its headers."""
        return HTMLResponse(self.draw(template, context), status, headers=HEADERS)

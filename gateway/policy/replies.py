"""What the gateway says to phones by itself: the answers to a stop, a start and a call for help.

Each is looked for in the tenant's own texts, then in those of the region, then in ``replies.toml``;
an empty one is silence. When an answer is due is decided in `gateway.dispatch.inbound.inbound`.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec

from gateway.policy.regions import REGIONS
from gateway.policy.words import words

Kind = Literal["optout", "start", "still_out", "help", "question"]
"""To what an answer is: a stop, a start, a start where somebody else's opt-out holds, a call for
help; or that it is a question of the gateway's: whether the phone consents."""

Texts = str | Mapping[str, str] | None
"""What a tenant states: one text, or several by ISO 3166 region (``CN``), ISO 639-1 language
(``zh``) or ``default``; None for those that the gateway knows."""

LONGEST: Final = 480
"""Characters of an answer at most: three parts, or eight in UCS-2."""

DEFAULT: Final = "default"
NAME: Final = "{name}"
ENGLISH: Final = "en"

_FIELDS: Final[Mapping[Kind, str]] = {
    "optout": "confirmation",
    "start": "welcome",
    "still_out": "still_out",
}


class _Texts(msgspec.Struct, frozen=True):
    confirmation: str
    welcome: str
    still_out: str


class _File(msgspec.Struct, frozen=True):
    texts: dict[str, _Texts]
    regions: dict[str, list[str]]


@cache
def _file() -> _File:
    file = Path(__file__).with_name("replies.toml")
    return msgspec.toml.decode(file.read_bytes(), type=_File)


@cache
def language_of(region: str | None) -> str:
    """The language of the phones of a region, English where it is none that is known."""
    for language, regions in _file().regions.items():
        if region in regions:
            return language
    return ENGLISH


def answer(
    kind: Kind,
    stated: Texts,
    of_region: str | None,
    name: str,
    region: str | None,
    spoken: str | None,
) -> str:
    """The text of an answer, empty for none.

    Args:
        stated: the tenant's texts for it.
        of_region: the configuration's for the region.
        name: the tenant's.
        region: of the phone.
        spoken: the language of the word that the phone said, where it is of one.
    """
    if isinstance(stated, str):
        return stated.replace(NAME, name)
    usual = language_of(region)
    # Who says STOP need not speak English; who says AFMELDEN in Belgium speaks Dutch.
    language = spoken if spoken not in (None, ENGLISH) else usual
    if language == "zh" and usual.startswith("zh"):
        language = usual
    found = None
    if stated is not None:
        found = _first(stated, region, language, usual, DEFAULT)
    if found is None:
        found = of_region
    if found is None and kind in _FIELDS:
        texts = _file().texts
        one = texts.get(language or usual) or texts.get(usual) or texts[ENGLISH]
        found = getattr(one, _FIELDS[kind])
    return (found or "").replace(NAME, name)


def problems(stated: Texts) -> Iterator[tuple[str, str]]:
    """What is wrong with stated texts: which of a table, empty for a single one, and what."""
    texts = {"": stated or ""} if stated is None or isinstance(stated, str) else stated
    for name, text in texts.items():
        if len(text) > LONGEST:
            yield name, f"{repr(text)[:40]}… is not a text of up to {LONGEST} characters"
        if name and name != DEFAULT and name not in REGIONS and name not in words().languages:
            what = f"{name[:40]!r} is neither a region such as 'CN', nor a language such as 'zh'"
            yield name, f"{what}, nor {DEFAULT!r}"


def _first(texts: Mapping[str, str], *names: str | None) -> str | None:
    """The first of these texts that there is."""
    return next((texts[name] for name in names if name is not None and name in texts), None)

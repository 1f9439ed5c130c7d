"""The words of ``words.toml``, as atoms: which texts are keywords, and what stands around them."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from gateway.policy.folding import Phrase, atoms

STOP, WEAK, LETTER, POLITE, OBJECT, NAMED, CODE = (1 << bit for bit in range(7))
"""What a stretch of a text can be, as bits: a text is read as stretches one after the other. NAMED
is the number or the name of who was written to, CODE another number of some length."""

REACH: Final = 16
"""Atoms of the longest phrase that is looked for; Thai's are letters."""


class Language(msgspec.Struct, frozen=True):
    """Words of one language, see ``words.toml``."""

    stop: list[str] = []
    weak: list[str] = []
    start: list[str] = []
    help: list[str] = []


class _Around(msgspec.Struct, frozen=True):
    polite: list[str]
    objects: list[str]
    letters: list[str]
    alone: list[str]


class _Near(msgspec.Struct, frozen=True):
    phrases: list[str]
    ordinary: list[str]
    sentence: list[str]


class Words(msgspec.Struct, frozen=True):
    """``words.toml``."""

    languages: dict[str, Language]
    local: dict[str, list[str]]
    around: _Around
    near: _Near


class Tables(NamedTuple):
    """`Words` as atoms.

    Attributes:
        stop: stop words, by what they are.
        start, help: the other keywords.
        languages: the language of each keyword that is of one alone.
        local: the regions of the keywords that do not count everywhere.
        around: what stands around keywords, by what it is.
        letters: what counts as a stop word beside Chinese.
        alone: start words that are to stand alone.
        suspect: phrases that ask to be left alone.
        ordinary: words that are no misspelt keyword.
        sentence: words behind STOP that are no code word.
    """

    stop: Mapping[Phrase, int]
    start: frozenset[Phrase]
    help: frozenset[Phrase]
    languages: Mapping[Phrase, str | None]
    local: Mapping[Phrase, frozenset[str]]
    around: Mapping[Phrase, int]
    letters: Mapping[Phrase, int]
    alone: frozenset[Phrase]
    suspect: frozenset[Phrase]
    ordinary: frozenset[str]
    sentence: frozenset[str]


@cache
def words() -> Words:
    """The file, read when it is first needed."""
    file = Path(__file__).with_name("words.toml")
    return msgspec.toml.decode(file.read_bytes(), type=Words)


@cache
def tables() -> Tables:
    """Its words as atoms: some 20 ms, spent when the first text comes."""
    file = words()
    stop: dict[Phrase, int] = {}
    languages: dict[Phrase, str | None] = {}
    for name, one in file.languages.items():
        stop |= {phrase: WEAK for phrase in _phrases(one.weak) if phrase not in stop}
        stop |= {phrase: LETTER if is_letter(phrase) else STOP for phrase in _phrases(one.stop)}
        for phrase in set(_phrases(chain(one.stop, one.weak, one.start, one.help))):
            languages[phrase] = None if phrase in languages else name
    each = file.languages.values()
    return Tables(
        stop=stop,
        start=frozenset(_phrases(chain.from_iterable(one.start for one in each))),
        help=frozenset(_phrases(chain.from_iterable(one.help for one in each))),
        languages=languages,
        local={atoms(word): frozenset(where) for word, where in file.local.items()},
        around=dict.fromkeys(_phrases(file.around.objects), OBJECT)
        | dict.fromkeys(_phrases(file.around.polite), POLITE),
        letters=dict.fromkeys(_phrases(file.around.letters), LETTER),
        alone=frozenset(_phrases(file.around.alone)),
        suspect=frozenset(_phrases(file.near.phrases)),
        ordinary=frozenset(chain.from_iterable(_phrases(file.near.ordinary))),
        sentence=frozenset(chain.from_iterable(_phrases(file.near.sentence))),
    )


def is_letter(phrase: Phrase) -> bool:
    """Whether a keyword is too short to be looked for among other words."""
    return len(phrase) == 1 and (len(phrase[0]) == 1 or phrase[0].isdecimal())


def _phrases(texts: Iterable[str]) -> Iterator[Phrase]:
    return map(atoms, texts)

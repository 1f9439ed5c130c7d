"""Finds banned words in a text, tens of thousands of them in a few microseconds.

Texts and words are compared *folded*: without case, width and accents, and without what was put
between the characters of a word (``国 家 级``, ``v.i.a.g.r.a``, zero-width spaces). In a text of
Latin letters, whatever Chinese is around them, digits and letters of other alphabets are the
letters that they look like (``v1agra``).

A word with a character of a script that puts nothing between words is found wherever its characters
stand in a row. Any other is found as a whole word only, so that ``ass`` is not in ``class``.

Nearly every text has none, so what has to be quick is to tell that. Each word has an *anchor*, its
rarest Chinese character or its longest Latin word: a text without any anchor of the list has none
of its words. One with an anchor has to have the pair of an anchor and the character beside it, of
which all pairs of the text are looked up at once, as numbers. What is left, one text in hundreds,
is folded with the place of each character and looked at in full.
"""

# ruff: noqa: RUF001  the letters of many languages look alike

import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence, Sized
from functools import lru_cache
from itertools import product
from typing import Final, NamedTuple

from gateway.policy.folding import fold, lookalike, stands_apart

LONGEST: Final = 64
"""Characters of a word or phrase."""

# The commonest characters of Chinese, the commonest first; which is rarest in a word is told by
# their order. All others are rarer.
_COMMON: Final = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道"
    "行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意"
    "无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什"
    "二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义"
    "各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金"
    "指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求"
    "据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运笔快千城买活动优惠送店购享客户您请点击"
)
_RANK: Final = {char: rank for rank, char in reversed(list(enumerate(_COMMON)))}

_HIDERS: Final = frozenset(
    " \t\r\u00a0\u00ad\u2060\u3000\ufeff*._-·•~^|/+=%&#" + "".join(map(chr, range(0x2000, 0x2010)))
)
"""What is put between the characters of a word to hide it; between digits, part of a number."""

_GAPS: Final = re.compile(f"[{re.escape(''.join(sorted(_HIDERS)))}]+")
_UTF_16: Final = "utf-16-le" if sys.byteorder == "little" else "utf-16-be"

# Letters, digits and what stands in for them, of scripts with words; and what cannot be seen.
_LETTERS: Final = (
    "0-9A-Za-z$@\u00b5\u00c0-\u0dff\u10a0-\u10ff\u1200-\u137f\u1c80-\u1cbf\u1e00-\u1fff"
    "\u2100-\u214f\u24b6-\u24e9\uff10-\uff5a\U0001d400-\U0001d7ff\U0001f130-\U0001f189"
)
_UNSEEN: Final = "\u00ad\u200b-\u200f\u2060\ufeff"
_PIECE: Final = f"[{_LETTERS}{_UNSEEN}]+"
_TOKEN: Final = re.compile(f"{_PIECE}(?:['’]{_PIECE})*")
# A character of a script without spaces is no neighbour: Chinese texts put none around such words.
_SPELT_OUT: Final = re.compile(
    rf"(?<![{_LETTERS}])[{_LETTERS}]"
    rf"(?:[{re.escape(''.join(sorted(_HIDERS)))}]{{1,3}}[{_LETTERS}](?![{_LETTERS}])){{2,40}}"
)
# The skeleton of a word: letters and digits that look alike are one letter (as in UTS 39).
_SKELETON: Final = str.maketrans({"i": "l"})
_ASCII: Final = bytes(
    ord(lookalike(char.lower()).translate(_SKELETON)) if char.isalnum() or char in "$@" else 0x20
    for char in map(chr, range(128))
).ljust(256)
_ALONE: Final[frozenset[object]] = frozenset("bcdfghjmpqtvwyz")
"""Letters that hardly ever stand alone but in a word that is spelt out."""

_ALONE_OCTETS: Final[frozenset[object]] = frozenset(map(str.encode, "bcdfghjmpqtvwyz"))

_ODD_SIGNS: Final = "’" + _UNSEEN + _LETTERS.removeprefix("0-9A-Za-z$@")
_ODD: Final = re.compile(f"[{_ODD_SIGNS}]")
"""What words of Latin letters may have beside those of ASCII."""

_FEWEST_SPELT: Final = 3
"""Letters of a word that `_SPELT_OUT` finds."""

_TOKENS: Final = 16_384
"""Folded words that are remembered, some 3 MB; all are forgotten at once."""


class Found(NamedTuple):
    """A banned word in a text.

    Attributes:
        word: as the list has it.
        place: where it begins in the text, from 0.
        written: how the text has it.
    """

    word: str
    place: int
    written: str


def problem(word: str) -> str:
    """Why something cannot be banned as a word; empty where it can."""
    if len(word) > LONGEST:
        return f"{word[:40]!r}… has {len(word)} characters; a word or phrase has up to {LONGEST}"
    folded = squeezed(word)
    if not folded:
        return f"{word[:40]!r} has no letter or digit, so no text has it; take it out"
    if len(folded) == 1 and not stands_apart(folded):
        return f"{word[:40]!r} is one letter or digit, which texts have for any reason; take it out"
    return ""


def squeezed(text: str) -> str:
    """The letters and digits of a text, folded."""
    return _run_of(text)[0].replace(_BREAK, "")


class _Phrase(NamedTuple):
    """Words in a row: as they are folded, where the anchor stands among them, and the original."""

    tokens: tuple[str, ...]
    anchor: int
    word: str


def _is_spelt_out(text: str, tokens: Sequence[Sized]) -> bool:
    """Whether letters that stand alone may be a word."""
    if len(tokens) < _FEWEST_SPELT:  # as in most Chinese texts: a fifth of the time of a look
        return False
    letters = list(map(len, tokens)).count(1)
    return letters >= _FEWEST_SPELT and _SPELT_OUT.search(text) is not None


class Words:
    """Words that are banned together.

    Args:
        words: none of which has a `problem`.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._runs: dict[str, list[tuple[str, str]]] = {}
        self._phrases: dict[str, list[_Phrase]] = {}
        self._grams: dict[int, list[tuple[str, int]]] = {}
        self._alone: set[str] = set()
        anchors: set[str] = set()
        for word in dict.fromkeys(words):
            if any(map(stands_apart, word)):
                run = squeezed(word)
                self._runs.setdefault(run[:2], []).append((run, word))
                anchors.add(self._anchor(run))
            elif tokens := tuple(token for token, _ in _tokens(word)):
                at = max(range(len(tokens)), key=lambda i: len(tokens[i]))
                found = self._phrases.setdefault(_skeleton(tokens[at]), [])
                found.append(_Phrase(tokens, at, word))
        for runs in self._runs.values():
            runs.sort(key=lambda one: -len(one[0]))  # the longest of those that begin alike
        signs = re.escape("".join(sorted(anchors)))
        self._anchors = re.compile(f"[{signs}]") if anchors else None
        self._telling = re.compile(f"[{signs}{_ODD_SIGNS}]")
        self._pairs = frozenset(self._grams)
        self._keys: frozenset[object] = frozenset(self._phrases)
        self._octets: frozenset[object] = frozenset(map(str.encode, self._phrases))
        # One look for both: a word of the list, and a letter that may be one of a word spelt out.
        self._keys_or_alone = self._keys | _ALONE
        self._octets_or_alone = self._octets | _ALONE_OCTETS
        self._skeletons = _Skeletons()

    def _anchor(self, run: str) -> str:
        """Choose the anchor of a word, and note the pair that it makes with a character beside it:
        the rarer one of them."""
        places = [at for at, char in enumerate(run) if stands_apart(char)]
        at = max(places, key=lambda one: _rarity(run[one]))
        if len(run) == 1:
            self._alone.add(run)
            return run
        firsts = (one for one in (at, at - 1) if 0 <= one < len(run) - 1)
        first = max(firsts, key=lambda one: _rarity(run[one + (one == at)]))
        is_plain = not any(map(str.isascii, run))  # else it may be written with capitals, or wide
        for pair in map("".join, product(*map(_cases, run[first : first + 2]))):
            found = self._grams.setdefault(_gram(pair), [])
            found.append((run if is_plain else pair, first if is_plain else 0))
        return run[at]

    def find(self, text: str) -> Found | None:
        """The first banned word in a text, if there is one."""
        if text.isascii() or not self._telling.search(text):
            if not self._has_octets(text):
                return None
        elif not self._has_any(text):
            return None
        found = (self._found_run(text), self._found_phrase(text))
        return min(filter(None, found), key=lambda one: one.place, default=None)

    def _has_any(self, text: str) -> bool:
        return self._has_run(text) or self._has_token(text)

    def _has_run(self, text: str) -> bool:
        """Whether there may be a word with characters of scripts without spaces."""
        if self._anchors is None or not self._anchors.search(text):
            return False
        text = _GAPS.sub("", text)
        if not self._alone.isdisjoint(text):
            return True
        octets = memoryview(text.encode(_UTF_16))
        even, odd = octets[: len(octets) & ~3], octets[2 : 2 + (len(octets) - 2 & ~3)]
        # In C: 25 ns a pair, and twice that in a loop.
        found = self._pairs.intersection(even.cast("I"))
        found |= self._pairs.intersection(odd.cast("I"))
        for gram in found:
            pair = gram.to_bytes(4, sys.byteorder).decode(_UTF_16, "replace")
            at = text.find(pair)
            while at >= 0:
                for run, place in self._grams[gram]:
                    if at >= place and text.startswith(run, at - place):
                        return True
                at = text.find(pair, at + 1)
        return False

    def _has_token(self, text: str) -> bool:
        """Whether a word of a phrase is there, or a word that is spelt out."""
        if not self._phrases:
            return False
        if not _ODD.search(text):
            return self._has_octets(text)
        skeletons = self._skeletons
        tokens = [skeletons[token] for token in _TOKEN.findall(text)]
        if self._keys_or_alone.isdisjoint(tokens):
            return False
        return not self._keys.isdisjoint(tokens) or _is_spelt_out(text, tokens)

    def _has_octets(self, text: str) -> bool:
        """The same of a text whose words are of ASCII: in a third of the time."""
        tokens = text.encode("ascii", "replace").translate(_ASCII, b"'").split()
        if self._octets_or_alone.isdisjoint(tokens):
            return False
        return not self._octets.isdisjoint(tokens) or _is_spelt_out(text, tokens)

    def _found_run(self, text: str) -> Found | None:
        """The first word with characters of scripts without spaces."""
        if not self._runs:
            return None
        run, places = _run_of(text)
        for at, char in enumerate(run):
            for word, original in (
                *self._runs.get(run[at : at + 2], ()),
                *self._runs.get(char, ()),
            ):
                if run.startswith(word, at):
                    start, end = places[at], places[at + len(word) - 1] + 1
                    return Found(original, start, text[start:end])
        return None

    def _found_phrase(self, text: str) -> Found | None:
        """The first word of scripts with spaces, spelt out or not."""
        if not self._phrases:
            return None
        is_latin = _is_latin(text)
        tokens = _tokens(text)
        spelt = [(_folded(hit[0]), hit) for hit in _SPELT_OUT.finditer(text)]
        found = [
            Found(phrase.word, those[0][1].start(), text[those[0][1].start() : those[-1][1].end()])
            for row in (tokens, *([one] for one in spelt))
            for at, (token, _) in enumerate(row)
            for phrase in self._phrases.get(_skeleton(token), ())
            if (those := row[max(at - phrase.anchor, 0) :][: len(phrase.tokens)])
            and len(those) == len(phrase.tokens)
            and all(
                _same(written, word, is_latin)
                for (written, _), word in zip(those, phrase.tokens, strict=True)
            )
        ]
        return min(found, key=lambda one: one.place, default=None)


def _is_latin(text: str) -> bool:
    """Whether most letters of a text are Latin ones, but for those of scripts without spaces: what
    looks like one may then stand for it."""
    letters = [char for char in text if char.isalpha() and not stands_apart(char)]
    return 2 * sum(map(str.isascii, letters)) >= len(letters)


@lru_cache(maxsize=64)
def compiled(words: tuple[str, ...]) -> Words:
    """The same words are made ready once: a configuration that is loaded anew has them already."""
    return Words(words)


class _Skeletons(dict[str, str]):
    """The skeletons of words as they are written; bounded."""

    def __missing__(self, written: str) -> str:
        if len(self) >= _TOKENS:
            self.clear()
        found = self[written] = _skeleton(_folded(written))
        return found


_BREAK: Final = "\n"
"""Stands in a run for what no word goes over."""


def _run_of(text: str) -> tuple[str, list[int]]:
    """The letters and digits of a text, folded, with breaks; and where each stands in the text."""
    run: list[str] = []
    places: list[int] = []
    for at, char in enumerate(text):
        if char in _HIDERS and not (
            text[at - 1 : at].isdigit() and text[at + 1 : at + 2].isdigit()
        ):
            continue
        folded = _characters(char)
        run += folded
        places += [at] * len(folded)
    return "".join(run), places


@lru_cache(maxsize=_TOKENS)
def _characters(char: str) -> str:
    """What a character is folded to: nothing where it cannot be seen."""
    folded = "".join(one if one.isalnum() else _BREAK for one in _folded(char))
    return folded or (_BREAK if unicodedata.category(char)[0] in "PZ" else "")


def _folded(text: str) -> str:
    return "".join(char for char in fold(text) if char.isalnum() or char in "$@")


def _rarity(char: str) -> int:
    """The higher, the rarer it is in Chinese."""
    return _RANK.get(char, len(_COMMON))


def _skeleton(token: str) -> str:
    return lookalike(token).translate(_SKELETON)


def _tokens(text: str) -> list[tuple[str, re.Match[str]]]:
    found = ((_folded(hit[0]), hit) for hit in _TOKEN.finditer(text))
    return [(token, hit) for token, hit in found if token]


def _same(written: str, word: str, is_latin: bool) -> bool:
    """Whether a folded word of a text is a banned one, or looks like it and like nothing else."""
    if written == word:
        return True
    return (
        is_latin
        and not (written.isascii() and written.isalpha())
        and any(map(str.isalpha, written))
        and _skeleton(written) == _skeleton(word)
    )


def _gram(pair: str) -> int:
    """Two characters as the number that stands for them in UTF-16; none is one beyond U+FFFF."""
    return int.from_bytes(pair.encode(_UTF_16)[:4], sys.byteorder)


def _cases(char: str) -> tuple[str, ...]:
    """How a folded character may be written."""
    if not char.isascii():
        return (char,)
    wide = chr(ord(char) + 0xFEE0)
    return tuple({char, char.upper(), wide, wide.upper()})

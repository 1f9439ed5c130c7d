"""What a text from a phone asks for: no more texts, texts again, or who is writing.

It asks for something where it consists of nothing but keywords and what people put around them:
politeness, the number they write to, the name of who wrote, a signature, the text that they answer.
What is near a keyword and none is *suspected*, for a person to decide.

`gateway.policy.words` has the words; what comes of them is decided in `dispatch.inbound`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final, Literal, NamedTuple

import regex

from gateway.policy.folding import (
    Phrase,
    atoms,
    fold,
    has_han,
    lookalike,
    stands_apart,
    written_lines,
)
from gateway.policy.optout import OptoutOptions
from gateway.policy.words import (
    CODE,
    LETTER,
    NAMED,
    OBJECT,
    POLITE,
    REACH,
    STOP,
    WEAK,
    is_letter,
    tables,
)

Request = Literal["stop", "start", "help", "suspected"]

LONGEST: Final = 2_000
"""Characters of a text that are looked at: a keyword stands at its beginning, or it is short."""

MOST: Final = 24
"""Atoms that a keyword and what is around it may have."""

NEAR: Final = 10
"""Fewer words beside a stop word make a text suspected; a phrase, among twice as many in all."""

NEAR_WEAK: Final = 3
"""The same for a word with other meanings."""

NUMBER: Final = 4
"""Digits behind STOP that are taken for a code; fewer may be a time or a count."""

SPELT: Final = 4
"""Letters of the shortest stop word that is known when it is misspelt."""

PLAIN: Final = 8
"""Letters from which on a misspelt stop word can be nothing else."""

_CAPITALS: Final = regex.compile(
    r"[^\p{L}\p{N}]*(\p{Lu}{3,})[^\p{L}\p{N}]+([\p{Lu}\p{N}]{2,}(?:-[\p{Lu}\p{N}]+)?)[^\p{L}\p{N}]*"
)
"""A stop word and a code, in capitals. Shorter words than STOP begin names: TD BANK."""

_SENTENCE: Final = regex.compile(r"(?<=[.!?…])\s+|(?<=[。！？])\s*|\s+[-–—]+\s+")  # noqa: RUF001
_QUOTED: Final = regex.compile(r"[“„«\"][^“”„«»\"]*\s[^“”„«»\"]*[”“»\"]")
"""Several words in quotes: what was written to the phone, as it says that somebody liked that."""
_CLAUSE: Final = regex.compile(
    r"[.,;:!?…]\s+|[。，；！？、]|\s+[-–—]+\s+|(?<=\p{Han})\s+(?=\p{Han})"  # noqa: RUF001
)
_SIGNS: Final = regex.compile(
    "[\N{OCTAGONAL SIGN}\N{NO ENTRY SIGN}\N{NO ENTRY}\N{BELL WITH CANCELLATION STROKE}]"
)
_REACTION: Final = regex.compile(
    r"""\s*(?:
        (?:dis)?liked | loved | laughed\ at | emphasi[sz]ed | questioned
        | reacted\ \S{1,12}\ to | removed\ an?\ .{1,30}\ from | [\p{So}\p{Sk}\p{Cf}\p{Mn}]+\ to
        | a\ (?:aimé|adoré|ri\ de|insisté\ sur) | mag | liebt | le\ (?:gustó|encantó)
        | (?:no\ )?me\ gusta | ha\ messo\ mi\ piace\ a | gostou\ de | adorou | 赞了 | 喜欢了?
    )\s*[“„«"「].*[”“»"」]\s*""",
    regex.VERBOSE | regex.IGNORECASE | regex.DOTALL,
)
"""How phones tell of a reaction to a text, which they repeat."""

_BRACKETED: Final = regex.compile(r"[【\[\uff3b「『][^】\]\uff3d」』]{1,40}[】\]\uff3d」』]")


class Asked(NamedTuple):
    """What a text asks for, and the language of its keyword where it is of one alone."""

    request: Request
    language: str | None = None


class Correspondent(NamedTuple):
    """Whom a phone wrote to: the number that it texted, in digits, and what its owner is called."""

    number: str = ""
    names: tuple[str, ...] = ()


class Stated(NamedTuple):
    """Keywords that a configuration states; None for those that the gateway knows."""

    stop: Sequence[str] | None = None
    start: Sequence[str] | None = None
    help: Sequence[str] | None = None


ANYWHERE: Final = "*"
"""Stands for a region where nobody can say which it is, and any may be."""

_KNOWN: Final = Stated()
_NOBODY: Final = Correspondent()


# --- reading ---


class Keywords:
    """The keywords that count for the phones of one region.

    Args:
        region: ISO 3166; None where it is not known, and nothing counts that counts in some
            regions only; `ANYWHERE` for what counts in any.
        everywhere: what takes the place of the words that count everywhere.
        here: what takes the place of the words of this region alone.

    Attributes:
        stop, start, help: the keywords, as atoms.
    """

    def __init__(
        self, region: str | None, everywhere: Stated = _KNOWN, here: Stated = _KNOWN
    ) -> None:
        table = tables()

        def chosen(
            known: Iterable[Phrase], general: Sequence[str] | None, local: Sequence[str] | None
        ) -> Iterator[Phrase]:
            for phrase in known:
                where = table.local.get(phrase)
                if where is None:
                    if general is None:
                        yield phrase
                elif local is None and (region in where or region == ANYWHERE):
                    yield phrase
            for text in (*(general or ()), *(local or ())):
                if phrase := atoms(text)[:REACH]:
                    yield phrase

        kinds = {
            phrase: table.stop.get(phrase) or (LETTER if is_letter(phrase) else STOP)
            for phrase in chosen(table.stop, everywhere.stop, here.stop)
        }
        # A word that is in two lists stops: who said it and is texted on has more to complain of.
        self.stop: Final = frozenset(kinds)
        self.start: Final = frozenset(chosen(table.start, everywhere.start, here.start)) - self.stop
        self.help: Final = (
            frozenset(chosen(table.help, everywhere.help, here.help)) - self.stop - self.start
        )
        self._stopping: Final = {**table.around, **kinds}
        self._starting: Final = {**table.around, **dict.fromkeys(self.start, STOP)}
        self._helping: Final = {**table.around, **dict.fromkeys(self.help, STOP)}
        self._joined: Final = {"".join(phrase): kind for phrase, kind in kinds.items()}
        self._misspelt: Final = _variants(
            phrase[0]
            for phrase, kind in kinds.items()
            if kind == STOP and len(phrase) == 1 and len(phrase[0]) >= SPELT
        )

    def read(self, text: str, to: Correspondent = _NOBODY) -> Asked | None:
        """What a text asks for; None where it is a text like others."""
        text = text[:LONGEST]
        lines = written_lines(text) or text.splitlines()
        written = " ".join(lines)
        whole = atoms(written)
        if not whole:
            return Asked("suspected") if _SIGNS.search(text) else None
        if _REACTION.fullmatch(written):
            return None
        return (
            self._asked(whole, to)
            or self._asked(atoms(_BRACKETED.sub(" ", written)), to)
            or self._in_lines(lines, to)
            or self._in_sentences(written, to)
            or self._in_clauses(written, to)
            or self._with_code(written)
            or self._written_otherwise(whole, written)
            or (Asked("suspected") if self._is_near(whole) else None)
        )

    def _asked(self, line: Phrase, to: Correspondent) -> Asked | None:
        """What is asked for by keywords and what stands around them, and nothing else."""
        if len(set(line)) == 1:  # STOP STOP STOP, however often
            line = line[:1]
        if not 0 < len(line) <= MOST:
            return None
        request: Request
        if self._only(line, self.start, self._starting, to):
            request, words = "start", self.start
        elif self._stops(line, to):
            request, words = "stop", self.stop
        elif self._only(line, self.help, self._helping, to):
            request, words = "help", self.help
        else:
            return None
        return Asked(request, _language(line, words))

    def _only(
        self,
        line: Phrase,
        words: frozenset[Phrase],
        vocabulary: Mapping[Phrase, int],
        to: Correspondent,
    ) -> bool:
        """Whether a line is made of these keywords, politeness and names."""
        if line in words or ("".join(line),) in words:
            return True
        if tables().alone.intersection(_stretches(line)):
            return False
        readings = _readings(line, vocabulary, to)
        return any(used & STOP and not used & ~(STOP | POLITE | NAMED) for used in readings)

    def _stops(self, line: Phrase, to: Correspondent) -> int:
        """STOP, WEAK or LETTER where a line asks for no more texts, by what; else 0."""
        joined = "".join(line)
        kind = self._joined.get(joined, 0)
        if kind:
            return kind
        for size in range(1, len(joined) // 2 + 1):  # STOPSTOP
            if joined == joined[:size] * (len(joined) // size):
                return self._joined.get(joined[:size], 0)
        vocabulary, beside_letters = self._stopping, NAMED
        if has_han(line):
            vocabulary = {**tables().letters, **vocabulary}
            beside_letters = NAMED | POLITE | OBJECT
        found = 0
        for used in _readings(line, vocabulary, to):
            if used & STOP:
                return STOP
            if used & WEAK and not used & (CODE | OBJECT):
                found = WEAK
            elif used & LETTER and not used & ~(LETTER | beside_letters):
                found = found or LETTER
        return found

    def _in_lines(self, lines: Sequence[str], to: Correspondent) -> Asked | None:
        """What the first line asks for, or the last, among lines that do not as a whole."""
        if len(lines) < 2:
            return None
        for line in (atoms(lines[0]), atoms(lines[-1])):
            if len(line) <= MOST and self._stops(line, to) == STOP:
                return Asked("stop", _language(line, self.stop))
        first = self._asked(atoms(lines[0]), to)
        if first is None or _is_signature(lines[1:]):
            return first
        return Asked("suspected") if first.request == "stop" else None

    def _in_sentences(self, written: str, to: Correspondent) -> Asked | None:
        """A stop word that is a sentence by itself, before others or at their end."""
        unquoted = _QUOTED.sub(" ", written)
        sentences = [sentence for sentence in _SENTENCE.split(unquoted) if atoms(sentence)]
        if not sentences or sentences == [written]:
            return None
        # What a notice says stands at the end, and people repeat it: only the bare word is theirs.
        first, last = atoms(sentences[0]), atoms(sentences[-1])
        is_question = sentences[0].rstrip()[-1] in "?？" and len(sentences) > 1  # noqa: RUF001
        if len(first) <= MOST and not is_question and self._stops(first, to) == STOP:
            return Asked("stop", _language(first, self.stop))
        if self._joined.get("".join(last)) == STOP:
            return Asked("stop", _language(last, self.stop))
        return None

    def _in_clauses(self, written: str, to: Correspondent) -> Asked | None:
        """A stop word among clauses that all ask to be left alone; or one in capitals before
        clauses that are not."""
        first, *_ = parts = _CLAUSE.split(written)
        word = atoms(first)
        aloud = len(parts) > 1 and first.isupper() and not written.isupper() and len(word) <= MOST
        if aloud and self._stops(word, to) == STOP:
            return Asked("stop", _language(word, self.stop))
        clauses = [clause for clause in map(atoms, parts) if clause]
        if not 1 < len(clauses) <= NEAR or sum(map(len, clauses)) > MOST:
            return None
        stopping = [self._stops(clause, to) == STOP for clause in clauses]
        if any(stopping) and all(
            stops or self._is_beside(clause, to)
            for stops, clause in zip(stopping, clauses, strict=True)
        ):
            return Asked("stop", _language(clauses[stopping.index(True)], self.stop))
        return None

    def _is_beside(self, clause: Phrase, to: Correspondent) -> bool:
        """Whether a clause asks to be left alone, or says nothing of its own."""
        suspect = tables().suspect
        if any(stretch in suspect for stretch in _stretches(clause)):
            return True
        return bool(_readings(clause, tables().around, to))

    def _with_code(self, written: str) -> Asked | None:
        """STOP SHOP: in capitals, what stands behind is a code word, unless it makes a sentence."""
        match = _CAPITALS.fullmatch(written)
        if match is None:
            return None
        word, code = fold(match[1]), fold(match[2])
        if self._joined.get(word) != STOP or code in tables().sentence or code.endswith("ing"):
            return None
        return Asked("stop", _language((word,), self.stop))

    def _written_otherwise(self, whole: Phrase, written: str) -> Asked | None:
        """A stop word that is misspelt, or spelt with signs that look like its letters (ST0P).
        Where it could be another word, it is suspected."""
        folded = fold(written)
        alike = lookalike(folded)
        if alike != folded and self._joined.get("".join(atoms(alike))) == STOP:
            return Asked("stop" if len(atoms(alike)) == 1 else "suspected")
        left = [atom for atom in whole if tables().around.get((atom,)) != POLITE]
        if len(left) == 1 and self._is_misspelt(left[0]):
            sure = len(left[0]) >= PLAIN and not _is_near_any(left[0], self.start)
            return Asked("stop" if sure else "suspected")
        return None

    def _is_near(self, whole: Phrase) -> bool:
        """Whether a text that asks for nothing is near to one that does."""
        table = tables()
        words = _weight(whole)
        if words > 2 * NEAR:
            return False
        for stretch in _stretches(whole):
            if stretch in table.suspect:
                return True
            kind = self._stopping.get(stretch, 0)
            others = words - _weight(stretch)
            if (kind & STOP and others < NEAR) or (kind & WEAK and others < NEAR_WEAK):
                return True
        return False

    def _is_misspelt(self, word: str) -> bool:
        """Whether a stop word is one letter away."""
        if len(word) < SPELT or word in tables().ordinary:
            return False
        candidates = {
            known
            for variant in (word, *_shortened(word))
            for known in self._misspelt.get(variant, ())
        }
        return any(_is_one_edit(word, known) for known in candidates)


def _weight(line: Phrase) -> float:
    """How many words a line has."""
    return sum(0.5 if stands_apart(atom) else 1 for atom in line)


class Vocabulary:
    """The keywords of every region, made as they are needed."""

    def __init__(self, options: OptoutOptions) -> None:
        self._everywhere = Stated(options.keywords, options.start, options.help)
        self._here = {
            region: Stated(one.keywords, one.start, one.help)
            for region, one in options.regions.items()
        }
        # Regions with the same words share them: a set takes some 500 KB.
        self._made: dict[tuple[frozenset[Phrase], Stated], Keywords] = {}

    def of(self, region: str | None) -> Keywords:
        """The keywords of a region, or of a phone whose region is not known."""
        local = frozenset(
            phrase
            for phrase, regions in tables().local.items()
            if region in regions or region == ANYWHERE
        )
        key = local, self._here.get(region or "", _KNOWN)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = Keywords(region, self._everywhere, key[1])
        return made


def _readings(line: Phrase, vocabulary: Mapping[Phrase, int], to: Correspondent) -> set[int]:
    """All ways to read a line as stretches that mean something: of each, the bits of what it uses;
    none where something in it means nothing."""
    names = _names(to.names)
    readings: list[set[int]] = [{0}, *(set() for _ in line)]
    for start, before in enumerate(readings[:-1]):
        if not before:
            continue
        for end in range(start + 1, min(start + REACH, len(line)) + 1):
            stretch = line[start:end]
            kind = vocabulary.get(stretch, 0) or (NAMED if stretch in names else 0)
            if not kind and all(map(str.isdecimal, stretch)):
                kind = _number("".join(stretch), to.number)
            if kind:
                readings[end] |= {used | kind for used in before}
    return readings[-1]


def _number(digits: str, texted: str) -> int:
    """What digits beside a keyword are."""
    if len(digits) >= 3 and (
        texted.startswith(digits)
        or texted.endswith(digits)
        or (texted and digits.startswith(texted))
    ):
        return NAMED
    return CODE if len(digits) >= NUMBER else 0


@lru_cache(maxsize=1024)
def _names(names: tuple[str, ...]) -> frozenset[Phrase]:
    """What names are called: each as a whole, and each of its words that is no everyday one."""
    table = tables()
    wholes = [phrase for phrase in map(atoms, names) if phrase]
    words = {(word,) for word in chain.from_iterable(wholes) if len(word) > 2 or stands_apart(word)}
    return frozenset({*wholes, *words} - {(word,) for word in table.sentence})


def _stretches(line: Phrase) -> Iterator[Phrase]:
    for start in range(len(line)):
        for end in range(start + 1, min(start + REACH, len(line)) + 1):
            yield line[start:end]


def _language(line: Phrase, words: frozenset[Phrase]) -> str | None:
    """The language of the first of ``words`` in a line that is of one language."""
    languages = tables().languages
    found = (languages.get(stretch) for stretch in _stretches(line) if stretch in words)
    return next(filter(None, found), None)


def _is_signature(lines: Sequence[str]) -> bool:
    """Whether lines may be what somebody is called: a few words, each with a capital."""
    words = [word for line in lines for word in line.split() if atoms(word)]
    return len(lines) <= 2 and len(words) <= 4 and not any(word[0].islower() for word in words)


# --- spelling ---


def _shortened(word: str) -> list[str]:
    return [word[:at] + word[at + 1 :] for at in range(len(word))]


def _variants(words: Iterable[str]) -> dict[str, set[str]]:
    """Words by what they are with a letter left out, and by themselves."""
    found: dict[str, set[str]] = {}
    for word in words:
        for variant in (word, *_shortened(word)):
            found.setdefault(variant, set()).add(word)
    return found


def _is_near_any(word: str, phrases: Iterable[Phrase]) -> bool:
    """Whether a word is one of these, misspelt."""
    return any(len(one) == 1 and _is_one_edit(word, one[0]) for one in phrases)


def _is_one_edit(one: str, other: str) -> bool:
    """Whether two words differ by a letter more, less, other, or by two neighbours that changed
    places."""
    short, long = sorted((one, other), key=len)
    if len(short) < len(long):
        return short in _shortened(long)
    differ = [at for at, (left, right) in enumerate(zip(one, other, strict=True)) if left != right]
    if len(differ) == 1:
        return True
    if len(differ) != 2 or differ[1] != differ[0] + 1:
        return False
    first = differ[0]
    return one[first] == other[first + 1] and one[first + 1] == other[first]

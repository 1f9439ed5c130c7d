"""``[policy.content]``, the content keys of ``[[tenants]]``, and what is wrong with either."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from gateway.message import CATEGORIES, Category
from gateway.policy.content import banned
from gateway.policy.regions import REGIONS

OnMissing = Literal["add", "refuse"]
"""What is done where a signature or an opt-out line is missing."""

Ban = Literal["links", "phones", "contacts"]
"""What a carrier takes in no text: links of any kind, phone numbers, other ways to get in touch."""

Shipped = Literal["superlatives", "inducements"]
"""The word lists that the gateway has."""

MOST_WORDS: Final = 100_000
"""Words of a list: 100 bytes or so each in memory, and a reload reads them in a second or two."""

MOST_LISTS: Final = 100
SHORTEST_SIGNATURE, LONGEST_SIGNATURE = 2, 16
LONGEST_LINE: Final = banned.LONGEST
"""Characters of an opt-out line, which is looked for as a word is."""


class WordList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[policy.content.words]]``: words that no text may have.

    Attributes:
        name: what refusals call the list.
        shipped: a list that the gateway has.
        file: a file of UTF-8, a word or phrase a line; what follows a ``#`` at the beginning of a
            line is passed over.
        words: more of them; once the configuration is built, all of them.
        regions: of recipients, by ISO 3166; empty for all.
        categories: of messages.
    """

    name: str
    shipped: Shipped | None = None
    file: str | None = None
    words: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    categories: frozenset[Category] = frozenset(CATEGORIES)


class OptoutLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[policy.content.optout_line]]``: how a text tells to opt out. The first that fits is used.

    Attributes:
        region: of recipients, by ISO 3166 (``CN``, ``US-TX``).
        category: of messages; one-time passwords have none.
        carriers: through which the message may go, all of them; empty for any.
        text: the line.
        on_missing: put it at the end, or refuse the message.
    """

    region: str
    category: Category = "marketing"
    carriers: tuple[str, ...] = ()
    text: str
    on_missing: OnMissing = "add"


class SignatureOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``[[tenants.signatures]]``: a name in 【】 that texts begin with.

    Attributes:
        text: the name, with or without its brackets.
        on_missing: put it in front, or refuse the message.
        senders: that may use it; empty for all of the tenant's.
        carriers: that know it; empty for all.
    """

    text: str
    on_missing: OnMissing = "add"
    senders: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Without brackets."""
        return self.text.removeprefix("【").removesuffix("】")


class ContentOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[policy.content]``.

    Attributes:
        categories: the messages that ``links``, ``shorteners`` and ``max_parts`` are about.
        links: to any domain, or to those that are registered for the tenant alone.
        shorteners: whether links by public shorteners, which hide where they lead, are taken.
        max_parts: of a message; 0 for no bound but that of the header.
        words: lists of banned words.
        optout_line: opt-out lines.
    """

    categories: frozenset[Category] = frozenset(CATEGORIES)
    links: Literal["any", "registered"] = "any"
    shorteners: Literal["allow", "refuse"] = "allow"
    max_parts: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    words: Annotated[tuple[WordList, ...], msgspec.Meta(max_length=MOST_LISTS)] = ()
    optout_line: Annotated[tuple[OptoutLine, ...], msgspec.Meta(max_length=1000)] = ()

    def problems(self) -> Iterator[str]:
        """What is wrong, each with its key."""
        names: dict[str, int] = {}
        for index, one in enumerate(self.words):
            where = f"words[{index}]"
            first = names.setdefault(one.name, index)
            if first != index:
                yield f"{where}.name: the same as words[{first}].name; every list has its own"
            yield from _name_problems(where, one)
            yield from (f"{where}.regions[{i}]: {why}" for i, why in _unknown(one.regions))
            yield from (f"{where}.words[{at}]: {why}" for at, why in word_problems(one.words))
        for index, line in enumerate(self.optout_line):
            where = f"optout_line[{index}]"
            yield from (f"{where}.region: {why}" for _, why in _unknown((line.region,)))
            if line.category == "otp":
                yield f"{where}.category: 'otp' has no opt-out line: no one-time password may"
            if not 0 < len(line.text.strip()) <= LONGEST_LINE:
                yield f"{where}.text: {line.text[:40]!r} is not 1 to {LONGEST_LINE} characters"
            elif why := banned.problem(line.text):
                yield f"{where}.text: {why}"


def _name_problems(where: str, one: WordList) -> Iterator[str]:
    if not 0 < len(one.name) <= 64:
        yield f"{where}.name: {one.name[:40]!r} is not 1 to 64 characters long"
    if one.shipped is None and one.file is None and not one.words:
        yield f"{where}: has no words; give `words`, a `file` or a list that is `shipped`"


def _unknown(regions: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    for index, name in enumerate(regions):
        if name not in REGIONS:
            yield index, f"{name[:16]!r} is no ISO 3166 code, such as 'CN' or 'US-TX'"


def signature_problems(options: SignatureOptions) -> Iterator[tuple[str, str]]:
    """What is wrong with a signature: the key, and why."""
    name = options.name
    if not SHORTEST_SIGNATURE <= len(name) <= LONGEST_SIGNATURE:
        size = f"{SHORTEST_SIGNATURE} to {LONGEST_SIGNATURE} characters between its brackets"
        yield "text", f"{name[:40]!r} has {len(name)}; a signature has {size}"
    elif name.isdecimal():
        yield "text", f"{name!r} is digits alone, which no carrier registers; add a word"
    elif not all(char.isalnum() or char in "·-&+_ ." for char in name) or name != name.strip():
        yield "text", f"{name!r} has signs; a signature is of letters, digits and · - & + _"


def word_problems(words: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """The words that would ban nothing, or nearly everything: their place in the list, and why."""
    if len(words) > MOST_WORDS:
        yield MOST_WORDS, f"{len(words)} words, over {MOST_WORDS}"
        return
    for index, word in enumerate(words):
        if why := banned.problem(word):
            yield index, why


class WordFileError(ValueError):
    """A word list cannot be used; says at which line."""


def words_of(data: bytes) -> tuple[str, ...]:
    """The words of a file. Raises WordFileError."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise WordFileError("is UTF-16; save it as UTF-8")
    if b"\0" in data:
        number = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise WordFileError(f"line {number}: has a NUL, as UTF-16 has; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise WordFileError(
            f"line {number}: byte {error.start} is not UTF-8; save it as UTF-8"
        ) from None
    lines = text.splitlines()
    if len(lines) > 2 * MOST_WORDS:
        raise WordFileError(f"{len(lines)} lines; a list has up to {MOST_WORDS} words")
    found: list[str] = []
    for number, line in enumerate(lines, 1):
        word = line.strip()
        if not word or word.startswith("#"):
            continue
        if why := banned.problem(word):
            raise WordFileError(f"line {number}: {why}")
        found.append(word)
    if len(found) > MOST_WORDS:
        raise WordFileError(f"{len(found)} words, over {MOST_WORDS}")
    if not found:
        raise WordFileError("has no words")
    return tuple(found)


@cache
def shipped_words(name: Shipped) -> tuple[str, ...]:
    """A list that the gateway has; its file names its sources."""
    return words_of(Path(__file__).with_name(f"{name}.txt").read_bytes())

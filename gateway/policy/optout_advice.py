"""What an operator should know of the opt-outs that a configuration comes to: who would say STOP
and not be heard, or be texted on. All of it is allowed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from gateway.policy.folding import atoms
from gateway.policy.keywords import Vocabulary
from gateway.policy.optout import OptoutOptions, OptoutRegion
from gateway.policy.words import REACH, tables, words

PLAIN: Final = "STOP"
"""What phones say everywhere, whatever they were told."""

SHOWN: Final = 40
"""Characters of a keyword that are shown."""

_ANYWHERE: Final = None


def silent(options: OptoutOptions) -> Iterator[str]:
    """Lists without words, and words that no text can be or that mean two things."""
    vocabulary = Vocabulary(options)
    if options.keywords is not None:
        heard = vocabulary.of(_ANYWHERE)
        if not heard.stop:
            yield "keywords: has no words, so no text opts a phone out; leave it out for known ones"
        elif atoms(PLAIN) not in heard.stop:
            yield (
                f"keywords: takes the place of the known words and lacks {PLAIN}, which phones "
                "send whatever they are told; add it, or leave the list out"
            )
    for name, region in options.regions.items():
        if region.keywords is not None:
            yield from _left_out(name, region.keywords)
    for where, stated in _lists(options):
        for key, texts in stated.items():
            for index, text in enumerate(texts):
                yield from _unheard(f"{where}{key}[{index}]", text)
    yield from _ambiguous(options, vocabulary)


def without_effect(options: OptoutOptions) -> Iterator[str]:
    """Opt-outs that stop nothing, or not what they are about."""
    if not options.categories:
        yield "categories: is empty, so who opts out is texted on; name what an opt-out stops"
    elif "marketing" not in options.categories:
        yield "categories: lacks marketing, so who opts out gets promotions all the same; add it"


def _lists(options: OptoutOptions) -> Iterator[tuple[str, Mapping[str, Sequence[str]]]]:
    """Where keywords are stated, and which."""
    yield "", _stated(options)
    for name, region in options.regions.items():
        yield f"regions.{name}.", _stated(region)


def _stated(options: OptoutOptions | OptoutRegion) -> Mapping[str, Sequence[str]]:
    return {
        "keywords": options.keywords or (),
        "start": options.start or (),
        "help": options.help or (),
    }


def _left_out(name: str, keywords: Sequence[str]) -> Iterator[str]:
    """The words that opt out in a region alone and that its own list does not have."""
    stated = {atoms(text) for text in keywords}
    table = tables()
    left = [
        word
        for word, regions in words().local.items()
        if name in regions and atoms(word) in table.stop and atoms(word) not in stated
    ]
    if left:
        yield (
            f"regions.{name}.keywords: takes the place of the words that opt out there alone, and "
            f"so drops {', '.join(left)}; add them to keep them"
        )


def _unheard(where: str, text: str) -> Iterator[str]:
    phrase = atoms(text)
    if not phrase:
        yield f"{where}: {text[:SHOWN]!r} has no letter or digit, so no text is it; take it out"
    elif len(phrase) > REACH:
        yield (
            f"{where}: {text[:SHOWN]!r} has {len(phrase)} words, of which the first {REACH} alone "
            "are looked for; write a shorter one"
        )


def _ambiguous(options: OptoutOptions, vocabulary: Vocabulary) -> Iterator[str]:
    """Words that are stated for one thing and mean another that goes before it."""
    table = tables()
    local = {region for regions in table.local.values() for region in regions}
    for where, stated in _lists(options):
        name = where.removeprefix("regions.").rstrip(".")
        asked = [name] if name else [_ANYWHERE, *sorted(local.union(options.regions))]
        heard = {region: vocabulary.of(region) for region in asked}
        for index, text in enumerate(stated["start"]):
            found = [region for region, words in heard.items() if atoms(text) in words.stop]
            if found:
                yield _meant(f"{where}start[{index}]", text, "opts phones{} out", found)
        for index, text in enumerate(stated["help"]):
            for kind, does in (("stop", "opts phones{} out"), ("start", "has phones{} texted")):
                found = [one for one, words in heard.items() if atoms(text) in getattr(words, kind)]
                if found:
                    yield _meant(f"{where}help[{index}]", text, does, found)
                    break
        if options.start is None:
            for index, text in enumerate(stated["keywords"]):
                if atoms(text) in table.start and atoms(text) not in table.local:
                    yield (
                        f"{where}keywords[{index}]: {text[:SHOWN]!r} is a known word for start, "
                        "and opts phones out instead; take it out, or state `start` without it"
                    )


def _meant(where: str, text: str, does: str, regions: Sequence[str | None]) -> str:
    place = "" if _ANYWHERE in regions else f" of {', '.join(filter(None, regions))}"
    return (
        f"{where}: {text[:SHOWN]!r} {does.format(place)} too, which goes first; take it out of one "
        "of the lists"
    )

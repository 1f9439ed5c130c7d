"""What octets would say in other alphabets than they were read in, for who knows what to look for.

Carriers say GSM 03.38 of UCS-2, Latin-1 of GBK, ISO-8859-5 of Windows' Cyrillic, and leave the NUL
of a C string. A text as such cannot tell: ``ÍË¶©`` is as good Latin-1 as ``退订`` is GBK. But
nobody texts the one, and many the other; so what may be a keyword is worth a second look in every
alphabet. Which alphabet is the likeliest for a text that is no keyword is for
`gateway.text.reading` to say.
"""

from collections.abc import Iterator
from typing import Final

from gateway.text.reading import CODECS, Reading
from gateway.text.scripts import is_plausible
from gateway.text.septets import NO_SHIFTS, text_of, unpack

SHORT: Final = 48
"""Octets of a text that can be a keyword and what stands around it: 24 characters of UCS-2. Longer
ones can only be texts, and looking at them in some thirty alphabets takes a millisecond."""

_NULS: Final = b"\0"
_MARK: Final = "\ufeff"


def misreadings(octets: bytes, text: str) -> Iterator[Reading]:
    """Other readings that make sense than ``text``, each once."""
    if len(octets) > SHORT:
        return
    bare = octets.strip(_NULS)
    seen = {text, ""}
    for alphabet, codec in CODECS.items():
        wide = alphabet.startswith("ucs2")
        try:
            # A single NUL behind pairs of octets is that of a C string.
            said = octets[: len(octets) & ~1] if wide else bare
            other = said.decode(codec).strip(_MARK + "\0")
        except UnicodeDecodeError:
            continue
        if other not in seen and is_plausible(other):
            yield Reading(other, alphabet, certain=False)
        seen.add(other)
    packed = text_of(unpack(bare, 0), NO_SHIFTS)
    if packed not in seen and packed.isascii() and packed.isprintable():
        yield Reading(packed, "gsm7_packed", certain=False)

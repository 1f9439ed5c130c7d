"""Whose a text from a phone is, what it says, and what it asks for.

A text belongs to the tenant whose number was texted. To a number that is nobody's, it is of the
tenant that last texted the phone through that carrier; where that is not known, it may be of every
tenant that may use the carrier. What comes of it is decided in `gateway.dispatch.inbound.inbound`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from gateway.dispatch.inbound.ownership import spellings
from gateway.dispatch.inbound.pieces import Piece
from gateway.dispatch.intake.tenants import Tenant, Tenants
from gateway.dispatch.intake.texted import Texted
from gateway.dispatch.options import CarrierOptions
from gateway.message import message_id
from gateway.numbers import SHORTEST, region_of
from gateway.policy.keywords import ANYWHERE, Asked, Correspondent, Vocabulary
from gateway.policy.optout import OptoutOptions
from gateway.text.mistaken import misreadings
from gateway.text.reading import Dialect, Reading, join, plain_ascii

_BY_THE_BOOK: Final = Dialect()


class Writing(NamedTuple):
    """A carrier, its data_coding, and an alphabet that it has written under that against the
    book."""

    carrier: str
    data_coding: int
    alphabet: str


class Owner(NamedTuple):
    """Whose a text is.

    Attributes:
        tenants: one; several, or none, where it cannot be told whose it is.
        number: the number that was texted, as its owner writes it.
        owned: whether the number is somebody's.
    """

    tenants: Sequence[Tenant]
    number: str
    owned: bool


class Text(NamedTuple):
    """A text that came, and what it asks for.

    Attributes:
        piece: its first part.
        detail: what its events tell of it.
        name: names it in events and opt-outs, where it asks for something.
        region: of the phone, as far as it is known.
    """

    piece: Piece
    owner: Owner
    text: str
    asked: Asked | None
    detail: Mapping[str, Any]
    name: str | None
    region: str | None


def _region_of_nobody(written: str) -> str | None:
    """Whose keywords a text is read by of which nobody can tell whose it is."""
    is_number = sum(map(str.isdecimal, written)) >= SHORTEST
    return ANYWHERE if is_number else None


class Understanding:
    """Makes texts of pieces.

    Args:
        texted: knows who texted a phone last.
        number: gives the next number that names something.
    """

    def __init__(self, tenants: Tenants, texted: Texted, number: Callable[[], int]) -> None:
        self._tenants = tenants
        self._texted = texted
        self._number = number
        self._seen: set[Writing] = set()
        self.configure(OptoutOptions(), (), {})

    def configure(
        self,
        options: OptoutOptions,
        carriers: Iterable[CarrierOptions],
        users: Mapping[str, Sequence[str]],
    ) -> None:
        """Look for these keywords from now on. ``users`` are the tenants that may use each
        carrier."""
        self._vocabulary = Vocabulary(options)
        self._users = users
        self._countries: dict[str, str] = {}
        self._dialects: dict[str, Dialect] = {}
        for carrier in carriers:
            self._countries[carrier.id] = carrier.country_code
            self._dialects[carrier.id] = carrier.reading

    def text(self, pieces: Sequence[Piece]) -> Text:
        """What a message says and asks for, from as many of its pieces as there are."""
        first = pieces[0]
        owner = self._owner(first)
        parts = [piece.part for piece in pieces]
        octets = b"".join(part.octets for part in parts)
        reading = join(parts, self._dialects.get(first.carrier, _BY_THE_BOOK))
        region = region_of(first.phone) if first.phone else _region_of_nobody(first.written)
        if not reading.certain:
            self._seen.add(Writing(first.carrier, first.data_coding, reading.alphabet))
        names = owner.tenants[0].options.names if len(owner.tenants) == 1 else ()
        reading, asked = self._asked(
            reading, octets, region, Correspondent(owner.number, names), first
        )
        detail: dict[str, Any] = {"carrier": first.carrier}
        if not reading.certain:
            detail |= {"data": octets.hex(), "data_coding": first.data_coding}
        if len(pieces) < first.total:
            detail["parts_missing"] = first.total - len(pieces)
        if first.phone is None:
            detail["unknown_source"] = True
        if not owner.owned:
            detail["unowned"] = True
        name = None
        if asked is not None:
            name = detail["inbound_id"] = message_id(self._number())
        return Text(first, owner, reading.text, asked, detail, name, region)

    def _owner(self, piece: Piece) -> Owner:
        country_code = self._countries.get(piece.carrier, "")
        forms = spellings(piece.number, country_code, piece.phone)
        # Some carriers deliver the answers to a sender that is a name.
        found = self._tenants.owner(forms) or self._tenants.called(piece.number)
        if found is not None:
            return Owner([found[0]], found[1], owned=True)
        number = forms[0] if forms else ""
        names = self._users.get(piece.carrier, ())
        last = self._texted.last(piece.carrier, piece.phone) if piece.phone else None
        if last is not None and self._tenants.get(last) is not None:
            names = [last]  # also where a reload has given the carrier to others since
        known = (self._tenants.get(name) for name in names)
        return Owner([tenant for tenant in known if tenant is not None], number, owned=False)

    def _asked(
        self,
        reading: Reading,
        octets: bytes,
        region: str | None,
        to: Correspondent,
        first: Piece,
    ) -> tuple[Reading, Asked | None]:
        """What a text asks for, whatever its coding says: where its octets are ASCII, or where
        they are a stop word in another alphabet."""
        keywords = self._vocabulary.of(region)
        asked = keywords.read(reading.text, to)
        if asked is not None and asked.request != "suspected":
            return reading, asked
        for other in misreadings(octets, reading.text):
            stop = keywords.read(other.text, to)
            if stop is not None and stop.request == "stop":
                if self._is_as_likely(reading, octets, other, first, region):
                    return reading, Asked("suspected")
                return other, stop
        plain = plain_ascii(octets)
        if plain is not None and plain != reading.text:
            found = keywords.read(plain, to)
            if found is not None and (asked is None or found.request != "suspected"):
                if self._is_as_likely(reading, octets, Reading(plain, "ascii"), first, region):
                    return reading, asked
                return Reading(plain, "ascii", certain=False), found
        return reading, asked

    def _is_as_likely(
        self, reading: Reading, octets: bytes, other: Reading, first: Piece, region: str | None
    ) -> bool:
        """Whether what the book says is as good as another reading: it is one character that people
        write (瑤 is ``td``, 一 is an ``N`` whose octets are swapped), and the carrier was not seen
        to write that alphabet so. In China many write td, and nobody 瑤, which is 瑶 there."""
        if len(octets) != 2 or reading.alphabet != "ucs2" or not reading.certain:
            return False
        if region == "CN" and other.text.encode() == octets:
            return False
        return Writing(first.carrier, first.data_coding, other.alphabet) not in self._seen

"""Reads delivery receipts out of deliver_sm and data_sm, in all the forms that carriers send.

What a receipt means for a message, and which of them to believe, is dispatch's. The canonical text
(SMPP 3.4 appendix B) is

    id:IIII sub:SSS dlvrd:DDD submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DDDDDDD err:E text:T

and carriers leave labels out, write them in other cases and in another order, put the text into
message_payload, or send no text but optional parameters, which are believed first. The canonical
form is read here; `receipt_text` finds what there is in all others, `receipt_states` knows what
the words mean.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal, NamedTuple

import msgspec

from gateway.smpp import receipt_text, tlv
from gateway.smpp.pdu import DataSm, DeliverSm
from gateway.smpp.receipt_states import STATS, WORDS, StateWords

IdBase = Literal["text", "dec", "hex"]
"""How a carrier writes message ids at one place: as text, or as a number in that base."""

MAX_ID: Final = 255
"""Characters of a message id. message_id and receipted_message_id have room for 64, the field for
more; no text of a short message holds a longer one."""


class Claim(NamedTuple):
    """What a receipt says in one place: which part, and what became of it."""

    ref_raw: str
    state: int | None
    word: str | None


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """A carrier's delivery report on one part.

    Attributes:
        ref_raw: the carrier's message id as it stands there; empty where there is none that could
            be one.
        state: the SMPP message_state, a key of `STATS`; None where it is missing or unknown.
        error: the carrier's own error code, as text.
        submit_date, done_date: as they stand there, see `date`.
        submitted, delivered: counts of short messages.
        text: the beginning of the message, as the carrier repeats it.
        intermediate: a notification on the way.
        network_error: the error of the network behind the carrier.
        word: the state in the carrier's own word, where that is none of `STATS`.
        also: what the receipt says elsewhere, to be believed where ``ref_raw`` leads nowhere.
        marked: it is one by its esm_class or its optional parameters. Else nothing but its text
            says so, which a phone can write.
    """

    ref_raw: str
    state: int | None = None
    error: str | None = None
    submit_date: str | None = None
    done_date: str | None = None
    submitted: int | None = None
    delivered: int | None = None
    text: str | None = None
    intermediate: bool = False
    network_error: tlv.NetworkError | None = None
    word: str | None = None
    also: tuple[Claim, ...] = ()
    marked: bool = True


_RECEIPT, _INTERMEDIATE = 0x04, 0x20
_MARKS = _RECEIPT | _INTERMEDIATE
_UCS2 = 8

_BASES: Final[Mapping[IdBase, int]] = {"dec": 10, "hex": 16}

# V, a value, has no controls, spaces, commas and semicolons. Said as what it may have, and never to
# be given back, that takes 0.4 us instead of 0.6 us. The last group is a `Fields.whole_id`.
_canonical = re.compile(
    "id:V (?:sub:V dlvrd:V )?+submit date:V done date:V stat:V err:V(?: [tT]ext:(.*))?+()".replace(
        "V", r"([!-+\--:<-\U0010ffff]++)"
    ),
    re.DOTALL,
).fullmatch

# In whatever alphabet. Texts of phones without it are looked at no further.
_names_a_state = re.compile(rb"s\0?t\0?a\0?t", re.IGNORECASE).search


def parse(pdu: DeliverSm | DataSm, words: StateWords = WORDS) -> Receipt | None:
    """The receipt that ``pdu`` is, or None where it is none.

    It is one where its esm_class says so (the bit of a receipt or of an intermediate notification,
    whatever the others are) and where its optional parameters tell a state, as only receipts do: a
    receipted_message_id alone comes with texts of phones too. Where nothing but the text names an
    id and a state, it may be one, see `Receipt.marked`. Never raises, whatever the text.

    Args:
        words: what words mean to the carrier.
    """
    marks = pdu.esm_class & _MARKS
    octets = pdu.short_message if isinstance(pdu, DeliverSm) else b""
    told = _parameters(pdu.tlvs, words) if pdu.tlvs else _NO_PARAMETERS
    told_ref, told_state, network_error, payload = told
    if not (marks or told_state is not None or _names_a_state(octets or payload)):
        return None
    fields = _fields(octets or payload, pdu.data_coding)
    if octets and payload and not (fields[0] and fields[5]):
        fields = _fields(payload, pdu.data_coding)
    ref, submitted, delivered, submit_date, done_date, stat, error, text, whole = fields
    if not (marks or told_state is not None or (stat and (ref or told_ref))):
        return None
    ref_raw = _id(ref)
    state = words[stat] if stat else None
    word = None if state == _DELIVERED else _own(stat, state)
    also: tuple[Claim, ...] = ()
    if whole or (told is not _NO_PARAMETERS and (told_ref != ref_raw or told_state != state)):
        text_claim = Claim(ref_raw, state, word)
        ref_raw, state, word, also = _weigh(told_ref, told_state, text_claim, whole)
    return Receipt(
        ref_raw,
        state,
        error,
        submit_date,
        done_date,
        _count(submitted),
        _count(delivered),
        text or None,
        marks == _INTERMEDIATE,
        network_error,
        word,
        also,
        bool(marks or told_state is not None or told_ref),
    )


_DELIVERED: Final = 2


def _fields(octets: bytes, data_coding: int) -> Sequence[str | None]:
    """The `receipt_text.Fields` of a text."""
    if data_coding == _UCS2:
        match = _canonical(octets.decode("utf-16-be", "replace"))
    else:
        match = _canonical(octets.decode("latin-1"))
    return match.groups() if match is not None else receipt_text.read(octets, data_coding)


def _own(stat: str | None, state: int | None) -> str | None:
    """A word, where it is the carrier's own."""
    return stat if stat and (state is None or STATS[state] != stat.upper()) else None


_Parameters = tuple[str, int | None, tlv.NetworkError | None, bytes]
"""What optional parameters say: an id, a state, an error; and a text."""

_NO_PARAMETERS: Final[_Parameters] = ("", None, None, b"")
_REF: Final = tlv.RECEIPTED_MESSAGE_ID.tag
_STATE: Final = tlv.MESSAGE_STATE.tag


def _parameters(tlvs: tlv.Tlvs, words: StateWords) -> _Parameters:
    ref_raw, state = "", None
    for tag, octets in tlvs:
        if tag == _REF and not ref_raw:
            ref_raw = _id(octets.partition(b"\0")[0].decode("latin-1"))
        elif tag == _STATE and state is None and octets:
            state = _numbered(octets, words)
    if len(tlvs) == 2 and ref_raw and state is not None:
        return ref_raw, state, None, b""
    network_error = tlv.NETWORK_ERROR_CODE.get(tlvs)
    return ref_raw, state, network_error, tlv.MESSAGE_PAYLOAD.get(tlvs) or b""


def _numbered(octets: bytes, words: StateWords) -> int | None:
    """The state that a message_state tells: an octet by the book, and more of them, a digit or a
    word in the field."""
    if len(octets) > 1:
        octets = octets.strip(b"\0 ") or b"\0"
        if len(octets) > 1:
            return words[octets.decode("latin-1")]
    state = words.numbered(octets[0])
    return words.numbered(int(octets)) if state is None and octets.isdigit() else state


def _weigh(
    ref_raw: str, state: int | None, text: Claim, whole: str | None
) -> tuple[str, int | None, str | None, tuple[Claim, ...]]:
    """What a receipt says that says it in several places: the parameters, whose id and state come
    first, are believed first, and the text where the id of those is unknown."""
    word = text.word
    # 0 is no state of SMPP 3.4, but what somebody leaves who has nothing to say.
    if state is None or (state == 0 and text.state is not None):
        state = text.state
    elif state != text.state and text.state is not None:
        word = None  # it is that of another state
    also: tuple[Claim, ...] = ()
    if not ref_raw:
        ref_raw = text.ref_raw
    elif text.ref_raw and canonical(text.ref_raw, "text") != canonical(ref_raw, "text"):
        also = (text if text.state is not None else text._replace(state=state),)
    if whole and len(whole) <= MAX_ID:
        also += (Claim(whole, state, word),)
    return ref_raw, state, word, also


def date(raw: str | None) -> datetime | None:
    """A date of a receipt, without a zone: the carrier's own, which the text does not tell.

    Understands ``YYMMDDhhmm``, ``YYMMDDhhmmss``, ``YYYYMMDDhhmm`` and ``YYYYMMDDhhmmss``, with or
    without anything between the digits; None for all else.
    """
    digits = _NO_DIGITS.sub("", raw) if raw else ""
    for form in _DATES.get(len(digits), ()):
        try:
            return datetime.strptime(digits, form)  # noqa: DTZ007 - there is no zone to be known
        except ValueError:
            continue
    return None


_NO_DIGITS: Final = re.compile(r"[-./:T ]|Z\Z", re.ASCII)
_DATES: Final = {
    10: ("%y%m%d%H%M",),
    # From 2013 on no date is both: 20 and a year are no year and month.
    12: ("%y%m%d%H%M%S", "%Y%m%d%H%M"),
    14: ("%Y%m%d%H%M%S",),
}
"""The forms of dates by their digits."""


def canonical(ref: str, base: IdBase) -> str:
    """A message id in the one form in which ids from responses and from receipts meet.

    An id that is no number in ``base`` counts as text: case, leading zeros, a leading ``0x`` and
    the octets that GSM 03.38 has for ``_``, ``@`` and the like do not matter.
    """
    if base == "text" and ref.isascii():
        if ref.isdecimal():  # as most are
            return ref.lstrip("0") or "0"
        if ref.isalnum() and ref.islower() and "x" > ref > "1":  # as most others are
            return ref
    ref = ref.strip("\0 ")
    bare = ref.casefold().lstrip("0")
    if bare < "x" and base == "text" and bare.isprintable():  # neither 0x nor octets to be spelled
        return bare or ref[:1]
    if not ref.isprintable():
        ref = receipt_text.spelled(ref).strip("\0 ")
        bare = ref.casefold().lstrip("0")
    if base != "text" and len(ref) <= MAX_ID and ref.isascii() and ref.isalnum():
        try:
            return str(int(ref, _BASES[base]))
        except ValueError:
            pass
    if bare[:1] == "x" and ref[:1] == "0" and _is_hex(bare[1:]):
        bare = bare[1:].lstrip("0")
    return bare or ref[:1]


_is_hex = re.compile(r"[0-9a-f]+").fullmatch


def _id(ref: str | None) -> str:
    ref = ref.strip("\0 ") if ref else ""
    return ref if len(ref) <= MAX_ID else ""


@lru_cache(maxsize=16)
def _count(digits: str | None) -> int | None:
    # Cached, since nearly all are 000 or 001: 0.06 us instead of 0.2 us.
    return int(digits) if digits and len(digits) <= 9 and digits.isdecimal() else None

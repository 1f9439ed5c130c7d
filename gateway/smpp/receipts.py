"""Reads delivery receipts out of deliver_sm and data_sm, in all the forms that carriers send.

What a receipt means for a message, and which of them to believe, is dispatch's. The canonical text
(SMPP 3.4 appendix B) is

    id:IIII sub:SSS dlvrd:DDD submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DDDDDDD err:E text:T

and carriers leave labels out, write them in other cases and in another order, put the text into
message_payload, or send no text but optional parameters, which are believed first.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal

import msgspec

from gateway.smpp import tlv
from gateway.smpp.pdu import DataSm, DeliverSm

STATS: Final[Mapping[int, str]] = {
    0: "SCHEDULED",
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
    9: "SKIPPED",
}
"""How the text of a receipt names each message_state (0 and 9 are SMPP 5.0's)."""

STATES: Final[Mapping[str, int]] = {stat: state for state, stat in STATS.items()} | {
    "BUFFRED": 1, "BUFFERD": 1, "BUFFERED": 1, "ACKED": 1,
    "DELIVERED": 2, "UNDELIVERABLE": 5, "UNDELIVERED": 5, "ACCEPTED": 6, "REJECTED": 8,
}  # fmt: skip
"""The message_state that each text means, in upper case: Kannel's for "still on its way", and
full words, are understood too."""

IdBase = Literal["text", "dec", "hex"]
"""How a carrier writes message ids at one place: as text, or as a number in that base."""

MAX_ID: Final = 64
"""Characters of a message id; message_id and receipted_message_id have no room for more."""


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
        intermediate: a notification on the way, never final.
        network_error: the error of the network behind the carrier.
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


_MESSAGE_TYPE = 0x3C
_INTERMEDIATE = 0x20
_RECEIPTS = (0x04, _INTERMEDIATE)
_UCS2 = 8

_BASES: Final[Mapping[IdBase, int]] = {"dec": 10, "hex": 16}
_DATES = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S", 14: "%Y%m%d%H%M%S"}

_LABELS = ("id", "sub", "dlvrd", "submitdate", "donedate", "stat", "err", "text")
_PADDING = " \t\r\n\0,;"

# V, a value, has no controls, spaces, commas and semicolons. Said as what it may have, and never to
# be given back, that takes 0.4 us instead of 0.6 us.
_canonical = re.compile(
    "id:V (?:sub:V dlvrd:V )?+submit date:V done date:V stat:V err:V(?: [tT]ext:(.*))?+".replace(
        "V", r"([!-+\--:<-\U0010ffff]++)"
    ),
    re.DOTALL,
).fullmatch

_labelled = re.compile(
    r"(?<![a-z0-9])(id|sub|dlvrd|submit\s?date|done\s?date|stat|err|text)\s*:",
    re.ASCII | re.IGNORECASE,
).finditer


def parse(pdu: DeliverSm | DataSm) -> Receipt | None:
    """The receipt that ``pdu`` is, or None where it is none.

    It is one where its esm_class says so (receipt or intermediate notification; the other bits do
    not matter) or where its optional parameters or its text tell a state, as only receipts do: a
    receipted_message_id alone comes with texts of phones too. Never raises, whatever the text.
    """
    kind = pdu.esm_class & _MESSAGE_TYPE
    tlv_ref = tlv_state = network_error = None
    if pdu.tlvs:
        tlv_ref = tlv.RECEIPTED_MESSAGE_ID.get(pdu.tlvs)
        tlv_state = tlv.MESSAGE_STATE.get(pdu.tlvs)
        network_error = tlv.NETWORK_ERROR_CODE.get(pdu.tlvs)
    if kind not in _RECEIPTS and tlv_ref is None and tlv_state is None:
        return None
    text = _text(pdu)
    match = _canonical(text)  # the search takes 8.5 us
    values = match.groups() if match is not None else _search(text)
    ref, submitted, delivered, submit_date, done_date, stat, error, rest = values
    if kind not in _RECEIPTS and tlv_state is None and stat is None:
        return None
    state = tlv_state if tlv_state in STATS else STATES.get(stat.upper()) if stat else None
    return Receipt(
        _id(tlv_ref or ref),
        state,
        error,
        submit_date,
        done_date,
        _count(submitted),
        _count(delivered),
        rest or None,
        kind == _INTERMEDIATE,
        network_error,
    )


def date(raw: str | None) -> datetime | None:
    """A date of a receipt, without a zone: the carrier's own, which the text does not tell.

    Understands ``YYMMDDhhmm``, ``YYMMDDhhmmss`` and ``YYYYMMDDhhmmss``; None for anything else.
    """
    form = _DATES.get(len(raw)) if raw else None
    if raw is None or form is None or not (raw.isascii() and raw.isdecimal()):
        return None
    try:
        return datetime.strptime(raw, form)  # noqa: DTZ007 - there is no zone to be known
    except ValueError:
        return None


def canonical(ref: str, base: IdBase) -> str:
    """A message id in the one form in which ids from responses and from receipts meet.

    An id that is no number in ``base`` counts as text: case and leading zeros do not matter.
    """
    ref = ref.strip("\0 ")
    if base != "text" and len(ref) <= MAX_ID and ref.isascii() and ref.isalnum():
        try:
            return str(int(ref, _BASES[base]))
        except ValueError:
            pass
    return ref.casefold().lstrip("0") or ref[:1]


def _text(pdu: DeliverSm | DataSm) -> str:
    octets = pdu.short_message if isinstance(pdu, DeliverSm) else b""
    if not octets and pdu.tlvs:
        octets = tlv.MESSAGE_PAYLOAD.get(pdu.tlvs) or b""
    if pdu.data_coding == _UCS2:
        return octets.decode("utf-16-be", "replace")
    return octets.decode("latin-1")


def _search(text: str) -> tuple[str | None, ...]:
    """What follows each of `_LABELS`, which may stand in any order and case, or be missing.

    The first of a label counts. Once the id and the state are known, ``text`` runs to the end: a
    label inside it is the sender's.
    """
    spans: dict[str, tuple[int, int]] = {}
    for match in _labelled(text):
        label = "".join(match[1].lower().split())
        spans.setdefault(label, match.span())
        if label == "text" and "id" in spans and "stat" in spans:
            break
    ends = [*(start for start, _ in spans.values()), len(text)][1:]
    found = {
        label: text[start:end].strip(_PADDING)
        for (label, (_, start)), end in zip(spans.items(), ends, strict=True)
    }
    return tuple(found.get(label) or None for label in _LABELS)


def _id(ref: str | None) -> str:
    ref = ref.strip("\0 ") if ref else ""
    return ref if len(ref) <= MAX_ID else ""


@lru_cache(maxsize=16)
def _count(digits: str | None) -> int | None:
    # Cached, since nearly all are 000 or 001: 0.06 us instead of 0.2 us.
    return int(digits) if digits and len(digits) <= 9 and digits.isdecimal() else None

"""Finds the fields in the text of a receipt that is not in the canonical form.

`gateway.smpp.receipts` tries that one first; here is all else that the field makes of it. Labels
are missing, misspelt, in another order or followed by ``=``; labels that nobody knows and loose
words stand between them; the octets are in another alphabet than the data_coding says. Nothing
here ever raises, whatever the octets.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from gateway.text.alphabets import decode
from gateway.text.septets import unpack


class Fields(NamedTuple):
    """The values of a receipt as they stand there; None where there is none.

    ``whole_id`` is the id with all that follows up to the next label, where that is more than one
    word: ids with spaces inside have been seen, and so have words that belong to nothing.
    """

    id: str | None = None
    sub: str | None = None
    dlvrd: str | None = None
    submit_date: str | None = None
    done_date: str | None = None
    stat: str | None = None
    err: str | None = None
    text: str | None = None
    whole_id: str | None = None


NOTHING: Final = Fields()

LONGEST: Final = 2_048
"""Octets of a text that are looked at: ten receipts in UCS-2. What a message_payload has beyond
takes a millisecond for each kilobyte, and is none."""

LABELS: Final = {
    "id": r"(?:(?:receipted[ _-]?)?(?:message|msg|sms)[ _-]?)?id",
    "submit_date": r"(?:submit(?:ted)?|sub)(?:[_-]|\s{0,4})(?:date|time)",
    "done_date": r"(?:done|final|delivery|dlvrd)(?:[_-]|\s{0,4})(?:date|time)",
    "sub": r"sub(?:mitted)?",
    "dlvrd": r"dlvrd|delivrd|delivered",
    "stat": r"(?:(?:message|msg|sms|delivery|dlr)[ _-]?)?stat(?:us|e)?",
    "err": r"(?:network[ _-]?)?err(?:or)?(?:[ _-]?code)?",
    "text": r"te?xt",
}
"""What each field is called, in any case."""

_names = "|".join(f"(?P<{field}>{names})" for field, names in LABELS.items())

# A label stands at the beginning, or behind what is no part of a value.
_labels = re.compile(
    rf"(?<![\w:=.+/-])(?:{_names})[\"']?\s*[:=]", re.ASCII | re.IGNORECASE
).finditer

# Nor does a value end in one of these: ``id:7sub:001dlvrd:001``, with nothing in between.
_glued = re.compile(
    r"(?:(?P<id>(?<![a-z0-9])id)|(?P<submit_date>submit ?date)|(?P<done_date>done ?date)"
    r"|(?P<sub>sub)|(?P<dlvrd>dlvrd)|(?P<stat>stat)|(?P<err>err)|(?P<text>text)):",
    re.ASCII | re.IGNORECASE,
).finditer

_value = re.compile(r"\"([^\"]*)|'([^']*)|((?:(?![&|][A-Za-z_]{2,}[:=])[^\s,;])*)").match
_other_label = re.compile(r"\s+[A-Za-z_]{3,32}[:=]").match
_date = re.compile(r"\s*([\d./-]{6,10}\s+\d{1,2}[:.]?\d{2}(?:[:.]?\d{2})?)(?![^\s,;])").match

_PADDING: Final = " \t\r\n\0,;&|"
_OPENS: Final = {")": "(", "]": "[", "}": "{", ">": "<"}
_DATES: Final = ("submit_date", "done_date")


def read(octets: bytes, data_coding: int) -> Fields:
    """The fields in ``octets``, in whatever alphabet most of them are found.

    Args:
        octets: the first `LONGEST` of them are looked at.
        data_coding: breaks a tie; not to be trusted, since carriers send plain octets under that
            of UCS-2 and the other way round.
    """
    best, most = NOTHING, 0
    for text in _texts(octets[:LONGEST], data_coding):
        found = fields(text)
        known = sum(value is not None for value in found)
        if known > most:
            best, most = found, known
        if found.id is not None and found.stat is not None:
            return found
    return best


def fields(text: str) -> Fields:
    """What follows each of `LABELS`, which may stand in any order and case, or be missing.

    The first of a label counts, and every value but ``text`` ends at the first white space, ``,``
    or ``;``. Once the id and the state are known, ``text`` runs to the end: a label inside it is
    the sender's. Before that, the last of a label behind ``text`` counts, for the same reason.
    """
    spans = _spans(_labels(text))
    if "stat" not in spans and "id" in spans:
        spans = _spans(_glued(text))
    ends = [*(start for start, _ in spans.values()), len(text)][1:]
    found: dict[str, str] = {}
    for (field, (_, start)), end in zip(spans.items(), ends, strict=True):
        value = _read(field, text[start:end])
        if value:
            found[field] = value
        if field == "id":
            whole = text[start:end].strip(_PADDING)
            if whole != value and not re.search("[:=\n\r\"']", whole):
                found["whole_id"] = whole
    return Fields(**found)


def _spans(matches: Iterator[re.Match[str]]) -> dict[str, tuple[int, int]]:
    """Where each field's label begins and its value may."""
    spans: dict[str, tuple[int, int]] = {}
    before: set[str] | None = None
    for match in matches:
        field = match.lastgroup or ""
        if before is not None and field not in before:
            spans.pop(field, None)
        spans.setdefault(field, match.span())
        if field == "text" and before is None:
            before = {*spans}
            if "id" in spans and "stat" in spans:
                break
    return spans


def _read(field: str, region: str) -> str:
    """A value at the beginning of what stands up to the next label."""
    if field == "text":
        return region.strip(_PADDING)
    if field in _DATES and (date := _date(region)):
        return date[1]
    if field != "id" and _other_label(region):
        return ""
    match = _value(region.lstrip(_PADDING))
    value = match[match.lastindex or 0].strip("&|\0") if match else ""
    # What closes the whole receipt: ``{id:7,stat:DELIVRD}``.
    return value if _OPENS.get(value[-1:], "") in value else value[:-1]


# --- alphabets ---

_UCS2: Final = 8
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xfe\xff", "utf-16"), (b"\xff\xfe", "utf-16"))

# What is a control character in ASCII and none in GSM 03.38. All others are read as ASCII, in which
# carriers write the rest of a receipt under either name.
_SPELLED: Final = {
    octet: decode(bytes((octet,)), "gsm7") for octet in range(0x20) if octet not in b"\t\n\r\x1b"
}
_padding = re.compile(r"\0+(?=[\s,;]|\Z)")
_escaped = re.compile("\x1b(.)", re.DOTALL)


def spelled(text: str) -> str:
    """A text of single octets where some of them are GSM 03.38: ``_`` comes as 0x11, ``@`` as 0
    and ``{`` behind an escape. Zeros at its end are none of it."""
    text = _escaped.sub(lambda pair: decode(pair[0].encode("latin-1"), "gsm7"), text)
    return _padding.sub("", text).translate(_SPELLED)


def _texts(octets: bytes, data_coding: int) -> Iterator[str]:
    """What the octets may say, the likeliest first."""
    for mark, encoding in _MARKS:
        if octets.startswith(mark):
            yield octets.decode(encoding, "replace")
    if data_coding == _UCS2:
        yield octets.decode("utf-16-be", "replace")
    yield spelled(octets.decode("latin-1"))
    if b"\0" in octets:
        yield octets.decode("utf-16-be", "replace")
        yield octets.decode("utf-16-le", "replace")
    if octets and octets[0] < len(octets) - 1:  # a user data header may stand before it
        yield octets[octets[0] + 1 :].decode("latin-1")
    yield spelled(unpack(octets[:_PACKED]).decode("latin-1"))


_PACKED: Final = 255
"""Octets of packed septets that are read: what a short_message has."""

"""Reads the bodies of PDUs that break their layout: what is whole is kept, the rest told as odd.

Fields are read one after the other, as far as they go; those that are missing keep their defaults.
Where a C-octet string has lost its NUL, or is padded with more than one, everything behind it seems
to be somewhere else: so a reading that is odd is tried again with one string ended wherever it may
have ended, and with strings that fill their fields, and the reading with the least that is
odd about it counts. Only what `gateway.smpp.layout` could not read comes here, so that plain loops
are fast enough. Nothing is ever raised.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from gateway.smpp import tlv
from gateway.smpp.layout import CString, Field, MisfitError, Octet, ShortMessage
from gateway.smpp.odd import Odd, OddKind

SEARCHED: Final = 2048
"""Octets of the longest frame in which a lost NUL is looked for: the fields before the text take a
few hundred, and what is longer has its length from a message_payload."""

CUTS: Final = 24
"""Ends of strings that are tried: a PDU has a dozen strings, each with few places to end."""

_COST: Final[Mapping[OddKind, int]] = {
    "parameter_size": 0,
    "repeated_parameter": 0,
    "overlong_string": 1,
    "missing_nul": 1,
    "padded_string": 2,
    "stray_octets": 2,
    "cut_parameter": 2,
    "wrong_sm_length": 3,
    "short_body": 2,
}
"""How unlikely each is beside the others."""

_UNLIKELY: Final = 3
_PLANS: Final = ("_ton", "_npi")

_TAGS: Final = range(1, tlv.VENDOR.stop)
"""Tags that are in use (SMPP 3.4, section 5.3.1)."""

_UCS2: Final = frozenset({0x08, 0x18})
_FULL: Final = 254
"""sm_length of a text that fills short_message, or more than fills it."""

_FURTHEST: Final = 80
"""Octets of a string in which its end is looked for: the longest is 64, one of a carrier's more."""

_PRINTABLE: Final = " "
_DIGITS: Final = frozenset(b"0123456789")


class Reading(NamedTuple):
    """What a body says, as far as it can be read.

    Attributes:
        values: the fields that are whole, by name.
        tlvs: the optional parameters behind them.
        odd: what is odd.
    """

    values: dict[str, Any]
    tlvs: tlv.Tlvs
    odd: tuple[Odd, ...]

    @property
    def cost(self) -> int:
        """How unlikely it is that this was meant."""
        unlikely = sum(tag not in _TAGS for tag, _ in self.tlvs)
        unlikely += sum(_is_unlikely(name, value) for name, value in self.values.items())
        return sum(_COST[odd.kind] for odd in self.odd) + _UNLIKELY * unlikely


def _is_unlikely(name: str, value: Any) -> bool:
    """Whether a field hardly has this value: no type of number is a digit of one."""
    if name.endswith("_addr"):
        return any(letter < _PRINTABLE for letter in value)
    return name.endswith(_PLANS) and chr(value).isalnum()


class _Cut(NamedTuple):
    """A string is taken to end before the octet at ``end``, and the next field to begin at
    ``after``: at once where it has no NUL, which has the cost, for it may be that NUL; else behind
    its padding. For ``every`` string, behind what its field is wide."""

    field: str
    end: int
    after: int
    cost: int = 0
    every: bool = False


_PADDED: Final = _Cut("", 0, 0, cost=-1, every=True)
"""Strings whose fields are filled with NULs to their width were hardly meant otherwise."""


def read(fields: Sequence[Field], frame: bytes, pos: int) -> Reading:
    """What stands in ``frame`` from ``pos`` on."""
    strings: list[tuple[Field, int]] = []
    best = _read(fields, frame, pos, None, strings)
    least = best.cost
    if least > _COST["overlong_string"] and len(frame) <= SEARCHED:
        cuts = islice(_cuts(strings, frame), CUTS)
        for cut in (_PADDED, *_paddings(strings, frame), *cuts):
            other = _read(fields, frame, pos, cut, [])
            if cut.every and not any(odd.kind == "padded_string" for odd in other.odd):
                continue
            if other.cost + cut.cost < least:
                best, least = other, other.cost + cut.cost
    return best


def _cuts(strings: Sequence[tuple[Field, int]], frame: bytes) -> Iterator[_Cut]:
    """Where strings that begin at these places may have ended: before a control character, where
    the field is full, an address behind its digits; less likely, before a NUL that is the next
    field's. The last string first: the fewer fields move, the better."""
    for (name, kind), start in reversed(strings):
        digits = name.endswith("_addr")
        for end in range(start, min(start + _FURTHEST, len(frame))):
            octet = frame[end]
            ends_number = digits and octet not in _DIGITS and end > start
            full = kind.size - 1 <= end - start <= kind.size
            if octet == 0 and not full:
                yield _Cut(name, end, end, 1)
            elif octet < ord(_PRINTABLE) or ends_number or full:
                yield _Cut(name, end, end)
            if octet == 0:
                break
            digits = digits and octet in _DIGITS


def _paddings(strings: Sequence[tuple[Field, int]], frame: bytes) -> Iterator[_Cut]:
    """Where fields may begin behind strings with more than one NUL: after another one, and where
    the string has filled its field. (Of times that are not there, one NUL more is no sign: nothing
    but zeros follows them.)"""
    for (name, kind), start in reversed(strings):
        if kind.exact:
            continue
        end = frame.find(b"\0", start)
        for after in (end + 2, start + kind.width):
            if 0 <= end < after - 1 < len(frame) and not any(frame[end:after]):
                yield _Cut(name, end, after)


def _read(
    fields: Sequence[Field],
    frame: bytes,
    pos: int,
    cut: _Cut | None,
    strings: list[tuple[Field, int]],
) -> Reading:
    """One reading; notes the strings that it read, and where each begins, in ``strings``."""
    values: dict[str, Any] = {}
    odd: list[Odd] = []
    size = len(frame)
    for field in fields:
        name, kind = field
        if pos >= size:
            odd.append(Odd("short_body", name))
            break
        match kind:
            case Octet():
                values[name] = frame[pos]
                pos += 1
            case CString():
                strings.append((field, pos))
                end = frame.find(b"\0", pos)
                after = end + 1
                full = pos + kind.width
                fills = cut is not None and cut.every and 0 <= end < full - 1 < size
                if fills and not any(frame[end:full]):
                    after = full
                    if not odd:  # one habit, however many strings there are
                        odd.append(Odd("padded_string", name))
                elif cut is not None and cut.field == name:
                    end, after = cut.end, cut.after
                    odd.append(Odd("missing_nul" if end == after else "padded_string", name))
                elif end < 0:
                    # With more to come after it, it was cut, and half a number is nobody's.
                    if field is not fields[-1]:
                        odd.append(Odd("short_body", name))
                        break
                    odd.append(Odd("missing_nul", name))
                    end = after = size
                elif end - pos >= kind.size:
                    odd.append(Odd("overlong_string", name))
                values[name] = frame[pos:end].decode("latin-1")
                pos = after
            case ShortMessage():
                octets = _short_message(frame, pos, values.get("data_coding", 0))
                if len(octets) != frame[pos]:
                    odd.append(Odd("wrong_sm_length", name))
                values[name] = octets
                pos += 1 + len(octets)
            case _:
                try:
                    values[name], pos = kind.read(frame, frame.decode("latin-1"), pos)
                except MisfitError:
                    odd.append(Odd("short_body", name))
                    break
    else:
        tlvs, more = tlv.read(frame, pos)
        return Reading(values, tlvs, (*odd, *more))
    return Reading(values, (), tuple(odd))


def _short_message(frame: bytes, pos: int, data_coding: int) -> bytes:
    """The text whose sm_length stands at ``pos``.

    The length holds, unless the frame ends before it, or what follows can be no optional parameter
    and the length is one that carriers get wrong in a known way: in characters of UCS-2 instead of
    octets, without what is beyond 8 bits, stuck at the most that there may be, or 0.
    """
    length = frame[pos]
    there = frame[pos + 1 :]
    rest = there[length:]
    if not any(rest) or tlv.begins(rest):
        return there[:length]
    known = [256 + length, 512 + length]
    if data_coding in _UCS2:
        known.insert(0, 2 * length)
    for longer in known:
        if length < longer <= len(there) and tlv.whole(there[longer:]):
            return there[:longer]
    return there if length == 0 or length >= _FULL else there[:length]

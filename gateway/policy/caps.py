"""Frequency caps as they are written, ``[[policy.frequency]]``, those that are shipped, and what a
message counts as. What follows from the counts is `gateway.policy.frequency`'s."""

import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Annotated, Final, Literal

import msgspec

from gateway.message import Category, Counted, Message
from gateway.policy.hours import with_territories
from gateway.policy.regions import REGIONS, place_of

DAY: Final = 86_400
LONGEST: Final = 90 * DAY
"""Seconds over which messages are counted at most: the store keeps that long what counts."""

MOST: Final = 1_000
"""Messages of a cap at most: as many as the store keeps for each phone."""

EACH: Final = "*"
"""As a cap's ``campaign`` or ``signature``: each of them is counted apart."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": DAY}
_SPAN: Final = re.compile(r"([1-9][0-9]{0,6})([smhd])", re.ASCII)
_SIGNATURE: Final = re.compile(r"\s*【([^【】]{1,40})】")


def seconds(per: str) -> int:
    """The length of ``60s``, ``5m``, ``1h`` or ``7d``. Raises ValueError, with the mend."""
    match = _SPAN.fullmatch(per)
    if match is None:
        raise ValueError(f"{per[:20]!r} is no time such as '60s', '5m', '1h' or '7d'")
    length = int(match[1]) * _UNITS[match[2]]
    if length > LONGEST:
        raise ValueError(f"{per!r} is longer than {LONGEST // DAY}d")
    return length


def signature(text: str) -> str | None:
    """The signature that a text begins with, without its brackets: ``【Shop】``. None where there
    is none."""
    match = _SIGNATURE.match(text)
    return None if match is None else match[1].strip() or None


class FrequencyCap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of ``[[policy.frequency]]``.

    Attributes:
        shipped: takes in the caps that the gateway knows for a region, `SHIPPED`; nothing else is
            stated beside it but ``tenants``.
        category, campaign, signature: which messages count, those of any where it is absent;
            campaigns or signatures each apart where it is `EACH`.
        same_text: only messages of the same text count together.
        regions: of which phones, those of their territories too; all where it is empty.
        tenants: whose messages, each tenant's for itself; everybody's where it is empty.
        max: messages that a phone gets in that time.
        per: the time, see `seconds`.
        window: any such time at all, or days of the recipient's calendar.
        on_cap: what becomes of one more.
    """

    shipped: Literal["CN"] | None = None
    category: Category | None = None
    campaign: str | None = None
    signature: str | None = None
    same_text: bool = False
    regions: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    max: Annotated[int, msgspec.Meta(ge=1, le=MOST)] | None = None
    per: str | None = None
    window: Literal["rolling", "calendar"] = "rolling"
    on_cap: Literal["refuse", "defer"] = "refuse"

    @property
    def selection(self) -> tuple[object, ...]:
        """What it counts; caps that count the same share what the store keeps."""
        regions = tuple(sorted(self.regions))
        return (self.category, self.campaign, self.signature, self.same_text, regions)

    @property
    def width(self) -> int:
        """Seconds over which it counts."""
        return seconds(self.per or "")

    def problems(self) -> Iterator[str]:
        """What is wrong, each with its key."""
        if self.shipped is not None:
            if msgspec.structs.replace(self, shipped=None, tenants=()) != FrequencyCap():
                yield "shipped: takes nothing beside it but tenants; state other caps as further"
            return
        if self.max is None:
            yield "max: is missing; it says how many messages a phone gets"
        if self.per is None:
            yield "per: is missing; it says in what time, such as '7d'"
        else:
            try:
                length = seconds(self.per)
            except ValueError as error:
                yield f"per: {error}"
            else:
                if self.window == "calendar" and length % DAY:
                    yield f"per: {self.per!r} is not whole days, which a calendar has"
        for index, name in enumerate(self.regions):
            if name not in REGIONS or len(name) != 2:
                yield (
                    f"regions[{index}]: {name[:16]!r} is no ISO 3166 code of two letters, such as "
                    "'CN'"
                )


def _china(most: int, per: str, category: Category | None = None) -> FrequencyCap:
    same = category is None
    return FrequencyCap(category=category, same_text=same, regions=("CN",), max=most, per=per)


SHIPPED: Final[dict[str, Sequence[FrequencyCap]]] = {
    "CN": (
        _china(1, "1d", "marketing"),
        _china(3, "7d", "marketing"),
        _china(1, "60s", "otp"),
        _china(5, "1h", "otp"),
        _china(10, "1d", "otp"),
        _china(1, "30s"),
    )
}
"""What Chinese providers refuse themselves: Alibaba Cloud takes one code a minute, five an hour and
ten a day, Tencent Cloud the same text once in thirty seconds; promotions by common advice."""


def expanded(caps: Iterable[FrequencyCap]) -> list[FrequencyCap]:
    """Caps with those that are shipped in the place of their names."""
    found: list[FrequencyCap] = []
    for cap in caps:
        if cap.shipped is None:
            found.append(cap)
        else:
            named = SHIPPED[cap.shipped]
            found += [msgspec.structs.replace(one, tenants=cap.tenants) for one in named]
    return found


def problems(caps: Sequence[FrequencyCap]) -> list[str]:
    """What is wrong, each with its index and key."""
    found = [f"[{at}].{problem}" for at, cap in enumerate(caps) for problem in cap.problems()]
    first: dict[object, int] = {}
    for at, cap in enumerate(caps):
        if cap.shipped is not None:
            other = first.setdefault((cap.shipped, tuple(sorted(cap.tenants))), at)
            if other != at:
                found.append(f"[{at}].shipped: takes in what [{other}] does; keep one")
        elif cap.per is not None:
            same = (cap.selection, cap.per, cap.window, tuple(sorted(cap.tenants)))
            other = first.setdefault(same, at)
            if other != at:
                found.append(
                    f"[{at}]: caps the same messages as [{other}] over the same time; keep one"
                )
    return found


BEGUN: Final = 1_000
"""Campaigns and signatures whose digests are kept half-way; all are forgotten at once."""

_hash = blake2b(digest_size=8, usedforsecurity=False).copy


def _mark(name: str) -> int:
    """64 bits, signed, that stand for a name."""
    made = _hash()
    made.update(name.encode())
    return _number(made.digest())


def _number(digest: bytes) -> int:
    return int.from_bytes(digest, "big", signed=True)


_Names = tuple[str | None, ...]
"""A campaign and a signature, of those that a mark is made of."""


class Selector:
    """What caps count that count the same messages.

    Attributes:
        caps: those.
        category: of the messages that they count; None where they count those of every category.
        keep: seconds for which a message counts in one of them after it was sent.
    """

    def __init__(self, caps: Sequence[FrequencyCap]) -> None:
        first = caps[0]
        self.caps = tuple(caps)
        self.keep = max(cap.width for cap in caps)
        self.category = first.category
        self._campaign = first.campaign
        self._signature = first.signature
        self._same_text = first.same_text
        self._regions = with_territories(first.regions)
        self._name = repr(first.selection)
        self._varies = first.same_text or EACH in (first.campaign, first.signature)
        self._fixed = Counted(_mark(self._name), self.keep)
        self._begun: dict[_Names, blake2b] = {}

    def counted(self, messages: Sequence[Message]) -> list[Counted | None]:
        """What each of some messages counts as, and for how long, None where it does not."""
        category, regions, begun = self.category, self._regions, self._begun
        of_campaign, of_signature, same_text = self._campaign, self._signature, self._same_text
        found: list[Counted | None] = []
        for message in messages:
            counted = campaign = signed = None
            if (
                (category is None or message.category == category)
                and (not regions or place_of(message.to).region in regions)
                and (
                    of_campaign is None
                    or ((campaign := message.campaign) and of_campaign in (EACH, campaign))
                )
                and (
                    of_signature is None
                    or ((signed := signature(message.text)) and of_signature in (EACH, signed))
                )
            ):
                if not self._varies:
                    counted = self._fixed
                else:
                    names = (campaign, signed)
                    made = (begun.get(names) or self._begin(names)).copy()
                    if same_text:
                        made.update(b"\0" + message.text.encode())
                    counted = Counted(_number(made.digest()), self.keep)
            found.append(counted)
        return found

    def _begin(self, names: _Names) -> blake2b:
        """The digest of names; the marks of a campaign's texts begin alike."""
        if len(self._begun) >= BEGUN:
            self._begun.clear()
        begun = self._begun[names] = _hash()
        begun.update("\0".join([self._name, *filter(None, names)]).encode())
        return begun


def selectors(caps: Iterable[FrequencyCap]) -> list[Selector]:
    """What caps count, those together that count the same."""
    by_selection: dict[object, list[FrequencyCap]] = {}
    for cap in caps:
        by_selection.setdefault(cap.selection, []).append(cap)
    return [Selector(those) for those in by_selection.values()]

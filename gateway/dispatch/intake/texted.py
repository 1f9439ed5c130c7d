"""Which tenant texted a phone last through which carrier: whose its text to nobody's number is; and
with a message of which campaign: what its text is counted for.

The tenant is noted only for carriers that several tenants use, as messages go out; the latest of
them are known. Every minute, and when the gateway stops, it is put on record: after a crash, the
last minute is not known. Campaigns are not put on record: what a phone says after a restart is
counted for no campaign.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from gateway.message import URGENT, Message
from gateway.numbers import canonical

PHONES: Final = 100_000
"""Phones that are known at least half of, the latest: some 15 MB; and so many of their messages."""

MEMO: Final = "texted"
"""The name under which the store keeps it."""

_Generation = dict[str, dict[str, str]]
Wording = tuple[str, str | None, str | None]
"""A tenant, its campaign and the variant of that."""

_encode = msgspec.msgpack.Encoder().encode


class Memo(NamedTuple):
    """What is kept: as of when, and both generations, the older one first."""

    at: float
    generations: list[_Generation]


_decode = msgspec.msgpack.Decoder(Memo).decode
_decode_first_form = msgspec.msgpack.Decoder(list[_Generation]).decode


def read(memo: bytes) -> Memo:
    """What was kept, by this version or by the first one, which noted no time."""
    try:
        return _decode(memo)
    except msgspec.ValidationError:
        return Memo(0.0, _decode_first_form(memo))


class _Outgoing(NamedTuple):
    """Messages of one wording that went out together: their recipients and numbers."""

    wording: Wording
    phones: list[str]
    numbers: list[int]


class _Latest:
    """What phones got last. It is kept as it went out, which costs next to nothing, and put in
    order when somebody asks: once, some 25 ms for the half of `PHONES` that there may be."""

    def __init__(self) -> None:
        self.size = 0
        self._outgoing: list[_Outgoing] = []
        self._messages: dict[str, tuple[Wording, int]] = {}
        self._campaigns: dict[str, Wording] = {}

    def note(self, outgoing: _Outgoing) -> None:
        self._outgoing.append(outgoing)
        self.size += len(outgoing.phones)

    def campaign(self, phone: str) -> Wording | None:
        """The campaign of which a phone got a message last."""
        self._order()
        return self._campaigns.get(phone)

    def message(self, phone: str) -> tuple[Wording, int] | None:
        """The message that it got last, of a campaign or of none."""
        self._order()
        return self._messages.get(phone)

    def phones(self) -> Collection[str]:
        self._order()
        return self._messages

    def drop(self, phones: Collection[str]) -> None:
        self._order()
        for phone in phones:
            self._messages.pop(phone, None)
            self._campaigns.pop(phone, None)

    def _order(self) -> None:
        for wording, recipients, numbers in self._outgoing:
            phones = [*map(canonical, recipients)]
            self._messages.update(zip(phones, [(wording, n) for n in numbers], strict=True))
            if wording[1] is not None:
                self._campaigns.update(dict.fromkeys(phones, wording))
        self._outgoing.clear()


class Texted:
    """The tenant that texted a phone last, by carrier, and the campaign."""

    def __init__(self) -> None:
        # By carrier, then phone; when the younger half is full the older one is forgotten whole,
        # which costs nothing for each message.
        self._young: _Generation = {}
        self._old: _Generation = {}
        self._count = 0
        self._shared: frozenset[str] = frozenset()
        self._changed = False
        self._latest, self._before = _Latest(), _Latest()

    def configure(self, shared: Iterable[str]) -> None:
        """These carriers are used by several tenants."""
        self._shared = frozenset(shared)

    def note(self, carrier: str, tenant: str, phones: Iterable[str]) -> None:
        """A tenant texts phones through a carrier."""
        if carrier not in self._shared:
            return
        known = self._young.setdefault(carrier, {})
        before = len(known)
        known.update(dict.fromkeys(map(canonical, phones), tenant))
        self._changed = True
        self._count += len(known) - before
        if self._count > PHONES // 2:
            self._old, self._young, self._count = self._young, {}, 0

    def note_campaign(self, messages: Sequence[Message]) -> None:
        """Messages of one campaign of a tenant, or of none, go out."""
        tenant, campaign = messages[0].tenant, messages[0].campaign
        if messages[0].category == URGENT:
            return  # nobody answers these
        if campaign is None:
            # Nor what the gateway says by itself: who goes on writing still means the tenant's.
            messages = [message for message in messages if message.reply is None]
        variants = {message.variant for message in messages}
        for variant in variants:
            those = messages
            if len(variants) > 1:
                those = [one for one in messages if one.variant == variant]
            phones, numbers = [one.to for one in those], [one.id for one in those]
            self._latest.note(_Outgoing((tenant, campaign, variant), phones, numbers))
        if self._latest.size > PHONES // 2:
            self._before, self._latest = self._latest, _Latest()

    def last(self, carrier: str, phone: str) -> str | None:
        """Who texted a phone last; None where that is not known."""
        phone = canonical(phone)
        for generation in (self._young, self._old):
            if tenant := generation.get(carrier, {}).get(phone):
                return tenant
        return None

    def campaign(self, tenant: str, phone: str) -> tuple[str | None, str | None]:
        """The campaign, and its variant, of which a tenant texted a phone last; None and None where
        that is not known, or another tenant's campaign has come since."""
        phone = canonical(phone)
        wording = self._latest.campaign(phone) or self._before.campaign(phone)
        return wording[1:] if wording is not None and wording[0] == tenant else (None, None)

    def answered(self, tenant: str, phone: str) -> tuple[str | None, str | None, int] | None:
        """What a text of a phone to a tenant most likely answers: the message that it got last, by
        campaign, variant and number; but for one-time passwords, and where another tenant's has not
        come since. None where that is not known."""
        phone = canonical(phone)
        found = self._latest.message(phone) or self._before.message(phone)
        if found is None or found[0][0] != tenant:
            return None
        (_, campaign, variant), number = found
        return campaign, variant, number

    def drop(self, phones: Collection[str]) -> None:
        """Know nothing of some phones any more."""
        for known in (*self._young.values(), *self._old.values()):
            for phone in phones:
                self._changed = known.pop(phone, None) is not None or self._changed
        for latest in (self._latest, self._before):
            latest.drop(phones)

    def phones(self) -> list[str]:
        """All of which anything is known."""
        known = {phone for of in (*self._young.values(), *self._old.values()) for phone in of}
        return [*known.union(self._latest.phones(), self._before.phones())]

    def memo(self, now: float) -> bytes | None:
        """Who texted phones last, to be kept; None where nothing has changed since the last
        time."""
        if not self._changed:
            return None
        self._changed = False
        return _encode(Memo(now, [self._old, self._young]))

    def not_kept(self) -> None:
        """What is to be kept was not."""
        self._changed = True

    def learn(self, carrier: str, tenants: Mapping[str, str]) -> None:
        """Take over what was kept of phones, as far as nothing is known and there is room."""
        known, young = self._old.setdefault(carrier, {}), self._young.get(carrier, {})
        for phone, tenant in tenants.items():
            if len(known) >= PHONES:
                break
            if phone not in young and phone not in known:
                known[phone] = tenant
                self._changed = True

"""Conversations that a person has taken over: while one is, no rule answers the phone.

A tenant closes one when it is done; else it is over when its time has passed. That is on record, so
that it holds after a restart, and known to all nodes.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from gateway.api.schema import Error, HandoverAction, HandoverResult, Rejected
from gateway.dispatch.intake.tenants import Tenant
from gateway.numbers import NumberError, canonical, read
from gateway.queue.store import Held, Settlement, Store

REMEMBERED: Final = 100_000
"""Conversations at most, some 20 MB; the one that was handed over first is closed for another."""

_Name = tuple[str, str]
_decode_name = msgspec.json.Decoder(_Name).decode


class Conversations:
    """Those of all tenants, by tenant and phone."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._until: OrderedDict[_Name, float] = OrderedDict()

    def recover(self, held: Iterable[Held]) -> None:
        """Take over what an opened store holds."""
        mine = (one for one in held if one.kind == "handover")
        for one in sorted(mine, key=lambda one: one.expires_at):
            self._until[_decode_name(one.key)] = one.expires_at

    def follow(self, handed: Mapping[str, float]) -> None:
        """Other nodes have opened and closed some: until when, by their keys, 0 for those that are
        closed."""
        for key, until in handed.items():
            name = _decode_name(key)
            self._until.pop(name, None)
            if until:
                self._until[name] = until

    def until(self, tenant: str, phone: str, now: float) -> float | None:
        """Until when a person has a conversation; None where nobody has."""
        until = self._until.get((tenant, canonical(phone)))
        return until if until is not None and until > now else None

    def hand_over(self, tenant: str, phone: str, until: float, settlement: Settlement) -> None:
        """A person takes over."""
        name = tenant, canonical(phone)
        self._until.pop(name, None)
        self._until[name] = until
        settlement.hold.append(Held("handover", _key(name), b"", until))
        if len(self._until) > REMEMBERED:
            oldest, _ = self._until.popitem(last=False)
            settlement.drop.append(("handover", _key(oldest)))

    def page(self, tenant: str, after: str, limit: int, now: float) -> list[HandoverResult]:
        """The next of a tenant's that are open, behind a number, in order of the digits."""
        found = sorted(
            (phone, until)
            for (owner, phone), until in self._until.items()
            if owner == tenant and phone > after and until > now
        )
        return [HandoverResult(phone, True, False, until) for phone, until in found[:limit]]

    def drop(self, tenant: str | None, phones: Collection[str]) -> None:
        """The store has forgotten those of some phones, with a tenant or with everybody."""
        for name in [*self._until]:
            if tenant in (None, name[0]) and name[1] in phones:
                del self._until[name]

    def forget(self, now: float, settlement: Settlement) -> None:
        """Let go of what is over."""
        over = [name for name, until in self._until.items() if until <= now]
        for name in over:
            del self._until[name]
            settlement.drop.append(("handover", _key(name)))

    async def handle(
        self, tenant: Tenant, action: HandoverAction, numbers: Sequence[str], now: float
    ) -> list[HandoverResult | Rejected]:
        """Close conversations, or look them up, in order of ``numbers``."""
        results: list[HandoverResult | Rejected] = []
        closed: list[_Name] = []
        for written in numbers:
            try:
                number = read(written, tenant.options.default_region)
            except NumberError as error:
                results.append(Rejected(Error("invalid_recipient", str(error))))
                continue
            until = self.until(tenant.options.id, number, now)
            if action == "close" and until is not None:
                name = tenant.options.id, canonical(number)
                closed.append(name)
                del self._until[name]
                results.append(HandoverResult(number, False, True))
            else:
                results.append(HandoverResult(number, until is not None, False, until))
        if closed:
            drop = Settlement(drop=[("handover", _key(name)) for name in closed])
            settled = await self._store.settle(drop)
            await self._store.heeded(settled.notice)
        return results


def _key(name: _Name) -> str:
    return msgspec.json.encode(name).decode()

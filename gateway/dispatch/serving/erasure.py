"""Erases a person: all that is known of a phone but its opt-outs, which stay in force.

What waits for the phone is cancelled, and what a carrier has and owes a receipt for ends as
``unknown``; then the events, the keys and the records go (`gateway.queue.operators`). Figures stay:
they name nobody. What a carrier is being given at this very moment has no outcome yet, and is told
as ``left``: it is erased by asking again.
"""

from collections.abc import Collection, Sequence

from gateway.api.schema import Erased
from gateway.dispatch.carriers.fleet import Fleet
from gateway.dispatch.inbound.conversations import Conversations
from gateway.dispatch.intake.texted import Texted
from gateway.dispatch.intake.texted_memos import TextedMemos
from gateway.dispatch.release.steering import Steering
from gateway.dispatch.settling.settle import Settler
from gateway.numbers import canonical, spellings
from gateway.queue.operators import OperatorStore
from gateway.queue.store import NEWEST, Owed, Record


class Erasure:
    """Erases persons."""

    def __init__(
        self,
        *,
        store: OperatorStore,
        steering: Steering,
        settler: Settler,
        fleet: Fleet,
        conversations: Conversations,
        texted: Texted,
        memos: TextedMemos,
    ) -> None:
        self._store = store
        self._steering = steering
        self._settler = settler
        self._fleet = fleet
        self._conversations = conversations
        self._texted = texted
        self._memos = memos

    async def erase(self, tenant: str | None, phone: str) -> Erased:
        """Erase what a tenant has of a phone, or what everybody has with None."""
        phones = spellings(phone)
        cancelled = ended = left = 0
        for owner, records in (await self._live(tenant, phones)).items():
            done = await self._steering.cancel(owner, [one.number for one in records])
            rest = [one for one in records if one.number not in done]
            sent = [one for one in rest if one.state == "sent"]
            await self._end(sent)
            others = [one.number for one in rest if one.state != "sent"]
            # What its carrier does not take after all ends there.
            await self._steering.holds.cancel_single(others)
            cancelled, ended, left = cancelled + len(done), ended + len(sent), left + len(others)
        events = 0
        for owner in [tenant] if tenant is not None else await self._store.tenants():
            events += await self._erase_events(owner, phones)
        records_gone = await self._store.erase_records(tenant, phones)
        await self.forget(tenant, phones)
        return Erased(canonical(phone), cancelled, ended, events, records_gone, left)

    async def forget(self, tenant: str | None, phones: Collection[str]) -> None:
        """Know nothing any more of phones of which the store knows nothing."""
        self._conversations.drop(tenant, phones)
        if tenant is None:
            self._texted.drop(phones)
            await self._memos.keep()

    async def scrub(self) -> bool:
        """Have nothing left on the storage itself, see `OperatorStore.scrub`."""
        return await self._store.scrub()

    async def count(self, tenant: str | None, phone: str) -> int:
        """How many messages without an outcome there are to a phone."""
        return sum(map(len, (await self._live(tenant, spellings(phone))).values()))

    async def _live(self, tenant: str | None, phones: Collection[str]) -> dict[str, list[Record]]:
        """Those messages, by their tenant."""
        by_tenant: dict[str, list[Record]] = {}
        below: int | None = NEWEST
        while below is not None:
            found, below = await self._store.live_to(phones, below)
            for owner, record in found:
                if tenant in (None, owner):
                    by_tenant.setdefault(owner, []).append(record)
        return by_tenant

    async def _end(self, sent: Sequence[Record]) -> None:
        """Messages get their outcome before their receipts, which match nothing then."""
        numbers = {one.number for one in sent}
        for carrier in self._fleet.carriers:
            carrier.correlator.forget_messages(numbers)
        owed = [
            Owed(one.message, bytes(one.message.parts), one.updated_at, one.handed)
            for one in sent
            if one.message is not None
        ]
        await self._settler.give_up(owed)

    async def _erase_events(self, tenant: str, phones: Collection[str]) -> int:
        events, after = 0, 0
        while True:
            erased, following = await self._store.erase_events(tenant, phones, after)
            events += erased
            if following is None:
                return events
            after = following

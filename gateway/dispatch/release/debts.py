"""What becomes of messages for which a carrier owes receipts that will not come: an operator has
them end, or sent once more by another carrier. By themselves they end at their deadline (`upkeep`).
"""

from collections.abc import Awaitable, Callable, Sequence

from gateway.dispatch.ledger import Ledger
from gateway.dispatch.release.pool import CarrierPool
from gateway.dispatch.settling.settle import Settler
from gateway.queue.lanes import Lanes
from gateway.queue.operators import OperatorStore, Owing
from gateway.queue.store import Owed

SLICE = 5_000
"""Messages in one step."""


class Debts:
    """Ends or repeats what carriers owe receipts for.

    Args:
        on_ready: called when messages wait in the store again.
    """

    def __init__(
        self,
        *,
        store: OperatorStore,
        settler: Settler,
        ledger: Ledger,
        lanes: Lanes,
        pool: CarrierPool,
        clock: Callable[[], float],
        on_ready: Callable[[], None],
    ) -> None:
        self._store = store
        self._settler = settler
        self._ledger = ledger
        self._lanes = lanes
        self._pool = pool
        self._clock = clock
        self._on_ready = on_ready

    async def expire(self, owing: Owing, most: int) -> int:
        """End them in what is known of them; returns how many."""

        async def end(owed: Sequence[Owed]) -> int:
            await self._settler.give_up(owed)
            return len(owed)

        return await self._each(owing, most, end)

    async def requeue(self, owing: Owing, most: int) -> int:
        """Have them sent again, by another carrier where there is one; returns how many."""
        carrier = self._pool.carriers.get(owing.carrier)

        async def send_again(owed: Sequence[Owed]) -> int:
            numbers = {one.message.id for one in owed}
            if carrier is not None:
                carrier.correlator.forget_messages(numbers)
            await self._settler.caught_up()  # receipts that came before have their say
            now = self._clock()
            back = await self._store.requeue(owing, list(numbers), now)
            self._ledger.move(back, "sent", "queued")
            self._ledger.deferred(back)
            for message in back:
                self._pool.avoid(message, owing.carrier)
                self._lanes.deferred(message.lane, message.due, now)
            return len(back)

        done = await self._each(owing, most, send_again)
        self._on_ready()
        return done

    async def _each(
        self, owing: Owing, most: int, work: Callable[[Sequence[Owed]], Awaitable[int]]
    ) -> int:
        done, after = 0, ""
        while done < most:
            owed, last = await self._store.owed(owing, after, min(SLICE, most - done))
            if owed:
                done += await work(owed)
            if last is None:
                break
            after = last
        return done

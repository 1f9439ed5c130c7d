"""Weeks in PostgreSQL, a day in a moment: what runs through the tables leaves them as large as they
were, for as long as nobody holds up what clears them away."""

from collections.abc import Callable

import psycopg

from gateway.message import Counted, Event, Message, message_id
from gateway.queue.postgresql import PostgresStore
from gateway.queue.store import Entry, Final, Held, Ref, Sent, Settlement
from tests.queue.contract.rig import LANE
from tests.servers import Postgres

DAY = 86_400.0
KEPT = 8 * DAY
EACH = 120
"""Messages of a day."""


class Traffic:
    """What comes and goes in a day."""

    def __init__(self, postgres: Postgres, database: str, entry: Callable[..., Entry]) -> None:
        self.now = 1_000.0
        self._postgres, self._database, self._entry = postgres, database, entry
        self._last = 0
        dsn = postgres.dsn(database)
        self.store = PostgresStore(dsn, node="a", clock=lambda: self.now)

    async def day(self) -> None:
        """Messages of every kind, from their acceptance to their outcome; then upkeep."""
        store = self.store
        first = self._last + 1
        self._last += EACH
        entries = [self._one(number) for number in range(first, self._last + 1)]
        await store.accept(entries, {})
        waiting = (await store.lease(LANE, self.now, EACH)).messages
        messages = [one.message for one in entries if one.leased] + waiting
        sent = [Sent(m, "alpha", (f"r{m.id}",), self.now + 60) for m in messages]
        held = [Held("receipt", f"h{m.id}", b"x" * 100, self.now + 60) for m in messages[::4]]
        await store.settle(Settlement(sent=sent, hold=held))
        await store.match([Ref("alpha", f"r{m.id}") for m in messages])  # so that each has its rows
        drop = [(one.kind, one.key) for one in held]
        finals = [self._final(m) for m in messages]
        await store.settle(Settlement(finals=finals, drop=drop))
        await store.acknowledge("acme", "crm", await self._seq())
        self.now += DAY
        await store.seen([("acme", "crm")])
        while await store.prune(self.now - KEPT, 1_000):
            pass
        self.vacuum()

    def vacuum(self) -> None:
        """What autovacuum does."""
        tables = "SELECT string_agg(quote_ident(relname), ', ') FROM pg_stat_user_tables"
        [[names]] = self._postgres.ask(self._database, tables)
        self._postgres.ask(self._database, f"VACUUM {names}")

    async def _seq(self) -> int:
        return (await self.store.bounds("acme"))[1]

    def _one(self, number: int) -> Entry:
        return self._entry(
            number,
            key=f"{number:064}",
            parts=1 + number % 2,
            leased=number % 3 > 0,
            accepted_at=self.now,
            due=self.now,
            to=f"4479111{number % 100_000:05}",
            counted=(Counted(7, int(DAY)),),
        )

    def _final(self, m: Message) -> Final:
        event = Event("delivered", self.now, message_id(m.id), m.key, m.to, parts=m.parts)
        return Final(m, event, (Ref("alpha", f"r{m.id}"),))


async def test_weeks_leave_every_table_as_large_as_the_retention(
    postgres: Postgres, database: str, entry: Callable[..., Entry]
) -> None:
    traffic = Traffic(postgres, database, entry)
    await traffic.store.open()
    sizes: list[dict[str, float]] = []
    for _ in range(26):
        await traffic.day()
        seen = await traffic.store.vitals()
        sizes.append(dict(seen.sizes))
        assert seen.dead == dict.fromkeys(seen.dead, 0)
    # By then as much goes as comes: events are kept for nine days, keys for twelve at most.
    steady, later = sizes[10:18], sizes[18:]
    largest = {name: max(one[name] for one in steady) for name in steady[0]}
    grown = {name for one in later for name, size in one.items() if size > largest[name]}
    assert grown - {"stat"} == set()  # kept for 400 days
    await traffic.store.aclose()


async def test_a_transaction_that_stays_open_shows_and_what_it_kept_goes_with_it(
    postgres: Postgres, database: str, entry: Callable[..., Entry]
) -> None:
    traffic = Traffic(postgres, database, entry)
    await traffic.store.open()
    await traffic.day()
    with psycopg.connect(postgres.dsn(database)) as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1 FROM gateway")
        await traffic.day()
        seen = await traffic.store.vitals()
        assert seen.oldest_transaction > 0.0
        assert seen.dead["message"] > EACH / 2
        assert seen.dead["part"] > EACH / 2
        assert seen.dead["use"] > EACH / 2
        assert seen.dead["event"] == seen.dead["finished"] == seen.dead["key"] == 0
    traffic.vacuum()
    after = await traffic.store.vitals()
    assert (after.oldest_transaction, after.dead["message"], after.dead["part"]) == (0.0, 0, 0)
    await traffic.store.aclose()

"""What erases a person (`gateway.queue.operators.OperatorStore.erase_events`)."""

from collections.abc import Callable, Collection
from typing import Any, Final

from gateway.queue import events
from gateway.queue.operators import DIGITS, held_of
from gateway.queue.postgresql import statements
from gateway.queue.postgresql.arrays import int8s, octets, texts
from gateway.queue.postgresql.session import Session, Work
from gateway.queue.search import CHUNKS
from gateway.queue.store import EventChunk

SQL: Final = statements.load("erasing")


def erase_events(tenant: str, phones: Collection[str], after: int) -> Work[tuple[int, int | None]]:
    """Erases what some chunks tell of phones; gives how many events that were, and where to go
    on."""

    def work(session: Session) -> Callable[[], tuple[int, int | None]]:
        number = session.tenant(tenant)
        asked = {"tenant": number, "after": after, "limit": CHUNKS, "phones": _octets_of(phones)}
        rows = session.execute(SQL["chunks"], asked).fetchall()
        erased = 0
        for first, size, body in rows:
            if body is None:
                continue
            found = events.erase(EventChunk(tenant, first, size, bytes(body)), phones)
            if found is not None:
                put = {"tenant": number, "first": first, "body": found.chunk.body}
                session.execute(SQL["rewrite"], put)
                session.execute(SQL["lives"], {"ids": int8s(found.messages)})
                named = octets([key.encode() for key in found.keys])
                session.execute(SQL["keys"], {"tenant": number, "names": named})
                erased += found.events
        following = rows[-1][0] + rows[-1][1] - 1 if len(rows) == CHUNKS else None
        return lambda: (erased, following)

    return work


def erase_records(tenant: str | None, phones: Collection[str]) -> Work[int]:
    """Erases what else is on record of phones; gives how many records that were."""

    def work(session: Session) -> Callable[[], int]:
        number = None if tenant is None else session.tenant(tenant)
        asked: dict[str, Any] = {"tenant": number, "phones": texts(phones)}
        asked["octets"] = _octets_of(phones)
        gone = [
            session.execute(SQL[name], asked)
            for name in ("consents", "uses", "failing", "refusals")
        ]
        begun = held_of(tenant).encode()
        tails = _octets_of({phone[-DIGITS:] for phone in phones})
        gone.append(session.execute(SQL["held"], {"tails": tails, "begun": begun}))
        session.execute(SQL["optouts"], {"scope": tenant, "phones": asked["phones"]})
        return lambda: sum(len(cursor.fetchall()) for cursor in gone)

    return work


def _octets_of(phones: Collection[str]) -> Any:
    return octets([phone.encode() for phone in phones])

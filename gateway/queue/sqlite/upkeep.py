"""What an open store needs now and then: recovery, the filter of opt-outs, and forgetting."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.message import Category, LaneKey, Message, WaitingState
from gateway.queue import events
from gateway.queue.filter import BitFilter
from gateway.queue.sqlite import reads
from gateway.queue.sqlite.bulk import (
    Execute,
    Rows,
    encode_message,
    first,
    messages,
    numbers,
    phones,
)
from gateway.queue.sqlite.schema import GLOBAL_SCOPE, TENANT_BITS
from gateway.queue.sqlite.session import Session
from gateway.queue.store import Count, EventChunk, Held, Recovery

BLOCK: Final = 4_096
"""Rows read or changed at a time: a few milliseconds, some megabytes."""

LANES_PASS: Final = 86_400.0
"""Seconds between looks for campaigns whose messages are gone: one is forgotten by the third."""

PARTS_PASS: Final = 86_400.0
"""Seconds between passes over all parts: how much longer than asked for one may be kept. Parts
mostly go with their message; only those of messages that never got a receipt are left."""

STATS_PASS: Final = 24
"""Hours between looks for counts that are too old."""

LAST_MESSAGE: Final = (1 << 63) - 1

_MARK: Final = Rows(
    "WITH new (id, body) AS (",
    2,
    """) UPDATE OR ROLLBACK message SET state = 0, body = new.body
    FROM new WHERE message.id = new.id""",
)


def was_clean(execute: Execute) -> bool:
    """Whether the last node let go of the store in order."""
    return first(execute, "SELECT clean FROM node", (), 0) == 1


def mark_block(session: Session) -> bool:
    """Put some leased messages back to waiting, marked `maybe_duplicate`; False for none."""
    found = messages(session.execute, "SELECT body FROM message WHERE state = 1 LIMIT ?", (BLOCK,))
    return bool(_put_back(session, found))


def put_back(session: Session, ids: Sequence[int]) -> list[Message]:
    """The same for those of these messages that are leased; returns them."""
    query = "SELECT body FROM message WHERE id IN (SELECT value FROM carray(?)) AND state = 1"
    return _put_back(session, messages(session.execute, query, (numbers(ids),)))


def _put_back(session: Session, found: Sequence[Message]) -> list[Message]:
    marked = [msgspec.structs.replace(message, maybe_duplicate=True) for message in found]
    rows: list[int | bytes] = []
    for message in marked:
        rows += (message.id, encode_message(message))
    _MARK.run(session.execute, rows)
    return marked


def begin(session: Session, clean: bool, now: float) -> Recovery:
    """Note that a node has the store, and say what it holds."""
    execute = session.execute
    execute("UPDATE node SET clean = 0")
    lanes = {
        number: LaneKey(tenant, category, route, campaign or None)
        for number, tenant, category, route, campaign in execute(
            "SELECT id, tenant, category, route, campaign FROM lane"
        )
    }
    first_due: dict[LaneKey, float] = {}
    counts: Counter[tuple[str, Category, WaitingState]] = Counter()
    for lane, ready, later, due in execute(
        f"""SELECT lane, sum(ready), sum(later), min(earliest) FROM {reads.WAITING_BY_LANE}
        GROUP BY lane""",  # noqa: S608
        (now,),
    ):
        tenant, category, *_ = key = lanes[lane]
        first_due[key] = due
        counts[tenant, category, "deferred"] += later
        counts[tenant, category, "queued"] += ready
    for lane, count in execute("SELECT lane, count(*) FROM message WHERE state = 2 GROUP BY lane"):
        counts[lanes[lane].tenant, lanes[lane].category, "sent"] += count
    [(last_id, last_accepted)] = execute("SELECT last_id, last_accepted FROM node")
    return Recovery(
        node=None,
        token=session.token,
        clean=clean,
        last_id=last_id,
        last_accepted=last_accepted,
        lanes=first_due,
        counts=[Count(*what, count) for what, count in counts.items() if count],
        held=[Held(*row) for row in execute("SELECT kind, key, body, expires FROM held")],
    )


def end(session: Session) -> None:
    """Put leased messages back to waiting, and note that the node let go in order."""
    session.execute("UPDATE message SET state = 0 WHERE state = 1")
    session.execute("UPDATE node SET clean = 1")


def load_optouts(execute: Execute) -> BitFilter:
    """The filter of all numbers that are opted out: some 0.5 µs for each."""
    [[count]] = execute("SELECT count(*) FROM optout")
    numbers_out = BitFilter(count)
    for block in phones(
        execute,
        [GLOBAL_SCOPE, *(tenant for [tenant] in execute("SELECT id FROM tenant"))],
        "SELECT number FROM optout WHERE scope = ? AND number > ? ORDER BY number",
    ):
        numbers_out.include(block)
    return numbers_out


def old_events(
    execute: Execute, start: int, before: float, limit: int
) -> tuple[list[EventChunk], int]:
    """The first chunks whose events are all from before a moment, of some of the tenants numbered
    ``start`` and above: about ``limit`` events.

    Returns:
        the chunks, and the tenant to go on with; 0 where none of them has any more.
    """
    found: list[EventChunk] = []
    tenants = "SELECT id, name FROM tenant WHERE id >= ? ORDER BY id"
    for number, tenant in list(execute(tenants, (start,))):
        base, first_kept = number << TENANT_BITS, reads.bounds(execute, number)[0]
        stop = first_kept + limit - sum(chunk.size for chunk in found)
        found += reads.chunks(execute, tenant, number, base + first_kept, base + stop, before)
        if sum(chunk.size for chunk in found) >= limit:
            return found, number
    return found, 0


def forget_events(session: Session, old: Sequence[EventChunk]) -> int:
    """Forget chunks and whose outcomes they tell; returns how many rows went."""
    execute, tenants = session.execute, session.tenants
    before = session.connection.total_changes()
    rows = [(tenants.number(chunk.tenant) << TENANT_BITS) + chunk.first for chunk in old]
    execute("DELETE FROM event WHERE id IN (SELECT value FROM carray(?))", (numbers(rows),))
    told = [number for chunk in old for number in events.message_numbers(chunk)]
    if told:
        execute("DELETE FROM finished WHERE id IN (SELECT value FROM carray(?))", (numbers(told),))
    return session.connection.total_changes() - before


def hasten_block(session: Session, start: int, now: float, moment: float) -> int | None:
    """Make due those of some messages above ``start`` that were to wait for a moment only; returns
    where to go on, None at the end. What their bodies say stays."""
    execute = session.execute
    stop = first(
        execute,
        "SELECT id FROM message WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?",
        (start, BLOCK - 1),
        LAST_MESSAGE,
    )
    execute(
        """UPDATE message SET due = ?3 WHERE id > ?1 AND id <= ?2
        AND state = 0 AND due > ?3 AND due <= at + ?4""",
        (start, stop, now, moment),
    )
    return None if stop == LAST_MESSAGE else stop


def forget_lanes(session: Session, dead: Sequence[int]) -> int:
    """Forget lanes without messages; returns how many."""
    execute = session.execute
    execute("DELETE FROM lane WHERE id IN (SELECT value FROM carray(?))", (numbers(dead),))
    return session.connection.changes()


def forget_consumers(session: Session, before: float) -> int:
    """Forget consumers that were not seen since a moment; returns how many."""
    session.execute("DELETE FROM cursor WHERE seen < ?", (before,))
    return session.connection.changes()


PartKey = tuple[int, str]
"""The number of a carrier and a reference."""

FIRST_PART: Final[PartKey] = (0, "")
LAST_PART: Final[PartKey] = (LAST_MESSAGE, "")


def forget_parts_block(
    session: Session, start: PartKey, before: float
) -> tuple[int, PartKey | None]:
    """Forget the old parts without a message among some that follow ``start``.

    Returns:
        how many went, and where to go on, None at the end of the table.
    """
    execute = session.execute
    stop = LAST_PART
    for row in list(
        execute(
            """SELECT carrier, ref FROM part WHERE (carrier, ref) > (?, ?)
            ORDER BY carrier, ref LIMIT 1 OFFSET ?""",
            (*start, BLOCK - 1),
        )
    ):
        stop = row
    execute(
        """DELETE FROM part WHERE (carrier, ref) > (?, ?) AND (carrier, ref) <= (?, ?)
        AND at < ? AND message NOT IN (SELECT id FROM message)""",
        (*start, *stop, before),
    )
    return session.connection.changes(), None if stop == LAST_PART else stop

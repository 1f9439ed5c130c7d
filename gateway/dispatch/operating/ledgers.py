"""The audit: a record of each change, begun before it is made and ended with what came of it, so
that no change is without one."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from gateway.errors import StoreError
from gateway.ops.commands import Command
from gateway.ops.operations import Caller
from gateway.ops.problems import ProblemError
from gateway.ops.views import AuditRecord, AuditResult, Done
from gateway.queue.operators import OperatorStore
from gateway.queue.store import NEWEST

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AuditRecord).decode


class Audit:
    """Keeps the records."""

    def __init__(self, store: OperatorStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def begin(self, command: Command, caller: Caller) -> AuditRecord:
        """A change is about to be made. Raises StoreError: then it is not to be."""
        record = AuditRecord(
            id=0,
            at=self._clock(),
            who=caller.name,
            role=caller.role,
            client=caller.client,
            verb=command.verb,
            subject=command.subject,
            phone=command.phone,
            before={},
            after={},
            result="begun",
            detail=command.why,
        )
        number = await self._store.note_change(None, record.at, _encode(record))
        return msgspec.structs.replace(record, id=number)

    async def done(self, record: AuditRecord, done: Done) -> None:
        """It was made."""
        await self._end(record, "done", before=done.before, after=done.after)

    async def refused(self, record: AuditRecord, error: ProblemError | StoreError) -> None:
        """It was not made."""
        detail = f"{record.detail}: {error}" if record.detail else str(error)
        result: AuditResult = "refused" if isinstance(error, ProblemError) else "failed"
        await self._end(record, result, detail=detail)

    async def _end(self, record: AuditRecord, result: AuditResult, **more: Any) -> None:
        ended = msgspec.structs.replace(record, result=result, **more)
        await self._store.note_change(record.id, record.at, _encode(ended))

    async def read(self, before: int | None, limit: int) -> Sequence[AuditRecord]:
        """The newest records before one."""
        found = await self._store.changes(NEWEST if before is None else before, limit)
        return [msgspec.structs.replace(_decode(one.body), id=one.number) for one in found]

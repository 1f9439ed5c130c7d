"""The audit: a record of each change, begun before it is made and ended with what came of it, so
that no change is without one."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import msgspec

from gateway.errors import StoreError
from gateway.message import masked
from gateway.numbers import NumberError, read
from gateway.ops.commands import Command
from gateway.ops.operations import Caller
from gateway.ops.problems import ProblemError
from gateway.ops.views import AuditRecord, AuditResult, Done
from gateway.queue.operators import OperatorStore
from gateway.queue.store import NEWEST

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AuditRecord).decode


PAGE: Final = 1_000
"""Records that are looked through at a time."""


def _of(written: str, phones: Collection[str]) -> bool:
    """Whether a number, as an operator wrote it, is one of a phone's."""
    try:
        return read(written) in phones
    except NumberError:
        return False


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

    async def erase(self, phones: Collection[str]) -> None:
        """Leave nothing of a phone in the records but its masked number."""
        before = NEWEST
        while found := await self._store.changes(before, PAGE):
            before = found[-1].number
            for one in found:
                record = _decode(one.body)
                if record.phone is not None and _of(record.phone, phones):
                    hidden = masked(record.phone)
                    less = msgspec.structs.replace(record, phone=hidden)
                    await self._store.note_change(one.number, one.at, _encode(less))

    async def read(self, before: int | None, limit: int) -> Sequence[AuditRecord]:
        """The newest records before one."""
        found = await self._store.changes(NEWEST if before is None else before, limit)
        return [msgspec.structs.replace(_decode(one.body), id=one.number) for one in found]

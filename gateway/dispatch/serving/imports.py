"""Imports that hold all or not at all: opt-outs and consents are staged in the store until their
tenant says that all have come, and are carried out from then on, whatever ends meanwhile.

What is carried out says what it said when it was staged: a phone's stop since then counts for more
than a list that takes opt-outs back, and a consent is as old as its row.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog
import trio

from gateway.api.schema import ConsentAction, Into, OptoutAction
from gateway.dispatch.settling.settle import Settler
from gateway.errors import RequestError
from gateway.ops.metrics import Metrics
from gateway.queue.consents import Consent
from gateway.queue.store import Import, OptoutChange, OptoutSource, Staged, Store

log = structlog.get_logger(__name__)

LARGEST: Final = 10_000_000
"""Changes of an import: as many as there are opt-outs of a large tenant, some 200 MB."""

PATIENCE: Final = 0.25
"""Seconds for which `Imports.apply` waits for the end before it says how far it is: as often as a
progress bar is to move."""

LOOK: Final = 1.0
"""Seconds between looks for what other nodes have marked."""

GLANCE: Final = 0.05
"""Seconds between looks whether an import is done that somebody waits for."""


class StagedOptouts(msgspec.Struct, frozen=True, array_like=True, tag="optouts"):
    """Opt-outs that were staged together; see `OptoutChange`."""

    action: OptoutAction
    source: OptoutSource
    at: float
    numbers: Sequence[str]


class StagedConsents(msgspec.Struct, frozen=True, array_like=True, tag="consents"):
    """Consents that were staged together."""

    action: ConsentAction
    records: Sequence[Consent]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(StagedOptouts | StagedConsents).decode


class Imports:
    """Stages changes, and carries them out."""

    def __init__(
        self, store: Store, settler: Settler, metrics: Metrics, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._settler = settler
        self._metrics = metrics
        self._clock = clock
        self._marked = trio.Event()

    async def stage(
        self, tenant: str, into: Into, size: int, changes: StagedOptouts | StagedConsents
    ) -> None:
        """Put so many changes aside; durable when this returns. Raises RequestError where the
        import takes no more."""
        if not size:
            return
        known = await self._store.imported(tenant, into.name)
        if known is not None and known.size + size > LARGEST:
            raise RequestError("bad_request", f"import: more than {LARGEST} changes; split it")
        staged = Staged(tenant, into.name, into.part, size, _encode(changes))
        known = await self._store.stage(staged, self._clock())
        if known.marked is not None:
            what = f"import: {into.name!r} was applied; take another name"
            raise RequestError("bad_request", what)

    async def apply(self, tenant: str, name: str, size: int) -> Import:
        """Have all of an import hold. Waits until it does, or for `PATIENCE`: with no ``rest``, all
        of it holds on all nodes. Raises RequestError where not ``size`` changes are staged: none of
        them holds then. One that was applied already is told of."""
        now = self._clock()
        known = await self._store.apply(tenant, name, size, now)
        if known is None or known.marked is None:
            staged = 0 if known is None else known.size
            raise RequestError(
                "bad_request",
                f"size: {staged} changes are staged as {name!r}, not {size}; none of them holds:"
                " stage all under another name",
            )
        if known.marked == now:
            log.info("import_applied", tenant=tenant, changes=size)
        self._marked.set()
        with trio.move_on_after(PATIENCE):
            while known.rest:
                await trio.sleep(GLANCE)
                known = await self._store.imported(tenant, name) or known
        return known

    async def run(self) -> None:
        """Carry out what is marked, for ever."""
        while True:
            staged = await self._settler.persistently(self._store.next_staged)
            if staged is not None:
                await self._carry_out(staged)
                continue
            with trio.move_on_after(LOOK):
                await self._marked.wait()
            self._marked = trio.Event()

    async def _carry_out(self, staged: Staged) -> None:
        said, tenant = _decode(staged.body), staged.tenant
        optouts: list[OptoutChange] = []
        consents: Sequence[Consent] = ()
        if isinstance(said, StagedOptouts):
            out, source, at = said.action == "add", said.source, said.at
            optouts = [OptoutChange(tenant, number, out, source, at) for number in said.numbers]
        else:
            consents = said.records
        changed = await self._settler.persistently(
            lambda: self._store.carry_out(staged, optouts, consents)
        )
        if not (done := sum(changed or ())):
            return
        if isinstance(said, StagedOptouts):
            self._metrics.optouts.add(done, tenant, said.source, said.action)
        else:
            self._metrics.consents.add(done, tenant, said.action)

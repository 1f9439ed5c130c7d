"""What the API asks of the gateway behind it. `gateway.dispatch` answers; tests have a fake.

Every method may raise `RequestError`, which refuses the request whole with its code, and
`StoreError`, which refuses it as ``busy``. Anything else that leaves a method is a bug: it is
logged and costs that one connection.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import trio

from gateway.api.schema import (
    Accepted,
    Cancelled,
    ConsentAction,
    ConsentResult,
    ConsentRow,
    ConsumersAction,
    ConsumerState,
    Counted,
    Erased,
    Explained,
    HandoverAction,
    HandoverResult,
    Imported,
    Into,
    MessageStatus,
    OptoutAction,
    OptoutBy,
    OptoutResult,
    Quoted,
    Rejected,
    Start,
    SubmitMessage,
    Template,
    TemplateState,
)


class Subscription(Protocol):
    """One consumer's place in its tenant's events. It needs no closing: who stops calling
    `receive` has let go of it.

    Attributes:
        scope: cancelled where the gateway's operators end it, and with it the connection.
    """

    scope: trio.CancelScope

    @property
    def next(self) -> int:
        """The ``seq`` of the first event that `receive` is to give."""

    async def receive(self) -> Sequence[tuple[int, bytes]]:
        """Wait for events and return them in order of ``seq``, in chunks ``(count, body)``: each
        body is ``count`` msgpack maps one after the other. A chunk becomes a frame, so its body is
        well below ``max_frame``."""


class Backend(Protocol):
    """The gateway as a tenant's connection sees it."""

    @property
    def epoch(self) -> str:
        """Names what the ``seq`` of events counts in; see `gateway.queue.store.Store.epoch`."""

    def tokens(self) -> Mapping[bytes, str]:
        """The SHA-256 digest of every token that is valid now, and the tenant it stands for. A
        connection whose token is no longer among them ends."""

    async def submit(
        self, tenant: str, batches: Sequence[Sequence[SubmitMessage]]
    ) -> Sequence[Sequence[Accepted | Rejected]]:
        """Accept the messages of several requests that arrived together; a result for each message,
        in its place. When this returns, what was accepted is durable."""

    async def quote(
        self, tenant: str, messages: Sequence[SubmitMessage]
    ) -> Sequence[Quoted | Rejected]:
        """What submitting now would give."""

    async def status(
        self, tenant: str, ids: Sequence[str], keys: Sequence[str]
    ) -> Sequence[MessageStatus | None]:
        """Where messages stand, ids first; None for one this tenant does not have."""

    async def cancel(
        self, tenant: str, ids: Sequence[str], keys: Sequence[str], campaign: str | None
    ) -> Cancelled:
        """Cancel what no carrier has yet."""

    async def pause(self, tenant: str, campaign: str) -> int:
        """Send nothing more of a campaign; returns how many of its messages that holds."""

    async def resume(self, tenant: str, campaign: str, extend: float | None) -> int:
        """Go on with a campaign, whose messages then expire ``extend`` seconds later; returns how
        many were held, 0 where it was not paused."""

    async def stats(
        self, tenant: str, campaign: str | None, since: float | None, until: float | None
    ) -> Counted:
        """What was counted for a tenant, of one campaign or of everything, from the hour in which
        ``since`` is to the one before ``until``; from the first to the last one where they are
        None."""

    async def optout(
        self,
        tenant: str,
        action: OptoutAction,
        numbers: Sequence[str],
        source: OptoutBy,
        into: Into | None,
    ) -> Sequence[OptoutResult | Rejected]:
        """Add, remove or look up opt-outs, in order of ``numbers``, as ``source`` may. ``into``
        names an import in which they are staged: nothing changes before that is applied."""

    async def explain(
        self, tenant: str, ids: Sequence[str], keys: Sequence[str]
    ) -> Sequence[Explained | None]:
        """The lives of messages, of ``ids`` and then of ``keys``."""

    async def consent(
        self,
        tenant: str,
        action: ConsentAction,
        rows: Sequence[ConsentRow],
        into: Into | None,
    ) -> Sequence[ConsentResult | Rejected]:
        """Change or look up consents, in order of ``rows``; ``into`` as of `optout`."""

    async def apply(self, tenant: str, name: str, size: int) -> Imported:
        """Have all changes of an import hold, which are so many, and say after a while how far that
        is. Once it was said, it goes on whatever ends meanwhile."""

    async def erase(self, tenant: str, number: str) -> Erased:
        """Erase all that is known of a phone but its opt-outs; raises RequestError where it is no
        number."""

    async def handovers(self, tenant: str, after: str) -> Sequence[HandoverResult]:
        """The next conversations that a person has, behind a number."""

    async def handover(
        self, tenant: str, action: HandoverAction, numbers: Sequence[str]
    ) -> Sequence[HandoverResult | Rejected]:
        """Close conversations that a person has, or look them up, in order of ``numbers``."""

    async def consents(self, tenant: str, after: str) -> Sequence[ConsentResult]:
        """The next of the tenant's consents behind a number, in order of the digits."""

    async def optouts(self, tenant: str, after: str) -> Sequence[OptoutResult]:
        """The next of the tenant's own opt-outs behind a number, in order of the digits."""

    async def template(self, tenant: str, request: Template) -> Sequence[TemplateState]:
        """Make, look up, list or forget the tenant's templates; those that it is about."""

    async def subscribe(self, tenant: str, consumer: str, start: Start) -> Subscription:
        """Events after the consumer's cursor (``acked``), from the oldest kept (``start``), or only
        those still to come (``now``)."""

    async def acknowledge(self, tenant: str, consumer: str, seq: int, epoch: str | None) -> int:
        """Move a consumer's cursor forward to ``seq``; returns where it stands now. An older
        ``seq``, or one of another epoch, changes nothing."""

    async def consumers(
        self, tenant: str, action: ConsumersAction, consumer: str | None
    ) -> Sequence[ConsumerState]:
        """The tenant's consumers, or the one that is named, as they stood before ``action``."""

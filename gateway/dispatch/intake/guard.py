"""Counts one-time passwords to watched ranges for `gateway.policy.pumping`, and reports what it
holds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import msgspec
import structlog
from msgspec import structs

from gateway.dispatch.intake.tenants import Tenant
from gateway.errors import StoreError
from gateway.facts import Facts
from gateway.message import URGENT, Message
from gateway.ops.logs import Sparing
from gateway.policy.pumping import RANGE, Pumping, PumpingOptions, Ranges, was_held
from gateway.policy.rules import Verdicts
from gateway.queue.store import Store

log = structlog.get_logger(__name__)

MEMO: Final = "pumping"
"""Under which the store keeps what is usual, where one node counts."""

FORGOTTEN_AFTER: Final = 30 * 86_400.0
"""Seconds after which a range to which nothing went is forgotten, where several nodes count."""


class Guard:
    """What the rule of traffic pumping needs to know, and what it has others know."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ranges = Ranges()
        self._warn = Sparing(log.warning)

    async def load(self) -> None:
        """Remember what is usual. Raises StoreError."""
        kept = await self._store.recall(MEMO)
        if kept is not None:
            with suppress(msgspec.DecodeError):  # of a later version: it is learnt anew
                self._ranges.recall(kept)

    async def keep(self) -> None:
        """Put on record what is usual, where it has changed. Raises StoreError."""
        if self._store.shared:
            return  # it is, range by range
        memo = self._ranges.memo()
        if memo is not None:
            await self._store.remember(MEMO, memo)

    def configure(self, options: PumpingOptions) -> None:
        """Count by these options from now on."""
        self._ranges.configure(options)

    async def look(self, tenant: Tenant, messages: Sequence[Message], now: float) -> None:
        """Where other nodes count too: know what goes to the ranges of a batch. Raises
        StoreError."""
        rule = tenant.policy.pumping
        if rule is not None and self._store.shared:
            await self._share({(tenant.options.id, name) for name in rule.ranges(messages)}, now)

    async def tell(self, now: float) -> None:
        """Have other nodes know what was counted here. Raises StoreError."""
        if self._store.shared:
            await self._share(set(), now)

    async def _share(self, asked: set[tuple[str, str]], now: float) -> None:
        ranges, steps = self._ranges, self._ranges.take_untold()
        names = {msgspec.json.encode(name).decode(): name for name in asked.union(steps)}
        if not names:
            return

        def change(known: Mapping[str, bytes]) -> Mapping[str, bytes]:
            return {
                key: ranges.revised(known.get(key), steps.get(name, 0), now)
                for key, name in names.items()
            }

        try:
            rows = await self._store.revise("range", [*names], change, now + FORGOTTEN_AFTER)
        except StoreError:
            ranges.not_told(steps)
            raise
        for key, row in rows.items():
            ranges.know(*names[key], row)

    def informed(
        self, tenant: Tenant, messages: Sequence[Message], facts: Facts, now: float
    ) -> Facts:
        """The facts of a batch with how many more may go to the ranges in it. Nothing is looked at
        where the tenant does not have the rule."""
        rule = tenant.policy.pumping
        ranges = rule.ranges(messages) if rule is not None else None
        if not ranges:
            return facts
        return structs.replace(facts, rooms=self._ranges.rooms(tenant.options.id, set(ranges), now))

    def note(
        self, tenant: Tenant, messages: Sequence[Message], verdicts: Verdicts, now: float
    ) -> Sequence[Message]:
        """A batch was judged: count the passwords that may go, which are returned, and report what
        is held."""
        rule = tenant.policy.pumping
        if rule is None:
            return ()
        held = {index for index, verdict in verdicts.items() if verdict.rule == Pumping.name}
        name = tenant.options.id
        going = [
            message
            for index, message in enumerate(messages)
            if message.category == URGENT and index not in verdicts
        ]
        self._ranges.note(name, rule.ranges(going), now)
        for where, count in Counter(messages[index].to[:-RANGE] for index in held).items():
            self._warn(
                "otp_rise_held", f"{name} {where}", now, tenant=name, range=_shown(where),
                messages=count,
            )  # fmt: skip
        return going

    def take_back(self, tenant: Tenant, messages: Sequence[Message], now: float) -> None:
        """Messages that were counted do not go after all: they were not accepted, or long ago."""
        rule = tenant.policy.pumping
        if rule is not None and messages:
            self._ranges.note(tenant.options.id, rule.ranges(messages), now, -1)

    def informed_again(
        self, tenant: Tenant, messages: Sequence[Message], facts: Facts, now: float
    ) -> Facts:
        """The same as `informed` of messages that are about to go."""
        late = [message for message in messages if was_held(message)]
        return self.informed(tenant, late, facts, now) if late else facts

    def note_again(
        self, tenant: Tenant, messages: Sequence[Message], verdicts: Verdicts, now: float
    ) -> None:
        """The same as `note` of messages that are about to go."""
        rule = tenant.policy.pumping
        if rule is not None:
            going = [
                message
                for index, message in enumerate(messages)
                if index not in verdicts and was_held(message)
            ]
            self._ranges.note(tenant.options.id, rule.ranges(going), now)


def _shown(name: str) -> str:
    """A range fit for a log: a range of ten thousand numbers is nobody's."""
    return name + "x" * RANGE

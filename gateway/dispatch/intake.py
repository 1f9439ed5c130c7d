"""The way in: submitted batches become messages, are judged, and are made durable.

Everything is done for all requests that arrived together: one look-up of facts, one run of the
tenant's admission chain, one commit. Messages that are due go straight to their lane where there
is room. Nothing is answered before it is durable.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import Final, Literal
from zlib import crc32

import msgspec

from gateway.api.schema import Accepted, Error, Quoted, Rejected, SubmitMessage
from gateway.dispatch.ids import MessageNumbers
from gateway.dispatch.ledger import Ledger
from gateway.dispatch.routing import Router
from gateway.dispatch.tenants import Tenant
from gateway.dispatch.turnstile import Turnstile
from gateway.errors import MessageCode
from gateway.message import CATEGORIES, Category, Message, Report, message_id
from gateway.ops.metrics import Metrics
from gateway.policy.recipients import normalise
from gateway.policy.rules import Defer, Facts, Refuse, Verdicts
from gateway.policy.senders import normalise as normalise_sender
from gateway.queue.lanes import Lanes
from gateway.queue.store import Entry, Known, Store
from gateway.text.errors import TextError
from gateway.text.measuring import measure

NAME_MAX = 64
"""Octets of an idempotency key, characters of a campaign."""

BULK = 2_000
"""Messages, but for one-time passwords, that may be on their way into the store at once: some ten
milliseconds of commits, which is what a one-time password may have to wait for."""

AHEAD = 366 * 86_400.0
"""The furthest that ``send_at`` and ``expires_at`` may lie ahead, in seconds."""


ENCODINGS: Final[Mapping[str | None, Literal["auto", "gsm7", "ucs2"]]] = {
    None: "auto",
    "auto": "auto",
    "gsm7": "gsm7",
    "ucs2": "ucs2",
}
REPORTS: Final[Mapping[str | None, Report]] = {None: "final", "final": "final", "none": "none"}
KNOWN_CATEGORIES: Final[Mapping[str, Category]] = {name: name for name in CATEGORIES}
"""What a message may say, and what it means where it says nothing."""


class Refusal(Exception):  # noqa: N818  # it is an answer, not an error of ours
    """A message is refused alone."""

    def __init__(self, code: MessageCode, why: str) -> None:
        super().__init__(why)
        self.code: MessageCode = code
        self.why = why


class Intake:
    """Takes in what tenants submit.

    Args:
        on_ready: called when lanes got messages.
    """

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        ledger: Ledger,
        metrics: Metrics,
        numbers: MessageNumbers,
        clock: Callable[[], float],
        on_ready: Callable[[], None],
    ) -> None:
        self.router = Router([])
        self._store = store
        self._lanes = lanes
        self._ledger = ledger
        self._metrics = metrics
        self._numbers = numbers
        self._clock = clock
        self._on_ready = on_ready
        self._bulk = Turnstile(BULK)

    async def submit(
        self, tenant: Tenant, batches: Sequence[Sequence[SubmitMessage]]
    ) -> list[list[Accepted | Rejected]]:
        """A result for each message of each batch, once what was accepted is durable.

        Raises:
            StoreError: the store refuses; nothing was accepted.
        """
        started = self._clock()
        submitted = [message for batch in batches for message in batch]
        if _urgent(tenant, submitted):
            results = await self._submit(tenant, submitted)
        else:
            await self._bulk.enter(len(submitted))
            try:
                results = await self._submit(tenant, submitted)
            finally:
                self._bulk.leave(len(submitted))
        self._count(tenant.options.id, results)
        self._metrics.accept_seconds.observe(self._clock() - started, len(submitted))
        found = iter(results)
        return [[_answered(next(found)) for _ in batch] for batch in batches]

    async def _submit(
        self, tenant: Tenant, submitted: Sequence[SubmitMessage]
    ) -> list[Accepted | Rejected | None]:
        now = self._clock()
        results: list[Accepted | Rejected | None]
        drafts, results = self._drafts(tenant, submitted, now)
        verdicts = await self._judge(tenant, [draft for _, draft in drafts], now)
        admitted: list[tuple[int, Message]] = []
        refused: list[tuple[int, Message, Refuse]] = []
        put_off: Counter[str] = Counter()
        for position, (index, draft) in enumerate(drafts):
            verdict = verdicts.get(position) if verdicts else None
            if verdict is None:
                admitted.append((index, draft))
            elif isinstance(verdict, Defer):
                put_off[verdict.rule] += 1
                admitted.append((index, _deferred(draft, verdict.until)))
            else:
                refused.append((index, draft, verdict))
        for rule, count in put_off.items():
            self._metrics.messages_deferred.add(count, tenant.options.id, rule)
        if refused:
            await self._refuse(tenant.options.id, refused, results)
        if admitted:
            await self._accept(admitted, results, now)
        return results

    async def quote(
        self, tenant: Tenant, submitted: Sequence[SubmitMessage]
    ) -> list[Quoted | Rejected]:
        """What submitting now would give; nothing is stored."""
        now = self._clock()
        drafts, refused = self._drafts(tenant, submitted, now)
        verdicts = await self._judge(tenant, [draft for _, draft in drafts], now)
        results: list[Quoted | Rejected | None] = [
            result if isinstance(result, Rejected) else None for result in refused
        ]
        for position, (index, draft) in enumerate(drafts):
            verdict = verdicts.get(position)
            if isinstance(verdict, Refuse):
                results[index] = _rejected(verdict.code, verdict.why)
            else:
                due = max(draft.due, verdict.until) if verdict is not None else draft.due
                later = due if due > now else None
                results[index] = Quoted(draft.parts, draft.encoding, later)
        return [result for result in results if result is not None]

    async def reply(self, messages: Sequence[Message]) -> None:
        """Accept messages of our own making (confirmations of opt-outs)."""
        now = self._clock()
        await self._accept(list(enumerate(messages)), [None] * len(messages), now)

    def number(self) -> int:
        """A number for a message of our own making."""
        return self._numbers.take(1, self._clock())[0]

    # --- a draft ---

    def _drafts(
        self, tenant: Tenant, submitted: Sequence[SubmitMessage], now: float
    ) -> tuple[list[tuple[int, Message]], list[Accepted | Rejected | None]]:
        """Messages of what is well formed, by index; a result already for what is not."""
        drafts: list[tuple[int, Message]] = []
        results: list[Accepted | Rejected | None] = [None] * len(submitted)
        numbers = self._numbers.take(len(submitted), now)
        for index, message in enumerate(submitted):
            try:
                drafts.append((index, self._draft(tenant, message, numbers[index], now)))
            except Refusal as refusal:
                results[index] = _rejected(refusal.code, refusal.why)
            except TextError as error:
                results[index] = _rejected(error.code, str(error))
        return drafts, results

    def _draft(self, tenant: Tenant, submitted: SubmitMessage, number: int, now: float) -> Message:
        options = tenant.options
        to = normalise(submitted.to)
        if to is None:
            raise Refusal(
                "invalid_recipient",
                f"to: {submitted.to[:32]!r} is no E.164 number: 7 to 15 digits with the country "
                "code, with or without +",
            )
        category = options.category
        if submitted.category is not None:
            named = KNOWN_CATEGORIES.get(submitted.category)
            if named is None:
                raise _wrong("category", submitted.category, "otp, transactional or marketing")
            category = named
        sender = options.sender
        if submitted.sender is not None and submitted.sender != sender:
            sender = normalise_sender(submitted.sender) or submitted.sender
        if not sender:
            raise Refusal("invalid_sender", "from: missing, and the tenant has no default sender")
        wanted = ENCODINGS.get(submitted.encoding)
        if wanted is None:
            raise _wrong("encoding", submitted.encoding, "auto, gsm7 or ucs2")
        report = REPORTS.get(submitted.report)
        if report is None:
            raise _wrong("report", submitted.report, "final or none")
        key = submitted.key
        if key is not None and not 0 < len(key.encode()) <= NAME_MAX:
            raise _wrong("key", key, f"1 to {NAME_MAX} octets long")
        campaign = submitted.campaign
        if campaign is not None and not 0 < len(campaign) <= NAME_MAX:
            raise _wrong("campaign", campaign, f"1 to {NAME_MAX} characters long")
        due = now
        if submitted.send_at is not None:
            if not 0 <= submitted.send_at <= now + AHEAD:
                raise _wrong("send_at", submitted.send_at, "Unix seconds within a year from now")
            due = max(now, submitted.send_at)
        expires_at = due + options.validity[category]
        if submitted.expires_at is not None:
            expires_at = submitted.expires_at
            if not 0 <= expires_at <= now + 2 * AHEAD:
                raise _wrong("expires_at", expires_at, "Unix seconds within two years from now")
            if expires_at <= due:
                raise Refusal("expired", f"expires_at: {expires_at} is not after {due}")
        encoding, parts = measure(submitted.text, wanted)
        route = self.router.route(options.id, category, to)
        if route is None:
            raise Refusal("no_route", f"no route takes {category} messages to {to[:4]}…")
        return Message(
            number,
            options.id,
            to,
            sender,
            submitted.text,
            category,
            route,
            encoding,
            parts,
            now,
            due,
            expires_at,
            report,
            key,
            campaign,
        )

    # --- verdicts ---

    async def _judge(self, tenant: Tenant, drafts: Sequence[Message], now: float) -> Verdicts:
        name = tenant.options.id
        out = await self._store.opted_out(name, [draft.to for draft in drafts])
        facts = Facts(opted_out=out, queued=self._ledger.total(name))
        return tenant.policy.admission.judge(drafts, facts, now)

    async def _refuse(
        self,
        tenant: str,
        refused: Sequence[tuple[int, Message, Refuse]],
        results: list[Accepted | Rejected | None],
    ) -> None:
        """Refuse messages, but for those whose key was accepted before: these are duplicates."""
        keys = [draft.key for _, draft, _ in refused if draft.key is not None]
        known = await self._store.known(tenant, keys) if keys else {}
        for index, draft, verdict in refused:
            earlier = known.get(draft.key) if draft.key is not None else None
            if earlier is None:
                results[index] = _rejected(verdict.code, verdict.why)
            else:
                results[index] = _duplicate(draft, earlier)

    # --- acceptance ---

    async def _accept(
        self,
        admitted: Sequence[tuple[int, Message]],
        results: list[Accepted | Rejected | None],
        now: float,
    ) -> None:
        messages = [message for _, message in admitted]
        direct = self._lanes.reserve(messages, now)
        entries = [
            Entry(message, _digest(message) if message.key is not None else 0, leased)
            for message, leased in zip(messages, direct, strict=True)
        ]
        waiting = [message for message in messages if message.due > now]
        queued = [message for message in messages if message.due <= now] if waiting else messages
        self._ledger.enter(queued, "queued")
        self._ledger.enter(waiting, "deferred")
        try:
            known = await self._store.accept(entries)
        except BaseException:
            self._ledger.leave(queued, "queued")
            self._ledger.leave(waiting, "deferred")
            self._lanes.forgo(compress(messages, direct))
            raise
        if known:
            again = [messages[index] for index in known]
            self._ledger.leave([m for m in again if m.due <= now], "queued")
            self._ledger.leave([m for m in again if m.due > now], "deferred")
            self._lanes.forgo(messages[index] for index in known if direct[index])
            direct = [leased and index not in known for index, leased in enumerate(direct)]
        self._lanes.admit(compress(messages, direct))
        self._on_ready()
        for position, (index, message) in enumerate(admitted):
            earlier = known.get(position) if known else None
            if earlier is None:
                later = message.due if message.due > now else None
                results[index] = Accepted(
                    message_id(message.id), message.parts, message.encoding, later
                )
            else:
                results[index] = _duplicate(message, earlier)
        if known:
            fresh = [m for position, m in enumerate(messages) if position not in known]
        else:
            fresh = messages
        counts: dict[tuple[str, str], int] = {}
        for message in fresh:
            key = (message.tenant, message.category)
            counts[key] = counts.get(key, 0) + 1
        for (tenant, category), count in counts.items():
            self._metrics.messages_accepted.add(count, tenant, category)

    def _count(self, tenant: str, results: Sequence[Accepted | Rejected | None]) -> None:
        codes: dict[str, int] = {}
        for result in results:
            if isinstance(result, Rejected):
                codes[result.error.code] = codes.get(result.error.code, 0) + 1
        for code, count in codes.items():
            self._metrics.messages_refused.add(count, tenant, code)


def _urgent(tenant: Tenant, submitted: Sequence[SubmitMessage]) -> bool:
    """Whether these are one-time passwords and nothing else."""
    category = tenant.options.category
    return all((message.category or category) == "otp" for message in submitted)


def _deferred(message: Message, until: float) -> Message:
    return msgspec.structs.replace(message, due=max(message.due, until))


def _digest(message: Message) -> int:
    """Tells messages under one key apart by what the recipient would see, and its campaign."""
    content = "\0".join(
        (message.to, message.sender, message.category, message.campaign or "", message.text)
    )
    return crc32(content.encode())


def _duplicate(message: Message, earlier: Known) -> Accepted | Rejected:
    if earlier.digest != _digest(message):
        return _rejected(
            "key_conflict", f"key: {message.key!r} stands for a message with other content"
        )
    return Accepted(message_id(earlier.message), message.parts, message.encoding, duplicate=True)


def _rejected(code: MessageCode, why: str) -> Rejected:
    return Rejected(Error(code, why))


def _wrong(field: str, value: object, mend: str) -> Refusal:
    return Refusal("invalid_value", f"{field}: {str(value)[:32]!r} is not {mend}")


def _answered(result: Accepted | Rejected | None) -> Accepted | Rejected:
    if result is None:
        raise AssertionError("a message without a result")
    return result

"""The way in: submitted batches become messages, are judged, and are made durable.

Everything is done for all requests that arrived together: one look-up of keys and one of facts, one
run of the tenant's admission chain, one commit. Messages that are due go straight to their lane
where there is room. Nothing is answered before it is durable.

What was accepted before is known by its key, and whether it could be accepted now (its time, its
route, its sender, an opt-out since) is no matter then: the store tells it at acceptance, and where
anything of a batch is refused, it is asked first and the rest is judged without.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate, repeat
from typing import Final, NamedTuple, cast

import trio
from msgspec import structs

from gateway.api.schema import Accepted, Price, Quoted, Rejected, SubmitMessage
from gateway.api.turnstile import Turnstile
from gateway.dispatch.ids import MessageNumbers
from gateway.dispatch.intake import contents, drafting, duplicates
from gateway.dispatch.intake.accepting import Accepting
from gateway.dispatch.intake.drafting import Drafter, Refusal
from gateway.dispatch.intake.guard import Guard
from gateway.dispatch.intake.tenants import Tenant
from gateway.dispatch.intake.turns import TURN, turn
from gateway.dispatch.ledger import Ledger
from gateway.dispatch.places import Places
from gateway.dispatch.release.aside import Aside
from gateway.dispatch.serving import steps
from gateway.errors import StoreError
from gateway.facts import Facts, Use
from gateway.message import (
    Category,
    LaneKey,
    Message,
    message_id,
)
from gateway.numbers import region_of
from gateway.ops.metrics import Metrics
from gateway.policy.budget import count_spent
from gateway.policy.frequency import any_twice, count_in, phones_of, seen_in
from gateway.policy.prices import Pricing, units
from gateway.policy.rules import Defer, Refuse, Verdicts
from gateway.queue.lanes import Lanes
from gateway.queue.store import Known, Overtaken, Refused, Seen, Store
from gateway.text.errors import TextError

BULK = 2_000
"""Messages, but for one-time passwords, that may be on their way into the store at once: some ten
milliseconds of commits, which is what a one-time password may have to wait for."""

TOLD_NUMBER: Final = 20
TOLD_WHY: Final = 200
"""Characters of what a refusal is kept with."""

OVERTAKEN: Final = 20
"""Times that a batch is judged anew because others were accepted meanwhile that text the same
phones. Each time one of them got through, so that with fewer at once all do."""

SCHEDULED: Final = 10
"""Messages that one with a ``send_at``, or with a clock of its own, counts for: a day that nobody
asked for before takes a place with 42 time zones up to a millisecond."""


class _Judged(NamedTuple):
    """A batch that was judged: the messages that may be accepted, each with its index and its
    digest; the indices of those that are refused; the rules that have put messages off, by their
    position among these; what frequency caps had counted by then, and budgets may come to; and the
    messages that the guard has counted."""

    indices: list[int]
    messages: list[Message]
    digests: list[int]
    refused: list[int]
    put_off: dict[int, str]
    seen: Seen | None
    limits: Mapping[str, int] | None
    guarded: list[Message]


class Intake:
    """Takes in what tenants submit.

    Args:
        on_ready: called when lanes got messages.
    """

    def __init__(
        self,
        *,
        store: Store,
        lanes: Lanes,
        places: Places,
        ledger: Ledger,
        aside: Aside,
        metrics: Metrics,
        numbers: MessageNumbers,
        guard: Guard,
        clock: Callable[[], float],
        on_ready: Callable[[], None],
    ) -> None:
        self.drafter = Drafter()
        self.pricing: Pricing | None = None
        self._store = store
        self._guard = guard
        self._ledger = ledger
        self._aside = aside
        self._metrics = metrics
        self._numbers = numbers
        self._clock = clock
        self._accepting = Accepting(
            store=store,
            lanes=lanes,
            places=places,
            ledger=ledger,
            metrics=metrics,
            on_ready=on_ready,
        )
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
        if refused := self._count(tenant.options.id, submitted, results):
            # A refusal is right whether it can be kept or not, and what was accepted, durable.
            with suppress(StoreError):
                await self._store.refuse(refused)
        self._metrics.accept_seconds.observe(self._clock() - started, len(submitted))
        return _by_batch(results, batches)

    async def _submit(
        self, tenant: Tenant, submitted: Sequence[SubmitMessage]
    ) -> list[Accepted | Rejected | None]:
        for _ in range(OVERTAKEN):
            with suppress(Overtaken):
                return await self._attempt(tenant, submitted)
        raise StoreError("other requests text the same phones, or spend the same; submit again")

    async def _attempt(
        self, tenant: Tenant, submitted: Sequence[SubmitMessage]
    ) -> list[Accepted | Rejected | None]:
        """Raises Overtaken where others were accepted meanwhile that count; nothing was then."""
        now = self._clock()
        results: list[Accepted | Rejected | None] = [None] * len(submitted)
        judged = await self._judged(tenant, submitted, results, now)
        known: Mapping[int, Known] = {}
        if judged.messages:
            try:
                known = await self._accepting.accept(
                    judged.messages, judged.digests, now, judged.seen, judged.limits
                )
            except BaseException:
                self._take_back(tenant, judged, now)
                raise
        if judged.guarded:
            twice = {judged.messages[position].id for position in known}
            those = [message for message in judged.guarded if message.id in twice]
            self._guard.take_back(tenant, those, now)
        self._count_put_off(tenant, judged, known, now)
        again = [(judged.indices[position], earlier) for position, earlier in known.items()]
        if judged.refused:
            # One that stands twice in a batch may be refused for the room that the first one took.
            first = duplicates.stands_for(judged.messages, judged.digests, known)
            keys = ((index, submitted[index].key) for index in judged.refused)
            again += [(index, first[key]) for index, key in keys if key in first]
        if again:
            await duplicates.answer(self._store, tenant, submitted, again, results)
        return results

    async def _judged(
        self,
        tenant: Tenant,
        submitted: Sequence[SubmitMessage],
        results: list[Accepted | Rejected | None],
        now: float,
    ) -> "_Judged":
        """Judge a batch, and count in what may be accepted. What was accepted before is no matter
        of any rule, nor does it take room: where something is refused, it is asked for, and the
        rest is judged without it."""
        judged = await self._judge_all(tenant, submitted, results, now)
        recognised = 0
        while judged.refused:
            try:
                again = await duplicates.recognise(self._store, tenant, submitted)
            except BaseException:
                self._take_back(tenant, judged, now)
                raise
            if len(again) == recognised:
                break
            recognised = len(again)
            self._take_back(tenant, judged, now)
            results[:] = [None] * len(results)
            await duplicates.answer(self._store, tenant, submitted, again, results)
            judged = await self._judge_all(tenant, submitted, results, now)
        return judged

    async def _judge_all(
        self,
        tenant: Tenant,
        submitted: Sequence[SubmitMessage],
        results: list[Accepted | Rejected | None],
        now: float,
    ) -> "_Judged":
        """Judge what has no result yet, which gets one."""
        drafts, refused = await self._drafts(tenant, submitted, results, now)
        indices: list[int] = []
        messages: list[Message] = []
        digests: list[int] = []
        put_off: dict[int, str] = {}
        guarded: list[Message] = []
        facts = await self._facts(tenant, drafts)
        seen: Seen | None = None
        uses: dict[str, Sequence[Use]] = {}
        again = False
        if tenant.policy.frequency is not None:
            seen, uses = seen_in(facts), dict(facts.uses)
            facts = structs.replace(facts, uses=uses)
            again = any_twice(phones_of(draft for _, draft in drafts))
        budget, spent = tenant.policy.budget, dict(facts.spent)
        if budget is not None:
            facts = structs.replace(facts, spent=spent)
        await self._guard.look(tenant, [draft for _, draft in drafts], now)
        try:
            for start in range(0, len(drafts), TURN):
                await turn(start)
                passed, places = len(messages), drafts[start : start + TURN]
                verdicts = self._judge(tenant, places, facts, now)
                if tenant.policy.pumping is not None:
                    guarded += self._guard.note(tenant, [one for _, one in places], verdicts, now)
                kept = places
                if verdicts:
                    kept = []
                    for position, (index, draft) in enumerate(places):
                        verdict = verdicts.get(position)
                        if isinstance(verdict, Refuse):
                            results[index] = drafting.refused(verdict)
                            refused.append(index)
                        elif verdict is not None:
                            put_off[passed + len(kept)] = verdict.rule
                            kept.append((index, put_off_by(draft, verdict, now)))
                        else:
                            kept.append((index, draft))
                indices += [index for index, _ in kept]
                messages += [message for _, message in kept]
                digests += [
                    0 if (one := submitted[index]).key is None else contents.digest(one, message.to)
                    for index, message in kept
                ]
                for index, message in kept:
                    one = submitted[index]
                    # Before it is accepted: no event of a message is to come before its reply.
                    results[index] = Accepted(
                        message_id(message.id),
                        message.parts,
                        message.encoding,
                        message.due if message.due > now else None,
                        False,
                        None,
                        None
                        if one.send_at is None and one.send_at_local is None
                        else drafting.note(one, message, now),
                    )
                if again:
                    count_in(uses, messages[passed:])
                if budget is not None:
                    count_spent(spent, messages[passed:])
                # At once: what else is judged meanwhile is told how much waits.
                self._accepting.count_in(messages[passed:], now)
            if guarded:
                await self._guard.tell(now)
        except BaseException:
            self._accepting.count_out(messages, now)
            self._guard.take_back(tenant, guarded, now)
            raise
        limits = None if budget is None else budget.limits(now)
        return _Judged(indices, messages, digests, refused, put_off, seen, limits, guarded)

    def _count_put_off(
        self, tenant: Tenant, judged: "_Judged", known: Mapping[int, Known], now: float
    ) -> None:
        """Count what waits of what was accepted, by what it waits for."""
        messages, put_off = judged.messages, judged.put_off
        later = [n for n, m in enumerate(messages) if m.due > now]
        if not (later or put_off):
            return
        counts = Counter(
            [
                (rule, messages[position].campaign, messages[position].variant)
                for position, rule in put_off.items()
                if position not in known
            ]
        )
        for (rule, campaign, variant), count in counts.items():
            self._metrics.messages_deferred.add(count, tenant.options.id, rule)
            self._aside.note(tenant.options.id, campaign, variant, f"deferred {rule}", count)
        if wished := sum(n not in known and n not in put_off for n in later):
            self._metrics.messages_deferred.add(wished, tenant.options.id, "send_at")

    def _take_back(self, tenant: Tenant, judged: "_Judged", now: float) -> None:
        """What was judged is not accepted, or not as it was judged."""
        self._accepting.count_out(judged.messages, now)
        self._guard.take_back(tenant, judged.guarded, now)

    async def quote(
        self, tenant: Tenant, submitted: Sequence[SubmitMessage]
    ) -> list[Quoted | Rejected]:
        """What submitting now would give; nothing is stored."""
        now = self._clock()
        found: list[Accepted | Rejected | None] = [None] * len(submitted)
        again = await duplicates.recognise(self._store, tenant, submitted)
        if again:
            await duplicates.answer(self._store, tenant, submitted, again, found)
        drafts, _ = await self._drafts(tenant, submitted, found, now)
        facts = await self._facts(tenant, drafts)
        results: list[Quoted | Rejected | None] = [
            duplicates.quoted(one, message, tenant) if isinstance(one, Accepted) else one
            for one, message in zip(found, submitted, strict=True)
        ]
        counts = tenant.policy.frequency is not None
        budget, spent = tenant.policy.budget, dict(facts.spent)
        if budget is not None:
            facts = structs.replace(facts, spent=spent)
        uses = dict(facts.uses)
        if counts:
            facts = structs.replace(facts, uses=uses)
        waiting = 0  # of those before, if this were submitted
        for start in range(0, len(drafts), TURN):
            await turn(start)
            places = drafts[start : start + TURN]
            passed: list[Message] = []
            verdicts = self._judge(tenant, places, facts, now, waiting)
            for position, (index, draft) in enumerate(places):
                verdict = verdicts.get(position)
                if isinstance(verdict, Refuse):
                    results[index] = drafting.refused(verdict)
                    continue
                waiting += 1
                due = max(draft.due, verdict.until) if verdict is not None else draft.due
                if budget is not None:
                    count_spent(spent, (draft,))
                if counts:
                    passed.append(draft if verdict is None else _deferred(draft, due))
                later = due if due > now else None
                note = drafting.note(submitted[index], draft, now)
                results[index] = Quoted(
                    draft.parts,
                    draft.encoding,
                    later,
                    note=note,
                    to=draft.to,
                    region=region_of(draft.to),
                    text=None if draft.text == submitted[index].text else draft.text,
                    price=self._price(draft),
                )
            if counts:
                count_in(uses, passed)
        return [result for result in results if result is not None]

    def _price(self, draft: Message) -> Price | None:
        """What a message costs; None where there are no prices."""
        if self.pricing is None:
            return None
        least, most = self.pricing.of(draft.route, draft.to, draft.parts)
        return Price(units(least), units(most), self.pricing.prices.currency)

    def lane(self, tenant: Tenant, submitted: SubmitMessage, to: str) -> LaneKey:
        """The queue that a message to this number would stand in."""
        category = cast("Category", submitted.category or tenant.options.category)
        route = self.drafter.router.route(tenant.options.id, category, to) or ""
        return LaneKey(tenant.options.id, category, route, submitted.campaign)

    async def reply(self, messages: Sequence[Message]) -> None:
        """Accept messages of our own making (confirmations of opt-outs)."""
        now = self._clock()
        self._accepting.count_in(messages, now)
        try:
            await self._accepting.accept(messages, [0] * len(messages), now)
        except BaseException:
            self._accepting.count_out(messages, now)
            raise

    def number(self) -> int:
        """A number for a message of our own making."""
        return self._numbers.take(1, self._clock())[0]

    # --- a draft ---

    async def _drafts(
        self,
        tenant: Tenant,
        submitted: Sequence[SubmitMessage],
        results: list[Accepted | Rejected | None],
        now: float,
    ) -> tuple[list[tuple[int, Message]], list[int]]:
        """Messages, by index, of what is well formed and has no result yet, and the indices of what
        is not, which gets one."""
        drafts: list[tuple[int, Message]] = []
        refused: list[int] = []
        work = 0
        numbers = self._numbers.take(len(submitted), now)
        wording = tenant.wording
        for index, message in enumerate(submitted):
            timed = message.send_at is not None or message.send_at_local is not None
            work += SCHEDULED if timed else 1
            if work >= TURN:
                work = 0
                await trio.lowlevel.checkpoint()
            if results[index] is not None:
                continue
            try:
                begun = message if wording is None else drafting.begun(wording, message)
                draft = self.drafter.draft(tenant, begun, numbers[index], now, wording)
                drafts.append((index, draft))
                if draft.local is not None:
                    work += SCHEDULED
            except Refusal as refusal:
                results[index] = refusal.rejected
                refused.append(index)
            except TextError as error:
                results[index] = drafting.unsayable(message, error)
                refused.append(index)
        frequency, budget = tenant.policy.frequency, tenant.policy.budget
        if frequency is not None or budget is not None:
            made = [draft for _, draft in drafts]
            nothing = repeat((), len(made))
            counted = nothing if frequency is None else frequency.counted(made)
            charges = nothing if budget is None else budget.charges(made)
            drafts = [
                (index, structs.replace(draft, counted=as_what, charges=with_what))
                for (index, draft), as_what, with_what in zip(drafts, counted, charges, strict=True)
            ]
        return drafts, refused

    # --- verdicts ---

    async def _facts(self, tenant: Tenant, drafts: Sequence[tuple[int, Message]]) -> Facts:
        """What the admission rules want to know of drafts."""
        numbers = [draft.to for _, draft in drafts]
        return await self._store.facts(tenant.options.id, numbers, tenant.policy.admission.wants)

    def _judge(
        self,
        tenant: Tenant,
        drafts: Sequence[tuple[int, Message]],
        known: Facts,
        now: float,
        waiting: int = 0,
    ) -> Verdicts:
        """The verdicts on drafts, where so many more wait than are counted."""
        queued = self._ledger.total(tenant.options.id) + waiting
        facts = structs.replace(known, queued=queued)
        messages = [draft for _, draft in drafts]
        if tenant.policy.pumping is not None:
            facts = self._guard.informed(tenant, messages, facts, now)
        return tenant.policy.admission.judge(messages, facts, now)

    # --- what became of it ---

    def _count(
        self,
        tenant: str,
        submitted: Sequence[SubmitMessage],
        results: Sequence[Accepted | Rejected | None],
    ) -> list[Refused]:
        """Count what became of a batch; returns what was refused, for the record."""
        repeated = sum([isinstance(one, Accepted) and one.duplicate for one in results])
        if repeated:
            self._metrics.messages_repeated.add(repeated, tenant)
        pairs = [
            (result.error, message)
            for message, result in zip(submitted, results, strict=True)
            if isinstance(result, Rejected)
        ]
        if not pairs:
            return []
        refused = [(error, message.campaign, message.variant) for error, message in pairs]
        codes = Counter((e.code, campaign, variant) for e, campaign, variant in refused)
        rules = Counter((e.rule, campaign, variant) for e, campaign, variant in refused if e.rule)
        for (code, campaign, variant), count in codes.items():
            self._metrics.messages_refused.add(count, tenant, code)
            self._aside.note(tenant, campaign, variant, f"refused {code}", count)
        for (rule, campaign, variant), count in rules.items():
            self._metrics.messages_ruled_out.add(count, tenant, str(rule))
            self._aside.note(tenant, campaign, variant, f"ruled_out {rule}", count)
        now = self._clock()
        return [
            Refused(
                tenant,
                message.to.removeprefix("+")[:TOLD_NUMBER],
                message.key,
                now,
                error.code,
                error.rule,
                error.message[:TOLD_WHY],
                self.drafter.config,
            )
            for error, message in pairs
        ]


def _urgent(tenant: Tenant, submitted: Sequence[SubmitMessage]) -> bool:
    """Whether these are one-time passwords and nothing else."""
    category = tenant.options.category
    return all((message.category or category) == "otp" for message in submitted)


def put_off_by(message: Message, verdict: Defer, now: float) -> Message:
    """The message as a rule has put it off."""
    until = max(message.due, verdict.until)
    return steps.put_off(message, verdict.rule, until, now, verdict.why)


def _deferred(message: Message, until: float) -> Message:
    return structs.replace(message, due=max(message.due, until))


def _by_batch(
    results: Sequence[Accepted | Rejected | None], batches: Sequence[Sequence[SubmitMessage]]
) -> list[list[Accepted | Rejected]]:
    """The results of each batch."""
    found = [result for result in results if result is not None]
    if len(found) != len(results):
        raise AssertionError("a message without a result")
    ends = list(accumulate(map(len, batches)))
    return [found[start:end] for start, end in zip([0, *ends], ends, strict=False)]

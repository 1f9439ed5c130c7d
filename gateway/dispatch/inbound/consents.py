"""Consents: what tenants and phones say of them goes on record, and phones are asked to confirm.

A phone consents by a start keyword that it sends to a tenant of whom consent is required, or by
answering so in time to the question that it was sent (double opt-in); its stop withdraws what it
allowed. One that answers too late is asked again.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

import trio

from gateway.api.schema import (
    LATEST,
    WORD_MAX,
    WORDING_MAX,
    Accepted,
    ConsentAction,
    ConsentRecord,
    ConsentResult,
    ConsentRow,
    Error,
    Into,
    Rejected,
)
from gateway.dispatch.intake.drafting import LATE, Question
from gateway.dispatch.intake.intake import Intake
from gateway.dispatch.intake.tenants import Tenant
from gateway.dispatch.intake.turns import TURN
from gateway.dispatch.serving.imports import Imports, StagedConsents
from gateway.errors import RequestError
from gateway.numbers import NumberError, canonical, read, region_of
from gateway.ops.metrics import Metrics
from gateway.policy.optout import SENDER, SIGNATURE, plain_purpose
from gateway.policy.replies import answer
from gateway.queue.consents import Consent, ConsentState, is_new, pending, standing
from gateway.queue.store import Settlement, Store

PURPOSE: Final = "marketing"
"""Of a consent that names none."""

PAGE: Final = 500
"""Numbers of a list in one reply."""

LOOK_BACK: Final = 86_400.0 * 30
"""Seconds after which a question is not answered any more, where no rule says when."""

STATES: Final[Mapping[ConsentAction, ConsentState]] = {
    "add": "given",
    "withdraw": "withdrawn",
    "ask": "asked",
}


class Started(NamedTuple):
    """What follows from a start keyword.

    Attributes:
        allowed: the phone has consented to what it had not before.
        back: what it had said stop to in part, and takes back.
        late: what it was asked so long ago that this is no answer: it is to be asked again.
    """

    allowed: bool
    back: Sequence[str]
    late: Sequence[str]


class Consents:
    """Keeps the records of consents."""

    def __init__(
        self,
        store: Store,
        intake: Intake,
        imports: Imports,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._imports = imports
        self._intake = intake
        self._metrics = metrics
        self._clock = clock

    async def handle(
        self,
        tenant: Tenant,
        action: ConsentAction,
        rows: Sequence[ConsentRow],
        into: Into | None = None,
    ) -> list[ConsentResult | Rejected]:
        """Change or look up consents, in order of ``rows``; ``into`` names an import in which
        changes are staged."""
        now = self._clock()
        results: list[ConsentResult | Rejected | None] = [None] * len(rows)
        asked: list[tuple[int, Consent]] = []
        for index, row in enumerate(rows):
            if index and index % TURN == 0:
                await trio.lowlevel.checkpoint()
            try:
                asked.append((index, _consent(tenant, action, row, now)))
            except NumberError as error:
                results[index] = Rejected(Error("invalid_recipient", str(error)))
            except ValueError as error:
                results[index] = Rejected(Error("invalid_value", str(error)))
        if action == "ask":
            asked = await self._ask(tenant, asked, results)
        new: dict[int, bool] = {}
        if into is not None:
            staged = StagedConsents(action, [one for _, one in asked])
            await self._imports.stage(tenant.options.id, into, len(asked), staged)
        elif action in STATES and asked:
            added = await self._store.consent([one for _, one in asked])
            new = {index: did for (index, _), did in zip(asked, added, strict=True)}
            if done := sum(added):
                self._metrics.consents.add(done, tenant.options.id, action)
        numbers = [one.number for _, one in asked]
        known = await self._store.consents(tenant.options.id, numbers) if numbers else {}
        for index, one in asked:
            records = known.get(one.number, ())
            changed = new.get(index, False)
            results[index] = _result(one, records, changed, whole=action == "history")
        return [result for result in results if result is not None]

    async def page(self, tenant: str, after: str) -> list[ConsentResult]:
        """All records of the next phones behind a number, in order of the digits, and of each
        purpose what holds."""
        records = await self._store.consent_list(tenant, after, PAGE)
        found = []
        for _, of_phone in groupby(records, attrgetter("number")):
            those = list(of_phone)
            for purpose in dict.fromkeys(one.purpose for one in those):
                first = next(one for one in those if one.purpose == purpose)
                found.append(_result(first, those, False, whole=True))
        return found

    async def _ask(
        self,
        tenant: Tenant,
        asked: Sequence[tuple[int, Consent]],
        results: list[ConsentResult | Rejected | None],
    ) -> list[tuple[int, Consent]]:
        """Send the question; what is refused is not asked."""
        options = tenant.options
        if not options.question:
            raise RequestError(
                "forbidden",
                "action: this tenant has no question to ask; its operator states it as"
                " tenants.question",
            )
        batch = [
            Question(
                to=f"+{one.number}", text=question(tenant, one.number), category="transactional"
            )
            for _, one in asked
        ]
        [sent] = await self._intake.submit(tenant, [batch]) if batch else [[]]
        passed = []
        for (index, one), message, result in zip(asked, batch, sent, strict=True):
            if isinstance(result, Accepted):
                passed.append((index, one._replace(wording=message.text)))
            else:
                results[index] = result
        return passed

    async def started(
        self, tenant: Tenant, phone: str, text: str, now: float, settlement: Settlement
    ) -> Started:
        """A phone said start: it consents to what it was asked for, else to what consent is
        required for and it was not asked."""
        name, rule = tenant.options.id, tenant.policy.consent
        known = (await self._store.consents(name, [phone])).get(phone, ())
        since = now - (LOOK_BACK if rule is None else rule.answer_seconds)
        asked = pending(known)
        open_ = [one for one in asked if one.at >= since]
        late = [one.purpose for one in asked if one.at < since and tenant.options.question]
        purposes = [one.purpose for one in open_]
        if not open_ and rule is not None:
            purposes = [one for one in rule.purposes if one not in late]
        back = [
            one.purpose
            for one in standing(known).values()
            if one.state == "withdrawn"
            and one.source == "keyword"
            and one.purpose.startswith((SENDER, SIGNATURE))
        ]
        source = "confirmed" if open_ else "keyword"
        allowed = {purpose for purpose, one in standing(known).items() if one.state == "given"}
        settlement.consents += [
            Consent(name, phone, purpose, "given", now, source, text)
            for purpose in [*purposes, *back]
        ]
        self._count(name, "add", len(purposes))
        return Started(not allowed.issuperset(purposes), back, late)

    def asked(
        self, tenant: Tenant, phone: str, late: Sequence[str], now: float, settlement: Settlement
    ) -> None:
        """A phone that answered too late is asked again."""
        name, wording = tenant.options.id, question(tenant, phone)
        settlement.consents += [
            Consent(name, phone, purpose, "asked", now, "keyword", wording) for purpose in late
        ]
        self._count(name, "ask", len(late))

    async def withdrew(
        self,
        purpose: str,
        tenant: Tenant,
        phone: str,
        text: str,
        now: float,
        settlement: Settlement,
    ) -> bool:
        """A phone said stop to a part of a tenant's texts. Says whether that is new."""
        name = tenant.options.id
        known = (await self._store.consents(name, [phone])).get(phone, ())
        record = Consent(name, phone, purpose, "withdrawn", now, "keyword", text)
        settlement.consents.append(record)
        return is_new(known, record)

    def stopped(
        self, tenant: Tenant, phone: str, text: str, now: float, settlement: Settlement
    ) -> None:
        """A phone said stop: what it allowed, if it did, it does not any more."""
        name, rule = tenant.options.id, tenant.policy.consent
        if rule is not None:
            settlement.consents += [
                Consent(name, phone, purpose, "withdrawn", now, "keyword", text)
                for purpose in rule.purposes
            ]
            self._count(name, "withdraw", len(rule.purposes))

    def _count(self, tenant: str, action: str, count: int) -> None:
        if count:
            self._metrics.consents.add(count, tenant, action)


def question(tenant: Tenant, phone: str) -> str:
    """What a phone is asked."""
    options = tenant.options
    return answer("question", options.question, None, options.name, region_of(phone), None)


def _consent(tenant: Tenant, action: ConsentAction, row: ConsentRow, now: float) -> Consent:
    """The record that a row comes to. Raises NumberError, or ValueError for other values."""
    number = read(row.number, tenant.options.default_region)
    for key, least, most in (
        ("purpose", 1, WORD_MAX),
        ("source", 1, WORD_MAX),
        ("by", 1, WORD_MAX),
        ("wording", 0, WORDING_MAX),
    ):
        value: str | None = getattr(row, key)
        if value is not None and not least <= len(value) <= most:
            raise ValueError(f"{key}: {len(value)} characters, not {least} to {most}")
    at = now if row.at is None else row.at
    if not 0 <= at <= LATEST:
        raise ValueError(f"at: {at} is no time in Unix seconds")
    if at > now + LATE:
        raise ValueError(f"at: {at} is in the future; say when the consent was given")
    state = STATES.get(action, "given")
    return Consent(
        tenant.options.id,
        canonical(number),
        plain_purpose(row.purpose or PURPOSE),
        state,
        min(at, now),
        row.source or "api",
        row.wording,
        row.by,
    )


def _result(
    one: Consent, records: Sequence[Consent], changed: bool, *, whole: bool
) -> ConsentResult:
    """What holds for a phone and a purpose; with its records, if asked for."""
    last = standing(records).get(one.purpose)
    told = tuple(
        ConsentRecord(each.state, each.at, each.source, each.wording, each.by)
        for each in records
        if whole and each.purpose == one.purpose
    )
    if last is None:
        return ConsentResult(one.number, one.purpose, False, changed, records=told)
    return ConsentResult(
        one.number,
        one.purpose,
        last.state == "given",
        changed,
        last.at,
        last.source,
        last.wording,
        last.by,
        told,
    )

"""Consents: what tenants and phones say of them goes on record, and phones are asked to confirm.

A phone consents by a start keyword that it sends to a tenant of whom consent is required, or by
answering so to the question that it was sent (double opt-in); its stop withdraws what it allowed.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

import trio

from gateway.api.schema import (
    Accepted,
    ConsentAction,
    ConsentRecord,
    ConsentResult,
    ConsentRow,
    Error,
    Rejected,
    SubmitMessage,
)
from gateway.dispatch.intake.drafting import LATE
from gateway.dispatch.intake.intake import TURN, Intake
from gateway.dispatch.intake.tenants import Tenant
from gateway.errors import RequestError
from gateway.numbers import NumberError, canonical, read, region_of
from gateway.ops.metrics import Metrics
from gateway.policy.optout import SENDER, SIGNATURE
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


class Consents:
    """Keeps the records of consents."""

    def __init__(
        self, store: Store, intake: Intake, metrics: Metrics, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._intake = intake
        self._metrics = metrics
        self._clock = clock

    async def handle(
        self, tenant: Tenant, action: ConsentAction, rows: Sequence[ConsentRow]
    ) -> list[ConsentResult | Rejected]:
        """Change or look up consents, in order of ``rows``."""
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
        if action in STATES and asked:
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
            SubmitMessage(
                to=f"+{one.number}",
                text=answer(
                    "question", options.question, None, options.name, region_of(one.number), None
                ),
                category="transactional",
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
    ) -> tuple[bool, list[str]]:
        """A phone said start: it consents to what it was asked for, else to what consent is
        required for. Says whether that is new, and what it had said stop to that it takes back."""
        name, rule = tenant.options.id, tenant.policy.consent
        known = (await self._store.consents(name, [phone])).get(phone, ())
        open_ = pending(known, now - (LOOK_BACK if rule is None else rule.answer_seconds))
        purposes = [one.purpose for one in open_] or ([] if rule is None else [*rule.purposes])
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
        return not allowed.issuperset(purposes), back

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


def _consent(tenant: Tenant, action: ConsentAction, row: ConsentRow, now: float) -> Consent:
    """The record that a row comes to. Raises NumberError, or ValueError for other values."""
    number = read(row.number, tenant.options.default_region)
    at = now if row.at is None else row.at
    if at > now + LATE:
        raise ValueError(f"at: {at} is in the future; say when the consent was given")
    state = STATES.get(action, "given")
    return Consent(
        tenant.options.id,
        canonical(number),
        row.purpose or PURPOSE,
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

"""The life of a message, told step by step, as data and as sentences: what was decided, by which
rule and configuration, and what the clocks of the recipient showed then. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from gateway.api.schema import Explained, ExplainedStep
from gateway.message import Event, Handed, Life, Message, Step, Submission, message_id
from gateway.policy.local import placed
from gateway.policy.regions import Place, place_of
from gateway.queue.store import Record, Refused
from gateway.smpp.receipt_states import STATS

ZONES: Final = 3
"""Clocks that are told where a number may be in several time zones."""


def explained(record: Record | None, refused: Sequence[Refused]) -> Explained | None:
    """What is known of a message, and of earlier refusals under its key."""
    told = [_turned_away(one) for one in refused]
    if record is None:
        if not refused:
            return None
        last = refused[-1]
        return _whole(None, last.key, last.number, "refused", last.config, told)
    if record.message is not None:
        message = record.message
        submission = None if record.handed is None else Submission(record.handed)
        life = Life(message.accepted_at, message.config, message.steps, submission, message.local)
        number, key = message.to, message.key
        told += _lived(life, number, message.parts)
        told += _standing(record, message)
    else:
        event = record.event
        if event is None:
            raise AssertionError("a record of nothing")
        number, key = event.to or "", event.key
        life = record.life or Life(0.0)
        told += _lived(life, number, event.parts, ended=event)
        told += _ended(event, life.submission)
    state = record.event.type if record.event is not None else record.state or "queued"
    return _whole(message_id(record.number), key, number, state, life.config, told)


def _whole(
    number: str | None,
    key: str | None,
    to: str,
    state: str,
    config: str,
    steps: Iterable[ExplainedStep],
) -> Explained:
    ordered = sorted(steps, key=lambda one: one.at)
    return Explained(number, key, to, state, config or None, ordered, [*map(sentence, ordered)])


def _turned_away(one: Refused) -> ExplainedStep:
    return ExplainedStep(one.at, "turned_away", one.rule, one.why, code=one.code)


def _lived(
    life: Life, number: str, parts: int | None, ended: Event | None = None
) -> Iterator[ExplainedStep]:
    place = place_of(number)
    if life.local is not None:
        place = placed(place, life.local)
    if life.accepted_at:
        yield ExplainedStep(life.accepted_at, "accepted")
    for step in life.steps:
        if step.what == "refused" and step.handed is not None:
            yield from _handed(step.handed, parts)
        yield _step(step, place)
    if life.submission is not None:
        yield from _submitted(life.submission, parts, ended)


def _handed(handed: Handed, parts: int | None) -> Iterator[ExplainedStep]:
    yield ExplainedStep(handed.at, "released", config=handed.config or None)
    yield ExplainedStep(
        handed.at, "submitted", carrier=handed.carrier, bind=handed.bind, parts=parts
    )


def _submitted(
    submission: Submission, parts: int | None, ended: Event | None
) -> Iterator[ExplainedStep]:
    handed = submission.handed
    if handed is not None:
        yield from _handed(handed, parts)
    if submission.taken_at and (ended is None or ended.type != "sent"):
        carrier = None if handed is None else handed.carrier
        yield ExplainedStep(submission.taken_at, "sent", carrier=carrier, ids=_ids(submission))
    for part, at, state in submission.receipts:
        yield ExplainedStep(at, "receipt", why=STATS[state], part=part + 1)


def _step(step: Step, place: Place) -> ExplainedStep:
    if step.what == "refused":
        return ExplainedStep(step.at, "not_taken", why=step.why, carrier=step.rule)
    config = step.handed.config if step.handed is not None else None
    if step.what == "judged":
        return ExplainedStep(step.at, "judged", step.rule, config=config)
    # One zone of those whose clocks show the same.
    clocks = {_shown(step.at, zone): zone for zone in sorted(place.zones) or ["UTC"]}
    local = {zone: shown for shown, zone in sorted(clocks.items())[:ZONES]}
    return ExplainedStep(
        step.at, "deferred", step.rule, step.why or None, step.until, local=local, config=config
    )


def _standing(record: Record, message: Message) -> Iterator[ExplainedStep]:
    if record.state == "sent":
        yield ExplainedStep(record.updated_at, "sent")
    elif record.state == "deferred":
        yield ExplainedStep(record.updated_at, "waits", until=message.due)


def _ended(event: Event, submission: Submission | None) -> Iterator[ExplainedStep]:
    detail = event.detail or {}
    sent_at = detail.get("sent_at")
    if sent_at is not None and submission is None and event.type != "sent":
        yield ExplainedStep(sent_at, "sent", carrier=detail.get("carrier"))
    words = [detail.get(name) for name in ("reason", "smpp_status", "receipt_state")]
    why = ", ".join(str(word) for word in words if word is not None)
    yield ExplainedStep(
        event.at,
        event.type,
        detail.get("rule"),
        why or None,
        carrier=detail.get("carrier"),
        code=event.code,
        ids=_ids(submission) if submission is not None and event.type == "sent" else None,
    )


def _ids(submission: Submission) -> list[str] | None:
    return [ref for ref in submission.refs if ref] or None


_SAID = {
    "turned_away": "was refused at submission",
    "accepted": "was accepted",
    "deferred": "was put off",
    "released": "was released",
    "submitted": "was handed to a carrier",
    "receipt": "the carrier's receipt came",
    "judged": "was judged again",
    "not_taken": "was not taken by the carrier, and goes again",
    "waits": "waits",
    "sent": "was taken by the carrier",
    "delivered": "was delivered, as the carrier's receipt says",
    "failed": "has failed",
    "expired": "has expired",
    "cancelled": "was cancelled",
    "blocked": "was not sent",
    "unknown": "has an outcome that nobody knows: no receipt came",
}


def sentence(step: ExplainedStep) -> str:
    """A step for people to read."""
    return f"{_shown(step.at, 'UTC')} UTC: {said(step)}"


def said(step: ExplainedStep) -> str:
    """The same without its time."""
    said = _SAID.get(step.what, step.what)
    if step.carrier is not None:
        said += f" ({step.carrier})"
    if step.bind:
        said += f" by its bind {step.bind}"
    if step.parts is not None:
        said += f" in {step.parts} part{'s' * (step.parts > 1)}"
    if step.part is not None:
        said += f" for part {step.part}"
    if step.ids:
        said += f" as {', '.join(step.ids)}"
    if step.rule is not None:
        said += f" by the rule {step.rule}"
    if step.until is not None:
        said += f" until {_shown(step.until, 'UTC')} UTC"
    if step.local:
        clocks = ", ".join(f"{shown} in {zone}" for zone, shown in step.local.items())
        said += f", when it was {clocks}"
    if step.config is not None:
        said += f", by the configuration {step.config}"
    if step.code is not None:
        said += f", {step.code}"
    return f"{said}: {step.why}" if step.why else said


def _shown(at: float, zone: str) -> str:
    where = UTC if zone == "UTC" else ZoneInfo(zone)
    return datetime.fromtimestamp(at, where).strftime("%Y-%m-%d %H:%M:%S")

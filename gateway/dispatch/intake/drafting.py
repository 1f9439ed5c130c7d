"""One message as it is submitted, made into a `Message`: what is wrong with it alone, what it means
where it says nothing, when it is due, until when it may go, by which route, in how many parts.

Nothing is looked up here, and nothing judged: rules come after (`gateway.dispatch.intake.intake`).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal

from msgspec import structs

from gateway.api.schema import Error, Rejected, SubmitMessage
from gateway.dispatch.intake import parameters
from gateway.dispatch.intake.tenants import Tenant, TenantOptions
from gateway.dispatch.intake.wording import Wording, unknown
from gateway.dispatch.release.routing import Router
from gateway.errors import MessageCode
from gateway.message import (
    CATEGORIES,
    NAME_MAX,
    QUESTION,
    VARIANT_MAX,
    Approved,
    Category,
    Local,
    Message,
    Report,
)
from gateway.numbers import NumberError, read
from gateway.policy import local
from gateway.policy.regions import place_of
from gateway.policy.rules import Refuse
from gateway.policy.senders import normalise as normalise_sender
from gateway.smpp.tlv import Tlvs
from gateway.text.errors import TextError
from gateway.text.measuring import measure

AHEAD = 366 * 86_400.0
"""The furthest that ``send_at`` and ``expires_at`` may lie ahead, in seconds."""

FINER: Final = {"milliseconds": 1_000, "microseconds": 1_000_000, "nanoseconds": 1_000_000_000}
"""What else times are counted in, and how many make a second."""

LATE: Final = 300.0
"""Seconds by which ``send_at`` may have passed without a word: clocks differ and requests wait."""


ENCODINGS: Final[Mapping[str | None, Literal["auto", "gsm7", "ucs2"]]] = {
    None: "auto",
    "auto": "auto",
    "gsm7": "gsm7",
    "ucs2": "ucs2",
}
REPORTS: Final[Mapping[str | None, Report]] = {None: "final", "final": "final", "none": "none"}
KNOWN_CATEGORIES: Final[Mapping[str, Category]] = {name: name for name in CATEGORIES}
"""What a message may say, and what it means where it says nothing."""


class Question(SubmitMessage, frozen=True, gc=False, kw_only=True):
    """A message of the gateway's own, in which a phone is asked for its consent: it needs none, and
    its tenant need not be one that sends such messages."""


class Refusal(Exception):  # noqa: N818  # it is an answer, not an error of ours
    """A message is refused alone."""

    def __init__(self, code: MessageCode, why: str) -> None:
        super().__init__(why)
        self.rejected = rejected(code, why)

    @classmethod
    def of(cls, verdict: Refuse) -> "Refusal":
        """What a rule or a step of a text's making has refused."""
        refusal = cls(verdict.code, verdict.why)
        refusal.rejected = refused(verdict)
        return refusal


class Drafter:
    """Makes messages by what is configured.

    Attributes:
        router: finds their routes.
        config: names the configuration that they were accepted under.
    """

    def __init__(self) -> None:
        self.router = Router([])
        self.config = ""

    def draft(
        self,
        tenant: Tenant,
        submitted: SubmitMessage,
        number: int,
        now: float,
        wording: Wording | None,
    ) -> Message:
        """The message with this number.

        Raises:
            Refusal, TextError: it is refused alone.
        """
        options = tenant.options
        try:
            to = read(submitted.to, options.default_region)
        except NumberError as error:
            raise Refusal("invalid_recipient", f"to: {error}") from None
        category = options.category
        if submitted.category is not None:
            named = KNOWN_CATEGORIES.get(submitted.category)
            if named is None:
                raise _wrong("category", submitted.category, "otp, transactional or marketing")
            category = named
            if category not in options.categories and not isinstance(submitted, Question):
                theirs = " or ".join(one for one in CATEGORIES if one in options.categories)
                raise _wrong("category", category, f"one that this tenant may use: {theirs}")
        sender = options.sender
        if submitted.sender is not None and submitted.sender != sender:
            sender = normalise_sender(submitted.sender) or submitted.sender
        if not sender:
            if submitted.sender is None:
                why = "missing, and the tenant has no default sender"
            else:
                why = "empty; leave it out for the tenant's default sender"
            raise Refusal("invalid_sender", f"from: {why}")
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
        variant = submitted.variant
        if variant is not None and not 0 < len(variant) <= VARIANT_MAX:
            raise _wrong("variant", variant, f"1 to {VARIANT_MAX} characters long")
        own = None
        if (
            submitted.window is not None
            or submitted.time_zone is not None
            or submitted.region is not None
        ):
            own = _local(submitted)
        due = now
        if submitted.send_at is not None:
            if not 0 <= submitted.send_at <= now + AHEAD:
                raise _no_time("send_at", submitted.send_at, "a year", now)
            due = max(now, submitted.send_at)
        if submitted.send_at_local is not None:
            due = max(now, _moment(submitted, to, own, now).at)
        if submitted.expires_at is not None:
            expires_at = submitted.expires_at
            if not 0 <= expires_at <= now + 2 * AHEAD:
                raise _no_time("expires_at", expires_at, "two years", now)
            if expires_at <= due:
                mend = "; it is a time, not seconds from now" if expires_at < AHEAD else ""
                raise Refusal("expired", f"expires_at: {expires_at} is not after {due}{mend}")
        else:
            hours, validity = tenant.policy.quiet_hours, options.validity[category]
            if own is None and category not in hours.categories:
                expires_at = due + validity
            else:
                expires_at = hours.open_seconds_end(to, category, own, due, validity)
        route = self.router.route(options.id, category, to)
        if route is None:
            raise Refusal("no_route", f"no route takes {category} messages to {to[:4]}…")
        text = submitted.text
        approved: Approved = ()
        before: str | None = None
        if wording is not None:
            written = wording.write(submitted, category, sender, to, route)
            if isinstance(written, Refuse):
                raise Refusal.of(written)
            text, approved, before = written
        router = self.router
        languages = router.tables.get(route, ()) if router.tables else ()
        encoding, parts = measure(text, wanted, route in router.narrow, languages)
        tlvs = options.tlvs if submitted.tlvs is None else _tlvs(options, submitted.tlvs)
        draft = Message(
            number,
            options.id,
            to,
            sender,
            text,
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
            config=self.config,
        )
        repeat = submitted.allow_repeat is True
        reply = QUESTION if isinstance(submitted, Question) else None
        if tlvs or variant or approved or repeat or reply or before is not None or own is not None:
            return structs.replace(
                draft,
                tlvs=tlvs,
                variant=variant,
                approved=approved,
                before=before,
                local=own,
                allow_repeat=repeat,
                reply=reply,
            )
        return draft


def _tlvs(options: TenantOptions, given: Mapping[int | str, object]) -> Tlvs:
    """A message's own parameters, and the tenant's."""
    try:
        return parameters.merged(options.tlvs, parameters.read(given))
    except ValueError as error:
        raise Refusal("invalid_value", f"tlvs: {error}") from None


def _local(submitted: SubmitMessage) -> Local:
    """What a message says of its recipient's clock."""
    try:
        return local.read(submitted.time_zone, submitted.region, submitted.window)
    except ValueError as error:
        raise Refusal("invalid_value", str(error)) from None


def _moment(submitted: SubmitMessage, to: str, own: Local | None, now: float) -> local.Moment:
    """When the recipient's clock shows the ``send_at_local`` of a message."""
    text = submitted.send_at_local or ""
    if submitted.send_at is not None:
        raise Refusal("invalid_value", "send_at_local: send_at is there too; leave one of them out")
    place = place_of(to)
    try:
        moment = local.moment(text, (place if own is None else local.placed(place, own)).zones)
    except ValueError as error:
        raise Refusal("invalid_value", str(error)) from None
    if moment.at > now + AHEAD:
        raise _wrong("send_at_local", text, "within a year from now")
    return moment


def note(submitted: SubmitMessage, message: Message, now: float) -> str | None:
    """What to tell whoever wanted a message sent earlier than can be, or at an hour that clocks
    show at several times."""
    name, at, several = "send_at", submitted.send_at, False
    if submitted.send_at_local is not None:
        name = "send_at_local"
        at, several = _moment(submitted, message.to, message.local, now)
    if at is not None and at <= now - LATE:
        late = f"{timedelta(seconds=int(now - at))}"
        return f"{name}: passed {late} ago; the message goes as soon as it may"
    if several:
        return (
            f"{name}: this phone may be in several time zones, and the message goes when the last "
            "of them shows that time; state time_zone or region"
        )
    return None


def rejected(code: MessageCode, why: str) -> Rejected:
    return Rejected(Error(code, why))


def begun(wording: Wording, submitted: SubmitMessage) -> SubmitMessage:
    """A message with the text of its template."""
    begun = wording.begin(submitted)
    if isinstance(begun, Refuse):
        raise Refusal.of(begun)
    return begun


def unsayable(submitted: SubmitMessage, error: TextError) -> Rejected:
    """Why a text cannot be sent: it may be for want of the template that was to make it."""
    if submitted.template is not None and not submitted.text:
        return refused(unknown(submitted.template))
    return rejected(error.code, str(error))


def refused(verdict: Refuse) -> Rejected:
    return Rejected(Error(verdict.code, verdict.why, verdict.retry_at, verdict.rule, verdict.place))


def _no_time(field: str, value: float, ahead: str, now: float) -> Refusal:
    """A time that is too far away: most are milliseconds, as JavaScript and Java count them."""
    finer = next((unit for unit, per in FINER.items() if abs(value / per - now) < 10 * AHEAD), None)
    mend = f"; it looks like {finer}, so divide it by {FINER[finer]:,}" if finer else ""
    return _wrong(field, value, f"Unix seconds within {ahead} from now{mend}")


def _wrong(field: str, value: object, mend: str) -> Refusal:
    return Refusal("invalid_value", f"{field}: {str(value)[:32]!r} is not {mend}")

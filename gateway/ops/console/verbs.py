"""What can be done from the console: each verb with its form. A form makes the same command as the
admin API takes (`gateway.ops.commands`), and the same place does it."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from gateway.ops import commands
from gateway.ops.console.drawing import Leads
from gateway.ops.console.words import count
from gateway.ops.operations import Role
from gateway.ops.roles import MAY_DO
from gateway.ops.views import Finding


class Field(msgspec.Struct, frozen=True):
    """One field of a form; a select where it has ``choices``. One ``of_campaigns`` is shown for
    these alone."""

    name: str
    label: str
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    needed: bool = False
    number: bool = False
    long: bool = False
    of_campaigns: bool = False


class Verb(msgspec.Struct, frozen=True):
    """Something that can be done.

    Attributes:
        name: in the address.
        command: what it makes.
        title, button: of its page.
        about: what it does, and what it does not.
        counted: whether it is confirmed by how many messages it has to do with.
        grave: cannot be undone.
    """

    name: str
    command: type[commands.Command]
    title: str
    button: str
    about: str
    fields: tuple[Field, ...] = ()
    counted: bool = False
    grave: bool = False


_WHY: Final = Field("why", "Why", "stands in the audit")
_TENANT: Final = Field("tenant", "Tenant", "of a campaign; empty otherwise", of_campaigns=True)
_SPANS: Final = (
    ("900", "15 minutes"),
    ("3600", "an hour"),
    ("28800", "8 hours"),
    ("86400", "a day"),
)
_SCOPES: Final = tuple((one, one) for one in ("campaign", "tenant", "category", "route", "carrier"))
_CATEGORIES: Final = (
    ("", "any"),
    ("marketing", "marketing"),
    ("transactional", "transactional"),
    ("otp", "otp"),
)

VERBS: Final = {
    verb.name: verb
    for verb in (
        Verb(
            "pause",
            commands.Pause,
            "Pause",
            "Pause",
            "Nothing more of it is sent from the moment of the answer on, over a restart too, until"
            " it is resumed or the time is over. What waits goes on to expire.",
            (
                Field("scope", "What", choices=_SCOPES),
                Field("name", "Its name", needed=True),
                _TENANT,
                Field("seconds", "For", choices=(("", "until it is resumed"), *_SPANS)),
                _WHY,
            ),
        ),
        Verb(
            "resume",
            commands.Resume,
            "Resume",
            "Resume",
            "What the pause held is sent, as fast as rates and hours let it.",
            (
                Field("scope", "What", choices=_SCOPES),
                Field("name", "Its name", needed=True),
                _TENANT,
                Field(
                    "extend",
                    "Let a campaign's messages expire later by",
                    "seconds; empty for no later",
                    number=True,
                    of_campaigns=True,
                ),
                _WHY,
            ),
        ),
        Verb(
            "drain",
            commands.Drain,
            "Drain a bind",
            "Drain",
            "What is unanswered is waited for, then the bind ends in order and stays ended until it"
            " is bound again or the gateway starts.",
            (Field("bind", "Bind", needed=True), _WHY),
        ),
        Verb(
            "rebind",
            commands.Rebind,
            "Rebind",
            "Rebind",
            "The bind ends in order, if it is up, and is made anew at once.",
            (Field("bind", "Bind", needed=True), _WHY),
        ),
        Verb(
            "move",
            commands.Move,
            "Move a node away",
            "Move it away",
            "The node ends what it has begun, and gives its phones and binds to the others, so"
            " nothing goes out twice. It goes on accepting, for them. That holds over its restart.",
            (Field("node", "Node", needed=True), _WHY),
        ),
        Verb(
            "move-back",
            commands.MoveBack,
            "Move a node back",
            "Move it back",
            "The node takes its part of phones and binds again.",
            (Field("node", "Node", needed=True), _WHY),
        ),
        Verb(
            "set-rate",
            commands.SetRate,
            "Set a carrier's rate",
            "Set the rate",
            "The carrier is sent at most so many parts per second for the time, and never more than"
            " the configuration states.",
            (
                Field("carrier", "Carrier", needed=True),
                Field("rate", "Parts per second", needed=True, number=True),
                Field("seconds", "For", choices=_SPANS),
                _WHY,
            ),
        ),
        Verb(
            "unset-rate",
            commands.UnsetRate,
            "Let a carrier go by its own rate",
            "Let it go",
            "The rate that somebody has set ends now.",
            (Field("carrier", "Carrier", needed=True), _WHY),
        ),
        Verb(
            "cancel",
            commands.Cancel,
            "Cancel messages",
            "Count them",
            "Messages that no carrier has yet end as cancelled: all that each field takes which is"
            " filled in. They cannot be brought back. First they are counted.",
            (
                Field("tenant", "Tenant"),
                Field("campaign", "Campaign"),
                Field("category", "Category", choices=_CATEGORIES),
                Field("route", "Route"),
                _WHY,
            ),
            counted=True,
            grave=True,
        ),
        Verb(
            "settle",
            commands.Settle,
            "End or requeue what a carrier owes",
            "Count them",
            "Messages that the carrier took and has given no receipt for. Ended, their outcome is"
            " unknown. Requeued, they go out once more by another carrier, and people may get them"
            " twice. First they are counted.",
            (
                Field("carrier", "Carrier", needed=True),
                Field(
                    "to",
                    "What to do",
                    choices=(
                        ("expire", "end them as unknown"),
                        ("requeue", "send them again by another carrier"),
                    ),
                ),
                Field("older", "Taken at least so many seconds ago", number=True),
                _WHY,
            ),
            counted=True,
            grave=True,
        ),
        Verb(
            "disconnect",
            commands.Disconnect,
            "Disconnect a consumer",
            "Disconnect",
            "Its connections end; it may connect again, and loses no event.",
            (
                Field("tenant", "Tenant", needed=True),
                Field("consumer", "Consumer", needed=True),
                _WHY,
            ),
        ),
        Verb(
            "optout",
            commands.ChangeOptout,
            "Change an opt-out",
            "Change it",
            "An added opt-out holds from the moment of the answer on, for what waits too. One that"
            " is taken back lets texts go to the phone again: only where the person asked for it.",
            (
                Field("action", "What", choices=(("add", "add"), ("remove", "take back"))),
                Field("number", "Number", "with the country code", needed=True),
                Field("tenant", "Tenant", "empty for everybody's texts"),
                Field(
                    "source",
                    "Where it is from",
                    choices=(
                        ("complaint", "a complaint"),
                        ("api", "a request"),
                        ("import", "a list"),
                    ),
                ),
                _WHY,
            ),
        ),
        Verb(
            "erase",
            commands.Erase,
            "Erase a person",
            "Erase",
            "All that is known of a phone goes for good: what waits for it is cancelled, and"
            " events, keys, consents and refusals tell nothing of it any more. Its opt-outs stay in"
            " force, and figures stay as they are.",
            (
                Field("number", "Number", "with the country code", needed=True),
                Field("tenant", "Tenant", "empty for all that anybody knows"),
                Field("again", "The number once more", needed=True),
                _WHY,
            ),
            grave=True,
        ),
        Verb(
            "test",
            commands.SendTest,
            "Send a test message",
            "Send it",
            "One message as a tenant would submit it, to a phone that is yours. Opt-outs, quiet"
            " hours and the tenant's limits hold for it too.",
            (
                Field("tenant", "Tenant", needed=True),
                Field("to", "To", "with the country code", needed=True),
                Field("text", "Text", needed=True, long=True),
                Field("sender", "From", "empty for the tenant's first sender"),
                _WHY,
            ),
        ),
        Verb(
            "reload",
            commands.Reload,
            "Reload the configuration",
            "Reload",
            "The file is read anew. With mistakes it is refused whole and the old one stays; binds"
            " that do not change stay up.",
            (_WHY,),
        ),
    )
}
"""Every verb, by its name in addresses (`/do/NAME`)."""

assert {verb.command for verb in VERBS.values()} == MAY_DO.keys()  # noqa: S101


def may_do(role: Role) -> frozenset[str]:
    """The verbs that a role allows."""
    return frozenset(name for name, verb in VERBS.items() if role in MAY_DO[verb.command])


def command_of(verb: Verb, form: Mapping[str, str]) -> commands.Command:
    """The command that a form asks for.

    Raises:
        msgspec.ValidationError: a field is missing or has no value that fits.
    """
    known = set(verb.command.__struct_fields__)
    given = {name: value.strip() for name, value in form.items() if name in known}
    filled = {name: value for name, value in given.items() if value}
    return msgspec.convert(filled, verb.command, strict=False)


def confirming(number: int) -> str:
    """What is asked once the messages are counted."""
    things = f"{count(number)} message{'s' if number != 1 else ''}"
    return f"{things} now. Go on with all of them?"


def button(path: str | None, finding: Finding, may: frozenset[str]) -> Leads | None:
    """The button of a finding, whose ``verb`` is a ``path`` of the admin API, for those who may."""
    name = (path or "").strip("/").replace("_", "-")
    kind, _, rest = finding.subject.partition(" ")
    if name not in may:
        return None
    rest, _, tenant = rest.rpartition(" of ") if " of " in rest else (rest, "", "")
    fields: dict[str, str] = {}
    match name:
        case "rebind" | "drain":  # which of its binds, the carrier's page asks
            return Leads(f"/carriers/{quote(rest, safe='')}#binds", "Rebind…")
        case "settle" | "set-rate":
            fields = {"carrier": rest}
        case "disconnect":
            fields = {"tenant": tenant, "consumer": rest}
        case "pause" | "resume":
            fields = {"scope": kind, "name": rest, "tenant": tenant}
        case "cancel":
            fields = {kind: rest, "tenant": tenant or (rest if kind == "tenant" else "")}
    query = urlencode({key: value for key, value in fields.items() if value} | {"back": "/"})
    return Leads(f"/do/{name}?{query}", f"{VERBS[name].title}…")

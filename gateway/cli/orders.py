"""What operators have done: ``drain``, ``rebind``, ``move``, ``rate``, ``settle``, ``disconnect``,
``probe`` and ``reload``, through the admin API; and what ``pause``, ``resume``, ``cancel`` and
``optout`` of `gateway.cli.asking` are for them.

Where it depends on a count, it is told first: it is to be typed again at a terminal, or given with
``--confirm``.
"""

import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from gateway.cli.operators import LOCAL, AdminAccess, RefusedError, span
from gateway.cli.output import UsageError, show

MOVING = 120.0
"""Seconds for which a node that is moved away is waited for: what it has begun, it ends."""

LOOK = 0.5
"""Seconds between looks whether it has nothing any more."""

For = Annotated[str, Parameter(name="--for")]


def drain(bind: str, /, *, why: str = "", operators: AdminAccess = LOCAL) -> int:
    """End a bind once what is on its way is answered; it stays away until it is bound again.

    Parameters
    ----------
    bind
        Its name, as `gateway carriers` has it: alpha-1.
    why
        For the audit.
    """
    return _did(operators.do("drain", bind=bind, why=why))


def rebind(bind: str, /, *, why: str = "", operators: AdminAccess = LOCAL) -> int:
    """Make a bind anew, once what is on its way is answered.

    Parameters
    ----------
    bind
        Its name, as `gateway carriers` has it: alpha-1.
    why
        For the audit.
    """
    return _did(operators.do("rebind", bind=bind, why=why))


def move(node: str, /, *, back: bool = False, why: str = "", operators: AdminAccess = LOCAL) -> int:
    """Have a node give its phones and binds to the others, before it is maintained; or take its
    part again. It ends once the node has nothing any more, with 1 where that takes two minutes.

    Parameters
    ----------
    node
        Its name, as `gateway nodes` has it.
    back
        It takes its part again.
    why
        For the audit.
    """
    status = _did(operators.do("move/back" if back else "move", node=node, why=why))
    until = time.monotonic() + MOVING
    while not back and (left := _left(operators, node)):
        if time.monotonic() > until:
            print(f"gateway: node {node} still has {left}; it goes on giving up", file=sys.stderr)
            return 1
        time.sleep(LOOK)
    return status


def _left(operators: AdminAccess, node: str) -> str:
    """What a node that works has still of the work, as far as can be told at this moment."""
    try:
        nodes = list(operators.items("nodes"))
    except RefusedError as error:
        if error.kind != "store_stuck":
            raise
        return "what nobody can tell now"
    for each in nodes:
        if each["name"] == node and each["alive"] and (each["phones"] or each["slots"]):
            return f"{each['phones']:.0%} of the phones and {sum(each['slots'].values())} slots"
    return ""


def rate(
    carrier: str,
    parts: float | None = None,
    /,
    *,
    span_: For = "1h",
    why: str = "",
    operators: AdminAccess = LOCAL,
) -> int:
    """Send a carrier no faster than this for a time, or as fast as it may again.

    Parameters
    ----------
    carrier
        Its id.
    parts
        Parts per second; its own rate where this is left out.
    span_
        For how long: 90s, 30m, 2h, 7d.
    why
        For the audit.
    """
    if parts is None:
        return _did(operators.do("rate/unset", carrier=carrier, why=why))
    done = operators.do("rate", carrier=carrier, rate=parts, seconds=span(span_), why=why)
    return _did(done)


def settle(
    carrier: str,
    to: Literal["expire", "requeue"],
    /,
    *,
    older: str = "0",
    confirm: int | None = None,
    why: str = "",
    operators: AdminAccess = LOCAL,
) -> int:
    """End, or send again, the messages for which a carrier owes receipts that will not come.

    Parameters
    ----------
    carrier
        Its id.
    to
        End them as unknown, or have another carrier send them: their recipients may get them twice.
    older
        Only those that it took so long ago: 90s, 30m, 2h, 7d.
    confirm
        How many messages that are, as it was told.
    why
        For the audit.
    """
    command = {"carrier": carrier, "to": to, "older": span(older), "why": why}
    return _confirmed(operators, "settle", command, confirm)


def erase(
    number: str,
    /,
    *,
    tenant: str | None = None,
    again: str | None = None,
    why: str = "",
    operators: AdminAccess = LOCAL,
) -> int:
    """Erase all that is known of a phone, for good. Its opt-outs stay in force.

    Parameters
    ----------
    number
        Its number, with the country code.
    tenant
        What this tenant knows; left out, what anybody does.
    again
        The number once more.
    why
        For the audit.
    """
    command = {"number": number, "tenant": tenant, "why": why}
    if again is None:
        count = operators.do("erase", **command)["messages"]
        told = f"all that is known of {number} goes, and {count:,} messages without an outcome end"
        if not sys.stdin.isatty():
            print(f"gateway: {told}: nothing is done without --again {number}", file=sys.stderr)
            return 1
        again = input(f"{told}. To go on, type the number again: ").strip()
        if not again:
            print("gateway: nothing is done", file=sys.stderr)
            return 1
    return _did(operators.do("erase", **command, again=again))


def disconnect(
    consumer: str, /, *, tenant: str, why: str = "", operators: AdminAccess = LOCAL
) -> int:
    """End the connections of a consumer of events; it may connect again.

    Parameters
    ----------
    consumer
        Its name.
    tenant
        Whose it is.
    why
        For the audit.
    """
    return _did(operators.do("disconnect", tenant=tenant, consumer=consumer, why=why))


def probe(
    tenant: str,
    /,
    *,
    to: str,
    text: str = "Test",
    sender: Annotated[str | None, Parameter(name="--from")] = None,
    operators: AdminAccess = LOCAL,
) -> int:
    """Send one test message as a tenant, by its rules.

    Parameters
    ----------
    tenant
        Its id.
    to
        The number of a phone at hand.
    text
        What it says.
    sender
        One of the tenant's; its default where this is left out.
    """
    return _did(operators.do("test", tenant=tenant, to=to, text=text, sender=sender))


def reload(*, confirm: str | None = None, why: str = "", operators: AdminAccess = LOCAL) -> int:
    """Have the gateway read its configuration anew.

    Parameters
    ----------
    confirm
        The digest of the file that `gateway diff` told; refused where it is another one by now.
    why
        For the audit.
    """
    return _did(operators.do("reload", confirm=confirm, why=why))


def target(
    campaign: str | None,
    carrier: str | None,
    route: str | None,
    tenant: str | None,
    category: str | None,
) -> dict[str, str] | None:
    """What of an operator's is to be paused or resumed; None where it is a tenant's campaign, named
    by its tenant. Raises UsageError where it is nothing, or several things."""
    named = {"carrier": carrier, "route": route, "category": category}
    given = {scope: name for scope, name in named.items() if name is not None}
    if campaign is not None and not given:
        return None if tenant is None else {"scope": "campaign", "name": campaign, "tenant": tenant}
    if tenant is not None:
        given["tenant"] = tenant
    if campaign is not None or len(given) != 1:
        raise UsageError(
            "name a campaign (and with --tenant whose), or one of --carrier, --route, --tenant and "
            "--category"
        )
    [(scope, name)] = given.items()
    return {"scope": scope, "name": name}


def pause(what: Mapping[str, str], for_: str | None, why: str, operators: AdminAccess) -> int:
    """Pause something as an operator."""
    seconds = None if for_ is None else span(for_)
    return _did(operators.do("pause", **what, seconds=seconds, why=why))


def resume(what: Mapping[str, str], extend: float | None, operators: AdminAccess) -> int:
    """Go on with something as an operator."""
    return _did(operators.do("resume", **what, extend=extend))


def cancel(which: Mapping[str, str | None], confirm: int | None, operators: AdminAccess) -> int:
    """Cancel what a filter takes, as an operator."""
    return _confirmed(operators, "cancel", which, confirm)


def optout(action: str, numbers: tuple[str, ...], source: str, operators: AdminAccess) -> int:
    """Change the opt-outs of everybody's texts, or list them."""
    if action == "list":
        show(list(operators.items("optouts", cursor="after")))
        return 0
    status = 0
    for number in numbers:
        try:
            _did(operators.do("optout", action=action, number=number, source=source))
        except RefusedError as error:
            print(f"gateway: {number}: {error}", file=sys.stderr)
            status = 1
    return status


def _confirmed(
    operators: AdminAccess, path: str, command: Mapping[str, Any], confirm: int | None
) -> int:
    """Do something that depends on a count, once somebody has seen it."""
    if confirm is None:
        count = operators.do(path, **command)["messages"]
        told = f"{count:,} messages are meant"
        if not count:
            print(f"gateway: {told}: there is nothing to do", file=sys.stderr)
            return 1
        if not sys.stdin.isatty():
            print(f"gateway: {told}: nothing is done without --confirm {count}", file=sys.stderr)
            return 1
        if input(f"{told}. To go on, type {count}: ").strip() != str(count):
            print("gateway: nothing is done", file=sys.stderr)
            return 1
        confirm = count
    return _did(operators.do(path, **command, confirm=confirm))


def _did(done: Mapping[str, Any]) -> int:
    """Show what was done."""
    shown = {name: value for name, value in done.items() if name not in ("before", "after")}
    for when in ("before", "after"):
        shown |= {f"{when}: {name}": value for name, value in done[when].items()}
    told = {name: value for name, value in shown.items() if value not in (None, "")}
    show([told if sys.stdout.isatty() else dict(done)])
    return 0

"""What operators look at: ``overview``, ``carriers``, ``reach``, ``queues``, ``sent``,
``tenants``, ``policy``, ``campaigns``, ``system``, ``nodes``, ``pauses``, ``audit``, ``diff``,
``message`` and ``messages``, through the admin API.

At a terminal the tables have what fits; the lines of JSON have everything.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final

from gateway.cli.operators import LOCAL, AdminAccess, one
from gateway.cli.output import print_line, show

Item = Mapping[str, Any]

MOST: Final = 200
"""Records of the audit that are shown unless more are asked for."""


def overview(*, operators: AdminAccess = LOCAL) -> int:
    """Tell whether all is well, and if not: what is stuck, where, why, and what to do.

    The exit status is 1 if it is not well.
    """
    found = operators.look("overview")
    if sys.stdout.isatty():
        for line in _sentences(found):
            print(line)
    else:
        print_line(found)
    return int(not found["well"])


def _sentences(found: Item) -> Iterator[str]:
    up = f"{found['binds_up']} of {found['binds']} binds are up"
    oldest = "" if found["oldest_seconds"] is None else f", the oldest {_age(found)}"
    waits = f"{found['queued']:,} messages wait{oldest}, {found['deferred']:,} for later"
    well = "all is well" if found["well"] else "NOT WELL"
    yield f"{well}: {up}; {waits}, {found['sent']:,} are with carriers"
    for each in found["findings"]:
        waits = f"; {each['messages']:,} messages wait" if each["messages"] else ""
        if each["messages"] and each["oldest_seconds"] is not None:
            waits += f", the oldest {_age(each)}"
        yield ""
        yield f"{each['severity']}: {each['subject']}: {each['what']}{waits}"
        yield f"  safe: {each['safe']}"
        yield f"  do:   {each['do']}"
        if each["runbook"]:
            yield f"  docs/runbooks.md: {each['runbook']}"


def carriers(*, operators: AdminAccess = LOCAL) -> int:
    """Tell how the carriers and their binds stand."""
    _show(operators.items("carriers"), _carrier)
    return 0


def _carrier(each: Item) -> Item:
    paused = each["pause"]
    return {
        "carrier": each["id"],
        "state": "paused" if paused else each["state"],
        "for": _since(paused["at"] if paused else each["since"]),
        "binds": f"{each['binds_up']}/{len(each['binds'])}",
        "window": f"{each['in_use']}/{each['window']}",
        "rate": f"{each['rate']:,.0f}{' found' if each['rate_found'] else ''}"
        if each["rate"]
        else "unlimited",
        "waiting": each["waiting"],
        "no receipt": _seconds(each["receipts_silent_seconds"]),
        "error": each["error"] if each["state"] != "up" else None,
    }


def reach(*, operators: AdminAccess = LOCAL) -> int:
    """Tell how many of what each carrier has taken it delivers, beside the median of seven days."""
    _show(operators.items("reach"), _reach)
    return 0


def _reach(each: Item) -> Item:
    return {
        "carrier": each["carrier"],
        "delivered": _percent(each["reach"]),
        "median": _percent(each["median"]),
        "hours known": each["median_hours"],
        "receipts lost in 24 h": each["unknown"],
    }


def policy(*, operators: AdminAccess = LOCAL) -> int:
    """Tell what rules have held back and refused in 24 hours."""
    found = operators.look("policy")
    if sys.stdout.isatty():
        show(found["rules"])
    else:
        print_line(found)
    return 0


def system(*, operators: AdminAccess = LOCAL) -> int:
    """Tell of the store, disk, memory, event loop, what expires, and the configuration in force."""
    found = operators.look("system")
    if sys.stdout.isatty():
        show([{"what": name.replace("_", " "), "is": each} for name, each in found.items()])
    else:
        print_line(found)
    return 0


def _percent(part: float | None) -> str:
    return "" if part is None else f"{part:.1%}"


def queues(*, operators: AdminAccess = LOCAL) -> int:
    """Tell what no carrier has yet, the oldest first, and why it waits."""
    _show(operators.items("queues"), _queue)
    return 0


def _queue(each: Item) -> Item:
    names = ("tenant", "category", "route", "campaign", "messages", "parts")
    shown = {name: each[name] for name in names}
    pause = each["pause"]
    return shown | {
        "oldest": _age(each),
        "waits for": waits_for(each),
        "paused by": pause["by"] if pause else None,
    }


def waits_for(queue: Item) -> str:
    """Why the messages of a queue do not move, in words; when they are due, where none is yet."""
    if queue["oldest_seconds"] is None and queue["next_due"] is not None and not queue["pause"]:
        at = datetime.fromtimestamp(queue["next_due"]).astimezone()
        return f"{at:%Y-%m-%d %H:%M:%S}"
    return str(queue["reason"]).replace("_", " ")


def sent(*, operators: AdminAccess = LOCAL) -> int:
    """Tell what carriers have, and for how long without an answer or a receipt, the oldest
    first."""
    _show(operators.items("sent"), _sent)
    return 0


def _sent(each: Item) -> Item:
    return {
        **{name: each[name] for name in ("tenant", "category", "messages")},
        "no answer for": _seconds(each["unanswered_seconds"]),
        "no receipt for": _seconds(each["receipt_seconds"]),
    }


def tenants(*, operators: AdminAccess = LOCAL) -> int:
    """Tell how the tenants stand."""
    _show(operators.items("tenants"), _tenant)
    return 0


def _tenant(each: Item) -> Item:
    shown = {name: each[name] for name in ("id", "queued", "deferred", "sent", "max_queued")}
    rate = f"{each['rate']:,.0f}" if each["rate"] else "unlimited"
    return shown | {
        "oldest": _age(each),
        "rate": f"{rate}, reached" if each["rate_bound"] else rate,
        "events behind": each["lag"],
        "state": "paused" if each["pause"] else "" if each["configured"] else "not configured",
    }


def campaigns(
    tenant: str | None = None, /, *, hours: int = 168, operators: AdminAccess = LOCAL
) -> int:
    """Tell what was counted of the latest campaigns.

    Parameters
    ----------
    tenant
        Whose; everybody's where it is left out.
    hours
        How far back.
    """
    _show(operators.items("campaigns", tenant=tenant, hours=hours), _campaign)
    return 0


def _campaign(each: Item) -> Item:
    names = ("tenant", "campaign", "accepted", "waiting", "sent", "outcomes", "optouts")
    return {name: each[name] for name in names} | {"state": "paused" if each["pause"] else ""}


def pauses(*, operators: AdminAccess = LOCAL) -> int:
    """Tell what is paused, by whom, since and until when."""
    _show(operators.items("pauses"), _pause)
    return 0


def _pause(each: Item) -> Item:
    target = each["target"]
    of = f" of {target['tenant']}" if target["tenant"] else ""
    return {
        "paused": f"{target['scope']} {target['name']}{of}",
        **{name: each[name] for name in ("by", "at", "until", "held", "why")},
    }


def audit(*, limit: int = MOST, operators: AdminAccess = LOCAL) -> int:
    """Tell who changed what, the newest first.

    Parameters
    ----------
    limit
        How many changes.
    """
    found = operators.items("audit", cursor="before", limit=min(limit, 1000))
    _show(islice(found, limit), _change)
    return 0


def _change(each: Item) -> Item:
    at = datetime.fromtimestamp(each["at"]).astimezone()
    names = ("verb", "subject", "result", "detail")
    return {
        "when": f"{at:%Y-%m-%d %H:%M:%S}",
        "who": f"{each['who']} ({each['role']})",
        **{name: each[name] for name in names},
    }


def diff(*, operators: AdminAccess = LOCAL) -> int:
    """Tell what a reload of the configuration would change.

    The exit status is 1 if it would be refused.
    """
    found = operators.look("diff")
    if not sys.stdout.isatty():
        print_line(found)
        return int(bool(found["errors"]))
    for line in found["errors"]:
        print(f"mistake: {line}")
    for line in found["made"]:
        print(f"at once: {line}")
    for line in found["waiting"]:
        print(f"from the next start on: {line}")
    if found["file"] == found["running"]:
        print("the file is what runs")
    elif not any(found[name] for name in ("errors", "made", "waiting")):
        print("the file is another one, and means the same")
    return int(bool(found["errors"]))


def message(identifier: str, /, *, operators: AdminAccess = LOCAL) -> int:
    """Tell of one message what has happened to it, step by step.

    Parameters
    ----------
    identifier
        Its id.
    """
    found = operators.look(f"messages/{one(identifier)}")
    if not sys.stdout.isatty():
        print_line(found)
        return 0
    show([{name: value for name, value in found.items() if name != "steps" and value}])
    show([{name: step[name] for name in ("at", "what", "detail")} for step in found["steps"]])
    return 0


def messages(number: str, /, *, operators: AdminAccess = LOCAL) -> int:
    """List the messages to a phone.

    Parameters
    ----------
    number
        Its number, with the country code.
    """
    _show(operators.items("messages", cursor="after", to=number), _listed)
    return 0


def person(number: str, /, *, operators: AdminAccess = LOCAL) -> int:
    """Tell all that is on record of a phone: its opt-outs, its consents, its messages, as one JSON
    object a line.

    Parameters
    ----------
    number
        Its number, with the country code.
    """
    print_line(operators.look("person", number=number))
    for each in operators.items("messages", cursor="after", to=number):
        print_line(each)
    return 0


def _listed(each: Item) -> Item:
    names = ("id", "tenant", "state", "campaign", "accepted_at", "updated_at", "code", "text")
    return {name: each[name] for name in names}


def consumers_of_all(operators: AdminAccess) -> int:
    """Show every tenant's consumers."""
    _show(operators.items("consumers"), lambda each: each)
    return 0


def nodes(*, operators: AdminAccess = LOCAL) -> int:
    """Tell which nodes share the database, and what each has of the work.

    The exit status is 1 where those that work do not go by the same configuration.
    """
    found = list(operators.items("nodes"))
    _show(found, _node)
    configurations = {each["config"] for each in found if each["alive"]}
    if len(configurations) > 1:
        print("gateway: the nodes' configurations differ; reload them all", file=sys.stderr)
    return int(len(configurations) > 1)


def _node(each: Item) -> Item:
    return {
        "node": each["name"] + (" (this one)" if each["here"] else ""),
        "state": "is gone" if not each["alive"] else "moved away" if each["moved"] else "works",
        "phones": f"{each['phones']:.0%}",
        "slots": ", ".join(f"{name} {count}" for name, count in each["slots"].items()) or "none",
        "version": each["version"],
        "configuration": each["config"],
        "behind": each["behind"],
        "clock": f"{each['ahead']:+.1f} s" if each["ahead"] else "",
    }


def _show(items: Iterable[Item], row: Callable[[Item], Item]) -> None:
    """Print what a person looks at, or all for a program."""
    if sys.stdout.isatty():
        rows = [row(each) for each in items]
        empty = {name for each in rows for name in each if not any(one[name] for one in rows)}
        show([{name: each[name] for name in each if name not in empty} for each in rows])
    else:
        for each in items:
            print_line(each)


def _since(moment: float | None) -> str:
    return _seconds(time.time() - moment) if moment else ""


def _age(each: Item) -> str:
    return _seconds(each["oldest_seconds"])


def _seconds(seconds: float | None) -> str:
    if not seconds:
        return ""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} s"

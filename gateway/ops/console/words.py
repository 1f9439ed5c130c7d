"""How the console writes numbers, spans and times, and which word and mark go with a state: what is
told by a colour is always told by a word too."""

import math
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

NONE: Final = "–"  # noqa: RUF001
"""Stands where there is nothing to tell."""

MARKS: Final = {
    "critical": ("bad", "critical"),
    "warning": ("warn", "warning"),
    "notice": ("info", "notice"),
    "info": ("info", "info"),
    "up": ("good", "up"),
    "elsewhere": ("info", "other nodes have it"),
    "bound": ("good", "bound"),
    "degraded": ("warn", "degraded"),
    "connecting": ("warn", "connecting"),
    "draining": ("warn", "draining"),
    "drained": ("info", "drained"),
    "down": ("bad", "down"),
    "paused": ("info", "paused"),
    "connected": ("good", "connected"),
    "missed": ("bad", "away"),
    "away": ("info", "not connected"),
    "delivered": ("good", "delivered"),
    "sent": ("info", "sent"),
    "queued": ("info", "queued"),
    "deferred": ("info", "deferred"),
    "failed": ("bad", "failed"),
    "expired": ("bad", "expired"),
    "unknown": ("warn", "unknown"),
    "cancelled": ("info", "cancelled"),
    "blocked": ("warn", "blocked"),
    "works": ("good", "works"),
    "moved away": ("info", "moved away"),
    "is gone": ("bad", "is gone"),
    "differs": ("warn", "differs"),
    "is off": ("warn", "is off"),
    "slow": ("warn", "slow"),
    "refuses": ("bad", "refuses"),
    "silent": ("bad", "does not answer"),
    "done": ("good", "done"),
    "refused": ("warn", "refused"),
    "begun": ("warn", "begun"),
    "none": ("good", "moves"),
    "store_congested": ("bad", "the store is congested"),
    "tenant_missing": ("warn", "its tenant is gone"),
    "no_bind": ("bad", "no bind is up"),
    "tenant_rate": ("info", "the tenant's own rate"),
    "window_full": ("warn", "the windows are full"),
    "carrier_rate": ("warn", "the carrier's rate"),
}
"""The look and the word of every state and reason."""

_STEPS: Final = (
    (86_400 * 2, 86_400, "d"),
    (3_600 * 2, 3_600, "h"),
    (120, 60, "min"),
)


def count(value: float | None) -> str:
    """A number of things: ``12,310``."""
    return NONE if value is None else f"{value:,.0f}"


def span(seconds: float | None) -> str:
    """How long: ``0.4 s``, ``90 s``, ``4 min``, ``3 h 5 min``, ``12 d``."""
    if seconds is None:
        return NONE
    if seconds < 0:
        return f"-{span(-seconds)}"
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    for least, unit, name in _STEPS:
        if seconds >= least:
            whole, rest = divmod(int(seconds), unit)
            minutes = rest // 60 if name == "h" else 0
            return f"{whole} {name}" + (f" {minutes} min" if minutes else "")
    return f"{seconds:.0f} s"


def moment(at: float | None, now: float | None = None) -> Markup | str:
    """A time in UTC; without its day where that is today's."""
    if at is None:
        return NONE
    when = datetime.fromtimestamp(at, UTC)
    today = now is not None and datetime.fromtimestamp(now, UTC).date() == when.date()
    shown = f"{when:%H:%M:%S}" if today else f"{when:%Y-%m-%d %H:%M:%S}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        when.isoformat(timespec="milliseconds"), f"{when:%Y-%m-%d %H:%M:%S} UTC", shown
    )


def since(at: float | None, now: float) -> str:
    """How long something has been so."""
    return NONE if at is None else span(max(0.0, now - at))


def rate(value: float) -> str:
    """Parts per second."""
    return "unlimited" if not value else f"{value:,.0f}/s" if value >= 10 else f"{value:.1f}/s"


def share(part: float, whole: float) -> str:
    """A percentage."""
    return NONE if not whole else f"{part / whole:.0%}"


def percent(part: float | None) -> str:
    """A share of one, not rounded to all where it is not."""
    if part is None:
        return NONE
    return f"{part:.1%}" if 0.99 <= part < 1 else f"{part:.0%}"


def look(state: str) -> str:
    """The class of a state, for its colour."""
    return MARKS.get(state, ("info", state))[0]


def word(state: str) -> str:
    """The word of a state."""
    return MARKS.get(state, ("info", state.replace("_", " ")))[1]


def measure(value: float | None, unit: str) -> str:
    """A value of a panel in its unit, as `gateway.ops.watching.declared.Unit` names it."""
    if value is None or math.isnan(value):
        return NONE
    match unit:
        case "s":
            return f"{value * 1000:.3g} ms" if 0 < abs(value) < 1 else span(value)
        case "bytes":
            return _bytes(value)
        case "percentunit":
            return f"{value:.1%}"
        case "ops":
            return f"{value:,.3g}/s" if abs(value) < 100 else f"{value:,.0f}/s"
        case "bool":
            return "yes" if value else "no"
        case "dateTimeAsIso":
            return f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _bytes(value: float) -> str:
    for name in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000:
            return f"{value:.3g} {name}"
        value /= 1000
    return f"{value:,.3g} TB"

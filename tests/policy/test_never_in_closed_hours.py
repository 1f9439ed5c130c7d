"""No verdict lets a message out in closed hours, whatever the zone, date, margin and clock change.

The independent calculation reads the hours as they are written and looks at every clock on the wall
minute by minute; it shares no code with the windows.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from holidays import country_holidays
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gateway.facts import Facts
from gateway.message import CATEGORIES, Local, Message
from gateway.policy import local
from gateway.policy.closings import Closing
from gateway.policy.hours import WEEKDAYS, RegionHours
from gateway.policy.quiet_hours import QuietHours, QuietHoursOptions
from gateway.policy.rules import Defer

MakeMessage = Callable[..., Message]

ZONES = {
    "8613812345678": ["Asia/Shanghai"],
    "33612345678": ["Europe/Paris"],
    "447400123456": ["Europe/Guernsey", "Europe/Isle_of_Man", "Europe/Jersey", "Europe/London"],
    "15125550100": ["America/Chicago"],
    "61282311234": ["Australia/Sydney"],
    "9779812345678": ["Asia/Kathmandu"],
    "56221234567": ["America/Santiago"],
}
"""Numbers, and the clocks that people there live by."""

OWN_ZONES = ["Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Chatham", "America/St_Johns"]
REGIONS = {
    "33": ("FR", None),
    "44": ("GB", None),
    "15": ("US", "TX"),
    "61": ("AU", None),
    "97": ("NP", None),
    "56": ("CL", None),
}
"""Whose holidays a number keeps, by its beginning. China's weekends that are worked in exchange for
a holiday have tests of their own."""

DAY = timedelta(days=1)


def days(first: str, count: int) -> list[date]:
    """So many days, from the first on."""
    return [date.fromisoformat(first) + n * DAY for n in range(count)]


minutes = st.integers(0, 95).map(lambda quarter: quarter * 15)


@st.composite
def spans(draw: st.DrawFn) -> str:
    """Hours as they are written, of one span or two."""
    edges = sorted(draw(st.sets(minutes, min_size=2, max_size=4)))
    edges = edges[: len(edges) // 2 * 2]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return ",".join(f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in pairs)


@st.composite
def moments(draw: st.DrawFn) -> float:
    """Often around the changes of a clock, or a special day."""
    near = draw(
        st.sampled_from(
            ["2026-03-08 08:00", "2026-03-29 01:00", "2026-04-04 15:30", "2026-10-03 15:30",
             "2026-10-25 01:00", "2026-11-01 06:00", "2026-12-24 22:00", "2026-12-31 22:00",
             "2026-04-05 03:00", "2026-09-06 04:00", "2026-06-15 12:00"]
        )
    )  # fmt: skip
    at = datetime.fromisoformat(near).replace(tzinfo=UTC).timestamp()
    return at + draw(st.integers(-40 * 3600, 40 * 3600))


def within(written: str, minute: int) -> bool:
    """Whether a minute of a day lies in hours as they are written."""
    if written == "closed":
        return False
    for span in written.split(","):
        begin, end = span.split("-")
        if to_minute(begin) <= minute < to_minute(end):
            return True
    return False


def to_minute(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


class Rules:
    """What holds, as somebody wrote it."""

    def __init__(
        self,
        region: RegionHours,
        closing: Closing | None,
        window: str | None,
        to: str,
        zones: list[str],
        margin: int,
    ) -> None:
        country, state = REGIONS.get(to[:2], (None, None))
        self.holidays = country_holidays(country, subdiv=state) if country else {}
        self.region = region
        self.closing = closing
        self.window = window
        self.zones = zones
        self.margin = margin

    def open(self, at: float) -> bool:
        """Whether a message may go, and be delivered within the margin."""
        moments = [at + second for second in range(0, self.margin, 60)] or [at]
        return all(self._shows(one, zone) for one in moments for zone in self.zones)

    def _shows(self, at: float, zone: str) -> bool:
        shown = datetime.fromtimestamp(at, ZoneInfo(zone)).replace(tzinfo=None)
        minute = shown.hour * 60 + shown.minute
        written = self.region.open or ""
        holiday = shown.date() in self.holidays
        late = self.region.holidays_from
        if holiday and late is not None and minute < to_minute(late):
            return False
        if holiday and self.region.holidays is not None:
            written = self.region.holidays
        elif shown.weekday() == 6:
            written = self.region.sunday or written
        if self.closing is not None:
            begin = datetime.fromisoformat(self.closing.start)
            end = datetime.fromisoformat(self.closing.end)
            if len(self.closing.end) == 10:
                end += DAY
            if begin <= shown < end:
                return False
        return within(written, minute) and (self.window is None or within(self.window, minute))


@settings(max_examples=400)
@given(st.data())
def test_no_verdict_lets_a_message_out_in_closed_hours(
    make_message: MakeMessage, data: st.DataObject
) -> None:
    draw = data.draw
    to = draw(st.sampled_from(sorted(ZONES)))
    region = RegionHours(
        open=draw(spans()),
        sunday=draw(st.none() | spans() | st.just("closed")),
        holidays=draw(st.none() | spans()) if not to.startswith("86") else None,
        holidays_from=None,
    )
    if not to.startswith("86") and draw(st.booleans()):
        late = RegionHours(**{**as_keys(region), "holidays_from": draw(st.just("10:00"))})
        region = late if not late.faults() else region
    closing = None
    now = draw(moments())
    if draw(st.booleans()):
        day = datetime.fromtimestamp(now, UTC).date() + draw(st.integers(-1, 1)) * DAY
        closing = Closing(
            start=day.isoformat(), end=f"{day + DAY}T{draw(st.sampled_from(['06:00', '13:15']))}"
        )
    zone = draw(st.none() | st.sampled_from(OWN_ZONES))
    window = draw(st.none() | spans())
    own = None if zone is None and window is None else Local(zone, None, window)
    options = QuietHoursOptions(
        regions=dict.fromkeys(("CN", "FR", "GB", "US-TX", "AU", "NP", "CL"), region),
        open=region.open,
        closings=() if closing is None else (closing,),
        margin=draw(st.sampled_from([0, 60, 600])),
        reopening=draw(st.sampled_from([0, 900])),
    )
    rules = Rules(region, closing, window, to, [zone] if zone else ZONES[to], options.margin)
    message = make_message(to, id=draw(st.integers(1, 1 << 62)), local=own)
    quiet = QuietHours(options)
    verdict = quiet.judge([message], Facts(), now).get(0)
    if verdict is None:
        assert rules.open(now)
        [end] = quiet.ends([message], now)
        # Nor does the carrier, that is told until when it may try.
        for share in (0.0, 0.5, 0.999):
            at = now + (min(end, now + 2 * 86_400) - now) * share
            assert all(rules._shows(at, one) for one in rules.zones)  # noqa: SLF001
    else:
        assert not rules.open(now)
        if isinstance(verdict, Defer):
            assert verdict.until > now
            assert rules.open(verdict.until)
            # Nor is it kept longer than it must be.
            assert options.reopening or not rules.open(verdict.until - 1)


ANY_ZONE = sorted(
    name
    for name in available_timezones()
    if not name.startswith(("posix", "right", "localtime", "Factory"))
)

CHINA_OFF = {
    *days("2026-01-01", 3), *days("2026-02-15", 9), *days("2026-04-04", 3), *days("2026-05-01", 5),
    *days("2026-06-19", 3), *days("2026-09-25", 3), *days("2026-10-01", 7),
}  # fmt: skip
CHINA_WORKED = {date(2026, 1, 4), date(2026, 2, 14), date(2026, 2, 28), date(2026, 5, 9),
                date(2026, 9, 20), date(2026, 10, 10)}  # fmt: skip
"""As the State Council announced them in November 2025."""

KEPT = {
    "CN": (CHINA_OFF, CHINA_WORKED),
    "FR": (set(country_holidays("FR", years=2026)), set()),
    "US-TX": (set(country_holidays("US", subdiv="TX", years=2026)), set()),
    "SA": (set(country_holidays("SA", years=2026)), set()),
    "NP": (set(), set()),
}
"""The holidays of regions in 2026, and the weekends that are worked in exchange for some."""


class Stated:
    """What holds at one clock, as somebody wrote it; only wall clocks are looked at."""

    def __init__(
        self,
        zone: str,
        region: str,
        hours: dict[str, str],
        window: str | None,
        closings: list[Closing],
    ) -> None:
        self._zone = ZoneInfo(zone)
        self._off, self._worked = KEPT[region]
        self._hours, self._window = hours, window
        self._closings = [
            (
                datetime.fromisoformat(one.start),
                datetime.fromisoformat(one.end) + (DAY if len(one.end) == 10 else 0 * DAY),
            )
            for one in closings
        ]

    def open(self, at: float) -> bool:
        shown = datetime.fromtimestamp(at, self._zone).replace(tzinfo=None)
        if any(begin <= shown < end for begin, end in self._closings):
            return False
        minute = shown.hour * 60 + shown.minute
        if self._window is not None and not within(self._window, minute):
            return False
        hours, day = self._hours, shown.date()
        keeps = "holidays" in hours or "holidays_from" in hours
        name = shown.strftime("%A").lower()
        if keeps and day in self._off:
            if minute < to_minute(hours.get("holidays_from", "00:00")):
                return False
            return within(hours.get("holidays", hours.get(name, hours["open"])), minute)
        if keeps and day in self._worked:
            name = "monday"
        return within(hours.get(name, hours["open"]), minute)

    def fits(self, at: float, margin: int) -> bool:
        """Whether it is open from then on for as long as the margin."""
        return all(map(self.open, [*range(int(at), int(at) + margin, 60), at + max(margin - 1, 0)]))


@st.composite
def changes(draw: st.DrawFn, zone: str) -> float:
    """A moment of 2026, often near one at which a clock is changed."""
    year = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    clock = ZoneInfo(zone)
    ahead = [datetime.fromtimestamp(year + n * 86_400, clock).utcoffset() for n in range(365)]
    changed = [n for n in range(1, 365) if ahead[n] != ahead[n - 1]]
    day = draw(st.sampled_from(changed or [draw(st.integers(0, 364))]) | st.integers(0, 355))
    return year + day * 86_400 + draw(st.integers(-40 * 3600, 40 * 3600))


@settings(max_examples=250, phases=[Phase.generate])  # shrinking takes minutes, and tells no more
@given(st.data())
def test_wherever_and_whenever_a_message_says_that_its_phone_is(
    make_message: MakeMessage, data: st.DataObject
) -> None:
    """In any time zone, in any category: within its region's hours, and the window and the hour
    that it names."""
    draw = data.draw
    zone, name = draw(st.sampled_from(ANY_ZONE)), draw(st.sampled_from(sorted(KEPT)))
    now = draw(changes(zone))
    hours = {"open": draw(spans())}
    for key in draw(st.sets(st.sampled_from([*WEEKDAYS, "holidays"]))):
        if key != "holidays" or KEPT[name][0]:
            hours[key] = draw(spans() | st.just("closed"))
    if len(KEPT[name][0]) > 0 and draw(st.booleans()):
        hours["holidays_from"] = draw(st.sampled_from(["06:15", "10:00", "12:30"]))
    region = RegionHours(**hours)
    if region.faults():
        del hours["holidays_from"]
        region = RegionHours(**hours)
    closings = []
    for _ in range(draw(st.integers(0, 2))):
        start = datetime.fromtimestamp(now, UTC) + draw(st.integers(-72, 72)) * DAY / 24
        end = start + draw(st.integers(1, 80)) * DAY / 24
        form = draw(st.sampled_from(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]))
        one = Closing(start=start.strftime(form), end=end.strftime(form))
        closings += [] if [*one.problems()] else [one]
    window = draw(st.none() | spans())
    options = QuietHoursOptions(
        regions={name: region},
        open="00:00-24:00",
        closings=tuple(closings),
        margin=draw(st.integers(0, 3600)),
        reopening=draw(st.sampled_from([0, 0, 600, 21_600])),
    )
    category = draw(st.sampled_from(CATEGORIES))
    due = now
    if draw(st.booleans()):
        written = datetime.fromtimestamp(now + draw(st.integers(0, 90_000)), ZoneInfo(zone))
        shown = written.strftime("%Y-%m-%dT%H:%M")
        due = local.moment(shown, frozenset({zone})).at
        showed = datetime.fromtimestamp(due, ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M")
        # A clock that skips it shows a later time at once.
        assert showed == shown or showed > shown > _shown(due - 1, zone)
        due = max(due, now)
    life = draw(st.integers(60, 4 * 86_400))
    message = make_message(
        "870776123456",
        id=draw(st.integers(1, 1 << 62)),
        category=category,
        due=due,
        expires_at=due + life,
        local=Local(zone, name, window),
    )
    keeps = category in options.categories
    held = Stated(zone, name, hours if keeps else {"open": "00:00-24:00"}, window,
                  closings if keeps else [])  # fmt: skip
    margin = options.margin if keeps or window is not None else 0
    verdict = QuietHours(options).judge([message], Facts(), now).get(0)
    at = max(due, now)
    if verdict is None:
        assert held.fits(at, margin)
        [last] = QuietHours(options).ends([message], at)
        assert all(held.open(at + (last - at) * share) for share in (0.0, 0.3, 0.9, 0.999))
        return
    assert not held.fits(at, margin)
    minutes = range(int(at) // 60 * 60 + 60, int(at) + life + 120, 60)
    first = next((one for one in minutes if held.fits(one, margin)), None)
    if isinstance(verdict, Defer):
        assert at < verdict.until < message.expires_at
        assert held.fits(verdict.until, margin)
        assert first is not None
        assert first <= verdict.until
        assert verdict.until == first or verdict.until < first + options.reopening
    else:
        assert first is None or first >= message.expires_at


def _shown(at: float, zone: str) -> str:
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M")


def as_keys(hours: RegionHours) -> dict[str, str | None]:
    return {"open": hours.open, "sunday": hours.sunday, "holidays": hours.holidays}

"""No verdict lets a message out in closed hours, whatever the zone, date, margin and clock change.

The independent calculation reads the hours as they are written and looks at every clock on the wall
minute by minute; it shares no code with the windows.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from holidays import country_holidays
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.facts import Facts
from gateway.message import Local, Message
from gateway.policy.closings import Closing
from gateway.policy.hours import RegionHours
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


def as_keys(hours: RegionHours) -> dict[str, str | None]:
    return {"open": hours.open, "sunday": hours.sunday, "holidays": hours.holidays}

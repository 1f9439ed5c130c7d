"""What senders say of their recipients' wall clocks."""

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.facts import Facts
from gateway.message import Local, Message
from gateway.policy import local
from gateway.policy.quiet_hours import QuietHours, QuietHoursOptions
from gateway.policy.regions import place_of
from gateway.policy.rules import Defer, Refuse, Verdict

MakeMessage = Callable[..., Message]
Moment = Callable[[str], float]

GB, FR, CN, SATELLITE = "447400123456", "33612345678", "8613812345678", "870773123456"
TEXAS, NEW_YORK, TOLL_FREE = "15125550100", "12125550100", "18005550100"


def verdict(message: Message, now: float, **options: object) -> Verdict | None:
    return QuietHours(QuietHoursOptions(**options)).judge([message], Facts(), now).get(0)  # type: ignore[arg-type]


def opens(message: Message, now: float) -> float:
    found = verdict(message, now)
    if found is None:
        return now
    assert isinstance(found, Defer), found
    return found.until


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (("Mars/Olympus", None, None), "time_zone: 'Mars/Olympus' is no time zone"),
        (("", None, None), "time_zone: '' is no time zone"),
        (("../../etc/passwd", None, None), "time_zone: '../../etc/passwd' is no time zone"),
        (("right/Europe/Paris", None, None), "time_zone: 'right/Europe/Paris' is no time zone"),
        (("+08:00", None, None), "time_zone: '+08:00' is no time zone"),
        (("Asia", None, None), "time_zone: 'Asia' is no time zone"),
        (("a\0b", None, None), "is no time zone"),
        ((None, "XX", None), "region: 'XX' is no ISO 3166 code"),
        ((None, "us-tx", None), "region: 'us-tx' is no ISO 3166 code"),
        ((None, "Texas", None), "region: 'Texas' is no ISO 3166 code"),
        ((None, None, ""), "window: '' is neither"),
        ((None, None, "closed"), "window: 'closed' never opens"),
        ((None, None, "10-12"), "window: '10-12' is neither"),
        ((None, None, "22:00-08:00"), "window: '22:00-08:00' must end after it begins"),
        ((None, None, "10:00-12:00,11:00-13:00"), "out of order"),
        ((None, None, ",".join(["10:00-12:00"] * 11)), "is longer than 120 characters"),
    ],
)
def test_what_is_wrong_is_named(fields: tuple[str | None, ...], said: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        local.read(*fields)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("to", "own", "now", "expected"),
    [
        # Somebody from London in Shanghai: British hours on a Chinese clock.
        (GB, Local("Asia/Shanghai"), "2026-11-24 12:00+00:00", "2026-11-25 09:00+08:00"),
        # An American number moved to Texas with its owner: Texan hours, in both zones of Texas.
        (NEW_YORK, Local(None, "US-TX"), "2026-11-22 11:00-06:00", "2026-11-22 12:00-07:00"),
        # And it is known to be in Houston.
        (
            NEW_YORK,
            Local("America/Chicago", "US-TX"),
            "2026-11-22 11:00-06:00",
            "2026-11-22 12:00-06:00",
        ),
        # The country alone says no more than digits of one of its states.
        (TEXAS, Local(None, "US"), "2026-11-22 11:00-06:00", "2026-11-22 12:00-06:00"),
        # Toll-free numbers may be anywhere; this one's owner is in New York.
        (TOLL_FREE, Local(None, "US-NY"), "2026-11-24 07:00-05:00", "2026-11-24 08:00-05:00"),
        # Of no country, but with a clock: the careful hours of everywhere.
        (SATELLITE, Local("Etc/UTC"), "2026-11-24 21:00+00:00", "2026-11-25 08:00+00:00"),
        # French hours and holidays of a British number.
        (GB, Local(None, "FR"), "2026-11-11 12:00+01:00", "2026-11-12 08:00+01:00"),
        # Windows lie within what is allowed, whatever they say.
        (CN, Local(None, None, "10:00-12:00"), "2026-11-24 09:00+08:00", "2026-11-24 10:00+08:00"),
        (CN, Local(None, None, "10:00-12:00"), "2026-11-24 12:00+08:00", "2026-11-25 10:00+08:00"),
        (CN, Local(None, None, "06:00-09:00"), "2026-11-24 06:30+08:00", "2026-11-24 08:00+08:00"),
        (CN, Local(None, None, "20:00-23:00"), "2026-11-24 21:30+08:00", "2026-11-25 20:00+08:00"),
        (
            CN,
            Local(None, None, "10:00-12:00,15:00-18:00,20:00-21:30"),
            "2026-11-24 18:00+08:00",
            "2026-11-24 20:00+08:00",
        ),
        # A window on a day with hours of its own.
        (FR, Local(None, None, "09:00-10:00"), "2026-11-21 10:00+01:00", "2026-11-23 09:00+01:00"),
    ],
)
def test_when_a_message_goes_whose_sender_knows_better(
    make_message: MakeMessage, moment: Moment, to: str, own: Local, now: str, expected: str
) -> None:
    assert opens(make_message(to, local=own), moment(now)) == moment(expected)


@pytest.mark.parametrize("category", ["otp", "transactional"])
def test_a_window_holds_in_every_category_and_where_no_hours_are_kept(
    make_message: MakeMessage, moment: Moment, category: str
) -> None:
    night, morning = moment("2026-11-24 03:00+08:00"), moment("2026-11-24 06:00+08:00")
    message = make_message(CN, category=category, local=Local(None, None, "06:00-09:00"))
    assert opens(message, night) == morning
    assert verdict(make_message(CN, category=category, local=Local("Asia/Tokyo")), night) is None
    found = verdict(message, night, categories=frozenset())
    assert isinstance(found, Defer)
    assert found.until == morning


def test_a_window_that_is_never_within_the_hours_is_refused(
    make_message: MakeMessage, moment: Moment
) -> None:
    message = make_message(CN, local=Local(None, None, "22:00-23:00"))
    assert verdict(message, moment("2026-11-24 22:30+08:00")) == Refuse(
        "quiet_hours",
        "invalid_value",
        "window: 22:00-23:00 has nothing of the hours of CN (Asia/Shanghai); widen it",
    )


def test_carriers_are_told_when_the_window_ends(make_message: MakeMessage, moment: Moment) -> None:
    quiet = QuietHours(QuietHoursOptions())
    now, end = moment("2026-11-24 11:00+08:00"), moment("2026-11-24 12:00+08:00")
    window = Local(None, None, "10:00-12:00")
    messages = [make_message(CN, local=window), make_message(CN, category="otp", local=window)]
    assert quiet.ends([*messages, make_message(CN)], now) == [
        end, end, moment("2026-11-24 21:00+08:00"),
    ]  # fmt: skip
    assert quiet.ends(messages, end) == [end, end]


def test_the_time_to_live_counts_the_windows_hours(moment: Moment) -> None:
    quiet = QuietHours(QuietHoursOptions())
    start = moment("2026-11-24 11:00+08:00")
    window = Local(None, None, "10:00-12:00")
    for category in ("marketing", "otp"):
        end = quiet.open_seconds_end(CN, category, window, start, 2 * 3600)
        assert end == moment("2026-11-25 11:01+08:00")  # the first day's margin is a minute


def test_windows_that_nobody_asks_for_any_more_are_forgotten(
    make_message: MakeMessage, moment: Moment, monkeypatch: pytest.MonkeyPatch,
    weigh: Callable[[object], int],
) -> None:  # fmt: skip
    monkeypatch.setattr("gateway.policy.quiet_hours.LOCALS", 50)
    monkeypatch.setattr("gateway.policy.windows.REMEMBERED", 50)
    quiet = QuietHours(QuietHoursOptions())
    now = moment("2026-11-24 11:00+08:00")

    def ask(first: int) -> None:
        for minute in range(first, first + 500):
            window = f"{minute // 60 % 10 + 10}:{minute % 60:02}-20:59"
            quiet.judge([make_message(CN, local=Local(None, None, window))], Facts(), now)

    ask(0)
    before = weigh(quiet)
    ask(500)
    assert weigh(quiet) < before * 1.5


# --- send_at_local ---


@pytest.mark.parametrize(
    ("text", "zones", "expected"),
    [
        ("2026-11-11T10:00", {"Asia/Shanghai"}, "2026-11-11 10:00+08:00"),
        ("2026-11-11 10:00:30", {"Asia/Shanghai"}, "2026-11-11 10:00:30+08:00"),
        # Half an hour and three quarters from the whole hour.
        ("2026-11-11T10:00", {"Asia/Kathmandu"}, "2026-11-11 10:00+05:45"),
        # Skipped in spring: when the clock jumps over it.
        ("2026-03-29T02:30", {"Europe/Paris"}, "2026-03-29 03:00+02:00"),
        ("2026-03-08T02:00", {"America/New_York"}, "2026-03-08 03:00-04:00"),
        ("2026-10-04T02:10", {"Australia/Lord_Howe"}, "2026-10-04 02:30+11:00"),
        # Samoa had no 30 December 2011 at all.
        ("2011-12-30T12:00", {"Pacific/Apia"}, "2011-12-31 00:00+14:00"),
        # Shown twice in autumn: the first time.
        ("2026-10-25T02:30", {"Europe/Paris"}, "2026-10-25 02:30+02:00"),
        # In several zones: once it is that late in all of them.
        ("2026-11-11T10:00", {"Europe/Moscow", "Asia/Kamchatka"}, "2026-11-11 10:00+03:00"),
    ],
)
def test_when_a_clock_shows_it(moment: Moment, text: str, zones: set[str], expected: str) -> None:
    found = local.moment(text, frozenset(zones))
    assert found.at == moment(expected)
    assert found.several == (len(zones) > 1)


@pytest.mark.parametrize(
    "text",
    [
        "", "10:00", "2026-11-11", "2026-11-31T10:00", "2026-11-11T25:00", "2026-11-11T10:00Z",
        "2026-11-11T10:00+08:00", "11/11/2026 10:00", "2026-11-11T10:00:00.5", "20261111T1000",
        "2026-11-11T10:00 ", "\uff12\uff10\uff12\uff16-11-11T10:00",
    ],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"send_at_local: .* is no time of a wall clock"):
        local.moment(text, frozenset({"Europe/Paris"}))


def test_a_phone_whose_zone_nobody_knows_has_no_clock() -> None:
    with pytest.raises(ValueError, match="state time_zone"):
        local.moment("2026-11-11T10:00", place_of(SATELLITE).zones)
    assert local.placed(place_of(SATELLITE), Local("Etc/UTC")).zones == {"Etc/UTC"}


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2029, 1, 1)),  # noqa: DTZ001  a wall clock's
    st.sampled_from(
        ["America/New_York", "Europe/Paris", "Australia/Lord_Howe", "Asia/Kolkata",
         "America/Santiago", "Africa/Casablanca", "Pacific/Chatham", "Asia/Shanghai"]
    ),
)  # fmt: skip
def test_no_clock_has_shown_a_time_before(shown: datetime, name: str) -> None:
    """Found by walking: a second before it, and in the half day before, the clock shows less."""
    shown = shown.replace(second=0, microsecond=0)
    at = local.moment(shown.isoformat(timespec="minutes"), frozenset({name})).at
    zone = ZoneInfo(name)

    def clock(moment: float) -> datetime:
        return datetime.fromtimestamp(moment, zone).replace(tzinfo=None)

    assert clock(at) >= shown
    assert clock(at) - shown < timedelta(hours=1, seconds=1)
    assert all(clock(at - step) < shown for step in (1, 60, 1800, 5400, 43_200))

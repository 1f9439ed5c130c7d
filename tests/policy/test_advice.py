"""What ``gateway check`` says of hours that are allowed."""

from datetime import date

import pytest

from gateway.policy import holidays
from gateway.policy.advice import (
    carrier_never_open,
    carrier_unknown_holidays,
    dropped,
    never_open,
    unknown_holidays,
)
from gateway.policy.carrier_hours import CarrierHoursOptions
from gateway.policy.hours import RegionHours
from gateway.policy.quiet_hours import QuietHoursOptions

CLOSED = "closed"


@pytest.mark.parametrize(
    ("name", "written", "lost"),
    [
        ("FR", RegionHours(open="08:00-20:00"), 'sunday = "closed", holidays = "closed"'),
        ("FR", RegionHours(open="08:00-20:00", sunday=CLOSED), 'holidays = "closed"'),
        ("FR", RegionHours(sunday="10:00-12:00", holidays="10:00-12:00"), None),
        ("US-TX", RegionHours(open="09:00-21:00"), 'sunday = "12:00-21:00"'),
        ("CN", RegionHours(open="00:00-24:00"), None),
        ("JP", RegionHours(open="09:00-18:00"), None),
        # Without `open` the general hours hold, 08:00-20:00, which may be wider than shipped ones.
        ("KE", RegionHours(sunday=CLOSED), 'open = "08:00-18:00"'),
        ("IN", RegionHours(saturday="10:00-14:00"), 'open = "10:00-21:00"'),
        ("US-RI", RegionHours(sunday=CLOSED),
         'open = "09:00-18:00", saturday = "10:00-17:00", holidays = "closed"'),
        ("KR", RegionHours(sunday=CLOSED), None),
        ("KE", RegionHours(open="07:00-22:00"), None),
        # What a territory or a state has from its country.
        ("JE", RegionHours(sunday=CLOSED), 'open = "09:00-20:00"'),
        ("RE", RegionHours(open="08:00-20:00"), 'sunday = "closed", holidays = "closed"'),
        ("PR", RegionHours(open="08:00-20:00"), None),
        ("US-NY", RegionHours(open="08:00-20:00"), None),
    ],
)  # fmt: skip
def test_an_entry_that_drops_days_which_the_shipped_hours_set_apart(
    name: str, written: RegionHours, lost: str | None
) -> None:
    lines = dropped(QuietHoursOptions(regions={name: written}))
    found = [line for line in lines if "as a whole" in line]
    assert [line.partition(" drops ")[2].partition(";")[0] for line in found] == (
        [] if lost is None else [lost]
    )
    assert all(line.startswith(f"regions.{name}: ") for line in found)


TODAY = date(2026, 11, 26)


def test_shipped_hours_give_no_cause() -> None:
    options = QuietHoursOptions()
    assert [
        *dropped(options), *never_open(options, TODAY), *unknown_holidays(options, TODAY)
    ] == []  # fmt: skip


def test_an_entry_for_a_country_holds_in_its_states() -> None:
    options = QuietHoursOptions(
        regions={
            "US": RegionHours(open="08:00-21:00"),
            "US-TX": RegionHours(open="09:00-21:00", sunday="12:00-21:00"),
        }
    )
    [line] = dropped(options)
    assert line.startswith("regions.US: holds in US-AL, US-CA, ")
    assert "US-TX" not in line


def test_hours_for_everywhere_drop_what_is_shipped() -> None:
    [line] = dropped(
        QuietHoursOptions(
            open="08:00-20:00", regions={"FR": RegionHours(sunday="closed", holidays="closed")}
        )
    )
    assert line.startswith("open: holds wherever a region has no entry")
    assert "the closed Sundays or holidays of AU, CA, CO, ES, IT" in line
    assert "and the narrower hours of AU, BE, CA, CO, ES, GB, IN, IT, KE, KZ, NL, SA, US-CA" in line
    [line] = dropped(QuietHoursOptions(open="10:00-18:00"))
    assert "narrower" not in line
    assert list(dropped(QuietHoursOptions(open="00:00-24:00"))) == []  # it is meant


@pytest.mark.parametrize(
    ("options", "entries"),
    [
        # From Guam to Newfoundland, from Kaliningrad to Kamchatka: too far for a morning.
        (QuietHoursOptions(regions={"US": RegionHours(open="09:00-12:00")}), ["regions.US"]),
        (QuietHoursOptions(regions={"RU": RegionHours(open="09:00-18:00")}), ["regions.RU"]),
        (QuietHoursOptions(regions={"FR": RegionHours(open="closed")}), ["regions.FR"]),
        (QuietHoursOptions(regions={"DE": RegionHours(open="10:00-11:00")}), []),
        (QuietHoursOptions(open="12:00-13:00"), ["open"]),
        (QuietHoursOptions(open="00:00-24:00"), []),
    ],
)
def test_hours_that_some_numbers_never_have(options: QuietHoursOptions, entries: list[str]) -> None:
    found = list(never_open(options, TODAY))
    assert sorted({line.partition(": ")[0] for line in found}) == entries
    if entries == ["open"]:
        assert "numbers of AU, BR, CA" in found[0]


SHANGHAI = "Asia/Shanghai"


@pytest.mark.parametrize(
    ("hours", "quiet", "shut"),
    [
        (CarrierHoursOptions(open="08:00-22:00"), QuietHoursOptions(), []),
        (CarrierHoursOptions(open="09:00-12:00"), QuietHoursOptions(), ["CA", "RU", "US"]),
        (CarrierHoursOptions(open="closed"), QuietHoursOptions(), ["AC", "AD", "AE"]),
        # Within quiet hours too: eight to eight on the Antilles is night in Shanghai.
        (CarrierHoursOptions(open="08:00-20:00", zone=SHANGHAI), QuietHoursOptions(),
         ["AG", "AI", "AW"]),
        (CarrierHoursOptions(open="08:00-20:00", zone=SHANGHAI),
         QuietHoursOptions(open="00:00-24:00"), []),
        (CarrierHoursOptions(open="08:00-20:00", zone=SHANGHAI),
         QuietHoursOptions(categories=frozenset({"otp"})), []),
        (CarrierHoursOptions(regions={"CN": RegionHours(open="20:30-23:00")}),
         QuietHoursOptions(regions={"CN": RegionHours(open="09:00-20:30")}), ["CN"]),
        (CarrierHoursOptions(regions={"CN": RegionHours(open="20:00-23:00")}),
         QuietHoursOptions(regions={"CN": RegionHours(open="09:00-20:30")}), []),
        (CarrierHoursOptions(regions={"FR": RegionHours(open="closed", sunday="10:00-12:00")}),
         QuietHoursOptions(), ["BL", "FR", "GF"]),
    ],
)  # fmt: skip
def test_numbers_that_a_carrier_never_takes(
    hours: CarrierHoursOptions, quiet: QuietHoursOptions, shut: list[str]
) -> None:
    lines = list(carrier_never_open(hours, quiet, TODAY))
    assert len(lines) == bool(shut)
    for line in lines:
        names = line.partition("numbers of ")[2].partition(";")[0].split(", ")
        assert set(shut) <= set(names), line
        assert len(shut) > 1 or names == shut


def test_holidays_of_a_carrier_that_are_not_known_yet() -> None:
    hours = CarrierHoursOptions(regions={"CN": RegionHours(holidays=CLOSED)})
    lines = list(carrier_unknown_holidays(hours, date(2200, 1, 1)))
    assert [line.partition(": ")[0] for line in lines] == ["regions.CN.holidays"] * 2
    assert list(carrier_unknown_holidays(CarrierHoursOptions(open="08:00-20:00"), TODAY)) == []


@pytest.mark.parametrize(
    ("region", "found"),
    [
        ("MA", ["public holidays of MA in 2027 that go by the moon may be a day off"]),
        ("CC", ["public holidays of CC in 2027 that go by the moon may be a day off"]),
        ("AU", []),  # whoever writes that of Australia does not think of the Cocos Islands
        ("DE", []),
    ],
)
def test_holidays_that_go_by_the_moon(region: str, found: list[str]) -> None:
    options = QuietHoursOptions(regions={region: RegionHours(holidays=CLOSED)})
    lines = list(unknown_holidays(options, TODAY))
    assert [line.partition(": ")[2].partition(";")[0] for line in lines] == found


@pytest.mark.parametrize(
    ("region", "today", "found"),
    [
        ("CN", date(2026, 1, 10), ["CN in 2027"]),
        ("CN", date(2027, 1, 10), ["CN in 2027", "CN in 2028"]),
        ("FR", date(2026, 1, 10), []),
    ],
)
def test_holidays_that_are_not_known_yet(
    monkeypatch: pytest.MonkeyPatch, region: str, today: date, found: list[str]
) -> None:
    monkeypatch.setattr(holidays, "known_in", lambda name, year: name != "CN" or year <= 2026)
    options = QuietHoursOptions(regions={region: RegionHours(holidays="closed")})
    lines = list(unknown_holidays(options, today))
    assert [line.split(" of ")[1].split(" are ")[0] for line in lines] == found
    assert all(line.startswith(f"regions.{region}.holidays: ") for line in lines)

"""When a carrier takes which texts, by its own hours."""

from collections.abc import Callable
from math import inf

import pytest

from gateway.message import Message
from gateway.policy import holidays
from gateway.policy.carrier_hours import CarrierHours, CarrierHoursOptions
from gateway.policy.hours import RegionHours
from gateway.policy.regions import place_of

MakeMessage = Callable[..., Message]
Moment = Callable[[str], float]

CN, FR, NEW_YORK, IN = "8613812345678", "33612345678", "12125550100", "919812345678"
SATELLITE = "870773123456"

ALIBABA = CarrierHoursOptions(open="08:00-20:00")
HUAWEI = CarrierHoursOptions(open="08:00-22:00", zone="Asia/Shanghai")


@pytest.mark.parametrize(
    ("options", "to", "at", "opens"),
    [
        (ALIBABA, CN, "2026-11-24 12:00+08:00", "2026-11-24 12:00+08:00"),
        (ALIBABA, CN, "2026-11-24 20:30+08:00", "2026-11-25 08:00+08:00"),
        (ALIBABA, CN, "2026-11-24 07:59+08:00", "2026-11-24 08:00+08:00"),
        # By the recipient's clock, unless the carrier states a zone.
        (ALIBABA, FR, "2026-11-24 20:30+08:00", "2026-11-24 20:30+08:00"),
        (HUAWEI, FR, "2026-11-24 22:30+08:00", "2026-11-25 08:00+08:00"),
        (HUAWEI, SATELLITE, "2026-11-24 12:00+08:00", "2026-11-24 12:00+08:00"),
        # Days of their own; what is not written is open.
        (CarrierHoursOptions(sunday="closed"), FR, "2026-11-22 03:00+01:00",
         "2026-11-23 00:00+01:00"),
        (CarrierHoursOptions(sunday="closed"), FR, "2026-11-23 03:00+01:00",
         "2026-11-23 03:00+01:00"),
        (CarrierHoursOptions(holidays="closed"), FR, "2026-12-25 12:00+01:00",
         "2026-12-26 00:00+01:00"),
        (CarrierHoursOptions(holidays="closed"), CN, "2026-12-25 12:00+08:00",
         "2026-12-25 12:00+08:00"),
        # Regions of their own.
        (CarrierHoursOptions(regions={"IN": RegionHours(open="10:00-21:00")}), IN,
         "2026-11-24 09:00+05:30", "2026-11-24 10:00+05:30"),
        (CarrierHoursOptions(regions={"IN": RegionHours(open="10:00-21:00")}), FR,
         "2026-11-24 03:00+01:00", "2026-11-24 03:00+01:00"),
        (CarrierHoursOptions(regions={"US": RegionHours(sunday="closed")}), NEW_YORK,
         "2026-11-22 12:00-05:00", "2026-11-23 00:00-05:00"),
    ],
)  # fmt: skip
def test_when_a_carrier_takes_a_text(
    make_message: MakeMessage,
    moment: Moment,
    options: CarrierHoursOptions,
    to: str,
    at: str,
    opens: str,
) -> None:
    assert CarrierHours(options).opens(make_message(to), moment(at)) == moment(opens)


def test_a_carrier_that_is_never_open(make_message: MakeMessage) -> None:
    assert CarrierHours(CarrierHoursOptions(open="closed")).opens(make_message(CN), 1.8e9) == inf
    assert CarrierHours(ALIBABA).opens(make_message(SATELLITE), 1.8e9) == inf


def test_only_the_categories_named_keep_to_its_hours(
    make_message: MakeMessage, moment: Moment
) -> None:
    night = moment("2026-11-24 23:00+08:00")
    hours = CarrierHours(ALIBABA)
    assert hours.opens(make_message(CN, category="otp"), night) == night
    assert hours.opens(make_message(CN, exempt=True), night) == night
    assert hours.closes(make_message(CN, category="otp"), night) == inf
    every = CarrierHoursOptions(open="08:00-20:00", categories=frozenset({"otp"}))
    assert CarrierHours(every).opens(make_message(CN, category="otp"), night) > night
    assert CarrierHours(every).opens(make_message(CN), night) == night


def test_nothing_is_given_to_it_right_before_it_closes(
    make_message: MakeMessage, moment: Moment
) -> None:
    closing = moment("2026-11-24 20:00+08:00")
    hours = CarrierHours(ALIBABA)
    assert hours.opens(make_message(CN), closing - 61) == closing - 61
    assert hours.closes(make_message(CN), closing - 61) == closing
    assert hours.opens(make_message(CN), closing - 60) == moment("2026-11-25 08:00+08:00")


def test_what_is_wrong_is_told_with_its_key() -> None:
    options = CarrierHoursOptions(
        open="8-20", zone="Asia/Peking", regions={"FR": RegionHours(sunday="shut")}
    )
    assert options.mistakes() == [
        "open: '8-20' is neither 'closed' nor hours such as '08:00-20:00'",
        "zone: 'Asia/Peking' is no time zone, such as 'Asia/Shanghai'",
        "regions.FR.sunday: 'shut' is neither 'closed' nor hours such as '08:00-20:00'",
    ]
    for zone in ("../../etc/passwd", "", "Europe"):
        assert CarrierHoursOptions(zone=zone).mistakes() != []
    with pytest.raises(ValueError, match="zone: 'Asia/Peking'"):
        CarrierHours(options)


def test_its_holidays_are_loaded_with_it() -> None:
    CarrierHours(CarrierHoursOptions(holidays="closed")).load(range(2050, 2053))
    assert {2050, 2051, 2052} <= holidays.calendar(place_of("4712345678")).years

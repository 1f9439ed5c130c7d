from gateway.policy.hours import KNOWN_HOURS, RegionHours
from gateway.policy.regions import place_of
from gateway.policy.windows import parse_hours


def test_the_hours_that_are_known_are_sound() -> None:
    for name, hours in KNOWN_HOURS.items():
        assert hours.problems(name) == []


def test_days_without_hours_of_their_own_have_the_open_hours() -> None:
    schedule = RegionHours(open="09:00-21:00", sunday="closed").schedule(
        "08:00-20:00", place_of("15125550100")
    )
    assert schedule.days == (*[parse_hours("09:00-21:00")] * 6, ())
    assert schedule.holidays is None


def test_without_open_hours_the_general_ones_hold() -> None:
    schedule = RegionHours(sunday="closed").schedule("08:00-20:00", place_of("15125550100"))
    assert schedule.days == (*[parse_hours("08:00-20:00")] * 6, ())


def test_problems_name_the_key_and_the_value() -> None:
    hours = RegionHours(open="9-21", sunday="shut", holidays="closed")
    assert hours.problems("AC") == [
        "regions.AC.open: '9-21' is neither 'closed' nor hours such as '08:00-20:00'",
        "regions.AC.sunday: 'shut' is neither 'closed' nor hours such as '08:00-20:00'",
        "regions.AC.holidays: its public holidays are not known",
    ]
    assert RegionHours().problems("FRA") == [
        "regions.FRA: no number belongs there; write a code as FR or US-TX"
    ]

"""What a configuration may say and is hardly meant: ``gateway check`` warns of it and passes.

A warning is a line as a fault is, ``key.path: what follows from it; the mend``. Each check here
looks at settings that are free of faults. One that needs to know a lower layer well is written
there, and only called here.
"""

from collections.abc import Callable, Iterable
from datetime import date
from itertools import chain
from typing import Final

from gateway.config.settings import Settings
from gateway.policy import advice
from gateway.policy.senders import ANY

Check = Callable[[Settings, date], Iterable[str]]
"""Given the settings and the day on which somebody asks, the lines to print."""


def quiet_hours(settings: Settings, today: date) -> Iterable[str]:
    """Hours that were shipped and hold no more, that are never open, and days not known yet."""
    options = settings.dispatch.policy.quiet_hours
    found = chain(
        advice.dropped(options),
        advice.never_open(options, today),
        advice.unknown_holidays(options, today),
    )
    return (f"policy.quiet_hours.{line}" for line in found)


def carrier_hours(settings: Settings, today: date) -> Iterable[str]:
    """Carriers that take nothing at any hour."""
    for index, carrier in enumerate(settings.dispatch.carriers):
        if carrier.options.hours is not None:
            for line in advice.carrier_never_open(carrier.options.hours, today):
                yield f"carriers[{index}].hours: {line}"


def senders_without_numbers(settings: Settings, _today: date) -> Iterable[str]:
    """Tenants that send from any number and own none: whose would the texts be?"""
    dispatch = settings.dispatch
    for number, tenant in enumerate(dispatch.tenants):
        if ANY in dispatch.policies[tenant.id].senders and not tenant.numbers:
            yield (
                f"tenants[{number}].numbers: is missing where senders allow any, so texts from"
                " phones, opt-outs too, go by who texted the phone last; list the numbers that"
                " phones can text"
            )


CHECKS: Final[tuple[Check, ...]] = (quiet_hours, carrier_hours, senders_without_numbers)
"""Every check, in the order in which their lines are printed."""


def found(settings: Settings, today: date) -> list[str]:
    """The warnings about a configuration."""
    return [line for check in CHECKS for line in check(settings, today)]

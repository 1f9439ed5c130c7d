"""What of a configuration expires while the gateway runs: its certificates, and the tables of
public holidays that its hours depend on."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

from gateway.config.keys import CarrierTls
from gateway.config.settings import Settings
from gateway.ops.machine import Expiries
from gateway.policy import advice


def expiries(settings: Settings, today: date) -> Expiries:
    """What expires of these settings."""
    return Expiries(_certificates(settings), _holidays(settings, today))


def _certificates(settings: Settings) -> Mapping[str, str]:
    found: dict[str, str] = {}
    if settings.api.tls is not None:
        found["api.tls.cert"] = settings.api.tls.cert
    for carrier in settings.file.carriers:
        if isinstance(carrier.tls, CarrierTls) and carrier.tls.cert is not None:
            found[f"carriers.{carrier.id}.tls.cert"] = carrier.tls.cert
    return found


def _holidays(settings: Settings, today: date) -> Mapping[str, float]:
    dispatch = settings.dispatch
    found = advice.holidays_known_until(
        dispatch.policy.quiet_hours,
        [one.options.hours for one in dispatch.carriers if one.options.hours is not None],
        today,
    )
    return {
        region: datetime(until.year, until.month, until.day, tzinfo=UTC).timestamp()
        for region, until in found.items()
    }

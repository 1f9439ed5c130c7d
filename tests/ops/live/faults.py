"""The faults, and for each the alerts that are meant for it: these fire, and no others."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from tests.ops.live.cell import PLENTY, Cell, Habits


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that goes wrong at one gateway, after which it is put right.

    Attributes:
        name: of the gateway, its tenant, carrier and route.
        habits: what the gateway and its carrier are like before.
        make, mend: bring it about, and undo it.
        alerts: that are to fire for it.
        tells: the question whose answer names it.
    """

    name: str
    make: Callable[[Cell], None]
    mend: Callable[[Cell], None]
    alerts: frozenset[str]
    habits: Habits = Habits()
    tells: str = ""


def nothing(cell: Cell) -> None:
    """All stays as it is."""


def carrier(name: str, alerts: set[str], tells: str, *faults: str, **habits: str | int) -> Fault:
    """The carrier does what it is told on its command line, for a time."""
    return Fault(
        name=name,
        make=Cell.switch_carrier,
        mend=Cell.switch_carrier,
        alerts=frozenset(alerts),
        habits=msgspec.convert({"carrier": ("--switched", *faults), **habits}, Habits),
        tells=tells,
    )


def configured(old: str, new: str) -> Callable[[Cell], None]:
    """The configuration is changed, and read."""
    return lambda cell: cell.reload(old, new)


def poisoned(cell: Cell) -> None:
    """Two messages, one after the other, of a kind at which the carrier closes the connection."""
    for _ in range(2):
        cell.submit("say XYZZY please")


def closed() -> str:
    """Hours that do not begin for some hours where the phones are."""
    now = datetime.now(ZoneInfo("Europe/London"))
    first, last = now + timedelta(hours=6), now + timedelta(hours=9)
    if last.day != first.day:
        first, last = now - timedelta(hours=9), now - timedelta(hours=6)
    return f"{first:%H}:00-{last:%H}:00"


def careless(cell: Cell) -> None:
    """The certificate is an old one, then somebody spoils the file; and a phone texts a number that
    nobody has."""
    cell.certify(days=7)
    cell.reload("[api]", "[api]")
    cell.gateway.wait_for('"reloaded"')
    cell.write(cell.site.configure(), "[api\n")
    cell.switch_carrier()
    cell.gateway.wait_for('"inbound_unowned"')
    cell.switch_carrier()


def careful(cell: Cell) -> None:
    cell.certify(days=90)
    cell.reload("[api]", "[api]")


SENDERS: Final = 'senders = ["10690001"]'
RATED: Final = f"{SENDERS}\nrate = 20"
FULL: Final = f"{SENDERS}\nrate = 5\nmax_queued = 100"

FAULTS: Final = (
    Fault(
        name="steady",
        make=nothing,
        mend=Cell.resume,
        alerts=frozenset(),
        habits=Habits(
            more='[policy.quiet_hours.regions.FR]\nholidays = "closed"\n',
            carrier=(
                *("--inbound-rate", "20", "--receipt-state", "UNDELIV=0.1"),
                *("--receipt-ids", "hex_dec", "--repeated", "0.05"),
            ),
        ),
    ),
    Fault(
        name="dead",
        make=lambda cell: cell.carrier.kill(),
        mend=Cell.start_carrier,
        alerts=frozenset(
            {
                "CarrierDown",
                "NoBindForMessages",
                "NothingMoves",
                "OneTimePasswordsLate",
                "TransactionalLate",
            }
        ),
        tells="Which route do they wait for, and why do they not move?",
    ),
    carrier("slow", {"CarrierSlow"}, "Which carrier is slow?", "--latency", "3", rate=20),
    carrier(
        "throttling",
        {"CarrierThrottles"},
        "Which carrier throttles, and to what rate is it held?",
        *("--error", "ESME_RTHROTTLED=0.5"),
        category="marketing",
    ),
    carrier(
        "refusing",
        {"CarrierRefuses", "ReachLow"},
        "Which carrier refuses, and with which status?",
        *("--error", "ESME_RSUBMITFAIL=0.9"),
    ),
    carrier(
        "silent",
        {"ReceiptsStopped"},
        "Which carrier owes receipts, and since when?",
        *("--lost-receipts", "1"),
    ),
    Fault(
        name="away",
        make=Cell.go_away,
        mend=Cell.come_back,
        alerts=frozenset({"ConsumerBehind"}),
        habits=Habits(rate=200),
        tells="Whose consumer is behind, and how far?",
    ),
    Fault(
        name="disk",
        make=lambda cell: cell.disk_has(500 << 20),
        mend=lambda cell: cell.disk_has(PLENTY),
        alerts=frozenset({"DiskNearlyFull", "DiskFillsUp"}),
        tells="In how many seconds is the disk full?",
    ),
    Fault(
        name="quiet",
        make=configured("quiet_hours = false", "quiet_hours = true"),
        mend=configured("quiet_hours = true", "quiet_hours = false"),
        alerts=frozenset(),
        habits=Habits(category="marketing", more=f'[policy.quiet_hours]\nopen = "{closed()}"\n'),
        tells="How many wait for their hour, and by which rule were they put off?",
    ),
    Fault(
        name="poison",
        make=poisoned,
        mend=nothing,
        alerts=frozenset({"BindsFlap"}),
        habits=Habits(carrier=("--poison", "XYZZY"), binds=6),
        tells="Which carrier loses its binds?",
    ),
    Fault(
        name="rated",
        make=configured(SENDERS, RATED),
        mend=configured(RATED, SENDERS),
        alerts=frozenset({"TenantAtItsRate"}),
        habits=Habits(category="marketing"),
        tells="Which tenant waits for its own rate, and what is it?",
    ),
    Fault(
        name="full",
        make=configured(SENDERS, FULL),
        mend=configured(FULL, SENDERS),
        alerts=frozenset({"TenantAtItsRate", "TenantQueueNearlyFull", "RefusalsRise"}),
        habits=Habits(category="marketing"),
        tells="What is refused, by code?",
    ),
    Fault(
        name="careless",
        make=careless,
        mend=careful,
        alerts=frozenset({"ReloadRefused", "InboundUnowned", "CertificateExpires"}),
        habits=Habits(
            more='[api.tls]\ncert = "api.pem"\nkey = "api.key"\n',
            carrier=("--switched", "--inbound-rate", "20", "--inbound-to", "20001"),
        ),
        tells="Did texts, a STOP perhaps, find nobody whose they are?",
    ),
    Fault(
        name="gone",
        make=lambda cell: cell.gateway.kill(),
        mend=Cell.start_gateway,
        alerts=frozenset({"GatewayDown"}),
    ),
)

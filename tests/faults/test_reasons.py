"""Why messages do not move is told of gateways in which it is so: through the admin API, on the
console's page and in the metrics."""

import hashlib
import html
import json
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.request import Request, urlopen
from zoneinfo import ZoneInfo

import pytest

from gateway.ops.console.words import word

PATIENCE: Final = 90.0

TENANT: Final = """
[[tenants]]
id = "{name}"
token_sha256 = ["{token}"]
senders = ["{sender}"]
category = "transactional"
{more}
"""

ROUTE: Final = """
[[routes]]
name = "{name}"
match = {{ prefix = ["{prefix}"] }}
carriers = [{{ id = "{name}" }}]
"""

PREFIXES: Final = {
    "slow": "4917012",
    "rated": "49151123",
    "dead": "4916012",
    "held": "447911",
    "fast": "861391",
}
"""Which phones each carrier has alone; their numbers go on with five digits, or six."""

HABITS: Final = {"slow": ("--latency", "600"), "fast": ("--latency", "3")}
STATED: Final = {"slow": "window = 5", "fast": "window = 3000", "rated": "window = 50\nrate = 1"}


def ask(site: Any, path: str, command: Mapping[str, Any] | None = None) -> Any:
    """What the admin API answers."""
    body = None if command is None else json.dumps(command).encode()
    address = f"http://127.0.0.1:{site.admin}{path}"
    request = Request(address, body, {"content-type": "application/json"})
    with urlopen(request, timeout=PATIENCE) as answer:
        text = answer.read().decode()
    return json.loads(text) if path.startswith("/api/") else text


def reasons(site: Any) -> dict[tuple[str, str], str]:
    """Why what waits does so, by tenant and route."""
    queues = ask(site, "/api/v1/queues")["items"]
    return {(one["tenant"], one["route"]): one["reason"] for one in queues}


def wait_until(holds: Callable[[], bool], told: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, told()
        time.sleep(0.1)


def wait_for(site: Any, expected: Mapping[tuple[str, str], str]) -> None:
    """Wait until everything waits for what it should, wherever one looks."""
    wait_until(lambda: reasons(site).items() >= expected.items(), lambda: reasons(site))
    page = html.unescape(ask(site, "/queues"))
    metrics = ask(site, "/metrics")
    for (tenant, route), reason in expected.items():
        assert word(reason) in page
        assert re.search(
            rf'gateway_held_messages{{.*reason="{reason}",route="{route}",tenant="{tenant}"',
            metrics,
        ), (tenant, route)


def submit(site: Any, tenant: str, carrier: str, count: int, **fields: Any) -> None:
    """Submit messages to so many phones of a carrier."""
    prefix = PREFIXES[carrier]
    size = 7 if carrier == "fast" else 6 if carrier == "held" else 5
    messages = [
        {"to": f"+{prefix}{number:0{size}}", "text": "hello", **fields} for number in range(count)
    ]
    for result in site.client(tenant).ask("submit", messages=messages)["results"]:
        assert "message_id" in result, result


def closed() -> str:
    """Hours that do not begin for some hours in China."""
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    first, last = now + timedelta(hours=6), now + timedelta(hours=9)
    if last.day != first.day:
        first, last = now - timedelta(hours=9), now - timedelta(hours=6)
    return f"{first:%H}:00-{last:%H}:00"


def tenant(name: str, sender: str, more: str = "") -> str:
    """A tenant whose token is its name."""
    token = hashlib.sha256(name.encode()).hexdigest()
    return TENANT.format(name=name, token=token, sender=sender, more=more)


def prepare(site: Any) -> str:
    """Carriers that are as their names say, each with a route, and tenants; returns what the
    configuration has of one."""
    gone = tenant("gone", "10690003")
    more = [tenant("many", "10690004"), tenant("modest", "10690002", "rate = 1"), gone]
    more.append(f'[policy.quiet_hours]\nopen = "{closed()}"\n')
    for name, prefix in PREFIXES.items():
        port = site.free_port()
        if name != "dead":
            site.simulator(name, port, *HABITS.get(name, ("--latency", "0.02")))
        site.account(name, port, binds=1)
        site.change("window = 100\n", STATED.get(name, "window = 50") + "\n")
        more.append(ROUTE.format(name=name, prefix=prefix))
    site.change("\n[api]\n", "\n".join(more) + "\n[api]\n")
    return gone


@pytest.mark.own_store
def test_what_waits_says_why(site: Any, disk: Any) -> None:
    gone = prepare(site)
    gateway = site.start("gateway", *disk.command())
    gateway.wait_for('"serving"')
    gateway.wait_for('"bound"', len(PREFIXES) - 1)
    ask(site, "/api/v1/pause", {"scope": "carrier", "name": "held", "why": "a test"})
    submit(site, "many", "slow", 50)
    submit(site, "many", "rated", 50)
    submit(site, "many", "dead", 50)
    submit(site, "many", "held", 50)
    submit(site, "gone", "dead", 5)
    submit(site, "modest", "fast", 50, category="otp")
    submit(site, "many", "fast", 5, category="marketing")
    site.change(gone, "")
    site.configure()
    gateway.signal(signal.SIGHUP)
    known = {
        ("many", "slow"): "window_full",
        ("many", "rated"): "carrier_rate",
        ("many", "dead"): "no_bind",
        ("many", "held"): "paused",
        ("gone", "dead"): "tenant_missing",
        ("modest", "fast"): "tenant_rate",
    }
    wait_for(site, known)
    wait_until(lambda: [*put_off(site)] == [("many", "fast", True)], lambda: [*put_off(site)])
    policy = ask(site, "/api/v1/policy")
    assert "quiet_hours" in {one["rule"] for one in policy["tenants"] if one["deferred"]}
    # So many answers come that the store, which takes nothing, keeps what else would be sent.
    submit(site, "many", "fast", 2_000)
    wait_until(lambda: under_way(site) >= 1_500, lambda: under_way(site))
    disk.become("full")
    wait_for(site, dict.fromkeys(known, "store_congested"))
    disk.recover("full")
    wait_for(site, known)
    assert gateway.terminate() == 0


def put_off(site: Any) -> Iterator[tuple[str, str, bool]]:
    """Queues of which nothing is due: whose, for which route, and whether they tell when it is."""
    for one in ask(site, "/api/v1/queues")["items"]:
        if one["oldest_seconds"] is None:
            yield one["tenant"], one["route"], one["next_due"] > time.time()


def under_way(site: Any) -> int:
    """Parts that carriers have not answered."""
    return sum(int(one["in_use"]) for one in ask(site, "/api/v1/carriers")["items"])

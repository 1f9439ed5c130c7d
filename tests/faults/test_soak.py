"""The same day again and again, much faster than life: what one day leaves behind in memory, open
files, threads, tasks or log lines would add up, so it must be nothing."""

import signal
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from urllib.request import urlopen

import trio
from trio.testing import MockClock

from gateway.smpp.status import Status
from tests.faults.smsc import Smsc, gateway

PASSWORDS = 200


def submit(client: Any, count: int, **fields: Any) -> set[str]:
    """Submit messages; returns the ids of those that were accepted: phones opt out meanwhile."""
    messages = [{"to": f"86139{n:08}", "text": f"No. {n}"} for n in range(count)]
    results = client.ask("submit", messages=messages, defaults=fields)["results"]
    return {result["message_id"] for result in results if "message_id" in result}


def wait_for_binds(site: Any, count: int) -> None:
    """Wait until so many binds are up."""
    deadline = time.monotonic() + 60
    up = -1.0
    while up < count:
        assert time.monotonic() < deadline, f"{up} binds are up"
        time.sleep(0.1)
        with urlopen(f"http://127.0.0.1:{site.admin}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        up = sum(float(line.split()[-1]) for line in lines if line.startswith("gateway_bind_up{"))


def test_days_in_a_gateway(
    site: Any, vitals: Callable[[Any], Any], long_or_short: Callable[[float, float], float]
) -> None:
    days, campaign = int(long_or_short(30, 4)), int(long_or_short(20_000, 5_000))
    port = site.free_port()
    options = ("--inbound-rate", "20", "--drop", "0.001", "--error", "ESME_RTHROTTLED=0.002")
    alpha, _ = site.simulator("alpha", port, *options)
    site.account("alpha", port)
    site.carrier("beta", "--receipt-state", "UNDELIV=0.02", "--receipt-ids", "hex_dec")
    site.change('category = "transactional"', "quiet_hours = false")
    process = site.gateway()
    process.wait_for('"bound"', 4)
    evenings = []
    acknowledged = 0
    for _day in range(days):
        # Morning: campaigns at full speed, and passwords between them.
        client = site.client()
        waiting: set[str] = set()
        for _ in range(4):
            waiting |= submit(client, campaign // 4, category="marketing", campaign="morning")
            waiting |= submit(client, PASSWORDS // 4, category="otp", report="none")
        # Noon: a carrier goes down and comes back, and somebody reloads.
        alpha.kill()
        waiting |= submit(client, campaign // 4)
        reloads = process.text().count('"reloaded"')
        process.signal(signal.SIGHUP)
        process.wait_for('"reloaded"', reloads + 1)
        alpha, _ = site.simulator("alpha", port, *options)
        # Evening: every outcome is there; then nothing happens until the next day.
        reader = site.client()
        reader.ask("subscribe", consumer="soak")
        while waiting:
            for event in reader.receive().get("events", []):
                waiting.discard(event.get("message_id"))
                acknowledged = event["seq"]
        reader.send("ack", consumer="soak", seq=acknowledged)
        while "seq" not in reader.receive():
            pass
        wait_for_binds(site, 3)
        reader.close()
        client.close()
        evenings.append(vitals(process))
    first, last = evenings[len(evenings) // 2], evenings[-1]
    # The first half of the days fills what is bounded: lanes, and the store's caches of pages.
    assert last.memory < 1.05 * first.memory + 10
    assert last.files - first.files <= 2, "as many as one bind and a connection that closes"
    assert last.threads <= first.threads
    lines = [later.lines - day.lines for day, later in pairwise(evenings)]
    assert max(lines) < 150, "a log that says something of each message"
    assert process.terminate() == 0


async def test_days_leave_no_task_behind(
    autojump_clock: MockClock, long_or_short: Callable[[float, float], float]
) -> None:
    smsc = Smsc()
    tasks: list[int] = []
    async with smsc.running(), gateway({"alpha": smsc}) as site:
        for day in range(int(long_or_short(100, 5))):
            await site.submit(200)
            await site.submit(5, text="long " * 100)
            await trio.sleep(5.0)
            # At noon the carrier is down for a while, and then it lets nobody in.
            smsc.die()
            await site.submit(50, send_at=site.clock() + 600.0)
            await trio.sleep(600.0)
            smsc.dead, smsc.refuses = False, Status.ESME_RBINDFAIL
            await trio.sleep(600.0)
            smsc.refuses = 0
            await site.finished(1_200.0)
            await trio.sleep(600.0)
            smsc.lines = [line for line in smsc.lines if line.up]
            tasks.append(trio.lowlevel.current_statistics().tasks_living)
            assert site.queued() == 0, f"day {day}"
            lanes = site.dispatch.lanes.statistics()
            assert (lanes.lanes, lanes.messages, lanes.kept) == (0, 0, 0)
    assert len(set(tasks)) == 1, tasks

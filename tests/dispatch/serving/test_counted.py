"""What was counted, as the API tells it."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from gateway.api.schema import Figures, StatsRow
from gateway.dispatch.serving import counted, service
from gateway.queue.tallies import HOUR, Stat


def test_counts_become_rows() -> None:
    stats = [
        Stat(11, "spring", None, "", "accepted", 7),
        Stat(10, "spring", "b", "alpha", "sent", 5),
        Stat(10, "spring", "b", "alpha", "parts", 9),
        Stat(10, "spring", "b", "alpha", "ended delivered", 3),
        Stat(10, "spring", "b", "alpha", "ended failed undelivered", 2),
        Stat(10, "spring", "b", "alpha", "ended failed carrier_refused", 4),
        Stat(10, "spring", "b", "alpha", "inbound", 6),
        Stat(10, "spring", "b", "alpha", "optouts", 1),
        Stat(10, "spring", "b", "", "refused opted_out", 8),
        Stat(10, "spring", "b", "", "refused expired", 1),
        Stat(10, "spring", "b", "", "deferred quiet_hours", 2),
        Stat(10, "spring", "b", "", "ended expired expired", 2),
        Stat(10, "spring", "b", "", "ended cancelled", 2),
        Stat(10, None, None, "", "accepted", 1),
    ]
    assert counted.rows(stats) == [
        StatsRow(10 * HOUR, accepted=1),
        StatsRow(
            10 * HOUR,
            "spring",
            "b",
            refused={"opted_out": 8, "expired": 1},
            deferred={"quiet_hours": 2},
            outcomes={"expired": 2, "cancelled": 2},
            codes={"expired": 2},
        ),
        StatsRow(
            10 * HOUR,
            "spring",
            "b",
            "alpha",
            sent=5,
            parts=9,
            outcomes={"delivered": 3, "failed": 6},
            figures=Figures(reach=0.3333, unknown=0.0),
            codes={"undelivered": 2, "carrier_refused": 4},
            inbound=6,
            optouts=1,
        ),
        StatsRow(11 * HOUR, "spring", accepted=7),
    ]


async def test_a_tenant_sees_its_own_hours(
    world: Any, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "COUNTS", 1)
    hours = []
    for _ in range(3):
        hours.append(int(world.clock() // HOUR) * HOUR)
        await world.accepted({"campaign": "spring", "send_at": world.clock() + 86_400.0}, "other")
        await trio.sleep(HOUR)
    await world.accepted("theirs", tenant="umbrella")

    async def asked(*asked: Any) -> list[Any]:
        rows, following = [], asked[1]
        while True:
            found = await world.service.stats("acme", asked[0], following, asked[2])
            rows += [(row.hour, row.campaign) for row in found.rows if row.accepted]
            following = found.following
            if following is None:
                return rows

    both = [(hour, name) for hour in hours for name in (None, "spring")]
    assert await asked(None, None, None) == both
    assert await asked("spring", None, None) == both[1::2]
    assert await asked("autumn", None, None) == []
    # From the hour in which a time is, and until the one before another.
    assert await asked(None, hours[1] + 1_800.0, None) == both[2:]
    assert await asked(None, None, hours[1] + 0.5) == both[:4]
    assert await asked(None, None, float(hours[1])) == both[:2]
    assert await asked(None, hours[2] + 3_600.0, hours[0]) == []

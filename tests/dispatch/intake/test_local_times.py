"""Messages that say when, where and within which hours of a wall clock they are to go."""

from collections import Counter
from datetime import datetime
from typing import Any

import pytest
import trio

from gateway.api.schema import SubmitMessage
from gateway.policy import chain
from gateway.policy.closings import Closing
from gateway.policy.quiet_hours import QuietHoursOptions

CHINA, FRANCE, RUSSIA, SATELLITE = "8613812345678", "33612345678", "79161234567", "870773123456"
AMERICA = "12125550100"


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def test_a_time_of_the_recipients_wall_clock(world: Any, autojump_clock: Any) -> None:
    """Every test begins on 21 September 2026, 22:13 in China."""
    local = "2026-09-21T22:20"
    there, elsewhere, anywhere = await world.submit(
        {"to": CHINA, "send_at_local": local},
        {"to": CHINA, "send_at_local": local, "time_zone": "Europe/Paris"},
        {"to": RUSSIA, "send_at_local": local},
    )
    assert there.not_before == at("2026-09-21T22:20+08:00")
    assert there.note is None
    assert elsewhere.not_before == at("2026-09-21T22:20+02:00")
    assert anywhere.not_before == at("2026-09-21T22:20+02:00")  # in Kaliningrad, the last of them
    assert "state time_zone or region" in anywhere.note
    await trio.sleep(there.not_before - world.clock() - 1)
    assert world.bind.sent == []
    await trio.sleep(2)
    assert len(world.bind.sent) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"send_at_local": "10 o'clock"}, 'send_at_local: "10 o\'clock" is no time of a wall'),
        ({"send_at_local": "2026-09-22T10:00+08:00"}, "one with a time zone is a send_at"),
        ({"send_at_local": "2028-01-01T10:00"}, "send_at_local: '2028-01-01T10:00' is not within"),
        ({"send_at_local": "1970-01-01T00:00"}, "is not within a year from now"),
        ({"send_at_local": "9999-12-31T23:59"}, "is not within a year from now"),
        ({"send_at_local": "2026-09-22T10:00", "send_at": 1.8e9}, "leave one of them out"),
        ({"send_at_local": "2026-09-22T10:00", "to": SATELLITE}, "state time_zone"),
        ({"time_zone": "Beijing"}, "time_zone: 'Beijing' is no time zone, such as 'Asia/Shanghai'"),
        ({"region": "China"}, "region: 'China' is no ISO 3166 code"),
        ({"window": "22:00-08:00"}, "window: '22:00-08:00' must end after it begins"),
    ],
)
async def test_what_is_wrong_refuses_that_message_alone(
    world: Any, fields: dict[str, Any], said: str
) -> None:
    good, refused = await world.submit("good", {"to": CHINA, **fields})
    assert good.message_id
    assert refused.error.code == "invalid_value"
    assert said in refused.error.message
    [quoted] = await world.service.quote(
        "acme", [SubmitMessage(**{"to": CHINA, "text": "?", **fields})]
    )
    assert quoted.error == refused.error


async def test_a_time_that_has_passed_is_now_and_is_told(world: Any) -> None:
    late, just = await world.submit(
        {"to": CHINA, "send_at_local": "2026-09-21T10:00"},
        {"to": CHINA, "send_at_local": "2026-09-21T22:13"},
    )
    assert late.not_before is just.not_before is just.note is None
    assert late.note.startswith("send_at_local: passed 12:13:20 ago")
    assert len(world.bind.sent) == 2


async def test_a_window_is_kept_in_every_category(world: Any, autojump_clock: Any) -> None:
    [result] = await world.submit(
        {
            "to": CHINA,
            "window": "22:20-22:50",
            "category": "otp",
            "expires_at": world.clock() + 86_400,
        }
    )
    assert result.not_before == at("2026-09-21T22:20+08:00")
    rendered = world.metrics.snapshot().render().decode()
    assert 'messages_deferred_total{rule="quiet_hours",tenant="acme"} 1.0' in rendered
    await trio.sleep(result.not_before - world.clock() - 1)
    assert world.bind.sent == []
    await trio.sleep(2)
    assert len(world.bind.sent) == 1


async def test_a_window_that_ends_while_a_message_waits_holds_it_back(
    world: Any, autojump_clock: Any
) -> None:
    """Twelve messages, and a carrier with room for ten until the window is over."""
    window = {"to": CHINA, "window": "22:10-22:20,22:40-23:00"}
    await world.submit(*[window] * 12)
    assert len(world.bind.sent) == 10
    await trio.sleep(500)
    world.bind.reply()
    await world.calm()
    assert len(world.bind.sent) == 10
    await trio.sleep(at("2026-09-21T22:40:01+08:00") - world.clock())
    assert len(world.bind.sent) == 12


async def test_the_carrier_is_told_when_the_window_ends(world: Any) -> None:
    await world.submit({"to": CHINA, "window": "22:00-22:30"})
    [pdu] = world.bind.sent
    assert pdu.validity_period == "000000001639000R"  # until 22:30, a second less


async def test_hours_go_by_the_region_that_is_said(world: Any) -> None:
    await world.configure(
        policies={**world.options.policies, "acme": chain.TenantOptions(senders=("10690001",))}
    )
    marketing = {"category": "marketing", "to": AMERICA}
    by_digits, by_region = await world.submit(marketing, {**marketing, "region": "US-HI"})
    assert by_digits.not_before is None
    assert by_region.not_before == at("2026-09-21T08:00-10:00")


async def test_a_window_that_is_never_within_the_hours(world: Any) -> None:
    await world.configure(
        policies={**world.options.policies, "acme": chain.TenantOptions(senders=("10690001",))}
    )
    [result] = await world.submit({"category": "marketing", "to": CHINA, "window": "22:00-23:00"})
    assert result.error.code == "invalid_value"
    assert "window: 22:00-23:00 has nothing of the hours of CN" in result.error.message


async def test_a_reopening_is_smooth_and_leaves_the_urgent_alone(
    open_world: Any, autojump_clock: Any
) -> None:
    """The hours begin at 22:20, and 600 texts that waited for them go out over ten minutes, one a
    second, while what is fresh goes at once."""
    hours = QuietHoursOptions(open="22:20-24:00", reopening=600)
    policy = chain.PolicyOptions(quiet_hours=hours)
    tenant = chain.TenantOptions(senders=("10690001",))
    async with open_world(policy=policy, policies={"acme": tenant, "umbrella": tenant}) as world:
        waiting = [{"to": f"86138{n:08}", "category": "marketing"} for n in range(600)]
        results = await world.submit(*waiting)
        opening = at("2026-09-21T22:20+08:00")
        assert all(opening <= one.not_before < opening + 600 for one in results)
        await trio.sleep(opening - world.clock() - 0.5)
        assert world.bind.sent == []
        a_minute: Counter[int] = Counter()
        for second in range(601):  # it began half a second before
            await trio.sleep(1)
            await world.calm()
            a_minute[second // 60] += len(world.bind.flying)
            world.bind.reply()
            if second % 120 == 60:
                fresh = await world.submit(
                    {"to": CHINA, "category": "otp", "text": "code"},
                    {"to": CHINA, "text": "order"},
                )
                assert [one.not_before for one in fresh] == [None, None]
                assert sorted(world.bind.texts[-2:]) == ["code", "order"]
                world.bind.reply()
        assert sum(a_minute.values()) == 600
        assert all(57 <= a_minute[minute] <= 63 for minute in range(10)), a_minute


async def test_a_closing_holds_what_keeps_hours(world: Any) -> None:
    closing = Closing(regions=("CN",), start="2026-09-21", end="2026-09-23", why="an emergency")
    hours = QuietHoursOptions(open="00:00-24:00", closings=(closing,))
    await world.configure(
        policy=chain.PolicyOptions(quiet_hours=hours),
        policies={**world.options.policies, "acme": chain.TenantOptions(senders=("10690001",))},
    )
    held, other, urgent = await world.submit(
        {"to": CHINA, "category": "marketing"},
        {"to": FRANCE, "category": "marketing"},
        {"to": CHINA, "category": "otp"},
    )
    assert held.not_before == at("2026-09-24T00:00+08:00")
    assert other.not_before is urgent.not_before is None

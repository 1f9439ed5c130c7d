"""Each rule of docs/policies.md from the socket to the carrier, on real clocks."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from zoneinfo import ZoneInfo

import pytest

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""Where the phones are."""


def there() -> datetime:
    """What a clock there shows."""
    return datetime.now(SHANGHAI)


def window(begin: timedelta) -> str:
    """A window of an hour or two that begins so much after now, or less."""
    start = there() + begin
    return f"{start:%H}:00-{min(start.hour + 2, 24):02}:00"


def taken(record: Path) -> list[dict[str, Any]]:
    """What a carrier was given that has ended, in order."""
    return [json.loads(line) for line in record.read_text().splitlines()]


def metric(site: Any, name: str, **labels: str) -> float:
    """What a counter shows."""
    inside = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    with urlopen(f"http://127.0.0.1:{site.admin}/metrics", timeout=10) as answer:
        lines = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines())
    return float(lines.get(f"gateway_{name}{{{inside}}}", 0))


@pytest.fixture
def started(site: Any) -> Callable[..., tuple[Any, Path]]:
    """Starts a carrier and a gateway with a policy; gives a client, and the carrier's record."""

    def start(policy: str, *options: str) -> tuple[Any, Path]:
        record = site.carrier("alpha", *options)
        site.gateway(policy).wait_for('"bound"', 2)
        return site.client(), record

    return start


def submit(client: Any, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """Submit messages to one phone; returns the results."""
    full = [{"to": "+8613900000001", "text": "hello", **message} for message in messages]
    results: list[dict[str, Any]] = client.ask("submit", messages=full)["results"]
    return results


ALWAYS = '[policy.quiet_hours]\nopen = "00:00-24:00"\n'


def test_senders(site: Any, started: Any) -> None:
    client, record = started(ALWAYS)
    good, other, wrong = submit(
        client, {}, {"from": "10690009"}, {"from": "a name that is too long"}
    )
    client.wait_for_state(good["message_id"], "delivered")
    assert (other["error"]["code"], other["error"]["rule"]) == ("sender_not_allowed", "senders")
    assert wrong["error"]["code"] == "invalid_sender"
    site.stop_carriers()
    assert [line["source"] for line in taken(record)] == ["10690001"]


def test_quiet_hours(site: Any, started: Any) -> None:
    opens = (there() + timedelta(hours=3)).replace(minute=0, second=0, microsecond=0)
    hours = f"{opens:%H}:00-{opens.hour:02}:30"
    client, record = started(f'[policy.quiet_hours]\nregions.CN = {{ open = "{hours}" }}\n')
    held, urgent = submit(
        client, {"category": "marketing", "text": "held"}, {"category": "otp", "text": "urgent"}
    )
    assert 0 <= held["not_before"] - opens.timestamp() < 30 * 60
    client.wait_for_state(urgent["message_id"], "delivered")
    [told] = client.ask("explain", ids=[held["message_id"]])["messages"]
    assert (told["steps"][1]["what"], told["steps"][1]["rule"]) == ("deferred", "quiet_hours")
    assert list(told["steps"][1]["local"]) == ["Asia/Shanghai"]
    site.stop_carriers()
    assert [bytes.fromhex(line["short_message"]) for line in taken(record)] == [b"urgent"]


def test_hours_of_a_carrier(site: Any, started: Any) -> None:
    opens = there() + timedelta(hours=3)
    client, record = started(
        f'hours = {{ open = "{opens:%H}:00-{opens:%H}:30", categories = ["marketing"] }}\n{ALWAYS}'
    )
    held, urgent = submit(
        client, {"category": "marketing", "text": "held"}, {"category": "otp", "text": "urgent"}
    )
    client.wait_for_state(urgent["message_id"], "delivered")
    client.wait_for_state(held["message_id"], "deferred")
    assert metric(site, "messages_deferred_total", rule="carrier_hours", tenant="shop") == 1
    site.stop_carriers()
    assert [bytes.fromhex(line["short_message"]) for line in taken(record)] == [b"urgent"]


def test_the_morning_of_a_holiday(started: Any) -> None:
    client, _ = started(
        '[policy.quiet_hours]\nregions.CN = { open = "08:00-21:00", holidays_from = "12:00" }\n'
    )
    new_year = f"{there().year + 1}-01-01T"
    morning, evening = submit(
        client,
        *[
            {"category": "marketing", "send_at_local": f"{new_year}{at}"}
            for at in ("09:00", "20:00")
        ],
    )
    shown = datetime.fromtimestamp(morning["not_before"], SHANGHAI)
    assert (f"{shown:%m-%d}", shown.hour) == ("01-01", 12)
    assert datetime.fromtimestamp(evening["not_before"], SHANGHAI).hour == 20


@pytest.mark.both_stores
def test_an_opt_out_between_submission_and_release(site: Any, started: Any) -> None:
    client, record = started(ALWAYS)
    soon = there().timestamp() + 3
    waits, other = submit(client, {"send_at": soon}, {"send_at": soon, "to": "+8613900000002"})
    client.ask("optout", action="add", numbers=["+8613900000001"])
    client.wait_for_state(waits["message_id"], "blocked")
    client.wait_for_state(other["message_id"], "delivered")
    [late] = submit(client, {"text": "again"})
    assert (late["error"]["code"], late["error"]["rule"]) == ("opted_out", "optout")
    assert metric(site, "messages_ruled_out_total", rule="optout", tenant="shop") >= 1
    site.stop_carriers()
    assert [line["destination"] for line in taken(record)] == ["8613900000002"]


def test_a_queue_that_is_full(site: Any, started: Any) -> None:
    site.change('category = "transactional"\n', 'category = "transactional"\nmax_queued = 2\n')
    client, _ = started(ALWAYS)
    later = there().timestamp() + 3600
    results = submit(client, *[{"send_at": later, "text": f"{number}"} for number in range(3)])
    assert [one.get("error", {}).get("code") for one in results] == [None, None, "queue_full"]


@pytest.mark.both_stores
def test_a_person_is_erased(site: Any, started: Any) -> None:
    client, record = started(ALWAYS)
    sent = submit(client, {"key": "k"})[0]
    client.wait_for_state(sent["message_id"], "delivered")
    later = there().timestamp() + 3600
    waits = submit(client, {"send_at": later})[0]
    client.ask("optout", action="add", numbers=["+8613900000001"])
    erased = client.ask("person", action="erase", number="+86 139 0000 0001")["erased"]
    assert (erased["number"], erased["cancelled"], erased["left"]) == ("8613900000001", 1, 0)
    for one, state in ((sent, "delivered"), (waits, "cancelled")):
        [told] = client.ask("status", ids=[one["message_id"]])["messages"]
        assert (told["state"], told.get("to"), told.get("key")) == (state, None, None)
    assert client.ask("status", keys=["k"])["messages"] == [None]
    [late] = submit(client, {"text": "again"})
    assert late["error"]["code"] == "opted_out"
    site.stop_carriers()
    assert len(taken(record)) == 1


def test_a_window_of_a_message(site: Any, started: Any) -> None:
    client, record = started(ALWAYS)
    now = submit(client, {"window": "00:00-24:00", "text": "now"})[0]
    later = submit(client, {"window": window(timedelta(hours=3)), "text": "later"})[0]
    client.wait_for_state(now["message_id"], "delivered")
    assert "not_before" not in now
    assert datetime.fromtimestamp(later["not_before"], SHANGHAI).minute == 0
    [state] = client.ask("status", ids=[later["message_id"]])["messages"]
    assert (state["state"], state["not_before"]) == ("deferred", later["not_before"])
    assert metric(site, "messages_deferred_total", rule="quiet_hours", tenant="shop") == 1
    site.stop_carriers()
    assert [bytes.fromhex(line["short_message"]) for line in taken(record)] == [b"now"]


def test_a_time_of_the_recipients_wall_clock(site: Any, started: Any) -> None:
    client, record = started(ALWAYS)
    soon = (there() + timedelta(seconds=2)).replace(microsecond=0)
    [one, wrong] = submit(
        client,
        {"send_at_local": f"{soon:%Y-%m-%dT%H:%M:%S}"},
        {"send_at_local": "tomorrow"},
    )
    assert one["not_before"] == soon.timestamp()
    assert wrong["error"]["code"] == "invalid_value"
    client.wait_for_state(one["message_id"], "delivered")
    site.stop_carriers()
    [line] = taken(record)
    assert line["time"] >= soon.timestamp()


def test_another_time_zone_and_region(site: Any, started: Any) -> None:
    client, _ = started("")
    here, there_, nowhere = submit(
        client,
        {"category": "marketing", "time_zone": "Pacific/Kiritimati"},
        {"category": "marketing", "time_zone": "Pacific/Pago_Pago", "region": "US"},
        {"time_zone": "Mars"},
    )
    for result, zone in ((here, "Pacific/Kiritimati"), (there_, "Pacific/Pago_Pago")):
        shown = datetime.fromtimestamp(
            result.get("not_before", there().timestamp()), ZoneInfo(zone)
        )
        assert 8 <= shown.hour < 21
    assert nowhere["error"]["message"].startswith("time_zone: 'Mars' is no time zone")


def test_a_closing(site: Any, started: Any) -> None:
    begin, end = there() - timedelta(days=1), there() + timedelta(days=1)
    client, record = started(
        ALWAYS
        + '[[policy.quiet_hours.closings]]\nregions = ["CN"]\nwhy = "mourning"\n'
        + f'from = "{begin:%Y-%m-%d}"\nto = "{end:%Y-%m-%dT%H:00}"\n'
    )
    held, urgent = submit(
        client, {"category": "marketing", "text": "held"}, {"category": "otp", "text": "urgent"}
    )
    over = end.replace(minute=0, second=0, microsecond=0)
    assert held["not_before"] == over.timestamp()
    client.wait_for_state(urgent["message_id"], "delivered")
    site.stop_carriers()
    assert [bytes.fromhex(line["short_message"]) for line in taken(record)] == [b"urgent"]


def test_a_smooth_reopening(site: Any, started: Any) -> None:
    begin = there() - timedelta(days=1)
    end = (there() + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    client, _ = started(
        f"{ALWAYS}reopening = 600\n[[policy.quiet_hours.closings]]\n"
        f'from = "{begin:%Y-%m-%d}"\nto = "{end:%Y-%m-%dT%H:%M}"\n'
    )
    results = submit(client, *[{"category": "marketing"}] * 300)
    offsets = [one["not_before"] - end.timestamp() for one in results]
    assert 0 <= min(offsets) < 10
    assert 590 < max(offsets) < 600


def test_destinations(site: Any, started: Any) -> None:
    client, record = started('[policy.destinations]\nallowed = ["CN"]\nkinds = ["mobile"]\n')
    here, abroad, fixed = submit(client, {}, {"to": "+12125550100"}, {"to": "+861066778899"})
    client.wait_for_state(here["message_id"], "delivered")
    assert [one["error"]["code"] for one in (abroad, fixed)] == ["destination_blocked"] * 2
    assert abroad["error"]["rule"] == "destinations"
    refused = metric(site, "messages_refused_total", code="destination_blocked", tenant="shop")
    assert refused == 2
    site.stop_carriers()
    assert [line["destination"] for line in taken(record)] == ["8613900000001"]


def test_the_same_text_twice_in_a_campaign(site: Any, started: Any) -> None:
    client, record = started('[policy.repeats]\nper = "30d"\n')
    first, again, meant, other = submit(
        client,
        {"campaign": "spring"},
        {"campaign": "spring"},
        {"campaign": "spring", "allow_repeat": True},
        {"campaign": "summer"},
    )
    assert again["error"]["code"] == "duplicate_recipient"
    for result in (first, meant, other):
        client.wait_for_state(result["message_id"], "delivered")
    site.stop_carriers()
    assert len(taken(record)) == 3


@pytest.mark.both_stores
def test_a_number_that_is_not_reached(site: Any, started: Any) -> None:
    client, record = started(
        '[policy.unreachable]\ncategories = ["transactional"]\nfailures = 2\n',
        "--receipt-state",
        "UNDELIV=1.0",
    )
    for _ in range(2):
        [one] = submit(client, {})
        client.wait_for_state(one["message_id"], "failed")
    refused, urgent, other = submit(client, {}, {"category": "otp"}, {"to": "+8613900000002"})
    assert refused["error"]["code"] == "unreachable"
    assert 29 < (refused["error"]["retry_at"] - there().timestamp()) / 86_400 <= 30
    assert urgent["message_id"]
    client.wait_for_state(other["message_id"], "failed")
    site.stop_carriers()
    assert len(taken(record)) == 4


def test_a_rise_of_one_time_passwords(site: Any, started: Any) -> None:
    client, record = started(
        '[policy.destinations]\nwatched = ["CN"]\n[policy.pumping]\nleast = 5\nminutes = 1440\n'
    )
    numbers = [{"to": f"+861390000{n:04}", "category": "otp"} for n in range(7)]
    results = submit(client, *numbers)
    for one in results[:5]:
        client.wait_for_state(one["message_id"], "delivered")
    assert ["not_before" in one for one in results] == [False] * 5 + [True] * 2
    assert metric(site, "messages_deferred_total", rule="pumping", tenant="shop") == 2
    site.stop_carriers()
    assert len(taken(record)) == 5


@pytest.mark.both_stores
def test_conversations(site: Any, started: Any) -> None:
    """The simulated phones say this and that, and some say stop."""
    site.change(
        'category = "transactional"\n',
        'category = "transactional"\n[[tenants.replies]]\nmatch = ["*"]\nname = "all"\n'
        'text = "A person answers soon"\naction = "handover"\n',
    )
    client, record = started("", "--inbound-rate", "5", "--inbound-to", "10690001")
    events: list[dict[str, Any]] = []
    client.ask("subscribe", consumer="crm", **{"from": "start"})
    while not any(one["type"] == "delivered" for one in events):
        events += client.receive().get("events", [])
    [handed, *_] = [one for one in events if one["type"] == "handover"]
    [heard, *_] = [one for one in events if one["type"] == "inbound" and "reply" in one["detail"]]
    assert heard["detail"]["reply"] == handed["detail"]["reply"] == "all"
    phone = handed["from"]
    reply: dict[str, Any] = {}
    number = client.send("handover", action="close", numbers=[phone])
    while reply.get("id") != number:
        reply = client.receive()
    assert reply["results"][0]["changed"]
    site.stop_carriers()
    assert b"A person answers soon" in {
        bytes.fromhex(line["short_message"]) for line in taken(record)
    }

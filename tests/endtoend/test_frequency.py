"""A member gets no more promotions than the shop says, through the socket and to a carrier, and
over a power cut."""

import time
from typing import Any

import pytest

CAPPED = """
[[policy.frequency]]
category = "marketing"
max = 1
per = "1d"
[[policy.frequency]]
shipped = "CN"
[policy.quiet_hours]
open = "00:00-24:00"
"""

MEMBER, GUEST = "+8613912345678", "+8613912345679"


def promotion(to: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"to": to, "text": text, "category": "marketing", **fields}


def codes(reply: dict[str, Any]) -> list[str | None]:
    return [result.get("error", {}).get("code") for result in reply["results"]]


def test_a_member_is_texted_once_a_day(site: Any) -> None:
    site.carrier("alpha")
    gateway = site.gateway(CAPPED)
    gateway.wait_for('"bound"', 2)
    client = site.client()
    first = client.ask("submit", messages=[promotion(MEMBER, "one", key="1")])
    assert codes(first) == [None]
    both = [promotion(MEMBER, "two"), promotion(GUEST, "two")]
    [refused, accepted] = client.ask("submit", messages=both)["results"]
    assert refused["error"]["code"] == "frequency_capped"
    assert 0 < refused["error"]["retry_at"] - time.time() <= 86_400
    assert "message_id" in accepted
    # A password is no promotion; the second within a minute is one too many.
    passwords = [{"to": MEMBER, "text": f"{n}", "category": "otp"} for n in (1, 2)]
    assert codes(client.ask("submit", messages=passwords)) == [None, "frequency_capped"]
    outcomes = {event["type"] for event in client.events(until=3)}
    assert outcomes == {"delivered"}
    client.close()

    gateway.kill()
    gateway = site.gateway(CAPPED)
    gateway.wait_for('"serving"', 2)
    client = site.client()
    assert codes(client.ask("submit", messages=both)) == ["frequency_capped"] * 2
    again = client.ask("submit", messages=[promotion(MEMBER, "one", key="1")])
    assert again["results"][0]["duplicate"]


@pytest.mark.both_stores
def test_what_is_cancelled_is_given_back(site: Any) -> None:
    site.carrier("alpha")
    site.gateway(CAPPED).wait_for('"bound"', 2)
    client = site.client()
    later = promotion(MEMBER, "one", send_at=time.time() + 3_600)
    [planned] = client.ask("submit", messages=[later])["results"]
    assert codes(client.ask("submit", messages=[promotion(MEMBER, "two")])) == ["frequency_capped"]
    assert client.ask("cancel", ids=[planned["message_id"]])["cancelled"] == 1
    assert codes(client.ask("submit", messages=[promotion(MEMBER, "two")])) == [None]

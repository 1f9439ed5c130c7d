"""A US brand texts those alone who agreed, through the socket, to a carrier and back."""

from typing import Any

import pytest

REQUIRED = """
[policy.consent]
require = ["US"]
[policy.quiet_hours]
open = "00:00-24:00"
"""

MEMBER, GUEST = "+12125550123", "+12125550124"


def codes(reply: dict[str, Any]) -> list[str | None]:
    return [result.get("error", {}).get("code") for result in reply["results"]]


@pytest.mark.both_stores
def test_consent_on_record_and_none(site: Any) -> None:
    site.carrier("alpha")
    gateway = site.gateway(REQUIRED)
    gateway.wait_for('"bound"', 2)
    client = site.client()
    sale = [{"to": to, "text": "Sale", "category": "marketing"} for to in (MEMBER, GUEST)]
    assert codes(client.ask("submit", messages=sale)) == ["no_consent"] * 2
    row = {"number": MEMBER, "source": "checkout", "wording": "Text me", "at": 1.7e9, "by": "web"}
    [given] = client.ask("consent", action="add", rows=[row])["results"]
    assert given == {
        "number": MEMBER[1:], "purpose": "marketing", "consented": True, "changed": True,
        "at": 1.7e9, "source": "checkout", "wording": "Text me", "by": "web",
    }  # fmt: skip
    assert codes(client.ask("submit", messages=sale)) == [None, "no_consent"]
    client.close()
    gateway.kill()
    site.gateway(REQUIRED).wait_for('"serving"', 2)
    client = site.client()
    assert codes(client.ask("quote", messages=sale)) == [None, "no_consent"]
    client.ask("consent", action="withdraw", numbers=[MEMBER])
    assert codes(client.ask("submit", messages=sale)) == ["no_consent"] * 2
    [listed] = client.ask("consent", action="list")["results"]
    assert [one["state"] for one in listed["records"]] == ["given", "withdrawn"]

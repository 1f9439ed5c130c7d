"""A balance and a quota through the socket and a carrier, over a restart."""

from typing import Any

import pytest

PRICES = """
[policy.price]
currency = "CNY"
[[policy.price.tariffs]]
carrier = "alpha"
price = 0.1
[[policy.price.tariffs]]
carrier = "alpha"
prefix = ["86"]
price = 0.05
"""


@pytest.mark.both_stores
def test_a_tenant_spends_what_it_has_and_no_more(site: Any) -> None:
    site.carrier("alpha")
    site.change("[[tenants]]\n", "[[tenants]]\nbalance = 0.2\nquota = 5\n")
    gateway = site.gateway(PRICES)
    client = site.client()
    china, britain = {"to": "+8613812345678"}, {"to": "+447400123456"}
    texts = [{**china, "text": "a"}, {**britain, "text": "b" * 200}, {**china, "text": "c"}]
    [quoted, *_] = client.ask("quote", messages=texts)["results"]
    assert quoted["price"] == {"least": 0.05, "most": 0.05, "currency": "CNY"}
    first, dear, third = client.ask("submit", messages=texts)["results"]
    assert (dear["error"]["code"], dear["error"]["rule"]) == ("quota_exceeded", "balance")
    assert first["message_id"] < third["message_id"]
    assert [event["type"] for event in client.events(2)] == ["delivered"] * 2
    assert gateway.terminate() == 0
    gateway = site.gateway(PRICES)
    stats = site.client().ask("stats")
    assert sum(row.get("figures", {}).get("cost", 0) for row in stats["rows"]) == 0.1
    assert stats["left"] == {"balance": 0.1, "currency": "CNY", "parts": 3}
    assert gateway.terminate() == 0

"""Texts at the best price, through the socket and a carrier: smart encoding and national tables."""

# ruff: noqa: RUF001  what looks alike is what is replaced

import json
import time
from typing import Any

from gateway.text.reading import Dialect, Part, join
from gateway.text.udh import parse_header

TO = "+905321234567"
OPEN = '[policy.quiet_hours]\nopen = "00:00-24:00"\n'


def arrived(record: Any) -> dict[str, list[str]]:
    """The texts that the carrier took, by their campaign's sender: each message whole."""
    found: dict[str, list[Part]] = {}
    for line in record.read_text().splitlines():
        one = json.loads(line)
        octets, coding = bytes.fromhex(one["short_message"]), one["data_coding"]
        size, _, shifts, _ = (
            parse_header(octets) if one["esm_class"] & 0x40 else (0, None, (0, 0), True)
        )
        part = Part(octets[size:], coding, type(Part(b"").shifts)(*shifts), size)
        found.setdefault(one["source"], []).append(part)
    return {sender: [join(parts, Dialect()).text] for sender, parts in found.items()}


def test_smart_encoding_and_shift_tables(site: Any) -> None:
    record = site.carrier("alpha")
    site.change("binds = 2\n", 'binds = 1\nshift_tables = ["tr"]\n')
    site.change('senders = ["10690001"]\n', 'senders = ["*"]\nsmart_encoding = true\n')
    gateway = site.gateway(OPEN)
    client = site.client()
    quoted_text = "“Big sale” – today only… " * 4
    turkish = "Işık hızında kargo, şimdi ücretsiz! " * 8
    mixed = "“Big sale” – 双十一 " * 8
    cases = [
        ("701", quoted_text, '"Big sale" - today only... ' * 4, "gsm7", 1),
        ("702", turkish, turkish, "gsm7", 2),
        ("703", mixed, mixed, "ucs2", 3),
        ("704", "– see https://shop.example/a–b", "– see https://shop.example/a–b", "ucs2", 1),
    ]
    messages = [{"to": TO, "from": sender, "text": text} for sender, text, *_ in cases]
    quotes = client.ask("quote", messages=messages)["results"]
    results = client.ask("submit", messages=messages)["results"]
    for (_, text, sent, encoding, parts), quote, result in zip(cases, quotes, results, strict=True):
        assert (quote["encoding"], quote["parts"]) == (encoding, parts)
        assert (result["encoding"], result["parts"]) == (encoding, parts)
        assert quote.get("text", text) == sent
    assert [event["type"] for event in client.events(4)] == ["delivered"] * 4
    waits = {**messages[0], "send_at": time.time() + 3600}
    [later] = client.ask("submit", messages=[waits])["results"]
    [status] = client.ask("status", ids=[later["message_id"]])["messages"]
    assert (status["text"], status["before"]) == (cases[0][2], cases[0][1])
    assert gateway.terminate() == 0
    site.stop_carriers()
    assert arrived(record) == {sender: [sent] for sender, _, sent, *_ in cases}

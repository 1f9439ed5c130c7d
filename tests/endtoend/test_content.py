"""Content rules through the socket and a carrier: what is refused and why, what arrives."""

# ruff: noqa: RUF001  signs of Chinese writing are meant

import json
from typing import Any

from gateway.text.alphabets import decode

CONTENT = """
[policy.content]
links = "registered"
shorteners = "refuse"
max_parts = 2
[[policy.content.words]]
name = "law"
shipped = "superlatives"
regions = ["CN"]
[[policy.content.words]]
name = "house"
file = "{words}"
[[policy.content.optout_line]]
region = "CN"
text = "拒收请回复R"
[policy.quiet_hours]
open = "00:00-24:00"
"""

CHINA, BRITAIN = "+8613812345678", "+447400123456"


def arrived(record: Any) -> list[str]:
    """The texts that the carrier took, each of one part."""
    alphabets: Any = {0: "gsm7", 8: "ucs2"}
    taken = [json.loads(line) for line in record.read_text().splitlines()]
    return [
        decode(bytes.fromhex(one["short_message"]), alphabets[one["data_coding"]]) for one in taken
    ]


def test_texts_are_completed_or_refused_with_rule_and_place(site: Any) -> None:
    words = site.folder / "words.txt"
    words.write_text("# ours\ncasino\n博彩\n")
    record = site.carrier("alpha")
    site.change("binds = 2\n", 'binds = 2\nbans = ["phones", "contacts"]\n')
    site.change(
        'category = "transactional"\n',
        'category = "marketing"\ndomains = ["shop.example"]\n'
        'signatures = [{ text = "海岸百货" }]\n',
    )
    gateway = site.gateway(CONTENT.format(words=words))
    client = site.client()
    wanted = "【海岸百货】双十一，https://m.shop.example/a 见，拒收请回复R"
    [quoted] = client.ask("quote", messages=[{"to": CHINA, "text": wanted[6:-6]}])["results"]
    assert quoted["text"] == wanted
    cases = [
        ("【别家】双十一", "signature", 0),
        ("全国最佳", "banned_words", 8),
        ("今晚博 彩", "banned_words", 8),
        ("见 http://shop.example@evil.test", "links", 8),
        ("电话400-820-8820", "phones", 8),
        ("加微信领券", "contacts", 6),
        ("大促" * 70, "max_parts", 134),
    ]
    messages = [{"to": CHINA, "text": text} for text, _, _ in cases]
    results = client.ask("submit", messages=messages)["results"]
    found = [(r["error"]["code"], r["error"]["rule"], r["error"].get("place")) for r in results]
    assert found == [("content_refused", rule, place) for _, rule, place in cases]
    otp = {"to": CHINA, "text": "验证码481516，拒收请回复R", "category": "otp"}
    fine = {"to": CHINA, "text": wanted[6:-6], "key": "a"}
    again = {**fine, "key": "b"}
    refused, *accepted = client.ask("submit", messages=[otp, fine, again, fine])["results"]
    assert (refused["error"]["rule"], refused["error"]["place"]) == ("optout_line", 16)
    assert [one["parts"] for one in accepted] == [quoted["parts"]] * 3
    assert accepted[2]["duplicate"], "what was submitted is the same, whatever was made of it"
    assert [event["type"] for event in client.events(2)] == ["delivered"] * 2
    rows = client.ask("stats")["rows"]
    ruled_out = {rule: n for row in rows for rule, n in row.get("ruled_out", {}).items()}
    assert {rule for _, rule, _ in cases} <= set(ruled_out)
    assert gateway.terminate() == 0
    site.stop_carriers()
    assert arrived(record) == [wanted] * 2

"""Templates through the command line, the socket and a carrier, over a restart."""

import json
import sys
from typing import Any

from tests.conftest import TOKEN


def test_a_template_is_put_used_and_told_to_the_carrier(site: Any) -> None:
    record = site.carrier("alpha")
    site.change("binds = 2\n", "binds = 2\ntemplate_tlv = 0x1401\n")
    site.change("[[tenants]]\n", '[[tenants]]\ntemplates = "approved"\n')
    gateway = site.gateway()
    address = f"tcp://127.0.0.1:{site.api}"
    put = site.start(
        "put",
        sys.executable,
        "-m",
        "gateway",
        "template",
        "put",
        "code",
        "--text",
        "Your code is ${code}",
        "--var",
        "code=digits:6",
        "--approved",
        "alpha=1107161",
        "--address",
        address,
        "--token",
        TOKEN,
    )
    assert put.wait() == 0
    assert json.loads(put.text())["version"] == 1
    assert gateway.terminate() == 0
    gateway = site.gateway()
    client = site.client()
    to = "+447400123456"
    results = client.ask(
        "submit",
        defaults={"template": "code"},
        messages=[
            {"to": to, "vars": {"code": "481516"}},
            {"to": to, "vars": {"code": "4815162342"}},
            {"to": to, "text": "Your code is 23"},
            {"to": to, "text": "Our sale begins"},
        ],
    )["results"]
    errors = [one.get("error", {}).get("code") for one in results]
    assert errors == [None, "invalid_value", None, "content_refused"]
    assert [event["type"] for event in client.events(2)] == ["delivered"] * 2
    assert gateway.terminate() == 0
    site.stop_carriers()
    taken = [json.loads(line) for line in record.read_text().splitlines()]
    texts = [bytes.fromhex(one["short_message"]).decode() for one in taken]
    assert texts == ["Your code is 481516", "Your code is 23"]

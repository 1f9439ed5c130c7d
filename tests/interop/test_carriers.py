"""The gateway's binds against carriers that others wrote."""

import re
import socket
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

DRIVE_SMPP_BEARERBOX = 13001
"""Where drive_smpp looks for a bearerbox once it has a client; it gives up when nobody listens."""


def test_the_npm_server_takes_every_sort_of_text_and_its_receipts_count(
    site: Any, npm_peer: Any, texts: Any, submit: Callable[..., dict[str, str]]
) -> None:
    port = site.free_port()
    smsc = npm_peer("smsc.js", str(port))
    smsc.told("listening", 1)
    site.account("npm", port, binds=1)
    gateway = site.gateway()
    client = site.client()
    wanted = submit(client, list(texts))
    events = client.events(len(texts))
    assert {event["to"]: event["type"] for event in events} == dict.fromkeys(wanted, "delivered")
    assert gateway.terminate() == 0
    assert [(one["system_id"], one["password"]) for one in smsc.told("bound")] == [
        ("shop", "secret")
    ]
    arrived: dict[str, str] = defaultdict(str)
    for part in smsc.told("taken", texts.parts):
        arrived[part["destination"]] += part["text"]
        assert part["source"] == "10690001"
    assert arrived == wanted
    assert {one["status"] for one in smsc.told("answered", texts.parts)} == {0}
    assert len(smsc.told("unbound", 1)) == 1
    assert not smsc.told("error")


def test_what_phones_send_through_the_npm_server_reaches_the_tenant(
    site: Any, npm_peer: Any, texts: Any
) -> None:
    port = site.free_port()
    smsc = npm_peer("smsc.js", str(port))
    smsc.told("listening", 1)
    site.account("npm", port, binds=1)
    site.gateway()
    smsc.told("bound", 1)

    def say(*parts: tuple[str, str], coding: int) -> None:
        pieces = [{"udh": udh, "text": text, "coding": coding} for udh, text in parts]
        smsc.tell({"source": "447700900123", "destination": "10690001", "parts": pieces})

    say(("", texts.single), coding=0)
    say(("", texts.chinese), coding=8)
    # The last part first; references of one octet and of two.
    say(("050003420202", texts.long[150:300]), ("050003420201", texts.long[:150]), coding=0)
    say(
        ("06080401420202", texts.long_chinese[60:120]),
        ("06080401420201", texts.long_chinese[:60]),
        coding=8,
    )
    say(("", "Stop"), coding=0)
    events = site.client().events(6)
    assert [(event["type"], event["from"], event.get("text")) for event in events] == [
        ("inbound", "447700900123", texts.single),
        ("inbound", "447700900123", texts.chinese),
        ("inbound", "447700900123", texts.long[:300]),
        ("inbound", "447700900123", texts.long_chinese[:120]),
        ("inbound", "447700900123", "Stop"),
        ("optout", "447700900123", None),
    ]
    assert {one["status"] for one in smsc.told("answered", 7)} == {0}


@pytest.fixture
def drive_smpp(site: Any, tool: Callable[[str], str]) -> Any:
    program = tool("drive_smpp")
    with socket.socket() as bearerbox:
        bearerbox.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bearerbox.bind(("127.0.0.1", DRIVE_SMPP_BEARERBOX))
        except OSError as error:
            pytest.skip(f"port {DRIVE_SMPP_BEARERBOX}, which drive_smpp needs: {error}")
        bearerbox.listen()
        configuration = site.folder / "drive_smpp.conf"
        configuration.write_text("")
        port = site.free_port()
        site.account("kannel", port, binds=1, bind="separate")  # it knows no transceivers
        process = site.start(
            "drive_smpp", program, "-v", "0", "-p", str(port), "-m", "3", "-c", str(configuration)
        )
        process.wait_for("Starting drive_smpp")
        yield process


def test_kannels_test_carrier(
    site: Any, drive_smpp: Any, texts: Any, submit: Callable[..., dict[str, str]]
) -> None:
    gateway = site.gateway('[log]\nlevel="debug"')
    client = site.client()
    submit(client, list(texts), report="none")
    try:
        events = client.events(len(texts))
        print(events)
    finally:
      gateway.terminate()
      import time; time.sleep(1)
      print(re.sub(r".*DEBUG: (Thread|Started).*\n", "", drive_smpp.text())[:6000])
      print(gateway.text())
    assert 0

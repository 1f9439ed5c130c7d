"""The gateway's binds against carriers that others wrote."""

import re
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

DRIVE_SMPP_BEARERBOX = 13001
"""Where drive_smpp looks for a bearerbox once it has a client; it gives up when nobody listens."""

PATIENCE = 60.0
"""Seconds to wait for that port: another test may be using it."""

DRIVE_SMPP_TEXTS = 3
"""Texts from phones that it sends: its count, as text, from 456 to 123."""


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
        ("optout", "447700900123", "Stop"),
    ]
    assert {one["status"] for one in smsc.told("answered", 7)} == {0}


def _bearerbox() -> socket.socket:
    """What drive_smpp connects to; the port is its own choice, so that one can run at a time."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_server(("127.0.0.1", DRIVE_SMPP_BEARERBOX))
        except OSError as error:
            if time.monotonic() > deadline:
                pytest.skip(f"drive_smpp needs port {DRIVE_SMPP_BEARERBOX}: {error}")
        time.sleep(0.1)


@pytest.fixture
def drive_smpp(site: Any, tool: Callable[[str], str]) -> Iterator[Any]:
    """Kannel's test carrier, which the gateway is to use."""
    program = tool("drive_smpp")
    with _bearerbox():
        # Its parameters are known to it only once it has read a file, be it empty.
        configuration = site.folder / "drive_smpp.conf"
        configuration.touch()
        port = site.free_port()
        # It knows no transceivers.
        site.account("kannel", port, binds=1, bind="separate")
        options = ["-v", "0", "-p", str(port), "-m", str(DRIVE_SMPP_TEXTS), "-c"]
        process = site.start("drive_smpp", program, *options, str(configuration))
        process.wait_for("Starting drive_smpp test")
        yield process


def test_kannels_test_carrier_takes_every_sort_of_text(
    site: Any, drive_smpp: Any, texts: Any, submit: Callable[..., dict[str, str]]
) -> None:
    gateway = site.gateway()
    client = site.client()
    wanted = submit(client, list(texts), report="none")
    events = client.events(len(texts), but="inbound")
    assert {event["to"]: event["type"] for event in events} == dict.fromkeys(wanted, "sent")
    assert gateway.terminate() == 0
    drive_smpp.wait_for(f"Number of messages sent to SMSC: {texts.parts}\n")
    assert drive_smpp.wait() == 0
    log = drive_smpp.output.read_bytes()
    # It shows octets up to the first NUL, which is @ in GSM 03.38.
    for octets in (texts.single.partition("@")[0].encode(), texts.chinese.encode("utf-16-be")):
        assert log.count(b"short_message = <" + octets + b">") == 1
    assert not re.search(rb"ERROR|PANIC|Unhandled", log)


def test_kannels_test_carrier_sends_no_receipts_and_the_message_stays_sent(
    site: Any, drive_smpp: Any
) -> None:
    site.gateway()
    client = site.client()
    [result] = client.ask("submit", messages=[{"to": "4915112345000", "text": "Hi"}])["results"]
    drive_smpp.wait_for("Handling SMPP PDU of type submit_sm")
    client.wait_for_state(result["message_id"], "sent")


def test_what_phones_send_through_kannels_test_carrier_reaches_the_tenant(
    site: Any, drive_smpp: Any
) -> None:
    site.gateway()
    # They are answered once they are durable: a message of ours that ends later is told later.
    drive_smpp.wait_for("of type deliver_sm_resp", DRIVE_SMPP_TEXTS)
    client = site.client()
    message = {"to": "4915112345000", "text": "Hi", "report": "none"}
    client.ask("submit", messages=[message])
    events = client.events(1)
    while events[-1]["type"] != "sent":
        events += client.receive()["events"]
    assert [(event["from"], event["to"], event["text"]) for event in events[:-1]] == [
        ("456", "123", "1"),
        ("456", "123", "2"),
        ("456", "123", "3"),
    ]

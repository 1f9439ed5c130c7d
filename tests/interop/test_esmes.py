"""The gateway's simulator as the carrier of clients that others wrote."""

import json
import re
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import smpplib.client
import smpplib.consts
import smpplib.gsm

from gateway.text.joining import alphabet_of, join
from gateway.text.udh import parse_user_data

OWN, PHONE = "10690001", "4915112345"
INBOUND = ("--inbound-rate", "20")

KANNEL = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = secret
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
access-log = {folder}/access.log

group = smsc
smsc = smpp
smsc-id = simulator
host = 127.0.0.1
port = {port}
transceiver-mode = true
smsc-username = shop
smsc-password = secret
system-type = ""

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {boxes}
sendsms-port = {http}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = shop
password = secret
max-messages = 10
concatenation = true

group = sms-service
keyword = default
catch-all = true
max-messages = 0
text = ""
"""


def recorded(record: Path) -> list[str]:
    """The texts that phones would have read, by the simulator's record, in order of recipient."""
    payloads: dict[str, list[bytes]] = defaultdict(list)
    codings: dict[str, int] = {}
    for line in record.read_text().splitlines():
        taken = json.loads(line)
        payload = bytes.fromhex(taken["short_message"])
        if taken["esm_class"] & 0x40:
            concat, payload = parse_user_data(payload)
            assert concat is not None
            assert concat.sequence == len(payloads[taken["destination"]]) + 1
        payloads[taken["destination"]].append(payload)
        codings[taken["destination"]] = taken["data_coding"]
    texts = []
    for recipient, parts in sorted(payloads.items()):
        alphabet = alphabet_of(codings[recipient], "gsm7")
        assert alphabet is not None
        texts.append(join(parts, alphabet))
    return texts


def test_smpplib(site: Any, texts: Any) -> None:
    port = site.free_port()
    simulator, record = site.simulator("carrier", port, *INBOUND)
    taken, receipts, inbound = [], [], []

    def received(pdu: Any) -> None:
        (receipts if pdu.esm_class & 0x04 else inbound).append(pdu)

    with smpplib.client.Client("127.0.0.1", port, 30, allow_unknown_opt_params=True) as client:
        client.set_message_sent_handler(lambda pdu: taken.append(pdu))
        client.set_message_received_handler(received)
        client.connect()
        client.bind_transceiver(system_id="shop", password="secret")
        for number, text in enumerate(texts):
            parts, coding, esm_class = smpplib.gsm.make_parts(text)
            for part in parts:
                client.send_message(
                    source_addr=OWN,
                    destination_addr=f"{PHONE}{number:03}",
                    short_message=part,
                    data_coding=coding,
                    esm_class=esm_class,
                    registered_delivery=True,
                )
        submitted = client.sequence - 1
        while len(taken) < submitted or len(receipts) < submitted or not inbound:
            client.read_once(auto_send_enquire_link=False)
    ids = [pdu.message_id.decode() for pdu in taken]
    assert sorted(pdu.receipted_message_id.decode() for pdu in receipts) == sorted(ids)
    assert {pdu.destination_addr.decode() for pdu in inbound} == {OWN}
    assert simulator.terminate() == 0
    assert recorded(record) == list(texts)


def test_the_npm_client(site: Any, npm_peer: Callable[..., Any], texts: Any) -> None:
    port = site.free_port()
    simulator, record = site.simulator("carrier", port, "--receipt-form", "tlv", *INBOUND)
    esme = npm_peer("esme.js", str(port), "shop", "secret")
    [bound] = esme.told("bound", 1)
    assert (bound["status"], bound["system_id"]) == (0, "simulator")
    long, chinese = texts.long, texts.long_chinese
    sent = (
        (0, [("", texts.single)]),
        (0, [("050003070201", long[:140]), ("050003070202", long[140:280])]),
        (8, [("", texts.chinese)]),
        (8, [("0608040007 0201", chinese[:60]), ("0608040007 0202", chinese[60:120])]),
    )
    for number, (coding, parts) in enumerate(sent):
        pieces = [{"udh": udh.replace(" ", ""), "text": text} for udh, text in parts]
        to = f"{PHONE}{number:03}"
        esme.tell({"source": OWN, "destination": to, "coding": coding, "parts": pieces})
    taken = esme.told("taken", 6)
    receipts = esme.told("receipt", 6)
    inbound = esme.told("inbound", 1)
    assert {one["status"] for one in taken} == {0}
    assert sorted(one["id"] for one in receipts) == sorted(one["id"] for one in taken)
    assert {one["state"] for one in receipts} == {smpplib.consts.SMPP_MESSAGE_STATE_DELIVERED}
    assert {one["destination"] for one in inbound} == {OWN}
    esme.end_input()
    assert esme.wait() == 0
    assert len(esme.told("unbound")) == 1
    assert not esme.told("error")
    assert simulator.terminate() == 0
    assert recorded(record) == [texts.single, long[:280], texts.chinese, chinese[:120]]


@pytest.fixture
def kannel(site: Any, tool: Callable[[str], str]) -> Callable[[int], Callable[..., str]]:
    """Starts Kannel as an ESME; returns what submits a text by its HTTP interface."""
    programs = [tool("bearerbox"), tool("smsbox")]

    def start(port: int) -> Callable[..., str]:
        admin, boxes, http = (site.free_port() for _ in range(3))
        configuration = site.folder / "kannel.conf"
        configuration.write_text(
            KANNEL.format(port=port, admin=admin, boxes=boxes, http=http, folder=site.folder)
        )
        for name, sign in zip(programs, ("Successfully bound|bound", "Connected to bearerbox"), strict=True):
            process = site.start(Path(name).name, name, "-v", "0", str(configuration))
            process.wait_for(sign)

        def submit(to: str, text: str, coding: int) -> str:
            query = urllib.parse.urlencode(
                {
                    "username": "shop",
                    "password": "secret",
                    "from": OWN,
                    "to": to,
                    "text": text,
                    "charset": "UTF-8",
                    "coding": coding,
                    "dlr-mask": 1 | 2,
                }
            )
            with urllib.request.urlopen(f"http://127.0.0.1:{http}/cgi-bin/sendsms?{query}") as reply:
                answer: str = reply.read().decode()
                return answer

        return submit

    return start


def test_kannels_bearerbox(site: Any, kannel: Callable[[int], Callable[..., str]], texts: Any) -> None:
    port = site.free_port()
    simulator, record = site.simulator("carrier", port, *INBOUND)
    import time
    try:
      submit = kannel(port)
      for number, text in enumerate(texts):
        print(submit(f"{PHONE}{number:03}", text, 0 if text.isascii() or "£" in text or "€" in text else 2))
      time.sleep(2)
    finally:
      for f in ("bearerbox.log","smsbox.log","access.log"):
        if (site.folder/f).exists(): print(f, (site.folder/f).read_text(errors="replace")[-6000:])
    simulator.terminate()
    print(recorded(record))
    assert 0

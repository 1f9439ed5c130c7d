"""The gateway's simulator as the carrier of clients that others wrote."""

import json
import re
import time
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import smpplib.client
import smpplib.consts
import smpplib.gsm

from gateway.text.reading import Dialect, Part, join
from gateway.text.udh import parse_user_data

PATIENCE = 60.0
"""Seconds after which something that does not happen is a failure."""

OWN, PHONE = "10690001", "4915112345"
INBOUND = ("--inbound-rate", "20")

KANNEL_DELIVERED = "1"
"""The last of the flags of a receipt in its access log."""

KANNEL = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = secret
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
access-log = /dev/stdout

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
        reading = join([Part(part, codings[recipient]) for part in parts], Dialect())
        assert reading.certain
        texts.append(reading.text)
    return texts


def test_smpplib(site: Any, texts: Any) -> None:
    port = site.free_port()
    simulator, record = site.simulator("carrier", port, *INBOUND)
    taken: list[Any] = []
    receipts: list[Any] = []
    inbound: list[Any] = []

    def answered(pdu: Any) -> None:  # called by keyword
        taken.append(pdu)

    def received(pdu: Any) -> None:
        (receipts if pdu.esm_class & 0x04 else inbound).append(pdu)

    with smpplib.client.Client(
        "127.0.0.1", port, PATIENCE, allow_unknown_opt_params=True
    ) as client:
        client.set_message_sent_handler(answered)
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
        deadline = time.monotonic() + PATIENCE
        while len(taken) < texts.parts or len(receipts) < texts.parts or not inbound:
            client.read_once(auto_send_enquire_link=False)
            assert time.monotonic() < deadline, (len(taken), len(receipts), len(inbound))
    ids = {pdu.message_id.decode() for pdu in taken}
    told = [pdu.short_message.decode("latin-1").split() for pdu in receipts]
    assert {words[0].removeprefix("id:") for words in told} == ids
    assert all("stat:DELIVRD" in words for words in told)
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
        (8, [("06080400070201", chinese[:60]), ("06080400070202", chinese[60:120])]),
    )
    for number, (coding, parts) in enumerate(sent):
        pieces = [{"udh": udh, "text": text} for udh, text in parts]
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


class Kannel:
    """Kannel as an ESME: bearerbox, and smsbox for its HTTP interface."""

    def __init__(self, site: Any, bearerbox: str, smsbox: str, port: int) -> None:
        admin, boxes, self._http = (site.free_port() for _ in range(3))
        file = site.folder / "kannel.conf"
        file.write_text(KANNEL.format(port=port, admin=admin, boxes=boxes, http=self._http))
        self.bearerbox = site.start("bearerbox", bearerbox, "-v", "0", str(file))
        self.bearerbox.wait_for("type_name: bind_transceiver_resp")
        site.start("smsbox", smsbox, "-v", "0", str(file)).wait_for("Connected to bearerbox")

    def submit(self, to: str, text: str, coding: int) -> None:
        """Submit a text with a receipt; coding 2 is UCS-2."""
        fields = {"username": "shop", "password": "secret", "from": OWN, "to": to, "text": text}
        query = urllib.parse.urlencode(
            {**fields, "charset": "UTF-8", "coding": coding, "dlr-mask": 1 | 2}
        )
        url = f"http://127.0.0.1:{self._http}/cgi-bin/sendsms?{query}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as reply:
            assert reply.read().startswith(b"0: Accepted")

    def accessed(self, what: str, count: int) -> list[tuple[str, str, str]]:
        """Id, addressee and flags in the lines of that kind in its access log, once there are
        ``count``."""
        self.bearerbox.wait_for(rf"{what} .*\n", count)
        return re.findall(
            rf"{what} .* \[FID:(\w*)\] .* \[to:(\d+)\] \[flags:(\S+)\]", self.bearerbox.text()
        )


def test_kannels_bearerbox(site: Any, tool: Callable[[str], str], texts: Any) -> None:
    programs = tool("bearerbox"), tool("smsbox")
    port = site.free_port()
    simulator, record = site.simulator("carrier", port, *INBOUND)
    kannel = Kannel(site, *programs, port)
    for number, (text, coding) in enumerate(zip(texts, (0, 0, 2, 2), strict=True)):
        kannel.submit(f"{PHONE}{number:03}", text, coding)
    sent = kannel.accessed("Sent SMS", 4)
    receipts = kannel.accessed("Receive DLR", 4)
    assert {to for _, to, _ in sent} == {f"{PHONE}{number:03}" for number in range(4)}
    assert {(ref, to) for ref, to, _ in receipts} == {(ref, to) for ref, to, _ in sent}
    assert {flags.rpartition(":")[2] for _, _, flags in receipts} == {KANNEL_DELIVERED}
    assert {to for _, to, _ in kannel.accessed("Receive SMS", 1)} == {OWN}
    assert simulator.terminate() == 0
    assert recorded(record) == list(texts)

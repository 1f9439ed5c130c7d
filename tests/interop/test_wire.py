"""What the gateway writes, as Wireshark reads it."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import smpplib.gsm

UNBIND_RESP = bytes.fromhex("00000010 80000006")
WRITTEN = {
    "bind_transceiver": "0x00000009",
    "submit_sm": "0x00000004",
    "deliver_sm_resp": "0x80000005",
    "unbind": "0x00000006",
}


@pytest.fixture
def capture(site: Any, tool: Callable[[str], str]) -> Callable[[int], Path]:
    """Captures what passes a port of this machine; returns the file."""
    dumpcap = tool("dumpcap")

    def start(port: int) -> Path:
        file: Path = site.folder / "capture.pcapng"
        process = site.start(
            "dumpcap", dumpcap, "-q", "-i", "lo", "-f", f"tcp port {port}", "-w", str(file)
        )
        try:
            process.wait_for("File: ")
        except AssertionError:
            if process.running:
                raise
            pytest.skip(f"capturing is not permitted: {process.text()}")
        return file

    return start


@pytest.fixture
def dissect(tool: Callable[[str], str]) -> Callable[[Path, int], list[ElementTree.Element]]:
    """Has tshark read a capture; returns the protocols of all frames, in order."""
    tshark = tool("tshark")

    def read(file: Path, port: int) -> list[ElementTree.Element]:
        options = ["-d", f"tcp.port=={port},smpp", "-o", "smpp.decode_sms_over_smpp:GSM 7-bit"]
        done = subprocess.run(
            [tshark, "-n", "-r", str(file), *options, "-T", "pdml"],
            capture_output=True,
            check=True,
        )
        # It reads UCS-2 and writes the halves of an emoji one by one, which is no UTF-8.
        text = done.stdout.decode(errors="replace")
        return ElementTree.fromstring(text).findall("packet/proto")

    return read


def shown(proto: ElementTree.Element, name: str, attribute: str = "show") -> list[str]:
    """What a protocol's fields of that name say."""
    return [field.get(attribute, "") for field in proto.iter("field") if field.get("name") == name]


def wait_for_octets(file: Path, octets: bytes) -> None:
    """Wait until the end of what is captured has reached the file."""
    deadline = time.monotonic() + 60
    while octets not in file.read_bytes():
        assert time.monotonic() < deadline, f"no {octets.hex()} was captured"


def test_wireshark_reads_every_text_as_submitted(
    site: Any,
    capture: Callable[[int], Path],
    dissect: Callable[[Path, int], list[ElementTree.Element]],
    texts: Any,
    submit: Callable[..., dict[str, str]],
) -> None:
    port = site.free_port()
    file = capture(port)
    site.simulator("carrier", port)
    site.account("carrier", port, binds=1)
    gateway = site.gateway()
    client = site.client()
    wanted = submit(client, list(texts))
    client.events(len(texts))
    assert gateway.terminate() == 0
    wait_for_octets(file, UNBIND_RESP)
    protos = dissect(file, port)

    names = {element.get("name") for proto in protos for element in proto.iter()}
    assert "_ws.malformed" not in names
    commands = {name for proto in protos for name in shown(proto, "smpp.command_id")}
    assert commands >= set(WRITTEN.values())

    shown_texts: dict[str, str] = {}
    joined: dict[str, bytes] = {}
    recipient = ""
    for proto in protos:
        if shown(proto, "smpp.command_id") == [WRITTEN["submit_sm"]]:
            [recipient] = shown(proto, "smpp.destination_addr")
            shown_texts[recipient] = "".join(shown(proto, "smpp.message_text"))
        elif shown(proto, "gsm_sms_ud.fragments"):
            [octets] = shown(proto, "gsm_sms_ud.short_msg", "value")
            joined[recipient] = bytes.fromhex(octets)
    single, long, chinese, long_chinese = wanted
    assert shown_texts[single] == texts.single
    assert shown_texts[chinese] == texts.chinese
    assert joined == {
        long: smpplib.gsm.gsm_encode(texts.long),
        long_chinese: texts.long_chinese.encode("utf-16-be"),
    }

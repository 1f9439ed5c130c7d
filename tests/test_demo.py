import os
import re
import signal
import subprocess
import sys
import urllib.request
from datetime import timedelta
from http.client import HTTPResponse
from math import inf
from pathlib import Path

import msgspec
import pytest

from examples.accounts import accounts
from examples.campaign import AROUND_THE_WORLD, TEXTS, Campaign, Night, Texts, night
from examples.metrics import Metrics
from examples.result import Result
from examples.tally import Tally, audit
from gateway.api.wire import Accepted, Event, Rejected
from gateway.numbers import read, region_of
from gateway.policy.keywords import Vocabulary
from gateway.policy.optout import OptoutOptions
from gateway.policy.regions import place_of
from gateway.smpp.simulator.carrier import OPTOUTS
from gateway.smpp.simulator.record import Line

ROOT = Path(__file__).parents[1]
NOW = 1_795_359_900.0

EXPOSITION = """\
# TYPE gateway_parts_submitted counter
gateway_parts_submitted_total{carrier="alpha",status="ESME_ROK"} 3
gateway_parts_submitted_total{carrier="beta",status="ESME_ROK"} 4
gateway_parts_submitted_total{carrier="alpha",status="ESME_RSYSERR"} 9
# TYPE gateway_commit_seconds histogram
gateway_commit_seconds_bucket{le="0.001"} 1
gateway_commit_seconds_bucket{le="0.01"} 6
gateway_commit_seconds_bucket{le="+Inf"} 10
"""


def demo(tmp_path: Path, *arguments: object) -> "subprocess.Popen[str]":
    """The demo, with its temporary files in ``tmp_path``."""
    return subprocess.Popen(
        [sys.executable, "-m", "examples.demo", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def line_with(running: "subprocess.Popen[str]", words: str) -> str:
    """The next line that it shows with these words."""
    assert running.stdout is not None
    shown = []
    for line in running.stdout:
        if words in line:
            return line
        shown.append(line)
    raise AssertionError(f"no {words!r} in:\n{''.join(shown)}")


@pytest.mark.slow  # a campaign of some ten seconds
def test_the_demo_adds_up_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with demo(tmp_path, 400) as running:
        shown, _ = running.communicate()
    assert running.returncode == 0, shown
    assert "400 accepted = 380 outcomes + 20 still deferred" in shown
    assert re.search(r"yes (\d+) phones opted out of \1 that asked to", shown)
    assert "It adds up." in shown
    assert "yes every figure is the sum of what it is made of" in shown
    assert "\x1b" not in shown
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whatever_ends_the_demo_ends_its_processes(tmp_path: Path, number: signal.Signals) -> None:
    with demo(tmp_path, 400) as running:
        line_with(running, "The gateway listens at")
        running.send_signal(number)
        assert running.stdout is not None
        # Its processes hold the other end: it ends when the last of them has.
        assert running.stdout.read().endswith("interrupted\n")
    assert running.returncode == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow  # the campaign again
def test_its_console_stays_until_it_is_told_to_end_and_moves(tmp_path: Path) -> None:
    with demo(tmp_path, "200", "--stay") as running:
        address = re.search(r"http://\S+/", line_with(running, "The console stays at"))
        assert address is not None
        with urllib.request.urlopen(address[0]) as page:
            assert "<h1>Now</h1>" in page.read().decode()
        with urllib.request.urlopen(f"{address[0]}live?at=/campaigns") as stream:
            seen = {accepted_of(stream), accepted_of(stream), accepted_of(stream)}
        assert len(seen) > 1
        running.send_signal(signal.SIGINT)
        assert running.stdout is not None
        assert running.stdout.read().endswith("That was it.\n")
    assert running.returncode == 0
    assert list(tmp_path.iterdir()) == []


def accepted_of(stream: "HTTPResponse") -> str:
    """What the next event of the stream of campaigns says was accepted."""
    while True:
        found = re.search(r'data-label="Accepted"><span>([\d,]+)<', stream.readline().decode())
        if found:
            return found[1]


def test_at_any_hour_it_is_night_somewhere() -> None:
    for hour in range(24 * 366):
        now = NOW + timedelta(hours=hour).total_seconds()
        assert night(now).clock(now).hour in {23, 0, 1, 2, 3, 4}


@pytest.mark.parametrize("country", AROUND_THE_WORLD, ids=lambda country: country.region)
def test_numbers_belong_where_it_is_night(country: Night) -> None:
    place = place_of(country.numbers.replace("#", "5"))
    assert place.region == country.region
    assert country.zone in place.zones


def test_a_campaign_has_what_it_says() -> None:
    campaign = Campaign(1000, NOW)
    messages = [draft.message for draft in campaign.drafts if draft.what != "mistakes"]
    assert len(campaign.opted_out) == 5
    assert len(messages) == 1000 + len(campaign.opted_out)
    assert len({message["key"] for message in messages}) == len(messages)
    assert len({read(message["to"]) for message in messages}) == len(messages)
    assert len(campaign.asleep) == 50


def asks(number: str, text: str) -> str | None:
    """What a text from a phone of the demo asks for."""
    found = Vocabulary(OptoutOptions()).of(region_of(number.replace("#", "5"))).read(text)
    return found.request if found else None


def test_what_the_texts_tell_people_to_reply_opts_out() -> None:
    for kind in msgspec.toml.decode(TEXTS.read_bytes(), type=Texts).kinds.values():
        for text in kind.texts:
            told = re.search(r"Reply (\w+) to opt out|拒收请回复(\w)", text)
            assert (told is not None) is (kind.category == "marketing")
            if told is not None:
                for number in kind.numbers:
                    for reply in (told[0], told[1] or told[2]):
                        assert asks(number, reply) == "stop", (number, reply)


def test_what_simulated_phones_say_to_opt_out_is_heeded() -> None:
    for phone, words in OPTOUTS.items():
        assert {asks(phone, word) for word in words} == {"stop"}


def test_metrics_are_read_as_prometheus_would() -> None:
    metrics = Metrics(EXPOSITION)
    assert metrics.total("parts_submitted_total", status="ESME_ROK") == 7
    assert metrics.total("parts_submitted_total", carrier="beta") == 4
    assert metrics.quantile("commit_seconds", 0.5) == 0.01
    assert metrics.quantile("commit_seconds", 0.99) == inf


COUNTED = """\
# TYPE gateway_parts_submitted counter
gateway_parts_submitted_total{carrier="alpha",status="ESME_ROK"} 5
gateway_parts_submitted_total{carrier="alpha",status="ESME_RSYSERR"} 2
gateway_parts_submitted_total{carrier="alpha",status="ESME_RINVDSTADR"} 1
# TYPE gateway_receipts counter
gateway_receipts_total{carrier="alpha",state="DELIVRD"} 6
# TYPE gateway_receipts_unmatched counter
gateway_receipts_unmatched_total{carrier="alpha"} 2
"""


def test_figures_that_differ_are_explained(tmp_path: Path) -> None:
    """Six messages: one of two parts that went out twice, as one of its answers was lost, two of
    one part, a refused, a cancelled and a deferred one; and an answer to a phone."""
    campaign, tally = Campaign(20, NOW), Tally()
    drafts = [draft for draft in campaign.drafts if draft.what != "mistakes"][:6]
    for number, (draft, parts) in enumerate(zip(drafts, (2, 1, 1, 1, 1, 1), strict=True)):
        tally.submitted(draft, Accepted(f"m{number}", parts, "gsm7"))
    mistake = next(draft for draft in campaign.drafts if draft.what == "mistakes")
    campaign.drafts[:] = [*drafts, mistake]
    tally.submitted(mistake, Rejected("empty_text", "text: empty"))
    for number, (name, outcome, detail) in enumerate(
        [
            ("m0", "delivered", None), ("m1", "delivered", None),
            ("m2", "failed", {"receipt_state": "UNDELIV"}),
            ("m3", "failed", {"smpp_status": "ESME_RINVDSTADR"}),
            ("m4", "cancelled", None), ("r1", "delivered", {"reply": "optout"}),
        ]
    ):  # fmt: skip
        tally.reported(Event(number, outcome, NOW, name, to="44", detail=detail, epoch="e"))
    phones = [draft.message["to"].removeprefix("+") for draft in drafts]
    first, again = bytes.fromhex("0608040001"), bytes.fromhex("0608040002")
    record = tmp_path / "alpha.jsonl"
    with record.open("wb") as file:
        for phone, octets in [
            (phones[0], first + b"\x02\x01one"), (phones[0], first + b"\x02\x02two"),
            (phones[0], again + b"\x02\x02two"), (phones[1], b"hello"), (phones[2], b"hello"),
            ("447700900123", b"You are out."),
        ]:  # fmt: skip
            esm_class = 0x40 if octets.startswith(b"\x06") else 0
            line = Line(NOW, "u", 1, "1", phone, esm_class, 0, octets.hex(), "", "1")
            file.write(msgspec.json.encode(line) + b"\n")
    result = Result(
        tally=tally, states={"m5": "deferred"}, again=3, recognised=3, cancelled=1, accepting=1.0,
        took=2.0, metrics=Metrics(COUNTED), audit=audit({"alpha": record}, campaign, tally),
    )  # fmt: skip
    shown = {
        f"{figure.number:g} {figure.what}": [term.number for term in terms]
        for figure, terms in accounts(campaign, result)
    }
    assert shown == {
        "10 submitted": [6, 1, 3],
        "6 outcomes told": [5, 1],
        "1 answers to phones": [1],
        "1 cancelled": [1],
        "1 deferred": [1],
        "2 failed": [1, 1],
        "7 parts planned": [4, 1, 1, 1],
        "6 parts taken": [4, 1, 1],
        "6 taken by alpha": [5, 1],
        "6 receipts of alpha": [5, 1],
        "2 unmatched, alpha": [1, 1],
        "2 RSYSERR of alpha": [2],
    }


def test_a_figure_that_nothing_explains_is_found() -> None:
    tally = Tally()
    result = Result(
        tally=tally, states={}, again=5, recognised=4, cancelled=0, accepting=1.0, took=1.0,
        metrics=Metrics(""), audit=audit({}, campaign := Campaign(20, NOW), tally),
    )  # fmt: skip
    wrong = [one.figure.what for one in accounts(campaign, result) if not one.holds]
    assert wrong == ["submitted"]

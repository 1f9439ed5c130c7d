import os
import re
import signal
import subprocess
import sys
from datetime import timedelta
from math import inf
from pathlib import Path

import msgspec
import pytest

from examples.campaign import AROUND_THE_WORLD, TEXTS, Campaign, Night, Texts, night
from examples.metrics import Metrics
from gateway.numbers import read, region_of
from gateway.policy.keywords import Vocabulary
from gateway.policy.optout import OptoutOptions
from gateway.policy.regions import place_of
from gateway.smpp.simulator.carrier import OPTOUTS

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


def demo(tmp_path: Path, size: int) -> "subprocess.Popen[str]":
    """The demo, with its temporary files in ``tmp_path``."""
    return subprocess.Popen(
        [sys.executable, "-m", "examples.demo", str(size)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_demo_adds_up_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with demo(tmp_path, 400) as running:
        shown, _ = running.communicate()
    assert running.returncode == 0, shown
    assert "400 accepted = 380 outcomes + 20 still deferred" in shown
    assert re.search(r"yes (\d+) phones opted out of \1 that asked to", shown)
    assert "It adds up." in shown
    assert "\x1b" not in shown
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whatever_ends_the_demo_ends_its_processes(tmp_path: Path, number: signal.Signals) -> None:
    with demo(tmp_path, 400) as running:
        assert running.stdout is not None
        next(line for line in running.stdout if "The gateway listens at" in line)
        running.send_signal(number)
        # Its processes hold the other end: it ends when the last of them has.
        assert running.stdout.read().endswith("interrupted\n")
    assert running.returncode == 130
    assert list(tmp_path.iterdir()) == []


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

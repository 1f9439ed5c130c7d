"""The figures of a campaign as `gateway stats --watch` shows them."""

import io

import pytest
from rich.console import Console

from gateway.api.wire import Stat
from gateway.cli.counting import in_all
from gateway.cli.figures import reach, screen

STATS = [
    Stat(3600, "spring", "a", accepted=120, refused={"content_refused": 3}, ruled_out={"links": 3}),
    Stat(
        3600, "spring", "a", "alpha", sent=100, parts=150,
        outcomes={"delivered": 90, "failed": 6, "unknown": 4, "cancelled": 50},
        inbound=5, optouts=2, figures={"cost": 7.5, "reach": 0.9, "unknown": 0.04},
    ),
    Stat(7200, "spring", "b", "beta", sent=10, outcomes={"delivered": 5, "expired": 5}),
]  # fmt: skip


def shown(stats: list[Stat], width: int = 140) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(screen(stats, "campaign spring"))
    return file.getvalue()


def test_sums_are_of_counts_and_never_of_shares() -> None:
    total = in_all(STATS)
    assert total["sent"] == 110
    assert total["cost"] == 7.5
    assert total["outcomes"]["delivered"] == 95
    assert not {"figures", "hour"} & total.keys()


def test_reach_is_of_what_has_ended_with_the_carrier() -> None:
    assert reach({"delivered": 90, "failed": 6, "unknown": 4, "cancelled": 50}) == (0.9, 0.04)
    assert reach({"cancelled": 3}) is None


def test_the_screen_has_carriers_variants_and_rules() -> None:
    text = shown(STATS)
    [alpha] = [line for line in text.splitlines() if line.startswith("alpha")]
    assert alpha.split() == ["alpha", "100", "90", "6", "0", "4", "2", "90.0%", "4.0%"]
    assert "refused by rule: links 3" in text
    assert "cost 7.50" in text
    assert "50.0%" in text


def test_nothing_yet_is_shown_too() -> None:
    assert "accepted 0" in shown([])


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (140, "carrier sent delivered failed expired unknown opt-outs reach % unknown"),
        (40, "carrier sent delivered failed reach"),
        (25, "carrier delivered reach"),
        (16, "carrier reach"),
        (7, "carrier"),
    ],
)
def test_a_narrow_terminal_has_fewer_columns(width: int, titles: str) -> None:
    head = next(line for line in shown(STATS, width).splitlines() if line.startswith("carrier"))
    assert " ".join(head.split()) == titles

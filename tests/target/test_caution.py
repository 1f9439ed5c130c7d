"""Whether a gateway's carriers are simulated, as its metrics tell."""

import pytest

from benchmarks.target.caution import doubts
from gateway.ops.metrics import Metrics


def page(binds: dict[tuple[str, ...], float], names: list[tuple[str, ...]]) -> str:
    metrics = Metrics()
    metrics.bind_up.feed(lambda: binds)
    metrics.carrier_info.feed(lambda: dict.fromkeys(names, 1.0))
    return metrics.snapshot().render().decode()


@pytest.mark.parametrize(
    ("binds", "names", "found"),
    [
        ({("alpha", "alpha-1"): 1}, [("alpha", "simulator")], []),
        ({("alpha", "alpha-1"): 1}, [("alpha", "simulator-east")], []),
        (
            {("alpha", "alpha-1"): 1, ("beta", "beta-1"): 1},
            [("alpha", "simulator"), ("beta", "SMSC")],
            ["carrier beta calls itself 'SMSC', and not simulator"],
        ),
        # One that calls itself by two names is what the worse one says.
        (
            {("alpha", "alpha-1"): 1},
            [("alpha", "simulator"), ("alpha", "")],
            ["carrier alpha calls itself '', and not simulator"],
        ),
        (
            {("alpha", "alpha-1"): 1, ("beta", "beta-1"): 0},
            [("alpha", "simulator")],
            ["carrier beta: no bind is up, so nobody knows what it is"],
        ),
        ({}, [], ["the gateway has no carriers yet"]),
    ],
)
def test_a_carrier_that_may_be_real_is_named(
    binds: dict[tuple[str, ...], float], names: list[tuple[str, ...]], found: list[str]
) -> None:
    assert doubts(page(binds, names)) == found


@pytest.mark.parametrize("text", ["", "up 1\n", "<html>\n"])
def test_another_page_tells_nothing(text: str) -> None:
    with pytest.raises(ValueError):
        doubts(text)

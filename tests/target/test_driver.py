"""How a load test goes, as people are told while it runs."""

from benchmarks.target.command import told
from benchmarks.target.driver import Driver
from benchmarks.target.fictional import in_regions
from benchmarks.target.tally import Error, Result
from benchmarks.target.traffic import Traffic


def test_a_line_tells_the_last_second_and_all_that_was_sent() -> None:
    traffic = Traffic(
        run="r",
        recipients=in_regions("GB"),
        texts={"one part": 1},
        batches={1: 1},
        otp=0,
        tenants=[1],
        category="transactional",
        sender=None,
        seed=0,
    )
    driver = Driver([], traffic, "outcome", [], 30.0)
    driver.label = "500 a second"
    driver.timeline.tick(1.0)
    driver.tally.offer(["1"] * 500, due=1.0, now=1.0, otp=False)
    driver.tally.answer(0, [Result(parts=1)] * 490 + [Result(error=Error("busy"))] * 10, now=1.5)
    driver.tally.end(0, "delivered", None, 1.25)
    driver.timeline.tick(2.0)
    assert told(driver) == (
        "2 s: 500 a second: offered 500/s, accepted 490/s, ended 1/s, p50 250.0 ms, p99 250.0 ms; "
        "500 sent, 489 open, 10 refused"
    )

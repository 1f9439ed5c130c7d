import pytest

from gateway.cli.progress import Meter


@pytest.mark.parametrize(
    ("accepted", "duplicates", "refused", "without_room", "told"),
    [
        (1200, 0, 3, 0, "40%: 1,200 accepted, 3 refused, "),
        (0, 1500, 0, 0, "40%: 0 accepted, 1,500 duplicates, 0 refused, "),
        (10, 1, 2, 0, "40%: 10 accepted, 1 duplicates, 2 refused, "),
        (10, 0, 0, 1500, "/s, 1,500 wait for room in the queue"),
    ],
)
def test_a_line_tells_everything_that_was_answered(
    capsys: pytest.CaptureFixture[str],
    accepted: int,
    duplicates: int,
    refused: int,
    without_room: int,
    told: str,
) -> None:
    meter = Meter(1000)
    meter.show(400, accepted, duplicates, refused, without_room)
    line = capsys.readouterr().err
    assert told in line
    assert not line.endswith(" 0/s\n")

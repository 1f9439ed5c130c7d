"""What the process may run out of."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
import trustme

from gateway.ops.machine import WINDOW, Expiries, Machine, Turns, memory_limit
from gateway.ops.metrics import Metrics


def lines(metrics: Metrics) -> dict[str, float]:
    text = metrics.snapshot().render().decode()
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("gateway_"))
    return {name.removeprefix("gateway_"): float(value) for name, value in pairs}


async def test_the_store_s_sizes_and_the_room_beside_it(tmp_path: Path) -> None:
    store, log = tmp_path / "gateway.db", tmp_path / "gateway.db-wal"
    metrics, machine = Metrics(), Machine(str(store), Expiries)
    machine.feed(metrics)
    assert not [name for name in lines(metrics) if name.startswith("store_free")]
    machine.look()  # the file is not there yet
    assert lines(metrics)["store_free_bytes"] > 0
    store.write_bytes(b"x" * 5_000)
    log.write_bytes(b"x" * 700)
    machine.look()
    found = lines(metrics)
    assert (found["store_size_bytes"], found["store_log_bytes"]) == (5_000, 700)


async def test_what_expires_is_told(tmp_path: Path) -> None:
    until = datetime(2027, 5, 1, tzinfo=UTC)
    cert = trustme.CA().issue_cert("gateway.example", not_after=until)
    cert.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    found = Expiries(
        {"api.tls.cert": str(tmp_path / "cert.pem"), "carriers.alpha.tls.cert": "/none"},
        {"FR": 1_893_456_000.0},
    )
    metrics, machine = Metrics(), Machine(str(tmp_path / "db"), lambda: found)
    machine.feed(metrics)
    machine.look_at_expiries()
    told = {name: value for name, value in lines(metrics).items() if "timestamp" in name}
    assert told == {
        'certificate_expiry_timestamp_seconds{key="api.tls.cert"}': until.timestamp(),
        'holidays_known_until_timestamp_seconds{region="FR"}': 1_893_456_000.0,
    }


class Watch:
    """A clock that is put forward."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("noted", "asked_at", "longest"),
    [
        ([], 0.0, 0.0),
        ([(0.2, 1.0), (0.1, 2.0)], 3.0, 0.2),
        ([(0.2, 1.0)], WINDOW + 5.0, 0.2),  # no scrape misses it
        ([(0.2, 31.0), (0.3, 32.0), (0.1, 65.0)], 70.0, 0.3),
        ([(0.2, 1.0)], 3 * WINDOW + 1.0, 0.0),
        ([(0.2, 31.0), (0.1, 62.0), (0.1, 93.0)], 94.0, 0.1),
    ],
)
def test_the_longest_turn_is_told_for_a_while(
    noted: list[tuple[float, float]], asked_at: float, longest: float
) -> None:
    watch = Watch()
    turns = Turns(watch)
    turns.before_io_wait(1_000.0)
    for took, ended in noted:
        watch.now = ended - took
        turns.after_io_wait(1_000.0)
        watch.now = ended
        turns.before_io_wait(1_000.0)
    watch.now = asked_at
    assert turns.longest() == pytest.approx(longest)


def test_a_loop_that_wakes_up_late_has_had_a_long_turn() -> None:
    watch = Watch()
    turns = Turns(watch)
    for timeout, woke, longest in (
        (1.0, 1.0, 0.0),
        (1.0, 1.3, 0.0),
        (0.5, 2.5, 0.7),
        (9.0, 2.6, 0.7),
    ):
        turns.before_io_wait(timeout)
        watch.now = woke
        turns.after_io_wait(timeout)
        turns.before_io_wait(0.0)
        assert turns.longest() == pytest.approx(longest)


async def test_a_long_turn_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch()
    monkeypatch.setattr("gateway.ops.machine.Turns", lambda: Turns(watch))
    metrics, machine = Metrics(), Machine(str(tmp_path / "db"), Expiries)
    machine.feed(metrics)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(machine.run)
        await trio.testing.wait_all_tasks_blocked()
        watch.now += 0.4  # nobody has a turn meanwhile
        await trio.testing.wait_all_tasks_blocked()
        assert lines(metrics)["event_loop_longest_turn_seconds"] == pytest.approx(0.4)
        nursery.cancel_scope.cancel()


def test_a_container_s_limit_counts_where_it_is_lower(tmp_path: Path) -> None:
    machine = memory_limit(())
    assert machine > 1 << 20
    limit = tmp_path / "memory.max"
    for text, expected in (("1048576\n", 1_048_576), ("max\n", machine), (f"{1 << 62}", machine)):
        limit.write_text(text)
        assert memory_limit([str(limit), str(tmp_path / "none")]) == expected


def test_a_disk_is_full_in_so_long_at_the_pace_of_the_last_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "g.db").touch()
    (tmp_path / "g.db-wal").touch()
    watched = Machine(str(tmp_path / "g.db"), Expiries)
    now, free = 0.0, 10_000
    room = SimpleNamespace(f_frsize=1)
    monkeypatch.setattr("gateway.ops.machine.time.monotonic", lambda: now)
    monkeypatch.setattr("gateway.ops.machine.os.statvfs", lambda _: room)

    def look(seconds: float, left: int) -> float | None:
        nonlocal now
        now += seconds
        room.f_bavail = left
        watched.look()
        return watched.full_in

    assert look(0.0, free) is None
    assert look(30.0, free - 30) is None  # too soon to tell
    assert look(70.0, free - 100) == pytest.approx(9_900)
    assert look(100.0, free + 500) is None  # room grows
    for _ in range(200):
        free -= 60
        full = look(60.0, free)
    assert full == pytest.approx(free)  # what was before three hours counts no more

"""What is told of the configuration in force."""

from gateway.ops.metrics import Metrics
from gateway.ops.reloads import Reloads


def test_what_is_in_force_and_how_the_last_reload_ended() -> None:
    metrics = Metrics()

    def told() -> set[str]:
        text = metrics.snapshot().render().decode()
        return {
            line.removeprefix("gateway_")
            for line in text.splitlines()
            if line.startswith(("gateway_reload", "gateway_restart", "gateway_config"))
        }

    reloads = Reloads(metrics, "aa11", 100.0)
    start = {"config_loaded_timestamp_seconds 100.0", "reload_refused 0.0", "restart_needed 0.0"}
    assert told() == {'config_info{digest="aa11"} 1.0', *start}
    running = reloads.running
    assert (running.tried_at, running.refused) == (None, False)
    reloads.refused(150.0)
    running = reloads.running
    assert (running.tried_at, running.refused) == (150.0, True)
    assert told() >= {'config_info{digest="aa11"} 1.0', "reload_refused 1.0"}
    reloads.done("bb22", 200.0, waiting=True)
    assert told() >= {
        'config_info{digest="bb22"} 1.0',
        "config_loaded_timestamp_seconds 200.0",
        "reload_refused 0.0",
        "restart_needed 1.0",
        'reloads_total{result="done"} 1.0',
        'reloads_total{result="refused"} 1.0',
    }
    reloads.done("aa11", 300.0, waiting=False)
    assert "restart_needed 0.0" in told()

"""Metrics: what a scrape shows of what was counted."""

from collections.abc import Iterator

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from gateway.ops.instruments import OTHER, SERIES, Counter, Gauge, Histogram, Labels
from gateway.ops.metrics import Metrics


def scrape(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by name and labels, as a Prometheus server reads it."""

    def samples() -> Iterator[tuple[tuple[str, tuple[tuple[str, str], ...]], float]]:
        for family in text_string_to_metric_families(metrics.snapshot().render().decode()):
            for sample in family.samples:
                yield (sample.name, tuple(sorted(sample.labels.items()))), sample.value

    return dict(samples())


def test_counters_add_up_per_labels() -> None:
    metrics = Metrics()
    metrics.messages_accepted.add(250, "acme", "marketing")
    metrics.messages_accepted.add(3, "acme", "otp")
    metrics.messages_accepted.add(6, "acme", "marketing")
    found = scrape(metrics)
    name = "gateway_messages_accepted_total"
    assert found[name, (("category", "marketing"), ("tenant", "acme"))] == 256
    assert found[name, (("category", "otp"), ("tenant", "acme"))] == 3


def test_histograms_count_into_buckets_with_their_bounds_included() -> None:
    metrics = Metrics()
    metrics.accept_seconds.observe(0.001)
    metrics.accept_seconds.observe(0.002, 3)
    metrics.accept_seconds.observe(99.0)
    found = scrape(metrics)
    bucket = "gateway_accept_seconds_bucket"
    assert found[bucket, (("le", "0.0005"),)] == 0
    assert found[bucket, (("le", "0.001"),)] == 1
    assert found[bucket, (("le", "0.0025"),)] == 4
    assert found[bucket, (("le", "10.0"),)] == 4
    assert found[bucket, (("le", "+Inf"),)] == 5
    assert found["gateway_accept_seconds_count", ()] == 5
    assert found["gateway_accept_seconds_sum", ()] == pytest.approx(99.007)


def test_observing_many_is_observing_each() -> None:
    one, many = Metrics(), Metrics()
    values = [0.0001, 0.01, 0.01, 0.3, 1e6]
    for value in values:
        one.submit_response_seconds.observe(value, 1, "alpha")
    many.submit_response_seconds.observe_many(values, "alpha")
    name = "gateway_submit_response_seconds"
    ours = {key: value for key, value in scrape(one).items() if key[0].startswith(name)}
    assert ours[f"{name}_count", (("carrier", "alpha"),)] == 5
    assert ours == {key: value for key, value in scrape(many).items() if key[0].startswith(name)}


def test_gauges_are_read_when_asked() -> None:
    metrics = Metrics()
    up: dict[Labels, float] = {("alpha", "1"): 1.0}
    metrics.bind_up.feed(lambda: up)
    key = ("gateway_bind_up", (("bind", "1"), ("carrier", "alpha")))
    assert scrape(metrics)[key] == 1
    up["alpha", "1"] = 0.0
    assert scrape(metrics)[key] == 0


def test_a_snapshot_does_not_move_with_what_comes_after() -> None:
    metrics = Metrics()
    metrics.inbound.add(1, "alpha")
    metrics.store_commit_seconds.observe(1.0)
    snapshot = metrics.snapshot()
    before = snapshot.render()
    metrics.inbound.add(1, "beta")
    metrics.store_commit_seconds.observe(1.0)
    ours = [line for line in snapshot.render().splitlines() if line.startswith(b"gateway_")]
    assert ours == [line for line in before.splitlines() if line.startswith(b"gateway_")]


def test_the_promised_metrics_are_there_with_their_labels() -> None:
    promised = """
        messages_accepted_total{tenant,category} messages_refused_total{tenant,code}
        messages_final_total{tenant,outcome} parts_submitted_total{carrier,status}
        receipts_total{carrier,state} receipts_unmatched_total{carrier}
        queued_messages{tenant,category,state} bind_up{carrier,bind} window_in_use{carrier,bind}
        carrier_rate_limit{carrier} accept_seconds{} submit_response_seconds{carrier}
        accept_to_submit_seconds{category} delivery_seconds{carrier} store_commit_seconds{}
    """
    declared = {
        m.name.removeprefix("gateway_") + "{" + ",".join(m.labels) + "}"
        for m in vars(Metrics()).values()
        if isinstance(m, Counter | Gauge | Histogram)
    }
    assert set(promised.split()) <= declared


def test_the_process_and_the_version_are_shown() -> None:
    names = {name for name, _ in scrape(Metrics())}
    assert {"process_resident_memory_bytes", "process_cpu_seconds_total"} <= names
    assert "gateway_build_info" in names


@pytest.mark.parametrize("labels", [(), ("alpha",), ("alpha", "ok", "more")])
def test_wrong_labels_are_refused(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="has labels"):
        Metrics().receipts.add(1, *labels)


def test_made_up_labels_cannot_fill_the_memory() -> None:
    counter = Counter("parts_total", "Parts.", "status")
    for status in range(2 * SERIES):
        counter.add(1, str(status))
    histogram = Histogram("x_seconds", "Seconds.", (1.0,), "status")
    for status in range(2 * SERIES):
        histogram.observe(0.5, 1, str(status))
    for metric, name in ((counter, "gateway_parts_total"), (histogram, "gateway_x_seconds_count")):
        values = {
            sample.labels["status"]: sample.value
            for sample in metric.snapshot()().samples
            if sample.name == name
        }
        assert len(values) == SERIES + 1
        assert values[OTHER] == SERIES


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
        ),
        ("application/openmetrics-text;version=x", "text/plain; version=0.0.4; charset=utf-8"),
    ],
)
def test_the_page_is_what_the_reader_accepts(accept: str, media_type: str) -> None:
    page, told = Metrics().snapshot().page(accept)
    assert told == media_type
    assert page.endswith(b"# EOF\n") is media_type.startswith("application/openmetrics")


def test_an_exemplar_names_a_message_to_look_at() -> None:
    metrics = Metrics()
    metrics.accept_to_submit_seconds.observe_many([0.2, 7.0], "otp")
    metrics.accept_to_submit_seconds.exemplify(7.0, "19abc", 1_800_000_000.0, "otp")
    page, _ = metrics.snapshot().page("application/openmetrics-text; version=1.0.0")
    found = {
        sample.labels["le"]: sample.exemplar
        for family in openmetrics.text_string_to_metric_families(  # type: ignore[no-untyped-call]
            page.decode()
        )
        for sample in family.samples
        if sample.name == "gateway_accept_to_submit_seconds_bucket" and sample.exemplar
    }
    [(bound, exemplar)] = found.items()
    assert (bound, exemplar.labels, exemplar.value) == ("15.0", {"message_id": "19abc"}, 7.0)
    assert b"19abc" not in metrics.snapshot().render()


def test_counters_of_tenants_and_carriers_begin_at_zero() -> None:
    """Else the first text without an owner, which may be a STOP, would be no increase."""
    metrics = Metrics()
    metrics.inbound_unowned.add(2, "alpha")
    metrics.expect(["acme"], ["alpha", "beta"])
    found = scrape(metrics)
    assert found["gateway_inbound_unowned_total", (("carrier", "alpha"),)] == 2
    assert found["gateway_inbound_unowned_total", (("carrier", "beta"),)] == 0
    assert found["gateway_optouts_suspected_total", (("tenant", "acme"),)] == 0
    # Else a carrier that reaches nobody, and a tenant of whom all is refused, had no share at all.
    assert found["gateway_receipts_total", (("carrier", "beta"), ("state", "DELIVRD"))] == 0
    labels = (("carrier", "beta"), ("outcome", "delivered"))
    assert found["gateway_carrier_outcomes_total", labels] == 0
    labels = (("category", "otp"), ("tenant", "acme"))
    assert found["gateway_messages_accepted_total", labels] == 0

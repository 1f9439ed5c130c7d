"""What Prometheus is told: every metric of the gateway, declared once, in `Metrics`. Each is an
attribute, so a name that does not exist fails the type check. What kinds there are is in
`instruments`.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector

from gateway.message import CATEGORIES
from gateway.ops.instruments import Counter, Gauge, Histogram, Labels, Snapshot, Table, Tally

REACHED: Final = "DELIVRD"
"""The state of a receipt by which a message is with the phone."""

INSTANT: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds that a caller waits for us or for the disk."""

ROUND_TRIP: Final = (
    0.001,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
)
"""Seconds that a carrier takes to answer."""

WAIT: Final = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    1.0,
    5.0,
    15.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    1200.0,
    1800.0,
    3600.0,
    7200.0,
    14_400.0,
    43_200.0,
)
"""Seconds that a message waits for its turn, from an idle gateway to a night of quiet hours."""

DELIVERY: Final = (
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    1200.0,
    1800.0,
    3600.0,
    7200.0,
    21_600.0,
    86_400.0,
    259_200.0,
)
"""Seconds that a phone takes to get a text, up to the validity of three days."""


class Metrics:
    """Every metric of the gateway. Labels are tenants, carriers, binds and words of ours: never a
    recipient, a key or a campaign."""

    def __init__(self) -> None:
        self.messages_accepted = Counter(
            "messages_accepted_total", "Messages made durable.", "tenant", "category"
        )
        self.messages_refused = Counter(
            "messages_refused_total", "Messages refused when submitted.", "tenant", "code"
        )
        self.carrier_outcomes = Counter(
            "carrier_outcomes_total",
            "Outcomes of what a carrier has taken, or refused for good.",
            "carrier",
            "outcome",
        )
        self.messages_ruled_out = Counter(
            "messages_ruled_out_total", "Messages that a rule refused.", "tenant", "rule"
        )
        self.messages_deferred = Counter(
            "messages_deferred_total", "Times that a message was put off, by why.", "tenant", "rule"
        )
        self.messages_final = Counter(
            "messages_final_total", "Messages that have their outcome.", "tenant", "outcome"
        )
        self.messages_failed = Counter(
            "messages_failed_total", "Messages that were not delivered, by why.", "tenant", "code"
        )
        self.messages_repeated = Counter(
            "messages_repeated_total",
            "Messages submitted again under a key that was known, and not sent twice.",
            "tenant",
        )
        self.messages_maybe_duplicate = Counter(
            "messages_maybe_duplicate_total",
            "Messages that may have reached the recipient twice.",
            "tenant",
        )
        self.messages_misplaced = Counter(
            "messages_misplaced_total",
            "Messages that were not where this process takes them to be, by how, all of them put"
            " right: a fault of the gateway.",
            "how",
        )
        self.parts_submitted = Counter(
            "parts_submitted_total",
            "Parts that a carrier has answered, by command_status.",
            "carrier",
            "status",
        )
        self.receipts = Counter(
            "receipts_total", "Receipts that belong to a message, by state.", "carrier", "state"
        )
        self.receipts_unmatched = Counter(
            "receipts_unmatched_total",
            "Receipts that match no message, nor one whose response is still to come.",
            "carrier",
        )
        self.receipts_given_up = Counter(
            "receipts_given_up_total", "Receipts whose message never showed.", "carrier"
        )
        self.receipts_unknown_state = Counter(
            "receipts_unknown_state_total", "Receipts with a word that no table has.", "carrier"
        )
        self.strange = Counter(
            "strange_total",
            "What carriers sent that does not fit the protocol, and was made the best of.",
            "carrier",
            "kind",
        )
        self.binds_lost = Counter(
            "binds_lost_total", "Binds that were up and ended; each is made again.", "carrier"
        )
        self.binds_failed = Counter(
            "binds_failed_total", "Attempts to bind that came to nothing.", "carrier"
        )
        self.inbound = Counter("inbound_total", "Inbound messages, reassembled.", "carrier")
        self.inbound_unowned = Counter(
            "inbound_unowned_total", "Inbound messages to a number that no tenant owns.", "carrier"
        )
        self.inbound_unreadable = Counter(
            "inbound_unreadable_total",
            "Inbound messages whose octets are passed on beside the best reading.",
            "carrier",
        )
        self.inbound_incomplete = Counter(
            "inbound_incomplete_total", "Inbound messages told with parts missing.", "carrier"
        )
        self.inbound_repeated = Counter(
            "inbound_repeated_total", "Parts of inbound messages that came once more.", "carrier"
        )
        self.inbound_unknown_source = Counter(
            "inbound_unknown_source_total",
            "Inbound messages from a source that can be no phone, or not be told whose it is.",
            "carrier",
        )
        self.replies = Counter(
            "replies_total",
            "The gateway's own answers to phones: sent, or spared a phone that had it today.",
            "tenant",
            "kind",
            "result",
        )
        self.optouts = Counter(
            "optouts_total", "Opt-outs added and removed.", "tenant", "source", "action"
        )
        self.consents = Counter(
            "consents_total", "Consents recorded, withdrawn and asked for.", "tenant", "action"
        )
        self.optouts_suspected = Counter(
            "optouts_suspected_total", "Texts that may be opt-outs, for people to judge.", "tenant"
        )

        self.queued_messages = Gauge(
            "queued_messages", "Messages without an outcome.", "tenant", "category", "state"
        )
        self.queued_messages_limit = Gauge(
            "queued_messages_limit", "Messages without an outcome that it may have.", "tenant"
        )
        self.oldest_message_seconds = Gauge(
            "oldest_message_seconds",
            "For how long the oldest message has been in a place, since it was due.",
            "tenant",
            "category",
            "place",
        )
        self.held_messages = Gauge(
            "held_messages",
            "Messages in memory, ready to be sent, by what they wait for.",
            "tenant",
            "category",
            "route",
            "reason",
        )
        self.deferred_due_seconds = Gauge(
            "deferred_due_seconds",
            "Seconds until the first of the deferred messages is due.",
            "tenant",
            "category",
        )
        self.tenant_rate_limit = Gauge(
            "tenant_rate_limit", "Parts per second that it may send; 0 for unlimited.", "tenant"
        )
        self.lane_messages_limit = Gauge(
            "lane_messages_limit", "Messages that there is memory for, ready to be sent."
        )
        self.paused_messages = Gauge(
            "paused_messages", "Messages that wait because somebody has paused them.", "tenant"
        )
        self.places_messages = Gauge(
            "places_messages", "Messages that this process holds, by where they are.", "place"
        )
        self.lane_messages = Gauge("lane_messages", "Messages in memory, ready to be sent.")
        self.receipts_parked = Gauge(
            "receipts_parked", "Receipts that wait until a message matches them.", "carrier"
        )
        self.bind_up = Gauge("bind_up", "1 while the bind is bound.", "carrier", "bind")
        self.carrier_info = Gauge(
            "carrier_info",
            "1, labelled with what the carrier calls itself.",
            "carrier",
            "system_id",
        )
        self.window_in_use = Gauge(
            "window_in_use", "Parts submitted and not answered yet.", "carrier", "bind"
        )
        self.window_size = Gauge("window_size", "Parts that may be unanswered.", "carrier", "bind")
        self.receipts_silent_seconds = Gauge(
            "receipts_silent_seconds",
            "For how long the carrier has taken parts and given no receipt.",
            "carrier",
        )
        self.carrier_rate_limit = Gauge(
            "carrier_rate_limit", "Parts per second held to now; 0 for unlimited.", "carrier"
        )
        self.events_unacknowledged = Gauge(
            "events_unacknowledged",
            "Events that the slowest consumer in use has not handled.",
            "tenant",
        )
        self.api_connections = Gauge("api_connections", "Open connections of tenants.")
        self.api_connections_ended = Tally(
            "api_connections_ended_total", "Connections that the server ended, by why.", "reason"
        )
        self.api_connections_limit = Gauge(
            "api_connections_limit", "Connections of tenants that there may be."
        )
        self.admin_refused = Counter(
            "admin_refused_total", "Requests to the admin server that were turned away.", "reason"
        )
        self.reloads = Counter(
            "reloads_total", "Reloads of the configuration, done or refused.", "result"
        )
        self.reload_refused = Gauge("reload_refused", "1 where the last reload was refused.")
        self.restart_needed = Gauge(
            "restart_needed", "1 while a changed key waits for the next start."
        )
        self.config_loaded_timestamp_seconds = Gauge(
            "config_loaded_timestamp_seconds", "When the configuration in force was loaded."
        )
        self.config_info = Gauge(
            "config_info",
            "1, labelled with what the file in force begins its SHA-256 with.",
            "digest",
        )
        self.store_free_bytes = Gauge("store_free_bytes", "Room on the disk of the store.")
        self.store_size_bytes = Gauge("store_size_bytes", "The file of the store.")
        self.store_log_bytes = Gauge(
            "store_log_bytes", "The store's write-ahead log, not yet moved into the file."
        )
        self.store_table_bytes = Gauge(
            "store_table_bytes", "A table of the store and its indexes.", "table"
        )
        self.store_dead_rows = Gauge(
            "store_dead_rows", "Rows that are gone and take up room still.", "table"
        )
        self.store_oldest_transaction_seconds = Gauge(
            "store_oldest_transaction_seconds",
            "For how long the oldest transaction in the database is open.",
        )
        self.store_standbys = Gauge("store_standbys", "Servers that follow the database's.")
        self.store_standby_lag_bytes = Gauge(
            "store_standby_lag_bytes", "What a standby has still to write.", "standby"
        )
        self.node_up = Gauge("node_up", "1 while a node that shares the store works.", "node")
        self.node_moved = Gauge("node_moved", "1 while a node is moved away.", "node")
        self.node_phones = Gauge("node_phones", "Of all phones, those of a node.", "node")
        self.node_slots = Gauge(
            "node_slots", "Binds of a carrier, or pairs, that a node has.", "node", "carrier"
        )
        self.node_behind = Gauge("node_behind", "Notices that a node does not go by yet.", "node")
        self.node_clock_ahead = Gauge(
            "node_clock_ahead_seconds",
            "By how much a node's clock is ahead.",
            "node",
        )
        self.node_info = Gauge(
            "node_info",
            "1, labelled with a node's version and what its file begins its SHA-256 with.",
            "node",
            "version",
            "digest",
        )
        self.slots_unused = Gauge(
            "slots_unused", "Binds of a carrier, or pairs, that no node has.", "carrier"
        )
        self.memory_limit_bytes = Gauge(
            "memory_limit_bytes", "Memory that the container allows, or the machine has."
        )
        self.event_loop_longest_turn_seconds = Gauge(
            "event_loop_longest_turn_seconds",
            "For how long all else waited for one thing, at most, within the last minute.",
        )
        self.certificate_expiry_timestamp_seconds = Gauge(
            "certificate_expiry_timestamp_seconds", "When a certificate ends to hold.", "key"
        )
        self.holidays_known_until_timestamp_seconds = Gauge(
            "holidays_known_until_timestamp_seconds",
            "Until when the public holidays are known that hours depend on.",
            "region",
        )
        self.build_info = Gauge("build_info", "1, labelled with what runs.", "version")
        running: dict[Labels, float] = {(version("gateway"),): 1.0}
        self.build_info.feed(lambda: running)

        self.accept_seconds = Histogram(
            "accept_seconds", "From a submit request to its durable answer.", INSTANT
        )
        self.store_commit_seconds = Histogram("store_commit_seconds", "Commits to disk.", INSTANT)
        self.submit_response_seconds = Histogram(
            "submit_response_seconds", "From submit_sm to its response.", ROUND_TRIP, "carrier"
        )
        self.accept_to_submit_seconds = Histogram(
            "accept_to_submit_seconds",
            "From when a message was accepted, or due, to its submission.",
            WAIT,
            "category",
        )
        self.delivery_seconds = Histogram(
            "delivery_seconds", "From submission to the final receipt.", DELIVERY, "carrier"
        )
        self.accept_to_phone_seconds = Histogram(
            "accept_to_phone_seconds",
            "From when a message was accepted, or due, to the receipt that it is with the phone.",
            DELIVERY,
            "category",
        )
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)

    def expect(self, tenants: Iterable[str], carriers: Iterable[str]) -> None:
        """Have the counters of these begin at 0 that know nothing but a tenant or a carrier, and
        those that shares are taken of. Prometheus sees no increase where a series appears with its
        first event, and no share where a part of the whole has no series."""
        names: Mapping[Labels, Sequence[str]] = {
            ("tenant",): list(tenants),
            ("carrier",): list(carriers),
        }
        for metric in vars(self).values():
            if isinstance(metric, Counter):
                for name in names.get(metric.labels, ()):
                    metric.add(0, name)
        for tenant in names["tenant",]:
            for category in CATEGORIES:
                self.messages_accepted.add(0, tenant, category)
        for carrier in names["carrier",]:
            self.receipts.add(0, carrier, REACHED)
            self.carrier_outcomes.add(0, carrier, "delivered")

    def snapshot(self) -> Snapshot:
        """What every metric says now."""
        metrics = [m for m in vars(self).values() if isinstance(m, Counter | Gauge | Histogram)]
        return Snapshot([metric.snapshot() for metric in metrics], self._process)

    def readings(self, names: Container[str]) -> Callable[[], dict[str, Table]]:
        """What the metrics of these names say now, and the process; to be put into tables in a
        thread: half of the work."""
        metrics = [m for m in vars(self).values() if isinstance(m, Counter | Gauge | Histogram)]
        readings = [metric.reading() for metric in metrics if metric.table in names]

        def tables() -> dict[str, Table]:
            found = dict(reading() for reading in readings)
            return found | {name: Table((), {(): one}) for name, one in self.process().items()}

        return tables

    def process(self) -> dict[str, float]:
        """What the operating system says of the process, by the names that Prometheus has for it;
        nothing where it does not say so."""
        families = self._process.collect()
        return {one.name: one.value for family in families for one in family.samples}

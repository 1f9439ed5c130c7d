"""Alerts on carriers, the store and consumers: why what people feel comes about."""

from typing import Final

from gateway.ops.watching.declared import Alert

FAULTS: Final = (
    Alert(
        "CarrierDown",
        "warning",
        "max by (carrier) (gateway_bind_up) == 0",
        "3m",
        "no bind of {{ $labels.carrier }} is up",
        ("carriers", "Binds up"),
        "The carrier cannot be used. Where another one of its routes is up, nobody feels it yet.",
        (
            "the log: `connect_failed`, `bind_failed`, with `detail`",
            "`bind_refused` and `session_left` there: what the refusals mean",
            "`rate(gateway_binds_failed_total[5m])`: it is tried",
        ),
        "Call the carrier. After `bind_refused`, compare system_id and password, then reload: the"
        " new binds try at once. After `session_left`, wait, have the carrier end the account's"
        " old sessions, or kill the process that has them and is frozen (`session_of`).",
        "Restarting over and over: carriers lock accounts for it.",
        "`gateway_bind_up` is 1, and the log has `carrier_up`.",
    ),
    Alert(
        "BindsFlap",
        "warning",
        "sum by (carrier) (increase(gateway_binds_lost_total[15m])) > 5",
        "0m",
        "{{ $labels.carrier }} has lost {{ $value | humanize }} binds in a quarter of an hour",
        ("carriers", "Binds lost and attempts that failed"),
        "Each loss leaves a window of messages of which nobody knows whether the carrier has them.",
        ("the log: `bind_lost`, its `detail`", "`gateway_messages_maybe_duplicate_total`"),
        'Ask the carrier; `unanswered = "unknown"` for a carrier whose answers get lost, so that'
        " nothing goes out twice.",
        "A shorter `response_timeout`: it makes more of them.",
        "No bind was lost for a quarter of an hour.",
    ),
    Alert(
        "CarrierSlow",
        "warning",
        "histogram_quantile(0.95, sum by (carrier, le) "
        "(rate(gateway_submit_response_seconds_bucket[5m]))) > 2",
        "10m",
        "{{ $labels.carrier }} takes {{ $value | humanizeDuration }} to answer",
        ("carriers", "Round trip"),
        "Throughput is the window divided by the round trip, so it falls.",
        ("`gateway_window_in_use` beside `gateway_window_size`",),
        "Ask the carrier; a larger `window` if the contract allows it; less weight in the routes.",
        "A `response_timeout` below the round trip: everything would go out twice.",
        "The 95th percentile is below two seconds.",
    ),
    Alert(
        "CarrierThrottles",
        "warning",
        "gateway:submit_throttled:ratio_rate5m > 0.1 and on (carrier) "
        "gateway:submit_throttled:ratio_rate1h > 0.05 and on (carrier) sum by (carrier) (increase("
        'gateway_parts_submitted_total{status=~"ESME_RTHROTTLED|ESME_RMSGQFUL"}[30m])) > 100',
        "10m",
        "{{ $labels.carrier }} refuses {{ $value | humanizePercentage }} of parts as too fast",
        ("carriers", "What the carrier answers"),
        "It takes less than is sent. Its rate is found out, and messages wait; none is lost.",
        ("`gateway_carrier_rate_limit`: what it bears", "the log: `throttled`"),
        "State `rate` as in the contract; ask for more; add a carrier to the route.",
        "More `binds` against throttling: the account is what is counted.",
        "Refusals are rarer than one in ten.",
    ),
    Alert(
        "CarrierRefuses",
        "warning",
        "gateway:submit_refused:ratio_rate5m > 0.2 and on (carrier) "
        "gateway:submit_refused:ratio_rate1h > 0.05",
        "5m",
        "{{ $labels.carrier }} refuses {{ $value | humanizePercentage }} of parts",
        ("carriers", "What the carrier answers"),
        "Messages go elsewhere, are tried again, or fail, by the status.",
        (
            "`gateway_parts_submitted_total` by `status`",
            "`gateway_messages_failed_total` by `tenant`: one alone is a list or a sender",
        ),
        "Ask the carrier with the status; shift weight to another by a reload.",
        "A `statuses` entry that tries for ever what is refused for good.",
        "Fewer than one in twenty are refused.",
    ),
    Alert(
        "ReceiptsStopped",
        "warning",
        "gateway_receipts_silent_seconds > 1800 and on (carrier, job, instance) sum by (carrier, "
        'job, instance) (increase(gateway_parts_submitted_total{status="ESME_ROK"}[30m])) > 50',
        "5m",
        "{{ $labels.carrier }} has given no receipt for {{ $value | humanizeDuration }}",
        ("carriers", "Owes receipts since"),
        "Messages are delivered, or not, and nobody is told. They end as `unknown` after days.",
        (
            "`gateway_bind_up` of binds that receive",
            "the log: `receipts_unmatched`, `carrier_down` with `receive`",
        ),
        "Ask the carrier; receipts that it kept are taken whenever they come.",
        "Sending again what has no outcome: most of it was delivered.",
        "`gateway_receipts_silent_seconds` is 0, and `gateway_receipts_total` rises.",
    ),
    Alert(
        "ReceiptsUnmatched",
        "warning",
        "gateway:receipts_unmatched:ratio_rate5m > 0.1 and on (carrier) "
        "gateway:receipts_unmatched:ratio_rate1h > 0.05",
        "15m",
        "{{ $value | humanizePercentage }} of the receipts of {{ $labels.carrier }} match nothing",
        ("carriers", "Receipts that match nothing"),
        "Ids in receipts are written otherwise than in responses, or another system submits on the"
        " account.",
        (
            "the log line `receipts_unmatched` shows one id of each",
            "Operations, Receipts that match nothing",
        ),
        "State `receipt_id`, or `long_receipts`, and reload.",
        "Ignoring it: the messages end as `unknown`.",
        "Fewer than one in ten match nothing.",
    ),
    Alert(
        "StoreRefuses",
        "critical",
        'sum by (job, instance) (gateway_held_messages{reason="store_congested"}) > 0',
        "1m",
        "the store of {{ $labels.instance }} does not record what happens, so nothing is sent",
        ("now", "Why messages do not move"),
        "The disk is full, failing or too slow. Submissions are refused as `busy`; receipts are not"
        " answered, so carriers keep them.",
        ("`/healthz`", "the log: `store_failed`, its `reason`", "`df` on the store's disk"),
        "Make room: it goes on by itself within a second.",
        "Deleting `gateway.db-wal`, restarting before there is room.",
        "The log has `store_recovered`, `/healthz` answers 200.",
    ),
    Alert(
        "MessagesMisplaced",
        "warning",
        "sum by (how, job, instance) (increase(gateway_messages_misplaced_total[30m])) > 0",
        "0m",
        "{{ $labels.instance }} has misplaced {{ $value | humanize }} messages: {{ $labels.how }}",
        ("store", "Messages misplaced"),
        "A fault of the gateway's. The messages are put right already: what was `lost` has gone"
        " back to the queue, marked as maybe a duplicate, and goes out again; what was `unleased`"
        " is in no lane any more; what was `moved` may go out twice; what was `left` at a stop goes"
        " out again at the start.",
        (
            "the log: `messages_misplaced`, with up to five of the message ids, or the move",
            "`gateway_places_messages`: a place that grows and never shrinks",
            "`gateway status` with these ids: what became of them",
        ),
        "Keep the log and report it, with the version. Nothing is to be done for the messages.",
        "Submitting them again under other keys: they are not lost.",
        "None was found for half an hour.",
    ),
    Alert(
        "StoreSlow",
        "warning",
        "histogram_quantile(0.99, sum by (job, instance, le) "
        "(rate(gateway_store_commit_seconds_bucket[5m]))) > 0.25",
        "10m",
        "commits of {{ $labels.instance }} take {{ $value | humanizeDuration }}",
        ("store", "Commits"),
        "Everything waits for commits: acceptance, outcomes, receipts.",
        ("`iostat -x 5`: which disk, who else uses it", "`gateway_store_log_bytes`"),
        "Move what else writes to that disk; a faster disk at the next restart.",
        "A memory disk, or one that lies about what is written: accepted messages would be lost.",
        "The 99th percentile is below a quarter of a second.",
    ),
    Alert(
        "TransactionStaysOpen",
        "warning",
        "gateway_store_oldest_transaction_seconds > 600",
        "5m",
        "a transaction in the database of {{ $labels.instance }} is open for"
        " {{ $value | humanizeDuration }}",
        ("store", "Oldest transaction in the database"),
        "Rows that are gone since are not cleared away: tables grow, and everything slows down.",
        (
            "`SELECT pid, usename, xact_start, query FROM pg_stat_activity ORDER BY xact_start`",
            "`SELECT * FROM pg_prepared_xacts`",
            "`gateway_store_dead_rows`",
        ),
        "`SELECT pg_terminate_backend(PID)`, or `ROLLBACK PREPARED`; let reports read a standby"
        " without `hot_standby_feedback`.",
        "`VACUUM FULL`: it locks the queue.",
        "The oldest transaction is of seconds, and dead rows get fewer.",
    ),
    Alert(
        "DeadRowsStay",
        "warning",
        "min_over_time(gateway_store_dead_rows[1h]) > 1e6",
        "5m",
        "{{ $value | humanize }} dead rows of {{ $labels.table }} are not cleared away",
        ("store", "Dead rows in the database"),
        "The table grows, and what is looked up in it takes longer.",
        (
            "`SELECT relname, n_dead_tup, last_autovacuum FROM pg_stat_user_tables`",
            "who keeps them: `SELECT pid, backend_type, age(backend_xmin) FROM pg_stat_activity`",
            "`SELECT slot_name, active, age(xmin) FROM pg_replication_slots`",
            "`SHOW autovacuum`, `SELECT * FROM pg_stat_progress_vacuum`",
        ),
        "End what keeps them (`pg_terminate_backend`; a walsender is a standby with"
        " `hot_standby_feedback`), drop a slot that nobody uses any more, turn"
        " autovacuum on, `VACUUM` the table by hand.",
        "`VACUUM FULL`: it locks the queue.",
        "Dead rows go down to thousands within minutes.",
    ),
    Alert(
        "StandbyLost",
        "critical",
        "gateway_store_standbys < max_over_time(gateway_store_standbys[1h])",
        "2m",
        "{{ $value }} standbys follow the database of {{ $labels.instance }}, fewer than before",
        ("store", "Standbys of the database"),
        "If it was the last synchronous one, every commit waits for it: submissions are `busy` and"
        " nothing is sent. If not, a failover would lose more than it should.",
        (
            "`SELECT * FROM pg_stat_replication`",
            "the standby's log",
            "`SHOW synchronous_standby_names`",
        ),
        "Start the standby, or make a new one with `pg_basebackup`.",
        "Emptying `synchronous_standby_names` unless you may lose what is accepted from now on.",
        "As many follow as before.",
    ),
    Alert(
        "ConfigurationsDiffer",
        "warning",
        "count by (job) (count by (job, digest) (gateway_node_info)) > 1",
        "10m",
        "the nodes of {{ $labels.job }} go by {{ $value }} configurations",
        ("store", "Versions and configurations of nodes"),
        "What one node refuses another takes, and of a carrier's binds only the fewest are used"
        " that a node knows of. Nothing is lost.",
        ("`gateway nodes`", "`gateway diff` at each node"),
        "Give all nodes one file but for `queue.node`, and `gateway reload` each.",
        "Stopping nodes: the others have what they had, under the configuration that they have.",
        "`gateway nodes` shows one digest.",
    ),
    Alert(
        "ClockDiffers",
        "warning",
        "max by (job, node) (abs(gateway_node_clock_ahead_seconds)) > 2",
        "5m",
        "the clock of {{ $labels.node }} is {{ $value | humanizeDuration }} off the database's",
        ("store", "Clocks of nodes"),
        "What that node sends falls due, expires and keeps to quiet hours by a wrong clock. Leases"
        " are not concerned, and nothing is lost or goes out twice.",
        (
            "`gateway nodes`: whose, by how much; where all differ alike, it is the database's",
            "`chronyc tracking` on that machine and on the database's",
        ),
        "Mend what keeps the clock; meanwhile `gateway move` that node away, where hours matter.",
        "Setting a clock far back by hand while its node sends: what waits, waits that longer.",
        "`gateway nodes` shows no difference.",
    ),
    Alert(
        "BindsUnused",
        "warning",
        "max by (job, carrier) (gateway_slots_unused) > 0",
        "10m",
        "{{ $value }} binds of {{ $labels.carrier }} are no node's",
        ("store", "Binds that no node has"),
        "The carrier is sent to on fewer binds than it allows, at as much less of its rate.",
        ("`gateway nodes`: who has which", "the log: `slots`, `lease_over`, `nodes_not_heard`"),
        "Restart, one after the other and in order, the nodes whose log has `nodes_not_heard`.",
        "Deleting rows of the table `slot`: a carrier would see more sessions than it allows.",
        "Each bind is some node's.",
    ),
    Alert(
        "DiskNearlyFull",
        "critical",
        "gateway_store_free_bytes < 1073741824",
        "1m",
        "{{ $value | humanize1024 }}B are left on the disk of {{ $labels.instance }}",
        ("store", "Room on the disk"),
        "When it is full, submissions are refused and nothing is sent. What is stored stays.",
        ("`du -xh` on that disk", "`gateway_store_size_bytes`, `gateway_store_log_bytes`"),
        "Remove what is not the gateway's; enlarge the disk. A shorter `retention_days` frees room"
        " for new rows, but the file does not shrink.",
        "Deleting anything that begins with `gateway.db`.",
        "More than a gigabyte is free.",
    ),
    Alert(
        "DiskFillsUp",
        "warning",
        "predict_linear(gateway_store_free_bytes[3h], 86400) < 0",
        "30m",
        "the disk of {{ $labels.instance }} is full within a day at this pace",
        ("store", "Hours until the disk is full"),
        "It goes on as in the last three hours. A campaign that ends, or pruning, may mend it.",
        ("`gateway_store_size_bytes`: the gateway's share", "`gateway_queued_messages`"),
        "Room or a shorter `retention_days`, before the night.",
        "Waiting for DiskNearlyFull.",
        "The forecast is above zero.",
    ),
    Alert(
        "ConsumerBehind",
        "warning",
        "gateway_events_unacknowledged > 1000 and delta(gateway_events_unacknowledged[15m]) >= 0",
        "15m",
        "a consumer of {{ $labels.tenant }} is {{ $value | humanize }} events behind, and"
        " not gaining",
        ("tenants", "Events not handled"),
        "The tenant does not see outcomes and texts from phones, opt-outs among them. They wait on"
        " disk until the retention.",
        (
            (
                "`gateway consumers list` with the tenant's token: which one, and when it was"
                " last there"
            ),
        ),
        "Call the tenant. A consumer that nobody needs: `gateway consumers delete`.",
        "Deleting one that is only away: it loses its place.",
        "The number falls.",
    ),
)

"""The boards of what is our own: tenants and their policies, the store and the process."""

from typing import Final

from gateway.ops.watching.declared import Board, Query, Variable
from gateway.ops.watching.drawing import RATE, level, lines, numbers, per, spread

OF = ',tenant=~"$tenant"'
"""Of the tenants that were chosen."""

TENANTS: Final = Board(
    "tenants",
    "Gateway: tenants and policy",
    "Whose messages wait and why, what policy holds and refuses, who is behind.",
    (
        lines(
            "Oldest message by tenant",
            "For how long the oldest has been where it is.",
            "s",
            level("oldest_message_seconds", "tenant", "category", "place", how="max", where=OF),
        ),
        lines(
            "Messages held",
            "In memory, by what they wait for.",
            "short",
            level("held_messages", "tenant", "category", "reason", where=OF),
        ),
        lines(
            "Messages held by the tenant's own rate",
            "In memory, waiting for the rate that is stated for the tenant.",
            "short",
            level("held_messages", "tenant", where=f'{OF},reason="tenant_rate"'),
        ),
        lines(
            "Paused",
            "Messages that a pause of their campaign holds.",
            "short",
            level("paused_messages", "tenant", where=OF),
        ),
        lines(
            "Rate limit of the tenant",
            "Parts a second; 0 for unlimited.",
            "ops",
            level("tenant_rate_limit", "tenant", how="max", where=OF),
        ),
        lines(
            "Queued by tenant",
            "Messages without an outcome.",
            "short",
            level("queued_messages", "tenant", "state", where=OF),
        ),
        lines(
            "Share of the queue limit",
            "Beyond it submissions are refused as queue_full.",
            "percentunit",
            Query(
                f"sum by (tenant) (gateway_queued_messages{{@{OF}}}) / sum by (tenant)"
                f" (gateway_queued_messages_limit{{@{OF}}})",
                "{{tenant}}",
            ),
            warn=0.9,
        ),
        lines(
            "Accepted",
            "Messages made durable, a second.",
            "ops",
            per("messages_accepted_total", "tenant", "category", where=OF),
        ),
        lines(
            "Refused when submitted",
            "Messages refused, a second, by code.",
            "ops",
            per("messages_refused_total", "tenant", "code", where=OF),
        ),
        lines(
            "Deferred by rule",
            "How often messages were put off, a second: by a rule, `send_at` or a retry.",
            "ops",
            per("messages_deferred_total", "tenant", "rule", where=OF),
        ),
        lines(
            "Ruled out by rule",
            "Messages that a rule refused, a second: when they were submitted, or when it was their"
            " turn.",
            "ops",
            per("messages_ruled_out_total", "tenant", "rule", where=OF),
        ),
        lines(
            "Deferred until",
            "Seconds until the first of the deferred messages is due.",
            "s",
            level("deferred_due_seconds", "tenant", "category", how="min", where=OF),
        ),
        lines(
            "Outcomes",
            "How messages end, a second.",
            "ops",
            per("messages_final_total", "tenant", "outcome", where=OF),
        ),
        lines(
            "Why messages were not delivered",
            "By code, a second.",
            "ops",
            per("messages_failed_total", "tenant", "code", where=OF),
        ),
        lines(
            "Repeated and maybe twice",
            "Submitted again under a known key, and such as may have reached their recipient"
            " twice, a second.",
            "ops",
            Query(per("messages_repeated_total", "tenant", where=OF).expr, "{{tenant}} repeated"),
            Query(
                per("messages_maybe_duplicate_total", "tenant", where=OF).expr,
                "{{tenant}} maybe twice",
            ),
        ),
        lines(
            "Events not handled",
            "How far the slowest consumer in use is behind.",
            "short",
            level("events_unacknowledged", "tenant", how="max", where=OF),
            warn=1000,
        ),
        lines(
            "Texts without an owner",
            "Texts to a number that no tenant has, an hour: one may be a STOP.",
            "short",
            Query(
                "sum by (carrier) (increase(gateway_inbound_unowned_total{@}[1h]))", "{{carrier}}"
            ),
        ),
        lines(
            "Opt-outs",
            "Opt-outs that were new or lifted, a second, by who said so.",
            "ops",
            per("optouts_total", "tenant", "source", "action", where=OF),
        ),
        lines(
            "Consents",
            "Consents that were recorded, withdrawn and asked for, a second.",
            "ops",
            per("consents_total", "tenant", "action", where=OF),
        ),
        lines(
            "Opt-outs to judge, and replies",
            "Texts that may be opt-outs, for people to judge, and the gateway's own answers,"
            " a second.",
            "ops",
            Query(per("optouts_suspected_total", "tenant", where=OF).expr, "{{tenant}} suspected"),
            per("replies_total", "tenant", "kind", "result", where=OF),
        ),
        lines(
            "Connections",
            "Open ones beside how many there may be.",
            "short",
            level("api_connections"),
            level("api_connections_limit"),
        ),
        lines(
            "Connections ended",
            "Those that the server ended, a second, by why.",
            "ops",
            per("api_connections_ended_total", "reason"),
        ),
        lines(
            "Operators turned away",
            "Requests to the admin server that were refused, a second, by why.",
            "ops",
            per("admin_refused_total", "reason"),
        ),
    ),
    (Variable("tenant", "gateway_queued_messages_limit"),),
)

STORE: Final = Board(
    "store",
    "Gateway: store and process",
    "Disk, memory, processor, and which configuration is in force.",
    (
        lines(
            "Commits",
            "Seconds that commits to disk take.",
            "s",
            *spread("store_commit_seconds", "instance", quantiles=(0.5, 0.99)),
            warn=0.25,
        ),
        lines(
            "Size of the store",
            "Its file, and its log: what was written and is not in the file yet.",
            "bytes",
            Query(level("store_size_bytes", "instance").expr, "{{instance}} file"),
            Query(level("store_log_bytes", "instance").expr, "{{instance}} log"),
        ),
        lines(
            "Room on the disk",
            "Free bytes on the disk of the store.",
            "bytes",
            level("store_free_bytes", "instance", how="min"),
        ),
        lines(
            "Hours until the disk is full",
            "At the pace of the last three hours; nothing where room grows.",
            "short",
            Query(
                "(gateway_store_free_bytes{@} / -deriv(gateway_store_free_bytes{@}[3h]) /"
                " 3600) > 0",
                "{{instance}}",
            ),
        ),
        lines(
            "Tables in the database",
            "The largest tables of a store in PostgreSQL, with their indexes.",
            "bytes",
            Query("topk(8, max by (table) (gateway_store_table_bytes{@}))", "{{table}}"),
        ),
        lines(
            "Dead rows in the database",
            "Rows that are gone and are not cleared away yet, by table.",
            "short",
            Query("topk(8, max by (table) (gateway_store_dead_rows{@}))", "{{table}}"),
        ),
        lines(
            "Oldest transaction in the database",
            "For how long it is open. Nothing that is gone since is cleared away.",
            "s",
            level("store_oldest_transaction_seconds", "instance", how="max"),
            warn=600,
        ),
        lines(
            "Standbys of the database",
            "Servers that follow it.",
            "short",
            level("store_standbys", "instance", how="max"),
        ),
        lines(
            "What standbys have to write",
            "How far each is behind.",
            "bytes",
            level("store_standby_lag_bytes", "standby", how="max"),
        ),
        lines(
            "Nodes",
            "Those that share the database: 1 while each works, and while it is moved away. All see"
            " the same, some seconds late.",
            "short",
            Query("max by (node) (gateway_node_up{@})", "{{node}} works"),
            Query("max by (node) (gateway_node_moved{@})", "{{node}} is moved away"),
        ),
        lines(
            "Phones of nodes",
            "What part of all phones each node sends to.",
            "percentunit",
            level("node_phones", "node", how="max"),
        ),
        lines(
            "Binds of nodes",
            "How many of each carrier, or pairs, each node has.",
            "short",
            level("node_slots", "node", "carrier", how="max"),
        ),
        lines(
            "Binds that no node has",
            "By carrier; for a moment while nodes come and go.",
            "short",
            level("slots_unused", "carrier", how="max"),
            warn=1,
        ),
        lines(
            "Versions and configurations of nodes",
            "How many nodes have each: more than one line while they differ.",
            "short",
            Query(
                "count by (version, digest) (max by (node, version, digest)"
                " (gateway_node_info{@}))",
                "{{version}} {{digest}}",
            ),
        ),
        lines(
            "What nodes have not heard",
            "Notices of pauses, opt-outs and templates that a node does not go by yet.",
            "short",
            level("node_behind", "node", how="max"),
        ),
        lines(
            "Clocks of nodes",
            "Seconds by which each is ahead of the database's, below 0 where it is behind.",
            "s",
            level("node_clock_ahead_seconds", "node", how="max"),
        ),
        lines(
            "Memory",
            "What the process uses, beside what it may.",
            "bytes",
            Query("process_resident_memory_bytes{@}", "{{instance}} in use"),
            Query("gateway_memory_limit_bytes{@}", "{{instance}} limit"),
        ),
        lines(
            "Messages in memory",
            "Ready to be sent, beside how many there is memory for.",
            "short",
            level("lane_messages"),
            level("lane_messages_limit"),
        ),
        lines(
            "Messages held, by place",
            "Those that the store has leased to the process, by where they are.",
            "short",
            level("places_messages", "place"),
        ),
        lines(
            "Messages misplaced",
            "Messages that were not where they should be, an hour: a fault of the gateway.",
            "short",
            Query("sum by (how) (increase(gateway_messages_misplaced_total{@}[1h]))", "{{how}}"),
            alarm=1,
        ),
        lines(
            "Processor",
            "Cores in use; the event loop can use one.",
            "short",
            Query(f"rate(process_cpu_seconds_total{{@}}{RATE})", "{{instance}}"),
            warn=0.9,
        ),
        lines(
            "Longest turn",
            "For how long all else waited for one thing, at most.",
            "s",
            level("event_loop_longest_turn_seconds", "instance", how="max"),
            warn=0.5,
        ),
        lines(
            "Open files",
            "File descriptors in use, beside how many there may be.",
            "short",
            Query("process_open_fds{@}", "{{instance}} open"),
            Query("process_max_fds{@}", "{{instance}} limit"),
        ),
        numbers(
            "Version", "What runs.", "short", level("build_info", "instance", "version", how="max")
        ),
        numbers(
            "Configuration",
            "1 where the last reload was refused, and where a restart is needed.",
            "bool",
            Query("gateway_reload_refused{@}", "{{instance}} refused"),
            Query("gateway_restart_needed{@}", "{{instance}} restart needed"),
            warn=1,
        ),
        numbers(
            "Configuration in force",
            "How the SHA-256 of the file begins.",
            "short",
            level("config_info", "instance", "digest", how="max"),
        ),
        numbers(
            "Loaded at",
            "When the configuration in force was loaded.",
            "dateTimeAsIso",
            Query("gateway_config_loaded_timestamp_seconds{@} * 1000", "{{instance}}"),
        ),
        lines(
            "Reloads",
            "Done and refused, an hour.",
            "short",
            Query(
                "sum by (instance, result) (increase(gateway_reloads_total{@}[1h]))",
                "{{instance}} {{result}}",
            ),
        ),
        numbers(
            "Days until certificates and holidays end",
            "Certificates are to be renewed; the `holidays` package to be updated.",
            "short",
            Query("(gateway_certificate_expiry_timestamp_seconds{@} - time()) / 86400", "{{key}}"),
            Query(
                "(gateway_holidays_known_until_timestamp_seconds{@} - time()) / 86400",
                "holidays {{region}}",
            ),
        ),
    ),
)

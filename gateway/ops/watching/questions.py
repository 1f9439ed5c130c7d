"""What an operator asks at three in the morning, and the query that answers each question from
metrics alone. Each is tried against a gateway in which something is wrong."""

from typing import Final

from gateway.ops.watching.declared import Question

DUE: Final = 'place=~"store|lane"'
HOUR: Final = "[1h]"

QUESTIONS: Final = (
    Question(
        "How many messages are stuck, and where?",
        "gateway_queued_messages > 0",
        ("/", "Waiting, due"),
        "overview",
    ),
    Question(
        "How old is the oldest that is due, by tenant, category and place?",
        f"gateway_oldest_message_seconds{{{DUE}}}",
        ("/queues", "Oldest"),
        "queues",
    ),
    Question(
        "How old is the oldest that a carrier has and owes an answer or a receipt for?",
        'gateway_oldest_message_seconds{place=~"carrier|receipt"}',
        ("/queues", "Oldest without its receipt"),
        "sent",
    ),
    Question(
        "Which route do they wait for, and why do they not move?",
        'sum by (tenant, category, route, reason) (gateway_held_messages{reason!="none"})',
        ("/queues", "Why they wait"),
        "queues",
    ),
    Question(
        "Which tenant waits for its own rate, and what is it?",
        'sum by (tenant) (gateway_held_messages{reason="tenant_rate"}) > 0 and on (tenant)'
        " gateway_tenant_rate_limit",
        ("/tenants", "it waits for it"),
        "tenants",
    ),
    Question(
        "How many wait for their hour, and by which rule were they put off?",
        'gateway_queued_messages{state="deferred"} > 0 and on (tenant)'
        f" sum by (tenant) (increase(gateway_messages_deferred_total{HOUR})) > 0",
        ("/policy", "Wait for their hour"),
        "policy",
    ),
    Question(
        "When is the first of them due?",
        "gateway_deferred_due_seconds",
        ("/policy", "The first is due in"),
        "policy",
    ),
    Question(
        "What does policy refuse, by rule?",
        f"sum by (tenant, rule) (increase(gateway_messages_ruled_out_total{HOUR}))",
        ("/policy", "Refused in 24 h"),
        "policy",
    ),
    Question(
        "What is put off: by a rule, a `send_at`, or a retry?",
        f"sum by (tenant, rule) (increase(gateway_messages_deferred_total{HOUR}))",
        ("/policy", "Put off in 24 h"),
        "policy",
    ),
    Question(
        "What is refused, by code?",
        f"sum by (tenant, code) (increase(gateway_messages_refused_total{HOUR}))",
        ("/policy", "Refused when submitted"),
        "policy",
    ),
    Question(
        "Who has paused what, and how much?",
        "gateway_paused_messages",
        ("/queues", "Paused"),
        "pauses",
    ),
    Question(
        "Which carrier is down?",
        "max by (carrier) (gateway_bind_up) == 0",
        ("/carriers", "State"),
        "carriers",
    ),
    Question(
        "Which carrier loses its binds?",
        f"sum by (carrier) (increase(gateway_binds_lost_total{HOUR})) > 0",
        ("/carriers", "binds lost since the start"),
        "carriers",
    ),
    Question(
        "Which carrier is slow?",
        "histogram_quantile(0.95, sum by (carrier, le)"
        " (rate(gateway_submit_response_seconds_bucket[5m]))) > 1",
        ("/carriers", "half within"),
        "carriers",
    ),
    Question(
        "Are its windows full?",
        "sum by (carrier) (gateway_window_in_use) / sum by (carrier) (gateway_window_size)",
        ("/carriers", "Window"),
        "carriers",
    ),
    Question(
        "Which carrier refuses, and with which status?",
        "sum by (carrier, status) (rate(gateway_parts_submitted_total"
        '{status!~"ESME_ROK|ESME_RTHROTTLED|ESME_RMSGQFUL"}[5m])) > 0',
        ("/carriers", "Answers"),
        "carriers",
    ),
    Question(
        "Which carrier throttles, and to what rate is it held?",
        "gateway_carrier_rate_limit > 0 and on (carrier) sum by (carrier) (increase("
        f'gateway_parts_submitted_total{{status=~"ESME_RTHROTTLED|ESME_RMSGQFUL"}}{HOUR})) > 0',
        ("/carriers", "Rate"),
        "carriers",
    ),
    Question(
        "Which carrier owes receipts, and since when?",
        "gateway_receipts_silent_seconds > 0",
        ("/carriers", "Owed"),
        "carriers",
    ),
    Question(
        "Whose receipts match nothing?",
        f"sum by (carrier) (increase(gateway_receipts_unmatched_total{HOUR}))",
        ("/carriers/{carrier}", "Receipts that match no message"),
        "carriers",
    ),
    Question(
        "Which carrier reaches how many phones?",
        "gateway:reach:ratio_rate1h",
        ("/carriers", "Reach"),
        "reach",
    ),
    Question(
        "Is that less than in the median hour of seven days?",
        "gateway:reach:ratio_rate1h / gateway:reach:median7d",
        ("/carriers/{carrier}", "Against the median"),
        "reach",
    ),
    Question(
        "Why are messages not delivered?",
        f"sum by (tenant, code) (increase(gateway_messages_failed_total{HOUR})) > 0",
        ("/campaigns", "Why not"),
        "campaigns",
    ),
    Question(
        "How long does a message take to a carrier, by category?",
        "histogram_quantile(0.9, sum by (category, le)"
        " (rate(gateway_accept_to_submit_seconds_bucket[5m])))",
        ("/", "To a carrier: half within"),
        "system",
    ),
    Question(
        "And to the phone?",
        "histogram_quantile(0.9, sum by (category, le)"
        " (rate(gateway_accept_to_phone_seconds_bucket[5m])))",
        ("/", "To the phone: half within"),
        "system",
    ),
    Question(
        "How long do programs wait for the answer to a submission?",
        "histogram_quantile(0.99, sum by (le) (rate(gateway_accept_seconds_bucket[5m])))",
        ("/system", "From a submission to its answer"),
        "system",
    ),
    Question(
        "Whose consumer is behind, and how far?",
        "gateway_events_unacknowledged > 0",
        ("/consumers", "Events behind"),
        "consumers",
    ),
    Question(
        "How long do commits take?",
        "histogram_quantile(0.99, sum by (instance, le)"
        " (rate(gateway_store_commit_seconds_bucket[5m])))",
        ("/system", "Commits"),
        "system",
    ),
    Question(
        "How large are the store and its log?",
        "gateway_store_size_bytes",
        ("/system", "Its file"),
        "system",
    ),
    Question("The log alone?", "gateway_store_log_bytes", ("/system", "Its log"), "system"),
    Question(
        "How much room is left?",
        "gateway_store_free_bytes",
        ("/system", "Free on its disk"),
        "system",
    ),
    Question(
        "Which tables of the database are the largest?",
        "topk(3, gateway_store_table_bytes)",
        ("/system", "Tables in the database"),
    ),
    Question(
        "What is not cleared away in it?",
        "sum by (instance) (gateway_store_dead_rows)",
        ("/system", "Dead rows in the database"),
    ),
    Question(
        "For how long is its oldest transaction open?",
        "gateway_store_oldest_transaction_seconds",
        ("/system", "Oldest transaction in the database"),
    ),
    Question(
        "How many standbys follow it?",
        "gateway_store_standbys",
        ("/system", "Standbys of the database"),
    ),
    Question(
        "How far is each behind?",
        "gateway_store_standby_lag_bytes",
        ("/system", "What standbys have to write"),
    ),
    Question(
        "In how many seconds is the disk full?",
        "gateway_store_free_bytes / -deriv(gateway_store_free_bytes[3h]) > 0",
        ("/system", "Time until that is full"),
        "system",
    ),
    Question(
        "For how long did one thing hold up all else?",
        "gateway_event_loop_longest_turn_seconds",
        ("/system", "Longest turn of the event loop"),
        "system",
    ),
    Question(
        "How much memory is in use, of what there is?",
        "process_resident_memory_bytes / on (job, instance) gateway_memory_limit_bytes",
        ("/system", "Memory"),
        "system",
    ),
    Question(
        "How much of the memory for messages is in use?",
        "gateway_lane_messages / on (job, instance) gateway_lane_messages_limit",
        ("/system", "Messages in memory, ready to go"),
        "system",
    ),
    Question(
        "Did texts, a STOP perhaps, find nobody whose they are?",
        f"sum by (carrier) (increase(gateway_inbound_unowned_total{HOUR}))",
        ("/policy", "Texts that found no owner"),
        "policy",
    ),
    Question(
        "Who opted out, and how?",
        f"sum by (tenant, source, action) (increase(gateway_optouts_total{HOUR}))",
        ("/policy", "Opt-outs that were new, by who said so"),
        "policy",
    ),
    Question(
        "Which certificate expires, in how many days?",
        "(gateway_certificate_expiry_timestamp_seconds - time()) / 86400",
        ("/system", "Certificate"),
        "system",
    ),
    Question(
        "For how many days are public holidays known?",
        "(gateway_holidays_known_until_timestamp_seconds - time()) / 86400",
        ("/system", "Public holidays of"),
        "system",
    ),
    Question(
        "Which configuration is in force?", "gateway_config_info", ("/system", "In force"), "system"
    ),
    Question(
        "Since when, in Unix seconds?",
        "gateway_config_loaded_timestamp_seconds",
        ("/system", "Loaded"),
        "system",
    ),
    Question(
        "Was the last reload refused?",
        "gateway_reload_refused",
        ("/system", "Last reload"),
        "system",
    ),
    Question(
        "Does something wait for a restart?",
        "gateway_restart_needed",
        ("/system", "Waits for a restart"),
        "system",
    ),
    Question(
        "How many may have gone out twice, and how many came again?",
        f"increase(gateway_messages_maybe_duplicate_total{HOUR})"
        f" or increase(gateway_messages_repeated_total{HOUR})",
        ("/policy", "May have gone out twice"),
        "policy",
    ),
)
"""In the order in which they are asked."""

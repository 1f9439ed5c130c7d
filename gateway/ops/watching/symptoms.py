"""Alerts on what people feel: messages that are late or stuck, outcomes that are missing."""

from typing import Final

from gateway.ops.watching.declared import Alert, Recording


def shares(name: str, of: str, some: str, others: str = "") -> tuple[Recording, ...]:
    """Which share some events are of all, over five minutes, by which an alert ends soon, and over
    an hour, by which it does not begin for a moment's sake. ``others`` are to be added to them."""

    def rate(metric: str, span: str) -> str:
        return f"sum by ({of}) (rate(gateway_{metric}[{span}]))"

    found = []
    for span in ("5m", "1h"):
        whole = f"({rate(some, span)} + {rate(others, span)})" if others else rate(ANSWERED, span)
        found.append(Recording(f"gateway:{name}:ratio_rate{span}", f"{rate(some, span)} / {whole}"))
    return tuple(found)


ANSWERED: Final = "parts_submitted_total"
THROTTLES: Final = "ESME_RTHROTTLED|ESME_RMSGQFUL"

RECORDINGS: Final[tuple[Recording, ...]] = (
    *shares("submit_refused", "carrier", f'{ANSWERED}{{status!~"ESME_ROK|{THROTTLES}"}}'),
    *shares("submit_throttled", "carrier", f'{ANSWERED}{{status=~"{THROTTLES}"}}'),
    *shares("receipts_unmatched", "carrier", "receipts_unmatched_total", "receipts_total"),
    *shares("messages_refused", "tenant", "messages_refused_total", "messages_accepted_total"),
    Recording(
        "gateway:reach:ratio_rate1h",
        'sum by (carrier) (rate(gateway_carrier_outcomes_total{outcome="delivered"}[1h])) / '
        'sum by (carrier) (rate(gateway_carrier_outcomes_total{outcome=~"delivered|failed|expired'
        '|unknown"}[1h]))',
    ),
    Recording(
        "gateway:unheard:ratio_rate1h",
        'sum by (carrier) (rate(gateway_carrier_outcomes_total{outcome="unknown"}[1h])) / '
        'sum by (carrier) (rate(gateway_carrier_outcomes_total{outcome=~"delivered|failed|expired'
        '|unknown"}[1h]))',
    ),
    Recording("gateway:reach:median7d", "quantile_over_time(0.5, gateway:reach:ratio_rate1h[7d])"),
    Recording(
        "gateway:accept_seconds:p99_5m",
        "histogram_quantile(0.99, sum by (job, le) (rate(gateway_accept_seconds_bucket[5m])))",
    ),
    Recording(
        "gateway:accept_seconds:p99_30m",
        "histogram_quantile(0.99, sum by (job, le) (rate(gateway_accept_seconds_bucket[30m])))",
    ),
    Recording(
        "gateway:outcome_unknown:ratio_rate1h",
        'sum by (tenant) (rate(gateway_messages_final_total{outcome="unknown"}[1h])) / '
        "sum by (tenant) (rate(gateway_messages_final_total[1h]))",
    ),
)

OLDEST: Final = ("now", "Oldest message")
WHY: Final = ("now", "Why messages do not move")

SYMPTOMS: Final = (
    Alert(
        "GatewayDown",
        "critical",
        'up{job="gateway"} == 0',
        "1m",
        "{{ $labels.instance }} does not answer to Prometheus",
        ("now", "Up"),
        "The process is gone, hangs, or cannot be reached from Prometheus. What was accepted is on"
        " disk; submissions fail or wait at the tenants.",
        (
            "`/healthz` and `/readyz` from the machine itself: where they answer, it is the way",
            "the last lines of the log, `journalctl -u gateway -n 50`",
        ),
        "Start it again: nothing is lost, and what may go out twice is marked. Where it does not"
        " start, `gateway check` says why.",
        "Deleting `gateway.db-wal`; a second gateway on a copy of the database.",
        "`/readyz` answers 200, and the oldest message grows younger.",
    ),
    Alert(
        "OneTimePasswordsLate",
        "critical",
        'max by (tenant, category) (gateway_oldest_message_seconds{category="otp",'
        'place=~"store|lane"}) > 20',
        "1m",
        "one-time passwords of {{ $labels.tenant }} wait for {{ $value | humanizeDuration }}",
        OLDEST,
        "People stand before a login and get no code. The message is here, and no carrier has it.",
        (
            '`gateway_held_messages{category="otp"}`: the reason is in its label',
            "the log: `carrier_down`, `bind_refused`, `throttled`, `store_failed`",
        ),
        "By the reason: a backup in the route and a reload where no bind is up; a higher `rate` of"
        " the tenant where that holds them; see the alert of the carrier or the store otherwise.",
        "Submitting them again: that doubles what waits, and tenants do so already.",
        "`gateway_oldest_message_seconds` of `otp` is below a second again.",
    ),
    Alert(
        "TransactionalLate",
        "warning",
        'max by (tenant, category) (gateway_oldest_message_seconds{category="transactional",'
        'place=~"store|lane"}) > 600',
        "5m",
        "messages of {{ $labels.tenant }} wait for {{ $value | humanizeDuration }}",
        OLDEST,
        "Confirmations, notices and the like are late. Campaigns may take hours and are not"
        " watched by this.",
        ("`gateway_held_messages` by `reason`", "`gateway_queued_messages` by `state`"),
        "By the reason, as for one-time passwords. A tenant that sends a campaign as"
        " `transactional` is to name it `marketing`.",
        "Cancelling by guess: `gateway cancel --campaign` is for the campaign that is known.",
        "The oldest of `transactional` is younger than ten minutes and falls.",
    ),
    Alert(
        "NothingMoves",
        "critical",
        'max by (job, instance) (gateway_oldest_message_seconds{place=~"store|lane"}) > 120 unless'
        " on (job, instance) sum by (job, instance) (rate(gateway_parts_submitted_total[5m])) > 0"
        " unless on (job, instance) count by (job, instance)"
        ' (gateway_held_messages{reason="paused"})',
        "2m",
        "messages are due in {{ $labels.instance }}, and no carrier has answered to any for five"
        " minutes",
        WHY,
        "Everything is stuck, whatever the reason. Nothing is lost; messages expire at their"
        " validity.",
        ("`gateway_held_messages` by `reason`", "`/readyz`", "the warnings of the log"),
        "By the reason: NoBindForMessages, StoreRefuses, CarrierThrottles below. A restart is safe,"
        " and helps only where no reason is told.",
        "Deleting the database or its log: what waits is in there.",
        "`rate(gateway_parts_submitted_total[5m])` is above 0.",
    ),
    Alert(
        "NoBindForMessages",
        "critical",
        'sum by (route) (gateway_held_messages{reason="no_bind"}) > 0',
        "2m",
        "{{ $value }} messages or more of route {{ $labels.route }} wait: none of its"
        " carriers is up",
        WHY,
        "No carrier of the route is up, and no backup. What is in memory is counted; more may be in"
        " the store.",
        (
            "`gateway_bind_up` of the route's carriers, `gateway_binds_failed_total`",
            "the log: `connect_failed`, `bind_refused`, with the reason in `detail`",
        ),
        "Call the carrier; give the route a `backup` and reload (SIGHUP), which moves what waits.",
        "Removing the carrier from the configuration: what it still owes receipts for ends as"
        " `unknown`.",
        "The reason `no_bind` is gone, and the oldest message grows younger.",
    ),
    Alert(
        "AcceptanceSlow",
        "warning",
        "gateway:accept_seconds:p99_5m > 1 and on (job) gateway:accept_seconds:p99_30m > 1",
        "5m",
        "one in a hundred submissions waits {{ $value | humanizeDuration }} for its answer",
        ("now", "From a submission to its answer"),
        "Programs of tenants wait for us: mostly for the disk, or for a huge batch.",
        (
            "`gateway_store_commit_seconds`: as slow, then it is the disk",
            "`gateway_event_loop_longest_turn_seconds`: above 0.1, then it is the processor",
        ),
        "Find what else uses the disk or the processor, a backup for one. Smaller batches help.",
        "Moving the store to a memory disk: a power loss would lose accepted messages.",
        "The 99th percentile over five minutes is below a second.",
    ),
    Alert(
        "OneTimePasswordsSlow",
        "warning",
        "histogram_quantile(0.99, sum by (job, instance, le) "
        "(rate(gateway_accept_to_submit_seconds_bucket{"
        'category="otp"}[5m]))) > 5',
        "5m",
        "one in a hundred one-time passwords takes {{ $value | humanizeDuration }} to a carrier of"
        " {{ $labels.instance }}",
        ("now", "From acceptance to a carrier"),
        "Codes go out, but late: people ask for a second one meanwhile.",
        ("`gateway_window_in_use` beside `gateway_window_size`", "`gateway_held_messages`"),
        "A larger `window` or more `binds` where the contract allows it; a route of its own for"
        " `otp`.",
        "Lowering the rate of all other tenants by hand: the scheduler puts `otp` first already.",
        "The 99th percentile is below a second.",
    ),
    Alert(
        "ReachLow",
        "warning",
        "gateway:reach:ratio_rate1h < gateway:reach:median7d - 0.1 and on (carrier) "
        "sum by (carrier) (increase(gateway_carrier_outcomes_total[1h])) > 100",
        "15m",
        "{{ $labels.carrier }} reaches {{ $value | humanizePercentage }} of phones, less"
        " than usual",
        ("carriers", "Reach"),
        "Of what the carrier has taken in an hour, ten points less is delivered than in the median"
        " hour of the last seven days: its network, a filter, or a list of bad numbers.",
        (
            "`gateway_carrier_outcomes_total` by `outcome`: `unknown`: receipts are missing",
            "`gateway_receipts_total` by `state`: which one has grown",
            "`gateway_messages_failed_total` by `tenant`: one alone is a list",
        ),
        "Ask the carrier with the states and errors; shift weight to another carrier by a reload.",
        "Sending again what has failed: a filter counts that against you.",
        "The ratio is back at its median.",
    ),
    Alert(
        "OneTimePasswordsHeld",
        "warning",
        'sum by (tenant) (increase(gateway_messages_deferred_total{rule="pumping"}[15m])) > 0',
        "1m",
        "{{ $value | humanize }} one-time passwords of {{ $labels.tenant }} are held: far more than"
        " usual go to one range",
        ("tenants", "Deferred by rule"),
        "Somebody has codes sent to numbers of their own to earn a share of what each costs, or a"
        " range that is watched has become busy. What is too many waits, and mostly expires.",
        (
            "the log, `otp_rise_held`: the `range`, and how many",
            "`gateway_messages_accepted_total` of `otp`: whether the tenant sends far more",
        ),
        "Tell the tenant the range: it should ask for a proof of a person before it sends a code."
        " Block what nobody needs with `destinations.blocked`; where people are held up, raise"
        " `policy.pumping.least`.",
        "Switching the guard off: each text of an attack is paid for.",
        "Nothing more is deferred by `pumping`.",
    ),
    Alert(
        "OutcomesUnknown",
        "warning",
        "gateway:outcome_unknown:ratio_rate1h > 0.05 and on (tenant) "
        "sum by (tenant) (increase(gateway_messages_final_total[1h])) > 100",
        "15m",
        "{{ $value | humanizePercentage }} of the outcomes of {{ $labels.tenant }} are unknown",
        ("tenants", "Outcomes"),
        "Receipts did not come by the deadline. It began days ago: look at what was so then.",
        ("`gateway_receipts_unmatched_total`", "`gateway_receipts_silent_seconds`"),
        "See ReceiptsStopped and ReceiptsUnmatched.",
        "Telling tenants that the messages were not delivered: nobody knows.",
        "The share is below 5 %.",
    ),
)

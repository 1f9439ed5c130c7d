"""The boards: Now tells on one screen whether all is well and if not where; Carriers tells of each
whether it is slow, refuses or owes receipts."""

from typing import Final

from gateway.ops.watching.declared import Board, Query, Variable
from gateway.ops.watching.drawing import level, lines, numbers, per, spread
from gateway.ops.watching.insides import STORE, TENANTS

OF = ',carrier=~"$carrier"'
"""Of the carriers that were chosen."""


NOW: Final = Board(
    "now",
    "Gateway: now",
    "Is all well, and if not, where.",
    (
        numbers(
            "Up",
            "Gateways that answer to Prometheus, by instance.",
            "bool",
            Query("up{@}", "{{instance}}"),
        ),
        numbers("Binds up", "Binds that are up, by carrier.", "short", level("bind_up", "carrier")),
        lines(
            "Oldest message",
            "For how long the oldest message has been in each place, from when it was due."
            " It grows while nothing moves.",
            "s",
            level(
                "oldest_message_seconds",
                "category",
                "place",
                how="max",
                where=',place=~"store|lane"',
            ),
            warn=20,
            alarm=600,
        ),
        lines(
            "Why messages do not move",
            "Messages in memory, ready to be sent, by what they wait for; `none` goes within"
            " milliseconds.",
            "short",
            level("held_messages", "reason"),
        ),
        lines(
            "Queued",
            "Messages without an outcome: deferred wait for their time, queued for a"
            " carrier, sent for a receipt.",
            "short",
            level("queued_messages", "state"),
        ),
        lines(
            "In and out",
            "Messages accepted, refused and ended, a second.",
            "ops",
            Query(per("messages_accepted_total").expr, "accepted"),
            Query(per("messages_refused_total").expr, "refused"),
            Query(per("messages_final_total").expr, "ended"),
        ),
        lines(
            "From a submission to its answer",
            "What the programs of tenants wait for.",
            "s",
            *spread("accept_seconds", quantiles=(0.5, 0.99)),
            warn=1,
            alarm=5,
        ),
        lines(
            "From acceptance to a carrier",
            "How long messages wait for their turn, from when they were due: 99 % wait less.",
            "s",
            *spread("accept_to_submit_seconds", "category", quantiles=(0.99,)),
        ),
        lines(
            "Outcomes", "How messages end, a second.", "ops", per("messages_final_total", "outcome")
        ),
        lines(
            "From a carrier to the phone",
            "From submission to the final receipt: half take less.",
            "s",
            *spread("delivery_seconds", "carrier", quantiles=(0.5,)),
        ),
        lines(
            "From acceptance to the phone",
            "From when a message was accepted, or due, to the receipt that it is with the phone.",
            "s",
            *spread("accept_to_phone_seconds", "category", quantiles=(0.5, 0.9)),
        ),
    ),
)

CARRIERS: Final = Board(
    "carriers",
    "Gateway: carriers",
    "Which carrier is slow, refuses, throttles or loses receipts.",
    (
        numbers(
            "Binds up",
            "1 while a bind is bound.",
            "bool",
            level("bind_up", "carrier", "bind", how="max", where=OF),
        ),
        lines(
            "Binds lost and attempts that failed",
            "Binds that ended, and attempts that came to nothing, a second.",
            "ops",
            Query(per("binds_lost_total", "carrier", where=OF).expr, "{{carrier}} lost"),
            Query(per("binds_failed_total", "carrier", where=OF).expr, "{{carrier}} failed"),
        ),
        lines(
            "Window in use",
            "Share of the windows that is unanswered. At 100 % the window or the carrier is"
            " what limits.",
            "percentunit",
            Query(
                f"sum by (carrier) (gateway_window_in_use{{@{OF}}}) / sum by (carrier)"
                f" (gateway_window_size{{@{OF}}})",
                "{{carrier}}",
            ),
            warn=0.9,
        ),
        lines(
            "Rate held to",
            "Parts a second that the carrier is held to, stated or found out; 0 for unlimited.",
            "ops",
            level("carrier_rate_limit", "carrier", how="max", where=OF),
        ),
        lines(
            "What the carrier answers",
            "Answers to parts, a second, by status.",
            "ops",
            per("parts_submitted_total", "carrier", "status", where=OF),
        ),
        lines(
            "Round trip",
            "From submit_sm to its response.",
            "s",
            *spread("submit_response_seconds", "carrier", quantiles=(0.5, 0.95), where=OF),
            warn=2,
        ),
        lines(
            "Reach",
            "Share of what the carrier has taken that is delivered, of the outcomes of an hour,"
            " beside the median of seven days; and the share of which nothing is known.",
            "percentunit",
            Query('gateway:reach:ratio_rate1h{carrier=~"$carrier"}', "{{carrier}}"),
            Query('gateway:reach:median7d{carrier=~"$carrier"}', "{{carrier}} median"),
            Query('gateway:unheard:ratio_rate1h{carrier=~"$carrier"}', "{{carrier}} unknown"),
        ),
        lines(
            "Outcomes of what carriers have taken",
            "How messages end that a carrier has taken, a second.",
            "ops",
            per("carrier_outcomes_total", "carrier", "outcome", where=OF),
        ),
        lines(
            "Receipts",
            "Receipts a second, by state.",
            "ops",
            per("receipts_total", "carrier", "state", where=OF),
        ),
        lines(
            "Owes receipts since",
            "For how long the carrier has taken parts and given no receipt.",
            "s",
            level("receipts_silent_seconds", "carrier", how="max", where=OF),
            warn=1800,
        ),
        lines(
            "Receipts that match nothing",
            "Those that match no message, that were given up, or whose word is unknown, a second.",
            "ops",
            Query(
                per("receipts_unmatched_total", "carrier", where=OF).expr, "{{carrier}} unmatched"
            ),
            Query(per("receipts_given_up_total", "carrier", where=OF).expr, "{{carrier}} given up"),
            Query(
                per("receipts_unknown_state_total", "carrier", where=OF).expr,
                "{{carrier}} unknown word",
            ),
        ),
        lines(
            "Receipts parked",
            "Receipts that wait until a message matches them.",
            "short",
            level("receipts_parked", "carrier", where=OF),
        ),
        lines(
            "From submission to the final receipt",
            "Quantiles of what phones take.",
            "s",
            *spread("delivery_seconds", "carrier", quantiles=(0.5, 0.9), where=OF),
        ),
        lines(
            "Against the protocol",
            "What the carrier sent that does not fit the protocol, a second, by kind.",
            "ops",
            per("strange_total", "carrier", "kind", where=OF),
        ),
        lines(
            "Texts from phones",
            "Inbound messages a second, and those that were odd.",
            "ops",
            *(
                Query(
                    per(f"inbound_{name}total", "carrier", where=OF).expr,
                    f"{{{{carrier}}}} {name.strip('_').replace('_', ' ') or 'all'}",
                )
                for name in ("", "unreadable_", "incomplete_", "repeated_", "unknown_source_")
            ),
        ),
        numbers(
            "What the carriers call themselves",
            "The name that each gave when it let a bind in.",
            "short",
            level("carrier_info", "carrier", "system_id", how="max", where=OF),
        ),
    ),
    (Variable("carrier", "gateway_bind_up"),),
)

BOARDS: Final = (NOW, CARRIERS, TENANTS, STORE)

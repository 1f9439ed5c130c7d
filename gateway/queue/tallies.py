"""What is counted of messages for ``stats``, and under which names. Pure.

A store counts by itself what it makes durable, acceptances and outcomes, in the same transaction:
so the counts agree with the outcomes whatever happens to the process. What only dispatch knows
(what was refused, put off, sent, and what phones said) it hands over with a `Settlement`. Batches
are counted as a whole: a message costs one look-up in a dict.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from gateway.message import Event, Message

HOUR: Final = 3_600
"""Seconds: what is counted is counted by the hour (UTC) in which it was made durable."""

KEPT: Final = 400 * 24
"""Hours for which counts are kept."""

NAMES: Final = 1_000
"""Campaigns and variants of a tenant that are told apart in one hour; what comes under others is
counted for no campaign. Whoever names each message's campaign otherwise does not fill the disk."""

SPAN: Final = 31 * 24
"""Hours that one look at the counts goes over at most."""

Key = tuple[str, str | None, str | None, str, str]
"""Tenant, campaign, variant, carrier (empty where there is none), and a code:

    accepted                    made durable
    refused CODE                not accepted
    deferred RULE               put off by a rule, each time
    sent, parts                 messages all of whose parts a carrier has taken; these parts
    ended OUTCOME [CODE]        outcomes
    inbound, optouts            texts from phones, and opt-outs by text
"""


class Stat(NamedTuple):
    """What was counted in one hour (since the epoch); the rest as in `Key`."""

    hour: int
    campaign: str | None
    variant: str | None
    carrier: str
    code: str
    number: int


class Stats(NamedTuple):
    """Counts in order of their hours, whole hours of them, and the hour to go on with: None where
    there is no more."""

    rows: list[Stat]
    next: int | None


def accepted(messages: Iterable[Message]) -> dict[Key, int]:
    """Messages are accepted."""
    found = Counter([(m.tenant, m.campaign, m.variant) for m in messages])
    return {(*names, "", "accepted"): count for names, count in found.items()}


def sent(taken: Iterable[tuple[Message, str, int]]) -> dict[Key, int]:
    """Carriers have taken all parts, so many, of messages."""
    found = Counter([(m.tenant, m.campaign, m.variant, name, size) for m, name, size in taken])
    counts: dict[Key, int] = {}
    for (tenant, campaign, variant, carrier, size), count in found.items():
        of = (tenant, campaign, variant, carrier)
        add(counts, {(*of, "sent"): count, (*of, "parts"): count * size})
    return counts


def ended(ends: Iterable[tuple[Message, Event]]) -> dict[Key, int]:
    """Messages have their outcomes."""
    found = Counter(
        [
            (m.tenant, m.campaign, m.variant, detail.get("carrier", "") if detail else "", of, code)
            for m, of, code, detail in [(m, e.type, e.code, e.detail) for m, e in ends]
        ]
    )
    return {
        (tenant, campaign, variant, carrier, f"ended {of} {code}" if code else f"ended {of}"): count
        for (tenant, campaign, variant, carrier, of, code), count in found.items()
    }


def add(counts: dict[Key, int], more: Mapping[Key, int], sign: int = 1) -> None:
    """Add counts to others, or take them away."""
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + sign * count

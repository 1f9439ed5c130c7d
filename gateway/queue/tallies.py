"""What is counted of messages for ``stats``, and under which names. Pure.

A store counts by itself what it makes durable, acceptances and outcomes, in the same transaction:
so the counts agree with the outcomes whatever happens to the process. What only dispatch knows
(what was refused, put off, sent, and what phones said) it hands over with a `Settlement`. Batches
are counted as a whole: a message costs one look-up in a dict.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Protocol

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
    ruled_out RULE              of these, by a rule of the policy
    deferred RULE               put off by a rule, each time
    sent, parts                 messages all of whose parts a carrier has taken; these parts
    cost                        what these cost, in millionths
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


def sent(taken: Iterable[tuple[str, str | None, str | None, str, int]]) -> dict[Key, int]:
    """Carriers have taken messages: for each its tenant, campaign, variant, carrier and parts."""
    counts: dict[Key, int] = {}
    for (tenant, campaign, variant, carrier, size), count in Counter(taken).items():
        of = (tenant, campaign, variant, carrier)
        add(counts, {(*of, "sent"): count, (*of, "parts"): count * size})
    return counts


class Ended(Protocol):
    """A message with its outcome (`gateway.queue.store.Final`)."""

    @property
    def message(self) -> Message: ...

    @property
    def event(self) -> Event: ...


def ended(ends: Iterable[Ended]) -> dict[Key, int]:
    """Messages have their outcomes."""
    # One tuple for each, whatever it looks like: half the time of a loop.
    found = Counter(
        [
            (
                (m := one.message).tenant,
                m.campaign,
                m.variant,
                (e := one.event).type,
                e.code,
                detail.get("carrier", "") if (detail := e.detail) else "",
            )
            for one in ends
        ]
    )
    return {
        (tenant, campaign, variant, carrier, f"ended {of} {code}" if code else f"ended {of}"): count
        for (tenant, campaign, variant, of, code, carrier), count in found.items()
    }


def add(counts: dict[Key, int], more: Mapping[Key, int], sign: int = 1) -> None:
    """Add counts to others, or take them away."""
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + sign * count

"""What the demo prints before and after: the campaign, and the tables of what became of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from examples.campaign import Campaign
from examples.metrics import Metrics
from examples.tally import Audit, Tally
from gateway.message import CATEGORIES

OUTCOMES: Final = ("delivered", "failed", "expired", "unknown", "cancelled", "blocked")
DEFERRED: Final = "deferred"
SHOWN: Final = 62
"""Characters of a sample text."""


class Result(NamedTuple):
    """Everything known in the end.

    Attributes:
        states: where the gateway says that messages without an outcome are, by id.
        again: messages submitted a second time, ``recognised`` those told to be duplicates.
        accepting: seconds until all messages were answered.
        took: seconds until the last outcome.
    """

    tally: Tally
    states: Mapping[str, str]
    again: int
    recognised: int
    accepting: float
    took: float
    metrics: Metrics
    audit: Audit

    @property
    def checks(self) -> Sequence[tuple[bool, str]]:
        """What is promised: whether it was kept, and what there is to show for it."""
        tally, audit = self.tally, self.audit
        accepted, outcomes = len(tally.accepted), len(tally.accepted) - len(tally.waiting)
        deferred = sum(state == DEFERRED for state in self.states.values())
        counted = self.metrics.total("messages_accepted_total")
        return (
            (
                accepted == outcomes + deferred,
                f"{accepted:,} accepted = {outcomes:,} outcomes + {deferred:,} still deferred",
            ),
            (not tally.repeated, f"{tally.repeated} messages with a second outcome"),
            (
                counted == accepted + tally.replies,
                f"{counted:,.0f} accepted by the gateway's own count: ours, and {tally.replies} "
                f"confirmations to phones that opted out",
            ),
            (
                self.again == self.recognised,
                f"{self.recognised:,} of {self.again:,} recognised that were submitted again",
            ),
            (
                not audit.twice,
                f"{audit.twice} of {audit.parts:,} parts reached a phone twice, by the carriers' "
                "records",
            ),
            (not audit.opted_out, f"{audit.opted_out} reached a phone that had opted out"),
            (not audit.asleep, f"{audit.asleep} of the sale reached people at night"),
        )

    @property
    def adds_up(self) -> bool:
        """Whether every promise was kept."""
        return all(kept for kept, _ in self.checks)


def introduce(console: Console, campaign: Campaign, now: float) -> None:
    """Say what is about to happen."""
    night = campaign.night
    console.print(
        "\n[bold]A campaign through the gateway[/bold]\n\n"
        "A shop texts its customers in English and Chinese. Its gateway has two carriers: alpha, "
        "quick and\nfull of faults, and beta, clean and slow. Sale texts keep to "
        f"08:00-20:00 in {night.name}, where it is\n{night.clock(now):%H:%M} now; sign-in codes do "
        "not wait. Some rows of the list are bad, as in every list.\n"
    )
    table = _table("on the list", "messages|r", "such as")
    kinds = Counter(draft.kind for draft in campaign.drafts)
    samples = {draft.kind: draft.message["text"] for draft in campaign.drafts}
    for kind, count in kinds.most_common():
        table.add_row(kind, f"{count:,}", _short(samples[kind]) if kind != "mistake" else "")
    console.print(table)


def conclude(console: Console, campaign: Campaign, result: Result) -> None:
    """Show what became of it."""
    tally, metrics = result.tally, result.metrics
    console.print(_outcomes(result))
    refused = _table("refused at once", "messages|r", "for instance")
    for code, count in tally.refused.most_common():
        refused.add_row(code, f"{count:,}", _short(tally.reasons[code]))
    console.print(refused)
    console.print(_carriers(metrics))
    console.print(
        f"{len(campaign.drafts):,} messages were answered in {result.accepting:.1f} s, each batch "
        "after it was on disk; half of the commits took\n"
        f"{_seconds(metrics.quantile('store_commit_seconds', 0.5))} or less. The last outcome came "
        f"after {result.took:.1f} s. Phones sent {tally.texts} texts, and {tally.optouts} of them "
        "opted out.\n"
    )
    for kept, what in result.checks:
        console.print(f"  [green]yes[/green]  {what}" if kept else f"  [bold red]NO [/]  {what}")
    console.print(
        "\n[bold green]It adds up.[/]\n"
        if result.adds_up
        else "\n[bold red]It does not add up.[/]\n"
    )


def _outcomes(result: Result) -> Table:
    """Messages by category and what became of them."""
    tally = result.tally
    became: dict[str, Counter[str]] = {category: Counter() for category in CATEGORIES}
    for identifier, draft in tally.accepted.items():
        end = tally.outcomes.get(identifier) or result.states.get(identifier, "lost")
        became[draft.message.get("category", "marketing")][end] += 1
    total = sum(became.values(), Counter())
    columns = [*(name for name in OUTCOMES if total[name]), *sorted(total.keys() - {*OUTCOMES})]
    table = _table("accepted", *(f"{name}|r" for name in columns), "together|r")
    for name, counts in {**became, "together": total}.items():
        if name == "together":
            table.add_section()
        table.add_row(name, *(f"{counts[c]:,}" for c in columns), f"{counts.total():,}")
    return table


def _carriers(metrics: Metrics) -> Table:
    """What the gateway has counted of each carrier."""
    table = _table(
        "carrier", "parts taken|r", "busy|r", "throttled|r", "refused|r", "receipts|r",
        "unmatched|r", "half answer in|r", "99% in|r",
    )  # fmt: skip
    for name in ("alpha", "beta"):

        def count(status: str, carrier: str = name) -> str:
            return f"{metrics.total('parts_submitted_total', carrier=carrier, status=status):,.0f}"

        table.add_row(
            name,
            *map(count, ("ESME_ROK", "ESME_RSYSERR", "ESME_RTHROTTLED", "ESME_RINVDSTADR")),
            f"{metrics.total('receipts_total', carrier=name):,.0f}",
            f"{metrics.total('receipts_unmatched_total', carrier=name):,.0f}",
            *(
                _seconds(metrics.quantile("submit_response_seconds", share, carrier=name))
                for share in (0.5, 0.99)
            ),
        )
    return table


def _table(*columns: str) -> Table:
    """A table; ``name|r`` is a column of numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        name, right, _ = column.partition("|")
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    return table


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _seconds(value: float) -> str:
    return f"{value * 1000:,.0f} ms" if value < 1 else f"{value:,.1f} s"

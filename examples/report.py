"""What the demo prints before and after: the campaign, and the tables of what became of it."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from examples.accounts import Account, Term, accounts
from examples.campaign import Campaign
from examples.metrics import Metrics
from examples.result import Result
from examples.stage import Stage
from gateway.message import CATEGORIES

OUTCOMES: Final = ("delivered", "failed", "expired", "unknown", "cancelled", "blocked")
ANSWERS: Final = ("ROK", "RSYSERR", "RTHROTTLED", "RINVDSTADR")
SHOWN: Final = 64
"""Columns that a sample may take."""


def introduce(console: Console, campaign: Campaign, now: float) -> None:
    """Say what is about to happen."""
    night = campaign.night
    console.print(
        "\n[bold]A campaign through the gateway[/]\n\n"
        "A shop texts its customers in English and Chinese. Its gateway has two carriers: alpha, "
        "quick and\nfull of faults, and beta, clean and slow. Sale texts keep to "
        f"08:00-20:00 in {night.name}, where it is\n{night.clock(now):%H:%M} now; sign-in codes do "
        "not wait. Some rows of the list are bad, as on every list.\n"
    )
    table = _table("on the list", "messages|r", "such as")
    samples = {draft.what: draft.message["text"] for draft in campaign.drafts}
    for what, count in Counter(draft.what for draft in campaign.drafts).most_common():
        table.add_row(what, f"{count:,}", _short(samples[what]) if what != "mistakes" else "")
    console.print(table, "")


def follow(console: Console, stage: Stage) -> None:
    """Say where it can be followed."""
    console.print(
        f"The gateway listens at {stage.address}, its metrics are at {stage.admin}/metrics\n"
        f"See it move in the console: [bold]{stage.admin}/[/]\n"
    )


def conclude(console: Console, campaign: Campaign, result: Result) -> bool:
    """Show what became of it; whether everything adds up."""
    tally, metrics = result.tally, result.metrics
    refused = _table("refused at once", "messages|r", "for instance")
    for code, count in tally.refused.most_common():
        refused.add_row(code, f"{count:,}", _short(tally.reasons[code]))
    console.print("", _outcomes(result), "", refused, "", _carriers(metrics), "", sep="\n")
    commit = _seconds(metrics.quantile("store_commit_seconds", 0.5))
    console.print(
        f"All {len(campaign.drafts):,} messages were answered after {result.accepting:.1f} s, each "
        f"batch once it was on disk; half of the\ncommits took {commit} or less. The last outcome "
        f"came after {result.took:.1f} s. Phones sent {tally.texts:,} texts.\n"
    )
    explained = accounts(campaign, result)
    console.print(_accounts(explained), "", sep="\n")
    checks = [
        *result.checks,
        (all(one.holds for one in explained), "every figure is the sum of what it is made of"),
    ]
    for kept, what in checks:
        console.print("  [green]yes[/]" if kept else "  [bold red]NO [/]", what)
    adds_up = all(kept for kept, _ in checks)
    verdict = "[bold green]It adds up.[/]" if adds_up else "[bold red]It does not add up.[/]"
    console.print(f"\n{verdict}\n")
    return adds_up


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


def _accounts(explained: Sequence[Account]) -> Table:
    """Why figures differ."""
    table = _table("why figures differ", "is made of")
    for figure, terms in explained:
        signs = [
            "-" if term.number < 0 else "+" if place else "=" for place, term in enumerate(terms)
        ]
        lines = [f"{sign} {_term(term)}" for sign, term in zip(signs, terms, strict=True)]
        table.add_row(_term(figure), "\n".join(lines))
    return table


def _term(term: Term) -> str:
    return f"{abs(term.number):>7,.0f} {term.what}"


def _carriers(metrics: Metrics) -> Table:
    """What the gateway has counted of each carrier."""
    table = _table(
        "carrier",
        *(f"{name}|r" for name in ANSWERS),
        *("receipts|r", "unmatched|r", "half answer in|r"),
    )
    for name in ("alpha", "beta"):
        counts = [
            metrics.total("parts_submitted_total", carrier=name, status=f"ESME_{status}")
            for status in ANSWERS
        ]
        counts += [
            metrics.total(metric, carrier=name)
            for metric in ("receipts_total", "receipts_unmatched_total")
        ]
        answer = metrics.quantile("submit_response_seconds", 0.5, carrier=name)
        table.add_row(name, *(f"{count:,.0f}" for count in counts), _seconds(answer))
    return table


def _table(*columns: str) -> Table:
    """A table; ``name|r`` is a column of numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        name, right, _ = column.partition("|")
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    return table


def _short(text: str) -> Text:
    short = Text(text)
    short.truncate(SHOWN, overflow="ellipsis")
    return short


def _seconds(value: float) -> str:
    return f"{value * 1000:g} ms" if value < 1 else f"{value:g} s"

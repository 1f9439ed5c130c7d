"""``docs/operations.md`` tells of every log line, metric, command and exit status there is, and of
no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from gateway import cli
from gateway.ops.instruments import Counter, Gauge, Histogram
from gateway.ops.metrics import Metrics

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "operations.md").read_text()

LEVELS: Final = {
    "info": "info",
    "warning": "warning",
    "error": "error",
    "exception": "error",
    "log": "info",  # `api.shared.Shared.log`
    "_warn": "warning",  # a `gateway.ops.logs.Sparing`, as are the next two
    "_complain": "error",
    "complain": "error",
    "_stand": "info",  # `smpp.bind.Bind`, how it stands
    "_note": "info",  # `smpp.bind.Bind`, oddities
}
"""What is called to log an event, and at which level it does."""


def rows(heading: str) -> list[list[str]]:
    """The cells of the tables between a heading of the page and the next heading."""
    [part] = re.findall(rf"^#+ {heading}\n(.*?)(?=^#|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [re.split(r" ?(?<!\\)\| ?", line)[1:-1] for line in lines]


def named(cell: str) -> list[str]:
    """What is in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def strings(node: ast.expr) -> Iterator[str]:
    """What an argument may be."""
    match node:
        case ast.Constant(value=str(value)):
            yield value
        case ast.IfExp(body=body, orelse=orelse):
            yield from strings(body)
            yield from strings(orelse)
        case ast.JoinedStr(values=[ast.Constant(value=str(value)), *_]):
            yield value + "*"


def logged() -> set[tuple[str, str]]:
    """Every event that the code may log, with its level."""
    found = set()
    for path in (ROOT / "gateway").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args:
                level = LEVELS.get(getattr(node.func, "attr", getattr(node.func, "id", "")))
                for event in strings(node.args[0]) if level else ():
                    found.add((event, str(level)))
    return found


def test_the_page_has_every_log_line_with_its_level() -> None:
    told = set()
    for cell, level, *_ in rows("Logs"):
        told |= {(re.sub("^strange_.*", "strange_*", name), level) for name in named(cell)}
    assert told == logged()


def test_the_page_has_every_metric_with_its_labels() -> None:
    metrics = [m for m in vars(Metrics()).values() if isinstance(m, Counter | Gauge | Histogram)]
    code = {metric.name: ", ".join(metric.labels) for metric in metrics}
    table = rows("Metrics")
    page = {f"gateway_{name}": labels for cell, labels, *_ in table for name in named(cell)}
    assert page == code


def test_the_page_has_every_command() -> None:
    names = [name for row in rows("Commands") for name in named(row[0])]
    told = {name.split()[1] for name in names if name.startswith("gateway ")}
    assert told == {place.partition(":")[2] for place in cli.COMMANDS}


def test_the_page_has_no_option_that_no_command_has() -> None:
    told = set(re.findall(r"(?<![\w=-])--[a-z][a-z-]*", PAGE))
    known = {
        name
        for place in cli.COMMANDS
        for argument in cli.app[place.partition(":")[2]].assemble_argument_collection()
        for name in argument.names
    }
    assert told <= known | {"--help"}


def test_the_page_has_every_exit_status() -> None:
    told = {code for row in rows("Commands") for code in re.findall(r"\b\d+\b", row[0])}
    assert told == {"0", str(cli.FAILED), str(cli.MISTAKEN), "130", "143"}


@pytest.mark.parametrize(
    "page", sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]), ids=lambda p: p.name
)
def test_links_lead_somewhere(page: Path) -> None:
    """To files that there are, and headings in them."""
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, target

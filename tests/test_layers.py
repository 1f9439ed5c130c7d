"""Imports point downward only (docs/architecture.md), and protocol code does no I/O."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = [
    {"message", "errors", "facts", "sockets"},
    {"text", "numbers"},
    {"api", "smpp", "queue", "policy", "ops"},
    {"dispatch"},
    {"config"},
    {"app"},
    {"cli"},
    {"__main__"},
]
"""From the bottom up. Parts of one layer never import one another."""

LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}

PURE = [
    "facts",
    "text/*",
    "numbers/*",
    "policy/*",
    "api/frames",
    "api/schema",
    "api/codec",
    "api/peek",
    "smpp/pdu",
    "smpp/layout",
    "smpp/tlv",
    "smpp/framing",
    "smpp/receipt_ids",
    "smpp/receipt_states",
    "smpp/receipt_text",
    "smpp/receipts",
    "smpp/times",
    "smpp/status",
    "smpp/states",
    "smpp/events",
    "smpp/template",
    "smpp/window",
    "smpp/session",
    "queue/bucket",
    "queue/lanes",
    "queue/scheduler",
    "queue/events",
    "dispatch/carriers/actions",
    "dispatch/settling/correlation",
    "dispatch/settling/deciding",
    "dispatch/carriers/flights",
    "dispatch/ids",
    "dispatch/ledger",
    "dispatch/settling/outcomes",
    "dispatch/settling/long_receipts",
    "dispatch/settling/phones",
    "dispatch/settling/plan",
    "dispatch/release/routing",
]
IMPURE = {"trio", "socket", "time", "random", "secrets", "threading", "asyncio", "select"}


def modules(pattern: str = "**/*") -> list[Path]:
    return sorted((ROOT / "gateway").glob(f"{pattern}.py"))


def part_of(path: Path) -> str:
    return path.relative_to(ROOT / "gateway").with_suffix("").parts[0]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downward(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return
    for name in imports(path):
        other = name.split(".")[1:2]
        if not name.startswith("gateway.") or not other or other[0] not in LEVEL:
            continue
        assert other[0] == part or LEVEL[other[0]] < LEVEL[part], f"{part} imports {name}"


@pytest.mark.parametrize("pattern", PURE)
def test_protocol_code_does_no_io(pattern: str) -> None:
    found = modules(pattern)
    assert found, f"no module is called {pattern}"
    for path in found:
        assert not {name.split(".")[0] for name in imports(path)} & IMPURE, path


def test_every_part_has_its_layer() -> None:
    parts = {part_of(path) for path in modules()} - {"__init__"}
    assert parts <= LEVEL.keys()


def test_only_the_top_reads_the_configuration() -> None:
    for path in modules():
        if part_of(path) not in {"app", "cli", "__main__", "config"}:
            assert not any(name.startswith("gateway.config") for name in imports(path)), path


@pytest.mark.parametrize("part", ["api", "text", "numbers", "policy", "queue", "smpp", "ops"])
def test_the_page_names_every_module(part: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    [row] = re.findall(rf"^\| `{part}` \| (.*) \|$", page, re.MULTILINE)
    folder = ROOT / "gateway" / part
    folders = {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}
    assert set(re.findall(r"`([\w/]+)`", row)) == modules_in(folder) | folders


def test_the_page_names_every_module_of_dispatch() -> None:
    """In a table of its own, with a row for each folder."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page.partition("### The parts of `dispatch`")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `([\w/]+)/` \| (.*) \|$", table, re.MULTILINE))
    folder = ROOT / "gateway" / "dispatch"
    folders = {path.parent.name: path.parent for path in folder.glob("*/__init__.py")}
    assert {name: set(re.findall(r"`(\w+)`", row)) for name, row in rows.items()} == {
        name: modules_in(path) for name, path in (folders | {"dispatch": folder}).items()
    }


def modules_in(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.py")} - {"__init__"}

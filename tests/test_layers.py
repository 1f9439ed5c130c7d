"""Imports point downward only (docs/architecture.md), and protocol code does no I/O."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = [
    {"message", "errors", "facts"},
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
    "dispatch/actions",
    "dispatch/correlation",
    "dispatch/deciding",
    "dispatch/flights",
    "dispatch/ids",
    "dispatch/ledger",
    "dispatch/outcomes",
    "dispatch/long_receipts",
    "dispatch/phones",
    "dispatch/plan",
    "dispatch/routing",
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


@pytest.mark.parametrize(
    "part", ["api", "text", "numbers", "policy", "queue", "smpp", "dispatch", "ops"]
)
def test_the_page_names_every_module(part: str) -> None:
    """In its row of the table of parts or, for the largest, in a table of its own."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    layers, _, _ = page.partition("## The flow of a message")
    rows = layers.partition("### The parts of `dispatch`")[2]
    if part != "dispatch":
        [rows] = re.findall(rf"^\| `{part}` \| (.*) \|$", layers, re.MULTILINE)
    folder = ROOT / "gateway" / part
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    modules |= {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}
    assert set(re.findall(r"`([\w/]+)`", rows)) == modules

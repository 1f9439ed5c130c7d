"""docs/reliability.md cites tests that exist, and leaves out none of those beside this one."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CITED = set(
    re.findall(
        r"`(tests/[\w/]+\.py)::(test_\w+)`", (ROOT / "docs/reliability.md").read_text("utf-8")
    )
)


def named_in(path: Path) -> set[str]:
    return set(re.findall(r"^(?:async )?\s*def (test_\w+)", path.read_text("utf-8"), re.MULTILINE))


def test_what_is_cited_exists() -> None:
    found = {path: named_in(ROOT / path) for path, _ in CITED}
    assert not {f"{path}::{test}" for path, test in CITED if test not in found[path]}


def test_what_exists_is_cited() -> None:
    here = Path(__file__)
    for path in here.parent.glob("test_*.py"):
        if path != here:
            name = str(path.relative_to(ROOT))
            assert named_in(path) <= {test for cited, test in CITED if cited == name}, name

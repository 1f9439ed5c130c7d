"""docs/reliability.md and docs/places.md cite tests that exist, and the former leaves out none of
those beside this one."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def cited_in(page: str) -> set[tuple[str, str]]:
    text = (ROOT / page).read_text("utf-8")
    return set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text))


CITED = cited_in("docs/reliability.md")


def named_in(path: Path) -> set[str]:
    return set(re.findall(r"^(?:async )?\s*def (test_\w+)", path.read_text("utf-8"), re.MULTILINE))


def test_what_is_cited_exists() -> None:
    cited = CITED | cited_in("docs/places.md")
    found = {path: named_in(ROOT / path) for path, _ in cited}
    assert not {f"{path}::{test}" for path, test in cited if test not in found[path]}


def test_what_exists_is_cited() -> None:
    here = Path(__file__)
    for path in here.parent.glob("test_*.py"):
        if path != here:
            name = str(path.relative_to(ROOT))
            assert named_in(path) <= {test for cited, test in CITED if cited == name}, name

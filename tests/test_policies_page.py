"""docs/policies.md says of every rule what it is, what it tells, and which test shows it from the
socket to the carrier."""

import re
from pathlib import Path
from typing import get_args

import pytest

from gateway.errors import MessageCode

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/policies.md").read_text()
TABLE = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| [")
]
ELSEWHERE = {
    "invalid_recipient", "empty_text", "too_long", "unencodable", "expired", "key_conflict",
    "no_route",
}  # fmt: skip
"""Codes of messages that no rule of a policy gives: `docs/api.md` has them."""


def rules() -> set[str]:
    """The names of the rules, as metrics and events have them."""
    sources = (ROOT / "gateway/policy").rglob("*.py")
    return {
        name
        for source in sources
        for name in re.findall(r'^    name = "(\w+)"$', source.read_text(), re.MULTILINE)
    }


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0].split("]")[0].strip("["))
def test_a_row_says_all_and_its_tests_are_there(row: list[str]) -> None:
    name, default, source, tells, tests = row
    assert default
    assert source
    assert tells
    anchor = re.search(r"\(#(.*)\)", name)
    assert anchor is not None
    headings = {
        heading.strip("# ").lower().replace(" ", "-").replace(",", "")
        for heading in re.findall(r"^##+ .*$", PAGE, re.MULTILINE)
    }
    assert anchor[1] in headings
    named = re.findall(r"`(tests/[^`]*)`", tests)
    for one in named:
        path, _, function = one.partition("::")
        assert (ROOT / path).exists(), one
        if function:
            assert f"def {function}(" in (ROOT / path).read_text(), one
    assert any(one.startswith("tests/endtoend/") and "::" in one for one in named)


def test_every_rule_is_there() -> None:
    named = set(re.findall(r"`(\w+)`", " ".join(row[0] for row in TABLE)))
    assert rules() <= named
    assert len(TABLE) == len({row[0] for row in TABLE})


def test_every_code_is_told() -> None:
    told = set(re.findall(r"`(\w+)`", " ".join(row[3] for row in TABLE)))
    assert set(get_args(MessageCode)) - ELSEWHERE <= told

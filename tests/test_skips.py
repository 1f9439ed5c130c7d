"""Of tests that are skipped, a run can be made to fail but for those that were expected."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """\
import pytest

def test_runs():
    pass

def test_needs_a_moon():
    pytest.skip("there is no moon here")

@pytest.mark.skipif(True, reason="needs two suns")
def test_needs_two_suns():
    pass

@pytest.mark.xfail(strict=True)
def test_is_known_to_fail():
    assert False
"""


@pytest.mark.parametrize(
    ("options", "status", "told"),
    [
        ([], 0, []),
        (["--may-skip=no moon", "--may-skip=two s.ns"], 0, []),
        (["--may-skip=two suns"], 1, ["test_needs_a_moon: Skipped: there is no moon here"]),
        (["--may-skip=three"], 1, ["test_needs_a_moon: ", "test_needs_two_suns: "]),
    ],
)
def test_a_skip_that_nobody_expected_fails_the_run(
    tmp_path: Path, options: list[str], status: int, told: list[str]
) -> None:
    file = tmp_path / "test_moon.py"
    file.write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", str(file), *options]
    root = Path(__file__).parents[1]
    outer = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    ended = subprocess.run(
        command, cwd=root, env=outer, capture_output=True, text=True, check=False
    )
    assert ended.returncode == status, ended.stdout
    unexpected = [line for line in ended.stdout.splitlines() if "UNEXPECTEDLY" in line]
    assert len(unexpected) == len(told)
    assert all(name in line for name, line in zip(told, unexpected, strict=True))

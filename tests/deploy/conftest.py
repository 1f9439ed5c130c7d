"""What the tests of deployments share."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
UNREACHABLE: Final = re.compile("Max retries|NewConnection|Temporary failure|[Tt]imed out")


def run(*command: str | Path, env: Mapping[str, str] = os.environ, cwd: str | Path = "/") -> str:
    """What a command prints, run where there is nothing of ours unless told otherwise. Skips the
    test where it needs a package index, and none can be reached."""
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=900, cwd=cwd, env=env, check=False
    )
    if ended.returncode and UNREACHABLE.search(ended.stderr):
        pytest.skip("the package index cannot be reached")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout

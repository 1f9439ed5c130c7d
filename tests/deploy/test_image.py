"""The image, as far as can be seen without a container runtime: its steps are run in a folder."""

import json
import os
import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import pytest

from .conftest import ROOT, run

OWNER: Final = "10001"
PLACES: Final = ("/opt/gateway", "/var/lib/gateway", "/build")
"""Folders of the image that the steps name."""


def steps() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile, with what stands behind it."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    return [
        (word, rest)
        for word, _, rest in (line.partition(" ") for line in lines)
        if word and not word.startswith("#")
    ]


def told(instruction: str) -> list[str]:
    """What stands behind each such instruction."""
    return [rest for word, rest in steps() if word == instruction]


def given(path: str) -> bool:
    """Whether .dockerignore lets a path of this tree into the image; the last rule that matches
    it or a folder of it decides."""
    found = True
    for rule in (ROOT / ".dockerignore").read_text().splitlines():
        if rule and not rule.startswith("#"):
            pattern = rule.removeprefix("!")
            parts = path.split("/")
            folders = ["/".join(parts[: n + 1]) for n in range(len(parts))]
            if pattern.startswith("**/"):
                hit = any(fnmatch(part, pattern[3:]) for part in parts)
            else:
                hit = any(fnmatch(folder, pattern) for folder in folders)
            if hit:
                found = rule.startswith("!")
    return found


def copied() -> list[tuple[list[str], str]]:
    """What is copied from this tree, and whereto."""
    found = [rest.split() for rest in told("COPY") if not rest.startswith("--from")]
    return [(sources, target) for *sources, target in found]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    for sources, _ in copied():
        for source in sources:
            assert (ROOT / source).exists()
            assert given(source)


@pytest.mark.parametrize(
    "path", [".git/config", "var/gateway.db", "my/gateway.toml", "gateway/cli/__pycache__/x.pyc"]
)
def test_what_is_nobodys_business_is_left_outside(path: str) -> None:
    assert not given(path)


def test_all_stages_have_the_same_python_at_the_same_place() -> None:
    """Else the environment that one makes would not work in the other."""
    assert len({rest.split()[0] for rest in told("FROM")}) == 1
    for source, target in (rest.split()[1:] for rest in told("COPY") if rest.startswith("--from")):
        assert source == target


def test_it_runs_as_nobody() -> None:
    assert told("USER") == [f"{OWNER}:{OWNER}"]
    assert [word for word, _ in steps()].index("USER") < [w for w, _ in steps()].index("ENTRYPOINT")


@pytest.mark.slow  # installs what the gateway needs, twice over
def test_its_steps_make_a_gateway_that_its_health_check_knows(site: Any, tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    workdir = tmp_path / "src"
    workdir.mkdir()

    def inside(text: str) -> str:
        for place in PLACES:
            text = re.sub(rf"(?<![\w/.]){place}\b", f"{tmp_path}{place}", text)
        return text.replace(OWNER, str(os.getuid()))

    for word, rest in steps():
        if word == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            for source in sources:
                name = target if (ROOT / source).is_dir() else f"{target}/{Path(source).name}"
                (workdir / name).parent.mkdir(parents=True, exist_ok=True)
                run("cp", "-r", ROOT / source, workdir / name)
        elif word == "RUN":
            run("sh", "-euc", inside(rest), env=env, cwd=workdir)
    assert (tmp_path / "var/lib/gateway").stat().st_mode & 0o777 == 0o700
    assert not list((tmp_path / "opt/gateway/bin").glob("pip*")), "what runs installs nothing"

    [[entrypoint], command] = map(json.loads, (*told("ENTRYPOINT"), *told("CMD")))
    [settings] = told("ENV")
    inner = dict(one.split("=", 1) for one in shlex.split(inside(settings)))
    assert inner["PATH"].split(":")[0] == f"{tmp_path}/opt/gateway/bin"
    site.carrier("alpha")
    program = f"{tmp_path}/opt/gateway/bin/{entrypoint}"
    configuration = site.configure()
    gateway = site.start(
        "gateway", program, *(configuration if "/" in one else one for one in command)
    )
    gateway.wait_for('"serving"')
    health = json.loads(told("HEALTHCHECK")[0].partition(" CMD ")[2])
    check = [one.replace("7601", str(site.admin)) for one in health]
    check[0] = f"{tmp_path}/opt/gateway/bin/{check[0]}"
    run(*check)
    assert gateway.terminate() == 0
    assert subprocess.run(check, capture_output=True, check=False).returncode != 0

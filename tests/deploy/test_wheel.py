"""The wheel, installed into an empty environment: a gateway that begins with nothing."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest

from .conftest import ROOT, run

LOCK: Final = ROOT / "deploy" / "requirements.lock"


def pins(lock: Path) -> set[str]:
    """What a lock file has, ``apsw==3.54.1.0`` and so on."""
    return set(re.findall(r"^([\w-]+==[\w.]+)", lock.read_text(), re.MULTILINE))


def test_what_is_deployed_is_what_was_tested() -> None:
    for lock in (LOCK, LOCK.with_name("build.lock")):
        assert pins(lock) <= pins(ROOT / "requirements.lock")


def test_all_that_the_gateway_needs_is_deployed() -> None:
    needed = {re.split("[^a-z0-9-]", one)[0] for one in PROJECT["dependencies"]}
    assert needed <= {pin.partition("==")[0] for pin in pins(LOCK)}


PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSIONS: Final = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["classifiers"]))
"""Those that the gateway is for."""


def test_the_oldest_python_is_the_same_everywhere() -> None:
    assert PROJECT["requires-python"] == f">={VERSIONS[0]}"
    assert f"--python-version {VERSIONS[0]} " in (ROOT / "Makefile").read_text()


@pytest.mark.slow  # asks the package index for each package and version
@pytest.mark.parametrize("version", VERSIONS)
def test_every_python_finds_what_is_locked(version: str, tmp_path: Path) -> None:
    """A wheel of it, made for that version: nobody has to compile anything."""
    pip = (sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--retries=0")
    only = ("--no-deps", "--only-binary=:all:", f"--python-version={version}", "--require-hashes")
    run(*pip, *only, "--target", tmp_path, "--requirement", LOCK)


def interpreters() -> dict[str, str]:
    """A Python of each version that is here and that the gateway is for: in the path, or where
    pyenv keeps them."""
    own = f"3.{sys.version_info.minor}"
    found = {own: sys.executable}
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in VERSIONS:
        for path in (shutil.which(f"python{version}"), *kept.glob(f"{version}.*/bin/python")):
            # What stands there may lead to a version that is not there, as the shims of pyenv do.
            if (
                path
                and not subprocess.run(
                    [path, "-c", ""], capture_output=True, check=False
                ).returncode
            ):
                found.setdefault(version, str(path))
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [made] = folder.iterdir()
    return made


@pytest.mark.slow  # builds a wheel
def test_the_wheel_has_what_the_console_is_made_of(wheel: Path) -> None:
    folder = ROOT / "gateway" / "ops" / "console"
    made_of = [path for kind in ("templates", "static") for path in (folder / kind).rglob("*.*")]
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    assert made_of
    assert {str(path.relative_to(ROOT)) for path in made_of} <= names


@pytest.mark.slow  # builds a wheel, and installs it with all that it needs
@pytest.mark.parametrize("python", interpreters().values(), ids=interpreters().keys())
def test_a_gateway_begins_with_a_wheel_and_nothing_else(
    python: str, wheel: Path, site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    place = tmp_path / "venv"
    run(python, "-m", "venv", "--without-pip", place)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        place / "bin" / "python",
        "--quiet",
    ]
    pip += ["--disable-pip-version-check", "--retries=0", "--timeout=20"]
    run(*pip, "install", "--no-compile", "--require-hashes", "--requirement", LOCK)
    run(*pip, "install", "--no-compile", "--no-deps", "--no-index", wheel)
    run(*pip, "check")

    gateway = str(place / "bin" / "gateway")
    folder = tmp_path / "mine"
    made = run(gateway, "init", folder, "--tenant=shop", "--sender=10690001", "--simulator")
    file = Path(json.loads(made)["file"])
    port = site.free_port()
    for old, new in (("7600", site.api), ("7601", site.admin), ("2775", port)):
        file.write_text(file.read_text().replace(old, str(new)))
    assert "no mistakes found" in run(gateway, "check", "--config", file)
    site.start("simulator", gateway, "simulate", "--port", str(port)).wait_for("listening")
    site.start("gateway", gateway, "serve", "--config", str(file)).wait_for('"bound"')
    env = {
        **os.environ,
        "GATEWAY_ADDRESS": f"tcp://127.0.0.1:{site.api}",
        "GATEWAY_TOKEN": json.loads(made)["token"],
    }
    message = ("--to=+8613912345678", "--text=Hello, 世界", "--category=transactional")
    run(gateway, "send", *message, env=env)
    events = run(gateway, "events", "--from=start", "--until-idle=2", env=env)
    assert [json.loads(line)["type"] for line in events.splitlines()] == ["delivered"]

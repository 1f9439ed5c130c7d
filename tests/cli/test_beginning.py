"""``gateway init``: a configuration of one's own, asked for or given."""

import hashlib
import json
import os
import pty
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

GIVEN = ("--tenant", "shop", "--sender", "10690001")
CARRIER = ("--host", "smpp.example.net", "--system-id", "u", "--password", "p")


def but(option: str, value: str) -> tuple[str, ...]:
    """The tenant or the carrier that is given, but for one option."""
    given = list(GIVEN if option in GIVEN else CARRIER)
    given[given.index(option) + 1] = value
    return tuple(given)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the test is the working directory."""
    monkeypatch.chdir(tmp_path)


def test_what_it_makes_is_checked_from_any_directory(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = run("init", "new/folder", *GIVEN, *CARRIER)
    assert ended.status == 0
    made = json.loads(ended.out)
    file = tmp_path / "new" / "folder" / "gateway.toml"
    assert (made["file"], made["tenant"]) == (str(file), "shop")
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]
    assert f"gateway serve --config {file}" in ended.err
    monkeypatch.chdir("/")
    checked = run("check", "--config", str(file))
    assert (checked.status, checked.err) == (0, "")
    assert "no mistakes found" in checked.out
    assert "warning" not in checked.out


def test_the_file_has_what_was_given_and_of_the_token_its_hash(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    more = ("--carrier", "beta", "--port", "3550", "--store", "store.db")
    token = json.loads(run("init", *GIVEN, *CARRIER, *more).out)["token"]
    text = Path("gateway.toml").read_text()
    assert token not in text
    file = tomllib.loads(text)
    [tenant], [carrier] = file["tenants"], file["carriers"]
    assert tenant["id"] == "shop"
    assert tenant["senders"] == ["10690001"]
    assert tenant["token_sha256"] == [hashlib.sha256(token.encode()).hexdigest()]
    account = {"host": "smpp.example.net", "port": 3550, "system_id": "u", "password": "p"}
    assert carrier == {"id": "beta", **account}
    assert file["queue"]["path"] == str(store)


@pytest.mark.parametrize("password", ['say "x" \\ #', "é\t=", "\x7f", "'''", "[a]"])
def test_a_password_is_what_it_was_whatever_is_in_it(run: Run, password: str) -> None:
    account = ("--host", "h", "--system-id", "u", f"--password={password}")
    assert run("init", *GIVEN, *account).status == 0
    file = tomllib.loads(Path("gateway.toml").read_text())
    assert file["carriers"][0]["password"] == password


def test_a_password_can_be_in_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_CARRIER_PASSWORD", "hidden")
    assert run("init", *GIVEN, "--host", "h", "--system-id", "u").status == 0
    assert 'password = "hidden"' in Path("gateway.toml").read_text()


def test_the_simulator_is_told_how_to_start(run: Run) -> None:
    ended = run("init", *GIVEN, "--simulator")
    assert ended.status == 0
    assert "gateway simulate --port 2775" in ended.err
    assert tomllib.loads(Path("gateway.toml").read_text())["carriers"][0]["port"] == 2775


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give --tenant, --sender, --host, --system-id, --password"),
        (("--simulator",), "give --tenant, --sender,"),
        ((*GIVEN, "--simulator", "--host", "h"), "--host: not with --simulator"),
        ((*but("--tenant", "the shop"), *CARRIER), "--tenant: 'the shop' is not a name"),
        ((*but("--sender", "?"), *CARRIER), "--sender: '?' is neither a number, a name"),
        ((*GIVEN, *CARRIER, "--port", "0"), "--port: 0 is not"),
        ((*GIVEN, *CARRIER, "--port", "-1"), "--port: "),
        ((*GIVEN, *but("--host", "a b")), "--host: 'a b' is not a host name"),
        ((*GIVEN, *but("--system-id", "u" * 99)), "--system-id: "),
        ((*GIVEN, *but("--password", "密")), "--password: "),
    ],
)
def test_what_the_gateway_would_not_take_is_told_by_its_option(
    run: Run, arguments: tuple[str, ...], told: str
) -> None:
    ended = run("init", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert told in ended.err
    assert "密" not in ended.err
    assert not list(Path().iterdir())


def test_nothing_is_overwritten(run: Run) -> None:
    Path("gateway.toml").write_text("mine")
    ended = run("init", *GIVEN, "--simulator")
    assert ended.status == 2
    assert "gateway.toml: is there already" in ended.err
    assert Path("gateway.toml").read_text() == "mine"


def test_on_a_terminal_it_asks_again_for_what_was_wrong(tmp_path: Path) -> None:
    """And keeps the other answers where Enter is pressed."""
    answers = [
        *("the shop", "10690001", "", "smpp.example.net", "", "u", "p"),
        *("shop", "", "", "", "", "", ""),
    ]
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "gateway", "init", str(tmp_path)])
    shown = ""
    for answer in answers:
        while not shown.rstrip(" ").endswith(":"):
            shown += os.read(terminal, 1024).decode()
        os.write(terminal, f"{answer}\n".encode())
        shown = shown.rstrip(": ") + " = "
    try:
        while more := os.read(terminal, 1024):
            shown += more.decode()
    except OSError:  # it has ended
        pass
    assert os.waitpid(child, 0)[1] == 0, shown
    os.close(terminal)
    assert "--tenant: 'the shop' is not a name" in shown
    assert "[smpp.example.net]" in shown
    file = tomllib.loads((tmp_path / "gateway.toml").read_text())
    assert file["tenants"][0]["id"] == "shop"
    account = {"host": "smpp.example.net", "port": 2775, "system_id": "u", "password": "p"}
    assert file["carriers"] == [{"id": "alpha", **account}]

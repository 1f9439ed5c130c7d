"""``gateway init``: a configuration of one's own, from a few answers, that can be served at once.

Everything else has a default that works; `docs/configuration.md` has the keys. Nothing is ever
overwritten, and a file that the gateway would not take is not made.
"""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from getpass import getpass
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from cyclopts import Parameter

from gateway.cli.configuring import new_token
from gateway.cli.output import UsageError, show
from gateway.errors import ConfigError

NAME: Final = "gateway.toml"

TEMPLATE: Final = """\
# Made by `gateway init`. `gateway check --config FILE` lists what is wrong with this file; what the
# other keys are, and what holds where they are left out, is in docs/configuration.md.

[api]
# Where tenants connect. Beyond this machine, use tls = {{ cert = "…", key = "…" }}.
listen = ["tcp://127.0.0.1:7600"]

[admin]
listen = "127.0.0.1:7601"                 # /metrics, /healthz, /readyz

[queue]
path = {store}

[[tenants]]
id = {tenant}
token_sha256 = [{token_sha256}]
senders = [{sender}]                      # the first is the default

[[carriers]]
id = {carrier}
host = {host}
port = {port}
system_id = {system_id}
password = {password}
"""


class Question(NamedTuple):
    """What has to be known.

    Attributes:
        option: on the command line.
        key: in the configuration, as its faults name it.
        text: what to ask.
        default: taken where the answer is empty.
    """

    option: str
    key: str
    text: str
    default: str = ""


QUESTIONS: Final = {
    "tenant": Question(
        "--tenant", "tenants[0].id", "A name for the first tenant, a system that submits messages"
    ),
    "sender": Question(
        "--sender", "tenants[0].senders[0]", "Its sender, the number or name that phones show"
    ),
    "carrier": Question("--carrier", "carriers[0].id", "A name for the carrier", "alpha"),
    "host": Question("--host", "carriers[0].host", "The carrier's SMPP host"),
    "port": Question("--port", "carriers[0].port", "Its port", "2775"),
    "system_id": Question("--system-id", "carriers[0].system_id", "The account's system_id"),
    "password": Question("--password", "carriers[0].password", "The account's password"),
}

SIMULATOR: Final = {
    "carrier": "simulator",
    "host": "127.0.0.1",
    "port": "2775",
    "system_id": "gateway",
    "password": "secret",
}
"""The account at ``gateway simulate``, which takes any."""

Answers = dict[str, str]


def init(
    folder: Path = Path(),
    *,
    tenant: str | None = None,
    sender: str | None = None,
    simulator: bool = False,
    carrier: str | None = None,
    host: str | None = None,
    port: int | None = None,
    system_id: str | None = None,
    password: Annotated[str | None, Parameter(env_var="GATEWAY_CARRIER_PASSWORD")] = None,
    store: Path | None = None,
) -> None:
    """Make a configuration, gateway.toml, and a token for its tenant.

    What is not given is asked for on a terminal. The token is shown once: the file, which only its
    owner can read, has its hash. It works from any directory. Nothing is overwritten.

    Parameters
    ----------
    folder
        Where to put it, and the store beside it; made if it is not there.
    tenant
        The name of the first tenant.
    sender
        The number or name that its messages come from.
    simulator
        Use a carrier to try with, `gateway simulate`, instead of a real one.
    carrier
        A name for the carrier.
    host
        The carrier's SMPP host.
    port
        The carrier's SMPP port.
    system_id
        The account at the carrier.
    password
        The account's password. Set the variable instead where others can list processes.
    store
        The database, if not gateway.db in the folder.
    """
    file = folder.absolute() / NAME
    if os.path.lexists(file):
        raise UsageError(f"{file}: is there already; name another folder, or remove it")
    account = {
        "carrier": carrier,
        "host": host,
        "port": None if port is None else str(port),
        "system_id": system_id,
        "password": password,
    }
    given = {"tenant": tenant, "sender": sender, **account}
    answers = {name: value for name, value in given.items() if value is not None}
    if simulator:
        for name in account:
            if name in answers and name != "password":  # a variable may be set for other uses
                raise UsageError(f"{QUESTIONS[name].option}: not with --simulator, which has it")
        answers |= SIMULATOR
    answers, token = _made(file, store or file.with_name("gateway.db"), answers)
    show([{"file": str(file), "tenant": answers["tenant"], "token": token}])
    print("The token is shown this once: the file has its hash alone. Next:", file=sys.stderr)
    if simulator:
        print(f"  gateway simulate --port {SIMULATOR['port']}", file=sys.stderr)
    print(f"  gateway serve --config {file}", file=sys.stderr)


def _made(file: Path, store: Path, answers: Answers) -> tuple[Answers, str]:
    """Make the file, asking for what is not known; returns all answers and the token."""
    token = new_token()
    known = {
        "store": str(store.absolute()),
        "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
    }
    defaults = {name: one.default for name, one in QUESTIONS.items() if one.default}
    missing = [name for name in QUESTIONS if name not in answers and name not in defaults]
    asked = missing and sys.stdin.isatty()
    if missing and not asked:
        options = ", ".join(QUESTIONS[name].option for name in missing)
        raise UsageError(
            f"give {options}, or run this on a terminal to be asked; "
            "--simulator stands for a carrier"
        )
    questions = [name for name in QUESTIONS if name not in answers]
    answers = {**defaults, **answers}
    while True:
        if asked:
            answers |= {name: _ask(name, answers.get(name, "")) for name in questions}
        try:
            _write(file, TEMPLATE.format_map(_toml({**known, **answers})))
        except ConfigError as error:
            faults = [_told(line) for line in error.errors]
            if not asked:
                raise UsageError("\n".join(faults)) from error
            print("\n".join(faults), file=sys.stderr)
            questions = list(QUESTIONS)
        else:
            return answers, token


def _ask(name: str, default: str) -> str:
    """Ask on the terminal, again until there is an answer."""
    question = QUESTIONS[name]
    while True:
        try:
            if name == "password":
                answer = getpass(f"{question.text}{' [as before]' if default else ''}: ") or default
            else:
                print(question.text, end=f" [{default}]: " if default else ": ", file=sys.stderr)
                answer = input().strip() or default
        except EOFError:
            raise UsageError(f"{question.option}: no answer") from None
        if answer:
            return answer


def _toml(values: Mapping[str, str]) -> dict[str, str]:
    """The values as TOML has them. Its texts are JSON's, but for one more control."""
    texts = {
        name: json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        for name, value in values.items()
    }
    port = values["port"]
    return texts | ({"port": port} if port.isascii() and port.isdigit() else {})


def _told(fault: str) -> str:
    """A fault of the configuration, by the option that it comes from."""
    for question in QUESTIONS.values():
        if fault.startswith(question.key):
            return question.option + fault.removeprefix(question.key)
    return fault


def _write(file: Path, text: str) -> None:
    """Make the file, whole or not at all. Raises ConfigError where the gateway would not take it,
    OSError where it cannot be made or has come into being meanwhile."""
    from gateway.config import load  # noqa: PLC0415

    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_name(f"{NAME}.{os.getpid()}.part")
    try:
        private = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(private, "w", encoding="utf-8") as made:
            made.write(text)
            made.flush()
            os.fsync(made.fileno())
        load(part, {})
        file.hardlink_to(part)  # unlike a new name, takes no other file's place
    finally:
        part.unlink(missing_ok=True)

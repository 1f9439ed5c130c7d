"""The configuration: a TOML file becomes checked, typed settings, or the list of all its faults.

`keys` has every key with its type, bounds and default, `reading` reads them, `building` checks what
takes several keys and makes the options that the layers below define. Paths in the file are
relative to the working directory.
"""

import time
import tomllib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from gateway.config.building import build
from gateway.config.keys import Keys
from gateway.config.reading import Faults, read_table
from gateway.config.settings import ApiSettings, Settings
from gateway.errors import ConfigError
from gateway.policy.carrier_hours import CarrierHours
from gateway.policy.holidays import years_ahead
from gateway.policy.quiet_hours import QuietHours

__all__ = ["ApiSettings", "Settings", "admin_address", "load", "store_path"]

MAX_SIZE: Final = 16 * 1024 * 1024
"""Bytes of a file. Ten thousand tenants and as many routes have some five million."""

MAX_DOTS: Final = 1000
"""Dots in a line. A key of so many parts means nothing here, and one of thirty thousand, all in
60 KB, would take ``tomllib`` fifteen seconds and 3.6 GB."""


ITS_OWN: Final = {"queue": {"node"}, "api": {"listen"}, "admin": {"listen"}}
"""What nodes that share a database need not have alike, by table: a node's name, and where it
listens."""


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read a configuration file, and the certificates and passwords that it names.

    Args:
        environ: where the variables are that ``password_env`` names.

    Raises:
        ConfigError: it cannot be used; has a line for every fault.
    """
    faults = Faults()
    table, digest = _parse(path)
    keys = read_table(Keys, table, "", faults)
    settings = build(keys, environ, faults)
    if faults.lines:
        raise ConfigError(faults.lines)
    _load_holidays(settings)
    dispatch = msgspec.structs.replace(settings.dispatch, digest=digest, shared=_shared(table))
    return msgspec.structs.replace(settings, digest=digest, dispatch=dispatch)


def store_path(path: Path) -> str:
    """The file of the store that a configuration names, whatever else is wrong in there.

    Raises:
        ConfigError: that cannot be told.
    """
    faults = Faults()
    keys = read_table(Keys, _parse(path)[0], "", faults)
    wrong = [line for line in faults.lines if line.startswith("queue")]
    if keys.queue.backend != "sqlite":
        mend = "; copy the database with pg_dump" if keys.queue.backend == "postgresql" else ""
        wrong.append(f"queue.backend: {keys.queue.backend} has no file{mend}")
    if wrong:
        raise ConfigError(wrong)
    return keys.queue.path


def admin_address(path: Path) -> str:
    """Where a configuration has the admin server listen, as it is to be asked, whatever else is
    wrong in there.

    Raises:
        ConfigError: that cannot be told.
    """
    faults = Faults()
    keys = read_table(Keys, _parse(path)[0], "", faults)
    wrong = [line for line in faults.lines if line.startswith("admin.listen")]
    if wrong:
        raise ConfigError(wrong)
    host, _, port = keys.admin.listen.rpartition(":")
    if port == "0":
        raise ConfigError(["admin.listen: has port 0, any that is free: name the address"])
    # One that listens everywhere is asked here.
    here = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "::": "[::1]"}  # noqa: S104
    host = here.get(host, host)
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def _load_holidays(settings: Settings) -> None:
    """Have the holidays at hand that the hours in the settings depend on, which can take half a
    second: here nobody waits for it but whoever has the file read."""
    years = years_ahead(time.time())
    QuietHours(settings.dispatch.policy.quiet_hours).load(years)
    for carrier in settings.dispatch.carriers:
        if carrier.options.hours is not None:
            CarrierHours(carrier.options.hours).load(years)


def _parse(path: Path) -> tuple[dict[str, object], str]:
    """What the file has, and its `Settings.digest`. Raises ConfigError, with the line and column
    where it is no TOML."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIZE + 1)
        reason = _excess(data)
        if not reason:
            return tomllib.loads(data.decode()), sha256(data).hexdigest()[:12]
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is not UTF-8"
    except RecursionError:
        reason = "tables or lists are nested too deeply"
    except ValueError as error:
        reason = f"not TOML: {error}"
    raise ConfigError([f"{path}: {reason}"])


def _shared(table: Mapping[str, object]) -> str:
    """See `gateway.dispatch.core.DispatchOptions.shared`."""
    alike: dict[str, object] = {}
    for name, keys in table.items():
        own = ITS_OWN.get(name)
        if own is None or not isinstance(keys, dict):
            alike[name] = keys
        elif left := {key: value for key, value in keys.items() if key not in own}:
            alike[name] = left
    return sha256(msgspec.json.encode(alike, order="deterministic")).hexdigest()[:12]


def _excess(data: bytes) -> str:
    """What there is too much of in a file; empty where it is all right."""
    if len(data) > MAX_SIZE:
        return f"has more than {MAX_SIZE} bytes"
    if any(line.count(b".") > MAX_DOTS for line in data.split(b"\n")):
        return f"has a line with more than {MAX_DOTS} dots"
    return ""

"""The configuration: a TOML file becomes checked, typed settings, or the list of all its faults.

`keys` has every key with its type, bounds and default, `reading` reads them, `building` checks what
takes several keys and makes the options that the layers below define. Paths in the file are
relative to the working directory.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from gateway.config.building import build
from gateway.config.keys import Keys
from gateway.config.reading import Faults, read_table
from gateway.config.settings import ApiSettings, Settings
from gateway.errors import ConfigError

__all__ = ["ApiSettings", "Settings", "load"]


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read a configuration file, and the certificates and passwords that it names.

    Args:
        environ: where the variables are that ``password_env`` names.

    Raises:
        ConfigError: it cannot be used; has a line for every fault.
    """
    faults = Faults()
    keys = read_table(Keys, _parse(path), "", faults)
    settings = build(keys, environ, faults)
    if faults.lines:
        raise ConfigError(faults.lines)
    return settings


def _parse(path: Path) -> dict[str, object]:
    """What the file has. Raises ConfigError, with the line and column where it is no TOML."""
    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is not UTF-8"
    except RecursionError:
        reason = "tables or lists are nested too deeply"
    except ValueError as error:
        reason = f"not TOML: {error}"
    raise ConfigError([f"{path}: {reason}"])

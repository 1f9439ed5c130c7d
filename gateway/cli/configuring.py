"""``gateway check`` and ``token``: for whoever writes the configuration."""

import hashlib
import os
import secrets
from pathlib import Path

from gateway.cli.output import show
from gateway.config import load
from gateway.errors import ConfigError


def check(*, config: Path) -> int:
    """Tell everything that is wrong with a configuration.

    The exit status is 1 if something is.

    Parameters
    ----------
    config
        The configuration, a TOML file.
    """
    try:
        load(config, os.environ)
    except ConfigError as error:
        for line in error.errors:
            print(line)
        return 1
    print(f"{config}: no mistakes found")
    return 0


def token() -> None:
    """Make a tenant's token, and its hash for the configuration."""
    # 256 bits: the hash in the configuration need not be slow to be safe.
    made = secrets.token_urlsafe(32)
    show([{"token": made, "token_sha256": hashlib.sha256(made.encode()).hexdigest()}])

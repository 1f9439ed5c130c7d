"""``gateway check`` and ``token``: for whoever writes the configuration."""

import hashlib
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from gateway.cli.output import show
from gateway.config import load, warnings
from gateway.errors import ConfigError


def check(*, config: Path) -> int:
    """Tell everything that is wrong with a configuration, and what is hardly meant.

    The exit status is 1 if something is wrong; warnings do not count.

    Parameters
    ----------
    config
        The configuration, a TOML file.
    """
    try:
        settings = load(config, os.environ)
    except ConfigError as error:
        for line in error.errors:
            print(line)
        return 1
    for line in warnings.found(settings, datetime.now(UTC).date()):
        print(f"warning: {line}")
    print(f"{config}: no mistakes found")
    return 0


def token() -> None:
    """Make a tenant's token, and its hash for the configuration."""
    # 256 bits: the hash in the configuration need not be slow to be safe.
    made = secrets.token_urlsafe(32)
    show([{"token": made, "token_sha256": hashlib.sha256(made.encode()).hexdigest()}])

"""``gateway check`` and ``token``: for whoever writes the configuration.

What reads it comes with most of the gateway, which takes half a second: only `check` imports it.
"""

import hashlib
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.cli.output import show
from gateway.errors import ConfigError
from gateway.message import CATEGORIES

if TYPE_CHECKING:
    from gateway.config import Settings

SENDERS: Final = 5
"""Senders of a tenant that `check` names."""


def check(*, config: Path) -> int:
    """Tell what is wrong with a configuration, what is hardly meant, and who may send what.

    The exit status is 1 if something is wrong; warnings do not count.

    Parameters
    ----------
    config
        The configuration, a TOML file.
    """
    from gateway.config import load, warnings  # noqa: PLC0415

    try:
        settings = load(config, os.environ)
    except ConfigError as error:
        for line in error.errors:
            print(line)
        return 1
    for line in warnings.found(settings, datetime.now(UTC).date()):
        print(f"warning: {line}")
    for line in _permissions(settings):
        print(line)
    print(f"{config}: no mistakes found")
    return 0


def _permissions(settings: "Settings") -> Iterator[str]:
    """Who may send what: for each tenant a line."""
    from gateway.policy.senders import ANY  # noqa: PLC0415

    for tenant in settings.dispatch.tenants:
        categories = [
            f"{category} (its default)" if category == tenant.category else category
            for category in CATEGORIES
            if category in tenant.categories
        ]
        senders = settings.dispatch.policies[tenant.id].senders
        named = ["any sender" if sender == ANY else sender for sender in senders[:SENDERS]]
        if len(senders) > SENDERS:
            named.append(f"{len(senders) - SENDERS} more")
        yield f"tenant {tenant.id}: sends {', '.join(categories)} from {', '.join(named)}"


def token() -> None:
    """Make a tenant's token, and its hash for the configuration."""
    made = new_token()
    show([{"token": made, "token_sha256": hashlib.sha256(made.encode()).hexdigest()}])


def new_token() -> str:
    """A token that nobody can guess."""
    # 256 bits: the hash in the configuration need not be slow to be safe.
    made = secrets.token_urlsafe(32)
    while made.startswith("-"):  # it would look like an option
        made = secrets.token_urlsafe(32)
    return made

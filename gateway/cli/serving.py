"""``gateway serve``: the server."""

import os
from pathlib import Path

import trio

from gateway.app import App
from gateway.config import load
from gateway.ops import logs


def serve(*, config: Path) -> None:
    """Run the gateway.

    SIGTERM and SIGINT stop it in order, SIGHUP reads the configuration anew. Logs go to stderr, a
    JSON object a line.

    Parameters
    ----------
    config
        The configuration, a TOML file.
    """
    settings = load(config, os.environ)
    logs.configure(settings.log)
    trio.run(App(settings, lambda: load(config, os.environ)).run)

"""``gateway serve``: the server. All of it is imported when it runs, and not for the help."""

import os
from pathlib import Path
from typing import Literal


def serve(*, config: Path, log_format: Literal["json", "text"] = "json") -> None:
    """Run the gateway.

    SIGTERM and SIGINT stop it in order, SIGHUP reads the configuration anew. Logs go to stderr.

    Parameters
    ----------
    config
        The configuration, a TOML file.
    log_format
        Logs as JSON, an object a line, or as text for people.
    """
    import trio  # noqa: PLC0415

    from gateway.app import App  # noqa: PLC0415
    from gateway.config import load  # noqa: PLC0415
    from gateway.ops import logs  # noqa: PLC0415

    settings = load(config, os.environ)
    logs.configure(settings.log, log_format)
    trio.run(App(settings, lambda: load(config, os.environ)).run)

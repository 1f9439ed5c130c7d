"""``gateway serve``: the server. All of it is imported when it runs, and not for the help."""

import os
from pathlib import Path


def serve(*, config: Path) -> None:
    """Run the gateway.

    SIGTERM and SIGINT stop it in order, SIGHUP reads the configuration anew. Logs go to stderr, a
    JSON object a line.

    Parameters
    ----------
    config
        The configuration, a TOML file.
    """
    import trio  # noqa: PLC0415

    from gateway.app import App  # noqa: PLC0415
    from gateway.config import load  # noqa: PLC0415
    from gateway.ops import logs  # noqa: PLC0415

    settings = load(config, os.environ)
    logs.configure(settings.log)
    trio.run(App(settings, lambda: load(config, os.environ)).run)

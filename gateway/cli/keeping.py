"""``gateway backup``: for whoever keeps what the gateway knows."""

from pathlib import Path

from gateway.cli.output import show


def backup(file: Path, *, config: Path) -> None:
    """Copy the store to a file, beside a running gateway or a stopped one, and check the copy.

    The file can be read by its owner alone. Nothing is overwritten.

    Parameters
    ----------
    file
        Where to put the copy: a file that is not there yet.
    config
        The configuration, a TOML file, which names the store. Its other keys may be as they will.
    """
    from gateway.config import store_path  # noqa: PLC0415
    from gateway.queue.sqlite.backup import backup as copy  # noqa: PLC0415

    copied = copy(store_path(config), file)
    show([{"file": str(file), **copied._asdict()}])

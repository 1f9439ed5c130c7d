"""``gateway backup`` and ``migrate``: for whoever keeps what the gateway knows."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gateway.cli.output import UsageError, show


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


def migrate(
    *,
    from_: Annotated[str, Parameter(name="--from")],
    to: Annotated[str, Parameter(name="--to")],
) -> None:
    """Move everything from one store into another one, an empty one, and compare the two.

    No gateway may run on either. Broken off, the same command goes on where it was. From the first
    row on no gateway starts on the old store any more, and none on the new one before all is there.

    Parameters
    ----------
    from_
        The store that there is: sqlite://PATH or postgresql://USER@HOST:PORT/DATABASE. Passwords
        are best left to ~/.pgpass or PGPASSWORD.
    to
        The store to be, which is empty, or a file that is not there.
    """
    import trio  # noqa: PLC0415

    from gateway.cli.moving import carry  # noqa: PLC0415
    from gateway.queue.backends import SQLITE  # noqa: PLC0415

    if from_ == to:
        raise UsageError("--from and --to are the same store")
    file = from_.removeprefix(SQLITE)
    if from_.startswith(SQLITE) and not Path(file).is_file():
        raise UsageError(f"--from: {file}: there is no store")
    show([{"rows": trio.run(carry, from_, to)}])

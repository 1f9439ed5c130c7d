"""From the keys of ``[queue]`` to what a store is made of."""

import socket
from collections.abc import Mapping
from typing import Final

from gateway.config import files
from gateway.config.keys import Queue
from gateway.config.reading import Faults
from gateway.errors import StoreError
from gateway.queue.backends import StoreOptions

_DSNS: Final = ("dsn", "dsn_env", "dsn_file")


def build(queue: Queue, environ: Mapping[str, str], faults: Faults) -> StoreOptions:
    """The options of the store."""
    if queue.backend != "postgresql":
        given = [name for name in (*_DSNS, "node") if getattr(queue, name) is not None]
        for name in [*given, "nodes"] if queue.nodes != 1 else given:
            faults.add(f"queue.{name}", 'is of no use without queue.backend = "postgresql"')
        return StoreOptions(queue.backend, queue.path)
    dsn = _dsn(queue, environ, faults)
    if dsn:
        from gateway.queue.postgresql.connecting import where  # noqa: PLC0415  see `backends.make`

        try:
            where(dsn)
        except StoreError:
            mend = "write postgresql://USER@HOST:PORT/DATABASE"
            faults.add(f"queue.{_given(queue)[0]}", f"is no connection string; {mend}")
    node = queue.node or socket.gethostname()[:64] or "node"
    return StoreOptions("postgresql", "", dsn, node, queue.nodes, queue.synchronous)


def _given(queue: Queue) -> list[str]:
    return [name for name in _DSNS if getattr(queue, name) is not None]


def _dsn(queue: Queue, environ: Mapping[str, str], faults: Faults) -> str:
    given = _given(queue)
    if len(given) != 1:
        has = f", has {' and '.join(given)}" if given else ""
        faults.add("queue", f"needs exactly one of {', '.join(_DSNS)}{has}")
        return ""
    if queue.dsn is not None:
        return queue.dsn
    if queue.dsn_env is not None:
        dsn = environ.get(queue.dsn_env, "")
        if not dsn:
            faults.add("queue.dsn_env", "the environment variable that it names is not set")
        return dsn
    data = files.read(queue.dsn_file, "queue.dsn_file", faults, "the file that it names")
    try:
        return data.decode().strip()
    except UnicodeDecodeError:
        faults.add("queue.dsn_file", "the file that it names is not UTF-8")
        return ""

"""The processes of the demo of several nodes: a PostgreSQL, two simulated carriers and three nodes,
each as an operator would start it, in a folder of their own. Whatever happens, none is left behind.

What would be three machines is one here, so that each node listens on ports of its own; but for
those and its name, all nodes have the same configuration.
"""

import hashlib
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from examples.stage import StageError, listening, process, wait_until_ready
from tools.ports import free_port
from tools.postgres import Postgres, binaries

NODES: Final = ("a", "b", "c")

BINDS: Final = 6
WINDOW: Final = 32
"""Of each carrier: sessions that it allows in all, and parts that may be on their way in one."""

ALPHA: Final = (
    "--latency=0.03",
    "--latency-jitter=0.03",
    "--receipt-delay=0.3",
    "--receipt-jitter=0.7",
    "--receipt-state=UNDELIV=0.02",
)
BETA: Final = ("--latency=0.08", "--latency-jitter=0.04", "--receipt-delay=1", "--receipt-form=tlv")

CONFIGURATION: Final = """\
[api]
listen = ["{address}"]
[admin]
listen = "{admin}"
[queue]
backend = "postgresql"
dsn = "{dsn}"
nodes = {nodes}
node = "{node}"

[[tenants]]
id = "harbour"
name = "Harbour & Vale"
token_sha256 = ["{token_sha256}"]
senders = ["{sender}"]

# Open around the clock, so that the demo shows the same at any hour.
[policy.quiet_hours]
open = "00:00-24:00"
"""

CARRIER: Final = """
[[carriers]]
id = "{name}"
host = "127.0.0.1"
port = {port}
system_id = "harbour"
password = "secret"
binds = {binds}
window = {window}
"""


class Node(NamedTuple):
    """A node that runs.

    Attributes:
        address: for tenants.
        admin: the URL of its console, metrics and the API for operators.
    """

    name: str
    address: str
    admin: str
    process: "subprocess.Popen[str]"


class Cluster(NamedTuple):
    """What runs, and where.

    Attributes:
        token: the tenant's.
        records: what each carrier took, by its id; see `gateway.smpp.simulator.record`.
        server: the version of PostgreSQL.
    """

    nodes: Sequence[Node]
    token: str
    records: Mapping[str, Path]
    server: str


@contextmanager
def cluster(sender: str) -> Iterator[Cluster]:
    """Everything running and ready. ``sender`` is the tenant's.

    Raises:
        StageError: something does not start; its last words are in it.
    """
    folder = Path(tempfile.mkdtemp(prefix="gateway-demo-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)  # where we are root, the server is somebody else
        server = stack.enter_context(_database(folder / "pg"))
        server.ask("postgres", "CREATE DATABASE gateway TEMPLATE template0")
        [[version]] = server.ask("postgres", "SHOW server_version")
        token = secrets.token_urlsafe(32)
        same = CONFIGURATION
        for name, habits in (("alpha", ALPHA), ("beta", BETA)):
            options = (
                f"--record={folder / name}.jsonl",
                "--port=0",
                "--account=harbour=secret",
                f"--system-id={name}",
                f"--max-binds={BINDS}",
            )
            carrier = stack.enter_context(process(folder, name, "simulate", *options, *habits))
            port = listening(folder, name, carrier)
            same += CARRIER.format(name=name, port=port, binds=BINDS, window=WINDOW)
        nodes = []
        for name in NODES:
            address, admin = f"tcp://127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
            file = folder / f"{name}.toml"
            file.write_text(
                same.format(
                    address=address,
                    admin=admin,
                    dsn=server.dsn("gateway"),
                    nodes=len(NODES),
                    node=name,
                    token_sha256=hashlib.sha256(token.encode()).hexdigest(),
                    sender=sender,
                )
            )
            started = stack.enter_context(process(folder, name, "serve", f"--config={file}"))
            nodes.append(Node(name, address, f"http://{admin}", started))
        for node in nodes:
            wait_until_ready(folder, node.name, node.process, f"{node.admin}/readyz")
        records = {name: folder / f"{name}.jsonl" for name in ("alpha", "beta")}
        yield Cluster(nodes, token, records, str(version).partition(" ")[0])


@contextmanager
def _database(folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL that syncs what it commits, as one is by default."""
    programs = binaries()
    if programs is None:
        raise StageError("PostgreSQL is not here: apt-get install postgresql, or make demo-nodes")
    server: Postgres | None = None
    try:
        try:
            server = Postgres(folder, programs)
            server.start()
        except RuntimeError as error:
            raise StageError(f"PostgreSQL did not start: {error}") from error
        yield server
    finally:
        if server is not None and server.running:
            server.stop("fast")

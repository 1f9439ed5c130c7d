"""Makes a store as a gateway of before left it when it was killed, for what the gateway of today
must make of it: ``python -m tests.upgrade.make CHECKOUT``, a folder with the sources of that time.

The store goes to ``stores/vN.sql``, N being the version of its schema, and what its tenant knows of
it to ``stores/vN.json``.
"""

import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from tests.conftest import Site

STORES: Final = Path(__file__).parent / "stores"

ENDED, SENT, DOUBT = "447400", "447500", "447800"
"""What the numbers of phones begin with that take texts at once, whose carrier has told nothing
of them yet, and whose carrier did not even answer."""

ROUTES = f"""
[[routes]]
name = "ended"
match = {{ prefix = ["{ENDED}"] }}
carriers = [{{ id = "prompt" }}]
[[routes]]
name = "sent"
match = {{ prefix = ["{SENT}"] }}
carriers = [{{ id = "slow" }}]
[[routes]]
name = "doubt"
match = {{ prefix = ["{DOUBT}"] }}
carriers = [{{ id = "mute" }}]
"""


class Shop:
    """The tenant, and what it has noted down."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.messages: list[dict[str, Any]] = []

    def submit(self, what: str, prefix: str, count: int, **more: Any) -> list[str]:
        """Submit messages, one of them long; returns their ids."""
        batch = [
            {
                "to": f"{prefix}{len(self.messages) + n:06}",
                "text": f"No. {n} " * (60 if n == 0 else 1),
                "key": f"{what} {n}",
                **more,
            }
            for n in range(count)
        ]
        results = self.client.ask("submit", messages=batch)["results"]
        ids = [result["message_id"] for result in results]
        self.messages += [
            {**message, "id": number, "what": what}
            for message, number in zip(batch, ids, strict=True)
        ]
        return ids


def fill(site: Site) -> dict[str, Any]:
    """Have a gateway of before do a bit of everything, and kill it; returns what is to be known."""
    prompt = site.carrier("prompt")
    slow = site.carrier("slow", "--receipt-delay", "3600", "--first-id", "2000000000")
    site.carrier("mute", "--latency", "3600")
    site.change('numbers = ["10690001", "123"]\n', "")
    gateway = site.gateway(ROUTES)
    gateway.wait_for('"bound"', 6)
    shop = Shop(site.client())
    shop.submit("ended", ENDED, 5)
    told = site.client()
    seqs = [event["seq"] for event in told.events(5)]
    told.ask("ack", consumer="crm", seq=seqs[2])

    now = time.time()
    shop.submit("waiting", ENDED, 5, send_at=now + 600, campaign="spring")
    shop.submit("opted out", ENDED, 2, send_at=now + 600)
    shop.client.ask("optout", action="add", numbers=[shop.messages[-1]["to"]])
    shop.client.ask("optout", action="add", numbers=[shop.messages[-2]["to"]])
    shop.submit("expired", ENDED, 2, send_at=now + 600, expires_at=now + 900)
    shop.submit("cancelled", ENDED, 2, send_at=now + 600, campaign="wrong")
    shop.client.ask("cancel", campaign="wrong")
    shop.submit("doubt", DOUBT, 5)
    shop.submit("sent", SENT, 5)
    # They are there by then. Whoever asked for one would have the store write it differently.
    time.sleep(3.0)
    gateway.kill()
    at = time.time()
    site.stop_carriers()
    assert prompt.exists()
    return {"at": at, "messages": shop.messages, "refs": list(refs(slow))}


def refs(record: Path) -> Iterator[tuple[str, str]]:
    """The phones and the carrier's ids of what a carrier took, a pair a part."""
    for line in record.read_text().splitlines():
        part = json.loads(line)
        yield part["destination"], part["id"]


def script(path: Path) -> tuple[int, Iterable[str]]:
    """The schema version of a database, and the statements that make it."""
    with closing(sqlite3.connect(path)) as database:
        [[version]] = database.execute("PRAGMA user_version")
        [[owner]] = database.execute("PRAGMA application_id")
        pragmas = [f"PRAGMA user_version = {version};", f"PRAGMA application_id = {owner};"]
        return version, [*database.iterdump(), *pragmas, ""]


def main(checkout: str) -> None:
    """Make one."""
    os.environ["PYTHONPATH"] = checkout  # of the processes that are started from here on
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        try:
            known = fill(site)
        finally:
            site.close()
        version, statements = script(site.folder / "gateway.db")
    (STORES / f"v{version}.sql").write_text("\n".join(statements))
    (STORES / f"v{version}.json").write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

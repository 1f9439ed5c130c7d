"""A gateway of its own for one fault: its carrier, its tenant, whoever submits for the tenant and
whoever reads its events. All are named after the fault, so that an alert tells whose it is."""

import contextlib
import itertools
import signal
import ssl
import sys
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import trustme

EVERY: Final = 0.25
"""Seconds between batches."""

USUAL: Final = ("--receipt-delay", "0.2")
"""What the simulated carriers do while all is well."""

DISK: Final = Path(__file__).parents[2] / "faults" / "disk.py"
PLENTY: Final = 40 << 30
"""Bytes that are free on the disk of a test."""


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway and those around it are like from the start.

    Attributes:
        category: of the messages that are submitted.
        rate: how many are in a second.
        more: what else its configuration has.
        carrier: options of its carrier.
        binds: that its carrier has.
    """

    category: str = "transactional"
    rate: int = 60
    more: str = ""
    carrier: tuple[str, ...] = ()
    binds: int = 2


class Cell:
    """One gateway and what belongs to it, under a name.

    Attributes:
        site: its folder, ports and processes.
    """

    def __init__(self, name: str, site: Any, habits: "Habits") -> None:
        self.name = name
        self.site = site
        self._habits = habits
        self._port: int = site.free_port()
        self._ids = itertools.count(1_000_000_000, 10_000_000)
        self._over = threading.Event()
        self._reading = threading.Event()
        self._threads: list[threading.Thread] = []
        self._clients: set[Any] = set()
        site.change('id = "shop"', f'id = "{name}"')
        site.account(name, self._port, binds=habits.binds)
        if "[api.tls]" in habits.more:
            self.certify(days=90)
        site.change(
            'category = "transactional"', f'category = "{habits.category}"\nquiet_hours = false'
        )
        self._more = (
            f'{habits.more}\n[[routes]]\nname = "{name}"\ncarriers = [{{ id = "{name}" }}]\n'
        )

    # --- its processes ---

    def start(self) -> None:
        """Start the carrier, the gateway, and what makes work for them."""
        self.start_carrier()
        self._disk.mkdir(exist_ok=True)
        self.disk_has(PLENTY)
        self.start_gateway()
        self._reading.set()
        for work in (self._submit, self._read):
            self._threads.append(threading.Thread(target=self._again_and_again, args=(work,)))
            self._threads[-1].start()

    def start_gateway(self) -> None:
        served = self._log.read_text().count('"serving"') if self._log.exists() else 0
        arguments = ["serve", "--config", self.site.configure(self._more)]
        self.gateway = self.site.start("gateway", sys.executable, DISK, self._disk, *arguments)
        self.gateway.wait_for('"serving"', served + 1)

    def start_carrier(self) -> None:
        arguments = ["simulate", "--port", str(self._port), "--account", "shop=secret"]
        arguments += ["--first-id", str(next(self._ids)), *USUAL, *self._habits.carrier]
        name = f"carrier-{self._port}-{next(self._ids)}"
        self.carrier = self.site.start(name, sys.executable, "-m", "gateway", *arguments)
        self.carrier.wait_for(f":{self._port}")

    def switch_carrier(self) -> None:
        """Have the carrier begin with its faults, or end them."""
        self.carrier.signal(signal.SIGUSR1)

    def reload(self, old: str, new: str) -> None:
        """Have the configuration say something else, and the gateway read it."""
        self.site.change(old, new)
        self.write(self.site.configure(self._more))

    def write(self, path: str, text: str | None = None) -> None:
        """Have the gateway read its configuration, with this text in the file if there is one."""
        if text is not None:
            Path(path).write_text(text)
        self.gateway.signal(signal.SIGHUP)

    def disk_has(self, free: int) -> None:
        """Have so many bytes free on the disk of the store."""
        (self._disk / "new").write_text(str(free))
        (self._disk / "new").replace(self._disk / "free")

    @property
    def _disk(self) -> Path:
        return Path(self.site.folder) / "disk"

    @property
    def _log(self) -> Path:
        return Path(self.site.folder) / "gateway.log"

    def certify(self, days: int) -> None:
        """Have the API's certificate hold for so long."""
        folder = Path(self.site.folder)
        authority = trustme.CA()
        until = datetime.now(UTC) + timedelta(days=days)
        own = authority.issue_cert("127.0.0.1", not_after=until)
        own.cert_chain_pems[0].write_to_path(folder / "api.pem")
        own.private_key_pem.write_to_path(folder / "api.key")
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        self.site.tls = trusting

    # --- its tenant ---

    def pause(self) -> None:
        """Hold a campaign that has messages. And somebody comes with a wrong token, somebody with a
        sender that is not the tenant's, and a stranger's page asks the admin server."""
        address = f"http://127.0.0.1:{self.site.admin}/api/v1/overview"
        page = urllib.request.Request(address, headers={"host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError, match="421") as refused:
            urllib.request.urlopen(page, timeout=60)
        refused.value.close()
        with pytest.raises(AssertionError, match="unauthenticated"):
            self.site.client("wrong")
        client = self.site.client()
        client.ask("consent", action="add", numbers=["447400999998"], source="test", wording="yes")
        client.ask("pause", campaign="held")
        messages = [{"to": "447400999998", "text": "later", "campaign": "held"}]
        client.ask("submit", messages=[*messages, {**messages[0], "from": "20002"}])

    def submit(self, text: str) -> None:
        """Submit this text in a connection of its own, and wait for its outcome."""
        client = self.site.client()
        [found] = client.ask("submit", messages=[{"to": "447400999999", "text": text}])["results"]
        client.wait_for_state(found["message_id"], "unknown")

    def resume(self) -> None:
        """Let it go on."""
        self.site.client().ask("resume", campaign="held")

    def go_away(self) -> None:
        """The consumer of the events leaves."""
        self._reading.clear()

    def come_back(self) -> None:
        """And is there again."""
        self._reading.set()

    def stop(self) -> None:
        """Submit and read no more."""
        self._over.set()
        self._reading.set()
        for client in list(self._clients):
            client.interrupt()
        for thread in self._threads:
            thread.join()

    def _again_and_again(self, work: Any) -> None:
        """A program that connects anew when it has lost its connection."""
        while not self._over.wait(EVERY):
            with contextlib.suppress(OSError):
                client = self.site.client()
                self._clients.add(client)
                try:
                    work(client)
                finally:
                    self._clients.discard(client)
                    client.close()

    def _submit(self, client: Any) -> None:
        batch = int(self._habits.rate * EVERY)
        for first in itertools.count(0, batch):
            messages: list[dict[str, Any]] = [
                {"to": f"447400{number % 1_000_000:06}", "text": f"No. {number}"}
                for number in range(first, first + batch)
            ]
            if self._habits.category != "marketing":
                messages[0]["category"] = "otp"
            messages[1]["key"] = "always the same"
            messages[1]["to"], messages[1]["text"] = "447400000001", "once only"
            client.ask("submit", messages=messages)
            if self._over.wait(EVERY):
                return

    def _read(self, client: Any) -> None:
        self._reading.wait()
        client.ask("subscribe", consumer="campaign")
        while self._reading.is_set() and not self._over.is_set():
            frame = client.receive()
            if frame.get("events"):
                client.send("ack", consumer="campaign", seq=frame["events"][-1]["seq"])

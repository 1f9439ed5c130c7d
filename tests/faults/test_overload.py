"""Three times as much is offered as the carriers take: memory and waiting stay bounded, what is too
much is refused with a code that says so, and one-time passwords pass."""

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

CAPACITY = 1_000
"""Parts a second: two binds with a window of 100 each, and a carrier that takes 0.2 s to answer."""

BATCH = 150
EVERY = BATCH / (3 * CAPACITY)
QUEUED = 5_000
"""Messages that the greedy tenant may have waiting: five seconds' worth."""

FILLED = 100
"""Megabytes of what fills within two minutes and grows no more: 36 of pages that the store's three
connections keep, 11 of the newest events, the chunks of half a minute, the ids of receipts, and
what the allocator keeps between them. Of that, 60 in the first seconds."""

BANK = "bank"
MORE = f"""
[[tenants]]
id = "{BANK}"
token_sha256 = ["{hashlib.sha256(BANK.encode()).hexdigest()}"]
senders = ["BANK"]
category = "otp"
"""


class Flood(threading.Thread):
    """Submits at a steady rate, whatever is answered; reads the replies beside that.

    Attributes:
        accepted: when each message was, by its id.
        codes: how often each was refused with.
        waits: seconds for each answer.
    """

    def __init__(
        self, client: Any, batch: Callable[[int], Sequence[dict[str, Any]]], every: float
    ) -> None:
        super().__init__(daemon=True)
        self.codes: Counter[str] = Counter()
        self.accepted: dict[str, float] = {}
        self.waits: list[float] = []
        self._client = client
        self._batch = batch
        self._every = every
        self._sent: dict[int, float] = {}
        self._over = threading.Event()
        self._done = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def run(self) -> None:
        self._reader.start()
        number, at = 0, time.monotonic()
        while not self._over.is_set():
            at += self._every
            # When it is over, one more is sent, whose reply ends the reader.
            self._over.wait(max(0.0, at - time.monotonic()))
            # The clock of an open loop: a late gateway does not put off when a batch was due.
            self._sent[number + 2] = at  # ids of this client begin at 2, after hello
            self._client.send("submit", messages=self._batch(number))
            number += 1
        self._done.set()

    def wait_for(self, code: str) -> None:
        """Wait until some message is refused so."""
        deadline = time.monotonic() + 300
        while not self.codes[code]:
            assert time.monotonic() < deadline, self.codes
            self._done.wait(0.05)

    def stop(self) -> None:
        self._over.set()
        self.join(300)
        self._reader.join(300)
        assert not self._reader.is_alive()

    def _read(self) -> None:
        while self._sent or not self._done.is_set():
            reply = self._client.receive()
            self.waits.append(time.monotonic() - self._sent.pop(reply["id"]))
            if not reply["ok"]:
                self.codes[reply["error"]["code"]] += 1
                continue
            for result in reply["results"]:
                if "error" in result:
                    self.codes[result["error"]["code"]] += 1
                else:
                    self.accepted[result["message_id"]] = time.time()


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def test_three_times_the_capacity(
    site: Any, vitals: Callable[[Any], Any], long_or_short: Callable[[float, float], float]
) -> None:
    seconds = long_or_short(600, 8)
    site.carrier("alpha", "--latency", "0.2")
    site.change(
        'category = "transactional"',
        f'category = "marketing"\nquiet_hours = false\nmax_queued = {QUEUED}',
    )
    gateway = site.gateway(MORE)
    gateway.wait_for('"bound"', 2)

    def campaign(number: int) -> list[dict[str, Any]]:
        phones = range(number * BATCH, (number + 1) * BATCH)
        return [{"to": f"86139{phone:08}", "text": f"Sale No. {phone}"} for phone in phones]

    def password(number: int) -> list[dict[str, Any]]:
        return [{"to": f"86138{number:08}", "text": f"{number:06}", "key": f"p{number}"}]

    greedy = Flood(site.client(), campaign, EVERY)
    bank = Flood(site.client(BANK), password, 0.05)
    greedy.start()
    greedy.wait_for("queue_full")
    before = vitals(gateway).memory
    bank.start()
    began = time.monotonic()
    watcher = site.client(BANK)
    watcher.ask("subscribe", consumer="bank")
    delivered: dict[str, float] = {}
    halfway = before
    while time.monotonic() < began + seconds:
        for event in watcher.receive().get("events", []):
            assert event["type"] == "delivered"
            delivered[event["key"]] = time.monotonic()
        if time.monotonic() < began + seconds / 2:
            halfway = vitals(gateway).memory
    after = vitals(gateway).memory
    for flood in (bank, greedy):
        flood.stop()
    while len(delivered) < len(bank.accepted):
        for event in watcher.receive().get("events", []):
            delivered[event["key"]] = time.monotonic()

    assert after - before < long_or_short(FILLED, 60), f"from {before} to {after} MB"
    assert seconds < 600 or after - halfway < 10, f"from {halfway} to {after} MB"
    assert set(greedy.codes) <= {"queue_full", "busy"}
    refused = sum(greedy.codes.values())
    assert refused > CAPACITY * seconds, "two of three are too much, once the queue is full"
    assert len(greedy.accepted) > 0.8 * CAPACITY * seconds
    # Answers that wait for one another would wait for most of the test, whatever the machine does.
    assert percentile(greedy.waits, 0.99) < 4.0
    assert not bank.codes
    # Nothing that was accepted is forgotten.
    reader = site.client()
    ends = {event["message_id"]: event for event in reader.events(len(greedy.accepted))}
    assert ends.keys() == greedy.accepted.keys()
    # Latency is from when each was to be submitted.
    times = [delivered[f"p{n}"] - (began + 0.05 * (n + 1)) for n in range(len(delivered))]
    others = [ends[one]["at"] - at for one, at in greedy.accepted.items()]
    assert percentile(times, 0.5) < percentile(others, 0.5) / 3
    assert percentile(times, 0.99) < percentile(others, 0.5)
    assert gateway.terminate() == 0
    assert len(gateway.text().splitlines()) < 100

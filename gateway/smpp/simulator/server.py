"""Runs a simulated carrier: its listener, its record, and the phones that text."""

import time
from itertools import count
from typing import Final

import trio

from gateway.smpp.simulator.carrier import MAX_WAITING, Carrier, Statistics
from gateway.smpp.simulator.connection import Connection
from gateway.smpp.simulator.options import SimulatorOptions
from gateway.smpp.simulator.record import Recorder, recording

UPKEEP_EVERY: Final = 0.1
"""How often the record is written and phones text, in seconds."""


class Simulator:
    """A carrier that `serve` runs.

    Attributes:
        host, port: where it listens.
        stamp_port: where it tells when messages came, None where it does not.
    """

    def __init__(
        self,
        carrier: Carrier,
        recorder: Recorder | None,
        host: str,
        port: int,
        stamp_port: int | None,
    ) -> None:
        self.host = host
        self.port = port
        self.stamp_port = stamp_port
        self._carrier = carrier
        self._recorder = recorder
        self._connections: set[Connection] = set()
        self._numbers = count(1)

    def statistics(self) -> Statistics:
        """What it has done so far."""
        return self._carrier.statistics()

    def behave(self, options: SimulatorOptions) -> None:
        """Have these habits and faults from now on."""
        self._carrier.behave(options, trio.current_time())

    def disconnect(self) -> None:
        """Close every connection without a word."""
        for connection in self._connections:
            connection.drop()

    async def handle(self, stream: trio.abc.Stream) -> None:
        """Serve one connection until it ends."""
        connection = Connection(self._carrier, self._recorder, stream, next(self._numbers))
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)

    async def upkeep(self) -> None:
        """Write the record, and let phones text, for ever."""
        owed = 0.0
        while True:
            await trio.sleep(UPKEEP_EVERY)
            if self._recorder is not None:
                self._recorder.flush()
            accounts = [one for one in self._carrier.accounts.values() if one.binds]
            if not accounts:
                continue
            owed += self._carrier.options.inbound_rate * UPKEEP_EVERY
            now = trio.current_time()
            for index in range(int(owed)):
                account = accounts[index % len(accounts)]
                if len(account) < MAX_WAITING:
                    account.add(now, self._carrier.text())
            owed %= 1
            for account in accounts:
                account.wake()


async def serve(
    options: SimulatorOptions,
    *,
    task_status: trio.TaskStatus[Simulator] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a simulated carrier until cancelled; ``nursery.start`` gives the `Simulator` once it
    listens. Raises OSError where it cannot listen or open its record."""
    now = trio.current_time()
    carrier = Carrier(options, now, time.time() - now)
    with recording(options.record) as recorder:
        listeners = await trio.open_tcp_listeners(options.port, host=options.host)
        host, port = listeners[0].socket.getsockname()[:2]
        stamping = None
        if options.stamp is not None:
            stamping = await trio.open_tcp_listeners(options.stamp, host=options.host)
        stamp_port = stamping[0].socket.getsockname()[1] if stamping else None
        simulator = Simulator(carrier, recorder, host, port, stamp_port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(simulator.upkeep)
            if stamping:
                nursery.start_soon(trio.serve_listeners, carrier.stamps.serve, stamping)
            nursery.start_soon(trio.serve_listeners, simulator.handle, listeners)
            task_status.started(simulator)

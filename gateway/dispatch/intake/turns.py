"""How long what comes from a tenant may hold up the others."""

import trio

TURN = 100
"""Messages after which others get a turn, at every step but for the handing over to the store: some
two milliseconds of work. The handing over is one step for all of a batch, 2 µs a message: what was
given room in a lane has to be on its way before anybody asks the store for more."""


async def turn(start: int) -> None:
    """Give others a turn before the messages from ``start`` on, but for the first."""
    if start:
        await trio.lowlevel.checkpoint()

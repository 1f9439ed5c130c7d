"""A dispatch with an operator at it."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from gateway.dispatch.operating.operator import Operator
from gateway.ops import commands
from gateway.ops.operations import Caller, Running
from gateway.ops.views import Diff, Done
from gateway.queue.operators import OperatorStore

ANN = Caller("ann", "operator", "192.0.2.7")
CORA = Caller("cora", "compliance", "192.0.2.8")
VIC = Caller("vic", "viewer", "192.0.2.9")


class File:
    """A configuration that a test says what it is (`gateway.ops.operations.Configuration`).

    Attributes:
        next: what a reload comes to.
        reloads: how often it was read.
    """

    def __init__(self) -> None:
        self.running = Running("0.1.0", 0.0, "aaaa", 0.0, refused=False, waiting=False)
        self.next = Diff(running="aaaa", file="bbbb", made=("tenants.acme.rate",), waiting=(),
                         errors=())  # fmt: skip
        self.reloads = 0

    async def diff(self) -> Diff:
        return self.next

    async def reload(self) -> Diff:
        self.reloads += 1
        return self.next


class Desk:
    """Somebody at work with a `World`.

    Attributes:
        world: the dispatch.
        operator: answers.
        file: the configuration.
    """

    def __init__(self, world: Any) -> None:
        self.world = world
        self.file = File()
        self.operator = Operator(
            world.dispatch,
            cast("OperatorStore", world.store),
            self.file,
            world.metrics,
            world.clock,
        )

    async def do(self, command: commands.Command, caller: Caller = ANN) -> Done:
        """Have something done, and let it take effect."""
        done = await self.operator.do(command, caller)
        await self.world.calm()
        return done


@pytest.fixture
def make_desk() -> Callable[[Any], Desk]:
    return Desk


@pytest.fixture
def desk(world: Any) -> Desk:
    """Somebody at work with a world of one carrier and two tenants."""
    return Desk(world)

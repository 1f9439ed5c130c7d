"""A dispatch whose store is another's by now ends, and records nothing more."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio

from gateway.errors import StoreFenced


@pytest.mark.parametrize("answered", [False, True])
async def test_dispatch_ends_when_its_store_is_taken_over(
    open_world: Callable[..., AbstractAsyncContextManager[Any]],
    autojump_clock: object,
    answered: bool,
) -> None:
    with pytest.raises(ExceptionGroup) as raised:  # noqa: PT012
        async with open_world() as world:
            [accepted] = await world.accepted("hello")
            rival = world.store.beside()
            assert not (await rival.open()).clean
            if answered:
                await world.deliver()
            await trio.sleep(60)
    assert raised.value.split(StoreFenced)[1] is None
    assert world.dispatch.in_doubt
    [message] = await rival.lease_ids("acme", [int(accepted, 16)])
    assert message.maybe_duplicate


async def test_it_ends_where_there_is_nothing_to_settle_and_something_to_put_on_record(
    open_world: Callable[..., AbstractAsyncContextManager[Any]], autojump_clock: object
) -> None:
    """What settles outlives all else, and would never hear of it."""
    with pytest.raises(ExceptionGroup) as raised:  # noqa: PT012
        async with open_world() as world:
            await world.accepted("hello")
            await world.deliver()  # which teaches something of its carrier's ids
            await trio.sleep(1)
            await world.store.beside().open()
            await trio.sleep_forever()
    assert raised.value.split(StoreFenced)[1] is None

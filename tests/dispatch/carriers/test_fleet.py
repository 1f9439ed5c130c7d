"""Carriers and binds as the configuration says."""

from typing import Any

import trio

from gateway.smpp.status import Status


async def test_a_bind_that_did_not_change_is_left_alone(world: Any, make_settings: Any) -> None:
    bind, carrier = world.bind, world.dispatch.fleet.carriers[0]
    await world.accepted("a")
    await world.configure(carriers=[make_settings(rate=5), make_settings("beta")])
    assert world.bind is bind
    assert world.dispatch.fleet.carriers[0] is carrier
    assert carrier.limit(world.clock()) == 5
    assert len(bind.flying) == 1
    assert world.made["beta-1"].up


async def test_a_bind_that_changed_is_replaced_when_its_window_is_empty(
    world: Any, make_settings: Any
) -> None:
    old = world.bind
    [first] = await world.accepted("a")
    await world.configure(carriers=[make_settings(port=2776)])
    new = world.bind
    assert new is not old
    assert (old.up, new.up) == (True, False)  # the carrier may allow no session more
    [second] = await world.accepted("b")
    old.reply()
    await world.calm()
    assert (old.up, new.up) == (False, True)
    assert (old.texts, new.texts) == (["a"], ["b"])
    await world.deliver()
    assert await world.outcomes() == {second: "delivered"}
    assert await world.states([first]) == ["sent"]


async def test_a_carrier_never_has_more_sessions_than_it_allows(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    await world.configure(carriers=[make_settings(binds=3)])
    generations = [dict(world.made)]
    await world.accepted(*(f"{n}" for n in range(30)))
    for binds, port in ((2, 1), (2, 2), (3, 3)):  # while those before are not gone
        await world.configure(carriers=[make_settings(binds=binds, port=port)])
        generations.append({name: world.made[name] for name in list(world.made)[:binds]})
    flying = [bind for bind in generations[0].values() if bind.flying]
    assert len(flying) == 3
    for bind in flying:
        bind.reply()
        await world.calm()
        assert sum(one.up for made in generations for one in made.values()) <= 3
    await trio.sleep(1)
    assert [bind.up for bind in generations[3].values()] == [True] * 3


async def test_a_bind_that_changed_completes_what_it_has_parts_of(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    await world.configure(carriers=[make_settings(window=4)])
    old = world.bind
    [number] = await world.accepted("x" * 1300)
    await world.configure(carriers=[make_settings(window=5)])
    for _ in range(4):
        old.reply()
        await world.calm()
    assert len(old.sent) == 9
    assert await world.states([number]) == ["sent"]
    assert (old.up, world.bind.up, world.bind.sent) == (False, True, [])


async def test_a_removed_carrier_s_bind_ends_in_order(
    world: Any, make_settings: Any, make_receipt: Any, make_inbound: Any
) -> None:
    ids = await world.accepted("a", "b")
    old = world.bind
    await world.configure(carriers=[make_settings("beta")])
    # It still brings what it has, inbound messages too.
    await old.receipts(make_inbound("hello"))
    [(_, ref)] = old.reply(old.sent[0])
    await old.receipts(make_receipt(ref))
    old.reply()
    await world.calm()
    assert not old.up
    assert {event["type"] for event in await world.events()} == {"inbound", "delivered"}
    assert await world.states(ids) == ["delivered", "sent"]


async def test_what_a_removed_carrier_refuses_goes_elsewhere(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    ids = await world.accepted("a", "b" * 300)
    old = world.bind
    await world.configure(carriers=[make_settings("beta")])
    old.reply(old.sent[0], status=Status.ESME_RTHROTTLED)
    old.reply(old.sent[1])
    old.reply(old.sent[2], status=Status.ESME_RTHROTTLED)  # torn: nobody else can have the rest
    await trio.sleep(5)
    assert world.made["beta-1"].texts == ["a"]
    await world.deliver()
    assert await world.outcomes() == {ids[0]: "delivered", ids[1]: "failed"}
    await world.check_finished()


async def test_what_waits_at_a_removed_carrier_to_be_sent_again_ends(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    [number] = await world.accepted("b" * 300)
    world.bind.reply(world.bind.sent[0])
    world.bind.reply(status=Status.ESME_RMSGQFUL)
    await world.calm()
    await world.configure(carriers=[make_settings("beta")])
    await trio.sleep(1)
    assert await world.outcomes() == {number: "failed"}
    await world.check_finished()


async def test_one_that_does_not_end_in_time_is_cut_off(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    [number] = await world.accepted("a")
    old = world.bind
    await world.configure(carriers=[make_settings("beta")])
    await trio.sleep(11)
    assert not old.up
    await trio.sleep(2)
    await world.deliver()
    [event] = await world.events()
    assert (event["type"], event["maybe_duplicate"]) == ("delivered", True)
    assert event["message_id"] == number


async def test_all_binds_unbind_at_the_end(world: Any, make_settings: Any) -> None:
    await world.configure(carriers=[make_settings("alpha", binds=2), make_settings("beta")])
    await world.accepted("a", "b", "c")
    done = []

    async def drain() -> None:
        await world.dispatch.drain()
        done.append(True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(drain)
        await world.calm()
        assert not done
        await world.accepted("not released")
        await world.deliver()
    assert done
    assert not any(bind.up for bind in world.made.values())
    assert len(await world.outcomes()) == 3
    assert world.counts() == {("acme", "queued"): 1}


async def test_what_was_not_answered_is_known_by_carrier(world: Any, make_settings: Any) -> None:
    await world.configure(carriers=[make_settings("alpha"), make_settings("beta")])
    await world.accepted("a", "b" * 300)
    with trio.move_on_after(0):
        await world.dispatch.drain()
    assert sum(world.dispatch.fleet.in_use.values()) == 3
    for bind in world.made.values():
        bind.reply()
    assert world.dispatch.fleet.in_use == {}

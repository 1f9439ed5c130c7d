"""What time does."""

from typing import Any

import pytest
import trio

from gateway.dispatch.intake.texted import MEMO
from gateway.smpp.status import Status


async def test_messages_expire_in_their_lane(world: Any, autojump_clock: object) -> None:
    world.bind.lose()
    ids = await world.accepted({"expires_at": world.clock() + 60}, "lasting")
    await trio.sleep(62)
    assert await world.outcomes() == {ids[0]: "expired"}
    world.bind.come_up()
    await world.deliver()
    await world.check_finished()


async def test_messages_expire_in_the_store(world: Any, autojump_clock: object) -> None:
    world.bind.lose()
    now = world.clock()
    ids = await world.accepted(
        {"send_at": now + 50, "expires_at": now + 60},
        *({"expires_at": now + 60} for _ in range(30)),
    )
    await trio.sleep(66)
    assert await world.outcomes() == dict.fromkeys(ids, "expired")
    await world.check_finished()


async def test_a_torn_message_expires_too(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    [number] = await world.accepted({"text": "x" * 300, "expires_at": world.clock() + 60})
    world.bind.reply(world.bind.sent[0])
    world.bind.reply(status=Status.ESME_RMSGQFUL)
    world.bind.lose()
    await trio.sleep(62)
    assert await world.outcomes() == {number: "expired"}
    await world.check_finished()


async def test_without_a_receipt_the_outcome_is_unknown_at_the_deadline(
    world: Any, make_settings: Any, make_receipt: Any, autojump_clock: object
) -> None:
    await world.configure(carriers=[make_settings(receipt_wait=100.0)])
    texts = [
        {"text": text, "expires_at": world.clock() + 60} for text in ("a", "b" * 300, "c" * 300)
    ]
    ids = await world.accepted(*texts)
    refs = [ref for _, ref in world.bind.reply()]
    await world.bind.receipts(make_receipt(refs[1]), make_receipt(refs[3], "UNDELIV"))
    await trio.sleep(155)
    assert await world.outcomes() == {}
    await trio.sleep(15)
    events = {event["message_id"]: event for event in await world.events()}
    unknown, half, failed = [events[number] for number in ids]
    assert (unknown["type"], unknown["code"]) == ("unknown", "no_receipt")
    assert (half["type"], half["detail"]) == ("unknown", {"parts_delivered": 1})
    assert failed["type"] == "failed"
    # What comes now is too late.
    await world.bind.receipts(*map(make_receipt, refs))
    await world.calm()
    assert len(await world.events()) == 3
    await world.check_finished()


async def test_history_is_forgotten_after_its_time(world: Any, autojump_clock: object) -> None:
    await world.configure(retention=100.0)
    await world.accepted({"key": "k"})
    await world.deliver()
    await trio.sleep(90)
    assert len(await world.events()) == 1
    await trio.sleep(50)
    assert await world.events() == []
    [again] = await world.submit({"key": "k"})
    assert not again.duplicate


@pytest.mark.parametrize("method", ["expired", "overdue", "prune"])
async def test_a_job_that_fails_is_done_the_next_time(
    world: Any, make_settings: Any, method: str, autojump_clock: object
) -> None:
    await world.configure(carriers=[make_settings(receipt_wait=10.0)], retention=300.0)
    await world.accepted({"expires_at": world.clock() + 20})
    world.bind.reply()
    world.bind.lose()
    now = world.clock()
    await world.accepted({"send_at": now + 10, "expires_at": now + 20})
    world.store.failing = {method}
    await trio.sleep(60)
    world.store.failing = set()
    await trio.sleep(40)
    assert sorted((await world.outcomes()).values()) == ["expired", "unknown"]
    await trio.sleep(300)
    assert await world.events() == []


async def test_who_texted_whom_is_kept_once_the_store_takes_it(
    world: Any, autojump_clock: object
) -> None:
    await world.configure()
    await world.accepted("a")
    world.store.failing = {"remember"}
    await trio.sleep(100)
    assert await world.store.recall(MEMO) is None
    world.store.failing = set()
    await trio.sleep(2)
    assert await world.store.recall(MEMO) is not None

"""A message sent again under its key is known for what it is, before anything is judged."""

import zlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import trio

from gateway.api.schema import SubmitMessage
from gateway.dispatch.release.routing import CarrierShare, Match, RouteOptions
from gateway.message import Message, message_id
from gateway.policy import chain
from gateway.policy.quiet_hours import QuietHoursOptions
from gateway.queue.store import Entry


def code(result: Any) -> str:
    return str(result.error.code)


async def test_a_key_stands_for_one_message(world: Any) -> None:
    [first] = await world.submit({"key": "k"})
    again, other = await world.submit({"key": "k"}, {"key": "k2"})
    assert (again.message_id, again.duplicate) == (first.message_id, True)
    assert (other.duplicate, first.duplicate) == (False, False)
    assert len(world.bind.sent) == 2
    assert world.counts() == {("acme", "queued"): 2}
    await world.deliver()
    await world.check_finished()


async def test_within_one_batch_too(world: Any) -> None:
    first, again, later = await world.submit(
        {"key": "k"}, {"key": "k"}, {"key": "k", "send_at": world.clock() + 60}
    )
    assert again.message_id == later.message_id == first.message_id
    assert (first.duplicate, again.duplicate, later.duplicate) == (False, True, True)
    assert world.bind.texts == ["hello"]
    assert world.counts() == {("acme", "queued"): 1}
    assert world.dispatch.lanes.statistics().kept == 0


@pytest.mark.parametrize(
    "change",
    [
        {"text": "other"},
        {"to": "447400000002"},
        {"campaign": "c"},
        {"variant": "b"},
        {"category": "otp"},
    ],
)
async def test_a_key_with_other_content_is_a_conflict(world: Any, change: dict[str, Any]) -> None:
    await world.submit({"key": "k"})
    [result] = await world.submit({"key": "k", **change})
    assert code(result) == "key_conflict"
    assert len(world.bind.sent) == 1


async def test_keys_are_a_tenant_s_own(world: Any) -> None:
    await world.accepted({"key": "k"})
    [result] = await world.submit({"key": "k", "text": "other"}, tenant="umbrella")
    assert result.duplicate is False


async def test_a_duplicate_is_told_whatever_would_refuse_it_now(world: Any) -> None:
    [first] = await world.submit({"key": "k"})
    await world.service.optout("acme", "add", ["447400123456"])
    again, conflict, fresh = await world.submit(
        {"key": "k"}, {"key": "k", "text": "other"}, {"key": "new"}
    )
    assert (again.message_id, again.duplicate) == (first.message_id, True)
    assert code(conflict) == "key_conflict"
    assert code(fresh) == "opted_out"


async def test_a_duplicate_after_the_outcome_sends_nothing(world: Any) -> None:
    [first] = await world.submit({"key": "k"})
    await world.deliver()
    [again] = await world.submit({"key": "k"})
    assert (again.message_id, again.duplicate) == (first.message_id, True)
    assert len(world.bind.sent) == 1


# --- whatever has changed since ---


async def expire(world: Any) -> None:
    await trio.sleep(3600)


async def close(world: Any) -> None:
    """It is night, and the next opening lies behind every expiry."""
    hours = QuietHoursOptions(open="00:00-00:01", categories=frozenset({"transactional"}))
    await world.configure(policy=chain.PolicyOptions(quiet_hours=hours))
    await restrict(world, quiet_hours=True)


async def opt_out(world: Any) -> None:
    await world.service.optout("acme", "add", ["+447400123456"])


async def lose_routes(world: Any) -> None:
    other = RouteOptions("otp", [CarrierShare("alpha")], Match(category=["otp"]))
    await world.configure(routes=[other])


async def lose_sender(world: Any) -> None:
    await restrict(world, senders=("10690003",))


async def change_defaults(world: Any) -> None:
    await change(world, sender="10690003", category="marketing")
    await restrict(world, senders=("10690003",))


async def fill_queue(world: Any) -> None:
    await restrict(world, max_queued=1)
    await world.submit("another")


async def change(world: Any, **fields: Any) -> None:
    """Configure the tenant's dispatch options."""
    tenants = [
        msgspec.structs.replace(one, **fields) if one.id == "acme" else one
        for one in world.options.tenants
    ]
    await world.configure(tenants=tenants)


async def restrict(world: Any, **fields: Any) -> None:
    """Configure the tenant's policy."""
    options = chain.TenantOptions(**{"senders": ("10690001",), "quiet_hours": False, **fields})
    await world.configure(policies={**world.options.policies, "acme": options})


@pytest.mark.parametrize(
    "happen",
    [expire, close, opt_out, lose_routes, lose_sender, change_defaults, fill_queue],
)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"text": "你" * 80},
        {"expires_at": 60.0},
        {"sender": "10690001", "category": "transactional"},
        {"to": "447400123456", "campaign": "spring"},
    ],
)
async def test_a_retry_is_recognised_whatever_would_be_said_of_it_now(
    world: Any, happen: Any, fields: dict[str, Any], autojump_clock: Any
) -> None:
    if "expires_at" in fields:
        fields = {**fields, "expires_at": world.clock() + fields["expires_at"]}
    message = {"key": "k", "send_at": world.clock() + 30, **fields}
    [first] = await world.submit(message)
    await happen(world)
    [again] = await world.submit(message)
    [quoted] = await world.service.quote("acme", [_submitted(message)])
    assert again.duplicate
    for told in ("message_id", "parts", "encoding", "not_before"):
        assert getattr(again, told) == getattr(first, told)
    assert quoted.duplicate
    assert (quoted.parts, quoted.encoding) == (first.parts, first.encoding)
    [conflict] = await world.submit({**message, "text": "another"})
    assert code(conflict) == "key_conflict"


def _submitted(fields: dict[str, Any]) -> Any:
    return SubmitMessage(**{"to": "+447400123456", "text": "hello", **fields})


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ({"send_at": 60.0}, {"send_at": 90.0}),
        ({"send_at": 60.0}, {}),
        ({"send_at": 60.0}, {"send_at": 60.0, "expires_at": -5.0}),
        ({}, {"report": "none"}),
        ({}, {"encoding": "ucs2"}),
        ({}, {"encoding": "nonsense", "report": "nonsense", "send_at": float("nan")}),
        ({}, {"sender": "10690001"}),
        ({"sender": "+10690001"}, {}),
        ({}, {"category": "transactional", "sender": "+10690001"}),
        ({"category": "transactional", "sender": "10690001"}, {}),
        ({"to": "447400123456"}, {"to": "+447400123456"}),
        ({"tlvs": {"0x1400": "a", 5121: b"b"}}, {"tlvs": {"0x1401": b"b", 0x1400: b"a\0"}}),
        ({"tlvs": {}}, {}),
    ],
)
async def test_what_is_no_content_makes_no_other_message(
    world: Any, first: dict[str, Any], again: dict[str, Any]
) -> None:
    def of(fields: dict[str, Any]) -> dict[str, Any]:
        now = world.clock()
        times = {k: v + now for k, v in fields.items() if k in ("send_at", "expires_at")}
        return {"key": "k", **fields, **times}

    [got] = await world.submit(of(first))
    [told] = await world.submit(of(again))
    assert told.duplicate
    assert (told.message_id, told.parts, told.encoding, told.not_before) == (
        got.message_id, got.parts, got.encoding, got.not_before,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # These agree in CRC-32.
        ({"text": "Your code is 8589160526"}, {"text": "Your code is 3769595992"}),
        # Fields that run into one another are told apart.
        ({"campaign": "a", "text": "b"}, {"campaign": "a\0b", "text": "\0"}),
        ({"campaign": None, "text": "b\0c"}, {"campaign": "b", "text": "c"}),
        ({"text": "hello"}, {"text": "hello "}),
        ({"category": "otp"}, {"category": "marketing"}),
        ({"to": "+447400123456"}, {"to": "+447400123457"}),
        ({}, {"tlvs": {"0x1400": "a"}}),
        ({"tlvs": {"0x1400": "a"}}, {}),
        ({}, {"variant": "a"}),
        ({"variant": "a"}, {}),
        ({"variant": "a"}, {"variant": "b"}),
        ({"variant": "a"}, {"campaign": "a"}),
        ({"variant": "a", "tlvs": {"0x1400": "a"}}, {"tlvs": {"0x1400": "a"}}),
        ({"tlvs": {"0x1400": "a"}}, {"tlvs": {"0x1400": "b"}}),
        ({"tlvs": {"0x1400": "a"}}, {"tlvs": {"0x1401": "a"}}),
        ({"tlvs": {"0x1400": "a"}}, {"tlvs": {"0x1400": b"a"}}),
        ({"tlvs": {"0x1400": "a"}}, {"tlvs": {"wrong": 5}}),
    ],
)
async def test_different_contents_are_never_taken_for_the_same(
    world: Any, one: dict[str, Any], other: dict[str, Any]
) -> None:
    await world.submit({"key": "k", **one})
    [result] = await world.submit({"key": "k", **other})
    assert code(result) == "key_conflict"


@pytest.mark.parametrize(
    ("first", "again", "same"),
    [
        ({}, {}, True),
        ({"campaign": "spring"}, {"campaign": "spring"}, True),
        ({"text": "你" * 80}, {"text": "你" * 80}, True),
        ({}, {"text": "other"}, False),
        ({"campaign": "spring"}, {}, False),
    ],
)
async def test_a_key_of_an_earlier_version_is_still_known(
    world: Any,
    make_message: Callable[..., Message],
    first: dict[str, Any],
    again: dict[str, Any],
    same: bool,
) -> None:
    # Such a version kept no parts with a key, and made the digest so.
    message = make_message(parts=0, key="k", **first)
    content = (message.to, message.sender, message.category, message.campaign or "", message.text)
    old = zlib.crc32("\0".join(content).encode())
    await world.store.accept([Entry(message, old, leased=False)])
    [told] = await world.submit({"key": "k", **again})
    if same:
        assert told.duplicate
        assert told.message_id == message_id(message.id)
        [fresh] = await world.submit(again)
        assert (told.parts, told.encoding) == (fresh.parts, fresh.encoding)
    else:
        assert code(told) == "key_conflict"


# --- what became of the first ---


@pytest.mark.parametrize(
    ("stat", "state"), [("DELIVRD", None), ("UNDELIV", "failed"), ("EXPIRED", "expired")]
)
async def test_a_duplicate_tells_what_became_of_the_first_if_it_did_not_arrive(
    world: Any, stat: str, state: str | None
) -> None:
    await world.submit({"key": "k"})
    [waiting] = await world.submit({"key": "k"})
    assert (waiting.state, waiting.note) == (None, None)
    await world.deliver(stat)
    [ended] = await world.submit({"key": "k"})
    assert ended.state == state
    assert (ended.note is None) == (state is None)
    assert len(world.bind.sent) == 1


async def test_a_cancelled_key_says_so_and_how_to_send_it_anew(world: Any) -> None:
    message = {"key": "k", "campaign": "spring", "send_at": world.clock() + 60}
    [first] = await world.submit(message)
    await world.service.cancel("acme", [], ["k"], None)
    [again] = await world.submit(message)
    assert (again.message_id, again.duplicate, again.state) == (first.message_id, True, "cancelled")
    assert again.note == (
        f"the message {first.message_id} that this key stands for was cancelled and is not sent "
        "again: to send it, submit it under another key"
    )
    [anew] = await world.submit({**message, "key": "k2"})
    assert not anew.duplicate


async def test_what_became_of_it_is_a_courtesy(world: Any) -> None:
    [first] = await world.submit({"key": "k"})
    world.store.failing = {"find"}
    again, fresh = await world.submit({"key": "k"}, {"key": "new"})
    assert (again.message_id, again.duplicate, again.state) == (first.message_id, True, None)
    assert not fresh.duplicate


# --- at what cost ---


async def test_keys_are_looked_up_apart_only_where_something_is_refused(world: Any) -> None:
    """Else accepting looks them up, in its own call."""
    world.store.calls.clear()
    await world.submit("a", {"to": "12"})
    await world.submit({"key": "a"}, {"key": "b"}, "c")
    assert world.store.calls["known"] == 0
    await world.submit({"key": "d", "to": "12"}, {"key": "e"})
    assert world.store.calls["known"] == 1
    assert world.store.calls["find"] == 0


async def test_one_that_stands_twice_in_a_batch_is_not_refused_for_the_first_ones_room(
    world: Any,
) -> None:
    await restrict(world, max_queued=1)
    first, again, conflict, other = await world.submit(
        {"key": "k"}, {"key": "k"}, {"key": "k", "text": "other"}, {"key": "l"}
    )
    assert (again.message_id, again.duplicate) == (first.message_id, True)
    assert code(conflict) == "key_conflict"
    assert code(other) == "queue_full"


async def test_the_same_key_on_two_connections_at_once_is_accepted_once(world: Any) -> None:
    results: list[Any] = []

    async def submit() -> None:
        results.extend(await world.submit({"key": "k"}))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(submit)
    assert len({result.message_id for result in results}) == 1
    assert sorted(result.duplicate for result in results) == [False] + [True] * 4
    assert world.bind.texts == ["hello"]

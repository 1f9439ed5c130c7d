"""Two dispatches on one database: what phones say, and what one is asked that is the other's."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
import pytest
import trio

from gateway.api.schema import Into, SubmitMessage
from gateway.facts import OPTOUTS
from gateway.policy import chain
from gateway.policy.conversation import Conversation, ReplyRule
from gateway.policy.destinations import DestinationOptions
from gateway.policy.pumping import PumpingOptions
from gateway.smpp.events import Delivery
from gateway.smpp.pdu import DataSm, DeliverSm, encode
from gateway.smpp.quick import told
from gateway.smpp.tlv import MESSAGE_STATE, RECEIPTED_MESSAGE_ID
from gateway.text.udh import Concat, concat_header
from tests.servers import Postgres

PHONES = [f"4474001{n:05}" for n in range(50)]
SHOP = Conversation(
    [
        ReplyRule(match=("1",), name="hours", text="9 to 21"),
        ReplyRule(match=("3",), text="Somebody answers soon", action="handover", hours=2),
    ]
)
UDHI = 0x40


async def until(ask: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    with trio.fail_after(30):
        while not await ask():
            await trio.sleep(0.02)


class Pair:
    """Two nodes, and a phone that is the first one's."""

    def __init__(self, here: Any, there: Any, make_inbound: Any) -> None:
        self.both = self.here, self.there = here, there
        self.phone = next(phone for phone in PHONES if here.store.sends_to(phone))
        self._make = make_inbound

    @staticmethod
    def bind(world: Any) -> Any:
        """The bind of a node."""
        return next(bind for bind in world.made.values() if bind.up)

    async def say(self, world: Any, text: str | bytes, number: str = "10690001") -> int:
        """The phone says something, which comes to a node; gives the delivery's number."""
        esm_class = UDHI if isinstance(text, bytes) else 0
        bind = self.bind(world)
        await bind.receipts(self._make(text, self.phone, number, esm_class=esm_class))
        return int(bind.received)

    async def part(self, world: Any, text: str, sequence: int, reference: int = 7) -> int:
        """It says a part of something, of two."""
        header = concat_header(Concat(reference, 2, sequence))
        return await self.say(world, header + text.encode())

    async def events(self, kind: str, count: int, tenant: str = "acme") -> list[dict[str, Any]]:
        """The events of a kind, once there are so many, and a while later."""

        async def those() -> list[dict[str, Any]]:
            return [one for one in await self.here.events(tenant) if one["type"] == kind]

        async def enough() -> bool:
            return len(await those()) >= count

        await until(enough)
        await trio.sleep(0.2)
        found = await those()
        assert len(found) == count
        return found

    async def answers(self, count: int) -> list[str]:
        """What either node has answered, once there is so much, and a while later."""

        def texts() -> list[str]:
            binds = [bind for world in self.both for bind in world.made.values()]
            return [text for bind in binds for text in bind.texts]

        async def enough() -> bool:
            return len(texts()) >= count

        await until(enough)
        await trio.sleep(0.2)
        return texts()


@pytest.fixture
async def pair(
    postgres: Postgres, database: str, open_node: Any, make_settings: Any, make_inbound: Any
) -> AsyncIterator[Pair]:
    carriers, dsn = [make_settings(binds=2)], postgres.dsn(database)
    async with (
        open_node(dsn, "a", carriers=carriers) as here,
        open_node(dsn, "b", carriers=carriers) as there,
    ):
        for world in (here, there):
            tenants = [
                msgspec.structs.replace(one, replies=SHOP, confirmation="You are out")
                for one in world.options.tenants
            ]
            await world.configure(tenants=tenants)

        async def ready() -> bool:
            return all(
                one.dispatch.nodes.share == 0.5 and any(bind.up for bind in one.made.values())
                for one in (here, there)
            )

        await until(ready)
        yield Pair(here, there, make_inbound)


async def test_parts_of_a_text_come_to_different_nodes(pair: Pair) -> None:
    """They are put together, once, wherever each comes to."""
    both = pair.here, pair.there
    orders = [(a, b, at) for at in (1, 2) for a in both for b in both]
    for reference, (first, second, at) in enumerate(orders):
        await pair.part(first, f"{reference}-{at} ", at, reference)
        await pair.part(second, f"{reference}-{3 - at} ", 3 - at, reference)
    await pair.part(pair.there, "7-1 ", 1, 7)  # once more
    told = await pair.events("inbound", 8)
    assert {event["text"] for event in told} == {f"{n}-1 {n}-2 " for n in range(8)}
    assert {event["from"] for event in told} == {pair.phone}


async def test_a_stop_is_answered_once_the_node_that_sends_to_the_phone_heeds_it(
    pair: Pair,
) -> None:
    here, bind = pair.here.store, pair.bind(pair.there)

    async def answered() -> bool:
        return number in bind.answered

    here.stuck = trio.Event()
    number = await pair.say(pair.there, "STOP")
    await trio.sleep(0.3)
    assert not await answered()
    here.stuck.set()
    await until(answered)
    held = await pair.here.store.optout_entries("acme", [pair.phone])
    assert [one.source for one in held[pair.phone]] == ["keyword"]
    await pair.events("optout", 1)
    await pair.events("inbound", 1)
    assert await pair.answers(1) == ["You are out"]


async def test_a_stop_in_the_first_part_counts_at_once_and_once(pair: Pair) -> None:
    await pair.part(pair.there, "STOP", 1)
    await pair.events("optout", 1)
    await pair.part(pair.here, " it, please", 2)
    await pair.events("inbound", 1)
    await pair.events("optout", 1)


async def test_a_phone_is_answered_once_a_day_by_all_nodes(pair: Pair) -> None:
    for world in (pair.there, pair.here, pair.there):
        await pair.say(world, "1")
    await pair.events("inbound", 3)
    assert await pair.answers(1) == ["9 to 21"]


async def test_a_conversation_that_a_person_has_is_known_to_all(pair: Pair) -> None:
    """Until one of them is told that it is over."""
    await pair.say(pair.there, "3")
    await pair.events("handover", 1)

    async def known() -> bool:
        found = [await one.service.handover("acme", "check", [pair.phone]) for one in pair.both]
        return all(result.open for [result] in found)

    await until(known)
    await pair.say(pair.here, "1")
    [_, event] = await pair.events("inbound", 2)
    assert "handover_until" in event["detail"]
    [closed] = await pair.there.service.handover("acme", "close", [pair.phone])
    assert closed.changed
    for world in pair.both:
        [found] = await world.service.handover("acme", "check", [pair.phone])
        assert not found.open
    await pair.say(pair.there, "1")
    assert sorted(await pair.answers(2)) == ["9 to 21", "Somebody answers soon"]


async def test_who_texted_last_is_known_wherever_the_answer_comes_to(pair: Pair) -> None:
    """The number is nobody's, and both tenants use the carrier."""
    message = SubmitMessage(to=f"+{pair.phone}", text="hello")
    await pair.there.service.submit("umbrella", [[message]])

    async def sent() -> bool:
        return bool(pair.bind(pair.here).sent)

    await until(sent)
    await pair.say(pair.there, "thank you", "4470000")
    [event] = await pair.events("inbound", 1, "umbrella")
    assert event["detail"]["unowned"]
    await pair.events("inbound", 0)


async def test_who_texted_a_phone_last_is_known_to_the_node_that_it_goes_to(
    pair: Pair, open_node: Any
) -> None:
    """The one that ends has put on record what it knows."""
    message = SubmitMessage(to=f"+{pair.phone}", text="hello")
    await pair.here.service.submit("umbrella", [[message]])

    async def sent() -> bool:
        return bool(pair.bind(pair.here).sent)

    await until(sent)
    pair.here.running.cancel()

    async def taken_over() -> bool:
        return bool(pair.there.store.sends_to(pair.phone))

    await until(taken_over)
    await until(partial(known, pair.there, 1.0))
    await pair.say(pair.there, "thank you", "4470000")

    async def told() -> bool:
        return any(one["type"] == "inbound" for one in await pair.there.events("umbrella"))

    await until(told)
    assert [one["type"] for one in await pair.there.events("acme")] == []


async def known(world: Any, share: float) -> bool:
    return bool(world.dispatch.nodes.share == share)


async def test_a_cancel_by_id_is_answered_as_it_is(pair: Pair) -> None:
    """What lies in a lane of the other node is cancelled; what is with its carrier is not."""
    messages = [SubmitMessage(to=f"+{pair.phone}", text=f"hello {n}") for n in range(12)]
    [results] = await pair.here.service.submit("acme", [messages])
    ids = [result.message_id for result in results]
    bind = pair.bind(pair.here)

    async def full() -> bool:
        return len(bind.sent) == 10

    await until(full)
    cancelled = await pair.there.service.cancel("acme", ids, [], None)
    assert cancelled.cancelled == 2
    done = {one.message_id for one in cancelled.results if one and one.cancelled}
    assert len(done) == 2
    assert {one.state for one in cancelled.results if one.message_id in done} == {"cancelled"}
    outcomes = await pair.here.outcomes()
    assert outcomes == dict.fromkeys(done, "cancelled")
    for _ in range(2):
        bind.reply()
        await trio.sleep(0.2)
    assert len(bind.sent) == 10


async def test_a_receipt_may_overtake_its_response_by_way_of_another_node(
    pair: Pair, make_receipt: Any
) -> None:
    message = SubmitMessage(to=f"+{pair.phone}", text="hello")
    await pair.here.service.submit("acme", [[message]])

    async def is_sent() -> bool:
        return bool(pair.bind(pair.here).sent)

    await until(is_sent)
    await pair.bind(pair.there).receipts(make_receipt("42x", "DELIVRD", pair.phone))
    await trio.sleep(0.3)
    assert await pair.here.events() == []
    pair.bind(pair.here).reply(ids=["42x"])
    with trio.fail_after(2):
        await pair.events("delivered", 1)


async def send(pair: Pair, *texts: str) -> list[str]:
    """Have the node that sends to the phone send something, as the carrier acknowledges."""
    messages = [SubmitMessage(to=f"+{pair.phone}", text=text) for text in texts]
    [results] = await pair.here.service.submit("acme", [messages])
    bind = pair.bind(pair.here)

    async def all_sent() -> bool:
        return len(bind.sent) >= len(texts)

    await until(all_sent)
    bind.reply(ids=[f"{n}42x" for n in range(len(bind.sent))])
    ids = [one.message_id for one in results]
    await until(partial(stand, pair.here, ids, "sent"))
    return ids


async def stand(world: Any, ids: list[str], state: str) -> bool:
    return bool(await world.states(ids) == [state] * len(ids))


def of_the_book(pdu: DeliverSm) -> Delivery:
    frame = encode(pdu, 7)
    assert told(frame) is not None
    return Delivery(7, frame, 1, told(frame))


@pytest.mark.parametrize(
    ("how", "outcome"),
    [
        ("book", "delivered"),
        ("marked", "delivered"),
        ("failed", "failed"),
        ("data_sm", "delivered"),
        ("unmarked", "delivered"),
        ("national", "delivered"),
        ("from the sender", "delivered"),
        ("no phone", "delivered"),
    ],
)
async def test_a_receipt_may_come_to_another_node(
    pair: Pair, make_receipt: Any, how: str, outcome: str
) -> None:
    """In whatever form: the node that has the part hears of it; where its phone does not say which
    node that is, whoever has the part is asked to put it on record."""
    ids = await send(pair, "hello")
    bind = pair.bind(pair.there)
    pdu = make_receipt("042x", "DELIVRD", pair.phone)
    if how == "failed":
        pdu = make_receipt("042x", "UNDELIV", pair.phone, error="027")
    elif how == "data_sm":
        names = ("source_addr", "destination_addr", "esm_class")
        fields = {name: getattr(pdu, name) for name in names}
        pdu = DataSm(**fields, tlvs=(RECEIPTED_MESSAGE_ID.of("042x"), MESSAGE_STATE.of(2)))
    elif how == "unmarked":
        pdu = msgspec.structs.replace(pdu, esm_class=0)
    elif how == "national":
        pdu = msgspec.structs.replace(pdu, source_addr=f"0{pair.phone[2:]}", source_addr_ton=2)
    elif how == "from the sender":
        pdu = msgspec.structs.replace(pdu, source_addr="10690001", destination_addr=pair.phone)
    elif how == "no phone":
        pdu = msgspec.structs.replace(pdu, source_addr="")
    if how == "book":
        await bind.listener.delivered(bind, [of_the_book(pdu)])
    else:
        await bind.receipts(pdu)
    with trio.fail_after(5):
        [event] = await pair.events(outcome, 1)
    assert event["message_id"] == ids[0]
    assert bind.answered
    assert [one["type"] for one in await pair.here.events()] == [outcome]
    if how == "failed":
        assert event["detail"]["receipt_error"] == "027"


async def test_receipts_of_a_long_message_come_to_both(pair: Pair, make_receipt: Any) -> None:
    await send(pair, "long " * 60)
    first, second = (make_receipt(ref, "DELIVRD", pair.phone) for ref in ("042x", "142x"))
    await pair.bind(pair.there).receipts(first)
    await pair.bind(pair.here).receipts(second)
    await pair.events("delivered", 1)


async def test_what_another_node_has_sent_a_moment_ago_is_told(pair: Pair) -> None:
    """By its id and by its phone."""
    [number] = await send(pair, "hello")
    assert await pair.there.states([number]) == ["sent"]
    [(tenant, record)], _ = await pair.there.store.live_to([pair.phone])
    assert (tenant, record.state) == ("acme", "sent")


async def test_receipts_of_a_carrier_that_a_node_does_not_know_wait_for_it(
    pair: Pair, make_receipt: Any
) -> None:
    await send(pair, "hello")
    before = pair.here.options.carriers
    await pair.here.configure(carriers=())
    await pair.bind(pair.there).receipts(make_receipt("042x", "DELIVRD", pair.phone))
    await trio.sleep(0.3)
    assert await pair.here.events() == []
    await pair.here.configure(carriers=before)
    await pair.events("delivered", 1)


async def test_one_time_passwords_are_counted_over_nodes(pair: Pair) -> None:
    """Eight to one range, by turns, of which five are nothing unusual."""
    policy = chain.PolicyOptions(
        destinations=DestinationOptions(watched=("UZ",)),
        pumping=PumpingOptions(least=5, minutes=1440),
    )
    for world in pair.both:
        await world.configure(policy=policy)
    later = []
    for n in range(8):
        world = pair.both[n % 2]
        message = SubmitMessage(to=f"+99890123{n:04}", text=str(n), category="otp")
        [[result]] = await world.service.submit("acme", [[message]])
        later.append(result.not_before is not None)
    assert later == [False] * 5 + [True] * 3


@pytest.mark.parametrize("asked", [0, 1])
async def test_an_import_holds_at_every_node_once_one_says_so(pair: Pair, asked: int) -> None:
    """Whichever is asked, and whichever carries it out."""
    for part, world in enumerate(pair.both):
        numbers = PHONES[part::2]
        await world.service.optout("acme", "add", numbers, "import", Into("spring", part))
    asking = pair.both[asked]
    with trio.fail_after(30):
        while (await asking.service.apply("acme", "spring", len(PHONES))).rest:
            pass
    for world in pair.both:
        facts = await world.store.facts("acme", PHONES, OPTOUTS)
        assert facts.opted_out == {*PHONES}

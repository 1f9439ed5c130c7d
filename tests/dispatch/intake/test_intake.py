"""Submitted batches become messages, are judged and are made durable."""

import random
from datetime import datetime
from typing import Any, cast

import msgspec
import pytest
import trio

from gateway.api.schema import Accepted, SubmitMessage
from gateway.dispatch.intake import contents, drafting
from gateway.dispatch.intake.turns import TURN
from gateway.dispatch.release.routing import CarrierShare, Match, RouteOptions
from gateway.dispatch.serving import service
from gateway.errors import RequestError, StoreError
from gateway.message import Category, LaneKey, Message
from gateway.policy import chain, windows
from gateway.policy.clocks import Clock
from gateway.policy.quiet_hours import QuietHours, QuietHoursOptions
from gateway.policy.regions import place_of
from tests.dispatch.conftest import carrier_settings

NAN, INF = float("nan"), float("inf")
CLOSED = chain.PolicyOptions(
    quiet_hours=QuietHoursOptions(
        open="08:00-12:00", categories=frozenset({"otp", "transactional", "marketing"})
    )
)


def code(result: Any) -> str:
    return str(result.error.code)


async def change(world: Any, name: str = "acme", **fields: Any) -> None:
    """Configure a tenant's dispatch options."""
    tenants = [
        msgspec.structs.replace(one, **fields) if one.id == name else one
        for one in world.options.tenants
    ]
    await world.configure(tenants=tenants)


async def restrict(world: Any, **fields: Any) -> None:
    """Configure a tenant's policy."""
    options = chain.TenantOptions(**{"senders": ("10690001",), "quiet_hours": False, **fields})
    await world.configure(policies={**world.options.policies, "acme": options})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"to": "12"}, "invalid_recipient"),
        ({"to": "+999400123456"}, "invalid_recipient"),
        ({"to": ""}, "invalid_recipient"),
        ({"sender": "!"}, "invalid_sender"),
        ({"sender": "a name too long"}, "invalid_sender"),
        ({"sender": "10690002"}, "sender_not_allowed"),
        ({"category": "promo"}, "invalid_value"),
        ({"encoding": "utf8"}, "invalid_value"),
        ({"report": "all"}, "invalid_value"),
        ({"key": ""}, "invalid_value"),
        ({"key": "é" * 33}, "invalid_value"),
        ({"campaign": ""}, "invalid_value"),
        ({"campaign": "x" * 65}, "invalid_value"),
        ({"variant": ""}, "invalid_value"),
        ({"variant": "x" * 17}, "invalid_value"),
        ({"send_at": NAN}, "invalid_value"),
        ({"send_at": INF}, "invalid_value"),
        ({"send_at": -1.0}, "invalid_value"),
        ({"send_at": 9e12}, "invalid_value"),
        ({"expires_at": NAN}, "invalid_value"),
        ({"expires_at": INF}, "invalid_value"),
        ({"expires_at": -INF}, "invalid_value"),
        ({"expires_at": 9e12}, "invalid_value"),
        ({"expires_at": 5.0}, "expired"),
        ({"text": ""}, "empty_text"),
        ({"text": "x" * 40_000}, "too_long"),
        ({"text": "你", "encoding": "gsm7"}, "unencodable"),
    ],
)
async def test_what_is_wrong_with_a_message_refuses_it_alone(
    world: Any, fields: dict[str, Any], expected: str
) -> None:
    before, refused, after = await world.submit("before", fields, "after")
    assert code(refused) == expected
    assert before.message_id < after.message_id
    assert world.bind.texts == ["before", "after"]
    assert world.counts() == {("acme", "queued"): 2}
    rendered = world.metrics.snapshot().render().decode()
    assert f'messages_refused_total{{code="{expected}",tenant="acme"}} 1.0' in rendered


@pytest.mark.parametrize(
    ("field", "choices"),
    [
        ("category", "otp, transactional or marketing"),
        ("encoding", "auto, gsm7 or ucs2"),
        ("report", "final or none"),
    ],
)
async def test_a_refusal_names_the_choices(world: Any, field: str, choices: str) -> None:
    [refused] = await world.submit({field: "nonsense"})
    assert refused.error.message == f"{field}: 'nonsense' is not {choices}"


async def test_a_tenant_uses_its_categories_and_no_other(world: Any) -> None:
    await change(world, categories=frozenset({"transactional", "marketing"}))
    otp, marketing, default = await world.submit(
        {"category": "otp", "text": "SALE"}, {"category": "marketing"}, "a"
    )
    assert (code(otp), otp.error.message) == (
        "invalid_value",
        "category: 'otp' is not one that this tenant may use: transactional or marketing",
    )
    assert marketing.message_id
    assert default.message_id


@pytest.mark.parametrize("field", ["send_at", "expires_at"])
@pytest.mark.parametrize(
    ("per_second", "unit"),
    [(1_000, "milliseconds"), (1_000_000, "microseconds"), (1_000_000_000, "nanoseconds")],
)
async def test_times_in_another_unit_are_refused_with_the_mend(
    world: Any, field: str, per_second: int, unit: str
) -> None:
    value = (world.clock() + 3600) * per_second
    [refused] = await world.submit({field: value})
    assert code(refused) == "invalid_value"
    assert f"looks like {unit}, so divide it by {per_second:,}" in refused.error.message


async def test_a_span_in_place_of_a_time_is_refused_with_the_mend(world: Any) -> None:
    [refused] = await world.submit({"expires_at": 3600.0})
    assert code(refused) == "expired"
    assert "it is a time, not seconds from now" in refused.error.message


@pytest.mark.parametrize("field", ["category", "encoding", "report", "send_at"])
async def test_a_refusal_names_the_field_and_the_value(world: Any, field: str) -> None:
    value: Any = -1.0 if field == "send_at" else "nonsense"
    [refused] = await world.submit({field: value})
    assert refused.error.message.startswith(f"{field}: '{value}' is not ")


async def test_values_at_their_bounds_are_fine(world: Any) -> None:
    now = world.clock()
    results = await world.submit(
        {"key": "é" * 32},
        {"campaign": "x" * 64},
        {"variant": "世" * 16},
        {"to": "447400123456"},
        {"sender": "+10690001"},
        {"send_at": 0.0},
        {"send_at": now + 365 * 86_400},
        {"expires_at": now + 1.0},
        {"text": "x" * 1600},
    )
    assert all(hasattr(result, "message_id") for result in results)


async def test_one_without_any_sender_is_refused(world: Any) -> None:
    await change(world, sender=None)
    assert code((await world.submit("a"))[0]) == "invalid_sender"


async def test_an_empty_sender_is_told_from_none(world: Any) -> None:
    [refused] = await world.submit({"sender": ""})
    assert code(refused) == "invalid_sender"
    assert refused.error.message.startswith("from: empty; leave it out")


async def test_one_that_expires_before_it_is_due_has_expired(world: Any) -> None:
    now = world.clock()
    [refused] = await world.submit({"send_at": now + 60, "expires_at": now + 60})
    assert code(refused) == "expired"


async def test_what_no_route_takes_is_refused(world: Any) -> None:
    routes = [RouteOptions("otp", [CarrierShare("alpha")], Match(category=["otp"]))]
    await world.configure(routes=routes)
    refused, accepted = await world.submit("a", {"category": "otp"})
    assert code(refused) == "no_route"
    assert accepted.parts == 1


async def test_who_opted_out_is_not_texted(world: Any) -> None:
    await world.service.optout("acme", "add", ["+447400000001"])
    [refused, accepted] = await world.submit({"to": "447400000001"}, {"to": "447400000002"})
    assert code(refused) == "opted_out"
    assert accepted.message_id
    assert await world.accepted({"to": "447400000001"}, tenant="umbrella")


async def test_a_tenant_may_have_only_so_many_waiting(world: Any) -> None:
    await restrict(world, max_queued=3)
    first = await world.submit("a", "b")
    second = await world.submit("c", "d")
    assert [hasattr(r, "message_id") for r in first + second] == [True, True, True, False]
    assert code(second[1]) == "queue_full"
    await world.deliver()
    assert await world.accepted("e", "f", "g")


async def test_no_tenant_no_submission(world: Any) -> None:
    with pytest.raises(RequestError, match="forbidden"):
        await world.submit("a", tenant="nobody")


async def test_results_stand_in_the_order_of_the_messages(world: Any) -> None:
    batches = [["a", ""], [], ["", "b", "c" * 200]]
    results = await world.service.submit(
        "acme", [[_submit(text) for text in batch] for batch in batches]
    )
    parts = [[getattr(result, "parts", 0) for result in batch] for batch in results]
    assert parts == [[1, 0], [], [0, 1, 2]]


def _submit(text: str) -> SubmitMessage:
    return SubmitMessage(to="447400123456", text=text)


async def test_defaults_are_the_tenant_s(world: Any) -> None:
    await change(world, category="otp", sender="10690001")
    [number] = await world.accepted("a")
    [record], _ = await world.store.find("acme", [int(number, 16)], [])
    message: Message = record.message
    assert (message.category, message.sender) == ("otp", "10690001")
    assert message.expires_at == message.accepted_at + 600


async def test_validity_counts_from_when_it_is_due(world: Any) -> None:
    at = world.clock() + 3600
    [number] = await world.accepted({"send_at": at, "category": "otp"})
    [record], _ = await world.store.find("acme", [int(number, 16)], [])
    assert record.message.expires_at == at + 600


@pytest.mark.parametrize(
    ("fields", "encoding", "parts"),
    [
        ({"text": "hello"}, "gsm7", 1),
        ({"text": "你好"}, "ucs2", 1),
        ({"text": "hello", "encoding": "ucs2"}, "ucs2", 1),
        ({"text": "x" * 161}, "gsm7", 2),
        ({"text": "你" * 71}, "ucs2", 2),
    ],
)
async def test_the_answer_tells_encoding_and_parts(
    world: Any, fields: dict[str, Any], encoding: str, parts: int
) -> None:
    [result] = await world.submit(fields)
    assert (result.encoding, result.parts, result.not_before) == (encoding, parts, None)


# --- later ---


async def test_one_to_be_sent_later_is_sent_then(world: Any, autojump_clock: object) -> None:
    at = world.clock() + 100
    [result] = await world.submit({"send_at": at})
    assert result.not_before == at
    assert world.counts() == {("acme", "deferred"): 1}
    await trio.sleep(99)
    assert world.bind.sent == []
    await trio.sleep(1.5)
    assert len(world.bind.sent) == 1
    assert world.counts() == {("acme", "queued"): 1}
    await world.deliver()
    await world.check_finished()


async def test_quiet_hours_defer(world: Any) -> None:
    await restrict(world, quiet_hours=True)
    await world.configure(policy=CLOSED)
    [result] = await world.submit("a")
    assert result.not_before is not None
    assert result.not_before % 86_400 == 7 * 3600  # eight o'clock in British summer time
    assert result.not_before > world.clock()
    assert world.bind.sent == []


async def test_quiet_hours_that_outlive_a_message_refuse_it(world: Any) -> None:
    await restrict(world, quiet_hours=True)
    await world.configure(policy=CLOSED)
    [result] = await world.submit({"expires_at": world.clock() + 3600})
    assert code(result) == "expired"
    assert world.counts() == {}


SPAIN, FRANCE, SATELLITE = "+34612345678", "+33612345678", "+881612345678"


@pytest.mark.parametrize(
    ("fields", "not_before", "expires"),
    [
        # A Friday evening's text waits for Monday, though its 48 hours end on Sunday. Spanish
        # phones may be on the Canary Islands, where it is an hour earlier.
        ({"to": SPAIN, "send_at": "2026-11-20T22:00+01:00"}, "2026-11-23T10:00+01:00", None),
        ({"to": FRANCE, "send_at": "2026-11-20T22:00+01:00"}, "2026-11-21T08:00+01:00", None),
        # So it does over the longest run of holidays.
        ({"to": FRANCE, "send_at": "2026-12-24T21:00+01:00"}, "2026-12-26T08:00+01:00", None),
        # Eleven open hours a day, less the margin: 48 of them are over on the fifth day.
        (
            {"to": SPAIN, "send_at": "2026-11-23T10:00+01:00"},
            "2026-11-23T10:00+01:00",
            "2026-11-27T14:04+01:00",
        ),
        # What keeps no quiet hours expires by the clock.
        (
            {"to": SPAIN, "send_at": "2026-11-20T22:00+01:00", "category": "transactional"},
            "2026-11-20T22:00+01:00",
            "2026-11-22T22:00+01:00",
        ),
        (
            {"to": SPAIN, "send_at": "2026-11-20T22:00+01:00", "category": "otp"},
            "2026-11-20T22:00+01:00",
            "2026-11-20T22:10+01:00",
        ),
        # A stated time refuses.
        (
            {
                "to": SPAIN,
                "send_at": "2026-11-20T22:00+01:00",
                "expires_at": "2026-11-23T09:59+01:00",
            },
            None,
            None,
        ),
        (
            {
                "to": SPAIN,
                "send_at": "2026-11-20T22:00+01:00",
                "expires_at": "2026-11-23T10:30+01:00",
            },
            "2026-11-23T10:00+01:00",
            "2026-11-23T10:30+01:00",
        ),
        # And so does a place that is never open, where nobody knows what the clock shows.
        ({"to": SATELLITE, "send_at": "2026-11-20T12:00+01:00"}, None, None),
    ],
)
async def test_a_default_validity_counts_open_time(
    world: Any, fields: dict[str, str], not_before: str | None, expires: str | None
) -> None:
    def moment(text: str) -> float:
        return datetime.fromisoformat(text).timestamp()

    await restrict(world, quiet_hours=True)
    times = {name: moment(text) for name, text in fields.items() if name.endswith("_at")}
    [result] = await world.submit({"category": "marketing", **fields, **times})
    if not_before is None:
        assert code(result) == "expired"
        return
    assert result.not_before == moment(not_before)
    if expires is not None:
        category = cast("Category", fields.get("category", "marketing"))
        lane = LaneKey("acme", category, "default")
        [message] = await world.waiting(lane, result.not_before)
        assert message.expires_at == moment(expires)


@pytest.mark.parametrize(
    ("category", "validity", "send_at", "not_before", "expires"),
    [
        # Ten minutes of a one-time password, five before noon: four are left of the day, less the
        # margin, and six are of the morning.
        (
            "otp",
            600.0,
            "2026-11-23T11:55+01:00",
            "2026-11-23T11:55+01:00",
            "2026-11-24T08:06+01:00",
        ),
        (
            "otp",
            600.0,
            "2026-11-23T13:00+01:00",
            "2026-11-24T08:00+01:00",
            "2026-11-24T08:10+01:00",
        ),
        # A validity that is shorter than the night.
        (
            "marketing",
            60.0,
            "2026-11-20T22:00+01:00",
            "2026-11-21T08:00+01:00",
            "2026-11-21T08:01+01:00",
        ),
        # Over the change of the clocks.
        (
            "marketing",
            7200.0,
            "2026-10-24T11:00+02:00",
            "2026-10-24T11:00+02:00",
            "2026-10-25T09:01+01:00",
        ),
        # A month of waiting is enough.
        (
            "marketing",
            40 * 86_400.0,
            "2026-11-20T09:00+01:00",
            "2026-11-20T09:00+01:00",
            "2026-12-30T09:00+01:00",
        ),
    ],
)
async def test_a_validity_that_is_configured_counts_open_time_too(
    world: Any, category: str, validity: float, send_at: str, not_before: str, expires: str
) -> None:
    def moment(text: str) -> float:
        return datetime.fromisoformat(text).timestamp()

    await restrict(world, quiet_hours=True)
    await world.configure(policy=CLOSED)
    [tenant] = [one for one in world.options.tenants if one.id == "acme"]
    await change(world, validity={**tenant.validity, category: validity})
    [result] = await world.submit({"to": FRANCE, "category": category, "send_at": moment(send_at)})
    assert result.not_before == moment(not_before)
    [record], _ = await world.store.find("acme", [int(result.message_id, 16)], [])
    assert record.message.expires_at == moment(expires)


@pytest.mark.parametrize(
    ("late", "noted"),
    [
        (0.0, None),
        (299.0, None),
        (301.0, "send_at: passed 0:05:01 ago; the message goes as soon as it may"),
        (3 * 86_400.0, "send_at: passed 3 days, 0:00:00 ago; the message goes as soon as it may"),
    ],
)
async def test_a_time_that_has_passed_loses_no_message_and_is_told(
    world: Any, late: float, noted: str | None
) -> None:
    send_at = int(world.clock()) - late
    [result] = await world.submit({"send_at": send_at})
    assert result.note == noted
    assert world.bind.texts == ["hello"]
    [quoted] = await world.service.quote(
        "acme", [SubmitMessage(to="+447400123456", text="hello", send_at=send_at)]
    )
    assert quoted.note == noted


async def test_one_whose_lateness_matters_says_until_when(world: Any) -> None:
    now = world.clock()
    [result] = await world.submit({"send_at": now - 3600, "expires_at": now - 1800})
    assert code(result) == "expired"


# --- quotes ---


async def test_a_quote_tells_what_would_be_and_stores_nothing(world: Any) -> None:
    await world.service.optout("acme", "add", ["447400000001"])
    at = world.clock() + 60
    world.store.calls.clear()
    plain, later, out, wrong = await world.service.quote(
        "acme",
        [
            _submit("x" * 161),
            msgspec.structs.replace(_submit("a"), send_at=at),
            msgspec.structs.replace(_submit("a"), to="447400000001"),
            _submit(""),
        ],
    )
    await world.calm()
    assert (plain.parts, plain.encoding, plain.not_before) == (2, "gsm7", None)
    assert later.not_before == at
    assert (code(out), code(wrong)) == ("opted_out", "empty_text")
    assert world.store.calls["accept"] == 0
    assert world.counts() == {}
    assert world.bind.sent == []


async def test_a_quote_knows_quiet_hours(world: Any) -> None:
    await restrict(world, quiet_hours=True)
    await world.configure(policy=CLOSED)
    [quoted] = await world.service.quote("acme", [_submit("a")])
    assert quoted.not_before % 86_400 == 7 * 3600


# --- when the store refuses ---


async def test_a_store_that_refuses_leaves_nothing_behind(
    world: Any, autojump_clock: object
) -> None:
    world.store.failing = {"accept"}
    with pytest.raises(StoreError):
        await world.submit("a", "b", {"send_at": world.clock() + 60})
    world.store.failing = set()
    assert world.counts() == {}
    assert world.dispatch.lanes.statistics().kept == 0
    await trio.sleep(70)
    assert world.bind.sent == []
    await world.accepted("c")
    assert world.bind.texts == ["c"]


async def test_a_batch_is_one_commit(world: Any) -> None:
    world.store.calls.clear()
    await world.submit(*(f"{n}" for n in range(200)))
    assert world.store.calls["accept"] == 1
    assert world.store.calls["facts"] < 20


# --- the longest turn ---


class Turns(trio.abc.Instrument):
    """Counts the work of a kind in each turn that a task has of the loop."""

    def __init__(self) -> None:
        self.done = 0
        self.turns: list[int] = []
        self._before = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._before = self.done

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.turns.append(self.done - self._before)


@pytest.mark.parametrize("to", ["+79161234567", "+18005550100", "+34612345678"])
async def test_a_year_of_times_in_any_order_holds_nobody_up(
    world: Any, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    options = chain.TenantOptions(senders=("10690001",))
    await world.configure(policies={**world.options.policies, "acme": options})
    turns = Turns()
    through = Clock.through

    def count(clock: Clock, day: int) -> Any:
        turns.done += 1
        return through(clock, day)

    monkeypatch.setattr(Clock, "through", count)
    chance = random.Random(20261126)
    batch = [
        SubmitMessage(
            to=to,
            text=f"{number}",
            category="marketing",
            send_at=world.clock() + chance.uniform(0, 360 * 86_400),
        )
        for number in range(5_000)
    ]
    trio.lowlevel.add_instrument(turns)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.service.quote, "acme", batch)
    first, turns.turns = turns.turns, []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.service.quote, "acme", batch)
    trio.lowlevel.remove_instrument(turns)
    # Each day of each zone is looked up once, whatever the order: some 30 ms for the 42 zones of
    # a toll-free number, if all of it falls into one turn.
    zones = len(place_of(to.removeprefix("+")).zones)
    assert sum(first) <= zones * (360 + 2 * windows.AHEAD + windows.HORIZON)
    assert sum(turns.turns) == 0
    # And others have had turns between.
    assert min(len(first), len(turns.turns)) >= 5_000 // TURN


def _batch(count: int = 2_000) -> list[SubmitMessage]:
    numbers = range(count)
    return [SubmitMessage(to=f"+86139{n:08}", text=f"No. {n}", key=f"k{n}") for n in numbers]


async def _submitted(world: Any) -> None:
    await world.service.submit("acme", [_batch()])


async def _submitted_again(world: Any) -> None:
    await _submitted(world)
    await _submitted(world)


async def _quoted(world: Any) -> None:
    await world.service.quote("acme", _batch())


async def _opted_out(world: Any) -> None:
    await world.service.optout("acme", "add", [message.to for message in _batch()])


@pytest.mark.parametrize(
    ("work", "owner", "name"),
    [
        (_submitted, drafting, "read"),
        (_submitted, drafting, "measure"),
        (_submitted, contents, "digest"),
        (_submitted, QuietHours, "judge"),
        (_submitted_again, contents, "is_same"),
        (_quoted, drafting, "measure"),
        (_quoted, QuietHours, "judge"),
        (_opted_out, service, "read"),
    ],
)
async def test_no_turn_is_longer_than_for_so_many_messages(
    world: Any, monkeypatch: pytest.MonkeyPatch, work: Any, owner: Any, name: str
) -> None:
    """What is done for each message of a batch, others have their turn after so many of them."""
    await restrict(world, quiet_hours=True)
    turns = Turns()
    real = getattr(owner, name)

    def counted(first: Any, *rest: Any) -> Any:
        turns.done += len(rest[0]) if name == "judge" else 1
        return real(first, *rest)

    monkeypatch.setattr(owner, name, counted)
    trio.lowlevel.add_instrument(turns)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(work, world)
    trio.lowlevel.remove_instrument(turns)
    assert sum(turns.turns) >= 2_000
    assert max(turns.turns) <= TURN


async def test_batches_that_are_judged_by_turns_keep_to_the_limit_of_the_queue(world: Any) -> None:
    await restrict(world, max_queued=1_500)
    found: list[Any] = []

    async def submit(category: str) -> None:
        batch = [msgspec.structs.replace(m, category=category, key=None) for m in _batch(1_000)]
        [results] = await world.service.submit("acme", [batch])
        found.extend(results)

    async with trio.open_nursery() as nursery:
        for category in ("otp", "transactional", "otp"):
            nursery.start_soon(submit, category)
    accepted = [result for result in found if isinstance(result, Accepted)]
    assert len(accepted) == 1_500
    assert world.dispatch.ledger.total("acme") == 1_500


async def test_a_batch_is_answered_before_any_of_it_is_sent(world: Any) -> None:
    """So that no event comes of a message whose id nobody was told."""
    await world.service.submit("acme", [_batch(500)])
    assert world.bind.sent == []
    await world.calm()
    assert world.bind.sent


async def test_what_is_not_stored_after_all_is_not_counted(world: Any) -> None:
    world.store.failing.add("accept")
    with pytest.raises(StoreError):
        await world.service.submit("acme", [_batch(500)])
    assert world.counts() == {}
    world.store.failing.clear()
    [results] = await world.service.submit("acme", [_batch(500)])
    assert all(isinstance(result, Accepted) for result in results)


# --- optional parameters ---


@pytest.mark.parametrize(
    ("tlvs", "why"),
    [
        ({"0x0424": "x"}, "tlvs: '0x0424': is written by the gateway, see long_messages"),
        ({0x0381: b"x"}, "tlvs: 0x0381: not a vendor's tag, 0x1400 to 0x3FFF"),
        ({0x1400: 1101456700000012345}, "tlvs: 0x1400: the value is neither octets nor a text"),
        ({0x1400: "1" * 255}, "tlvs: 0x1400: 256 octets, over 255"),
    ],
)
async def test_a_wrong_parameter_refuses_its_message_alone(
    world: Any, tlvs: dict[Any, Any], why: str
) -> None:
    wrong, right = await world.submit({"tlvs": tlvs}, {"tlvs": {0x1400: "1"}})
    assert (wrong.error.code, wrong.error.message) == ("invalid_value", why)
    assert right.parts == 1
    [quoted] = await world.service.quote(
        "acme", [SubmitMessage(to="447400123456", text="a", tlvs=tlvs)]
    )
    assert quoted.error == wrong.error


@pytest.mark.parametrize(
    ("carrier", "tenant", "message", "sent"),
    [
        ((), (), None, ()),
        ((), (), {}, ()),
        ((), (), {0x1401: "m"}, ((0x1401, b"m\0"),)),
        ((), ((0x1400, b"t"),), None, ((0x1400, b"t"),)),
        (((0x1400, b"c"),), (), None, ((0x1400, b"c"),)),
        (((0x1400, b"c"),), ((0x1400, b"t"),), None, ((0x1400, b"t"),)),
        (((0x1400, b"c"),), ((0x1400, b"t"),), {0x1400: b"m"}, ((0x1400, b"m"),)),
        (
            ((0x1400, b"c"), (0x0005, b"\1")),
            ((0x1401, b"t"), (0x1402, b"t")),
            {"0x1401": b"m"},
            ((0x0005, b"\1"), (0x1400, b"c"), (0x1401, b"m"), (0x1402, b"t")),
        ),
    ],
)
async def test_parameters_come_from_the_message_the_tenant_and_the_carrier_in_this_order(
    world: Any, carrier: Any, tenant: Any, message: Any, sent: Any
) -> None:
    acme, umbrella = world.options.tenants
    await world.configure(
        carriers=[carrier_settings(tlvs=carrier)],
        tenants=(msgspec.structs.replace(acme, tlvs=tenant), umbrella),
    )
    await world.accepted({"tlvs": message}, {"tlvs": message, "text": "x" * 400})
    assert [pdu.tlvs for pdu in world.bind.sent] == [sent] * 4
    await world.deliver()
    await world.check_finished()


async def test_parameters_wait_in_the_store_with_their_message(world: Any) -> None:
    acme, umbrella = world.options.tenants
    acme = msgspec.structs.replace(acme, tlvs=((0x1400, b"t"),))
    await world.configure(tenants=(acme, umbrella))
    await world.accepted({"tlvs": {0x1401: "m"}, "send_at": world.clock() + 5})
    found = await world.waiting(LaneKey("acme", "transactional", "default"), world.clock() + 10)
    assert [message.tlvs for message in found] == [((0x1400, b"t"), (0x1401, b"m\0"))]

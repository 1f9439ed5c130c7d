"""A carrier at run time: its binds, its pace and what it sends again."""

from typing import Any

import pytest

from gateway.dispatch.carriers.actions import Action
from gateway.dispatch.carriers.carriers import ENOUGH, FULL_PAUSE
from gateway.dispatch.carriers.flights import UNANSWERED, Flight
from gateway.dispatch.carriers.full_queues import CROWD
from gateway.dispatch.carriers.pace import PAUSE
from gateway.smpp.status import Status


def flights(bench: Any, carrier: Any, make_message: Any, *sizes: int) -> list[Flight]:
    """Messages of so many parts each."""
    return [
        bench.flight(carrier, make_message(n, parts=size, text="x" * (150 * size)))
        for n, size in enumerate(sizes, 1)
    ]


def spread(carrier: Any) -> list[list[tuple[int, int]]]:
    """What each bind has in flight: message and part."""
    return [
        [(part.flight.message.id, part.number) for _, part in bind.flying] for bind in carrier.binds
    ]


def test_messages_go_to_the_bind_with_most_room_in_one_write(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier(binds=2)
    carrier.submit(flights(bench, carrier, make_message, 1, 1, 1), start)
    assert spread(carrier) == [[(1, 0), (2, 0), (3, 0)], []]
    assert carrier.binds[0].writes == [3]
    carrier.submit(flights(bench, carrier, make_message, 1), start)
    assert spread(carrier)[1] == [(1, 0)]


@pytest.mark.parametrize("category", ["marketing", "otp"])
async def test_idle_binds_cost_nothing(
    bench: Any, make_message: Any, start: float, monkeypatch: pytest.MonkeyPatch, category: str
) -> None:
    carrier = bench.carrier(binds=50, window=ENOUGH)
    kind = type(carrier.binds[0])
    room = kind.room
    asked: list[Any] = []

    def ask(bind: Any) -> Any:
        asked.append(bind)
        return room.__get__(bind)

    monkeypatch.setattr(kind, "room", property(ask))
    carrier.submit([bench.flight(carrier, make_message(1, category=category))], start)
    carrier.binds[0].reply()
    assert carrier.room(start, "marketing") >= ENOUGH  # beside places that are kept
    assert carrier.room(start, "otp") >= ENOUGH
    assert {*asked} <= {*carrier.binds[:5]}
    assert len(asked) < 15


def test_the_roomiest_of_many_is_found_where_none_is_idle(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier(binds=5, window=10)
    for size in (5, 4, 3, 2, 6):
        carrier.submit(flights(bench, carrier, make_message, *[1] * size), start)
    assert [bind.in_use for bind in carrier.binds] == [5, 4, 3, 2, 6]
    assert carrier.room(start) == 30
    carrier.submit(flights(bench, carrier, make_message, 1), start)
    assert [bind.in_use for bind in carrier.binds] == [5, 4, 3, 3, 6]


def test_all_parts_of_a_message_go_to_one_bind_in_order(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier(binds=2, window=4)
    carrier.submit(flights(bench, carrier, make_message, 3, 3), start)
    assert spread(carrier) == [
        [(1, 0), (1, 1), (1, 2), (2, 0)],
        [],
    ]
    assert carrier.room(start) == 4  # those that wait for the first bind take none of the other's


async def test_what_a_window_has_no_room_for_follows_as_it_empties(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier(window=4)
    [bind] = carrier.binds
    carrier.submit(flights(bench, carrier, make_message, 9), start)
    assert carrier.room(start) == 0
    bind.reply(bind.flying[0][0], bind.flying[2][0])
    assert carrier.room(start) == 0
    bind.reply()
    assert carrier.room(start) == 1
    bind.reply()
    assert [response.context.number for response in bench.sink.responses] == [
        0, 2, 1, 3, 4, 5, 6, 7, 8,
    ]  # fmt: skip
    assert bind.writes == [4, 2, 3]


def test_what_waits_for_a_window_comes_back_when_the_bind_is_lost(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier(window=4)
    carrier.submit(flights(bench, carrier, make_message, 6), start)
    carrier.binds[0].lose()
    assert [part.number for part in bench.sink.parts] == [0, 1, 2, 3, 4, 5]
    carrier.binds[0].come_up()
    assert carrier.room(start) == 4


def test_what_waits_for_a_window_follows_what_is_not_answered_in_time(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier(window=4)
    carrier.submit(flights(bench, carrier, make_message, 6), start)
    carrier.binds[0].time_out()
    assert spread(carrier) == [[(1, 4), (1, 5)]]


def test_nothing_is_given_to_a_bind_that_is_not_up(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier(binds=2, window=2)
    first = carrier.binds[0]
    one, two, three, four = flights(bench, carrier, make_message, 1, 2, 1, 2)
    assert carrier.submit([one, two], start) == []
    assert carrier.submit([three, four], start) == []
    first.lose()
    (five,) = flights(bench, carrier, make_message, 1)
    assert carrier.submit([five], start) == [five]
    carrier.resubmit(two, [1], start)
    first.come_up()
    assert spread(carrier) == [[], [(3, 0), (4, 0)]]
    assert carrier.room(start) == 2
    assert carrier.due_again(start) == [(two, [1])]


def test_a_receiver_is_not_submitted_to(bench: Any, start: float) -> None:
    carrier = bench.carrier(mode="receiver")
    assert carrier.all_binds
    assert carrier.binds == ()
    assert not carrier.up
    assert carrier.room(start) == 0


def test_its_rate_is_counted_in_parts_over_all_binds(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier(binds=2, rate=20, window=100)
    sent = 0
    for tick in range(101):  # ten seconds
        now = start + tick / 10
        while carrier.room(now) > 0:
            carrier.submit(flights(bench, carrier, make_message, 2), now)
            sent += 2
        for bind in carrier.binds:
            bind.flying.clear()
    assert sent == pytest.approx(200, abs=4)
    at = carrier.ready_at(start + 10.0)
    assert start + 10.0 < at <= start + 10.2


def test_an_idle_carrier_waits_for_nothing(bench: Any, start: float) -> None:
    assert bench.carrier().ready_at(start) is None


async def test_a_throttled_carrier_pauses_until_its_refusals_are_settled(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier(rate=100, window=100)
    carrier.submit(flights(bench, carrier, make_message, 1, 1), start)
    carrier.binds[0].reply(status=Status.ESME_RTHROTTLED)
    carrier.settled(list(bench.sink.batches[0]))  # others
    assert carrier.room(start + 10) == 0  # what was refused is not in its lane again
    carrier.settled(bench.sink.batches[0])
    assert carrier.room(start) == 0
    assert carrier.ready_at(start) == pytest.approx(start + PAUSE)
    assert 0 < carrier.limit(start + 1.0) < 100
    assert carrier.room(start + 1.0) == 1


async def test_a_stated_delay_is_a_pause(bench: Any, make_message: Any, start: float) -> None:
    carrier = bench.carrier(statuses={0x400: Action("wait", delay=2, slows=True)})
    carrier.submit(flights(bench, carrier, make_message, 1, 1), start)
    carrier.binds[0].reply(status=0x400)
    carrier.settled(bench.sink.batches[0])
    assert carrier.room(start + 1.9) == 0
    assert carrier.room(start + 2) > 0


async def test_what_is_refused_for_other_reasons_tells_nothing_of_the_rate(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier()
    carrier.submit(flights(bench, carrier, make_message, 1), start)
    carrier.binds[0].reply(status=Status.ESME_RINVDSTADR)
    assert carrier.limit(start) == 0
    assert carrier.room(start) == 10


async def test_phones_with_full_queues_do_not_hold_up_the_others(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier(window=200)
    messages = [make_message(n, to=f"4474000000{n:02}") for n in range(CROWD - 1)]
    for _ in range(3):
        carrier.submit([bench.flight(carrier, message) for message in messages], start)
        carrier.binds[0].reply(status=Status.ESME_RMSGQFUL)
    assert carrier.room(start) == 200
    assert carrier.limit(start) == 0


async def test_where_all_phones_are_full_it_is_the_account(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier(window=200)
    messages = [make_message(n, to=f"4474000000{n:02}") for n in range(CROWD)]
    carrier.submit([bench.flight(carrier, message) for message in messages], start)
    carrier.binds[0].reply(status=Status.ESME_RMSGQFUL)
    assert carrier.room(start) == 0
    assert carrier.ready_at(start) == start + FULL_PAUSE
    assert carrier.room(start + FULL_PAUSE) == 1


async def test_unless_the_configuration_says_what_it_means(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier(window=200, statuses={0x14: Action("wait", delay=30)})
    messages = [make_message(n, to=f"4474000000{n:02}") for n in range(CROWD)]
    carrier.submit([bench.flight(carrier, message) for message in messages], start)
    carrier.binds[0].reply(status=Status.ESME_RMSGQFUL)
    assert carrier.room(start) == 200


async def test_parts_are_sent_again_when_it_is_time_and_there_is_room(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier(window=3)
    [flight] = flights(bench, carrier, make_message, 3)
    carrier.send_again(flight, [0, 2], start + 5)
    assert carrier.torn == [flight.message]
    assert carrier.ready_at(start) == start + 5
    assert carrier.due_again(start + 4.9) == []
    carrier.submit(flights(bench, carrier, make_message, 1, 1, 1), start)
    assert carrier.due_again(start + 5) == []
    carrier.binds[0].reply()
    assert carrier.due_again(start + 5) == [(flight, [0, 2])]
    carrier.resubmit(flight, [0, 2], start + 5)
    assert spread(carrier) == [[(1, 0), (1, 2)]]
    assert flight.unanswered == 2
    assert carrier.torn == []


def test_a_carrier_that_is_removed_while_parts_are_judged_hands_them_back(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier()
    [flight] = flights(bench, carrier, make_message, 2)
    flight.refused = {1: UNANSWERED}
    carrier.send_again(flight, [1], start)
    [again] = carrier.due_again(start)  # opt-outs are looked up now, which may take a while
    carrier.retire()
    carrier.binds[0].lose()
    carrier.resubmit(*again, start)
    assert [(r.context.number, r.status) for r in bench.sink.responses] == [(1, UNANSWERED)]
    assert carrier.torn == []


def test_parts_that_cannot_go_out_after_all_wait_on(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier()
    [flight] = flights(bench, carrier, make_message, 2)
    carrier.send_again(flight, [1], start)
    [again] = carrier.due_again(start)
    carrier.binds[0].lose()
    carrier.resubmit(*again, start)
    carrier.binds[0].come_up()
    assert carrier.due_again(start) == [again]


def test_parts_of_expired_messages_are_not_sent_again(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier()
    [flight] = flights(bench, carrier, make_message, 2)
    carrier.send_again(flight, [1], start)
    assert carrier.expired(flight.message.expires_at - 1) == []
    assert carrier.expired(flight.message.expires_at) == [flight]
    assert carrier.due_again(start) == []


@pytest.mark.parametrize("status", [Status.ESME_RTHROTTLED, UNANSWERED])
def test_a_removed_carrier_hands_back_what_waits_to_be_sent_again(
    bench: Any, make_message: Any, start: float, status: int
) -> None:
    carrier = bench.carrier()
    [flight] = flights(bench, carrier, make_message, 3)
    flight.refused = {1: status, 2: status}
    carrier.send_again(flight, [1, 2], start + 5)
    carrier.retire()
    assert [(r.context.number, r.status) for r in bench.sink.responses] == [
        (1, status),
        (2, status),
    ]
    assert flight.unanswered == 2
    assert carrier.torn == []


async def test_a_session_that_the_carrier_knows_nothing_of_is_made_anew(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier()
    carrier.submit(flights(bench, carrier, make_message, 1, 1), start)
    carrier.binds[0].reply(status=Status.ESME_RINVBNDSTS)
    assert len(carrier.binds[0].restarts) == 1
    assert len(bench.sink.responses) == 2


@pytest.mark.parametrize(
    ("options", "state", "ends"),
    [
        ({}, 2, True),
        ({}, 3, True),
        ({}, 8, True),
        ({}, 1, False),
        ({}, 7, False),
        ({}, 0, False),
        ({}, 6, False),
        ({"accepted_is_delivered": True}, 6, True),
    ],
)
def test_which_receipts_are_final(
    bench: Any, options: dict[str, Any], state: int, ends: bool
) -> None:
    assert bench.carrier(**options).ends(state) is ends


def test_other_options_hold_from_now_on(bench: Any, start: float) -> None:
    carrier = bench.carrier(window=1000, receipt_id="same")
    assert carrier.room(start) == 1000
    carrier.reconfigure(bench.carrier(rate=50, receipt_id="hex-dec").options)
    assert carrier.limit(start) == 50
    assert carrier.room(start) < 1000
    assert carrier.correlator.ids.learnt == "hex-dec"


async def test_answers_are_counted_by_status(bench: Any, make_message: Any, start: float) -> None:
    carrier = bench.carrier()
    carrier.submit(flights(bench, carrier, make_message, 1, 1, 1), start)
    [first, *_] = [pdu for pdu, _ in carrier.binds[0].flying]
    carrier.binds[0].reply(first)
    carrier.binds[0].reply(status=0x0B)
    rendered = bench.metrics.snapshot().render().decode()
    assert 'parts_submitted_total{carrier="alpha",status="ESME_ROK"} 1.0' in rendered
    assert 'parts_submitted_total{carrier="alpha",status="ESME_RINVDSTADR"} 2.0' in rendered


def test_places_in_the_window_are_kept_for_one_time_passwords_while_there_are_any(
    bench: Any, make_message: Any, start: float
) -> None:
    carrier = bench.carrier(binds=3, window=16)
    carrier.binds[2].bound = False
    assert carrier.room(start, "marketing") == carrier.room(start) == 32
    password = bench.flight(carrier, make_message(1, category="otp"))
    carrier.submit([password], start)
    assert carrier.room(start) == 31
    assert carrier.room(start, "marketing") == 29
    carrier.submit(flights(bench, carrier, make_message, *[1] * 29), start)
    assert (carrier.room(start), carrier.room(start, "transactional")) == (2, 0)
    assert carrier.room(start + 601, "marketing") == 2

from itertools import islice
from typing import Any

import msgpack
import pytest

from gateway.api.dialogue import Cursor, Replies, Requests, backoff
from gateway.api.frames import frame
from gateway.api.wire import ApiError, Limits, Message

LIMITS = Limits(max_frame=10_000, max_batch=100, max_in_flight=4, idle_timeout=300.0)


def unpacked(requests: Any) -> list[Any]:
    return [msgpack.unpackb(request.frame[4:]) for request in requests]


def events(*seqs: int, epoch: str | None = None) -> dict[str, Any]:
    told = [{"seq": seq, "type": "sent", "at": 1.0} for seq in seqs]
    return {"events": told} if epoch is None else {"epoch": epoch, "events": told}


def test_keys_are_made_where_there_is_none_and_never_twice() -> None:
    message: Message = {"to": "1", "text": "x"}
    own: Message = {"to": "1", "text": "x", "key": "mine"}
    requests = [Requests(), Requests()]
    keys = [
        m["key"]
        for each in requests
        for r in unpacked(each.submits([message, own, message], None, LIMITS))
        for m in r["messages"]
    ]
    assert keys.count("mine") == 2
    assert len(set(keys)) == 5
    assert max(map(len, keys)) <= 64
    assert "key" not in message


def test_batches_keep_to_both_limits_and_to_the_order() -> None:
    messages: list[Message] = [{"to": str(n), "text": "x" * 300} for n in range(250)]
    batches = list(Requests().submits(messages, {"category": "otp"}, LIMITS))
    assert all(len(request.frame) <= 10_004 for request in batches)
    assert len({request.number for request in batches}) == len(batches)
    assert [m["to"] for r in unpacked(batches) for m in r["messages"]] == [
        str(n) for n in range(250)
    ]
    assert all(r["defaults"] == {"category": "otp"} for r in unpacked(batches))


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request\r\n", frame(b"\xc1"), frame(b"\x01")])
def test_a_server_that_speaks_something_else_is_a_lost_connection(data: bytes) -> None:
    with pytest.raises(ConnectionError, match="no reply"):
        Replies().receive(data)


def test_events_given_once_are_not_given_again() -> None:
    cursor = Cursor("crm", "acked", acknowledge=True)
    assert [e.seq for e in cursor.news([{"ok": True, "next": 5}, events(4, 5, 6)])] == [5, 6]
    assert [e.seq for e in cursor.news([{"ok": True, "next": 5}, events(5, 6, 7)])] == [7]


def test_only_what_was_handled_is_acknowledged_and_again_on_a_new_connection() -> None:
    cursor = Cursor("crm", "acked", acknowledge=True)
    cursor.news([events(1, 2, 3)])
    assert cursor.ack() is None
    cursor.handled(2)
    ack = {"op": "ack", "consumer": "crm", "seq": 2}
    assert cursor.ack() == ack
    assert cursor.ack() is None
    cursor.subscribe(4)
    assert cursor.ack() == ack


def test_a_consumer_that_starts_now_comes_back_to_where_it_started() -> None:
    cursor = Cursor("crm", "now", acknowledge=True)
    assert cursor.subscribe(4)["from"] == "now"
    cursor.news([{"ok": True, "next": 100}])
    assert cursor.ack() == {"op": "ack", "consumer": "crm", "seq": 99}
    assert cursor.subscribe(4)["from"] == "acked"


def test_a_refused_subscription_is_an_error() -> None:
    reply = {"ok": False, "error": {"code": "busy", "message": "later"}}
    with pytest.raises(ApiError, match="busy: later"):
        Cursor("crm", "acked", acknowledge=True).news([reply])


def test_pauses_grow_to_ten_seconds_and_differ() -> None:
    pauses = list(islice(backoff(), 20))
    assert 0.05 <= pauses[0] <= 0.1
    assert all(5 <= pause <= 10 for pause in pauses[8:])
    assert len(set(pauses)) == 20


def test_acknowledgements_never_make_too_much_unanswered() -> None:
    cursor = Cursor("crm", "acked", acknowledge=True)
    cursor.subscribe(4)
    cursor.news([{"ok": True, "next": 1}, events(*range(1, 100))])
    sent = []
    for seq in range(1, 20):
        cursor.handled(seq)
        sent.append(cursor.ack())
    assert [ack["seq"] for ack in sent if ack] == [1, 2, 3]
    cursor.news([{"ok": True, "seq": 1}])
    assert cursor.ack() == {"op": "ack", "consumer": "crm", "seq": 19}
    assert cursor.ack() is None


# --- epochs ---


def given(cursor: Cursor, *replies: Any) -> list[tuple[int, str | None]]:
    return [(event.seq, event.epoch) for event in cursor.news(replies)]


def test_another_epoch_begins_from_what_the_gateway_says() -> None:
    cursor = Cursor("crm", "acked", acknowledge=True)
    cursor.subscribe()
    begun = {"ok": True, "next": 1, "epoch": "a"}
    assert given(cursor, begun, events(1, 2, 3, epoch="a")) == [(1, "a"), (2, "a"), (3, "a")]
    cursor.handled(3, "a")
    assert cursor.ack() == {"op": "ack", "consumer": "crm", "seq": 3, "epoch": "a"}
    cursor.subscribe()
    begun = {"ok": True, "next": 2, "epoch": "b"}
    assert given(cursor, begun, events(2, 3, 4, epoch="b")) == [(2, "b"), (3, "b"), (4, "b")]
    assert cursor.ack() is None
    cursor.handled(3, "a")  # was at hand
    assert cursor.ack() is None
    cursor.handled(2, "b")
    assert cursor.ack() == {"op": "ack", "consumer": "crm", "seq": 2, "epoch": "b"}


def test_the_same_epoch_goes_on_where_it_was() -> None:
    cursor = Cursor("crm", "acked", acknowledge=True)
    begun = {"ok": True, "next": 1, "epoch": "a"}
    cursor.subscribe()
    assert len(given(cursor, begun, events(1, 2, 3, epoch="a"))) == 3
    cursor.subscribe()
    assert given(cursor, begun, events(1, 2, 3, 4, epoch="a")) == [(4, "a")]


def test_an_acknowledgement_of_what_the_gateway_forgot_starts_over() -> None:
    """It was restored in a way that it could not know of: the epoch is the same."""
    cursor = Cursor("crm", "acked", acknowledge=True)
    cursor.subscribe()
    given(cursor, {"ok": True, "next": 1, "epoch": "a"}, events(1, 2, 3, epoch="a"))
    cursor.handled(3, "a")
    cursor.subscribe()
    assert cursor.ack() == {"op": "ack", "consumer": "crm", "seq": 3, "epoch": "a"}
    error = {"code": "bad_request", "message": "seq: there is no event 3 yet"}
    with pytest.raises(ConnectionError, match="forgotten"):
        cursor.news([{"ok": True, "next": 1, "epoch": "a"}, {"ok": False, "error": error}])
    cursor.subscribe()
    assert given(cursor, {"ok": True, "next": 1, "epoch": "a"}, events(1, epoch="a")) == [(1, "a")]
    assert cursor.ack() is None


def test_a_gateway_that_knows_no_epochs_is_not_told_of_any() -> None:
    cursor = Cursor("crm", "acked", acknowledge=True)
    cursor.subscribe()
    assert given(cursor, {"ok": True, "next": 1}, events(1)) == [(1, None)]
    cursor.handled(1)
    assert cursor.ack() == {"op": "ack", "consumer": "crm", "seq": 1}

"""Each op, over a real socket."""

from typing import Any

import pytest
import trio

from gateway.errors import RequestError, StoreError


async def test_submit_gives_a_result_for_each_message_in_order(peer: Any, backend: Any) -> None:
    messages = [
        {"to": "+447700900123", "text": "Hello", "key": "k1"},
        {"to": "447700900124", "text": ""},
        {"to": "447700900125", "text": "Later", "send_at": 1800000000},
        {"to": "+447700900123", "text": "Hello", "key": "k1"},
    ]
    reply = await peer.ask(op="submit", id="batch-1", messages=messages)
    assert reply == {
        "id": "batch-1",
        "ok": True,
        "results": [
            {"message_id": "m1", "parts": 1, "encoding": "gsm7"},
            {"error": {"code": "empty_text", "message": "text: empty"}},
            {"message_id": "m2", "parts": 1, "encoding": "gsm7", "not_before": 1800000000.0},
            {"message_id": "m1", "parts": 1, "encoding": "gsm7", "duplicate": True},
        ],
    }
    assert [(tenant, m.to) for tenant, m in backend.accepted] == [
        ("acme", "+447700900123"),
        ("acme", "447700900125"),
    ]


async def test_quote_stores_nothing(peer: Any, backend: Any) -> None:
    reply = await peer.ask(op="quote", messages=[{"to": "1", "text": "x" * 200}])
    assert reply["results"] == [{"parts": 2, "encoding": "gsm7"}]
    assert backend.accepted == []


async def test_status(peer: Any) -> None:
    await peer.ask(op="submit", messages=[{"to": "1", "text": "x", "key": "k"}])
    known = {
        "message_id": "m1",
        "state": "queued",
        "final": False,
        "updated_at": 1.5,
        "parts": 1,
    }
    reply = await peer.ask(op="status", ids=["m1", "?"], keys=["k", "?"])
    assert reply == {"id": 1, "ok": True, "messages": [known, None, known, None]}


async def test_a_status_of_nothing_keeps_alive_without_asking_anybody(
    peer: Any, backend: Any
) -> None:
    backend.error = StoreError("nobody is to be asked")
    assert await peer.ask(op="status") == {"id": 1, "ok": True, "messages": []}


async def test_cancel_by_id_key_and_campaign(peer: Any) -> None:
    messages = [{"to": "1", "text": "x", "key": "k", "campaign": "spring"}]
    await peer.ask(op="submit", messages=messages)
    reply = await peer.ask(op="cancel", ids=["m1"], keys=["?"])
    done = {"message_id": "m1", "cancelled": True, "state": "cancelled"}
    assert reply == {"id": 1, "ok": True, "cancelled": 1, "results": [done, None]}
    reply = await peer.ask(op="cancel", campaign="spring")
    assert reply == {"id": 1, "ok": True, "cancelled": 1, "results": []}


async def test_cancel_of_nothing_is_refused(peer: Any) -> None:
    reply = await peer.ask(op="cancel")
    assert reply["error"] == {
        "code": "bad_request",
        "message": "ids, keys or campaign: one is needed",
    }


async def test_pause_and_resume(peer: Any, backend: Any) -> None:
    messages = [{"to": "1", "text": "x", "campaign": "spring"}]
    await peer.ask(op="submit", messages=messages)
    assert await peer.ask(op="pause", campaign="spring") == {"id": 1, "ok": True, "held": 1}
    reply = await peer.ask(op="resume", campaign="spring", extend=3_600)
    assert reply == {"id": 1, "ok": True, "released": 1}
    assert backend.extended == 3_600
    assert await peer.ask(op="resume", campaign="spring") == {"id": 1, "ok": True, "released": 0}


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"op": "pause"}, "campaign: missing"),
        ({"op": "pause", "campaign": ""}, "campaign: "),
        ({"op": "pause", "campaign": "x" * 65}, "campaign: "),
        ({"op": "pause", "campaign": "x", "extend": 1}, "extend: unknown field"),
        ({"op": "resume", "campaign": "x", "extend": -1}, "extend: "),
        ({"op": "resume", "campaign": "x", "extend": 1e9}, "extend: "),
        ({"op": "resume", "campaign": "x", "extend": "1h"}, "extend: "),
    ],
)
async def test_what_is_no_pause_is_refused(peer: Any, request_: dict[str, Any], why: str) -> None:
    error = (await peer.ask(**request_))["error"]
    assert error["code"] == "bad_request"
    assert error["message"].startswith(why)


async def test_stats(peer: Any) -> None:
    await peer.ask(op="submit", messages=[{"to": "1", "text": "x"}])
    assert await peer.ask(op="stats") == {
        "id": 1,
        "ok": True,
        "rows": [{"hour": 0, "accepted": 1, "outcomes": {"delivered": 0}}],
    }
    reply = await peer.ask(op="stats", campaign="spring", **{"from": 7, "to": 9.5})
    assert reply["rows"] == [
        {"hour": 7, "campaign": "spring", "accepted": 1, "outcomes": {"delivered": 7}}
    ]
    assert reply["next"] == 8


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"from": -1}, "from: "),
        ({"from": "2026-11-11"}, "from: "),
        ({"to": 1e12}, "to: "),
        ({"to": float("nan")}, "to: "),
        ({"from": float("inf")}, "from: "),
        ({"campaign": 7}, "campaign: "),
        ({"campaign": ""}, "campaign: "),
        ({"since": 7}, "since: unknown field"),
    ],
)
async def test_what_cannot_be_counted_is_refused(
    peer: Any, request_: dict[str, Any], why: str
) -> None:
    error = (await peer.ask(op="stats", **request_))["error"]
    assert error["code"] == "bad_request"
    assert error["message"].startswith(why)


async def test_optout(peer: Any) -> None:
    out = {"number": "447700900123", "opted_out": True, "changed": True}
    reply = await peer.ask(op="optout", action="add", numbers=["447700900123"])
    assert reply == {"id": 1, "ok": True, "results": [out]}
    reply = await peer.ask(op="optout", action="check", numbers=["447700900123"])
    assert reply["results"] == [{**out, "changed": False}]


async def test_an_import(peer: Any, backend: Any) -> None:
    into = {"import": {"name": "spring", "part": 1}}
    for action in ("add", "remove"):
        reply = await peer.ask(op="optout", action=action, numbers=["447700900123"], **into)
        assert reply["results"][0]["changed"] is False
    rows = [{"number": "447700900124"}]
    reply = await peer.ask(op="consent", action="withdraw", rows=rows, **into)
    assert len(reply["results"]) == 1
    assert backend.staged == {"spring": ["447700900123", "447700900123", "447700900124"]}
    reply = await peer.ask(op="import", action="apply", name="spring", size=3)
    assert reply["imported"] == {"size": 3, "rest": 1, "changed": 2}
    reply = await peer.ask(op="import", action="apply", name="spring", size=4)
    assert reply["error"] == {"code": "bad_request", "message": "size: 3 changes are staged"}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"op": "optout", "action": "check", "numbers": []}, "check changes nothing to stage"),
        ({"op": "optout", "action": "list"}, "list changes nothing to stage"),
        ({"op": "consent", "action": "ask", "numbers": []}, "ask changes nothing to stage"),
        ({"op": "consent", "action": "list"}, "list changes nothing to stage"),
        ({"op": "optout", "action": "add", "import": {"name": "spring"}}, "import.part: missing"),
        (
            {"op": "import", "action": "apply", "name": "spring", "size": 0},
            "size: expected int >= 1",
        ),
    ],
)
async def test_what_cannot_be_staged(peer: Any, fields: dict[str, Any], why: str) -> None:
    if fields["op"] != "import":
        fields = {"import": {"name": "spring", "part": 1}, **fields}
    reply = await peer.ask(**fields)
    assert reply["error"]["code"] == "bad_request"
    assert why in reply["error"]["message"]


async def test_opt_outs_are_listed_by_the_page(peer: Any) -> None:
    numbers = ["447700900125", "447700900123", "447700900124"]
    await peer.ask(op="optout", action="add", numbers=numbers)
    listed: list[str] = []
    while page := (
        await peer.ask(op="optout", action="list", after=listed[-1] if listed else None)
    )["results"]:
        assert all(one["opted_out"] and not one["changed"] for one in page)
        listed += [one["number"] for one in page]
    assert listed == sorted(numbers)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"action": "add"}, "numbers: missing"),
        ({"action": "check", "numbers": None}, "numbers: missing"),
        ({"action": "list", "numbers": []}, "numbers: a list takes none; check looks them up"),
    ],
)
async def test_all_but_a_list_of_opt_outs_needs_numbers(
    peer: Any, fields: dict[str, Any], why: str
) -> None:
    reply = await peer.ask(op="optout", **fields)
    assert reply["error"] == {"code": "bad_request", "message": why}


async def test_consumers_are_listed_and_deleted(peer: Any, backend: Any) -> None:
    await backend.happen("one", "two")
    for name, seq in (("crm", 2), ("test", 1)):
        await peer.ask(op="ack", consumer=name, seq=seq)
    crm = {"consumer": "crm", "seq": 2, "lag": 0, "seen_at": 1.5, "connected": False}
    test = {"consumer": "test", "seq": 1, "lag": 1, "seen_at": 1.5, "connected": False}
    reply = await peer.ask(op="consumers", action="list")
    assert reply == {"id": 1, "ok": True, "consumers": [crm, test]}
    reply = await peer.ask(op="consumers", action="list", consumer="test")
    assert reply["consumers"] == [test]
    reply = await peer.ask(op="consumers", action="delete", consumer="test")
    assert reply == {"id": 1, "ok": True, "consumers": [test]}
    assert (await peer.ask(op="consumers", action="delete", consumer="test"))["consumers"] == []
    assert (await peer.ask(op="consumers", action="list"))["consumers"] == [crm]


async def test_to_delete_a_consumer_it_has_to_be_named(peer: Any) -> None:
    for fields in ({}, {"consumer": None}):
        reply = await peer.ask(op="consumers", action="delete", **fields)
        assert reply["error"]["code"] == "bad_request"
        assert reply["error"]["message"].startswith("consumer: missing")


async def test_an_acknowledgement_of_another_epoch_changes_nothing(peer: Any, backend: Any) -> None:
    await backend.happen("one", "two")
    assert (await peer.ask(op="ack", consumer="crm", seq=1, epoch="1f"))["seq"] == 1
    assert (await peer.ask(op="ack", consumer="crm", seq=2, epoch="0e"))["seq"] == 1
    assert (await peer.ask(op="ack", consumer="crm", seq=999, epoch="0e"))["seq"] == 1
    assert (await peer.ask(op="ack", consumer="new", seq=999, epoch="0e"))["seq"] == 0


async def test_a_refusal_of_the_backend_reaches_the_client(peer: Any, backend: Any) -> None:
    backend.error = RequestError("forbidden", "this tenant is gone")
    for op in ({"op": "submit", "messages": []}, {"op": "optout", "action": "add", "numbers": []}):
        reply = await peer.ask(**op)
        assert reply == {
            "id": 1,
            "ok": False,
            "error": {"code": "forbidden", "message": "this tenant is gone"},
        }


@pytest.mark.parametrize(
    ("full", "said"), [(True, "the disk is full"), (False, "the store failed")]
)
async def test_a_store_that_fails_is_busy_and_the_connection_lives(
    peer: Any, backend: Any, full: bool, said: str
) -> None:
    backend.error = StoreError("/var/lib/secret: no space left", full=full)
    reply = await peer.ask(op="submit", messages=[{"to": "1", "text": "x"}])
    assert reply["error"] == {
        "code": "busy",
        "message": f"{said}; nothing was done, try later",
    }
    backend.error = None
    assert (await peer.ask(op="submit", messages=[{"to": "1", "text": "x"}]))["ok"]


async def test_submits_that_arrive_together_are_handed_over_together(
    peer: Any, backend: Any
) -> None:
    message = {"to": "1", "text": "x"}
    await peer.send(
        *({"op": "submit", "id": n, "messages": [message]} for n in range(5)),
        {"op": "status", "id": 5},
        {"op": "submit", "id": 6, "messages": [message]},
    )
    replies = [await peer.receive() for _ in range(7)]
    assert [reply["id"] for reply in replies] == list(range(7))
    assert backend.groups == [5, 1]


async def test_a_bad_request_among_good_ones_is_refused_alone(peer: Any) -> None:
    message = {"to": "1", "text": "x"}
    await peer.send(
        {"op": "submit", "id": "a", "messages": [message]},
        {"op": "submit", "id": "b", "messages": [{"to": "1", "txt": "x"}]},
        {"op": "submit", "id": "c", "messages": [message]},
    )
    replies = {r["id"]: r for r in [await peer.receive() for _ in range(3)]}
    assert replies["a"]["ok"]
    assert replies["c"]["ok"]
    assert replies["b"]["error"] == {
        "code": "bad_request",
        "message": "messages[0].txt: unknown field",
    }


async def test_a_batch_above_the_limit_is_refused_naming_it(peer: Any, backend: Any) -> None:
    messages = [{"to": "447700900123", "text": "x"}] * 100_000
    reply = await peer.ask(op="submit", messages=messages)
    assert reply["error"] == {
        "code": "bad_request",
        "message": "messages: 100000 are more than max_batch, 10000",
    }
    assert backend.accepted == []


async def test_more_bytes_than_a_tenant_may_have_in_flight_wait(serve: Any, backend: Any) -> None:
    async with serve(max_tenant_bytes=1000) as running:
        backend.gate = trio.Event()
        one, two = await running.known(), await running.known()
        stuck = {"op": "submit", "id": 1, "messages": [{"to": "1", "text": "x" * 150}]}
        await one.send(stuck)
        await running.until(lambda: backend.groups == [1])
        await two.send(stuck)
        other = await running.peer()
        await other.hello("other")
        await other.send(stuck)
        await running.until(lambda: backend.groups == [1, 1])
        assert [tenant for tenant, _ in backend.accepted] == ["acme", "umbrella"]
        backend.gate.set()
        for peer in (one, two, other):
            assert (await peer.receive())["ok"]


async def test_requests_and_refusals_are_counted(running: Any, peer: Any) -> None:
    await peer.ask(op="status")
    await peer.ask(op="nope")
    await peer.ask(op="submit", messages=1)
    stats = running.server.stats
    assert stats.requests == {"hello": 1, "status": 1}
    assert stats.errors == {"unknown_op": 1, "bad_request": 1}
    assert (stats.connections, stats.accepted) == (1, 1)

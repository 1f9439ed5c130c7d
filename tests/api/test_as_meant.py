"""What a request says in another form than it should, and is taken for what it means: nil for what
may be left out, and floats for integers; and the id, which is echoed whatever else is wrong."""

import math
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, get_args

import msgpack
import msgspec
import pytest
import trio

from gateway.api import codec, peek, schema
from gateway.api.blocking import connect as connect_blocking
from gateway.api.client import connect
from gateway.api.wire import ApiError
from gateway.errors import RequestError

MESSAGE = {
    "to": "+447700900123",
    "text": "Hello",
    "from": "Shop",
    "key": "k-1",
    "category": "otp",
    "campaign": "spring",
    "variant": "b",
    "send_at": 1800000000.0,
    "send_at_local": "2027-01-15T08:00",
    "time_zone": "Europe/London",
    "region": "GB",
    "window": "10:00-12:00",
    "allow_repeat": True,
    "expires_at": 1800000600.0,
    "encoding": "ucs2",
    "report": "none",
    "tlvs": {"0x1400": "a"},
    "template": "code",
    "vars": {"code": "1"},
}
COMMON = {name: value for name, value in MESSAGE.items() if name != "to"}

REQUESTS: dict[str, dict[str, Any]] = {
    "hello": {"token": "s3cret", "client": "docs"},
    "submit": {"messages": [MESSAGE], "defaults": COMMON},
    "quote": {"messages": [MESSAGE], "defaults": COMMON},
    "status": {"ids": ["1"], "keys": ["k"]},
    "cancel": {"ids": ["1"], "keys": ["k"], "campaign": "spring"},
    "pause": {"campaign": "spring"},
    "resume": {"campaign": "spring", "extend": 60.0},
    "stats": {"campaign": "spring", "from": 7.5, "to": 8.5},
    "subscribe": {"consumer": "crm", "from": "start"},
    "ack": {"consumer": "crm", "seq": 7, "epoch": "1f"},
    "consumers": {"action": "delete", "consumer": "crm"},
    "optout": {
        "action": "add",
        "numbers": ["1"],
        "source": "import",
        "import": {"name": "spring", "part": 7},
        "after": "1",
    },
    "explain": {"ids": ["1"], "keys": ["k"]},
    "consent": {
        "action": "add",
        "numbers": ["1"],
        "rows": [
            {"number": "1", "purpose": "p", "at": 5.5, "source": "s", "wording": "w", "by": "b"}
        ],
        "purpose": "p",
        "at": 5.5,
        "source": "s",
        "wording": "w",
        "by": "b",
        "import": {"name": "spring", "part": 7},
        "after": "1",
    },
    "import": {"action": "apply", "name": "spring", "size": 7},
    "template": {
        "action": "put",
        "name": "code",
        "text": "${code}",
        "category": "otp",
        "vars": {"code": {"type": "digits", "max": 6}},
        "allow": ["links"],
        "approved": {"alpha": "1"},
        "version": 1,
        "after": "a",
    },
    "handover": {"action": "close", "numbers": ["1"], "after": "a"},
    "person": {"action": "erase", "number": "1"},
}
"""A request of each op that says everything it can."""


def decode(request: dict[str, Any]) -> schema.Request:
    return codec.decode(msgpack.packb(request), 100)


def fields(kind: Any) -> list[msgspec.structs.FieldInfo]:
    return [field for field in msgspec.structs.fields(kind) if field.encode_name != "id"]


KINDS = {str(kind.__struct_config__.tag): kind for kind in get_args(schema.Request)}
OPTIONAL = [
    ("submit", "defaults"),
    ("quote", "defaults"),
    *(
        (op, field.encode_name)
        for op, kind in KINDS.items()
        for field in fields(kind)
        if not field.required
    ),
]


def test_the_requests_here_are_all_there_are_and_complete() -> None:
    assert REQUESTS.keys() == KINDS.keys() == schema.OPS
    for op, request in REQUESTS.items():
        assert request.keys() - {"defaults"} == {f.encode_name for f in fields(KINDS[op])}
    assert MESSAGE.keys() == {field.encode_name for field in fields(schema.SubmitMessage)}


@pytest.mark.parametrize("name", ["from", "to"])
def test_milliseconds_in_place_of_seconds_are_refused_with_the_mend(name: str) -> None:
    with pytest.raises(RequestError, match=f"{name}: expected Unix seconds.*milliseconds"):
        decode({"op": "stats", "id": 1, name: 1_764_000_000_000})


# --- nil ---


@pytest.mark.parametrize(("op", "name"), OPTIONAL)
def test_nil_for_a_field_that_may_be_left_out_is_leaving_it_out(op: str, name: str) -> None:
    request = {"op": op, "id": 1, **REQUESTS[op]}
    without = {field: value for field, value in request.items() if field != name}
    assert decode({**request, name: None}) == decode(without)


@pytest.mark.parametrize("op", REQUESTS)
def test_nil_for_all_of_them(op: str) -> None:
    optional = {name: None for of, name in OPTIONAL if of == op}
    request = {"op": op, "id": 1, **REQUESTS[op]}
    without = {field: value for field, value in request.items() if field not in optional}
    assert decode({**request, **optional}) == decode(without)


@pytest.mark.parametrize("op", ["submit", "quote"])
@pytest.mark.parametrize("name", sorted(COMMON))
def test_nil_in_a_message_and_in_the_defaults(op: str, name: str) -> None:
    def request(message: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
        return {"op": op, "id": 1, "messages": [message], "defaults": defaults}

    message = {field: value for field, value in MESSAGE.items() if field != name}
    common = {field: value for field, value in COMMON.items() if field != name}
    nil = {name: None}
    assert decode(request({**MESSAGE, **nil}, COMMON)) == decode(request(message, COMMON))
    assert decode(request(MESSAGE, {**COMMON, **nil})) == decode(request(MESSAGE, common))
    if name != "text":
        both = decode(request({**MESSAGE, **nil}, {**COMMON, **nil}))
        assert both == decode(request(message, common))
        alone = {"op": op, "id": 1, "messages": [{**MESSAGE, **nil}]}
        # What has no parameters is decoded in another way, to a type that is one of these.
        whole = decode({**alone, "messages": [message]})
        assert msgspec.to_builtins(decode(alone)) == msgspec.to_builtins(whole)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"op": "submit", "messages": None}, "messages: expected array, got nil"),
        ({"op": "submit", "messages": [{"to": None, "text": "x"}]}, "messages[0].to: expected str"),
        ({"op": "submit", "messages": [{"to": "1", "text": None}]}, "messages[0].text: "),
        (
            {"op": "submit", "messages": [{"to": "1"}], "defaults": {"text": None}},
            "messages[0].text: missing",
        ),
        ({"op": "submit", "messages": [{"to": "1"}], "defaults": None}, "messages[0].text: "),
        ({"op": "submit", "messages": [], "default": None}, "default: unknown field"),
        ({"op": "hello", "token": None}, "token: expected str, got nil"),
        ({"op": "ack", "consumer": "crm", "seq": None}, "seq: expected int, got nil"),
        ({"op": "subscribe", "consumer": None}, "consumer: expected str, got nil"),
        ({"op": "optout", "action": None, "numbers": []}, "action: expected str, got nil"),
        ({"op": "status", "id": None}, "id: expected int | str, got nil"),
        ({"op": None}, "op: expected str, got nil"),
    ],
)
def test_nil_for_a_field_that_is_needed_is_said_to_be(request_: Any, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        decode({"id": 1, **request_})
    assert caught.value.code == "bad_request"
    assert caught.value.message.startswith(said)


# --- integers ---

BOUNDS = [0, 1, -1, 5, 2**31, -(2**31), 2**53, 2**63 - 1, 2**63, 2**64 - 1, -(2**63)]


@pytest.mark.parametrize("number", BOUNDS)
@pytest.mark.parametrize("op", REQUESTS)
def test_any_integer_of_64_bits_is_an_id(op: str, number: int) -> None:
    assert decode({"op": op, "id": number, **REQUESTS[op]}).id == number


@pytest.mark.parametrize("number", [0.0, -0.0, 5.0, -7.0, 1e15, 2.0**53, -(2.0**63), 2.0**63])
@pytest.mark.parametrize("op", REQUESTS)
def test_a_float_that_is_an_integer_is_one_as_an_id(op: str, number: float) -> None:
    taken = decode({"op": op, "id": number, **REQUESTS[op]}).id
    assert isinstance(taken, int)
    assert taken == number


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("seq", [0, 12, 16_777_216])
def test_a_float_that_is_an_integer_is_one_as_a_seq(seq: int, single: bool) -> None:
    request = {"op": "ack", "id": 1, "consumer": "crm", "seq": float(seq)}
    body = msgpack.packb(request, use_single_float=single)
    assert codec.decode(body, 100) == schema.Ack(1, "crm", seq)


@pytest.mark.parametrize("at", [1800000000, 1800000000.0, 1800000000.5])
def test_a_time_may_be_either(at: float) -> None:
    request = {"op": "submit", "id": 1, "messages": [{**MESSAGE, "send_at": at}]}
    assert decode(request).messages[0].send_at == at  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("id", 1.5, "id: expected int | str, got float"),
        ("id", math.nan, "id: expected int | str, got float"),
        ("id", math.inf, "id: expected int | str, got float"),
        ("id", 2.0**64, "id: expected int | str, got float"),
        ("id", True, "id: expected int | str, got bool"),
        ("id", b"x", "id: expected int | str, got bytes"),
        ("id", [1], "id: expected int | str, got array"),
        ("seq", 1.5, "seq: expected int, got float"),
        ("seq", -1.0, "seq: expected int >= 0"),
        ("seq", 2.0**63, "seq: "),
        ("seq", 1e300, "seq: expected int, got float"),
        ("seq", "7", "seq: expected int, got str"),
        ("seq", True, "seq: expected int, got bool"),
    ],
)
def test_what_is_no_integer_is_none(field: str, value: Any, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        decode({"op": "ack", "id": 1, "consumer": "crm", "seq": 7, field: value})
    assert caught.value.message.startswith(said)


async def test_a_javascript_client_is_understood(peer: Any, backend: Any) -> None:
    await backend.happen("one", "two", "three")
    message = {"to": "447700900123", "text": "Hello", "from": None, "send_at": 1800000000.0}
    reply = await peer.ask(op="submit", id=5.0, messages=[message], defaults=None)
    assert (reply["id"], reply["ok"]) == (5, True)
    assert isinstance(reply["id"], int)
    reply = await peer.ask(op="ack", id=6.0, consumer="crm", seq=2.0)
    assert reply == {"id": 6, "ok": True, "seq": 2}
    reply = await peer.ask(**{"op": "subscribe", "id": 7.0, "consumer": "crm", "from": None})
    assert (reply["id"], reply["next"]) == (7, 3)


# --- the id ---

SUBMIT = {"op": "submit", "messages": [{"to": "1", "text": "x"}]}


@pytest.mark.parametrize(
    "name", [7, -3, 2**64 - 1, -(2**63), "seven", "", "ü" * 500, 1.5, True, False, b"\x00\xff", 0]
)
@pytest.mark.parametrize(
    "wrong",
    [
        lambda name: msgpack.packb({"id": name, **SUBMIT, "nope": 1}),
        lambda name: msgpack.packb({**SUBMIT, "nope": 1, "id": name}),
        lambda name: msgpack.packb({**SUBMIT, "messages": 1, "id": name}),
        lambda name: msgpack.packb({"op": "nope", "x": [{"id": 0}], "id": name}),
        lambda name: msgpack.packb({"op": None, "id": name}),
        lambda name: msgpack.packb({"id": name}),
        lambda name: b"\x84\x05\x06" + msgpack.packb({"id": name, **SUBMIT})[1:],
        lambda name: msgpack.packb({"id": name, **SUBMIT}) + b"\x00",
        lambda name: msgpack.packb({"id": name, **SUBMIT})[:-1],
        lambda name: msgpack.packb({"id": name, **SUBMIT, "x": "\x7f"}).replace(b"\x7f", b"\xff"),
        lambda name: msgpack.packb({"id": name, "x": "\x7f"}).replace(b"\x7f", b"\xc1"),
        lambda name: msgpack.packb({"id": name, "x": 0})[:-1] + b"\x91" * 100_000,
        lambda name: msgpack.packb({"id": name, "messages": [""] * 101}),
        lambda name: msgpack.packb({"messages": [""] * 101, "id": name}),
    ],
)
async def test_an_id_that_could_be_read_is_echoed(
    peer: Any, name: Any, wrong: Callable[[Any], bytes]
) -> None:
    await peer.send_body(wrong(name))
    reply = await peer.receive()
    assert reply["id"] == name
    assert type(reply["id"]) is type(name)
    assert "request" not in reply
    assert reply["error"]["code"] in {"bad_request", "unknown_op"}


NAMELESS = [
    b"\xc1",
    b"",
    b"\x81",
    msgpack.packb([1]),
    msgpack.packb({"op": "status"}),
    msgpack.packb({"op": "status", "id": None}),
    msgpack.packb({"op": "status", "id": [1]}),
    msgpack.packb({"op": "status", "id": {"id": 1}}),
    msgpack.packb({"op": "status", "id": msgpack.ExtType(5, b"x")}),
    msgpack.packb({"op": "status", "id": "\x7f"}).replace(b"\x7f", b"\xff"),
    msgpack.packb({"x": {"id": 1}, "op": "status"}),
    msgpack.packb({"op": "status", "id": "cut short"})[:-1],
    msgpack.packb({"x": [0] * 30_000})[:-1] + b"\xc1\xa2id\x01",
]


@pytest.mark.parametrize("body", NAMELESS)
async def test_without_one_the_reply_says_which_request_it_was(peer: Any, body: bytes) -> None:
    assert (await peer.ask(op="status"))["ok"]
    await peer.send_body(body)
    reply = await peer.receive()
    assert (reply["id"], reply["request"]) == (None, 3)  # hello is the first
    assert (await peer.ask(op="status"))["ok"]
    await peer.send_body(body)
    assert (await peer.receive())["request"] == 5


async def test_among_requests_that_came_together(peer: Any) -> None:
    status = peer.frame({"op": "status", "id": 1})
    broken = b"\x00\x00\x00\x01\xc1"
    await peer.stream.send_all(status + broken + status + broken)
    replies = [await peer.receive() for _ in range(4)]
    assert sorted(r["request"] for r in replies if "request" in r) == [3, 5]


async def test_a_frame_that_is_too_large_says_which_request_it_was(serve: Any) -> None:
    async with serve(max_frame=1000) as running:
        peer = await running.known()
        await peer.send({"op": "status", "id": 1}, {"op": "status", "id": 2, "x": "y" * 1000})
        assert (await peer.receive())["ok"]
        reply = await peer.receive()
        assert (reply["id"], reply["request"]) == (None, 3)
        assert reply["error"]["code"] == "frame_too_large"


def test_looking_for_an_id_ends() -> None:
    deep = b"\x82\xa1x" + b"\x91" * 3_000_000
    assert peek.find_id(deep + b"\xa2id\x01") is None
    assert peek.find_id(b"\x82\xa2id\x05\xa1x" + deep) == 5


class Relay:
    """Passes connections on to whichever server it is told to, and can cut them all."""

    def __init__(self) -> None:
        self.port = 0
        self._scopes: list[trio.CancelScope] = []

    async def forward(self, client: trio.SocketStream) -> None:
        server = await trio.open_tcp_stream("127.0.0.1", self.port)
        async with client, server, trio.open_nursery() as nursery:
            self._scopes.append(nursery.cancel_scope)
            nursery.start_soon(self._copy, client, server, nursery.cancel_scope)
            nursery.start_soon(self._copy, server, client, nursery.cancel_scope)

    @staticmethod
    async def _copy(
        source: trio.SocketStream, target: trio.SocketStream, scope: trio.CancelScope
    ) -> None:
        with suppress(trio.BrokenResourceError):
            async for data in source:
                await target.send_all(data)
        scope.cancel()

    def cut(self) -> None:
        for scope in self._scopes:
            scope.cancel()
        self._scopes.clear()


def ask_blocking(address: str, messages: list[Any], ended: list[object]) -> None:
    with connect_blocking(address, "s3cret") as client:
        try:
            ended.extend(result.message_id for result in client.submit_many(messages))  # type: ignore[union-attr]
        except ApiError as error:
            ended.append(error.code)
            ended.extend(r.message_id for r in client.submit(messages[-1:]))  # type: ignore[union-attr]


async def ask(address: str, messages: list[Any], ended: list[object]) -> None:
    async def one(client: Any, message: Any) -> None:
        try:
            ended.extend(result.message_id for result in await client.submit([message]))
        except ApiError as error:
            ended.append(error.code)

    async with connect(address, "s3cret") as client, trio.open_nursery() as nursery:
        for message in messages:
            nursery.start_soon(one, client, message)


@pytest.mark.parametrize("blocking", [False, True])
async def test_clients_lose_only_the_request_that_is_too_large(
    serve: Any, backend: Any, blocking: bool
) -> None:
    """Of those that were on their way when the server was configured to take less."""
    texts = ["x", "x" * 2000, "x"]
    messages = [{"to": "1", "text": text, "key": str(n)} for n, text in enumerate(texts)]
    ended: list[object] = []
    relay = Relay()
    async with (
        serve(max_batch=1) as before,
        serve(max_frame=1000) as after,
        trio.open_nursery() as nursery,
    ):
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, relay.forward, listeners)
        address = f"tcp://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        relay.port = before.port
        backend.gate = trio.Event()
        async with trio.open_nursery() as asking:
            if blocking:
                script = partial(ask_blocking, address, messages, ended)
                asking.start_soon(trio.to_thread.run_sync, script)
            else:
                asking.start_soon(ask, address, messages, ended)
            await before.until(lambda: len(backend.accepted) == 3)
            relay.port = after.port
            relay.cut()
            backend.gate.set()
        nursery.cancel_scope.cancel()
    assert len(ended) == 3
    assert ended.count("frame_too_large") == 1

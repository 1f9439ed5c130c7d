"""docs/api.md shows what really goes over the wire."""

import ast
import json
import re
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgpack
import msgspec
import pytest

import gateway
from gateway.api import codec, schema
from gateway.api.frames import frame
from gateway.api.hello import HELLO_MAX
from gateway.api.options import ServerOptions
from gateway.dispatch.intake.tenants import MAX_CONSUMERS
from gateway.errors import MessageCode, RequestCode, RequestError
from gateway.message import Event, EventType

PAGE = (Path(__file__).parents[2] / "docs/api.md").read_text()

_EXAMPLE = re.compile(
    r"^```hexdump (client|server)\n(.*?)^```\n\n```json\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
OPTIONS = ServerOptions()


class Example(NamedTuple):
    side: str
    data: bytes
    shown: Any


EXAMPLES = [
    Example(
        side,
        b"".join(bytes.fromhex(line[6:54]) for line in dump.splitlines()),
        json.loads(shown),
    )
    for side, dump, shown in _EXAMPLE.findall(PAGE)
]
REQUESTS = [example for example in EXAMPLES if example.side == "client"]

EPOCH = "5f1d2c83a0b94e67"
EVENTS = [
    Event(
        "delivered",
        1792224005.25,
        "19abc5e9c0000001",
        "s-1",
        "447700900123",
        None,
        "spring",
        1,
        detail={"carrier": "alpha", "sent_at": 1792224001.5},
    ),
    Event(
        "inbound",
        1792224061.5,
        to="10690001",
        sender="447700900123",
        text="STOP",
        detail={"carrier": "alpha", "inbound_id": "19abc5e9c0000007"},
    ),
]
NO_NUMBER = (
    "to: '12' is a short code or an emergency number, and texts go to phones; write + and the "
    "country code, then the number as it is dialled from abroad"
)
WRONG_FIELD = schema.refusal(2, "bad_request", "messages[0].txt: unknown field")
REPLIES: list[schema.Reply | list[Event]] = [
    schema.refusal(None, "bad_request", "id: missing", 2),
    schema.Welcome(
        0,
        True,
        "acme",
        "gateway/0.1.0",
        schema.VERSION,
        EPOCH,
        schema.Limits(
            OPTIONS.max_frame, OPTIONS.max_batch, OPTIONS.max_in_flight, OPTIONS.idle_timeout
        ),
    ),
    schema.SubmitReply(
        1,
        True,
        [
            schema.Accepted("19abc5e9c0000001", 1, "gsm7"),
            schema.Rejected(schema.Error("invalid_recipient", NO_NUMBER)),
        ],
    ),
    WRONG_FIELD,
    schema.QuoteReply(
        3, True, [schema.Quoted(1, "ucs2", 1792256400.0, to="447700900123", region="GB")]
    ),
    schema.StatusReply(
        4,
        True,
        [
            schema.MessageStatus(
                "19abc5e9c0000001",
                "sent",
                False,
                1792224001.5,
                1,
                "s-1",
                "447700900123",
                "spring",
            ),
            None,
        ],
    ),
    schema.CancelReply(
        5, True, 1, [schema.CancelResult("19abc5e9c0000001", True, "cancelled"), None]
    ),
    schema.PauseReply(10, True, 12_310),
    schema.ResumeReply(11, True, 12_298),
    schema.StatsReply(
        12,
        True,
        [
            schema.StatsRow(
                1792224000,
                "spring",
                "b",
                accepted=1_000,
                refused={"opted_out": 12},
                deferred={"quiet_hours": 140},
            ),
            schema.StatsRow(
                1792224000,
                "spring",
                "b",
                "alpha",
                sent=860,
                parts=1_720,
                outcomes={"delivered": 801, "failed": 9},
                codes={"undelivered": 9},
                inbound=6,
                optouts=2,
            ),
        ],
        1792227600,
    ),
    schema.OptoutReply(
        6,
        True,
        [schema.OptoutResult("447700900123", True, True, [schema.Holder("api", 1792224004.5)])],
    ),
    schema.ExplainReply(
        13,
        True,
        [
            schema.Explained(
                "19abc5e9c0000001",
                "s-1",
                "447700900123",
                "deferred",
                "5f1d2c83a0b9",
                [
                    schema.ExplainedStep(
                        1792224001.5,
                        "deferred",
                        "quiet_hours",
                        "quiet hours in GB",
                        1792256400.0,
                        local={"Europe/London": "2026-10-17 09:00:01"},
                    )
                ],
                [
                    (
                        "2026-10-17 08:00:01 UTC: was put off by the rule quiet_hours until "
                        "2026-10-17 17:00:00 UTC, when it was 2026-10-17 09:00:01 in "
                        "Europe/London: quiet hours in GB"
                    )
                ],
            )
        ],
    ),
    schema.ConsentReply(
        12,
        True,
        [
            schema.ConsentResult(
                "12125550123",
                "marketing",
                True,
                True,
                1792224004.5,
                "checkout",
                "Text me offers",
            )
        ],
    ),
    schema.HandoverReply(14, True, [schema.HandoverResult("8613912345678", False, True)]),
    schema.ImportReply(19, True, schema.Imported(1, 0, 1)),
    schema.PersonReply(15, True, schema.Erased("8613912345678", 1, 0, 12, 3, 0)),
    schema.TemplateReply(
        13,
        True,
        [
            schema.TemplateState(
                "code",
                3,
                1792224004.5,
                "Your code is ${code}. It holds for ${minutes} minutes.",
                "otp",
                {
                    "code": schema.TemplateVar("digits", 6),
                    "minutes": schema.TemplateVar("digits", 2, "5"),
                },
                approved={"alpha": "1107161234567890123"},
            )
        ],
    ),
    schema.SubscribeReply(7, True, 41, EPOCH),
    EVENTS,
    schema.AckReply(8, True, 41),
    schema.ConsumersReply(9, True, [schema.ConsumerState("crm", 41, 1, 1792224061.5, True)]),
]


def on_the_wire(reply: schema.Reply | list[Event]) -> bytes:
    buffer = bytearray()
    if not isinstance(reply, list):
        codec.encode(reply, buffer)
        return bytes(buffer)
    body = b"".join(
        msgpack.packb({"seq": seq, **msgspec.to_builtins(event)})
        for seq, event in enumerate(reply, 41)
    )
    codec.encode_events(codec.events_prefix("crm", EPOCH), len(reply), body, buffer)
    return bytes(buffer)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: str(e.shown.get("op", e.side)))
def test_every_dump_is_a_frame_of_what_stands_beside_it(example: Example) -> None:
    assert frame(msgpack.packb(example.shown)) == example.data


def test_every_op_is_shown_and_every_request_is_taken() -> None:
    for request in REQUESTS:
        if request.shown["id"] == WRONG_FIELD.id:
            with pytest.raises(RequestError) as caught:
                codec.decode(request.data[4:], OPTIONS.max_batch)
            assert caught.value.message == WRONG_FIELD.error.message
        else:
            assert codec.decode(request.data[4:], OPTIONS.max_batch).id == request.shown["id"]
    assert {request.shown["op"] for request in REQUESTS} == schema.OPS


def test_every_reply_is_what_the_server_sends() -> None:
    shown = [example.data for example in EXAMPLES if example.side == "server"]
    assert shown == [on_the_wire(reply) for reply in REPLIES]


def test_every_code_event_and_field_is_explained() -> None:
    names = {*get_args(RequestCode), *get_args(MessageCode), *get_args(EventType), *schema.OPS}
    for struct in (
        schema.SubmitMessage,
        schema.MessageStatus,
        schema.Accepted,
        schema.ConsumerState,
        schema.StatsRow,
        schema.Quoted,
        Event,
    ):
        names |= {field.encode_name for field in msgspec.structs.fields(struct)}
    missing = {name for name in names if f"`{name}`" not in PAGE and f"## {name}\n" not in PAGE}
    assert not missing


def _said(*passed_over: str) -> set[str]:
    """Every text that is written out in the gateway's modules, but for those passed over."""
    root = Path(gateway.__file__).parent
    files = [path for path in root.rglob("*.py") if str(path.relative_to(root)) not in passed_over]
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_the_codes_that_nothing_produces_are_marked() -> None:
    """And no others: who makes a rule that refuses with one takes its mark away."""
    rows = dict(re.findall(r"^\| `([a-z_]+)`( ¹)? \|", PAGE.split("\n## Codes\n")[1], re.MULTILINE))
    # Where codes are declared, and the clients, which only know them.
    said = _said("errors.py", "api/client.py", "api/blocking.py", "api/dialogue.py")
    codes = {*get_args(RequestCode), *get_args(MessageCode)}
    assert {code for code in codes if not rows[code]} == codes & said
    assert set(rows) >= codes


def test_the_codes_of_outcomes_are_told() -> None:
    types = PAGE.split("\n| type | the message |\n")[1].split("\n\n")[0]
    codes = {
        constant.value
        for path in (Path(gateway.__file__).parent / "dispatch").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("event", "outcomes.event")
        for argument in call.args[3:4]
        for constant in ast.walk(argument)
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
    }
    assert {"carrier_refused", "undelivered", "no_receipt", "tenant_removed"} <= codes
    assert {code for code in codes if f"`{code}`" not in types} == set()


def test_every_limit_is_the_default_one() -> None:
    limits = PAGE.split("\n## Limits\n")[1].split("\n## ")[0]
    numbers = [float(n) for n in re.findall(r"\| (\d+)(?: \w+)? \|", limits)]
    assert numbers == [
        OPTIONS.max_frame,
        HELLO_MAX,
        OPTIONS.max_batch,
        OPTIONS.max_in_flight,
        OPTIONS.max_tenant_bytes,
        OPTIONS.max_connections,
        OPTIONS.max_tenant_connections,
        OPTIONS.max_subscriptions,
        MAX_CONSUMERS,
        OPTIONS.hello_timeout,
        OPTIONS.idle_timeout,
        OPTIONS.stall_timeout,
        OPTIONS.send_timeout,
    ]

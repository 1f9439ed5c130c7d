import tracemalloc
from contextlib import suppress
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api import codec, schema
from gateway.errors import RequestError


def decode(request: Any, max_batch: int = 100) -> schema.Request:
    return codec.decode(msgpack.packb(request), max_batch)


def submit(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"op": "submit", "id": 1, "messages": list(messages), **fields}


FULL = {
    "to": "+447700900123",
    "text": "Héllo 世界",
    "from": "Shop",
    "key": "k-1",
    "category": "otp",
    "campaign": "c",
    "variant": "b",
    "send_at": 1800000000,
    "expires_at": 1800000000.5,
    "encoding": "ucs2",
    "report": "none",
    "tlvs": {0x1400: b"1101\0", "0x1401": "1107"},
}


# --- what is taken ---


def test_every_field_of_a_message() -> None:
    (message,) = decode(submit(FULL)).messages  # type: ignore[union-attr]
    expected = schema.SubmitMessage(
        to="+447700900123",
        text="Héllo 世界",
        sender="Shop",
        key="k-1",
        category="otp",
        campaign="c",
        variant="b",
        send_at=1800000000.0,
        expires_at=1800000000.5,
        encoding="ucs2",
        report="none",
        tlvs={0x1400: b"1101\0", "0x1401": "1107"},
    )
    assert msgspec.structs.asdict(message) == msgspec.structs.asdict(expected)


def test_op_may_stand_anywhere_in_the_map() -> None:
    assert decode({"numbers": ["1"], "id": "a", "action": "add", "op": "optout"}) == schema.Optout(
        "a", "add", ["1"]
    )


@pytest.mark.parametrize("op", ["submit", "quote"])
def test_defaults_fill_in_what_a_message_leaves_out(op: str) -> None:
    request = {
        "op": op,
        "id": 1,
        "defaults": {k: v for k, v in FULL.items() if k != "to"},
        "messages": [
            {"to": "1"},
            {"to": "2", "text": "own", "from": "Me", "send_at": None, "tlvs": {5122: b""}},
        ],
    }
    bare, own = decode(request).messages  # type: ignore[union-attr]
    assert (bare.text, bare.sender, bare.category, bare.report) == (
        "Héllo 世界",
        "Shop",
        "otp",
        "none",
    )
    assert (own.to, own.text, own.sender, own.send_at) == ("2", "own", "Me", 1800000000.0)
    assert (bare.tlvs, own.tlvs) == (FULL["tlvs"], {5122: b""})


def test_a_message_says_when_in_one_way() -> None:
    local, window = "2026-11-11T10:00", "10:00-12:00"
    request = submit(
        {"to": "1", "text": "a", "send_at": 1.8e9},
        {"to": "2", "text": "b", "time_zone": "Asia/Tokyo"},
        defaults={"send_at_local": local, "window": window, "region": "CN"},
    )
    own, common = decode(request, 2).messages  # type: ignore[union-attr]
    assert (own.send_at, own.send_at_local, own.window, own.region) == (1.8e9, None, window, "CN")
    assert (common.send_at, common.send_at_local, common.time_zone) == (None, local, "Asia/Tokyo")


def test_an_empty_text_of_its_own_is_not_filled_in() -> None:
    request = submit({"to": "1", "text": ""}, defaults={"text": "common"})
    assert decode(request).messages[0].text == ""  # type: ignore[union-attr]


def test_the_word_defaults_in_a_text_changes_nothing() -> None:
    request = submit({"to": "1", "text": "the defaults"})
    (message,) = decode(request).messages  # type: ignore[union-attr]
    expected = schema.SubmitMessage(to="1", text="the defaults")
    assert msgspec.structs.asdict(message) == msgspec.structs.asdict(expected)


def test_real_texts_come_through_unchanged(corpus: list[str]) -> None:
    texts = corpus[:2000]
    request = decode(submit(*({"to": "1", "text": text} for text in texts)), len(texts))
    assert [message.text for message in request.messages] == texts  # type: ignore[union-attr]


# --- what is refused, and how it is said ---

M = {"to": "1", "text": "x"}
WRONG: list[tuple[Any, str]] = [
    (submit(*[M] * 17, {"to": "1", "txt": "x"}), "messages[17].txt: unknown field"),
    (submit(M, M, M, {"to": 5, "text": "x"}), "messages[3].to: expected str, got int"),
    (submit({"to": "1"}), "messages[0].text: missing"),
    (submit({"text": "x"}), "messages[0].to: missing"),
    (submit({"to": "1", "text": b"x"}), "messages[0].text: expected str, got bytes"),
    (submit({**M, "send_at": "now"}), "messages[0].send_at: expected float | nil, got str"),
    (submit({**M, "tlvs": 5}), "messages[0].tlvs: expected map | nil, got int"),
    (
        submit(M, {**M, "vars": {"name": "Kim", "code": [7], "day": None}}),
        "messages[1].vars.code: expected int | float | str, got array",
    ),
    (submit(M, defaults={"vars": {"day": None}}), "defaults.vars.day: expected int | float | str"),
    (submit({**M, "vars": {"n" * 99: {}}}), f"messages[0].vars.{'n' * 64}: expected int | float"),
    (submit({**M, "vars": {7: "x"}}), "messages[0].vars: a key of the map: expected str, got int"),
    (submit({**M, "tlvs": {1.5: "x"}}), "messages[0].tlvs: a key of the map: expected int | str"),
    (submit({**M, 5: 6}), "messages[0]: a key of the map: expected str, got int"),
    (submit(None), "messages[0]: expected map, got nil"),
    (submit(M, defaults={"to": "1"}), "defaults.to: unknown field"),
    (submit(M, defaults={"txt": "1"}), "defaults.txt: unknown field"),
    (submit(M, {"to": "1"}, defaults={}), "messages[1].text: missing"),
    (submit(M, default={}), "default: unknown field"),
    (submit(*[M] * 101), "messages: 101 are more than max_batch, 100"),
    ({"op": "submit", "id": 1}, "messages: missing"),
    ({"op": "submit", "messages": []}, "id: missing"),
    ({"op": "submit", "id": 1.5, "messages": []}, "id: expected int | str, got float"),
    ({"op": "submit", "id": None, "messages": []}, "id: expected int | str, got nil"),
    ({"op": "submit", "id": 1, "messages": {}}, "messages: expected array, got map"),
    ({"id": 1}, "op: missing"),
    ({"op": 7, "id": 1}, "op: expected str, got int"),
    (
        {"op": "status", "id": 1, "ids": ["a"] * 60, "keys": ["b"] * 60},
        "ids and keys: 120 are more",
    ),
    ({"op": "optout", "id": 1, "action": "add", "numbers": ["1"] * 101}, "numbers: 101 are more"),
    (
        {"op": "template", "id": 1, "action": "put", "vars": {"y": {"type": "date"}}},
        "vars.y.type: 'date' is not text, digits, number, code or link",
    ),
    (
        {"op": "template", "id": 1, "action": "put", "allow": ["links", "html"]},
        "allow[1]: 'html' is not brackets, links or breaks",
    ),
    ({"op": "person", "id": 1, "action": "x", "number": "1"}, "action: 'x' is not erase"),
    (
        {"op": "optout", "id": 1, "action": "ad", "numbers": []},
        "action: 'ad' is not add, remove, check or list",
    ),
    ({"op": "subscribe", "id": 1, "consumer": ""}, "consumer: expected str of length >= 1"),
    ({"op": "subscribe", "id": 1, "consumer": "c" * 65}, "consumer: expected str of length <= 64"),
    (
        {"op": "subscribe", "id": 1, "consumer": "c", "from": "x"},
        "from: 'x' is not acked, start or now",
    ),
    ({"op": "ack", "id": 1, "consumer": "c", "seq": -1}, "seq: expected int >= 0"),
    ([1, 2], "expected map, got array"),
    ("text", "expected map, got str"),
]


@pytest.mark.parametrize(("request_", "said"), WRONG)
def test_a_wrong_structure_is_refused_with_its_path(request_: Any, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        decode(request_)
    assert caught.value.code == "bad_request"
    assert caught.value.message.startswith(said)


def test_a_string_that_is_not_utf8_is_found() -> None:
    for request in (submit(M, M, {**M, "text": "\x7f"}), submit(M, M, {**M, "\x7f": 1})):
        body = msgpack.packb(request).replace(b"\x7f", b"\xff")
        with pytest.raises(RequestError) as caught:
            codec.decode(body, 100)
        assert caught.value.message == "messages[2]: a string is not UTF-8"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not one msgpack map"),
        (b"\xc1", "not one msgpack map"),
        (msgpack.packb({"op": "status", "id": 1})[:-1], "not one msgpack map"),
        (msgpack.packb({"op": "status", "id": 1}) + b"\0", "not one msgpack map"),
        (msgpack.packb({"op": "status", "id": "\x7f\x7f"}).replace(b"\x7f", b"\xff"), "a string"),
        (b"\x82\xa1x" + b"\x91" * 100_000, "nested too deeply"),
        (b"\x82\xa2op\xa6submit\xa8messages\xdd\xff\xff\xff\xff", "not one msgpack map"),
    ],
)
def test_a_body_that_is_no_msgpack_map_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(RequestError, match=f"^bad_request: {said}"):
        codec.decode(body, 100)
    codec.request_id(body)


def test_an_unknown_op_is_named() -> None:
    with pytest.raises(
        RequestError, match=r"^unknown_op: op: there is no 'sumbit'; there are ack, "
    ):
        decode({"op": "sumbit", "id": 1})


NILS = b"\xdd" + (1_000_000).to_bytes(4) + b"\xc0" * 1_000_000
PAIRS = b"\xdf" + (500_000).to_bytes(4) + b"\xa1a\xc0" * 500_000


@pytest.mark.parametrize("many", [NILS, PAIRS, b"\x91" + NILS, b"\x81\xa1a" + NILS])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"\x83\xa2op\xa6status\xa3ids\x90\xa2id", b""),
        (b"\x83\xa2op\xa6submit\xa2id\x01\xa8messages", b""),
        (b"\x83\xa2op\xa6submit\xa2id\x01\xa8messages\x91", b""),
        (b"\x83\xa2op\xa6submit\xa2id\x01\xa8messages\x91\x82\xa2to\xa11\xa4text", b""),
        (b"\x84\xa2op\xa6submit\xa2id\x01\xa8messages\x90\xa8defaults", b""),
        (b"\x83\xa2op\xa6submit\xa2id\x01\xa8messages\x91\x81\xa4tlvs", b""),
        (b"\x83\xa2op\xa6submit\xa2id\x01\xa8messages\x91\x81\xa4tlvs\x81\x01", b""),
        (b"\x83\xa2op\xa6submit\xa2id\x01\xa8defaults\x81\xa4tlvs\x81\x01", b""),
        (b"\x83\xa2op\xa6status\xa2id\x01\xa3ids", b""),
        (b"\x83\xa2op\xa6optout\xa2id\x01\xa7numbers", b""),
        (b"\x83\xa2op", b"\xa2id\x01\xa3ids\x90"),
        (b"\x82\xa2id\x01", b"\xc0"),
        (b"\x83\xa2op\xa6submit\xa2id\x01\xa1x", b""),
        (b"\x84\xa2op\xa6status\xa2id\x01\xa3ids\x90\xa3ids", b""),
        (b"\x82\xa2id\xff\xa2op", b""),
        (b"", b""),
    ],
)  # fmt: skip
def test_what_is_refused_for_its_size_is_never_taken_apart(
    before: bytes, many: bytes, after: bytes
) -> None:
    """A value of a million takes 8 MB of memory at least, wherever it is hidden."""
    body = before + many + after
    tracemalloc.start()
    try:
        with pytest.raises(RequestError):
            codec.decode(body, 100)
        codec.request_id(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(body)


def test_a_text_of_the_defaults_counts_wherever_it_is_filled_in() -> None:
    text = "x" * (codec.MAX_FILLED // 90)
    fits = submit(*[{"to": "1"}] * 90, {"to": "1", "text": "own"}, defaults={"text": text})
    assert len(decode(fits).messages) == 91  # type: ignore[union-attr]
    with pytest.raises(RequestError, match=r"defaults.text: \d+ bytes in 91 messages; at most"):
        decode(submit(*[{"to": "1"}] * 91, defaults={"text": text}))


def test_an_error_repeats_little_of_what_was_sent() -> None:
    for request in ({"op": "o" * 10_000, "id": 1}, submit({**M, "f" * 10_000: 1})):
        with pytest.raises(RequestError) as caught:
            decode(request)
        assert len(caught.value.message) < 250


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_a_request_error(body: bytes) -> None:
    try:
        codec.decode(body, 10)
    except RequestError:
        codec.request_id(body)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(sorted(schema.OPS)),
    st.dictionaries(
        st.sampled_from(
            [
                "id",
                "messages",
                "defaults",
                "ids",
                "keys",
                "consumer",
                "from",
                "seq",
                "numbers",
                "token",
            ]
        ),
        values,
    ),
)
def test_any_map_is_a_request_or_a_request_error(op: str, fields: dict[str, Any]) -> None:
    body = msgpack.packb({"op": op, **fields})
    with suppress(RequestError):
        codec.decode(body, 10)


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        ({"id": 7, "op": 1}, 7),
        ({"x": [1, {"y": 2}], "id": "seven"}, "seven"),
        ({"op": "status"}, None),
        ({"id": [1]}, None),
        ([1], None),
    ],
)
def test_the_id_is_found_in_what_could_not_be_decoded(request_: Any, name: Any) -> None:
    assert codec.request_id(msgpack.packb(request_)) == name


# --- replies ---


def encoded(reply: schema.Reply) -> Any:
    buffer = bytearray(b"before")
    codec.encode(reply, buffer)
    assert buffer[:6] == b"before"
    assert int.from_bytes(buffer[6:10]) == len(buffer) - 10
    return msgpack.unpackb(bytes(buffer[10:]))


def test_results_say_only_what_there_is_to_say() -> None:
    reply = schema.SubmitReply(
        1,
        True,
        [
            schema.Accepted("a", 1, "gsm7"),
            schema.Accepted("b", 2, "ucs2", not_before=5.5, duplicate=True),
            schema.Rejected(schema.Error("opted_out", "to: opted out")),
        ],
    )
    assert encoded(reply) == {
        "id": 1,
        "ok": True,
        "results": [
            {"message_id": "a", "parts": 1, "encoding": "gsm7"},
            {
                "message_id": "b",
                "parts": 2,
                "encoding": "ucs2",
                "not_before": 5.5,
                "duplicate": True,
            },
            {"error": {"code": "opted_out", "message": "to: opted out"}},
        ],
    }


def test_a_refusal_without_a_known_id() -> None:
    assert encoded(schema.refusal(None, "bad_request", "why")) == {
        "id": None,
        "ok": False,
        "error": {"code": "bad_request", "message": "why"},
    }


@pytest.mark.parametrize("count", [1, 15, 16, 65535, 65536])
def test_events_are_wrapped_without_being_decoded(count: int) -> None:
    buffer = bytearray(b"before")
    body = msgpack.packb({"seq": 1}) * count
    codec.encode_events(codec.events_prefix("crm", "1f"), count, body, buffer)
    assert int.from_bytes(buffer[6:10]) == len(buffer) - 10
    assert msgpack.unpackb(bytes(buffer[10:])) == {
        "consumer": "crm",
        "epoch": "1f",
        "events": [{"seq": 1}] * count,
    }

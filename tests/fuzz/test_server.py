"""Whatever a tenant asks of a whole gateway is answered, once, and costs it nothing else."""

from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.queue.memory import MemoryStore
from tests.security.running import running

NUMBERS: Final = ["447700900123", "+8613800138000", "", "+", "0", "4477" * 30, "٤٤٧٧٠٠٩٠٠١٢٣"]
NAMES: Final = ["k", "", "\0", "n" * 64, "n" * 65, "退订" * 11, "\U0001f1eb" * 16, "%s{}"]
TEXTS: Final = ["Hello", "", "é" * 161, "退" * 20_000, "\0", "\ufffe", "\U0001f1eb" * 40]
SENDERS: Final = ["10690001", "10690002", "Shop", "", "*", "\u0660" * 5]
TIMES: Final = [0, -1, 1.7e9, 4e9, float("nan"), float("inf"), -0.0, (1 << 64) - 1, -(1 << 63)]
IDS: Final = [*NAMES, "1", "0", "-1", "0x1", "1_0", " 1", "7fffffffffffffff", "f" * 16, "F"]
SEQS: Final = [0, 1, (1 << 63) - 1]

numbers, names, ids = st.sampled_from(NUMBERS), st.sampled_from(NAMES), st.sampled_from(IDS)
times = st.sampled_from(TIMES) | st.floats(0, 1e10)
common: Final = {
    "text": st.sampled_from(TEXTS) | st.text(max_size=20),
    "from": st.sampled_from(SENDERS),
    "key": names,
    "category": st.sampled_from(["otp", "marketing", "spam"]),
    "campaign": names,
    "send_at": times,
    "expires_at": times,
    "encoding": st.sampled_from(["auto", "gsm7", "ucs2", "utf8"]),
    "report": st.sampled_from(["final", "none", "some"]),
}
wild = st.fixed_dictionaries({"to": numbers}, optional=common)
sound = st.fixed_dictionaries(
    {"to": st.just("447700900123"), "text": st.just("Hello")},
    optional={"key": names, "campaign": names, "report": st.just("none")},
)
batch: Final = {
    "messages": st.lists(sound | wild, max_size=4),
    "defaults": st.just({}) | st.fixed_dictionaries({}, optional=common),
}
some_names, some_ids = st.lists(names, max_size=3), st.lists(ids, max_size=3)
FIELDS: Final[dict[str, dict[str, st.SearchStrategy[Any]]]] = {
    "submit": batch,
    "quote": batch,
    "status": {"ids": some_ids, "keys": some_names},
    "cancel": {"ids": some_ids, "keys": some_names, "campaign": st.none() | names},
    "pause": {"campaign": names},
    "resume": {"campaign": names, "extend": st.none() | st.sampled_from([0, 1.5, 60])},
    "ack": {"consumer": names, "seq": st.sampled_from(SEQS)},
    "optout": {
        "action": st.sampled_from(["add", "remove", "check", "list"]),
        "numbers": st.none() | st.lists(numbers, max_size=3),
    },
    "hello": {"token": names},
    "nonsense": {"ids": ids},
}
"""Requests whose structure is right: others are refused for it, and never get far."""

requests = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda op: st.fixed_dictionaries({"op": st.just(op), **FIELDS[op]})
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(asked=st.lists(requests, min_size=5, max_size=30))
def test_every_request_is_answered_once(folder: Path, asked: list[dict[str, Any]]) -> None:
    trio.run(_ask_all, folder, asked)


async def _ask_all(folder: Path, asked: list[dict[str, Any]]) -> None:
    async with running(MemoryStore(), folder) as gateway:
        peer = await gateway.tenant("acme")
        for fields in asked:
            await peer.send(**fields)
        replies = [await peer.receive() for _ in asked]
        assert Counter(reply["id"] for reply in replies) == Counter(range(2, len(asked) + 2))
        for reply in replies:
            assert reply["ok"] or reply["error"]["code"] in {"bad_request", "unknown_op"}
        assert (await peer.ask("status"))["ok"]
        assert gateway.server.stats.closed == {}

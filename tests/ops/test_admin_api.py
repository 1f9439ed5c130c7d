"""The admin API over a real socket, with a dispatch behind it."""

import csv
import hashlib
import http.client
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, NamedTuple, cast

import msgspec
import pytest
import trio

from gateway.dispatch.operating.operator import Operator
from gateway.ops.admin import AdminOptions, AdminToken, Health
from gateway.ops.admin.declared import ALL, LOOKS, VERBS
from gateway.ops.admin.openapi import document
from gateway.ops.admin.serving import serve
from gateway.ops.operations import Role
from gateway.ops.problems import STATUS
from gateway.queue.operators import OperatorStore
from tests.dispatch.conftest import World, opened
from tests.dispatch.operating.conftest import File

ROLES: tuple[Role, ...] = ("viewer", "operator", "compliance", "admin")


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


GUARDED = AdminOptions("127.0.0.1:0", (), tuple(AdminToken(r, r, sha256(r)) for r in ROLES))


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The kind of problem that it tells."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.json["status"] == self.status
        return str(self.json["type"].partition("#")[2])


class Console:
    """Somebody who asks a gateway that runs."""

    def __init__(self, world: World, port: int, file: File) -> None:
        self.world = world
        self.port = port
        self.file = file

    async def ask(
        self,
        path: str,
        command: Any = None,
        role: str = "admin",
        method: str = "",
        /,
        **headers: str,
    ) -> Answer:
        """Ask with a role's token; a command makes it a POST."""
        raw = isinstance(command, bytes)
        body = command if raw else None if command is None else json.dumps(command).encode()
        named = {"content-type": "application/json"} if body is not None else {}
        if role:
            named["authorization"] = f"Bearer {role}"
        named |= {name.replace("_", "-"): value for name, value in headers.items()}

        def call() -> Answer:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                where = path if path.startswith("/") else f"/api/v1/{path}"
                connection.request(
                    method or ("GET" if body is None else "POST"), where, body, named
                )
                answer = connection.getresponse()
                return Answer(
                    answer.status,
                    {name.lower(): value for name, value in answer.getheaders()},
                    answer.read(),
                )
            finally:
                connection.close()

        return await trio.to_thread.run_sync(call)


@asynccontextmanager
async def console(options: AdminOptions = GUARDED) -> AsyncIterator[Console]:
    async with opened() as world, trio.open_nursery() as nursery:
        file = File()
        store = cast("OperatorStore", world.store)
        operator = Operator(world.dispatch, store, file, world.metrics, world.clock)
        start = partial(serve, options, world.metrics, operator, healthy=Health, ready=Health)
        (address,) = await nursery.start(start)
        yield Console(world, int(address.rpartition(":")[2]), file)
        nursery.cancel_scope.cancel()


@pytest.fixture
async def gateway() -> AsyncIterator[Console]:
    async with console() as found:
        yield found


# --- what there is ---


def path_of(path: str) -> str:
    return path.strip("/").replace("{id}", "1f")


QUERIES = {"/messages": "?to=%2B447400123456", "/person": "?number=%2B447400123456"}


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.path)
async def test_everything_that_is_declared_is_answered_as_declared(
    gateway: Console, look: Any
) -> None:
    [identifier] = await gateway.world.accepted({"campaign": "spring"})
    await gateway.world.service.acknowledge("acme", "crm", 0)
    await gateway.ask("pause", {"scope": "tenant", "name": "umbrella"})
    await gateway.ask("optout", {"action": "add", "number": "+447400000000", "tenant": "acme"})
    path = look.path.strip("/").replace("{id}", identifier)
    query = "?tenant=acme" if look.path == "/optouts" else QUERIES.get(look.path, "")
    answer = await gateway.ask(path + query)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "no-store"
    if look.many:
        assert answer.json["items"] or look.path in ("/queues", "/sent", "/nodes")
        msgspec.convert(answer.json["items"], list[look.answer])
    else:
        msgspec.convert(answer.json, look.answer)


async def test_the_document_has_what_there_is_and_nothing_else(gateway: Console) -> None:
    answer = await gateway.ask("openapi.json", None, "viewer")
    assert answer.json == json.loads(msgspec.json.encode(document("0.1.0", "/api/v1")))
    described = {
        (path, method) for path, methods in answer.json["paths"].items() for method in methods
    }
    assert described == {(f"/api/v1{one.path}", "get") for one in LOOKS} | {
        (f"/api/v1{one.path}", "post") for one in VERBS
    }
    schemas = answer.json["components"]["schemas"]
    refs = _refs(answer.json)
    assert {ref.rpartition("/")[2] for ref in refs} <= schemas.keys()
    identifiers = [
        one["operationId"] for each in answer.json["paths"].values() for one in each.values()
    ]
    assert len(set(identifiers)) == len(identifiers)


def _refs(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return found.union(*map(_refs, value.values()))
    return set().union(*map(_refs, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "nothing"), ("GET", "overview/"), ("POST", "overview"), ("GET", "pause"),
     ("GET", "messages/"), ("POST", "nothing")],
)  # fmt: skip
async def test_what_is_not_there_is_a_problem(gateway: Console, method: str, path: str) -> None:
    answer = await gateway.ask(path, {} if method == "POST" else None, "admin", method)
    assert (answer.status, answer.problem) == (404, "not_found")


# --- who may ---

COMMANDS: dict[str, Any] = {
    "/pause": {"scope": "tenant", "name": "acme"},
    "/resume": {"scope": "tenant", "name": "acme"},
    "/drain": {"bind": "alpha-1"},
    "/rebind": {"bind": "alpha-1"},
    "/move": {"node": "b"},
    "/move/back": {"node": "b"},
    "/rate": {"carrier": "alpha", "rate": 5, "seconds": 60},
    "/rate/unset": {"carrier": "alpha"},
    "/cancel": {"tenant": "acme"},
    "/settle": {"carrier": "alpha", "to": "expire"},
    "/disconnect": {"tenant": "acme", "consumer": "crm"},
    "/optout": {"action": "add", "number": "+447400000000"},
    "/erase": {"number": "+447400000000"},
    "/test": {"tenant": "acme", "to": "+447400000000", "text": "x"},
    "/reload": {},
}

MAY = {
    # viewer, operator, compliance, admin
    "/overview": "voca", "/carriers": "voca", "/reach": "voca",
    "/policy": "voca", "/system": "voca", "/queues": "voca", "/sent": "voca", "/tenants": "voca",
    "/campaigns": "voca", "/consumers": "voca", "/nodes": "voca",
    "/messages/{id}": "voca", "/messages": "ca",
    "/person": "ca", "/optouts": "ca", "/pauses": "voca", "/diff": "voca", "/audit": "oca",
    "/pause": "oa", "/resume": "oa", "/drain": "oa", "/rebind": "oa", "/rate": "oa",
    "/move": "oa", "/move/back": "oa",
    "/rate/unset": "oa", "/cancel": "oa", "/settle": "oa", "/disconnect": "oa", "/optout": "ca",
    "/erase": "ca", "/test": "oa", "/reload": "oa",
}  # fmt: skip
"""Which roles may, by their first letters."""


def test_every_path_has_its_roles_in_the_table() -> None:
    assert MAY.keys() == {one.path for one in LOOKS} | {one.path for one in VERBS}
    assert COMMANDS.keys() == {one.path for one in VERBS}


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_may_what_it_may(gateway: Console, role: str) -> None:
    await gateway.world.accepted("one")
    for path, roles in MAY.items():
        where = path_of(path) + QUERIES.get(path, "")
        answer = await gateway.ask(where, COMMANDS.get(path), role)
        if role[0] in roles:
            assert answer.status not in (401, 403), path
        else:
            assert (answer.status, answer.problem) == (403, "forbidden"), path


@pytest.mark.parametrize("path", ["overview", "audit", "openapi.json", "nothing"])
async def test_without_a_token_nobody_learns_anything(gateway: Console, path: str) -> None:
    answer = await gateway.ask(path, None, "")
    assert (answer.status, answer.problem) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_numbers_and_texts_are_for_those_who_may_see_them(gateway: Console) -> None:
    gateway.world.bind.lose()
    [identifier] = await gateway.world.accepted({"text": "your code is 4711"})
    await gateway.ask(
        "optout", {"action": "add", "number": "447400000001", "why": "she wrote"}, "compliance"
    )
    for role in ROLES:
        sees = role in ("compliance", "admin")
        view = (await gateway.ask(f"messages/{identifier}", None, role)).json
        assert view["to"] == ("447400123456" if sees else "4474******56")
        assert view["text"] == ("your code is 4711" if sees else None)
        audit = await gateway.ask("audit", None, role)
        assert (b"447400000001" in audit.body) == sees
        if role == "operator":
            assert audit.json["items"][0]["phone"] == "4474******01"


async def test_nobody_needs_a_token_on_a_machine_where_none_is_set() -> None:
    async with console(AdminOptions("127.0.0.1:0")) as found:
        assert (await found.ask("overview", None, "")).status == 200
        done = await found.ask("pause", {"scope": "tenant", "name": "acme"}, "")
        assert done.status == 200
        [record] = (await found.ask("audit", None, "")).json["items"]
        assert (record["who"], record["role"], record["client"]) == ("local", "admin", "127.0.0.1")
        strange = await found.ask("overview", None, "", host="evil.example")
        assert (strange.status, strange.problem) == (421, "wrong_host")
        csrf = await found.ask(
            "resume", {"scope": "tenant", "name": "acme"}, "", origin="http://evil.example"
        )
        assert (csrf.status, csrf.problem) == (403, "wrong_origin")
        # A form of another site needs no leave to post, but cannot say that it is JSON.
        form = await found.ask(
            "resume", {"scope": "tenant", "name": "acme"}, "", content_type="text/plain"
        )
        assert (form.status, form.problem) == (400, "bad_request")
        assert len((await found.ask("pauses", None, "")).json["items"]) == 1
        metrics = await found.ask("/metrics", None, "", host="evil.example")
        assert metrics.status == 421


# --- bad input ---


@pytest.mark.parametrize(
    ("path", "command", "told"),
    [
        ("pause", b"", "missing required field `scope`"),
        ("pause", b"{", "JSON"),
        ("pause", b"[]", "Expected `object`"),
        ("pause", {"scope": "planet", "name": "x"}, "Invalid enum value 'planet'"),
        ("pause", {"scope": "tenant", "name": ""}, "length >= 1"),
        ("pause", {"scope": "tenant", "name": "acme", "for": 5}, "unknown field `for`"),
        ("pause", {"scope": "tenant", "name": "acme", "seconds": 0}, ">= 1.0"),
        ("pause", {"scope": "tenant", "name": "acme", "seconds": "60"}, "Expected `float | null`"),
        ("rate", {"carrier": "alpha", "rate": -1, "seconds": 60}, "> 0.0"),
        ("rate", {"carrier": "alpha", "rate": 1, "seconds": 1e9}, "<= 2678400"),
        ("cancel", {"tenant": "acme", "confirm": -1}, ">= 0"),
        ("settle", {"carrier": "alpha", "to": "forget"}, "Invalid enum value 'forget'"),
        ("test", {"tenant": "acme", "to": "+447400123456", "text": "x" * 2_000}, "<= 1600"),
        ("pause", b'{"scope": "tenant", "name": "' + b"x" * 70_000 + b'"}', "bytes"),
    ],
)
async def test_what_is_wrong_with_a_command_is_told(
    gateway: Console, path: str, command: Any, told: str
) -> None:
    answer = await gateway.ask(path, command)
    assert (answer.status, answer.problem) == (400, "bad_request")
    assert told in answer.json["detail"]
    assert (await gateway.ask("audit")).json["items"] == []


@pytest.mark.parametrize(
    "path",
    ["overview?x=1", "campaigns?hours=0", "campaigns?hours=many", "messages", "messages?to=12",
     "messages?to=07400123456", "audit?limit=5000", "audit?before=0", "queues?format=xml",
     "campaigns?hours=1&hours=2"],
)  # fmt: skip
async def test_what_is_wrong_with_a_question_is_told(gateway: Console, path: str) -> None:
    answer = await gateway.ask(path)
    assert (answer.status, answer.problem) == (400, "bad_request")


@pytest.mark.parametrize("identifier", ["zzz", "1f", "-1", "%00", "..%2f", "1" * 200])
async def test_a_message_that_is_not_there(gateway: Console, identifier: str) -> None:
    answer = await gateway.ask(f"messages/{identifier}")
    assert (answer.status, answer.problem) == (404, "not_found")


async def test_what_has_changed_meanwhile_is_shown_anew(gateway: Console) -> None:
    gateway.world.bind.lose()
    await gateway.world.accepted("one", "two")
    shown = (await gateway.ask("cancel", {"tenant": "acme"})).json
    await gateway.world.accepted("three")
    answer = await gateway.ask("cancel", {"tenant": "acme", "confirm": shown["messages"]})
    assert (answer.status, answer.problem, answer.json["now"]) == (409, "changed", {"messages": 3})
    answer = await gateway.ask("cancel", {"tenant": "acme", "confirm": 3})
    assert answer.json["after"] == {"cancelled": 3}
    answer = await gateway.ask("cancel", {"tenant": "acme", "confirm": 3})
    assert (answer.status, answer.problem) == (409, "changed")


async def test_a_body_that_is_too_large_is_refused_and_the_next_request_answered(
    gateway: Console,
) -> None:
    answer = await gateway.ask("pause", b'{"why": "' + b"x" * 200_000 + b'"}')
    assert (answer.status, answer.problem) == (400, "bad_request")
    assert "more than 65536 bytes" in answer.json["detail"]
    assert (await gateway.ask("overview")).status == 200


async def test_what_is_done_twice_is_refused(gateway: Console) -> None:
    for status in (200, 409):
        answer = await gateway.ask("pause", {"scope": "carrier", "name": "alpha"})
        assert answer.status == status
    assert answer.problem == "already_so"
    results = [one["result"] for one in (await gateway.ask("audit")).json["items"]]
    assert results == ["refused", "done"]


# --- a store that stands still ---


@contextmanager
def stuck(world: World) -> Iterator[None]:
    """Within, the store answers nobody."""
    world.store.stuck = over = trio.Event()
    try:
        yield
    finally:
        over.set()
        world.store.stuck = None


@pytest.mark.parametrize("path", ["overview", "queues", "carriers", "audit", "messages/1f"])
async def test_while_the_store_stands_still_a_question_is_answered_within_a_second(
    gateway: Console, path: str
) -> None:
    with stuck(gateway.world):
        began = trio.current_time()
        answer = await gateway.ask(path)
        assert trio.current_time() - began < 1.5
        assert (answer.status, answer.problem) == (503, "store_stuck")
        assert "the store does not answer" in answer.json["detail"]
        assert (await gateway.ask("/metrics")).status == 200
    await gateway.world.calm()
    assert (await gateway.ask("overview")).status == 200


async def test_who_asks_again_is_told_what_was_known_and_that_the_store_stands_still(
    gateway: Console,
) -> None:
    gateway.world.bind.lose()
    await gateway.world.accepted("one")
    with stuck(gateway.world):
        assert (await gateway.ask("overview")).status == 503
        began = trio.current_time()
        answer = await gateway.ask("overview")
        assert trio.current_time() - began < 0.5
        assert (await gateway.ask("system")).json["store"] == "silent"
        [worst, *_] = answer.json["findings"]
        assert (worst["kind"], worst["severity"]) == ("store_silent", "critical")
        assert (answer.json["well"], answer.json["queued"]) == (False, 1)
    await gateway.world.calm()
    kinds = [one["kind"] for one in (await gateway.ask("overview")).json["findings"]]
    assert "store_silent" not in kinds


async def test_a_verb_that_the_store_takes_late_is_carried_out_all_the_same(
    gateway: Console,
) -> None:
    with stuck(gateway.world):
        answer = await gateway.ask("pause", {"scope": "tenant", "name": "acme"})
        assert (answer.status, answer.problem) == (503, "store_stuck")
        assert "under way" in answer.json["detail"]
    await gateway.world.calm()
    assert len((await gateway.ask("pauses")).json["items"]) == 1


async def test_pages_that_ask_again_and_again_of_a_store_that_stands_still_are_bounded(
    gateway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.ops.admin.patience.LEFT", 2)
    with stuck(gateway.world):
        for _ in range(2):
            assert (await gateway.ask("audit")).status == 503
        began = trio.current_time()
        assert (await gateway.ask("audit")).status == 503
        assert trio.current_time() - began < 0.5


async def test_a_store_that_refuses_says_why(gateway: Console) -> None:
    gateway.world.store.failing = {"note_change", "waiting"}
    for answer in (await gateway.ask("queues"), await gateway.ask("drain", {"bind": "alpha-1"})):
        assert (answer.status, answer.problem) == (503, "store_stuck")
        assert "disk: is full" in answer.json["detail"]
    assert not gateway.world.bind.draining


# --- tables ---


@pytest.mark.parametrize(
    ("look", "headers"),
    [(one, how) for one in LOOKS if one.many for how in ("?format=csv", "text/csv")],
    ids=lambda one: getattr(one, "path", one),
)
async def test_every_list_is_a_table_too(gateway: Console, look: Any, headers: str) -> None:
    await gateway.world.accepted({"campaign": "=1+1"})
    await gateway.world.service.acknowledge("acme", "crm", 0)
    await gateway.ask("pause", {"scope": "tenant", "name": "umbrella", "why": "@x"})
    await gateway.ask("optout", {"action": "add", "number": "+447400000000"})
    query = QUERIES.get(look.path, "")
    if headers == "text/csv":
        answer = await gateway.ask(look.path.strip("/") + query, None, "admin", accept="text/csv")
    else:
        answer = await gateway.ask(look.path.strip("/") + (query or "?") + "&format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    names, *rows = csv.reader(io.StringIO(answer.body.decode()))
    assert names == [field.name for field in msgspec.structs.fields(look.answer)]
    assert rows or look.path in ("/queues", "/sent", "/nodes")
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "@", "+"))]


async def test_a_table_has_all_pages(gateway: Console) -> None:
    for number in range(7):
        await gateway.ask("rate", {"carrier": "alpha", "rate": 1 + number, "seconds": 60})
    page = (await gateway.ask("audit?limit=3")).json
    assert (len(page["items"]), page["next"]) == (3, str(page["items"][-1]["id"]))
    rest = (await gateway.ask(f"audit?limit=3&before={page['next']}")).json
    assert rest["items"][0]["id"] == page["items"][-1]["id"] - 1
    table = await gateway.ask("audit?limit=3&format=csv")
    assert len(table.body.decode().splitlines()) == 8


def test_every_problem_has_a_status_of_its_own_kind() -> None:
    assert all(400 <= status < 600 for status, _ in STATUS.values())
    assert set(ROLES) == ALL

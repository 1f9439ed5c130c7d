"""Who is let in at the admin server, and how others are turned away."""

import hashlib
from typing import Any

import pytest
import trio
from starlette.requests import Request

from gateway.ops.admin.gate import ADDRESSES, REFUSAL, WAITING, Gate
from gateway.ops.admin.options import AdminOptions, AdminToken
from gateway.ops.metrics import Metrics
from gateway.ops.problems import ProblemError


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


GUARDED = AdminOptions(
    token_sha256=(sha256("root").upper(),),
    tokens=(AdminToken("ann", "operator", sha256("annie")), AdminToken("v", "viewer", sha256("v"))),
)


def request(method: str = "GET", client: str | None = "192.0.2.1", /, **headers: str) -> Request:
    named = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    ends: dict[str, Any] = {"client": (client, 5) if client else None, "server": ("127.0.0.1", 7)}
    return Request({"type": "http", "method": method, "path": "/", "headers": named, **ends})


class Counted:
    """A gate and what it counts."""

    def __init__(self, options: AdminOptions = GUARDED) -> None:
        self.metrics = Metrics()
        self.gate = Gate(options, self.metrics)

    @property
    def refused(self) -> dict[str, int]:
        return {labels[0]: n for labels, n in self.metrics.admin_refused.values().items() if n}

    async def turned_away(self, asked: Request) -> str:
        with pytest.raises(ProblemError) as error:
            await self.gate.caller(asked)
        return error.value.kind


@pytest.mark.parametrize(
    ("authorization", "name", "role"),
    [
        ("Bearer root", "admin", "admin"),
        ("bearer  annie ", "ann", "operator"),
        ("Bearer v", "v", "viewer"),
    ],
)
async def test_a_token_tells_who_asks(authorization: str, name: str, role: str) -> None:
    caller = await Counted().gate.caller(request(authorization=authorization))
    assert (caller.name, caller.role, caller.client) == (name, role, "192.0.2.1")


@pytest.mark.parametrize("authorization", ["", "Basic cm9vdA==", "root", "Bearer", "Bearer "])
async def test_who_shows_no_token_is_told_to(authorization: str, autojump_clock: Any) -> None:
    counted, began = Counted(), trio.current_time()
    assert await counted.turned_away(request(authorization=authorization)) == "unauthenticated"
    assert trio.current_time() == began  # it is a browser that asks, or somebody who forgot
    assert counted.refused == {}


@pytest.mark.parametrize("token", ["wrong", "rooT", "root\u00e9", "x" * 100_000])
async def test_a_wrong_token_waits_and_is_counted(token: str, autojump_clock: Any) -> None:
    counted, began = Counted(), trio.current_time()
    asked = Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/",
            "headers": [(b"authorization", b"Bearer " + token.encode())],
            "client": ("192.0.2.1", 5),
        }
    )
    assert await counted.turned_away(asked) == "unauthenticated"
    assert trio.current_time() - began == pytest.approx(REFUSAL)
    assert counted.refused == {"token": 1}


async def test_who_guesses_from_one_address_holds_up_nobody_elses(autojump_clock: Any) -> None:
    counted = Counted()
    async with trio.open_nursery() as nursery:
        for _ in range(WAITING):
            nursery.start_soon(counted.turned_away, request(authorization="Bearer wrong"))
        await trio.testing.wait_all_tasks_blocked()
        # What it sends beyond that is not even looked at, were it right.
        assert await counted.turned_away(request(authorization="Bearer root")) == "busy"
        other = request("GET", "192.0.2.2", authorization="Bearer root")
        assert (await counted.gate.caller(other)).name == "admin"
    assert counted.refused == {"token": WAITING, "too_many": 1}
    assert (await counted.gate.caller(request(authorization="Bearer root"))).name == "admin"


async def test_guesses_from_ever_new_addresses_are_bounded(autojump_clock: Any) -> None:
    counted = Counted()
    async with trio.open_nursery() as nursery:
        for number in range(ADDRESSES + 1):
            asked = request("GET", f"10.0.{number // 250}.{number % 250}", authorization="Bearer x")
            nursery.start_soon(counted.turned_away, asked)
        await trio.testing.wait_all_tasks_blocked()
        new = request("GET", "192.0.2.9", authorization="Bearer wrong")
        assert await counted.turned_away(new) == "busy"
    assert counted.refused["too_many"] >= 1


OURS = ["127.0.0.1:7601", "localhost:7601", "LOCALHOST", "[::1]:7601", "127.0.0.1", "192.0.2.1:80"]
STRANGE = ["evil.example:7601", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example",
           "", "[::1", "a b", "127.0.0.1@evil.example:80"]  # fmt: skip


@pytest.mark.parametrize("host", OURS)
async def test_without_a_token_it_is_asked_by_its_address(host: str) -> None:
    counted = Counted(AdminOptions())
    caller = await counted.gate.caller(request(host=host))
    assert (caller.name, caller.role) == ("local", "admin")


@pytest.mark.parametrize("host", STRANGE)
async def test_a_strangers_name_that_leads_here_is_refused(host: str) -> None:
    """DNS rebinding: the page of a stranger asks its own name, which is this machine by now."""
    counted = Counted(AdminOptions())
    assert await counted.turned_away(request(host=host)) == "wrong_host"
    assert counted.refused == {"host": 1}
    # One that shows a token is no stranger's page, whatever the name.
    guarded = Counted()
    assert await guarded.gate.caller(request(host=host, authorization="Bearer root"))


HERE = "127.0.0.1:7601"


@pytest.mark.parametrize(
    ("method", "headers", "let_in"),
    [
        ("POST", {}, True),  # a program
        ("POST", {"origin": f"http://{HERE}"}, True),
        ("POST", {"origin": f"http://{HERE}", "sec_fetch_site": "same-origin"}, True),
        ("POST", {"sec_fetch_site": "none"}, True),
        ("POST", {"origin": "http://evil.example"}, False),
        ("POST", {"origin": "null"}, False),
        ("POST", {"origin": ""}, False),
        ("POST", {"origin": "http://127.0.0.1:8080"}, False),
        ("POST", {"origin": f"http://evil.example@{HERE}"}, False),
        ("POST", {"sec_fetch_site": "cross-site"}, False),
        ("POST", {"sec_fetch_site": "same-site"}, False),
        ("DELETE", {"origin": "http://evil.example"}, False),
        ("GET", {"origin": "http://evil.example"}, True),  # it cannot read the answer
    ],
)
async def test_no_page_of_another_site_changes_anything(
    method: str, headers: dict[str, str], let_in: bool
) -> None:
    counted = Counted(AdminOptions())
    asked = request(method, "127.0.0.1", host=HERE, **headers)
    if let_in:
        assert (await counted.gate.caller(asked)).name == "local"
        assert counted.refused == {}
    else:
        assert await counted.turned_away(asked) == "wrong_origin"
        assert counted.refused == {"origin": 1}


async def test_a_caller_without_an_address_is_let_in_all_the_same() -> None:
    caller = await Counted().gate.caller(request("GET", None, authorization="Bearer root"))
    assert caller.client == "unknown"


async def test_a_token_that_a_reload_takes_away_is_worth_nothing_from_then_on(
    autojump_clock: Any,
) -> None:
    now = [GUARDED]
    gate = Gate(GUARDED, Metrics(), lambda: now[0])
    assert (await gate.caller(request(authorization="Bearer annie"))).name == "ann"
    now[0] = AdminOptions(tokens=(AdminToken("bob", "viewer", sha256("bobby")),))
    assert (await gate.caller(request(authorization="Bearer bobby"))).name == "bob"
    with pytest.raises(ProblemError):
        await gate.caller(request(authorization="Bearer annie"))


async def test_a_server_that_began_with_tokens_never_goes_on_without() -> None:
    gate = Gate(GUARDED, Metrics(), AdminOptions)
    with pytest.raises(ProblemError):
        await gate.caller(request(host="127.0.0.1:7601"))


async def test_a_server_that_began_without_asks_for_one_as_soon_as_there_is_one() -> None:
    now = [AdminOptions()]
    gate = Gate(AdminOptions(), Metrics(), lambda: now[0])
    assert (await gate.caller(request(host="127.0.0.1:7601"))).name == "local"
    now[0] = GUARDED
    with pytest.raises(ProblemError):
        await gate.caller(request(host="127.0.0.1:7601"))

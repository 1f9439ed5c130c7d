"""Signing in, sessions that end, and pages of other sites."""

import pytest
import trio
from msgspec.structs import replace

from gateway.ops.console.people import local_address
from gateway.ops.console.sessions import LASTS
from gateway.ops.metrics import Metrics
from gateway.ops.operations import Role
from tests.ops.console.staging import (
    FREE,
    OPTIONS,
    TOKENS,
    Clock,
    Staged,
    ask,
    events,
    serving,
    signed_in,
)


async def test_one_signs_in_with_a_token_and_goes_on_where_one_was() -> None:
    async with serving(Staged(), OPTIONS) as address:
        asked = await ask(address, "/queues?q=acme")
        form = await ask(address, asked.headers["location"])
        signed = await ask(
            address, "/login", form={"token": TOKENS["admin"], "next": form.hidden("next")}
        )
        page = await ask(address, signed.headers["location"], cookie=signed.cookie)
    assert asked.status == signed.status == 303
    assert asked.headers["location"] == "/login?next=%2Fqueues%3Fq%3Dacme"
    assert signed.headers["location"] == "/queues?q=acme"
    assert page.status == 200
    assert "admin, admin" in page.text
    told = signed.headers["set-cookie"].lower()
    assert "httponly" in told
    assert "samesite=strict" in told
    assert TOKENS["admin"] not in told


async def test_a_wrong_token_is_told_and_counted() -> None:
    metrics = Metrics()
    async with serving(Staged(), OPTIONS, metrics) as address:
        answer = await ask(address, "/login", form={"token": "guess"})
        none = await ask(address, "/login", form={"token": ""})
    assert answer.status == none.status == 401
    assert "the token is not one of those" in answer.text
    assert "set-cookie" not in answer.headers
    assert metrics.admin_refused.values() == {("token",): 1}


@pytest.mark.parametrize("cookie", ["", "gateway_session_1=x", "a=b; c"])
async def test_without_a_session_nothing_is_shown(cookie: str) -> None:
    async with serving(Staged(), OPTIONS) as address:
        for path in ("/", "/carriers/alpha", "/series?board=now", "/messages/m6f3a2b1c"):
            answer = await ask(address, path, cookie=cookie)
            assert (answer.status, answer.text) == (303, "")
        assert await events(address, "/live?at=/", 1, cookie) == ["event: ended\ndata: \n"]


async def test_a_page_that_was_open_for_a_week_changes_nothing_and_says_why() -> None:
    staged, clock = Staged(), Clock()
    async with serving(staged, OPTIONS, clock=clock) as address:
        cookie = await signed_in(address, "admin")
        page = await ask(address, "/do/pause?scope=carrier&name=alpha", cookie=cookie)
        clock.now += 7 * 86_400
        form = {"scope": "carrier", "name": "alpha", "seal": page.hidden("seal")}
        sent = await ask(address, "/do/pause", form=form, cookie=cookie)
        asked = await ask(address, sent.headers["location"])
        stream = await events(address, "/live?at=/carriers", 1, cookie)
    assert sent.status == 303
    assert "so nothing was done" in asked.text
    assert asked.hidden("next") == "/do/pause"
    assert stream == ["event: ended\ndata: \n"]
    assert staged.told == []


async def test_a_stream_ends_with_its_session() -> None:
    clock = Clock()
    async with serving(Staged(), OPTIONS, clock=clock) as address:
        cookie = await signed_in(address, "viewer")
        clock.now += LASTS - 0.001
        first = await events(address, "/live?at=/", 1, cookie)
        clock.now += 1
        assert await events(address, "/live?at=/", 1, cookie) == ["event: ended\ndata: \n"]
    assert first[0].startswith("data: ")


@pytest.mark.parametrize("role", ["operator", None], ids=["another role", "no token"])
async def test_a_reload_takes_away_what_a_token_may_see(role: Role | None) -> None:
    options, staged = [OPTIONS], Staged()
    async with serving(staged, OPTIONS, latest=lambda: options[-1]) as address:
        cookie = await signed_in(address, "admin")
        found: list[str] = []

        async def follow() -> None:
            found.extend(await events(address, "/live?at=/", 2, cookie))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow)
            while not staged.asked:
                await trio.sleep(0.01)
            kept = tuple(
                replace(one, role=role or one.role)
                for one in OPTIONS.tokens
                if role or one.name != "admin"
            )
            options.append(replace(OPTIONS, tokens=kept))
        page = await ask(address, "/optouts", cookie=cookie)
    assert found[-1] == "event: ended\ndata: \n"
    assert page.status == (200 if role else 303)


async def test_a_page_that_outlives_the_gateway_asks_to_sign_in_and_does_nothing() -> None:
    async with serving(Staged(), OPTIONS) as address:
        cookie = await signed_in(address, "admin")
        seal = (await ask(address, "/do/pause", cookie=cookie)).hidden("seal")
    staged = Staged()
    async with serving(staged, OPTIONS) as address:  # started anew
        name, value = f"gateway_session_{address.rpartition(':')[2]}", cookie.partition("=")[2]
        form = {"seal": seal, "scope": "carrier", "name": "alpha"}
        sent = await ask(address, "/do/pause", form=form, cookie=f"{name}={value}")
        stream = await events(address, "/live?at=/", 1, f"{name}={value}")
    assert (sent.status, sent.headers["location"].partition("?")[0]) == (303, "/login")
    assert stream == ["event: ended\ndata: \n"]
    assert staged.told == []


async def test_signing_out_forgets_the_session() -> None:
    async with serving(Staged(), OPTIONS) as address:
        cookie = await signed_in(address, "operator")
        page = await ask(address, "/help", cookie=cookie)
        forged = await ask(address, "/logout", form={"seal": "x"}, cookie=cookie)
        answer = await ask(address, "/logout", form={"seal": page.hidden("seal")}, cookie=cookie)
    assert "set-cookie" not in forged.headers
    assert answer.headers["location"] == "/login"
    assert "gateway_session" in answer.headers["set-cookie"]
    assert "Max-Age=0" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
async def test_a_page_of_another_site_can_change_nothing(headers: dict[str, str]) -> None:
    staged = Staged()
    for options in (OPTIONS, FREE):
        async with serving(staged, options) as address:
            cookie = await signed_in(address, "admin") if options.guarded else ""
            page = await ask(address, "/do/pause?scope=carrier&name=alpha", cookie=cookie)
            form = {"scope": "carrier", "name": "alpha", "seal": page.hidden("seal")}
            answer = await ask(address, "/do/pause", form=form, cookie=cookie, **headers)
        assert answer.status == 403
    assert staged.told == []


async def test_a_link_from_elsewhere_is_followed_by_whoever_has_signed_in() -> None:
    """A browser keeps the cookie back then; asked once more by our own page, it sends it."""
    async with serving(Staged(), OPTIONS) as address:
        answer = await ask(address, "/queues?q=a", sec_fetch_site="cross-site")
    assert answer.status == 200
    assert 'content="0;url=/queues?q=a"' in answer.text


async def test_forms_that_are_none_are_refused() -> None:
    async with serving(Staged()) as address:
        for kind in ("application/json", "multipart/form-data; boundary=x", ""):
            answer = await ask(address, "/do/pause", form={}, content_type=kind)
            assert answer.status == 400
        large = await ask(address, "/do/pause", form={"why": "x" * 70_000})
        odd = await ask(address, "/do/pause", form={f"n{number}": "" for number in range(200)})
    assert large.status == odd.status == 400


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/carriers?q=a", "/carriers?q=a"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        ("/a\r\nset-cookie: x", "/"),
    ],
)
def test_one_is_led_nowhere_else(asked: str, led: str) -> None:
    assert local_address(asked) == led

"""The console as people have it: in a browser, in both themes, on a phone and a wide screen."""

import math
from collections.abc import Callable

import pytest
import trio
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from gateway.ops.console.live import EVERY
from gateway.ops.metrics import Metrics
from tests.ops.console.conftest import PHONE, WIDE, Window
from tests.ops.console.staging import (
    NOW,
    OPTIONS,
    TOKENS,
    Clock,
    Staged,
    many,
    serving,
)

PAGES = [
    "/",
    "/carriers",
    "/carriers/alpha",
    "/queues",
    "/tenants",
    "/policy",
    "/campaigns",
    "/messages?q=%2B4915112345678",
    "/messages/m6f3a2b1c",
    "/optouts?tenant=acme",
    "/consumers",
    "/nodes",
    "/system",
    "/audit",
    "/panels",
    "/panels/carriers",
    "/runbooks",
    "/runbooks/CarrierDown",
    "/help",
    "/do/pause?scope=carrier&name=alpha",
    "/do/test",
    "/nowhere-at-all",
]
Axe = Callable[[Page], list[str]]

LAG = 500.0
"""Milliseconds for which a page that changes may stand still."""


@pytest.mark.slow  # a browser draws every page twice
@pytest.mark.parametrize(("theme", "size"), [("light", WIDE), ("dark", PHONE)])
async def test_pages_keep_nobody_out_and_load_nothing_strange(
    window: Window, axe: Axe, theme: str, size: dict[str, int]
) -> None:
    async with serving(Staged(), metrics=busy()) as address:

        def look(page: Page) -> dict[str, list[str]]:
            wrong = {}
            asked: set[str] = set()
            page.on("request", lambda request: asked.add(request.url))
            for path in PAGES:
                page.goto(address + path)
                found = axe(page)
                width = page.evaluate("document.documentElement.scrollWidth")
                if width > size["width"]:
                    found.append(f"is {width} wide")
                if found:
                    wrong[path] = found
            assert all(url.startswith(address) for url in asked)
            return wrong

        assert await window.see(look, color_scheme=theme, viewport=size) == {}
    assert [one for one in window.complaints if "404" not in one] == []


async def test_a_page_follows_what_happens_and_keeps_what_one_has_open(window: Window) -> None:
    staged = Staged()
    async with serving(staged) as address:

        def look(page: Page) -> None:
            page.goto(f"{address}/")
            expect(page.locator("#live-state")).to_have_text("live")
            expect(page.get_by_text("12,722")).to_be_visible()
            link = page.get_by_role("link", name="Runbook").first
            link.focus()
            staged.seen = replace(staged.seen, queued=77_123)
            expect(page.get_by_text("77,123")).to_be_visible()
            expect(link).to_be_focused()
            staged.seen = staged.calm
            expect(page.get_by_text("All is well.")).to_be_visible()
            expect(page.locator("#pulse")).to_have_text("all is well")

        await window.see(look)
    assert window.complaints == []


async def test_one_row_is_renewed_and_what_one_has_open_in_it_stays(window: Window) -> None:
    staged = Staged()
    async with serving(staged) as address:

        def look(page: Page) -> None:
            page.goto(f"{address}/carriers")
            expect(page.locator("#live-state")).to_have_text("live")
            page.evaluate("document.querySelector('#row-beta').dataset.known = 'yes'")
            link = page.locator("#row-alpha").get_by_role("link", name="alpha")
            link.focus()
            for waiting in (77_123, 77_124):
                staged.carrier_views = [
                    replace(one, waiting=waiting) if one.id == "alpha" else one
                    for one in staged.carrier_views
                ]
                expect(page.locator("#row-alpha")).to_contain_text(f"{waiting:,}")
                expect(link).to_be_focused()
            # The other one is as it was: nobody has touched it.
            expect(page.locator("#row-beta")).to_have_attribute("data-known", "yes")
            expect(page.locator("tbody tr")).to_have_count(len(staged.carrier_views))

        await window.see(look)
    assert window.complaints == []


async def test_a_page_says_when_it_stands_still_and_when_it_lives_again(window: Window) -> None:
    staged, clock = Staged(), Clock()
    async with serving(staged, OPTIONS, clock=clock) as address:

        def look(page: Page) -> None:
            page.goto(f"{address}/carriers")
            page.get_by_label("Token").fill(TOKENS["operator"])
            page.get_by_role("button", name="Sign in").click()
            expect(page.locator("#live-state")).to_have_text("live")
            staged.stuck = True
            page.goto(f"{address}/carriers")
            unknown = page.get_by_text("nobody can tell how it stands")
            expect(unknown).to_be_visible()
            staged.stuck = False
            expect(page.get_by_text("1 critical")).to_be_visible()
            clock.now = NOW + 7 * 86_400
            expect(page.get_by_text("Your session has ended")).to_be_visible()
            expect(page.locator("#live-state")).to_have_text("not live")
            page.get_by_role("link", name="Sign in again").click()
            expect(page.get_by_label("Token")).to_be_focused()

        await window.see(look)


async def test_keys_search_help_and_go(window: Window) -> None:
    async with serving(Staged()) as address:

        def look(page: Page) -> None:
            page.goto(f"{address}/queues")
            expect(page.locator("#live-state")).to_have_text("live")
            page.keyboard.press("/")
            expect(page.locator("#search")).to_be_focused()
            page.keyboard.type("?china/")
            expect(page.locator("#search")).to_have_value("?china/")
            page.locator("#search").fill("china")
            page.keyboard.press("Enter")
            expect(page.get_by_text("1 of 3 queues")).to_be_visible()
            expect(page.locator("#live-state")).to_have_text("live")  # its scripts have run
            page.keyboard.press("?")
            expect(page.get_by_role("dialog")).to_be_visible()
            page.keyboard.press("Escape")
            expect(page.get_by_role("dialog")).to_be_hidden()
            page.keyboard.press("g")
            page.keyboard.press("t")
            page.wait_for_url("**/tenants")

        await window.see(look)
    assert window.complaints == []


async def test_a_campaign_is_paused_and_messages_are_cancelled_without_scripts_too(
    window: Window,
) -> None:
    for scripts in (True, False):
        staged = Staged()
        async with serving(staged) as address:

            def look(page: Page, address: str = address) -> None:
                page.goto(f"{address}/queues")
                page.get_by_role("link", name="Pause", exact=True).first.click()
                page.get_by_label("For").select_option("an hour")
                page.get_by_label("Why").fill("wrong price")
                page.get_by_role("button", name="Pause").click()
                expect(page.get_by_text("Done. Pause, campaign autumn of globex")).to_be_visible()
                page.get_by_role("link", name="Cancel…").first.click()
                page.get_by_role("button", name="Count them").click()
                page.get_by_role("button", name="Yes, all 12,310").click()
                expect(page.get_by_text("Done. Cancel messages")).to_be_visible()

            await window.see(look, java_script_enabled=scripts)
        told = [type(command).__name__ for command, _ in staged.told]
        assert told == ["Pause", "Cancel"]
        assert staged.told[0][0].why == "wrong price"
    assert window.complaints == []


async def test_panels_are_drawn(window: Window) -> None:
    async with serving(Staged(), metrics=busy()) as address:

        def look(page: Page) -> None:
            page.goto(f"{address}/panels/now")
            figure = page.locator("figure").filter(has_text="Why messages do not move")
            expect(figure.locator("canvas")).to_be_visible()
            expect(figure.get_by_role("row", name="no_bind")).to_contain_text("12,310")
            empty = page.locator("figure").filter(has_text="From acceptance to a carrier")
            expect(empty.locator("canvas")).to_have_count(0)

        await window.see(look)
    assert window.complaints == []


async def test_a_page_of_a_large_installation_does_not_lag(window: Window) -> None:
    staged = Staged()
    many(staged)
    async with serving(staged) as address:

        def look(page: Page) -> list[float]:
            page.goto(f"{address}/tenants?sort=tenant")
            expect(page.locator("#live-state")).to_have_text("live")
            page.evaluate(
                "new PerformanceObserver(list => list.getEntries().forEach("
                "one => { window.longest = Math.max(window.longest, one.duration) }))"
                ".observe({entryTypes: ['longtask']})"
            )
            longest = [math.inf]
            # What else the machine does makes some of them longer, none shorter.
            while min(longest) >= LAG and len(longest) <= 20:
                page.evaluate("window.longest = 0")
                staged.tenant_views = [
                    replace(one, queued=one.queued + 1_000_000) for one in staged.tenant_views
                ]
                expect(page.get_by_text(f"{len(longest)},000,099")).to_be_visible()
                longest.append(float(page.evaluate("window.longest")))
            return longest

        assert min(await window.see(look)) < LAG


def busy() -> Metrics:
    """Metrics with something to draw."""
    metrics = Metrics()
    metrics.held_messages.feed(lambda: {("acme", "otp", "default", "no_bind"): 12_310})
    metrics.bind_up.feed(lambda: {("alpha", "alpha/1"): 0.0, ("beta", "beta/1"): 1.0})
    return metrics


async def test_nothing_is_left_open(window: Window) -> None:
    """A tab that is closed ends its stream."""
    staged = Staged()
    async with serving(staged) as address:
        await window.see(lambda page: page.goto(f"{address}/"))
        with trio.fail_after(60):
            asked = -1
            while asked != staged.asked:
                asked = staged.asked
                await trio.sleep(2.2 * EVERY)

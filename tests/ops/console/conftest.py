"""A browser, Debian's Chromium, driven by Playwright from a thread of its own; and axe-core, which
finds what keeps people from using a page. `.ci/interop` installs both."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
import trio
from playwright.sync_api import Browser, Page, expect, sync_playwright

AXE: Final = Path(__file__).parents[2] / "interop" / "node_modules" / "axe-core" / "axe.min.js"

PHONE: Final = {"width": 390, "height": 844}
WIDE: Final = {"width": 1360, "height": 860}

PATIENCE: Final = 60_000.0
"""Milliseconds after which what does not show is a failure."""

expect.set_options(PATIENCE)

T = TypeVar("T")


class Window:
    """A window of the browser, and what went wrong in it."""

    def __init__(self, thread: ThreadPoolExecutor, browser: Browser) -> None:
        self._thread = thread
        self._browser = browser
        self.complaints: list[str] = []

    async def see(self, look: Callable[[Page], T], **options: Any) -> T:
        """What somebody sees who does ``look`` with a fresh page; ``options`` are those of a
        context of Playwright."""

        def run() -> T:
            context = self._browser.new_context(**options)
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            page.on("console", lambda message: self._note(message.type, message.text))
            page.on("pageerror", lambda error: self._note("error", str(error)))
            try:
                return look(page)
            finally:
                context.close()

        return await trio.to_thread.run_sync(lambda: self._thread.submit(run).result())

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)


@pytest.fixture(scope="module")
def chromium() -> Iterator[tuple[ThreadPoolExecutor, Browser]]:
    """The browser, once for a module: it takes a second to start."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed; .ci/interop installs it on Debian")
    with ThreadPoolExecutor(1) as thread:
        driver = thread.submit(sync_playwright().start).result()
        browser = thread.submit(
            driver.chromium.launch,
            executable_path=program,
            timeout=PATIENCE,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        ).result()
        yield thread, browser
        thread.submit(browser.close).result()
        thread.submit(driver.stop).result()


@pytest.fixture
def window(chromium: tuple[ThreadPoolExecutor, Browser]) -> Window:
    """A window of the browser."""
    return Window(*chromium)


@pytest.fixture
def axe() -> Callable[[Page], list[str]]:
    """Finds what keeps people from using a page: a line for each."""
    if not AXE.exists():
        pytest.skip("the npm package axe-core is not installed; .ci/interop installs it")
    source = AXE.read_text()

    def check(page: Page) -> list[str]:
        # By the protocol of the browser: the policy of our pages lets no script in.
        session = page.context.new_cdp_session(page)
        session.send("Runtime.evaluate", {"expression": source})
        found = session.send(
            "Runtime.evaluate",
            {
                "expression": "axe.run(document, {resultTypes: ['violations']})"
                ".then(found => found.violations.flatMap(one => one.nodes.map(node =>"
                " `${one.id}: ${node.target} ${node.any.map(why => why.message)}`)))",
                "awaitPromise": True,
                "returnByValue": True,
            },
        )
        lines: list[str] = found["result"]["value"]
        return lines

    return check

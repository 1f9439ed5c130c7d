"""Where the foreign peers are, and what is said to them. `.ci/interop` installs them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

KANNEL = "/usr/sbin:/usr/lib/kannel/test"
"""Where Debian puts what no shell has in its path."""


class Texts(NamedTuple):
    """Messages of each sort."""

    single: str = "Your code is 4711: keep it safe @ home [5 €]"
    long: str = "£12 {off} everything ~ only until Sunday 18:00, at the shop or on our site. " * 5
    chinese: str = "您的验证码是四七八二"
    long_chinese: str = "您好😀,您的订单已发货。请在签收前检查包裹,如有问题请与我们联系。" * 4

    @property
    def parts(self) -> int:
        """How many parts they have in all, with references of one octet or of two."""
        return 1 + 3 + 1 + 3


@pytest.fixture(scope="session")
def texts() -> Texts:
    """A message of each sort."""
    return Texts()


@pytest.fixture
def tool() -> Callable[[str], str]:
    """Finds a program, or skips the test where it is not installed."""

    def find(name: str) -> str:
        found = shutil.which(name) or shutil.which(name, path=KANNEL)
        if found is None:
            pytest.skip(f"{name} is not installed; .ci/interop installs it on Debian")
        return found

    return find


@pytest.fixture
def npm_peer(site: Any, tool: Callable[[str], str]) -> Callable[..., Any]:
    """Starts one of the peers made of the npm package smpp: name of the script, its arguments."""
    folder = Path(__file__).parent
    node = tool("node")
    if not (folder / "node_modules" / "smpp").exists():
        pytest.skip("the npm package smpp is not installed; .ci/interop installs it")
    return lambda name, *arguments: site.start(name, node, str(folder / name), *arguments)


@pytest.fixture
def submit() -> Callable[[Any, list[str]], dict[str, str]]:
    """Submits texts to a recipient each; returns the texts by recipient."""

    def submit(client: Any, texts: list[str], **fields: Any) -> dict[str, str]:
        wanted = {f"4915112345{number:03}": text for number, text in enumerate(texts)}
        messages = [{"to": to, "text": text, **fields} for to, text in wanted.items()]
        results = client.ask("submit", messages=messages)["results"]
        assert all("message_id" in result for result in results), results
        return wanted

    return submit

"""What pages are made of, as it is served and as it came."""

import hashlib
import re
from pathlib import Path

import pytest

from gateway.ops import console
from tests.ops.console.staging import Staged, ask, serving

STATIC = Path(str(console.__file__)).parent / "static"


async def test_files_are_served_once() -> None:
    async with serving(Staged()) as address:
        first = await ask(address, "/static/console.css")
        again = await ask(address, "/static/console.css", if_none_match=first.headers["etag"])
        other = await ask(address, "/static/console.css", if_none_match='"other"')
    assert first.status == 200
    assert first.headers["content-type"] == "text/css; charset=utf-8"
    assert first.text == (STATIC / "console.css").read_text()
    assert (again.status, again.text) == (304, "")
    assert other.status == 200


@pytest.mark.parametrize(
    "path",
    ["../pages.py", "vendor/../console.js", "nothing.js", "vendor/VENDORED.md", "vendor", ""],
)
async def test_nothing_else_is_served(path: str) -> None:
    async with serving(Staged()) as address:
        assert (await ask(address, f"/static/{path}")).status == 404


def test_what_others_wrote_is_unchanged_and_has_its_licence() -> None:
    rows = re.findall(
        r"^\| `(\S+)` \|.*\| ([\d.]+) \| .*`(\S+)` \| `([0-9a-f]{64})` \|$",
        (STATIC / "vendor" / "VENDORED.md").read_text(),
        re.MULTILINE,
    )
    scripts = {
        path.name for path in (STATIC / "vendor").iterdir() if path.suffix in (".js", ".css")
    }
    assert {name for name, *_ in rows} == scripts
    for name, version, licence, digest in rows:
        body = (STATIC / "vendor" / name).read_bytes()
        assert hashlib.sha256(body).hexdigest() == digest
        assert version.encode() in body or name in ("hx-sse.min.js", "uPlot.min.css")
        assert (STATIC / "vendor" / licence).exists()

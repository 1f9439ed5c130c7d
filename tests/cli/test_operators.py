"""The commands for operators, against a gateway that runs."""

import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.looking import _show
from gateway.cli.operators import span
from gateway.cli.output import UsageError
from gateway.config import admin_address
from gateway.errors import ConfigError

from .conftest import Run


def test_how_it_stands_is_told_to_operators(ann: Run, shop: Run) -> None:
    overview = ann("overview")
    assert (overview.status, overview.err) == (0, "")
    [told] = overview.records
    assert (told["well"], told["binds_up"]) == (True, 1)
    [carrier] = ann("carriers").records
    assert (carrier["id"], carrier["state"], carrier["binds"][0]["name"]) == (
        "alpha",
        "up",
        "alpha-1",
    )
    assert {one["id"] for one in ann("tenants").records} == {"shop", "kiosk"}
    assert ann("diff").records[0]["made"] == []
    shop("send", "--to", "+447700900776", "--text", "Hi")
    shop("events", "--consumer", "watched", "--until-idle", "2")
    assert "watched" in {one["name"] for one in ann("consumers").records}


def test_a_carrier_is_paused_and_what_waits_for_it_is_told_and_cancelled(
    ann: Run, shop: Run
) -> None:
    paused = ann("pause", "--carrier", "alpha", "--for", "30m", "--why", "they asked")
    assert paused.status == 0
    again = ann("pause", "--route", "nowhere")
    assert (again.status, again.out) == (1, "")
    assert "there is no route nowhere" in again.err
    try:
        shop("send", "--to", "+447700900777", "--text", "Hi", "--campaign", "tulips")
        [pause] = ann("pauses").records
        assert (pause["by"], pause["why"], pause["held"]) == ("ann", "they asked", 1)
        [queue] = ann("queues").records
        assert (queue["campaign"], queue["reason"]) == ("tulips", "paused")

        counted = ann("cancel", "--tenant", "shop", "--campaign", "tulips")
        assert (counted.status, counted.out) == (1, "")
        assert "1 messages are meant: nothing is done without --confirm 1" in counted.err
        changed = ann("cancel", "--tenant", "shop", "--campaign", "tulips", "--confirm", "2")
        assert (changed.status, changed.out) == (1, "")
        [done] = ann("cancel", "--tenant", "shop", "--campaign", "tulips", "--confirm=1").records
        assert done["after"] == {"cancelled": 1}
        [found] = ann("messages", "+447700900777").records
        assert (found["state"], found["campaign"]) == ("cancelled", "tulips")
        assert ann("message", found["id"]).records[0]["steps"][-1]["what"] == "was cancelled"
    finally:
        assert ann("resume", "--carrier", "alpha").status == 0
    newest = ann("audit", "--limit", "3").records
    assert [one["verb"] for one in newest] == ["resume", "cancel", "cancel"]
    assert {one["who"] for one in newest} == {"ann"}


def test_binds_rates_opt_outs_and_reloads(ann: Run) -> None:
    assert ann("rate", "alpha", "5", "--for", "10m").records[0]["after"]["rate"] == 5.0
    assert ann("carriers").records[0]["rate_set"]["by"] == "ann"
    assert ann("rate", "alpha").records[0]["after"] == {"rate": 0}
    assert ann("drain", "alpha-1").records[0]["after"] == {"state": "drained"}
    assert ann("rebind", "alpha-1").status == 0
    assert ann("drain", "alpha-7").status == 1
    for action in ("add", "remove"):
        assert ann("optout", action, "+447700900778", "--everybody").status == 0
        listed = {one["number"] for one in ann("optout", "list", "--everybody").records}
        assert ("447700900778" in listed) == (action == "add")
    assert ann("optout", "add", "12", "--everybody").status == 1
    assert ann("reload", "--confirm", "0123456789ab").status == 1
    assert ann("reload").status == 0
    assert ann("probe", "shop", "--to", "+447700900779").records[0]["messages"] == 1
    nothing = ann("settle", "alpha", "expire", "--older", "1d")
    assert (nothing.status, "there is nothing to do" in nothing.err) == (1, True)
    assert ann("disconnect", "nobody", "--tenant", "shop").status == 1


def test_a_role_that_may_not_is_told_so(ann: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_ADMIN_TOKEN", "vic")
    assert ann("queues").status == 0
    for command in (("reload",), ("audit",), ("messages", "+447700900777")):
        ended = ann(*command)
        assert (ended.status, ended.out) == (1, "")
        assert ended.err.startswith("gateway: vic is viewer; this is for ")


@pytest.mark.parametrize("token", ["", "wrong"])
def test_without_a_token_it_is_told_where_that_goes(
    ann: Run, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("GATEWAY_ADMIN_TOKEN", token)
    ended = ann("queues")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.count("\n") == 1
    assert "--admin-token, or GATEWAY_ADMIN_TOKEN" in ended.err


MISTAKES = [
    ("pause",),
    ("pause", "--carrier", "a", "--route", "b"),
    ("pause", "spring", "--carrier", "a"),
    ("pause", "spring", "--for", "5m", "--token", "t"),
    ("pause", "spring"),
    ("resume",),
    ("cancel", "1f", "--tenant", "shop"),
    ("cancel", "--confirm", "5", "--token", "t"),
    ("pause", "--carrier", "a", "--for", "soon"),
    ("queues", "--admin", "ftp://here"),
    ("queues", "--config", "/nowhere/gateway.toml"),
    ("optout", "check", "+447700900777", "--everybody"),
    ("optout", "add", "--everybody"),
    ("optout", "list", "+447700900777", "--everybody"),
    ("optout", "list"),
    ("consumers", "list"),
    ("status", "1f"),
]


@pytest.mark.parametrize("arguments", MISTAKES, ids=" ".join)
def test_mistakes_are_told_in_one_line(
    run: Run, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GATEWAY_TOKEN", raising=False)
    ended = run(*arguments)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("gateway: ")
    assert ended.err.count("\n") == 1


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """Some other program that speaks HTTP."""

    def do_GET(self) -> None:
        page = b"<html>"
        self.send_response(200 if "queues" in self.path else 404)
        self.send_header("content-length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("command", ["queues", "overview"])
def test_what_is_no_gateway_is_told_so(run: Run, elsewhere: str, command: str) -> None:
    ended = run(command, "--admin", elsewhere)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("gateway: ")
    assert elsewhere in ended.err
    assert ended.err.count("\n") == 1


def test_no_proxy_is_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    ended = run("queues", "--admin", "http://127.0.0.1:2")
    assert "cannot reach the admin server at http://127.0.0.1:2: Connection refused" in ended.err


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:7601", "127.0.0.1:7601"),
        ("localhost:80", "localhost:80"),
        ("0.0.0.0:7601", "127.0.0.1:7601"),
        ("[::]:7601", "[::1]:7601"),
        ("[::1]:7601", "[::1]:7601"),
        ("10.0.0.5:7601", "10.0.0.5:7601"),
    ],
)
def test_the_address_comes_from_the_configuration_whatever_else_is_wrong_in_it(
    tmp_path: Path, listen: str, address: str
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(f'[admin]\nlisten = "{listen}"\n[api]\nlisten = 7\n')
    assert admin_address(path) == address


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "here"])
def test_an_address_that_tells_nothing(tmp_path: Path, listen: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(f'[admin]\nlisten = "{listen}"\n')
    with pytest.raises(ConfigError, match=r"admin\.listen"):
        admin_address(path)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90.0), ("90s", 90.0), ("30m", 1800.0), ("1.5h", 5400.0), ("7d", 604_800.0)],
)
def test_spans(text: str, seconds: float) -> None:
    assert span(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "5 minutes", "1w", "h1"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(UsageError, match="is no span"):
        span(text)


def test_columns_in_which_nothing_is_are_left_out_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _show([{"a": 1, "b": ""}, {"a": 2, "b": None}], lambda each: each)
    assert "b" not in capsys.readouterr().out

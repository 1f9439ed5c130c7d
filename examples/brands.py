"""What each rule does for two senders: the configurations in ``config/examples`` at work, each with
its carriers simulated, and a case or two for each rule.

The tests run the same cases (`tests/test_brands.py`); the demo shows them in a table.
"""

# ruff: noqa: E501, RUF001  a case a line; signs of Chinese writing are meant

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from examples.stage import listening, process, wait_until_ready
from gateway.api.blocking import Client, connect
from gateway.api.wire import Accepted, Rejected
from tools.ports import free_port

FOLDER: Final = Path(__file__).parents[1] / "config" / "examples"
TOKEN: Final = "change-me"

ZONES: Final = (
    "Asia/Shanghai", "Asia/Kolkata", "Europe/London", "America/New_York", "America/Los_Angeles",
    "Pacific/Auckland",
)  # fmt: skip
"""Some are at work and some asleep at any hour."""

DAY: Final = range(11, 17)
NIGHT: Final = (22, 23, 0, 1, 2, 3, 4, 5)


class Case(NamedTuple):
    """A message, and what a rule makes of it.

    Attributes:
        rule: which.
        tried: what, for a person.
        message: its fields.
        expected: ``accepted``, ``deferred``, or the code of a refusal.
    """

    rule: str
    tried: str
    message: dict[str, Any]
    expected: str


class Brand(NamedTuple):
    """A sender: its configuration, what is done first, and its cases, in their order."""

    name: str
    title: str
    prepare: Callable[[Client], object]
    cases: Sequence[Case]


def zone_of(hours: Sequence[int], now: float) -> str:
    """A time zone whose clock shows one of these hours."""
    return next(name for name in ZONES if datetime.fromtimestamp(now, ZoneInfo(name)).hour in hours)


def later(now: float) -> str:
    """Ten o'clock in two days, as wall clocks show it."""
    return f"{datetime.fromtimestamp(now + 2 * 86_400, UTC):%Y-%m-%d}T10:00"


def _prepare_shop(client: Client) -> None:
    client.put_template(
        "coupon",
        "${name}，您的${value}元券已到账，haian.example 见",
        category="marketing",
        variables={"name": {"max": 8, "default": "会员"}, "value": {"type": "digits", "max": 4}},
    )
    client.optout("add", ["+8613900000009"])


def shop(now: float) -> Brand:
    """The Chinese shop."""
    day, night = {"time_zone": zone_of(DAY, now)}, {"time_zone": zone_of(NIGHT, now)}

    def to(number: int) -> dict[str, Any]:
        return {"to": f"+861390000{number:04}", "category": "marketing", **day}

    otp = {"to": "+8613900000002", "category": "otp"}
    return Brand(
        "china-shop",
        "A shop in China",
        _prepare_shop,
        [
            Case("signature", "none: 【海岸百货】 is put in front", {**to(1), "text": "双十一五折"}, "accepted"),
            Case("signature", "somebody else's", {**to(3), "text": "【别家】五折"}, "content_refused"),
            Case("optout_line", "in a one-time password", {**otp, "text": "481516，拒收请回复R"}, "content_refused"),
            Case("banned_words", "全 国 最 佳", {**to(3), "text": "全 国 最 佳"}, "content_refused"),
            Case("links", "to a domain of nobody's", {**to(3), "text": "evil.com 领券"}, "content_refused"),
            Case("phones", "a telephone number", {**to(3), "text": "电话400-820-8820"}, "content_refused"),
            Case("contacts", "an account to add", {**to(3), "text": "加微信领券"}, "content_refused"),
            Case("max_parts", "four parts", {**to(3), "text": "满减" * 110}, "content_refused"),
            Case("template", "filled with its variables", {**to(4), "template": "coupon", "vars": {"value": 50}}, "accepted"),
            Case("template", "a variable that is a link", {**to(5), "template": "coupon", "vars": {"value": 5, "name": "a.com"}}, "content_refused"),
            Case("template", "a variable that is missing", {**to(5), "template": "coupon"}, "invalid_value"),
            Case("frequency", "a second text on one day", {**to(1), "text": "最后一天"}, "frequency_capped"),
            Case("quiet_hours", "at night where the phone is", {**to(6), **night, "text": "晚安五折"}, "deferred"),
            Case("send_at_local", "at ten in two days, where the phone is", {**to(7), "send_at_local": later(now), "text": "早安五折"}, "deferred"),
            Case("quiet_hours", "a window that is at no open hour", {**to(8), "window": "22:00-23:00", "text": "晚安"}, "invalid_value"),
            Case("optout", "a phone that said stop", {**to(9), "text": "五折"}, "opted_out"),
            Case("destinations", "a phone abroad", {"to": "+447400123456", "text": "五折"}, "destination_blocked"),
            Case("destinations", "a fixed line", {"to": "+861066778899", "text": "五折"}, "destination_blocked"),
        ],
    )  # fmt: skip


def _prepare_brand(client: Client) -> None:
    client.consent(
        "add",
        [f"+1212555{number:04}" for number in range(101, 110)],
        source="checkout",
        wording="Text me offers",
    )
    client.optout("add", ["+12125550109"])


def brand(now: float) -> Brand:
    """The US brand."""
    day, night = {"time_zone": zone_of(DAY, now)}, {"time_zone": zone_of(NIGHT, now)}

    def to(number: int) -> dict[str, Any]:
        return {"to": f"+1212555{number:04}", "category": "marketing", **day}

    return Brand(
        "us-brand",
        "A brand in the United States",
        _prepare_brand,
        [
            Case("optout_line", "none: “Reply STOP” is put at the end", {**to(101), "text": "Sale"}, "accepted"),
            Case("smart_encoding", "“curly” quotes – made plain", {**to(102), "text": "“Sale” – today"}, "accepted"),
            Case("consent", "a phone without consent", {**to(150), "text": "Sale"}, "no_consent"),
            Case("quiet_hours", "at night where the phone is", {**to(103), **night, "text": "Sale"}, "deferred"),
            Case("repeats", "the same text again", {**to(101), "text": "Sale", "campaign": "spring"}, "accepted"),
            Case("repeats", "the same in its campaign", {**to(101), "text": "Sale", "campaign": "spring"}, "duplicate_recipient"),
            Case("banned_words", "C@SINO, which is casino", {**to(104), "text": "C@SINO night"}, "content_refused"),
            Case("shorteners", "a link by bit.ly", {**to(104), "text": "bit.ly/2x"}, "content_refused"),
            Case("optout", "a phone that said stop", {**to(109), "text": "Sale"}, "opted_out"),
            Case("otp", "a code needs no consent, at any hour", {"to": "+12125550150", "category": "otp", "text": "Code 481516"}, "accepted"),
            Case("destinations", "a phone abroad", {"to": "+8613900000001", "text": "Sale"}, "destination_blocked"),
        ],
    )  # fmt: skip


class Did(NamedTuple):
    """What came of a case: in a word, which rule said so, and why."""

    case: Case
    came: str
    rule: str
    why: str

    @property
    def holds(self) -> bool:
        return self.came == self.case.expected


@contextmanager
def running(name: str) -> Iterator[Client]:
    """A gateway with one of the configurations, on free ports, and its carriers."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-demo-"))
    text = (FOLDER / f"{name}.toml").read_text()
    api, admin = free_port(), free_port()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        account = re.findall(r'system_id = "(\w+)"', text)[0]
        for port in ("2775", "2776"):
            options = ("simulate", "--port=0", f"--account={account}=secret")
            carrier = stack.enter_context(process(folder, port, *options))
            text = text.replace(f"port = {port}", f"port = {listening(folder, port, carrier)}")
        text = text.replace("127.0.0.1:7600", f"127.0.0.1:{api}")
        text = text.replace("127.0.0.1:7601", f"127.0.0.1:{admin}")
        text = text.replace(f"var/{name}.db", f"{folder}/gateway.db")
        file = folder / "gateway.toml"
        file.write_text(text)
        gateway = stack.enter_context(process(folder, "gateway", "serve", f"--config={file}"))
        wait_until_ready(folder, "gateway", gateway, f"http://127.0.0.1:{admin}/readyz")
        with connect(f"tcp://127.0.0.1:{api}", TOKEN, name="demo") as client:
            yield client


def tried(brand: Brand) -> list[Did]:
    """What comes of each case of a brand."""
    with running(brand.name) as client:
        brand.prepare(client)
        return [_did(case, client.submit([case.message])[0]) for case in brand.cases]  # type: ignore[list-item]  # a message by its fields


def _did(case: Case, result: Accepted | Rejected) -> Did:
    if isinstance(result, Rejected):
        return Did(case, result.code, result.rule or "", result.message)
    came = "accepted" if result.not_before is None else "deferred"
    return Did(case, came, "", "")


def show(console: Console, now: float) -> bool:
    """Try all, and show in a table what each rule did; whether it is as expected."""
    table = Table("rule", "tried", "came of it", "", title="What each rule did", box=None)
    holds = True
    for one in (shop(now), brand(now)):
        table.add_section()
        table.add_row(f"[bold]{one.title}[/]", f"config/examples/{one.name}.toml")
        for did in tried(one):
            holds = holds and did.holds
            table.add_row(did.case.rule, did.case.tried, did.came, "yes" if did.holds else "NO")
    console.print()
    console.print(table)
    return holds

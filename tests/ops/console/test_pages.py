"""Every page, asked for over a socket as a browser without scripts does."""

import pytest
from msgspec.structs import replace

from gateway.ops.console.sites import PAGES
from gateway.ops.operations import Role
from gateway.ops.views import Target
from gateway.ops.watching import ALERTS, BOARDS
from tests.ops.console.staging import (
    CAMPAIGNS,
    FREE,
    OPTIONS,
    PAUSE,
    QUEUES,
    Staged,
    ask,
    many,
    serving,
    signed_in,
)

EVERY = [
    *PAGES,
    "/carriers/alpha",
    "/messages/m6f3a2b1c",
    "/runbooks",
    "/help",
    "/do/pause?scope=carrier&name=alpha",
    *(f"/panels/{board.name}" for board in BOARDS),
    *(f"/runbooks/{alert.name}" for alert in ALERTS),
]


@pytest.fixture
def staged() -> Staged:
    return Staged()


@pytest.mark.parametrize("path", ["/queues", "/campaigns"])
async def test_what_is_paused_is_resumed_and_a_tenant_s_own_pause_by_none_but_it(
    staged: Staged, path: str
) -> None:
    """A queue may wait because its tenant or its route is paused, and not its campaign."""
    staged.pause_views = []
    for pause, told in (
        (replace(PAUSE, target=Target("tenant", "acme")), "scope=tenant&amp;name=acme&amp;back"),
        (replace(PAUSE, by="tenant acme"), None),
    ):
        staged.queue_views = [replace(QUEUES[0], pause=pause)]
        staged.campaign_views = [replace(CAMPAIGNS[0], pause=pause)]
        async with serving(staged) as address:
            page = (await ask(address, path)).text
        if told is None:
            assert "/do/resume" not in page
        else:
            assert f"/do/resume?{told}" in page


@pytest.mark.parametrize("path", EVERY)
async def test_pages_are_whole_without_scripts_and_allow_no_strange_ones(
    staged: Staged, path: str
) -> None:
    async with serving(staged) as address:
        answer = await ask(address, path)
    assert answer.status == 200
    assert answer.text.rstrip().endswith("</html>")
    assert "<h1>" in answer.text
    assert " style=" not in answer.text
    assert "<style" not in answer.text
    assert " onclick" not in answer.text
    assert answer.text.count("<script src=") == answer.text.count("<script")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"


async def test_now_opens_with_what_is_wrong_and_what_to_do(staged: Staged) -> None:
    async with serving(staged) as address:
        page = (await ask(address, "/")).text
    wrong = page.index(
        "<strong>carrier alpha</strong>: 0 of 2 binds up for 4 min, 12,310 messages wait, the "
        "oldest 3 min."
    )
    assert wrong < page.index("nothing is lost") < page.index("let its routes&#39; backups")
    assert wrong < page.index("/carriers/alpha#binds") < page.index('href="/runbooks/CarrierDown"')
    assert wrong < page.index("Waiting, due") < page.index("Oldest message")
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in page


async def test_now_says_so_where_all_is_well(staged: Staged) -> None:
    staged.seen = staged.calm
    async with serving(staged) as address:
        page = (await ask(address, "/")).text
    assert "<strong>All is well.</strong> 4 of 4 binds are up" in page


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (
            "/carriers",
            ["ESME_RINVPASWD", "0 of 2 binds up, for 4 min", "set by night shift for 50"],
        ),
        ("/carriers?q=beta", ["1 of 3 carriers", "RTHROTTLED &lt;1%", "half within 4.1 s"]),
        ("/carriers/alpha", ["0x0E", "DELIVRD 91,000", "88/s found out"]),
        ("/carriers", ["4,711", "190 lost in 24 h", "83%", "96% usually"]),
        (
            "/carriers/beta",
            ["median 96%, of 161 hours in seven days", "-12 points", "failed 1,600"],
        ),
        ("/", ["310 ms", "7.5 s", "99 of 100 within", "of the last 10 min"]),
        (
            "/policy",
            ["quiet hours", "61,000", "4,100", "opted out 1,312", "keyword 77", "beta 6", "STOP"],
        ),
        (
            "/system",
            [
                *("half within 3 ms, 99 of 100 within 21 ms", "2.1 GB", "31 MB", "41 GB", "2 d"),
                *("34 ms", "212 MB of 2 GB", "12,000 of 200,000", "3f9c2a7e5b1d4c68"),
                *("the file has mistakes", "api.tls.cert", "9 d more", "Public holidays of FR"),
            ],
        ),
        ("/queues", ["paused by night shift 15 min ago", "no bind is up", "in 5 h", "deferred"]),
        ("/queues?q=no+bind", ["1 of 3 queues", "china"]),
        ("/tenants", ["its tenant is gone", "it waits for it", "2,310"]),
        ("/campaigns", ["delivered 95%", "UNDELIV 2,100", "quiet hours 4,000", "140 replies"]),
        ("/consumers", ["away", "2,310", "2 h 3 min ago"]),
        (
            "/nodes",
            [
                "go by different configurations",
                "this one",
                "60 min ahead",
                "is off",
                "alpha&nbsp;2",
            ],
        ),
        ("/nodes", ["alpha&nbsp;2", "moved away", "Move back", "is gone", "Move away", "differs"]),
        ("/nodes?q=beta", ["1 of 4 nodes"]),
        ("/audit", ["night shift, operator", "10.0.0.7", "0 is not between 1 and 10000"]),
        ("/audit?q=reload", ["configuration"]),
        ("/optouts?tenant=acme", ["4915112345678", "STOP please"]),
        ("/optouts", ["8613800138000", "everybody&#39;s"]),
        ("/optouts?q=%2B86+138", ["8613800138000"]),
        ("/messages?q=%2B4915112345678", ["m6f3a2b1c", "singles-day"]),
        ("/messages/m6f3a2b1c", ["it was 19:40 in Europe/Berlin", "7 h 20 min later", "twice"]),
        ("/runbooks/CarrierDown", ["Not safe", "Over when", "/panels/carriers#panel-1"]),
        ("/panels/store", ["Room on the disk", "Nothing to show."]),
    ],
)
async def test_pages_answer_questions(staged: Staged, path: str, told: list[str]) -> None:
    async with serving(staged) as address:
        page = (await ask(address, path)).text
    for words in told:
        assert words in page


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/carriers/nobody", 404, "no carrier is called"),
        ("/messages/m0", 404, "no message is called"),
        ("/messages?q=1a21cc75e41cc800", 404, "no message is called"),
        ("/runbooks/Nothing", 404, "no runbook"),
        ("/panels/nothing", 404, "no board"),
        ("/do/explode", 404, "no verb"),
        ("/nowhere", 404, "no such address"),
    ],
)
async def test_what_is_not_there_is_told(staged: Staged, path: str, status: int, told: str) -> None:
    async with serving(staged) as address:
        answer = await ask(address, path)
    assert answer.status == status
    assert told in answer.text


async def test_the_id_of_a_message_leads_to_it(staged: Staged) -> None:
    async with serving(staged) as address:
        answer = await ask(address, "/messages?q=m6f3a2b1c")
    assert (answer.status, answer.headers["location"]) == (303, "/messages/m6f3a2b1c")


async def test_what_tenants_write_is_never_markup(staged: Staged) -> None:
    evil = "<script>alert(1)</script>"
    [message] = staged.message_views.values()
    staged.message_views["m1"] = replace(message, id="m1", text=evil, campaign=evil)
    async with serving(staged) as address:
        page = (await ask(address, "/messages/m1")).text
        found = (await ask(address, "/queues?q=%3Cscript%3E%22")).text
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>" not in found


@pytest.mark.parametrize(
    ("role", "whole", "buttons", "audit"),
    [
        ("viewer", False, False, 403),
        ("operator", False, True, 200),
        ("compliance", True, False, 200),
        ("admin", True, True, 200),
    ],
)
async def test_roles_see_and_may_do_what_is_theirs(
    staged: Staged, role: Role, whole: bool, buttons: bool, audit: int
) -> None:
    async with serving(staged, OPTIONS) as address:
        cookie = await signed_in(address, role)
        message = (await ask(address, "/messages/m6f3a2b1c", cookie=cookie)).text
        optouts = (await ask(address, "/optouts?tenant=acme", cookie=cookie)).text
        carriers = (await ask(address, "/carriers", cookie=cookie)).text
        form = await ask(address, "/do/pause", cookie=cookie)
        seen = await ask(address, "/audit", cookie=cookie)
    assert ("4915112345678" in message) is whole
    assert ("Only today" in message) is whole
    assert ("4915112345678" in optouts) is whole
    assert ("/do/pause?" in carriers) is buttons
    assert form.status == (200 if buttons else 403)
    assert seen.status == audit


async def test_a_store_that_stands_still_is_said_so_and_holds_up_no_page(staged: Staged) -> None:
    staged.stuck = True
    async with serving(staged) as address:
        now = await ask(address, "/")
        carriers = await ask(address, "/carriers")
    assert (now.status, carriers.status) == (503, 200)
    assert "the store does not answer" in now.text
    assert "nobody can tell how it stands" in carriers.text
    assert "ESME_RINVPASWD" in carriers.text


async def test_a_thousand_tenants_fit_in_pages_of_a_hundred(staged: Staged) -> None:
    many(staged)
    async with serving(staged) as address:
        tenants = (await ask(address, "/tenants?sort=tenant")).text
        carriers = (await ask(address, "/carriers")).text
    assert tenants.count('role="rowheader"') == 100
    assert "page 1 of 10" in tenants
    assert carriers.count('role="rowheader"') == 100
    assert len(tenants) < 150_000


@pytest.mark.parametrize("path", ["/", "/series?board=now", "/live?at=/", "/static/console.css"])
async def test_a_stranger_under_another_name_is_refused(staged: Staged, path: str) -> None:
    """DNS rebinding: a page of a stranger whose name leads here."""
    async with serving(staged, FREE) as address:
        answer = await ask(address, path, host="evil.example")
    assert answer.status == (200 if path.startswith("/static") else 421)


async def test_series_are_json_in_the_order_of_panels(staged: Staged) -> None:
    async with serving(staged) as address:
        answer = await ask(address, "/series?board=now")
        other = await ask(address, "/series?board=nothing")
    assert answer.headers["content-type"] == "application/json"
    assert answer.text.startswith('{"1":{"times":[')
    assert other.status == 404

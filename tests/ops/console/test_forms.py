"""Verbs, given by forms as a person would."""

import html

import pytest
from msgspec.structs import replace

from gateway.ops import commands
from gateway.ops.commands import Command
from gateway.ops.console.forms import NOTICES, Notices
from gateway.ops.console.verbs import VERBS, button, may_do
from gateway.ops.problems import ProblemError
from gateway.ops.roles import MAY_DO
from tests.ops.console.staging import FINDINGS, OPTIONS, Answer, Staged, ask, serving, signed_in


@pytest.mark.parametrize(
    ("verb", "form", "command"),
    [
        (
            "pause",
            {"scope": "campaign", "name": "sale", "tenant": "acme", "seconds": "900", "why": " x "},
            commands.Pause(scope="campaign", name="sale", tenant="acme", seconds=900.0, why="x"),
        ),
        (
            "pause",
            {"scope": "carrier", "name": "alpha", "tenant": "", "seconds": "", "why": ""},
            commands.Pause(scope="carrier", name="alpha"),
        ),
        (
            "resume",
            {"scope": "tenant", "name": "acme", "extend": ""},
            commands.Resume(scope="tenant", name="acme"),
        ),
        ("drain", {"bind": "alpha/1"}, commands.Drain(bind="alpha/1")),
        ("rebind", {"bind": "alpha/1"}, commands.Rebind(bind="alpha/1")),
        ("move", {"node": "b"}, commands.Move(node="b")),
        ("move-back", {"node": "b", "why": "done"}, commands.MoveBack(node="b", why="done")),
        (
            "set-rate",
            {"carrier": "alpha", "rate": "12.5", "seconds": "3600"},
            commands.SetRate(carrier="alpha", rate=12.5, seconds=3600.0),
        ),
        ("unset-rate", {"carrier": "alpha"}, commands.UnsetRate(carrier="alpha")),
        (
            "settle",
            {"carrier": "alpha", "to": "expire", "older": "", "confirm": "7"},
            commands.Settle(carrier="alpha", to="expire", confirm=7),
        ),
        (
            "disconnect",
            {"tenant": "acme", "consumer": "crm"},
            commands.Disconnect(tenant="acme", consumer="crm"),
        ),
        (
            "optout",
            {"action": "add", "number": "+49 151 1", "tenant": "acme", "source": "complaint"},
            commands.ChangeOptout(action="add", number="+49 151 1", tenant="acme"),
        ),
        (
            "erase",
            {"number": "+49 151 1", "tenant": "", "again": "+49 151 1"},
            commands.Erase(number="+49 151 1", again="+49 151 1"),
        ),
        (
            "test",
            {"tenant": "acme", "to": "+4915", "text": "hello\nthere"},
            commands.SendTest(tenant="acme", to="+4915", text="hello\nthere"),
        ),
        ("reload", {"why": "new carrier"}, commands.Reload(why="new carrier")),
    ],
)
async def test_forms_make_the_commands_of_the_api(
    verb: str, form: dict[str, str], command: Command
) -> None:
    staged = Staged()
    async with serving(staged) as address:
        shown = await ask(address, f"/do/{verb}?back=/queues")
        sealed = {**form, "seal": shown.hidden("seal"), "back": shown.hidden("back")}
        answer = await ask(address, f"/do/{verb}", form=sealed)
        assert answer.status == 303
        page = await ask(address, answer.headers["location"])
        again = await ask(address, answer.headers["location"])
    [(told, caller)] = staged.told
    assert told == command
    assert caller.client == "127.0.0.1"
    leads = "/messages/m6f3a2b1c" if verb == "test" else "/queues"
    assert answer.headers["location"].startswith(f"{leads}?notice=")
    assert "<strong>Done.</strong>" in page.text
    assert VERBS[verb].title in html.unescape(page.text)
    assert "<strong>Done.</strong>" not in again.text


async def send(address: str, verb: str, **form: str) -> Answer:
    shown = await ask(address, f"/do/{verb}")
    return await ask(address, f"/do/{verb}", form={**form, "seal": shown.hidden("seal")})


async def test_what_cannot_be_undone_is_counted_first_and_confirmed_by_the_count() -> None:
    staged = Staged()
    async with serving(staged) as address:
        counted = await send(address, "cancel", tenant="acme", campaign="sale")
        assert staged.told == []
        assert "12,310 messages now. Go on with all of them?" in counted.text
        assert "Yes, all 12,310" in counted.text
        form = {
            name: counted.hidden(name) for name in ("tenant", "campaign", "confirm", "seal", "back")
        }
        done = await ask(address, "/do/cancel", form=form)
    assert done.status == 303
    assert [command for command, _ in staged.told] == [
        commands.Cancel(tenant="acme", campaign="sale", confirm=12_310)
    ]


async def test_where_it_changed_meanwhile_nothing_is_done_and_it_is_shown_anew() -> None:
    staged = Staged()
    async with serving(staged) as address:
        counted = await send(address, "cancel", tenant="acme")
        staged.matching = 15_000
        form = {name: counted.hidden(name) for name in ("tenant", "confirm", "seal")}
        refused = await ask(address, "/do/cancel", form=form)
        assert staged.told == []
        again = {name: refused.hidden(name) for name in ("tenant", "confirm", "seal")}
        done = await ask(address, "/do/cancel", form=again)
    assert refused.status == 409
    assert "it would be 15000 messages now, not 12310" in refused.text
    assert "15,000 messages now. Go on with all of them?" in refused.text
    assert done.status == 303
    assert staged.told[0][0] == commands.Cancel(tenant="acme", confirm=15_000)


@pytest.mark.parametrize(
    ("kind", "status"), [("not_found", 404), ("already_so", 409), ("store_stuck", 503)]
)
async def test_a_refusal_is_told_with_the_form_as_it_was(kind: "str", status: int) -> None:
    staged = Staged()
    staged.refusal = ProblemError(kind, "campaign sale is paused already", by="crm")  # type: ignore[arg-type]
    async with serving(staged) as address:
        answer = await send(address, "pause", scope="campaign", name="sale", why="price")
    assert answer.status == status
    assert "<strong>Not done.</strong> campaign sale is paused already" in answer.text
    assert "by: crm" in answer.text
    assert 'value="sale"' in answer.text
    assert 'value="price"' in answer.text


@pytest.mark.parametrize(
    ("verb", "form", "told"),
    [
        ("pause", {"scope": "planet", "name": "x"}, "scope: Invalid enum value"),
        ("pause", {"scope": "carrier", "name": ""}, "missing required field `name`"),
        ("set-rate", {"carrier": "a", "rate": "fast", "seconds": "900"}, "rate: Expected `float`"),
        (
            "set-rate",
            {"carrier": "a", "rate": "0", "seconds": "900"},
            "rate: Expected `float` &gt; 0",
        ),
        ("pause", {"scope": "carrier", "name": "a", "why": "x" * 201}, "why: Expected `str` of"),
    ],
)
async def test_mistakes_are_told_by_the_name_of_the_field(
    verb: str, form: dict[str, str], told: str
) -> None:
    staged = Staged()
    async with serving(staged) as address:
        answer = await send(address, verb, **form)
    assert answer.status == 400
    assert told in answer.text
    assert staged.told == []


@pytest.mark.parametrize("seal", ["", "x", "é"])
async def test_a_form_without_our_seal_is_shown_anew(seal: str) -> None:
    staged = Staged()
    async with serving(staged) as address:
        form = {"scope": "carrier", "name": "alpha", "seal": seal}
        answer = await ask(address, "/do/pause", form=form)
    assert answer.status == 403
    assert "Look at it again" in answer.text
    assert answer.hidden("seal") not in ("", seal)
    assert staged.told == []


async def test_a_role_that_may_not_is_refused_whatever_it_sends() -> None:
    staged = Staged()
    async with serving(staged, OPTIONS) as address:
        cookie = await signed_in(address, "viewer")
        page = await ask(address, "/help", cookie=cookie)
        form = {"scope": "carrier", "name": "alpha", "seal": page.hidden("seal")}
        answer = await ask(address, "/do/pause", form=form, cookie=cookie)
    assert answer.status == 403
    assert staged.told == []


def test_every_command_has_a_form_with_all_its_fields() -> None:
    assert {verb.command for verb in VERBS.values()} == MAY_DO.keys()
    for verb in VERBS.values():
        wanted = set(verb.command.__struct_fields__) - {"confirm"}
        assert {field.name for field in verb.fields} == wanted


@pytest.mark.parametrize(
    ("verb", "subject", "address"),
    [
        ("/rebind", "carrier alpha", "/carriers/alpha#binds"),
        ("/settle", "carrier alpha", "/do/settle?carrier=alpha&back=%2F"),
        ("/resume", "carrier alpha", "/do/resume?scope=carrier&name=alpha&back=%2F"),
        (
            "/resume",
            "campaign sale of acme",
            "/do/resume?scope=campaign&name=sale&tenant=acme&back=%2F",
        ),
        ("/disconnect", "consumer crm of acme", "/do/disconnect?tenant=acme&consumer=crm&back=%2F"),
        ("/reload", "configuration", "/do/reload?back=%2F"),
        ("/cancel", "tenant acme", "/do/cancel?tenant=acme&back=%2F"),
        (None, "store", None),
        ("/explode", "store", None),
    ],
)
def test_the_button_of_a_finding_leads_to_its_form(
    verb: str | None, subject: str, address: str | None
) -> None:
    finding = replace(FINDINGS[0], subject=subject, verb=verb)
    found = button(verb, finding, may_do("admin"))
    assert (found.href if found else None) == address
    assert button(verb, finding, may_do("viewer")) is None


def test_notices_are_bounded() -> None:
    notices = Notices()
    names = [notices.keep(str(number)) for number in range(NOTICES + 1)]
    assert notices.take(names[0]) == ""
    assert notices.take(names[-1]) == str(NOTICES)
    assert notices.take(names[-1]) == ""

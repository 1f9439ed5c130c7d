"""The pages on which something is done: a form that says what it does and to what, an answer that
says what came of it, and the form shown anew where something has changed meanwhile."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.ops.admin.patience import Patience
from gateway.ops.console.people import People, Visitor, form_of, local_address
from gateway.ops.console.verbs import VERBS, Verb, command_of, confirming
from gateway.ops.console.words import count
from gateway.ops.operations import Operations
from gateway.ops.problems import ProblemError
from gateway.ops.roles import MAY_DO, demand
from gateway.ops.views import Done

NOTICES: Final = 200
"""What was done and not shown yet."""

AGAIN: Final = (
    "The page was older than your session, so nothing was done. Look at it again and send it."
)


Frame = Callable[..., Awaitable[Response]]
"""Draws a page for a visitor: the request, the visitor, the template, its title, what it needs, and
the status."""


class Notices:
    """What came of verbs, shown on the next page that whoever gave them sees."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def keep(self, text: str) -> str:
        """Keep a notice; returns what it is asked for by."""
        if len(self._kept) >= NOTICES:
            del self._kept[next(iter(self._kept))]
        name = secrets.token_urlsafe(9)
        self._kept[name] = text
        return name

    def take(self, name: str) -> str:
        """A notice, once; empty where there is none."""
        return self._kept.pop(name, "")


class Forms:
    """Answers forms."""

    def __init__(
        self,
        operations: Operations,
        patience: Patience,
        people: People,
        notices: Notices,
        frame: Frame,
    ) -> None:
        self._operations = operations
        self._patience = patience
        self._people = people
        self._notices = notices
        self._frame = frame

    async def show(self, request: Request, visitor: Visitor) -> Response:
        """The form of a verb, filled in by the address."""
        verb = _verb(request)
        values = {name: value for name, value in request.query_params.items() if value}
        fixed = [field.name for field in verb.fields if field.name in values]
        return await self._form(request, visitor, verb, values, fixed)

    async def send(self, request: Request, visitor: Visitor) -> Response:
        """Have it done."""
        verb = _verb(request)
        demand(visitor.caller, MAY_DO[verb.command])
        form = await form_of(request)
        fixed = [name for name in form.get("fixed", "").split() if name in form]

        async def again(problem: str, status: int, **more: Any) -> Response:
            return await self._form(
                request, visitor, verb, form, fixed, problem=problem, status=status, **more
            )

        if not self._people.is_own(visitor, form.get("seal", "")):
            return await again(AGAIN, 403)
        try:
            command = command_of(verb, form)
        except msgspec.ValidationError as error:
            return await again(_mistake(error), 400)
        try:
            done = await self._patience.carry_out(
                lambda: self._operations.do(command, visitor.caller)
            )
        except ProblemError as problem:
            meant = problem.now.get("messages")
            return await again(
                str(problem),
                problem.status,
                standing=problem.now,
                confirm=meant if verb.counted and isinstance(meant, int) else None,
            )
        if verb.counted and "confirm" not in form:
            return await self._form(request, visitor, verb, form, fixed, confirm=done.messages)
        notice = self._notices.keep(told(verb, done))
        back = local_address(form.get("back", "/"))
        if "message_id" in done.after:
            back = f"/messages/{done.after['message_id']}"
        mark = "&" if "?" in back else "?"
        return RedirectResponse(f"{back}{mark}{urlencode({'notice': notice})}", 303)

    async def _form(
        self,
        request: Request,
        visitor: Visitor,
        verb: Verb,
        values: Mapping[str, str],
        fixed: list[str],
        *,
        problem: str = "",
        status: int = 200,
        standing: Mapping[str, Any] | None = None,
        confirm: int | None = None,
    ) -> Response:
        demand(visitor.caller, MAY_DO[verb.command])
        if confirm is not None:
            fixed = [field.name for field in verb.fields if values.get(field.name)]
        return await self._frame(
            request,
            visitor,
            "form.html",
            verb.title,
            {
                "verb": verb,
                "fixed": {name: values[name] for name in fixed},
                "fields": [
                    field
                    for field in verb.fields
                    if field.name not in fixed
                    and confirm is None
                    and not (field.of_campaigns and values.get("scope", "campaign") != "campaign")
                ],
                "values": {field.name: values.get(field.name, "") for field in verb.fields},
                "back": local_address(values.get("back", "/")),
                "problem": problem,
                "standing": standing,
                "confirm": confirm,
                "confirming": confirming(confirm) if confirm is not None else "",
                "button": f"Yes, all {confirm:,}" if confirm else verb.button,
            },
            status,
        )


def told(verb: Verb, done: Done) -> str:
    """What came of a verb, as a sentence."""
    things = "" if done.messages is None else f", {count(done.messages)} message"
    plural = "s" if done.messages not in (None, 1) else ""
    return f"{verb.title}, {done.subject}{things}{plural}."


def _verb(request: Request) -> Verb:
    name = request.path_params["verb"]
    try:
        return VERBS[name]
    except KeyError:
        raise ProblemError("not_found", f"there is no verb {name!r}") from None


def _mistake(error: msgspec.ValidationError) -> str:
    """What is wrong with a field, by its name in the form."""
    text, _, path = str(error).partition(" - at `$.")
    name = path.rstrip("`")
    return f"{name.replace('_', ' ')}: {text}" if name else text

"""The admin API under ``/api/v1``: JSON in and out, lists as CSV too, problem details for what is
not done. What there is stands in `gateway.ops.admin.declared`.

Every request is answered within a second, also while the store does not answer
(`gateway.ops.admin.patience`).
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from importlib.metadata import version
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.ops.admin import openapi, tables
from gateway.ops.admin.declared import LOOKS, VERBS, Look, Query, Verb
from gateway.ops.admin.gate import Gate
from gateway.ops.admin.patience import Patience
from gateway.ops.operations import Caller, Operations
from gateway.ops.problems import ProblemError
from gateway.ops.roles import demand, sees_numbers
from gateway.ops.views import AuditRecord, MessagePage, MessageView, OptoutView

PREFIX: Final = "/api/v1"

MAX_BODY: Final = 64 * 1024
"""Bytes of a request."""

MOST_ROWS: Final = 100_000
"""Rows of a table about, after which it ends: some 20 MB."""

HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def routes(operations: Operations, gate: Gate, patience: Patience) -> list[Route]:
    """The paths of the admin API."""
    found = [Route(PREFIX + one.path, _look(one, operations, gate, patience)) for one in LOOKS]
    found += [
        Route(PREFIX + one.path, _verb(one, operations, gate, patience), methods=["POST"])
        for one in VERBS
    ]
    found.append(Route(f"{PREFIX}/openapi.json", _described(gate)))
    found.append(Route(PREFIX + "/{path:path}", _nothing(gate), methods=["GET", "POST"]))
    return found


def _described(gate: Gate) -> Callable[..., Any]:
    text = msgspec.json.encode(openapi.document(version("gateway"), PREFIX))

    async def answer(_request: Request, _caller: Caller) -> Response:
        return Response(text, media_type="application/json", headers=HEADERS)

    return _asked(answer, gate)


def _nothing(gate: Gate) -> Callable[..., Any]:
    async def answer(request: Request, _caller: Caller) -> Response:
        raise ProblemError(
            "not_found", f"{request.url.path[:80]}: see {PREFIX}/openapi.json for what there is"
        )

    return _asked(answer, gate)


def _look(
    look: Look[Any], operations: Operations, gate: Gate, patience: Patience
) -> Callable[..., Any]:
    async def answer(request: Request, caller: Caller) -> Response:
        demand(caller, look.roles)
        given = dict(_given(request))
        identifier = request.path_params.get("id", "")

        async def ask() -> tuple[Any, str | None]:
            query = _converted(given, look.query)
            found = await patience.look(lambda: look.ask(operations, query, identifier))
            return found, look.rest(query, found)

        found, rest = await ask()
        if not look.many:
            return _json(_shown(found, caller))
        rows = _rows(found, caller)
        if not _wants_csv(request):
            return _json({"items": rows, "next": rest})
        while rest is not None and len(rows) < MOST_ROWS:
            given[look.cursor] = rest
            found, rest = await ask()
            rows += _rows(found, caller)
        return _table(look, rows)

    return _asked(answer, gate)


def _verb(verb: Verb, operations: Operations, gate: Gate, patience: Patience) -> Callable[..., Any]:
    decoder = msgspec.json.Decoder(verb.command)

    async def answer(request: Request, caller: Caller) -> Response:
        demand(caller, verb.roles)
        body = await _body(request)
        try:
            command = decoder.decode(body or b"{}")
        except msgspec.DecodeError as error:
            raise ProblemError("bad_request", f"the JSON of the body: {error}") from error
        return _json(await patience.carry_out(lambda: operations.do(command, caller)))

    return _asked(answer, gate)


def _asked(
    endpoint: Callable[[Request, Caller], Awaitable[Response]], gate: Gate
) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that knows who asks, and whose problems are answered as such."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request, await gate.caller(request))
        except ProblemError as problem:
            return refusal(problem)

    return answer


def refusal(problem: ProblemError) -> Response:
    """A problem as it goes over the wire."""
    headers = {**HEADERS, "www-authenticate": "Bearer"} if problem.status == 401 else HEADERS
    return Response(
        msgspec.json.encode(problem.details),
        status_code=problem.status,
        media_type="application/problem+json",
        headers=headers,
    )


def _json(answer: object) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json", headers=HEADERS)


def _shown(one: Any, caller: Caller) -> Any:
    """What a caller may see of something."""
    if sees_numbers(caller):
        return one
    return one.masked() if isinstance(one, AuditRecord | MessageView | OptoutView) else one


def _rows(found: Any, caller: Caller) -> list[Any]:
    listed = found.messages if isinstance(found, MessagePage) else found
    return [_shown(one, caller) for one in listed]


def _wants_csv(request: Request) -> bool:
    wanted = request.query_params.get("format")
    return wanted == "csv" or (not wanted and "text/csv" in request.headers.get("accept", ""))


def _table(look: Look[Any], rows: list[Any]) -> Response:
    name = look.path.strip("/")
    return Response(
        tables.csv(look.answer, rows),
        media_type="text/csv; charset=utf-8",
        headers={**HEADERS, "content-disposition": f'attachment; filename="{name}.csv"'},
    )


def _given(request: Request) -> list[tuple[str, str]]:
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    if len(set(names)) < len(names):
        raise ProblemError("bad_request", "a parameter is given twice")
    return given


def _converted(given: dict[str, str], kind: type[Query]) -> Any:
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ProblemError("bad_request", f"the query: {error}") from error


async def _body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if kind != "application/json":
        raise ProblemError("bad_request", f"content-type {kind[:60]!r}: send application/json")
    body = b""
    async with aclosing(request.stream()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > MAX_BODY:
                raise ProblemError("bad_request", f"the body has more than {MAX_BODY} bytes")
    return body

"""The console's pages: which address shows what, and to whom. It serves people; programs have
``/api/v1``."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import trio
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.message import message_number
from gateway.ops.admin.gate import Gate
from gateway.ops.admin.patience import Patience
from gateway.ops.console.assets import Assets
from gateway.ops.console.drawing import HEADERS, Drawing
from gateway.ops.console.forms import Forms, Notices
from gateway.ops.console.live import Live, Seen
from gateway.ops.console.look import Context, Look
from gateway.ops.console.panels import Panels
from gateway.ops.console.people import People, Visitor, form_of, local_address
from gateway.ops.console.sites import PAGES, Page
from gateway.ops.console.verbs import button, may_do
from gateway.ops.metrics import Metrics
from gateway.ops.operations import Caller, Operations
from gateway.ops.problems import ProblemError
from gateway.ops.watching import ALERTS, BOARDS

Answer = Callable[[Request, Visitor], Awaitable[Response]]

ASKED: Final = ("q", "sort", "page", "hours", "tenant", "after", "before")
"""What the address of a page may ask for."""

CARRIER: Final = "/carriers/"
"""Begins the pages of single carriers."""


class Console:
    """All pages, and what they are made from."""

    def __init__(
        self,
        operations: Operations,
        gate: Gate,
        patience: Patience,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._people = People(gate, clock)
        self._look = Look(operations, patience, clock)
        self._panels = Panels(metrics, clock)
        self._drawing = Drawing(button)
        self._notices = Notices()
        self._live = Live(self._fragment)
        self._assets = Assets()
        self._forms = Forms(operations, patience, self._people, self._notices, self._framed)

    async def run(self) -> None:
        """Keep the samples that panels are drawn from, until cancelled."""
        await self._panels.run()

    def routes(self) -> list[Route]:
        """Every address of the console."""
        return [
            Route("/static/{path:path}", self._assets.serve),
            Route("/login", self._login, methods=["GET", "POST"]),
            Route("/logout", self._for_visitors(self._logout), methods=["POST"]),
            Route("/live", self._stream),
            Route("/series", self._for_visitors(self._series)),
            *(Route(path, self._for_visitors(self._page(page))) for path, page in PAGES.items()),
            Route(CARRIER + "{name}", self._for_visitors(self._carrier)),
            Route("/messages/{id}", self._for_visitors(self._message)),
            Route("/panels/{board}", self._for_visitors(self._board)),
            Route("/runbooks", self._for_visitors(self._runbooks)),
            Route("/runbooks/{name}", self._for_visitors(self._runbook)),
            Route("/help", self._for_visitors(self._help)),
            Route("/do/{verb}", self._for_visitors(self._forms.show)),
            Route("/do/{verb}", self._for_visitors(self._forms.send), methods=["POST"]),
            Route("/{path:path}", self._nowhere),
        ]

    # --- who may see them ---

    def _for_visitors(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        """A page for those who have signed in; others are asked to."""

        async def answered(request: Request) -> Response:
            try:
                visitor = await self._people.visitor(request)
            except ProblemError as problem:
                return Response(f"{problem}\n", problem.status, HEADERS, "text/plain")
            if visitor is None:
                return self._ask_to_sign_in(request)
            try:
                return await answer(request, visitor)
            except ProblemError as problem:
                title = problem.details.title
                context = {"problem": str(problem)}
                return await self._framed(
                    request, visitor, "problem.html", title, context, problem.status
                )

        return answered

    def _ask_to_sign_in(self, request: Request) -> Response:
        address = request.url.path
        if request.method == "GET" and request.url.query:
            address += f"?{request.url.query}"
        if request.method == "GET" and request.headers.get("sec-fetch-site") == "cross-site":
            # Who follows a link on another site has a cookie that the browser does not send.
            return self._drawing.page("again.html", {"address": address})
        fields = {"next": address} | ({"ended": "1"} if request.method == "POST" else {})
        return RedirectResponse(f"/login?{urlencode(fields)}", 303)

    async def _login(self, request: Request) -> Response:
        problem, status = "", 200
        address = local_address(request.query_params.get("next", "/"))
        if request.query_params.get("ended"):
            problem = "Your session had ended, so nothing was done. Sign in, and look again."
        if request.method == "POST":
            try:
                form = await form_of(request)
                address = local_address(form.get("next", "/"))
                return await self._people.sign_in(request, form.get("token", "").strip(), address)
            except ProblemError as refused:
                problem, status = f"{refused}.", refused.status
        elif not self._people.guarded:
            return RedirectResponse(address, 303)
        context = {"next": address, "problem": problem}
        return self._drawing.page("login.html", context, status)

    async def _logout(self, request: Request, visitor: Visitor) -> Response:
        form = await form_of(request)
        if not self._people.is_own(visitor, form.get("seal", "")):
            return RedirectResponse("/", 303)
        return self._people.sign_out(request)

    # --- pages ---

    def _page(self, page: Page) -> Answer:
        async def answer(request: Request, visitor: Visitor) -> Response:
            query = {name: request.query_params.get(name, "") for name in ASKED}
            if page.path == "/messages" and (
                found := await self._by_id(query["q"], visitor.caller)
            ):
                return RedirectResponse(found, 303)
            context = await self._look.at(page.path, query, visitor.caller)
            stream = _live_address(page.path, query) if page.live else ""
            board = await self._panels.board(page.board) if page.board else {"panels": ()}
            return await self._framed(
                request,
                visitor,
                "page.html",
                page.title,
                {"page": page, "query": query, "stream": stream, "boards": BOARDS}
                | board
                | context,
            )

        return answer

    async def _by_id(self, asked: str, caller: Caller) -> str | None:
        """The page of a message, where an id was asked for. Raises ProblemError where what was
        asked for can be nothing but an id, and is no message's."""
        asked = asked.strip()
        if not asked:
            return None
        try:
            found = await self._look.message(asked, caller)
        except ProblemError:
            if asked.isdecimal() or message_number(asked) is None:
                return None
            raise
        return f"/messages/{found['message'].id}"

    async def _carrier(self, request: Request, visitor: Visitor) -> Response:
        name = request.path_params["name"]
        context = await self._look.carrier(name)
        stream = _live_address(CARRIER + name, {})
        board = await self._panels.board("carriers", name)
        context |= {"stream": stream, "of": name, **board}
        return await self._framed(request, visitor, "carrier.html", f"Carrier {name}", context)

    async def _message(self, request: Request, visitor: Visitor) -> Response:
        context = await self._look.message(request.path_params["id"], visitor.caller)
        title = f"Message {context['message'].id}"
        return await self._framed(request, visitor, "message.html", title, context)

    async def _board(self, request: Request, visitor: Visitor) -> Response:
        context = await self._panels.board(request.path_params["board"])
        title = context["board_title"]
        return await self._framed(request, visitor, "panels_board.html", title, context)

    async def _runbooks(self, request: Request, visitor: Visitor) -> Response:
        context = {"alerts": ALERTS}
        return await self._framed(request, visitor, "runbooks.html", "Runbooks", context)

    async def _runbook(self, request: Request, visitor: Visitor) -> Response:
        name = request.path_params["name"]
        found = [alert for alert in ALERTS if alert.name == name]
        if not found:
            raise ProblemError("not_found", f"there is no runbook {name!r}")
        [alert] = found
        context = {"alert": alert, "number": self._panels.number(*alert.panel)}
        return await self._framed(request, visitor, "runbook.html", alert.name, context)

    async def _help(self, request: Request, visitor: Visitor) -> Response:
        return await self._framed(request, visitor, "help.html", "Help", {})

    async def _nowhere(self, request: Request) -> Response:
        """Answers an address that there is not: programs in plain text, people with a page."""
        path = request.url.path
        if path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
            return Response("There is no such address.\n", 404, media_type="text/plain")

        async def tell(*_: object) -> Response:
            raise ProblemError("not_found", f"there is no page {path[:100]!r}")

        return await self._for_visitors(tell)(request)

    async def _framed(
        self,
        request: Request,
        visitor: Visitor,
        template: str,
        title: str,
        context: Mapping[str, Any],
        status: int = 200,
    ) -> Response:
        """A page with the list of pages around it."""
        here = "/" + request.url.path.split("/")[1]
        around: Context = {
            "title": title,
            "here": here,
            "pages": PAGES.values(),
            "caller": visitor.caller,
            "guarded": self._people.guarded,
            "seal": self._people.seal(visitor),
            "may": may_do(visitor.caller.role),
            "notice": self._notices.take(request.query_params.get("notice", "")),
            "stream": "",
            "now": self._clock(),
        }
        if "overview" not in context:
            around |= await self._look.pulse()
        return self._drawing.page(template, {**around, **context}, status)

    # --- what goes on ---

    async def _stream(self, request: Request) -> Response:
        try:
            visitor = await self._people.visitor(request)
        except ProblemError as problem:
            return Response(f"{problem}\n", problem.status, HEADERS, "text/plain")
        path = request.query_params.get("at", "/")
        page = PAGES.get(path)
        if not (page and page.live) and not path.startswith(CARRIER):
            return Response("There is no such stream.\n", 404, media_type="text/plain")
        if visitor is None:
            return self._live.ended()
        query = {name: value for name, value in request.query_params.items() if name != "at"}
        key = Seen(visitor.caller.role, path, urlencode(sorted(query.items())))
        return self._live.follow(key, lambda: self._people.still_there(request, visitor))

    async def _fragment(self, seen: Seen) -> str:
        """What a page shows now."""
        role, path, query = seen
        caller = Caller("", role, "")
        context: Context
        if path.startswith(CARRIER):
            template = "carrier_live.html"
            context = await self._look.carrier(path.removeprefix(CARRIER))
        else:
            template = PAGES[path].template
            context = await self._look.at(path, dict(parse_qsl(query)), caller)
        if "overview" not in context:
            context |= await self._look.pulse()
        context |= {"may": may_do(caller.role), "template": template}
        return self._drawing.draw("stream.html", context)

    async def _series(self, request: Request, visitor: Visitor) -> Response:
        board = request.query_params.get("board", "")
        of = request.query_params.get("of", "")
        body = await trio.to_thread.run_sync(self._panels.series, board, of)
        return Response(body, headers=HEADERS, media_type="application/json")


def _live_address(path: str, query: Mapping[str, str]) -> str:
    """Where the stream of a page is."""
    told = {name: query[name] for name in ("q", "sort", "page", "hours") if query.get(name)}
    return f"/live?{urlencode({'at': path, **told})}"

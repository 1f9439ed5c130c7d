"""Who is at the console: signs people in with their token, knows them again by their cookie, and
tells forms of ours from others'."""

import contextlib
import hashlib
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.ops.admin.gate import Gate
from gateway.ops.console.sessions import LASTS, LOCAL, Seals, Session
from gateway.ops.operations import Caller
from gateway.ops.problems import ProblemError

FORM: Final = 64 * 1024
"""Octets of a form: the longest text of a test message, and some."""


class Visitor(NamedTuple):
    """Somebody with a session."""

    caller: Caller
    session: Session


class People:
    """Sessions of the console."""

    def __init__(self, gate: Gate, clock: Callable[[], float]) -> None:
        self._gate = gate
        self._clock = clock
        self._seals = Seals()

    @property
    def guarded(self) -> bool:
        """Whether one has to sign in."""
        return self._gate.guarded

    async def visitor(self, request: Request) -> Visitor | None:
        """Who asks; None for whoever has to sign in first.

        Raises:
            ProblemError: it is asked for by another site's page.
        """
        if not self._gate.guarded:
            self._gate.check_site(request)
            return Visitor(await self._gate.holder(request, ""), Session(LOCAL, float("inf")))
        self._gate.check_origin(request)
        session = self._seals.read(request.cookies.get(_cookie(request), ""), self._clock())
        if session is None:
            return None
        caller = self._gate.known(request, session.holder)
        return None if caller is None else Visitor(caller, session)

    def seal(self, visitor: Visitor) -> str:
        """What the forms of a visitor have to carry."""
        return self._seals.of_form(visitor.session)

    def is_own(self, visitor: Visitor, seal: str) -> bool:
        """Whether a form was made for this visitor."""
        return self._seals.fits(visitor.session, seal)

    def still_there(self, request: Request, visitor: Visitor) -> bool:
        """Whether whoever opened a page may still see it: a reload may have taken the token away,
        or given it another role."""
        if visitor.session.holder == LOCAL:
            return not self._gate.guarded
        holds = self._gate.known(request, visitor.session.holder) == visitor.caller
        return holds and self._clock() < visitor.session.until

    async def sign_in(self, request: Request, token: str, address: str) -> Response:
        """Begin a session and go on to where somebody wanted to go.

        Raises:
            ProblemError: the token is none of ours, or another site's page sends it.
        """
        self._gate.check_origin(request)
        await self._gate.holder(request, token)
        digest = hashlib.sha256(token.encode()).hexdigest()
        answer = RedirectResponse(local_address(address), 303)
        answer.set_cookie(
            _cookie(request),
            self._seals.begin(digest, self._clock()),
            max_age=int(LASTS),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    def sign_out(self, request: Request) -> Response:
        """Forget a session in the browser."""
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(_cookie(request), httponly=True, samesite="strict")
        return answer


def local_address(address: str) -> str:
    """An address on this server; the first page for one that leads elsewhere."""
    parts = urlsplit(address)
    leads_away = parts.scheme or parts.netloc or not address.startswith("/")
    odd = "\\" in address or address.startswith("//") or not address.isprintable()
    return "/" if leads_away or odd else address


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form that was sent; several of one name are joined by spaces.

    Raises:
        ProblemError: it is larger than any form of ours, or is none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0]
    if kind != "application/x-www-form-urlencoded":
        raise ProblemError("bad_request", f"{kind[:60]!r} is not how a form is sent")
    body = b""
    async with contextlib.aclosing(request.stream()) as stream:
        async for chunk in stream:
            body += chunk
            if len(body) > FORM:
                raise ProblemError("bad_request", f"a form has at most {FORM} octets")
    return parsed(body)


def _cookie(request: Request) -> str:
    """The cookie's name: browsers keep those of all ports of a host together."""
    server = request.scope.get("server")
    return f"gateway_session_{server[1] if server else 0}"


def parsed(body: bytes) -> dict[str, str]:
    """The fields of a form in its octets.

    Raises:
        ProblemError: it is none.
    """
    try:
        fields = parse_qsl(
            body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=100
        )
    except ValueError as error:
        raise ProblemError("bad_request", f"this is no form: {error}") from None
    found: dict[str, str] = {}
    for name, value in fields:
        found[name] = f"{found[name]} {value}" if name in found else value
    return found

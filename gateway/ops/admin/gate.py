"""Who asks, and whether it is a person's own doing: tokens and roles, and what keeps other sites'
pages away.

A browser on this machine, or in the network of the server, runs pages of strangers. So the name
that a request gives to the server must be one of ours (else a stranger's name leads here, DNS
rebinding), and one that changes something must not come from another site (CSRF). Wrong tokens are
counted, and each costs who sends it a moment.
"""

import hashlib
import hmac
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final
from urllib.parse import urlsplit

import trio
from starlette.requests import Request

from gateway.ops.admin.options import AdminOptions
from gateway.ops.metrics import Metrics
from gateway.ops.operations import Caller, Role
from gateway.ops.problems import ProblemError

REFUSAL: Final = 0.5
"""Seconds that a wrong token waits for its answer."""

WAITING: Final = 4
"""Wrong tokens of one address that may wait so at a time. Whatever else it sends meanwhile is
turned away unread, so that it tries no more than eight a second."""

ADDRESSES: Final = 256
"""Addresses with wrong tokens at a time; then those of further ones are turned away unread."""

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

HERE: Final = "local"
"""The name of whoever asks from this machine where no token is configured."""

NAMELESS: Final = "admin"
"""The name of whoever has a token of ``admin.token_sha256``."""


class Gate:
    """Tells who asks. Raises `ProblemError` where nobody may.

    Args:
        options: of the start. One that began with tokens, and may be reached from elsewhere for
            that, never goes on without.
        latest: the options in force by now; left out, they never change.
    """

    def __init__(
        self,
        options: AdminOptions,
        metrics: Metrics,
        latest: Callable[[], AdminOptions] | None = None,
    ) -> None:
        self._began_guarded = options.guarded
        self._latest = latest or (lambda: options)
        self._metrics = metrics
        self._refusing: Counter[str] = Counter()

    @property
    def guarded(self) -> bool:
        """Whether a token is needed."""
        return self._began_guarded or self._latest().guarded

    @property
    def _known(self) -> Iterator[tuple[str, Role, str]]:
        """The tokens, by their SHA-256, with their names and roles."""
        options = self._latest()
        yield from ((NAMELESS, "admin", token.lower()) for token in options.token_sha256)
        yield from ((one.name, one.role, one.token_sha256.lower()) for one in options.tokens)

    def known(self, request: Request, digest: str) -> Caller | None:
        """Whose token has this SHA-256, in hex; None for nobody's."""
        client = str(address_of(request.scope.get("client")) or "unknown")
        for name, role, token in self._known:
            if hmac.compare_digest(digest, token):
                return Caller(name, role, client)
        return None

    async def caller(self, request: Request) -> Caller:
        """Who asks, by the token in ``Authorization: Bearer``. A page of a stranger has none, so
        where it comes from is looked at only where nobody needs one."""
        if not self.guarded:
            self.check_site(request)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return await self.holder(request, token.strip() if scheme.lower() == "bearer" else "")

    async def holder(self, request: Request, token: str) -> Caller:
        """Whose token it is; empty for none. A wrong one is answered late."""
        client = str(address_of(request.scope.get("client")) or "unknown")
        if not self.guarded:
            return Caller(HERE, "admin", client)
        if self._refusing[client] >= WAITING or len(self._refusing) > ADDRESSES:
            self._metrics.admin_refused.add(1, "too_many")
            raise ProblemError("busy", "too many wrong tokens came; try again in a second")
        digest = hashlib.sha256(token.encode()).hexdigest()
        found = [one for one in self._known if hmac.compare_digest(digest, one[2])]
        if found:
            name, role, _ = found[0]
            return Caller(name, role, client)
        if not token:
            raise ProblemError("unauthenticated", "send a token as `Authorization: Bearer TOKEN`")
        await self._refuse(client)
        raise ProblemError("unauthenticated", "the token is not one of those in [admin]")

    async def _refuse(self, client: str) -> None:
        """Have whoever sent a wrong token wait."""
        self._metrics.admin_refused.add(1, "token")
        self._refusing[client] += 1
        try:
            await trio.sleep(REFUSAL)
        finally:
            self._refusing[client] -= 1
            if not self._refusing[client]:
                del self._refusing[client]

    def check_site(self, request: Request) -> None:
        """Refuse what a stranger's page asks of us."""
        host = request.headers.get("host", "")
        if not _is_address(host):
            self._metrics.admin_refused.add(1, "host")
            raise ProblemError(
                "wrong_host",
                f"{host[:80]!r}: without a token, this server is asked by its address or as "
                "localhost",
            )
        self.check_origin(request)

    def check_origin(self, request: Request) -> None:
        """Refuse what a page of another site would change."""
        host = request.headers.get("host", "")
        if request.method in SAFE:
            return
        origin = request.headers.get("origin")
        strange = origin is not None and urlsplit(origin).netloc != host
        if strange or request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            self._metrics.admin_refused.add(1, "origin")
            raise ProblemError(
                "wrong_origin", "a page of another site may not change anything here"
            )


def _is_address(host: str) -> bool:
    """Whether a ``Host`` is an address, or ``localhost``: no stranger has a page under such a name
    that leads here."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def asked_from_here(scope: Mapping[str, Any]) -> bool:
    """Whether a request of this ASGI scope came from this machine: over its loopback, or from the
    address that it came to. What a proxy on this machine passes on came from here."""
    client, server = (address_of(scope.get(end)) for end in ("client", "server"))
    return client is not None and (client.is_loopback or client == server)


def address_of(end: tuple[str, int | None] | None) -> IPv4Address | IPv6Address | None:
    """The address of one end of a connection."""
    try:
        address = ipaddress.ip_address(end[0] if end else "")
    except ValueError:
        return None
    # How a socket for both kinds names who came over IPv4.
    return getattr(address, "ipv4_mapped", None) or address

"""The admin HTTP server: metrics for Prometheus, and probes for whatever restarts or routes to us.

``/metrics`` is the Prometheus text format. ``/healthz`` and ``/readyz`` answer 200, or 503 with the
reasons; a load balancer reads the status, a person the JSON. It serves operators and is no part of
the API that tenants use.
"""

import hashlib
import hmac
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any, cast

import msgspec
import trio
from hypercorn.config import Config
from hypercorn.trio import serve as serve_http
from hypercorn.typing import ASGIFramework
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.errors import ConfigError, GatewayError
from gateway.ops.metrics import Metrics

Endpoint = Callable[[Request], Awaitable[Response]]


class AdminOptions(msgspec.Struct, frozen=True):
    """Where to serve, and to whom.

    Attributes:
        listen: ``host:port``; port 0 for any that is free.
        token_sha256: hex SHA-256 of each token that is valid, sent as ``Authorization: Bearer``.
            Required to listen beyond this machine; without any, everybody on it may ask. The probes
            answer to this machine without one even so: whatever restarts us need hold no secret.
    """

    listen: str = "127.0.0.1:7601"
    token_sha256: tuple[str, ...] = ()


class Health(msgspec.Struct, frozen=True):
    """Whether all is well.

    Attributes:
        reasons: why not, a sentence each; empty where it is.
    """

    reasons: tuple[str, ...] = ()


async def serve(
    options: AdminOptions,
    metrics: Metrics,
    *,
    healthy: Callable[[], Health],
    ready: Callable[[], Health],
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled.

    Args:
        options: where, and to whom.
        metrics: for ``/metrics``.
        healthy: for ``/healthz``: the process lives and the store works.
        ready: for ``/readyz``: submissions are accepted and a bind is up.
        task_status: is told the addresses, ``http://127.0.0.1:7601``.

    Raises:
        ConfigError: ``listen`` is no address, or is open to others without a token.
        GatewayError: the address cannot be used.
    """
    listener = _bind(options)
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.errorlog = logging.getLogger("hypercorn")
    config.include_server_header = False
    application = cast("ASGIFramework", _application(options, metrics, healthy, ready))
    await serve_http(application, config, task_status=task_status)


def _application(
    options: AdminOptions,
    metrics: Metrics,
    healthy: Callable[[], Health],
    ready: Callable[[], Health],
) -> Starlette:
    async def exposition(request: Request) -> Response:
        # A large installation has tens of thousands of lines: not in the event loop.
        accept = request.headers.get("accept", "")
        text, media_type = await trio.to_thread.run_sync(metrics.snapshot().page, accept)
        return Response(text, headers={"content-type": media_type})

    def probe(ask: Callable[[], Health]) -> Endpoint:
        async def answer(_request: Request) -> Response:
            health = ask()
            return Response(
                msgspec.json.encode({"ok": not health.reasons, "reasons": health.reasons}),
                status_code=503 if health.reasons else 200,
                media_type="application/json",
            )

        return answer

    def guarded(endpoint: Endpoint, *, free_here: bool) -> Endpoint:
        async def answer(request: Request) -> Response:
            here = free_here and asked_from_here(request.scope)
            if here or _admitted(options, request.headers.get("authorization", "")):
                return await endpoint(request)
            return Response(status_code=401, headers={"www-authenticate": "Bearer"})

        return answer

    return Starlette(
        routes=[
            Route("/metrics", guarded(exposition, free_here=False)),
            Route("/healthz", guarded(probe(healthy), free_here=True)),
            Route("/readyz", guarded(probe(ready), free_here=True)),
        ]
    )


def asked_from_here(scope: Mapping[str, Any]) -> bool:
    """Whether a request of this ASGI scope came from this machine: over its loopback, or from the
    address that it came to. What a proxy on this machine passes on came from here."""
    client, server = (_address(scope.get(end)) for end in ("client", "server"))
    return client is not None and (client.is_loopback or client == server)


def _address(end: tuple[str, int | None] | None) -> IPv4Address | IPv6Address | None:
    try:
        address = ipaddress.ip_address(end[0] if end else "")
    except ValueError:
        return None
    # How a socket for both kinds names who came over IPv4.
    return getattr(address, "ipv4_mapped", None) or address


def _admitted(options: AdminOptions, authorization: str) -> bool:
    if not options.token_sha256:
        return True
    scheme, _, token = authorization.partition(" ")
    digest = hashlib.sha256(token.strip().encode()).hexdigest()
    known = [hmac.compare_digest(digest, valid.lower()) for valid in options.token_sha256]
    return scheme.lower() == "bearer" and any(known)


def _bind(options: AdminOptions) -> socket.socket:
    listen = options.listen
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
        number = int(port)
    except ValueError:
        mistake = f"{listen!r} is not an IP address and a port, such as '127.0.0.1:7601'"
        raise ConfigError([f"admin.listen: {mistake}"]) from None
    if not address.is_loopback and not options.token_sha256:
        mistake = (
            f"{listen!r} can be reached from other machines; listen on 127.0.0.1, "
            "or set admin.token_sha256 (`gateway token` makes one)"
        )
        raise ConfigError([f"admin.listen: {mistake}"])
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((str(address), number))
    except (OSError, OverflowError) as error:
        listener.close()
        raise GatewayError(
            f"admin.listen: cannot listen on {listen!r}: {error}; stop the program that uses it, "
            "or choose another address"
        ) from error
    return listener

"""The admin HTTP server: metrics for Prometheus, probes for whatever restarts or routes to us, the
admin API and the console.

``/metrics`` is the Prometheus text format. ``/healthz`` and ``/readyz`` answer 200, or 503 with the
reasons; a load balancer reads the status, a person the JSON. What is under ``/api/v1`` is
`gateway.ops.admin.api`'s, everything else are the pages of `gateway.ops.console`. It serves
operators and is no part of the API that tenants use.
"""

import ipaddress
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from typing import cast

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
from gateway.ops.admin import api
from gateway.ops.admin.gate import Gate, asked_from_here
from gateway.ops.admin.options import AdminOptions, Health
from gateway.ops.admin.patience import Patience
from gateway.ops.console.pages import Console
from gateway.ops.metrics import Metrics
from gateway.ops.operations import Operations
from gateway.ops.problems import ProblemError

Endpoint = Callable[[Request], Awaitable[Response]]


async def serve(
    options: AdminOptions,
    metrics: Metrics,
    operations: Operations,
    *,
    healthy: Callable[[], Health],
    ready: Callable[[], Health],
    latest: Callable[[], AdminOptions] | None = None,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled.

    Args:
        options: where, and to whom.
        metrics: for ``/metrics``.
        operations: answers operators.
        healthy: for ``/healthz``: the process lives and the store works.
        ready: for ``/readyz``: submissions are accepted and a bind is up.
        latest: the options in force by now, for the tokens in them; left out, they never change.
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
    gate = Gate(options, metrics, latest)
    async with trio.open_nursery() as nursery:
        patience = Patience(nursery)
        console = Console(operations, gate, patience, metrics, time.time)
        nursery.start_soon(console.run)
        application = Starlette(
            routes=[
                Route("/metrics", _for_callers(_exposition(metrics), gate)),
                Route("/healthz", _for_callers(_probe(healthy), gate, free_here=True)),
                Route("/readyz", _for_callers(_probe(ready), gate, free_here=True)),
                *api.routes(operations, gate, patience),
                *console.routes(),
            ]
        )
        await serve_http(cast("ASGIFramework", application), config, task_status=task_status)


def _exposition(metrics: Metrics) -> Endpoint:
    async def answer(request: Request) -> Response:
        # A large installation has tens of thousands of lines: not in the event loop.
        accept = request.headers.get("accept", "")
        text, media_type = await trio.to_thread.run_sync(metrics.snapshot().page, accept)
        return Response(text, headers={"content-type": media_type})

    return answer


def _probe(ask: Callable[[], Health]) -> Endpoint:
    async def answer(_request: Request) -> Response:
        health = ask()
        return Response(
            msgspec.json.encode({"ok": not health.reasons, "reasons": health.reasons}),
            status_code=503 if health.reasons else 200,
            media_type="application/json",
        )

    return answer


def _for_callers(endpoint: Endpoint, gate: Gate, *, free_here: bool = False) -> Endpoint:
    """An endpoint for those whom the gate lets in, or for all on this machine."""

    async def answer(request: Request) -> Response:
        if not (free_here and asked_from_here(request.scope)):
            try:
                await gate.caller(request)
            except ProblemError as problem:
                headers = {"www-authenticate": "Bearer"} if problem.status == 401 else None
                return Response(status_code=problem.status, headers=headers)
        return await endpoint(request)

    return answer


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
    if not address.is_loopback and not options.guarded:
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

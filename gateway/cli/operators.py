"""How the commands for operators reach the admin API of a gateway that runs."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from cyclopts import Parameter

from gateway.cli.access import Access
from gateway.cli.output import UsageError
from gateway.errors import GatewayError

TIMEOUT: Final = 10.0
"""Seconds: the gateway answers within one, or does not answer."""

PREFIX: Final = "/api/v1/"

UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
"""What a span of time may end in."""

T = TypeVar("T")

_opener: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Asks the gateway itself, whatever proxy the environment names for other things."""


class RefusedError(GatewayError):
    """The admin API has said no.

    Attributes:
        kind: the word for why.
        now: how it stands.
    """

    def __init__(self, detail: str, kind: str, now: Mapping[str, Any]) -> None:
        super().__init__(detail)
        self.kind = kind
        self.now = now


@dataclass(frozen=True, kw_only=True)
class MaybeAccess(Access):
    """As `Access`, for commands that operators give too: those need no tenant's token."""

    token: Annotated[str, Parameter(env_var="GATEWAY_TOKEN")] = ""
    """The tenant's token. Set the variable instead where others can list processes."""

    def required(self) -> Access:
        """The same, where it must be a tenant that asks."""
        if not self.token:
            raise UsageError("name the tenant's token with --token, or in GATEWAY_TOKEN")
        return self


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AdminAccess:
    """Where the admin server is, and which operator asks."""

    admin: Annotated[str | None, Parameter(env_var="GATEWAY_ADMIN")] = None
    """The address of the admin server, http://127.0.0.1:7601 where neither this nor --config is
    given."""

    admin_token: Annotated[str, Parameter(env_var="GATEWAY_ADMIN_TOKEN")] = ""
    """The operator's token; none is needed where the configuration has none. Set the variable
    instead where others can list processes."""

    config: Path | None = None
    """The configuration of the gateway, for the address in it."""

    def look(self, path: str, **query: str | int | None) -> Any:
        """What is there."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask(f"{path}?{urlencode(given)}" if given else path, None)

    def items(self, path: str, *, cursor: str = "", **query: str | int | None) -> Iterator[Any]:
        """All of a list, page after page; ``cursor`` is what asks for the next one."""
        while True:
            page = self.look(path, **query)
            yield from page["items"]
            if page["next"] is None or not cursor:
                return
            query[cursor] = page["next"]

    def do(self, path: str, **command: Any) -> Any:
        """Have something done; what is None is left out."""
        given = {name: value for name, value in command.items() if value is not None}
        return self._ask(path, msgspec.json.encode(given))

    def metrics(self) -> str:
        """What Prometheus is told."""
        return self._read("/metrics", None, bytes).decode(errors="replace")

    def _ask(self, path: str, body: bytes | None) -> Any:
        return self._read(PREFIX + path, body, msgspec.json.decode)

    def _read(self, path: str, body: bytes | None, decode: Callable[[bytes], T]) -> T:
        address = self.address
        try:
            request = urllib.request.Request(  # noqa: S310  the scheme is looked at
                address + path, body, {"content-type": "application/json"}
            )
            if self.admin_token:
                request.add_header("authorization", f"Bearer {self.admin_token}")
            with _opener.open(request, timeout=TIMEOUT) as answer:
                return decode(answer.read())
        except urllib.error.HTTPError as error:
            raise _refused(error, address) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            why = getattr(reason, "strerror", None) or reason
            raise GatewayError(f"cannot reach the admin server at {address}: {why}") from error

    @property
    def address(self) -> str:
        """Where the admin server is. Raises UsageError, ConfigError."""
        address = self.admin
        if address is None and self.config is not None:
            # It comes with most of the gateway, which takes a while.
            from gateway.config import admin_address  # noqa: PLC0415

            address = f"http://{admin_address(self.config)}"
        address = (address or "http://127.0.0.1:7601").rstrip("/")
        if not address.startswith(("http://", "https://")):
            raise UsageError(f"--admin: {address!r} does not begin with http:// or https://")
        return address


LOCAL: Final = AdminAccess()
"""The admin server of this machine, where nothing else is said."""

NOBODY: Final = MaybeAccess()
"""No tenant."""


def _refused(error: urllib.error.HTTPError, address: str) -> GatewayError:
    """What a problem of the admin API says."""
    with error:
        try:
            problem = msgspec.json.decode(error.read())
            kind = problem["type"].partition("#")[2]
            detail, now = problem["detail"], problem.get("now", {})
        except (msgspec.DecodeError, LookupError, TypeError, OSError):
            return GatewayError(f"{address} is no admin server of a gateway: status {error.code}")
    if kind == "unauthenticated":
        detail += ": --admin-token, or GATEWAY_ADMIN_TOKEN"
    return RefusedError(detail, kind, now)


def one(identifier: str) -> str:
    """A name as a part of a path."""
    return quote(identifier, safe="")


def span(text: str) -> float:
    """Seconds of a span: ``90``, ``90s``, ``30m``, ``2h``, ``7d``. Raises UsageError."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "s")
    try:
        return float(number) * UNITS[unit]
    except ValueError:
        raise UsageError(f"{text!r} is no span: write 90s, 30m, 2h or 7d") from None

"""What a configuration comes to: the options of every part of the gateway, checked and complete."""

from typing import Literal

from msgspec import Struct

from gateway.api.address import TcpAddress
from gateway.api.options import ServerOptions, TlsOptions
from gateway.dispatch.core import DispatchOptions

LogLevel = Literal["debug", "info", "warning", "error"]


class ApiSettings(Struct, frozen=True):
    """Where and how the API is served: addresses as `gateway.api.address` reads them, and the
    certificates for those that are TCP."""

    listen: tuple[str, ...]
    tls: TlsOptions | None
    limits: ServerOptions


class AdminSettings(Struct, frozen=True):
    """Where the admin HTTP server listens, and the SHA-256 of the token that it asks for; without
    one it is open to whoever can reach it, which is this machine only."""

    listen: TcpAddress
    token_sha256: bytes | None


class Settings(Struct, frozen=True):
    """A configuration. ``dispatch`` may change while the gateway runs, the rest may not.

    Attributes:
        queue: the path of the store's file.
        log: the least level that is logged.
    """

    api: ApiSettings
    admin: AdminSettings
    queue: str
    dispatch: DispatchOptions
    log: LogLevel

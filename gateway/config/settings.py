"""What a configuration comes to: the options of every part of the gateway, checked and complete."""

from msgspec import Struct

from gateway.api.options import ServerOptions, TlsOptions
from gateway.config.keys import Keys
from gateway.dispatch.core import DispatchOptions
from gateway.ops.admin import AdminOptions
from gateway.ops.logs import Level
from gateway.queue.backends import StoreOptions


class ApiSettings(Struct, frozen=True):
    """Where and how the API is served: addresses as `gateway.api.address` reads them, and the
    certificates for those that are TCP."""

    listen: tuple[str, ...]
    tls: TlsOptions | None
    limits: ServerOptions


class Settings(Struct, frozen=True):
    """A configuration. ``dispatch`` may change while the gateway runs, the rest may not.

    Attributes:
        queue: which store, and where.
        log: the least level that is logged.
        file: what the file says, to compare it with another.
        digest: the first 12 digits of the SHA-256 of the file, as ``sha256sum`` tells it.
    """

    api: ApiSettings
    admin: AdminOptions
    queue: StoreOptions
    dispatch: DispatchOptions
    log: Level
    file: Keys
    digest: str = ""

    def __repr__(self) -> str:
        """Without the file, which has passwords."""
        names = (name for name in self.__struct_fields__ if name != "file")
        return f"Settings({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

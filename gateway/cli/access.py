"""How the commands that use the API reach the gateway."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.types import ExistingFile

from gateway.api import blocking
from gateway.api.address import parse_address
from gateway.errors import GatewayError

NAME: Final = "gateway-cli"
"""What the gateway's log calls us."""

PATIENCE: Final = 15.0
"""Seconds for which a connection that broke is tried again; then a person wants to know."""


def _address(_: object, text: str) -> None:
    parse_address(text)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Access:
    """Where the gateway is, and who asks."""

    address: Annotated[str, Parameter(env_var="GATEWAY_ADDRESS", validator=_address)] = (
        "tcp://127.0.0.1:7600"
    )
    """Where the gateway listens: tcp://host:port or unix:///path."""

    token: Annotated[str, Parameter(env_var="GATEWAY_TOKEN")]
    """The tenant's token. Set the variable instead where others can list processes."""

    tls: bool = False
    """Speak TLS, and trust the authorities that this machine trusts."""

    ca: ExistingFile | None = None
    """Speak TLS, and trust the authorities in this PEM file."""

    cert: ExistingFile | None = None
    """Speak TLS, and show the certificate in this PEM file, which holds its key too."""

    def context(self) -> ssl.SSLContext | None:
        """How to speak TLS, or None where not to. Raises OSError for a file of no use."""
        if not (self.tls or self.ca or self.cert):
            return None
        context = ssl.create_default_context(cafile=self.ca)
        if self.cert is not None:
            context.load_cert_chain(self.cert)
        return context

    @contextmanager
    def client(self) -> Iterator[blocking.Client]:
        """A connection. Raises GatewayError where none can be made or kept, ApiError where the
        gateway does not let us in."""
        tls = self.context()
        try:
            client = blocking.connect(
                self.address, self.token, tls=tls, name=NAME, patience=PATIENCE
            )
        except OSError as error:
            raise self.unreachable(error) from error
        try:
            with client:
                yield client
        except BrokenPipeError:
            raise  # it is stdout: the client mends its own connection
        except (ConnectionError, TimeoutError) as error:
            raise self.unreachable(error) from error

    def unreachable(self, error: OSError) -> GatewayError:
        """What to tell of a connection that cannot be made or kept."""
        return GatewayError(
            f"cannot reach the gateway at {self.address}: {error.strerror or error}"
        )

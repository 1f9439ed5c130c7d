"""What a session and a bind are told once, when they are built, as types.

The limits and timers are the field's habits; a carrier's contract overrules them. This module
reads no configuration: `gateway.config` builds these.
"""

import ssl
from typing import Any, Final, Literal

import msgspec

Mode = Literal["transceiver", "transmitter", "receiver"]
"""What a bind may do: send and receive, only send, only receive."""


SYSTEM_ID: Final = 15
PASSWORD: Final = 8
"""The most octets of an account that the book has room for (SMPP 3.4, 5.2.1 and 5.2.2)."""

OPTIONAL_PARAMETERS_SINCE: Final = 0x34
"""The first interface_version that has them."""

LONGEST_ACCOUNT: Final = 63
"""The most octets of a system_id and of a password that are written and read: carriers that give
out longer ones than the book has room for exist, and none of them needs more."""


class SessionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What either end of a session needs to know. Times are in seconds.

    Attributes:
        system_id: the name to give to the peer: the account's at an ESME, the carrier's own at an
            SMSC.
        window: how many requests may be unanswered at once, each way of sending on its own.
        enquire_link: how often to ask whether the peer is there, whatever it sends meanwhile.
        response_timeout: how long to wait for the answer to a request or an enquire_link.
        session_init_timeout: how long a bind and its answer may take.
        interface_version: 0x34 for SMPP 3.4, 0x33 for 3.3, 0x50 for 5.0.
    """

    system_id: str = ""
    window: int = 10
    enquire_link: float = 30.0
    response_timeout: float = 60.0
    session_init_timeout: float = 30.0
    interface_version: int = 0x34


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait before the next attempt to bind: at random between nothing and a ceiling,
    which is ``initial`` seconds first and grows by ``factor`` with each failure up to ``longest``,
    or up to ``unheard`` while nobody listens: that costs the carrier nothing, and it is to be used
    again as soon as it is back.
    """

    initial: float = 1.0
    longest: float = 60.0
    factor: float = 2.0
    unheard: float = 5.0

    def ceiling(self, failures: int, longest: float | None = None) -> float:
        """The longest wait after ``failures`` failures in a row, in seconds; at least one."""
        # Past 64 failures nothing grows any more; the exponent must not, or it overflows.
        grown = self.initial * self.factor ** min(failures - 1, 64)
        return min(self.longest if longest is None else longest, grown)


class BindOptions(SessionOptions, frozen=True, kw_only=True):
    """An account at a carrier and how to reach it.

    Attributes:
        host, port: where the carrier listens.
        password: neither ``repr`` nor a log shows it.
        mode: what to bind as.
        system_type, address_range, addr_ton, addr_npi: as the carrier's contract says; mostly
            left empty.
        tls: speak TLS with these settings.
        server_name: the name in the carrier's certificate, where it is not ``host``.
        connect_timeout: how long the connection, with TLS if asked for, may take, in seconds.
        backoff: how long to wait between attempts.
    """

    host: str
    port: int
    password: str = ""
    mode: Mode = "transceiver"
    system_type: str = ""
    address_range: str = ""
    addr_ton: int = 0
    addr_npi: int = 0
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    connect_timeout: float = 10.0
    backoff: Backoff = Backoff()

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [
            (name, "***" if name == "password" else getattr(self, name))
            for name in self.__struct_fields__
        ]

    def __repr__(self) -> str:
        return f"BindOptions({', '.join(f'{k}={v!r}' for k, v in self.__rich_repr__())})"

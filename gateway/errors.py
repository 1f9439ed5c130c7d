"""The exception roots and the stable error codes of the wire API.

A code never changes its meaning. A code of a whole request refuses the request; a code of one
message refuses that message alone, in its place in ``results``, or says why it has failed.
"""

from typing import Literal

RequestCode = Literal[
    "unauthenticated",
    "forbidden",
    "bad_request",
    "unknown_op",
    "frame_too_large",
    "busy",
    "shutting_down",
]

MessageCode = Literal[
    "invalid_recipient",
    "invalid_sender",
    "invalid_value",
    "sender_not_allowed",
    "empty_text",
    "too_long",
    "unencodable",
    "opted_out",
    "no_consent",
    "frequency_capped",
    "content_refused",
    "quota_exceeded",
    "queue_full",
    "expired",
    "key_conflict",
    "no_route",
    "duplicate_recipient",
    "destination_blocked",
    "unreachable",
]


class GatewayError(Exception):
    """The root of every exception that the gateway raises on purpose."""


class ProtocolError(GatewayError):
    """A protocol was broken, by us or by them."""


class LocalProtocolError(ProtocolError):
    """Our own code used a protocol object wrongly: a bug."""


class RemoteProtocolError(ProtocolError):
    """The peer sent what the protocol does not allow."""


class ConfigError(GatewayError):
    """A configuration that cannot be used.

    Attributes:
        errors: one line for each mistake, ``carriers[1].window: 0 is not between 1 and 10000``.
    """

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class StoreError(GatewayError):
    """The store could not do what was asked, and nothing of it was done.

    Attributes:
        full: the disk has no room; the same call may succeed once there is some.
    """

    def __init__(self, message: str, *, full: bool = False) -> None:
        super().__init__(message)
        self.full = full


class StoreFenced(StoreError):  # noqa: N818  who raises it has made no mistake
    """Another process has taken the store over: nothing was done, and nothing will be. Whatever
    this process knows of its messages may be wrong by now; it has to stop."""


class RequestError(GatewayError):
    """A request is refused whole.

    Attributes:
        code: which of the stable codes.
        message: a sentence for the person who reads the client's log.
    """

    def __init__(self, code: RequestCode, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code: RequestCode = code
        self.message = message

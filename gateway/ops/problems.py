"""How the admin side says no: problem details (RFC 9457), with a word that stays the same."""

from typing import Any, Literal

import msgspec

from gateway.errors import GatewayError

Kind = Literal[
    "bad_request",
    "unauthenticated",
    "forbidden",
    "wrong_host",
    "wrong_origin",
    "not_found",
    "already_so",
    "changed",
    "busy",
    "store_stuck",
    "configuration",
]

STATUS: dict[Kind, tuple[int, str]] = {
    "bad_request": (400, "The request is not right"),
    "unauthenticated": (401, "A token is needed"),
    "forbidden": (403, "The token's role does not allow this"),
    "wrong_host": (421, "The request names another host"),
    "wrong_origin": (403, "The request comes from another site"),
    "not_found": (404, "There is no such thing"),
    "already_so": (409, "It is so already"),
    "changed": (409, "It has changed meanwhile"),
    "busy": (429, "Too many at a time"),
    "store_stuck": (503, "The store does not answer"),
    "configuration": (422, "The configuration has mistakes"),
}
"""The status and the title of each."""


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is answered instead.

    Attributes:
        type: ``about:blank#`` and the kind: names what is wrong for programs.
        now: how it stands now, where something had changed.
    """

    type: str
    title: str
    status: int
    detail: str
    now: dict[str, Any] = {}


class ProblemError(GatewayError):
    """Something is not done, and why."""

    def __init__(self, kind: Kind, detail: str, **now: Any) -> None:
        super().__init__(detail)
        self.kind: Kind = kind
        self.now = now

    @property
    def status(self) -> int:
        return STATUS[self.kind][0]

    @property
    def details(self) -> ProblemDetails:
        status, title = STATUS[self.kind]
        return ProblemDetails(f"about:blank#{self.kind}", title, status, str(self), self.now)

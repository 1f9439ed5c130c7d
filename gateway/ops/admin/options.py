"""Where the admin server listens, and who may ask what, as types."""

from typing import Final, get_args

import msgspec

from gateway.ops.operations import Role

ROLES: Final[tuple[Role, ...]] = get_args(Role)


class AdminToken(msgspec.Struct, frozen=True):
    """A token of one person or program.

    Attributes:
        name: stands in the audit.
        role: what it may do, see `gateway.ops.roles`.
        token_sha256: hex SHA-256 of the token.
    """

    name: str
    role: Role
    token_sha256: str


class AdminOptions(msgspec.Struct, frozen=True):
    """Where to serve, and to whom.

    Attributes:
        listen: ``host:port``; port 0 for any that is free.
        token_sha256: hex SHA-256 of tokens that may do everything, sent as
            ``Authorization: Bearer``. Some token is required to listen beyond this machine; without
            any, everybody on it may do everything. The probes answer to this machine without one
            even so: whatever restarts us need hold no secret.
        tokens: those with a name and a role.
    """

    listen: str = "127.0.0.1:7601"
    token_sha256: tuple[str, ...] = ()
    tokens: tuple[AdminToken, ...] = ()

    @property
    def guarded(self) -> bool:
        """Whether nobody may ask without a token."""
        return bool(self.token_sha256 or self.tokens)


class Health(msgspec.Struct, frozen=True):
    """Whether all is well.

    Attributes:
        reasons: why not, a sentence each; empty where it is.
    """

    reasons: tuple[str, ...] = ()

"""Which pages there are, and where."""

from starlette.routing import BaseRoute

from gateway.ops.admin.gate import Gate
from gateway.ops.admin.patience import Patience
from gateway.ops.operations import Operations


def routes(operations: Operations, gate: Gate, patience: Patience) -> list[BaseRoute]:
    """The pages, for the admin server.

    Args:
        gate: tells who asks; only those are shown anything.
        patience: has `operations` asked, so that a page is answered within a second.
    """
    del operations, gate, patience
    return []

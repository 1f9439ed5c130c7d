"""From what a tenant submits to the text that is sent: the steps, and their order.

1. **Signature**: put in front where it is missing (`gateway.policy.content.signatures`).
2. **Opt-out line**: put at the end where it is missing (`gateway.policy.content.optout_lines`).
3. **Measuring**: which encoding, how many parts (`gateway.text.measuring`), by the caller.

Each step sees what the one before it made; what rules judge, and ``quote`` shows, is the last. The
digest of an idempotency key is of what was submitted, whatever is made of it.
"""

from collections.abc import Collection, Mapping, Sequence

from gateway.dispatch.routing import RouteOptions
from gateway.message import Category
from gateway.policy.chain import TenantOptions
from gateway.policy.content.options import ContentOptions
from gateway.policy.content.optout_lines import OptoutLines
from gateway.policy.content.signatures import Signatures
from gateway.policy.rules import Refuse


class Wording:
    """What is made of one tenant's texts."""

    def __init__(self, signatures: Signatures | None, lines: OptoutLines | None) -> None:
        self._signatures = signatures
        self._lines = lines

    def write(
        self, text: str, category: Category, sender: str, to: str, route: str
    ) -> str | Refuse:
        """The text as it is to be measured and sent, or why it is not."""
        if self._signatures is not None and text:
            signed = self._signatures.put(text, sender, route)
            if isinstance(signed, Refuse):
                return signed
            text = signed
        if self._lines is not None and text:
            return self._lines.put(text, to, category, route)
        return text


def wordings(
    options: ContentOptions,
    tenants: Sequence[TenantOptions],
    carriers: Mapping[str, Collection[str]],
) -> list[Wording | None]:
    """What is made of the texts of each tenant; None where that is nothing.

    Args:
        carriers: through which the messages of each route may go, by its name.
    """
    lines = OptoutLines(options.optout_line, carriers) if options.optout_line else None
    found: list[Wording | None] = []
    for own in tenants:
        signatures = Signatures(own.signatures, carriers) if own.signatures else None
        theirs = lines if own.content else None
        steps = signatures is not None or theirs is not None
        found.append(Wording(signatures, theirs) if steps else None)
    return found


def carriers_of(routes: Sequence[RouteOptions]) -> Mapping[str, Collection[str]]:
    """The carriers through which messages may go, by route."""
    return {
        route.name: frozenset(one.id for one in route.carriers).union(route.backup)
        for route in routes
    }

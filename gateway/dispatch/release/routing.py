"""Routes: which carriers may take a message. The first route that matches wins.

A route is chosen when a message is accepted, by what does not change about it: tenant, category
and the recipient's leading digits. Which of the route's carriers takes it is decided when it is
released (`gateway.dispatch.carriers.carriers`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256

import msgspec

from gateway.message import Category
from gateway.text.shifting import Language

DEFAULT_ROUTE = "default"
"""The route there is when none is configured: every carrier shares the load."""

_DIRECT = "carrier:"
"""Begins the name of a route that is one carrier and no other; no configured name has a colon."""


def direct(carrier: str) -> str:
    """The name of the route that is this carrier alone, for answers to what came by it: only there
    is the number ours that was texted."""
    return _DIRECT + carrier


def is_direct(route: str) -> bool:
    """Whether a route is one carrier and no other."""
    return route.startswith(_DIRECT)


CACHE_SIZE = 100_000
"""Decisions remembered, by tenant, category and leading digits; forgotten all at once when full."""


class CarrierShare(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A carrier of a route and its share of the route's parts."""

    id: str
    weight: int = 1


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a route takes; an empty list takes everything.

    Attributes:
        prefix: leading digits of the recipient's number.
        category: categories.
        tenant: tenants' ids.
    """

    prefix: list[str] = []
    category: list[Category] = []
    tenant: list[str] = []


class RouteOptions(msgspec.Struct, frozen=True):
    """A route.

    Attributes:
        name: stands in lanes and logs.
        carriers: share the load by weight.
        backup: take over, in this order, while none of ``carriers`` is up.
    """

    name: str
    carriers: list[CarrierShare]
    match: Match = Match()
    backup: list[str] = []


NAME = 64
"""Characters of a name that a route has by what it takes."""


def named_by_content(match: Match) -> str:
    """The name of a route that has been given none: what it takes. Where it stands in the list does
    not matter, so that what is queued for it stays its own when others are put before it."""
    lists: dict[str, Sequence[str]] = {
        "prefix": match.prefix,
        "category": match.category,
        "tenant": match.tenant,
    }
    taken = "; ".join(
        f"{what} {', '.join(sorted(set(items)))}" for what, items in lists.items() if items
    )
    name = f"match: {taken or 'everything'}"  # no configured name has a colon
    if len(name) <= NAME:
        return name
    return f"{name[: NAME - 10]}… {sha256(name.encode()).hexdigest()[:8]}"


def narrow_routes(routes: Iterable[RouteOptions], carriers: Collection[str]) -> frozenset[str]:
    """The names of the routes that may use one of these carriers."""
    return frozenset(
        route.name
        for route in routes
        if any(share.id in carriers for share in route.carriers)
        or any(name in carriers for name in route.backup)
    ) | {direct(name) for name in carriers}


def common_tables(
    routes: Iterable[RouteOptions], tables: Mapping[str, Collection[Language]]
) -> dict[str, tuple[Language, ...]]:
    """The languages whose shift tables all carriers of a route take, by its name, where there are
    any; ``tables`` is which each carrier takes, by its id."""
    found = {direct(name): tuple(sorted(languages)) for name, languages in tables.items()}
    for route in routes:
        names = [*(share.id for share in route.carriers), *route.backup]
        theirs = [set(tables.get(one, ())) for one in names]
        found[route.name] = tuple(sorted(set.intersection(*theirs))) if theirs else ()
    return {name: languages for name, languages in found.items() if languages}


class Router:
    """Finds the route of a message.

    Attributes:
        narrow: names of the routes on which parts of long messages have room for a header with a
            reference of 16 bits.
        tables: the languages whose shift tables may be used on a route, by its name.
    """

    def __init__(
        self,
        routes: Sequence[RouteOptions],
        narrow: frozenset[str] = frozenset(),
        tables: Mapping[str, tuple[Language, ...]] | None = None,
    ) -> None:
        self.narrow = narrow
        self.tables = tables or {}
        self._routes = tuple(routes)
        self._digits = max((len(p) for r in routes for p in r.match.prefix), default=0)
        self._found: dict[tuple[str, str, str], str | None] = {}

    def route(self, tenant: str, category: Category, to: str) -> str | None:
        """The name of the first route that takes such a message, or None."""
        key = (tenant, category, to[: self._digits])
        try:
            return self._found[key]
        except KeyError:
            if len(self._found) >= CACHE_SIZE:
                self._found.clear()
            found = self._found[key] = self._search(tenant, category, to)
            return found

    def _search(self, tenant: str, category: Category, to: str) -> str | None:
        for route in self._routes:
            match = route.match
            if (
                (not match.tenant or tenant in match.tenant)
                and (not match.category or category in match.category)
                and (not match.prefix or to.startswith(tuple(match.prefix)))
            ):
                return route.name
        return None

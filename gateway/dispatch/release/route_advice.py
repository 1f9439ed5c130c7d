"""What an operator should know of routes: those, and those parts of them, that nothing ever takes,
because a route before them does. The first route that matches wins (see `routing`)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Final

from msgspec import structs

from gateway.dispatch.release.routing import Match, RouteOptions
from gateway.message import CATEGORIES

OTHERS: Final = ""
"""Stands for the tenants that no route names; no tenant has an empty id."""

ALL: Final = ""
"""The prefix of all numbers."""


def unreached(routes: Sequence[RouteOptions], tenants: Sequence[str]) -> Iterator[str]:
    """A line for each route that can never match, and for each entry of a route's lists that makes
    no difference; ``routes[2]: …``."""
    named = {tenant for route in routes for tenant in route.match.tenant}
    everybody = [tenant for tenant in tenants if tenant in named]
    if len(everybody) < len(tenants):
        everybody.insert(0, OTHERS)
    taken = _Taken(everybody)
    for number, route in enumerate(routes):
        where = f"routes[{number}]"
        names = taken.all_of(route.match)
        if names:
            yield f"{where}: never matches, for {_named(names)} all that it could; put it before"
        else:
            yield from _repeated(where, route.match)
            yield from _taken_entries(where, route.match, taken)
        taken.add(route)


class _Numbers:
    """The numbers that routes have taken of one tenant and category: which route took a prefix."""

    def __init__(self) -> None:
        self.routes: dict[str, str] = {}
        self.inner: set[str] = set()

    def add(self, prefix: str, route: str) -> None:
        self.routes.setdefault(prefix, route)
        self.inner.update(prefix[:size] for size in range(len(prefix)))


class _Taken:
    """What routes have taken so far. Those that name no tenant have taken it of everybody."""

    def __init__(self, everybody: Sequence[str]) -> None:
        self._everybody = everybody
        self._numbers: dict[tuple[str, str], _Numbers] = {}

    def add(self, route: RouteOptions) -> None:
        match = route.match
        for tenant, category in product(match.tenant or [OTHERS], match.category or CATEGORIES):
            numbers = self._numbers.setdefault((tenant, category), _Numbers())
            for prefix in match.prefix or [ALL]:
                numbers.add(prefix, route.name)

    def all_of(self, match: Match) -> set[str]:
        """The routes that have taken all that this matches between them; none where something is
        left."""
        return _together(
            self._takers(prefix, tenant, category)
            for tenant, category, prefix in product(
                match.tenant or self._everybody, match.category or CATEGORIES, match.prefix or [ALL]
            )
        )

    def _takers(self, prefix: str, tenant: str, category: str) -> set[str]:
        """The same of the numbers under a prefix, of one tenant and category."""
        keys = {(tenant, category), (OTHERS, category)}
        each = [self._numbers[key] for key in keys if key in self._numbers]
        for size in range(len(prefix) + 1):
            for numbers in each:
                if prefix[:size] in numbers.routes:
                    return {numbers.routes[prefix[:size]]}
        if not any(prefix in numbers.inner for numbers in each):
            return set()
        # No country code begins with 0.
        digits = (prefix + digit for digit in "0123456789")
        return _together(self._takers(one, tenant, category) for one in digits if one != "0")


def _together(each: Iterable[set[str]]) -> set[str]:
    """All of them; none where one is empty."""
    found: set[str] = set()
    for some in each:
        if not some:
            return set()
        found |= some
    return found


def _repeated(where: str, match: Match) -> Iterator[str]:
    """Entries that another entry of the same list includes."""
    for key, values in (("tenant", match.tenant), ("category", match.category)):
        for index, value in enumerate(values):
            if value in values[:index]:
                yield f"{where}.match.{key}[{index}]: {value!r} is there twice; take one out"
    for index, prefix in enumerate(match.prefix):
        others = (one for at, one in enumerate(match.prefix) if one != prefix or at < index)
        wider = next((one for one in others if prefix.startswith(one)), None)
        if wider is not None:
            yield f"{where}.match.prefix[{index}]: {prefix!r} is within {wider!r}; take one out"


def _taken_entries(where: str, match: Match, taken: _Taken) -> Iterator[str]:
    """Entries of which routes before take all."""
    narrowed: dict[str, list[tuple[str, Match]]] = {
        "tenant": [(one, structs.replace(match, tenant=[one])) for one in match.tenant],
        "category": [(one, structs.replace(match, category=[one])) for one in match.category],
        "prefix": [(one, structs.replace(match, prefix=[one])) for one in match.prefix],
    }
    for key, entries in narrowed.items():
        seen: set[str] = set()
        for index, (value, narrow) in enumerate(entries):
            names = taken.all_of(narrow)
            if names and value not in seen:
                yield (
                    f"{where}.match.{key}[{index}]: {value!r} never gets here, for {_named(names)} "
                    "all of it; put this route before"
                )
            seen.add(value)


def _named(names: set[str]) -> str:
    return f"{', '.join(map(repr, sorted(names)))} {'takes' if len(names) == 1 else 'take'}"

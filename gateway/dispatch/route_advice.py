"""What an operator should know of routes: those, and those parts of them, that nothing ever takes,
because a route before them does. The first route that matches wins (`gateway.dispatch.routing`)."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final

from gateway.dispatch.routing import Match, RouteOptions
from gateway.message import CATEGORIES

OTHERS: Final = ""
"""Stands for the tenants that no route names; no tenant has an empty id."""

ALL: Final = ""
"""The prefix of all numbers."""

Combination = tuple[str, str, str]
"""A tenant, a category and a prefix."""


def unreached(routes: Sequence[RouteOptions], tenants: Sequence[str]) -> Iterator[str]:
    """A line for each route that can never match, and for each entry of a route's lists that makes
    no difference; ``routes[2]: …``."""
    named = {tenant for route in routes for tenant in route.match.tenant}
    everybody = [tenant for tenant in tenants if tenant in named]
    if len(everybody) < len(tenants):
        everybody.append(OTHERS)
    # Of each tenant and category, which prefixes are taken, by which route.
    taken: dict[tuple[str, str], dict[str, str]] = {}
    for number, route in enumerate(routes):
        where = f"routes[{number}]"
        takers = {
            (tenant, category, prefix): _takers(prefix, taken.get((tenant, category), {}))
            for tenant, category, prefix in _combinations(route.match, everybody)
        }
        if all(takers.values()):
            names = sorted(set().union(*takers.values()))
            yield f"{where}: never matches, for {_named(names)} all that it could; put it before"
        else:
            yield from _repeated(where, route.match)
            yield from _taken_entries(where, route.match, takers)
        for tenant, category, prefix in takers:
            taken.setdefault((tenant, category), {}).setdefault(prefix, route.name)


def _combinations(match: Match, everybody: Sequence[str]) -> Iterator[Combination]:
    yield from product(
        match.tenant or everybody, match.category or CATEGORIES, match.prefix or [ALL]
    )


def _takers(prefix: str, taken: dict[str, str]) -> set[str]:
    """The routes that take all numbers under a prefix between them; none where they do not."""
    for size in range(len(prefix) + 1):
        if prefix[:size] in taken:
            return {taken[prefix[:size]]}
    if not any(longer.startswith(prefix) for longer in taken):
        return set()
    # No country code begins with 0.
    each = [_takers(prefix + digit, taken) for digit in "0123456789" if prefix + digit != "0"]
    return set().union(*each) if all(each) else set()


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


def _taken_entries(where: str, match: Match, takers: dict[Combination, set[str]]) -> Iterator[str]:
    """Entries of which routes before take all."""
    lists: list[tuple[str, Sequence[str]]] = [
        ("tenant", match.tenant), ("category", match.category), ("prefix", match.prefix)
    ]  # fmt: skip
    for place, (key, values) in enumerate(lists):
        for index, value in enumerate(values):
            of_value = [found for one, found in takers.items() if one[place] == value]
            if value not in values[:index] and all(of_value):
                names = sorted(set().union(*of_value))
                yield (
                    f"{where}.match.{key}[{index}]: {value!r} never gets here, for {_named(names)} "
                    "all of it; put this route before"
                )


def _named(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'takes' if len(names) == 1 else 'take'}"

"""How many workers share the tests, and which of them has what: tests of whole gateways, which
mostly wait, are to run beside those that compute, and none alone at the end."""

import os
from collections.abc import Sequence
from typing import Final, TypeVar

import pytest

MOST: Final = 16
"""Workers: each may have a database server of its own, and all share the machine's memory."""

WAITING: Final = ("nodes_of", "site", "database")
"""Fixtures of the tests that start programs and wait for them, those that take longest first."""

SHORT: Final = len(WAITING) + 1
"""The rank of all other tests."""

T = TypeVar("T")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Three for two processors."""
    return min(-(-3 * len(os.sched_getaffinity(0)) // 2), MOST)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have each worker begin with what takes long."""
    workers = getattr(config, "workerinput", {"workercount": 1})["workercount"]
    if workers > 1:
        long = sorted((item for item in items if _rank(item) < SHORT), key=_rank)
        items[:] = dealt(long, [item for item in items if _rank(item) == SHORT], workers)


def dealt(long: Sequence[T], short: Sequence[T], workers: int) -> list[T]:
    """A list of which each worker is given an equal part, one after the other; each part begins
    with as many of what takes ``long``. (A worker takes from another's end when it is done.)"""
    part = -(-(len(long) + len(short)) // workers)
    found: list[T] = []
    taken = 0
    for first in range(workers):
        found += long[first::workers]
        room = max(part * (first + 1) - len(found), 0)
        found += short[taken : taken + room]
        taken += room
    return found


def _rank(item: pytest.Item) -> int:
    """The lower, the longer it takes."""
    names = getattr(item, "fixturenames", ())
    if item.get_closest_marker("slow"):
        return 0
    return next((rank for rank, name in enumerate(WAITING, 1) if name in names), SHORT)

"""Whether a gateway in a process of its own holds what its store says that it has leased: asked
after every test that starts one, and as an operator would see it, by its metrics and its log."""

import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

import msgpack

SHORTLY = 60.0
"""Seconds in which what is under way gets where it goes, on a busy machine too."""


def leased_in(database: Path) -> int | None:
    """How many messages a file has that are leased, and not with a carrier that has taken them;
    None where there is none."""
    if not database.exists():
        return None
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        opened.execute("BEGIN")  # all of one moment
        leased = {number for [number] in opened.execute("SELECT id FROM message WHERE state = 1")}
        chunks = "SELECT body FROM arrived UNION ALL SELECT body FROM backlog WHERE state = 1"
        gone = """SELECT EXISTS (SELECT 1 FROM message WHERE id = ?1)
            OR EXISTS (SELECT 1 FROM finished WHERE id = ?1)"""
        leased.update(
            number
            for number in _numbers(opened, chunks)
            if not opened.execute(gone, (number,)).fetchone()[0]
        )
        return len(leased.difference(_numbers(opened, "SELECT body FROM taken")))


def _numbers(opened: sqlite3.Connection, bodies: str) -> list[int]:
    """The messages of chunks: each entry begins with its number."""
    return [n for [body] in opened.execute(bodies).fetchall() for n, *_ in msgpack.unpackb(body)]


def check_process(admin: int, leased: Callable[[], int | None], log: str) -> None:
    """It has never misplaced a message; and if it runs, it holds what is leased, where somebody can
    tell."""
    assert '"messages_misplaced"' not in log
    deadline = time.monotonic() + SHORTLY
    while (seen := _seen(admin, leased)) is not None and seen[0] != seen[1]:
        assert time.monotonic() < deadline, f"holds {seen[0]}, the store has leased {seen[1]}"
        time.sleep(0.05)


def _seen(admin: int, leased: Callable[[], int | None]) -> tuple[int, int] | None:
    """How many messages are held and how many are leased; None where nobody tells, or the store is
    elsewhere."""
    read: Callable[[str], list[str]] = re.compile(
        r'^gateway_places_messages\{place="\w+"\} (\S+)$', re.MULTILINE
    ).findall
    try:
        with urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=SHORTLY) as answer:
            page = answer.read().decode()
    except OSError:
        return None
    count = leased()
    wrong = re.findall(r"^gateway_messages_misplaced_total\{.*\} (?!0\.0$).*$", page, re.MULTILINE)
    assert wrong == []
    return None if count is None else (int(sum(map(float, read(page)))), count)

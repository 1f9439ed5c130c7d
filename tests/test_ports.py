"""Programs that run at the same time are not told to listen at the same port."""

import socket
import subprocess
import sys
from contextlib import ExitStack

from tools.ports import BLOCK, free_port

OTHER = """
from tools.ports import BLOCK, free_port
print(*[free_port() for _ in range(BLOCK)], flush=True)
input()
"""


def test_no_two_processes_are_given_the_same_port() -> None:
    ours = {free_port() for _ in range(BLOCK)}
    with ExitStack() as stack:
        for _ in range(2):
            other = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", OTHER],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(other.kill)
            assert other.stdout is not None
            theirs = set(map(int, other.stdout.readline().split()))
            assert theirs
            assert not theirs & ours
            ours |= theirs


def test_where_somebody_listens_is_passed_over() -> None:
    taken = free_port()
    with socket.create_server(("127.0.0.1", taken)):
        assert taken not in {free_port() for _ in range(2 * BLOCK)}

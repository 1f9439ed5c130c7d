"""A gateway on a machine whose wall clock is wrong by so many seconds: the rest of the command is
its own."""

import sys
import time

right, wrong = time.time, float(sys.argv[1])
time.time = lambda: right() + wrong

from gateway.cli import main  # noqa: E402  whose modules take the clock as it is when they begin

if __name__ == "__main__":
    main(sys.argv[2:])

"""``python -m gateway``: the same as the ``gateway`` command.

This file and ``gateway/__init__.py`` are for every Python 3 to read, so that one that is too old
for the rest says so.
"""

import sys

NEEDED = (3, 11)

if __name__ == "__main__":
    if sys.version_info < NEEDED:
        found = ".".join(str(number) for number in sys.version_info[:3])
        sys.stderr.write(f"gateway: needs Python 3.11 or later, and {sys.executable} is {found}\n")
        sys.exit(2)

    from gateway.cli import main

    main()

"""Runs one target under atheris, which guides its inputs by the code that they reach:
``python -m tests.fuzz.harness TARGET``, then options and folders for libFuzzer."""

import importlib
import sys
from typing import Any


def main() -> None:
    name = sys.argv.pop(1)
    # By name, for it has no wheels for every machine and is not among what `make setup` installs.
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["gateway", "tests.fuzz", "tomllib"]):
        run = importlib.import_module("tests.fuzz.targets").run
    atheris.Setup(sys.argv, lambda data: run(name, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()

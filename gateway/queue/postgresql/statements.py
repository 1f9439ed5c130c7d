"""The statements of the engine, which are in files of SQL beside the code.

A file has several, each behind a line ``-- name: …``. The schema is made by the files in
``schema``, one after the other.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

_FOLDER: Final = files("gateway.queue.postgresql") / "sql"


def load(name: str) -> Mapping[str, bytes]:
    """The statements of a file, by name."""
    text = (_FOLDER / f"{name}.sql").read_text()
    found = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    return {
        name: statement.strip().rstrip(";").encode()
        for name, statement in zip(found[1::2], found[2::2], strict=True)
    }


def steps() -> list[bytes]:
    """What leads from each version of the schema to the next."""
    found = sorted((_FOLDER / "schema").iterdir(), key=lambda file: file.name)
    return [file.read_bytes() for file in found]

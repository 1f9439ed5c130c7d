"""Turns a type of options into command-line arguments and back.

A benchmark's options are a frozen struct whose fields say what they mean, so that the command line,
what is printed and what is stored are one and the same thing.
"""

from argparse import ArgumentParser, Namespace
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

Numbers = tuple[int, ...]
"""Several numbers; ``1,10,100`` on a command line."""


class Options(Struct, frozen=True, kw_only=True):
    """What every benchmark can be told."""

    repeats: Annotated[int, Meta(ge=1, description="runs of each case")] = 3


OptionsT = TypeVar("OptionsT", bound=Struct)


def add_arguments(parser: ArgumentParser, kind: type[Struct]) -> None:
    """Let a parser take an argument for each field. Those that are not given stay out of the
    namespace."""
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        parser.add_argument(
            _flag(field.encode_name),
            dest=field.name,
            default=None,
            metavar=field.name.upper(),
            required=field.required,
            help=_description(hints[field.name]),
        )


def read(namespace: Namespace, defaults: OptionsT) -> OptionsT:
    """The options given, and ``defaults`` for the rest. Raises msgspec.ValidationError, which names
    the option, for a value that does not fit."""
    given = {
        name: value.split(",") if isinstance(getattr(defaults, name), tuple) else value
        for name in defaults.__struct_fields__
        if (value := getattr(namespace, name, None)) is not None
    }
    return msgspec.convert(msgspec.structs.asdict(defaults) | given, type(defaults), strict=False)


def arguments(options: Struct) -> list[str]:
    """The command line that `read` makes the same options of."""
    words = []
    for name, value in msgspec.structs.asdict(options).items():
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        words += [_flag(name), text]
    return words


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _description(hint: Any) -> str | None:
    if get_origin(hint) is not Annotated:
        return None
    return next((m.description for m in get_args(hint)[1:] if isinstance(m, Meta)), None)

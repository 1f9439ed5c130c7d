"""Single values of the command line: each reads what somebody wrote, or says what is wrong."""

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

from benchmarks.load import TEXTS, TextKind
from gateway.api.address import parse_address


def address(text: str) -> str:
    try:
        parse_address(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def name(text: str) -> str:
    if not re.fullmatch(r"[\w][\w.-]{0,99}", text):
        raise ArgumentTypeError(f"{text!r} is no name for a file: letters, digits, - and _")
    return text


def number(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise ArgumentTypeError(f"{text!r} is not a number between {least:,g} and {most:,.12g}")
        return value

    return read


def whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ArgumentTypeError(f"{text!r} is not a whole number from {least:,} to {most:,}")
        return int(text)

    return read


def text_kind(text: str) -> TextKind:
    if text not in TEXTS:
        raise ArgumentTypeError(f"{text!r} is none of {', '.join(TEXTS)}")
    return text


size = whole(1, 100_000)


def mix(read: Callable[[str], Any]) -> Callable[[str], dict[Any, float]]:
    """Reads ``one=70,other=30``, or ``one`` alone."""

    def mix(text: str) -> dict[Any, float]:
        found: dict[Any, float] = {}
        for token in text.split(","):
            choice, equals, weight = (word.strip() for word in token.partition("="))
            value = read(choice)
            if value in found:
                raise ArgumentTypeError(f"{choice!r} stands there twice")
            found[value] = number(0.000001, 1e9)(weight) if equals else 1.0
        return found

    return mix

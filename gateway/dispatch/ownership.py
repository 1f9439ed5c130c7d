"""Whose a text is, by the number that was texted as the carrier writes it. Pure.

Carriers write one number of ours in several ways: with the country's code and without, with ``+``
or ``00``, with a trunk zero, with digits of their own behind it, or not at all.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gateway.dispatch.routing import RouteOptions

_CALLING_CODE: Final = re.compile(
    r"1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[0-9]{1,3}"
)
"""The country codes of one and two digits (ITU-T E.164); all others have three."""


def calling_code(number: str) -> str:
    """The country code that E.164 digits begin with."""
    found = _CALLING_CODE.match(number)
    return found[0] if found else ""


def spellings(written: str, country_code: str, phone: str | None) -> list[str]:
    """How a number that was texted may be written by whom it belongs to, the likeliest first; none
    where the carrier does not say it.

    Args:
        written: as the carrier has it.
        country_code: whose national numbers the carrier delivers, empty where it is not known.
        phone: who texted, E.164 digits: it may have dialled within its country.
    """
    digits = "".join(filter(str.isdecimal, written))
    if not digits or any(map(str.isalpha, written)):
        return [written] if written else []
    forms = [digits, digits.removeprefix("00"), digits.lstrip("0")]
    codes = [country_code, calling_code(phone) if phone else ""]
    for code in filter(None, codes):
        for form in forms[:2]:
            if form.startswith(code):
                national = form[len(code) :]
                forms += [national, national.lstrip("0")]
        forms += [code + digits, code + digits.lstrip("0")]
    return [form for form in dict.fromkeys(forms) if form]


def users(
    routes: Sequence[RouteOptions], carriers: Iterable[str], tenants: Sequence[str]
) -> Mapping[str, Sequence[str]]:
    """The tenants that some route lets use each carrier; all of them where no route names it."""
    found: dict[str, Sequence[str]] = {}
    for carrier in carriers:
        matches = [
            route.match
            for route in routes
            if carrier in route.backup or any(share.id == carrier for share in route.carriers)
        ]
        named = {name for match in matches for name in match.tenant}
        anybody = not matches or any(not match.tenant for match in matches)
        found[carrier] = [name for name in tenants if anybody or name in named]
    return found

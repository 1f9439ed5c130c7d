"""Whose a text is, by the number that was texted as the carrier writes it. Pure.

Carriers write one number of ours in several ways: with the country's code and without, with ``+``
or ``00``, with a trunk zero, with digits of their own behind it, or not at all.
"""

from collections.abc import Iterable, Mapping, Sequence

from gateway.dispatch.release.routing import RouteOptions
from gateway.numbers import CODES


def calling_code(number: str) -> str:
    """The country code that E.164 digits begin with."""
    return next((number[:size] for size in (1, 2, 3) if number[:size] in CODES), "")


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

"""Phones that have several numbers in E.164, and the one of them that stands for the phone.

Plans were lengthened or changed, and carriers, phones and address books go on writing what was
right before; and some phones can be reached under two country codes. An opt-out, a consent or a cap
is of the phone, so it is kept under one spelling. Which of them that is matters to nobody: what is
dialled, and what events tell, stays as the tenant wrote it.

A rule says what a number of its country becomes; `canonical` has the same answer for every spelling
of a phone, and changes no number that is the only one. **Whoever adds a rule adds a step to the
store's schema** that brings the opt-outs stored under the old spelling under the new one.
"""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.numbers.plans import plan_of

Rule = Callable[[str], str]


def canonical(number: str) -> str:
    """The one spelling of a phone, given E.164 digits in any of its spellings."""
    rule = _RULES.get(number[:3])
    return number if rule is None else rule(number)


def spellings(number: str) -> frozenset[str]:
    """All spellings of a phone, given one of them."""
    one = canonical(number)
    others = (
        f"521{one[2:]}",
        f"549{one[2:]}",
        one[:4] + one[5:],
        f"229{one[5:]}",
        f"378{one[7:]}",
        f"39{one[3:]}",
        f"972{one[3:]}",
        f"33{one[3:]}",
    )
    return frozenset({one, number, *(other for other in others if canonical(other) == one)})


def exists(number: str) -> bool:
    """Whether the plan has this number, or others that begin like it."""
    plan = plan_of(number)
    return plan is not None and bool(plan.exact(number) or plan.near(number))


def _mexico(number: str) -> str:
    """52 1 before ten digits: how mobiles were dialled from abroad until August 2019."""
    if len(number) == 13 and number[2] == "1" and exists(shorter := "52" + number[3:]):
        return shorter
    return number


def _argentina(number: str) -> str:
    """54 9 before ten digits: how mobiles are dialled from abroad. At home, and by many carriers,
    they are written without the 9; a block of numbers is either of mobiles or of fixed lines."""
    if len(number) == 13 and number[2] == "9":
        return "54" + number[3:]
    return number


def _brazil(number: str) -> str:
    """Mobiles had eight digits after the area code, the first 6 to 9, and were given a 9 before
    them between 2012 and 2016. Fixed lines have eight that begin with 2 to 5."""
    if len(number) == 12 and number[4] in "6789" and exists(longer := f"{number[:4]}9{number[4:]}"):
        return longer
    return number


def _benin(number: str) -> str:
    """All numbers had eight digits and were given 01 before them on 30 November 2024."""
    if len(number) == 11 and exists(longer := f"22901{number[3:]}"):
        return longer
    return number


def _san_marino(number: str) -> str:
    """Fixed lines: 378 and six digits, or with the area code that they have in Italy's plan."""
    if len(number) == 9 and number[3] in "89":
        return "3780549" + number[3:]
    return number


def _san_marino_in_italy(number: str) -> str:
    """39 0549: San Marino's fixed lines, by way of Italy."""
    if len(number) == 12 and number.startswith("390549"):
        return "378" + number[2:]
    return number


def _palestine(number: str) -> str:
    """Mobiles that begin with 56 and 59 answer under Israel's country code as under their own."""
    if len(number) == 12 and number[3:5] in {"56", "59"}:
        return "970" + number[3:]
    return number


OVERSEAS: Final[Mapping[str, tuple[str, ...]]] = {
    code: tuple(other for other in ("33", "262", "590", "594", "596") if other != code)
    for code in ("33", "262", "590", "594", "596")
}
"""Country codes that share one plan at home: France's overseas departments have mobile numbers of
France's (0690… is Guadeloupe's), which from abroad are dialled under codes of their own."""


def _france(number: str) -> str:
    """33 before a mobile number of an overseas department."""
    plan = plan_of(number)
    if len(number) == 11 and plan is not None and plan.exact(number) is None:
        for code in OVERSEAS["33"]:
            other = code + number[2:]
            there = plan_of(other)
            if there is not None and there.exact(other) is not None:
                return other
    return number


_RULES: Final[Mapping[str, Rule]] = {
    start: rule
    for starts, rule in (
        ([f"52{digit}" for digit in range(10)], _mexico),
        ([f"54{digit}" for digit in range(10)], _argentina),
        ([f"55{digit}" for digit in range(10)], _brazil),
        (["229"], _benin),
        (["378"], _san_marino),
        (["390"], _san_marino_in_italy),
        (["972"], _palestine),
        (["336", "337"], _france),
    )
    for start in starts
}
"""By the first three digits of a number, so that everybody else's costs one look."""

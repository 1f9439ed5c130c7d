"""Consents as they are on record: what somebody allowed or took back, when, how and in which words.
Pure; the engines keep the records and ask here what they come to.

Records of a phone are only ever added. What holds for a purpose is told by the one that was made
latest, whenever it came in: a list of old consents that is brought along takes no withdrawal back.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

ConsentState = Literal["given", "withdrawn", "asked"]
"""``asked``: the phone was asked to confirm by text, and has not answered yet."""

RECORDS: Final = 200
"""Records of a phone and tenant; beyond that the oldest to come in goes."""


class Consent(NamedTuple):
    """A record of consent.

    Attributes:
        tenant: whom texts are allowed or forbidden to.
        number: in any spelling of its phone; records are kept under one of them.
        purpose: of the texts: a category, or a name of the tenant's own.
        at: when it was given, withdrawn or asked for, in Unix seconds.
        source: how: ``form``, ``checkout``, ``shop``, ``keyword``, ``import`` or another word.
        wording: what the person read or wrote.
        by: who says so.
    """

    tenant: str
    number: str
    purpose: str
    state: ConsentState
    at: float
    source: str
    wording: str | None = None
    by: str | None = None


def standing(records: Iterable[Consent]) -> dict[str, Consent]:
    """What holds for each purpose, of the records of one phone in the order in which they came in:
    the last word, given or withdrawn."""
    found: dict[str, Consent] = {}
    for one in records:
        if one.state != "asked":
            known = found.get(one.purpose)
            if known is None or one.at >= known.at:
                found[one.purpose] = one
    return found


def allowed(records: Iterable[Consent]) -> frozenset[str]:
    """The purposes for which a phone may be texted."""
    return frozenset(purpose for purpose, one in standing(records).items() if one.state == "given")


def withdrawn(records: Iterable[Consent]) -> frozenset[str]:
    """The purposes for which a phone has forbidden texts, and not allowed them since."""
    return frozenset(
        purpose for purpose, one in standing(records).items() if one.state == "withdrawn"
    )


def is_new(records: Sequence[Consent], change: Consent) -> bool:
    """Whether a record says anything that the others of its phone do not."""
    if change.state == "asked":
        return True
    if any(one[2:] == change[2:] for one in records):
        return False
    known = standing(records).get(change.purpose)
    if known is None or known.state != change.state or change.at < known.at:
        return True
    return change.state == "given" and known[5:] != change[5:]


def pending(records: Iterable[Consent]) -> list[Consent]:
    """What a phone was asked and has not answered, the last record for each purpose."""
    open_: dict[str, Consent] = {}
    for one in records:
        if one.state == "asked":
            open_[one.purpose] = one
        elif one.purpose in open_ and one.at >= open_[one.purpose].at:
            del open_[one.purpose]
    return [*open_.values()]

"""Why figures of the demo differ that look as if they should agree: each is taken apart into other
figures that it is made of."""

from collections import Counter
from typing import Final, NamedTuple

from examples.campaign import REMINDER, Campaign
from examples.metrics import Metrics
from examples.result import DEFERRED, Result


class Term(NamedTuple):
    """So many, and what they are."""

    number: float
    what: str


class Account(NamedTuple):
    """A figure and what it is made of."""

    figure: Term
    terms: list[Term]

    @property
    def holds(self) -> bool:
        """Whether it is the sum."""
        return self.figure.number == sum(term.number for term in self.terms)


def accounts(campaign: Campaign, result: Result) -> list[Account]:
    """All of them, from the list to the receipts."""
    return [*_of_messages(campaign, result), *_of_parts(result), *_of_carriers(result)]


def _account(number: float, what: str, *terms: tuple[float, str]) -> Account:
    return Account(Term(number, what), [Term(*term) for term in terms if term[0]])


def _of_messages(campaign: Campaign, result: Result) -> list[Account]:
    tally = result.tally
    accepted, refused = len(tally.accepted), tally.refused.total()
    ended = accepted - len(tally.waiting())
    found = [
        _account(
            len(campaign.drafts) + result.again, "submitted",
            (accepted, "accepted"), (refused, "refused at once"),
            (result.recognised, "recognised as duplicates, and not sent again"),
        ),
        _account(
            len(tally.outcomes), "outcomes told",
            (ended, "of the list"),
            (tally.replies.total(), "of the gateway's own answers to phones"),
        ),
        _account(
            tally.replies.total(), "answers to phones",
            *((number, outcome) for outcome, number in tally.replies.most_common()),
        ),
    ]  # fmt: skip
    cancelled = sum(tally.outcomes.get(name) == "cancelled" for name in tally.accepted)
    found.append(
        _account(
            cancelled, "cancelled",
            (result.cancelled, f"by the shop, with its campaign {REMINDER}"),
        )
    )  # fmt: skip
    deferred = sum(state == DEFERRED for state in result.states.values())
    found.append(
        _account(
            deferred, "deferred",
            (deferred, f"of the sale to {campaign.night.name}, until it is 08:00 there"),
        )
    )  # fmt: skip
    for outcome in ("failed", "expired", "unknown"):
        reports = {word: n for (name, word), n in tally.reports.items() if name == outcome}
        terms = [(n, _WORDS.get(word, word)) for word, n in sorted(reports.items())]
        number = sum(tally.outcomes.get(name) == outcome for name in tally.accepted)
        if number:
            found.append(_account(number, outcome, *terms))
    return found


_WORDS: Final = {
    "ESME_RINVDSTADR": "refused by alpha (RINVDSTADR)",
    "ESME_RSYSERR": "refused by alpha again and again (RSYSERR)",
    "UNDELIV": "not delivered, as alpha's receipts say (UNDELIV)",
    "EXPIRED": "given up by alpha, as its receipts say (EXPIRED)",
}


def _of_parts(result: Result) -> list[Account]:
    tally, audit = result.tally, result.audit
    kept: Counter[str] = Counter()
    for name, parts in tally.parts.items():
        kept[tally.outcomes.get(name) or result.states.get(name, "")] += parts
    planned = sum(tally.parts.values())
    refused = result.metrics.total("parts_submitted_total", status="ESME_RINVDSTADR")
    rest = planned - kept[DEFERRED] - kept["cancelled"] - refused - audit.listed
    answers = audit.parts - audit.twice - audit.listed
    open_ = ", of which some have no outcome yet" if answers > tally.replies.total() else ""
    return [
        _account(
            planned, "parts planned",
            (audit.listed, "taken by a carrier"),
            (kept[DEFERRED], "of deferred messages"),
            (kept["cancelled"], "of cancelled ones"),
            (refused, "refused by alpha"),
            (rest, "not tried again, for another part was refused" if rest > 0 else
                   "of the refused, that alpha had taken before"),
        ),
        _account(
            audit.parts, "parts taken",
            (audit.listed, "of the list"),
            (answers, f"of answers to phones{open_}"),
            (audit.twice, "taken twice: alpha left before it had answered"),
        ),
    ]  # fmt: skip


def _of_carriers(result: Result) -> list[Account]:
    found = []
    for name, taken in result.audit.taken.items():
        answered, busy, receipts, unmatched = _told(result.metrics, name)
        if taken == answered == receipts:
            continue
        lost = taken - answered
        again = receipts - answered
        more = unmatched - lost
        found += [
            _account(
                taken, f"taken by {name}",
                (answered, "answered (ROK)"),
                (lost, "whose answer was lost with a connection"),
            ),
            _account(
                receipts, f"receipts of {name}",
                (answered, "of parts with an answer, one each"),
                (again, "again, after a lost connection" if again > 0 else "still to come"),
            ),
            _account(
                unmatched, f"unmatched, {name}",
                (lost, "of parts whose answer was lost, and their id with it"),
                (more, "of these again" if more > 0 else "still to come"),
            ),
            _account(
                busy, f"RSYSERR of {name}",
                (busy, "not taken, and tried again a second later"),
            ),
        ]  # fmt: skip
    return found


def _told(metrics: Metrics, carrier: str) -> tuple[float, float, float, float]:
    """What the gateway has counted of a carrier: parts taken, and not for now; receipts that belong
    to a message, and that belong to none."""
    return (
        metrics.total("parts_submitted_total", carrier=carrier, status="ESME_ROK"),
        metrics.total("parts_submitted_total", carrier=carrier, status="ESME_RSYSERR"),
        metrics.total("receipts_total", carrier=carrier),
        metrics.total("receipts_unmatched_total", carrier=carrier),
    )

"""Budgets: what a tenant may spend, in money that it has paid in advance and in parts a month.

A message is charged when it is accepted, with what it costs at most; when a carrier takes it, with
what that one costs; and not at all where none does. The store keeps the sums and takes no batch
that would exceed a limit (`gateway.queue.store.Store.accept`): this rule only says which messages
of a batch are the ones too many.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from gateway.facts import SPENT, Facts
from gateway.message import Charge, Message
from gateway.policy.prices import RECENT, Prices, units
from gateway.policy.rules import Refuse, Verdicts

BALANCE: Final = "balance"

RULE: Final = "budget"

DAY: Final = 86_400.0


def month_of(now: float) -> str:
    """The account of a month's parts."""
    return datetime.fromtimestamp(now, UTC).strftime("parts %Y-%m")


class Budget:
    """Refuses, as `quota_exceeded`, what would exceed a tenant's balance or its month's parts.

    Args:
        balance: all that the tenant has paid in, in millionths; None where it pays later.
        quota: parts a month; 0 for any number.
        prices: needed for a balance.
        carriers: through which the messages of each route may go, by its name.
    """

    name = RULE
    wants = SPENT

    def __init__(
        self,
        balance: int | None,
        quota: int,
        prices: Prices | None,
        carriers: Mapping[str, Collection[str]],
    ) -> None:
        self._balance = balance
        self._quota = quota
        self._prices = prices
        self._carriers = {route: tuple(sorted(names)) for route, names in carriers.items()}
        self._digits = 0 if prices is None else prices.digits
        self._today = (-1.0, "")
        self._recent: dict[tuple[str, str, int], tuple[Charge, ...]] = {}

    def charges(self, messages: Sequence[Message]) -> list[tuple[Charge, ...]]:
        """What each of some messages, of one day, is charged with when it is accepted."""
        if not messages:
            return []
        at = messages[0].accepted_at
        if self._today[0] != at // DAY or len(self._recent) >= RECENT:
            self._today = (at // DAY, month_of(at))
            self._recent.clear()
        digits, recent = self._digits, self._recent
        found: list[tuple[Charge, ...]] = []
        for message in messages:
            key = (message.route, message.to[:digits], message.parts)
            charges = recent.get(key)
            if charges is None:
                charges = recent[key] = self._work_out(message)
            found.append(charges)
        return found

    def _work_out(self, message: Message) -> tuple[Charge, ...]:
        found: list[Charge] = []
        if self._balance is not None and self._prices is not None:
            price, to, parts = self._prices.of_part, message.to, message.parts
            costs = [(one, price(one, to) * parts) for one in self._carriers.get(message.route, ())]
            most = max([cost for _, cost in costs], default=0)
            differing = len(costs) > 1 and min(costs, key=_cost)[1] != most
            found.append(Charge(BALANCE, most, tuple(costs) if differing else ()))
        if self._quota:
            found.append(Charge(self._today[1], message.parts))
        return tuple(found)

    def limits(self, now: float) -> Mapping[str, int]:
        """What the accounts may come to."""
        found: dict[str, int] = {}
        if self._balance is not None:
            found[BALANCE] = self._balance
        if self._quota:
            found[month_of(now)] = self._quota
        return found

    def left(
        self, spent: Mapping[str, int], now: float
    ) -> tuple[float | None, str | None, int | None]:
        """What is left of the balance, in which currency, and of the month's parts; None of what
        has no bound."""
        balance = currency = parts = None
        if self._balance is not None and self._prices is not None:
            balance = units(max(self._balance - spent.get(BALANCE, 0), 0))
            currency = self._prices.currency
        if self._quota:
            parts = max(self._quota - spent.get(month_of(now), 0), 0)
        return balance, currency, parts

    def judge(self, messages: Sequence[Message], facts: Facts, now: float) -> Verdicts:
        together = dict(facts.spent)
        count_spent(together, messages)
        limits = {account: self._limit(account) for account in together}
        if all(amount <= limits[account] for account, amount in together.items()):
            return {}  # most batches fit whole
        verdicts: Verdicts = {}
        spent = dict(facts.spent)
        for index, message in enumerate(messages):
            for account, amount, _ in message.charges:
                before = spent.get(account, 0)
                if before + amount > limits[account]:
                    verdicts[index] = self._refuse(account, amount, limits[account] - before)
                    break
            else:
                count_spent(spent, (message,))
        return verdicts

    def _limit(self, account: str) -> int:
        return (self._balance or 0) if account == BALANCE else self._quota

    def _refuse(self, account: str, amount: int, left: int) -> Refuse:
        left = max(left, 0)
        if account == BALANCE:
            currency = "" if self._prices is None else f" {self._prices.currency}"
            why = f"it costs up to {units(amount):.6g}{currency}, and {units(left):.6g} is left"
            return Refuse("balance", "quota_exceeded", f"balance: {why}; pay in more")
        month = account.removeprefix("parts ")
        why = (
            f"it takes {amount} parts, and of {self._quota} in {month} (UTC) {left} are left; wait"
            " for the next month, or have the quota raised"
        )
        return Refuse("quota", "quota_exceeded", f"quota: {why}", _next_month(month))


def _cost(one: tuple[str, int]) -> int:
    return one[1]


def count_spent(spent: dict[str, int], messages: Sequence[Message]) -> None:
    """Put what messages that are about to be accepted are charged with to what is spent."""
    for charges, count in Counter([message.charges for message in messages]).items():
        for account, amount, _ in charges:
            spent[account] = spent.get(account, 0) + count * amount


def _next_month(month: str) -> float:
    year, number = map(int, month.split("-"))
    return datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp()

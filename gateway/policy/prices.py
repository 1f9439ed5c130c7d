"""Prices: what a part costs by carrier and prefix, in millionths of a currency's unit, so that sums
are exact."""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Final, NamedTuple

import msgspec

MILLION: Final = 1_000_000

RECENT: Final = 16_384
"""Carriers and beginnings of numbers whose price is kept at hand; all are forgotten at once."""

Digits = Annotated[
    str,
    msgspec.Meta(
        pattern=r"\A[0-9]{1,15}\Z", description="the leading digits of a number, without +"
    ),
]
Amount = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


class Tariff(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[policy.price.tariffs]]``: what a part costs.

    Attributes:
        carrier: with which.
        prefix: of the recipients; empty for all that no longer prefix of the carrier is for.
        price: of a part, up to six decimals.
    """

    carrier: str
    prefix: tuple[Digits, ...] = ()
    price: Amount


class PriceOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[policy.price]``."""

    currency: str = "USD"
    tariffs: Annotated[tuple[Tariff, ...], msgspec.Meta(max_length=100_000)] = ()

    def problems(self, carriers: Collection[str]) -> Iterator[str]:
        """What is wrong, each with its key, where there are these carriers."""
        if not (len(self.currency) == 3 and self.currency.isascii() and self.currency.isupper()):
            yield f"currency: {self.currency[:16]!r} is no ISO 4217 code, such as 'CNY'"
        first: dict[tuple[str, str], int] = {}
        for index, one in enumerate(self.tariffs):
            if one.carrier not in carriers:
                yield f"tariffs[{index}].carrier: there is no carrier {one.carrier[:64]!r}"
            if one.price and not micros(one.price):
                yield f"tariffs[{index}].price: {one.price} is less than a millionth, which is free"
            for at, prefix in enumerate(one.prefix or ("",)):
                earlier = first.setdefault((one.carrier, prefix), index)
                if earlier != index:
                    what = f"prefix {prefix}" if prefix else "all other numbers"
                    yield f"tariffs[{index}]: {what} of {one.carrier}: tariffs[{earlier}] is there"
                elif prefix in one.prefix[:at]:
                    yield f"tariffs[{index}].prefix[{at}]: {prefix} is there twice; take one out"
        if self.tariffs:
            for name in sorted(set(carriers)):
                if (name, "") not in first:
                    yield (
                        f"tariffs: have a hole: no price for {name} but for some prefixes; add an "
                        "entry for it without a prefix"
                    )


class Range(NamedTuple):
    """What a message costs at least and at most, by the carrier that takes it."""

    least: int
    most: int


class Prices:
    """The tariffs, ready to be asked; free of `PriceOptions.problems`.

    Attributes:
        digits: of a number, how many decide its price.
    """

    def __init__(self, options: PriceOptions) -> None:
        self.currency = options.currency
        self._prices: dict[str, dict[str, int]] = {}
        for one in options.tariffs:
            theirs = self._prices.setdefault(one.carrier, {})
            for prefix in one.prefix or ("",):
                theirs[prefix] = micros(one.price)
        self.digits = max((len(p) for known in self._prices.values() for p in known), default=0)
        self._recent: dict[tuple[str, str], int] = {}

    def of_part(self, carrier: str, to: str) -> int:
        """What a part to a number costs."""
        key = (carrier, to[: self.digits])
        price = self._recent.get(key)
        if price is None:
            if len(self._recent) >= RECENT:
                self._recent.clear()
            known = self._prices.get(carrier, {})
            sizes = range(len(key[1]), -1, -1)
            found = (known[to[:size]] for size in sizes if to[:size] in known)
            price = self._recent[key] = next(found, 0)
        return price

    def of_message(self, carriers: Collection[str], to: str, parts: int) -> Range:
        """What a message costs through one of these carriers."""
        found = [self.of_part(one, to) * parts for one in carriers]
        return Range(min(found, default=0), max(found, default=0))


class Pricing(NamedTuple):
    """Prices, and the carriers through which the messages of each route may go, by its name."""

    prices: Prices
    carriers: Mapping[str, Collection[str]]

    def of(self, route: str, to: str, parts: int) -> Range:
        """What a message on a route costs."""
        return self.prices.of_message(self.carriers.get(route, ()), to, parts)


def prices(options: PriceOptions) -> Prices | None:
    """The prices; None where there are no tariffs."""
    return Prices(options) if options.tariffs else None


def micros(amount: float) -> int:
    """An amount as millionths."""
    return round(amount * MILLION)


def units(amount: int) -> float:
    """Millionths as an amount."""
    return amount / MILLION

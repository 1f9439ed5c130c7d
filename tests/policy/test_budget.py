"""What a tenant may spend: prices, a balance that was paid in, parts of a month."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from msgspec import structs

from gateway.facts import Facts
from gateway.message import Charge, Message
from gateway.policy.budget import Budget
from gateway.policy.prices import PriceOptions, Prices, Tariff
from gateway.policy.rules import Refuse

MakeMessage = Callable[..., Message]

NOVEMBER = 1_794_000_000.0
OPTIONS = PriceOptions(
    currency="CNY",
    tariffs=(
        Tariff(carrier="alpha", price=0.5),
        Tariff(carrier="alpha", prefix=("86",), price=0.045),
        Tariff(carrier="alpha", prefix=("8613", "8615"), price=0.04),
        Tariff(carrier="beta", price=0.05),
    ),
)
PRICES = Prices(OPTIONS)
CARRIERS = {"default": ("alpha", "beta"), "one": ("beta",)}


@pytest.mark.parametrize(
    ("carrier", "to", "price"),
    [
        ("alpha", "8613812345678", 40_000),
        ("alpha", "8617712345678", 45_000),
        ("alpha", "447400123456", 500_000),
        ("beta", "8613812345678", 50_000),
    ],
)
def test_the_longest_prefix_has_the_price(carrier: str, to: str, price: int) -> None:
    assert PRICES.of_part(carrier, to) == price
    assert PRICES.of_part(carrier, to) == price


def test_a_message_costs_between_its_carriers() -> None:
    assert PRICES.of_message(("alpha", "beta"), "8613812345678", 3) == (120_000, 150_000)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            PriceOptions(tariffs=(Tariff(carrier="alpha", prefix=("86",), price=1),)),
            (
                "tariffs: have a hole: no price for alpha but for some prefixes; add an entry for "
                "it without a prefix"
            ),
        ),
        (
            PriceOptions(tariffs=(Tariff(carrier="gamma", price=1),)),
            "tariffs[0].carrier: there is no carrier 'gamma'",
        ),
        (
            PriceOptions(tariffs=(Tariff(carrier="alpha", price=1),) * 2),
            "tariffs[1]: all other numbers of alpha: tariffs[0] is there",
        ),
        (
            PriceOptions(
                tariffs=(
                    Tariff(carrier="alpha", price=1),
                    Tariff(carrier="alpha", prefix=("86", "44", "86"), price=1),
                )
            ),
            "tariffs[1].prefix[2]: 86 is there twice; take one out",
        ),
        (
            PriceOptions(tariffs=(Tariff(carrier="alpha", price=0.0000004),)),
            "tariffs[0].price: 4e-07 is less than a millionth, which is free",
        ),
        (PriceOptions(currency="yuan"), "currency: 'yuan' is no ISO 4217 code, such as 'CNY'"),
    ],
)
def test_tariffs_that_are_refused(options: PriceOptions, line: str) -> None:
    assert line in list(options.problems(["alpha"]))


def test_a_message_is_charged_with_what_it_costs_at_most(make_message: MakeMessage) -> None:
    budget = Budget(1_000_000, 100, PRICES, CARRIERS)
    fields = {"to": "8613812345678", "parts": 2, "accepted_at": NOVEMBER}
    assert budget.charges([make_message(**fields)])[0] == (
        Charge("balance", 100_000, (("alpha", 80_000), ("beta", 100_000))),
        Charge("parts 2026-11", 2),
    )
    assert budget.charges([make_message(route="one", **fields)])[0][0] == Charge("balance", 100_000)
    assert budget.limits(NOVEMBER) == {"balance": 1_000_000, "parts 2026-11": 100}


def test_the_messages_too_many_are_refused(make_message: MakeMessage) -> None:
    budget = Budget(200_000, 0, PRICES, CARRIERS)
    plain = make_message("8613812345678", route="one", parts=2)
    dear = make_message("8613812345678", route="one", parts=3)
    batch = [
        structs.replace(one, charges=budget.charges([one])[0])
        for one in (plain, dear, plain, plain)
    ]
    found = budget.judge(batch, Facts(spent={"balance": 0}), NOVEMBER)
    assert {index: verdict.rule for index, verdict in found.items()} == {1: "balance", 3: "balance"}
    assert found[1].why == ("balance: it costs up to 0.15 CNY, and 0.1 is left; pay in more")


def test_a_quota_says_when_it_begins_anew(make_message: MakeMessage) -> None:
    budget = Budget(None, 10, None, CARRIERS)
    one = make_message(parts=2, accepted_at=NOVEMBER)
    charged = structs.replace(one, charges=budget.charges([one])[0])
    [refused] = budget.judge([charged], Facts(spent={"parts 2026-11": 9}), NOVEMBER).values()
    assert isinstance(refused, Refuse)
    assert (refused.rule, refused.code) == ("quota", "quota_exceeded")
    assert refused.retry_at == 1_796_083_200.0
    assert refused.why == (
        "quota: it takes 2 parts, and of 10 in 2026-11 (UTC) 1 are left; wait for the next month,"
        " or have the quota raised"
    )
    assert budget.left({"parts 2026-11": 9}, NOVEMBER) == (None, None, 1)


def test_each_month_pays_for_its_own(make_message: MakeMessage) -> None:
    budget = Budget(1_000_000, 10, PRICES, CARRIERS)
    december = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    for at, month in ((december - 1, "11"), (december, "12"), (december - 1, "11")) * 2:
        for parts in (1, 2):
            message = make_message(to="8613812345678", parts=parts, accepted_at=at)
            assert budget.charges([message])[0][1] == Charge(f"parts 2026-{month}", parts)
        assert [*budget.limits(at)] == ["balance", f"parts 2026-{month}"]

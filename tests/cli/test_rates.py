"""What a gateway does a second, from two looks at its metrics."""

from gateway.cli.rates import Rates, counts, rates

PAGE = """\
# HELP gateway_messages_accepted_total Messages made durable.
# TYPE gateway_messages_accepted_total counter
gateway_messages_accepted_total{{tenant="shop",category="otp"}} {otp}
gateway_messages_accepted_total{{tenant="shop",category="marketing"}} 100.0
gateway_messages_accepted_total{{category="otp",tenant="bank"}} 1e+06
gateway_messages_final_total{{tenant="shop",outcome="delivered"}} {ended}
gateway_parts_submitted_total{{carrier="alpha",status="ESME_ROK"}} {taken}
gateway_parts_submitted_total{{carrier="alpha",status="ESME_RTHROTTLED"}} 5.0
gateway_bind_up{{carrier="alpha",bind="alpha-1"}} 1.0
"""


def test_rates_are_by_tenant_and_carrier_and_in_all() -> None:
    before = counts(PAGE.format(otp=10.0, ended=0.0, taken=7.0), 100.0)
    now = counts(PAGE.format(otp=30.0, ended=5.0, taken=57.0), 102.0)
    assert rates(before, now) == Rates(
        accepted=10.0,
        answered=25.0,
        ended=2.5,
        tenants={"shop": 10.0, "bank": 0.0},
        carriers={"alpha": 25.0},
    )


def test_one_look_tells_no_rate() -> None:
    now = counts(PAGE.format(otp=30.0, ended=5.0, taken=57.0), 102.0)
    assert rates(None, now) == Rates()
    assert rates(now, now) == Rates()


def test_a_gateway_that_began_anew_does_nothing_less_than_nothing() -> None:
    before = counts(PAGE.format(otp=30.0, ended=5.0, taken=57.0), 100.0)
    now = counts(PAGE.format(otp=2.0, ended=0.0, taken=0.0), 101.0)
    assert rates(before, now).accepted == 0.0

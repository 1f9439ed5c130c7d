import pytest
from msgspec.structs import replace

from gateway.ops.console.drawing import addressed, amounts, marked, mix, pairs, whereabouts
from tests.ops.console.staging import FINDINGS


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({}, "–"),  # noqa: RUF001
        ({"ESME_ROK": 0}, "–"),  # noqa: RUF001
        ({"ESME_ROK": 12_000}, "ok 100% of 12,000"),
        ({"ESME_ROK": 9_999, "ESME_RTHROTTLED": 1}, "ok >99%, RTHROTTLED <1% of 10,000"),
        ({"a": 1, "b": 4, "c": 3, "d": 2}, "b 40%, c 30%, d 20%, others 10% of 10"),
    ],
)
def test_shares_are_told_the_largest_first_and_none_is_rounded_away(
    counts: dict[str, int], told: str
) -> None:
    assert mix(counts) == told


def test_amounts_are_told_the_largest_first() -> None:
    assert amounts({"quiet_hours": 4, "ESME_ROK": 9_000}) == "ok 9,000, quiet hours 4"
    assert amounts({}) == "–"  # noqa: RUF001


def test_values_of_records_are_told_in_words() -> None:
    assert pairs({"until": 1_794_363_600.0, "paused": True, "at": None}) == (
        "until: 2026-11-11 02:20:00 UTC, paused: yes, at: none"
    )
    told = {"paused": None, "made": ["a", "b"], "rate_set": 12.5, "of": {"held": 1e6}, "none": []}
    assert pairs(told) == (
        "paused: none, made: a, b, rate set: 12.5, of: (held: 1,000,000), none: none"
    )


def test_code_in_runbooks_is_marked_and_all_else_is_text() -> None:
    assert marked("run `gateway <check>` & wait") == (
        "run <code>gateway &lt;check&gt;</code> &amp; wait"
    )


def test_addresses_have_what_is_given() -> None:
    assert addressed({"name": "a&b c", "tenant": None, "extend": ""}) == "name=a%26b+c"


@pytest.mark.parametrize(
    ("subject", "messages", "address"),
    [
        ("carrier a/b", 0, "/carriers/a%2Fb"),
        ("tenant acme", 0, "/queues?q=acme"),
        ("route china", 0, "/queues?q=china"),
        ("campaign sale of acme", 0, "/campaigns?q=sale"),
        ("consumer crm of acme", 0, "/consumers"),
        ("store", 0, "/system"),
        ("configuration", 0, "/system"),
        ("something", 7, "/queues"),
        ("something", 0, None),
    ],
)
def test_a_finding_leads_to_where_more_is_shown(
    subject: str, messages: int, address: str | None
) -> None:
    found = whereabouts(replace(FINDINGS[0], subject=subject, messages=messages))
    assert (found.href if found else None) == address

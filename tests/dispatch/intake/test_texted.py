"""Who texted a phone last."""

from typing import Any

import msgspec
import pytest

from gateway.dispatch.intake import texted
from gateway.dispatch.intake.texted import Texted


def made(shared: str = "alpha") -> Texted:
    known = Texted()
    known.configure([shared])
    return known


def test_the_last_one_who_texted_a_phone_through_a_carrier_is_known() -> None:
    known = made()
    known.note("alpha", "a", ["1", "2"])
    known.note("alpha", "b", ["2"])
    assert [known.last("alpha", phone) for phone in "123"] == ["a", "b", None]
    assert known.last("beta", "1") is None


def test_carriers_of_one_tenant_cost_nothing() -> None:
    known = made("beta")
    known.note("alpha", "a", ["1"])
    assert known.last("alpha", "1") is None
    assert known.memo(0.0) is None


def test_the_latest_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texted, "PHONES", 8)
    known = made()
    for number in range(100):
        known.note("alpha", "a", [str(number)])
        known.note("alpha", "b", ["0"])
    assert all(known.last("alpha", str(number)) == "a" for number in range(96, 100))
    assert known.last("alpha", "0") == "b"
    assert known.last("alpha", "50") is None


def test_it_is_put_on_record_where_something_has_changed() -> None:
    known = made()
    known.note("alpha", "a", ["1"])
    memo = known.memo(7.0)
    assert memo is not None
    assert known.memo(8.0) is None
    assert texted.read(memo) == (7.0, [{}, {"alpha": {"1": "a"}}])
    known.note("alpha", "b", ["2"])
    assert known.memo(9.0) is not None


def test_what_an_earlier_version_put_on_record_is_read() -> None:
    memo = msgspec.msgpack.encode([{"alpha": {"1": "a"}}, {}])
    assert texted.read(memo) == (0.0, [{"alpha": {"1": "a"}}, {}])


def test_what_was_put_on_record_is_learnt_as_far_as_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = made()
    known.note("alpha", "a", ["1"])
    assert known.memo(1.0)
    known.learn("alpha", {"1": "b"})
    assert known.memo(2.0) is None
    known.learn("alpha", {"2": "b"})
    known.learn("alpha", {"2": "c"})
    assert [known.last("alpha", phone) for phone in "12"] == ["a", "b"]
    assert known.memo(3.0) is not None
    assert sorted(known.phones()) == ["1", "2"]
    monkeypatch.setattr(texted, "PHONES", 3)
    known.learn("alpha", {str(number): "d" for number in range(100)})
    assert len(known.phones()) == 4


def test_a_phone_of_several_numbers_is_one() -> None:
    known = made()
    known.note("alpha", "a", ["5215512345678", "551187654321"])
    assert known.last("alpha", "525512345678") == "a"
    assert known.last("alpha", "5511987654321") == "a"


def test_the_campaign_that_texted_a_phone_last_is_known(make_message: Any) -> None:
    known = made("beta")
    one = [
        make_message(to="1", campaign="c", variant="a"),
        make_message(to="2", campaign="c", variant="b"),
        make_message(to="5215512345678", campaign="c"),
    ]
    known.note_campaign(one)
    assert [known.campaign("acme", phone) for phone in ("1", "2", "525512345678", "3")] == [
        ("c", "a"), ("c", "b"), ("c", None), (None, None),
    ]  # fmt: skip
    known.note_campaign([make_message(to="1", campaign="d")])
    known.note_campaign([make_message(to="1")])  # of no campaign
    known.note_campaign([make_message(to="2", tenant="b", campaign="x")])
    assert known.campaign("acme", "1") == ("d", None)
    assert known.campaign("acme", "2") == (None, None)
    assert known.campaign("b", "2") == ("x", None)
    assert known.memo(0.0) is None


def test_the_latest_campaigns_are_known(monkeypatch: pytest.MonkeyPatch, make_message: Any) -> None:
    monkeypatch.setattr(texted, "PHONES", 8)
    known = made()
    for number in range(100):
        known.note_campaign([make_message(to=str(number), campaign="c")])
    named = [known.campaign("acme", str(number)) == ("c", None) for number in range(100)]
    assert all(named[-4:])
    assert sum(named) <= 10


def test_what_goes_out_after_somebody_asked_is_known_too(make_message: Any) -> None:
    known = made()
    for number, campaign in enumerate(["a", "b", None], 1):
        known.note_campaign([make_message(number, to="447700900001", campaign=campaign)])
        assert known.answered("acme", "447700900001") == (campaign, None, number)
    assert known.campaign("acme", "447700900001") == ("b", None)


def test_the_gateways_own_answers_are_not_answered(make_message: Any) -> None:
    known = made()
    known.note_campaign([make_message(1, to="447700900001", campaign="c")])
    known.note_campaign([make_message(2, to="447700900001", reply="rule hours")])
    assert known.answered("acme", "447700900001") == ("c", None, 1)


def test_what_is_dropped_is_not_known_whether_somebody_asked_before_or_not(
    make_message: Any,
) -> None:
    known = made()
    for asked in (False, True):
        known.note_campaign([make_message(to="447700900001", campaign="c")])
        assert not asked or known.answered("acme", "447700900001")
        known.drop(["447700900001"])
        assert known.answered("acme", "447700900001") is None
        assert known.campaign("acme", "447700900001") == (None, None)

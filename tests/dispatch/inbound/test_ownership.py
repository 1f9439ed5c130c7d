"""Whose a text is, by the number that was texted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dispatch.inbound.ownership import calling_code, spellings, users
from gateway.dispatch.intake.tenants import Tenant, TenantOptions, Tenants
from gateway.dispatch.release.routing import CarrierShare, Match, RouteOptions
from gateway.policy import chain


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("12125550100", "1"), ("79161234567", "7"), ("447400123456", "44"), ("8613912345678", "86"),
        ("35312345678", "353"), ("21261234567", "212"), ("85212345678", "852"),
        ("20101234567", "20"), ("27821234567", "27"), ("4917123456", "49"), ("97212345678", "972"),
        ("", ""), ("x", ""),
    ],
)  # fmt: skip
def test_country_codes(number: str, code: str) -> None:
    assert calling_code(number) == code


@pytest.mark.parametrize(
    ("written", "country_code", "phone", "expected"),
    [
        ("10690001", "", None, {"10690001"}),
        ("+10690001", "", None, {"10690001"}),
        ("1069-0001", "", None, {"10690001"}),
        ("8610690001", "", None, {"8610690001"}),
        ("8610690001", "86", None, {"8610690001", "10690001", "868610690001"}),
        ("8610690001", "", "8613912345678", {"8610690001", "10690001", "868610690001"}),
        ("008610690001", "86", None, {"008610690001", "8610690001", "10690001"}),
        ("07400123456", "44", None, {"07400123456", "7400123456", "447400123456"}),
        ("7400123456", "44", None, {"7400123456", "447400123456"}),
        ("ACME", "86", None, {"ACME"}),
        ("ACME 99", "86", "8613912345678", {"ACME 99"}),
        ("", "86", "8613912345678", set()),
    ],
)
def test_spellings(written: str, country_code: str, phone: str | None, expected: set[str]) -> None:
    found = spellings(written, country_code, phone)
    assert expected <= set(found)
    assert len(found) == len(set(found))
    if found:
        assert found[0] == written or not written.isdecimal()


@given(
    st.text(st.characters(codec="latin-1"), max_size=30),
    st.sampled_from(["", "1", "86", "353"]),
    st.none() | st.just("8613"),
)
def test_any_number_has_spellings(written: str, country_code: str, phone: str | None) -> None:
    assert all(spellings(written, country_code, phone))


def owners(**numbers: set[str]) -> Tenants:
    found = Tenants()
    policies = chain.build(chain.PolicyOptions(), {name: chain.TenantOptions() for name in numbers})
    found.configure(
        Tenant(TenantOptions(id=name, numbers=frozenset(owned)), policies[name])
        for name, owned in numbers.items()
    )
    return found


@pytest.mark.parametrize(
    ("forms", "owner"),
    [
        (["106900"], ("a", "106900")),
        (["1069000188"], ("a", "1069000188")),
        (["1069009"], ("b", "1069009")),
        (["10690"], None),
        (["861069000188", "1069000188"], ("a", "1069000188")),
        (["8612", "12"], ("c", "8612")),  # as long a number: the first spelling
        (["86106900", "106900"], ("a", "106900")),  # the longest, though 86 is somebody's
        ([], None),
        ([""], None),
    ],
)
def test_the_longest_number_decides(forms: list[str], owner: tuple[str, str] | None) -> None:
    found = owners(a={"106900"}, b={"1069009", "12"}, c={"86"}).owner(forms)
    assert (found and (found[0].options.id, found[1])) == owner


def test_without_numbers_nobody_owns_any() -> None:
    assert owners(a=set()).owner(["106900"]) is None
    assert Tenants().owner(["106900"]) is None


def route(
    *carriers: str, backup: tuple[str, ...] = (), tenant: tuple[str, ...] = ()
) -> RouteOptions:
    shares = [CarrierShare(name) for name in carriers]
    return RouteOptions("r", shares, Match(tenant=list(tenant)), list(backup))


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([], "ab"),
        ([route("x")], "ab"),
        ([route("y")], "ab"),  # no route names it: whoever may have texted there once
        ([route("x", tenant=("a",))], "a"),
        ([route("y", backup=("x",), tenant=("b",))], "b"),
        ([route("x", tenant=("a",)), route("y", tenant=("b",))], "a"),
        ([route("x", tenant=("a",)), route("x", tenant=("b",))], "ab"),
        ([route("x", tenant=("a",)), route("y", "x")], "ab"),
        ([route("x", tenant=("gone",))], ""),
    ],
)
def test_who_may_use_a_carrier(routes: list[RouteOptions], expected: str) -> None:
    assert "".join(users(routes, ["x"], ["a", "b"])["x"]) == expected


def test_a_name_is_whose_it_is_alone() -> None:
    tenants = Tenants()
    named = {"a": ("Harbour", "HVSHOP"), "b": ("Vale", "hvshop"), "c": ()}
    policies = chain.build(chain.PolicyOptions(), {name: chain.TenantOptions() for name in named})
    tenants.configure(
        Tenant(TenantOptions(one, names=names), policies[one]) for one, names in named.items()
    )
    assert [
        (found[0].options.id, found[1]) if found else None
        for found in map(tenants.called, ("HARBOUR", "vale", "HVSHOP", "Ferry", ""))
    ] == [("a", "Harbour"), ("b", "Vale"), None, None, None]

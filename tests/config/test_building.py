"""What a configuration comes to, and the faults that take several keys to make."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.api.options import ServerOptions
from gateway.config import Settings, load
from gateway.dispatch.core import DispatchOptions
from gateway.dispatch.intake.tenants import TenantOptions
from gateway.queue.backends import StoreOptions

Read = Callable[..., Settings]
Faulty = Callable[..., list[str]]
TwoTenants = Callable[..., list[dict[str, object]]]

STARTER = Path(__file__).parents[2] / "config" / "gateway.toml"


ANN = {"name": "ann", "role": "operator", "token_sha256": "a" * 64}


def test_the_smallest_file_has_the_defaults_of_every_part(read: Read) -> None:
    settings = read()
    assert settings.api.listen == ("tcp://127.0.0.1:7600",)
    assert settings.api.limits == ServerOptions()
    assert settings.admin.listen == "127.0.0.1:7601"
    assert settings.queue == StoreOptions("sqlite", "var/gateway.db")
    assert settings.log == "info"
    assert settings.dispatch.retention == DispatchOptions().retention
    [acme] = settings.dispatch.tenants
    assert acme == TenantOptions(
        id="acme",
        token_sha256=(hashlib.sha256(b"token").digest(),),
        sender="10690001",
        numbers=frozenset({"10690001"}),
        names=("acme",),
        confirmation=None,
        welcome=None,
        still_out=None,
    )
    [alpha] = settings.dispatch.carriers
    assert (alpha.options.id, alpha.options.rate) == ("alpha", 0)
    [bind] = alpha.binds
    assert (bind.host, bind.port, bind.system_id) == ("smsc.example", 2775, "u")
    assert (bind.mode, bind.window, bind.tls) == ("transceiver", 64, None)


def test_the_starter_file_works() -> None:
    settings = load(STARTER, {})
    assert [one.id for one in settings.dispatch.tenants] == ["acme"]
    assert [one.options.id for one in settings.dispatch.carriers] == ["alpha"]


def test_stated_keys_reach_their_parts(read: Read) -> None:
    settings = read(
        tenant={"rate": 5, "burst": 9, "weight": 3, "max_queued": 7, "quiet_hours": False},
        api={"max_batch": 17, "listen": ["unix:///run/gateway.sock"]},
        queue={"retention_days": 3.5, "validity": {"otp": 60}},
        scheduler={"floors": {"marketing": 0.2}, "quantum": 10},
        policy={"quiet_hours": {"regions": {"US-TX": {"open": "09:00-21:00"}}}},
        log={"level": "debug"},
    )
    assert settings.api.limits.max_batch == 17
    assert settings.api.listen == ("unix:///run/gateway.sock",)
    dispatch = settings.dispatch
    assert dispatch.retention == 3.5 * 86_400
    assert dispatch.tenants[0].validity["otp"] == 60
    assert dispatch.tenants[0].validity["marketing"] == 172_800
    share = dispatch.scheduler.shares["acme"]
    assert (share.rate, share.burst, share.weight) == (5, 9, 3)
    assert dispatch.scheduler.floors == {"transactional": 0.1, "marketing": 0.2}
    assert dispatch.scheduler.quantum == 10
    assert dispatch.policies["acme"].max_queued == 7
    assert not dispatch.policies["acme"].quiet_hours
    assert dispatch.policy.quiet_hours.regions["US-TX"].open == "09:00-21:00"
    assert settings.log == "debug"


def test_answers_to_phones_are_texts_or_tables_of_them(read: Read) -> None:
    answers = {"confirmation": "", "welcome": {"CN": "欢迎", "fr": "Bonjour", "default": "Hi"}}
    [one] = read(tenant={"name": "Acme Shoes", **answers}).dispatch.tenants
    assert (one.confirmation, one.welcome, one.still_out) == ("", answers["welcome"], None)
    assert one.names == ("Acme Shoes", "acme")


@pytest.mark.parametrize(
    ("answers", "line"),
    [
        (
            {"help": "x" * 481},
            f"tenants[0].help: '{'x' * 39}… is not a text of up to 480 characters",
        ),
        ({"confirmation": 7}, "tenants[0].confirmation: 7 is not a text of up to 480 characters,"),
        (
            {"welcome": {"Frankreich": "a"}},
            "tenants[0].welcome.Frankreich: 'Frankreich' is neither",
        ),
        (
            {"welcome": {"CN": "x" * 481}},
            f"tenants[0].welcome.CN: '{'x' * 39}… is not a text of up to 480",
        ),
        ({"welcome": {"CN": 7}}, "tenants[0].welcome.CN: 7 is not a text"),
    ],
)
def test_answers_that_are_none(faults: Faulty, answers: dict[str, Any], line: str) -> None:
    [found] = faults(tenant=answers)
    assert found.startswith(line)


def test_the_admin_server_is_open_to_others_only_with_a_token(read: Read, faults: Faulty) -> None:
    digest = hashlib.sha256(b"admin").hexdigest()
    admin = {"listen": "0.0.0.0:7601", "token_sha256": [digest]}
    assert read(admin=admin).admin.token_sha256 == (digest,)
    assert read(admin={"listen": "[::1]:7601"}).admin.listen == "[::1]:7601"
    [line] = faults(admin={"listen": "0.0.0.0:7601"})
    assert line.startswith("admin.token_sha256: is missing")


def test_admin_tokens_have_a_name_and_a_role(read: Read, faults: Faulty) -> None:
    bob = {"name": "bob", "role": "viewer", "token_sha256": "b" * 64}
    settings = read(admin={"listen": "0.0.0.0:7601", "tokens": [ANN, bob]})
    assert [(one.name, one.role) for one in settings.admin.tokens] == [
        ("ann", "operator"),
        ("bob", "viewer"),
    ]


@pytest.mark.parametrize(
    ("admin", "line"),
    [
        ({"tokens": [ANN, {**ANN, "token_sha256": "b" * 64}]}, "admin.tokens[1].name: the same"),
        ({"tokens": [ANN, {**ANN, "name": "bob"}]}, "admin.tokens[1].token_sha256: the same as"),
        ({"tokens": [{**ANN, "role": "root"}]}, "admin.tokens[0].role: 'root'"),
        (
            {"tokens": [{**ANN, "token_sha256": "ann"}]},
            "admin.tokens[0].token_sha256: what is there",
        ),
        ({"tokens": [{"name": "ann", "role": "viewer"}]}, "admin.tokens[0].token_sha256: is miss"),
        ({"tokens": [{**ANN, "name": "Ann Smith"}]}, "admin.tokens[0].name: 'Ann Smith'"),
        ({"token_sha256": ["a" * 64], "tokens": [ANN]}, "admin.tokens[0].token_sha256: the sa"),
        (
            {"token_sha256": ["b" * 64], "tokens": [{**ANN, "name": "admin"}]},
            "admin.tokens[0].name: the same as admin.token_sha256",
        ),
    ],
)
def test_admin_tokens_that_are_wrong(faults: Faulty, admin: dict[str, Any], line: str) -> None:
    [found] = faults(admin=admin)
    assert found.startswith(line)


# --- tenants ---


def test_stated_numbers_come_before_senders(read: Read, tenants: TwoTenants) -> None:
    two = tenants({"senders": ["+10690001", "ACME", "*"]}, {"numbers": ["+10690001"]})
    acme, bravo = read(tenants=two).dispatch.tenants
    assert acme.numbers == frozenset()
    assert acme.sender == "10690001"
    assert bravo.numbers == {"10690001"}


def test_a_tenant_has_the_numbers_of_a_region_or_of_none(read: Read) -> None:
    [acme] = read(tenant={"default_region": "CN"}).dispatch.tenants
    assert acme.default_region == "CN"
    [acme] = read().dispatch.tenants
    assert acme.default_region is None


@pytest.mark.parametrize(
    ("region", "hint"),
    [
        ("cn", "; did you mean 'CN'?"),
        ("China", ""),
        ("86", ""),
        ("UK", ""),
        ("US-TX", ""),
        ("", ""),
    ],
)
def test_a_default_region_is_an_iso_code(faults: Faulty, region: str, hint: str) -> None:
    [line] = faults(tenant={"default_region": region})
    why = f"{region!r} is no region that has phone numbers{hint}"
    assert line == (
        f"tenants[0].default_region: {why}; give the two capital letters of its ISO 3166 code, "
        "such as 'CN' or 'GB'"
    )


def test_a_number_cannot_have_two_owners(faults: Faulty, tenants: TwoTenants) -> None:
    two = tenants({"senders": ["X", "10690001"]}, {"senders": ["10690001"]})
    [line] = faults(tenants=two)
    assert line.startswith("tenants[1].senders[0]: the same as tenants[0].senders[1]; state in ")
    two = tenants({"numbers": ["10690001"]}, {"numbers": ["+10690001"]})
    assert faults(tenants=two) == [
        "tenants[1].numbers[0]: the same as tenants[0].numbers[0]; a number has one owner"
    ]


def test_two_tenants_share_neither_id_nor_token(faults: Faulty, tenants: TwoTenants) -> None:
    assert faults(tenants=tenants({}, {"id": "acme"})) == [
        "tenants[1].id: the same as tenants[0].id; every tenant has an id of its own"
    ]
    token = hashlib.sha256(b"token").hexdigest().upper()
    [line] = faults(tenants=tenants({}, {"token_sha256": [token]}))
    where = "tenants[1].token_sha256[0]: the same as tenants[0].token_sha256[0]"
    assert line == f"{where}; a token stands for one tenant"


# --- routes ---


def test_routes_are_named_by_what_they_take_unless_they_have_a_name(read: Read) -> None:
    share = [{"id": "alpha", "weight": 3}]
    routes = [
        {"name": "china", "match": {"prefix": ["86"]}, "carriers": share},
        {"carriers": share},
    ]
    found = read(routes=routes).dispatch.routes
    assert [route.name for route in found] == ["china", "match: everything"]
    assert found[0].match.prefix == ["86"]
    assert found[0].carriers[0].weight == 3


@pytest.mark.parametrize(
    ("route", "line"),
    [
        (
            {"carriers": [{"id": "alpa"}]},
            "routes[0].carriers[0].id: there is no carrier 'alpa'; did you mean 'alpha'?",
        ),
        ({"backup": ["gamma"]}, "routes[0].backup[0]: there is no carrier 'gamma'"),
        ({"match": {"tenant": ["x"]}}, "routes[0].match.tenant[0]: there is no tenant 'x'"),
        (
            {"backup": ["alpha"]},
            (
                "routes[0].backup[0]: the same as routes[0].carriers[0].id; "
                "a route names a carrier once"
            ),
        ),
        (
            {"name": "default"},
            "routes[0].name: 'default' is what the route is called that is there without any",
        ),
    ],
)
def test_a_route_leads_somewhere(faults: Faulty, route: dict[str, Any], line: str) -> None:
    whole = {"carriers": [{"id": "alpha"}]}
    assert faults(routes=[whole | route, whole]) == [line]


def test_every_route_has_a_name_of_its_own(read: Read, faults: Faulty) -> None:
    whole = {"carriers": [{"id": "alpha"}]}
    assert faults(routes=[whole | {"name": "a"}, whole, whole | {"name": "a"}]) == [
        "routes[2].name: the same as routes[0].name; every route has a name of its own"
    ]
    twice = [route.name for route in read(routes=[whole, whole]).dispatch.routes]
    assert twice == ["match: everything", "match: everything (2)"]


# --- the rest ---


def test_a_tenant_uses_its_categories(read: Read, faults: Faulty) -> None:
    [one] = read().dispatch.tenants
    assert one.categories == {"otp", "transactional", "marketing"}
    [one] = read(tenant={"categories": ["otp"], "category": "otp"}).dispatch.tenants
    assert one.categories == {"otp"}
    [line] = faults(tenant={"categories": ["otp", "transactional"]})
    assert line == (
        "tenants[0].category: 'marketing' is not among the tenant's categories: add it there, or "
        "name one of them: otp, transactional"
    )
    assert faults(tenant={"categories": ["promo"]})[0] == (
        "tenants[0].categories[0]: 'promo' is not 'otp', 'transactional' or 'marketing'"
    )


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"api": {"listen": ["unix:///a", "unix:///a"]}},
            "api.listen[1]: the same as api.listen[0]; an address can be used once",
        ),
        (
            {"api": {"max_tenant_bytes": 65_536}},
            "api.max_tenant_bytes: 65536 is less than api.max_frame",
        ),
        (
            {"policy": {"quiet_hours": {"open": "8-20"}}},
            "policy.quiet_hours.open: '8-20' is neither 'closed' nor hours such as '08:00-20:00'",
        ),
        (
            {"policy": {"quiet_hours": {"regions": {"XX": {}}}}},
            "policy.quiet_hours.regions.XX: no number belongs there; write a code as FR or US-TX",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(
    faults: Faulty, changes: dict[str, Any], line: str
) -> None:
    assert faults(**changes) == [line]


def test_every_fault_is_listed(faults: Faulty, tenants: TwoTenants) -> None:
    found = faults(
        tenants=tenants({"rate": -1, "sendrs": ["X"]}, {"id": "acme", "senders": ["!"]}),
        carrier={"window": 0, "port": 0, "password_env": "UNSET", "tls": {"ca": "/nowhere"}},
        routes=[{"carriers": [{"id": "beta"}]}, {"carriers": 1}],
        log={"level": "loud"},
        queue={"backend": "redis"},
    )
    assert sorted(line.split(":")[0] for line in found) == [
        "carriers[0]",
        "carriers[0].port",
        "carriers[0].tls.ca",
        "carriers[0].window",
        "log.level",
        "queue.backend",
        "routes[0].carriers[0].id",
        "routes[1].carriers",
        "tenants[0].rate",
        "tenants[0].sendrs",
        "tenants[1].id",
        "tenants[1].senders[0]",
    ]

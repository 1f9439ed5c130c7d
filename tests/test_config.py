"""A configuration is read whole or refused with everything that is wrong with it."""

import hashlib
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.api.options import ServerOptions
from gateway.config import Settings, keys, load
from gateway.config.reading import _peel
from gateway.dispatch.actions import Action
from gateway.dispatch.core import DispatchOptions
from gateway.dispatch.tenants import TenantOptions
from gateway.errors import ConfigError
from gateway.message import CATEGORIES

ROOT = Path(__file__).parents[1]

HASH = hashlib.sha256(b"token").hexdigest()
OTHER_HASH = hashlib.sha256(b"another token").hexdigest()

SMALLEST: dict[str, Any] = {
    "tenants": [{"id": "acme", "token_sha256": [HASH], "senders": ["10690001"]}],
    "carriers": [{"id": "alpha", "host": "smsc.example", "system_id": "u", "password": "hunter2"}],
}


def toml(value: object) -> str:
    """A value as TOML writes it in one line."""
    match value:
        case dict():
            pairs = (f"{toml(str(key))} = {toml(item)}" for key, item in value.items())
            return "{ " + ", ".join(pairs) + " }"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case str():
            return '"' + "".join(f"\\U{ord(char):08x}" for char in value) + '"'
        case bool():
            return str(value).lower()
        case _:
            return str(value)


Load = Callable[..., Settings]


@pytest.fixture
def read(tmp_path: Path) -> Load:
    """Loads the smallest configuration, changed: tables of the file by name, what stands in
    ``tenant`` and ``carrier`` being added to the one there is."""
    path = tmp_path / "gateway.toml"

    def read(
        tenant: Mapping[str, object] | None = None,
        carrier: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
        **tables: object,
    ) -> Settings:
        document = SMALLEST | tables
        document["tenants"] = [document["tenants"][0] | (tenant or {}), *document["tenants"][1:]]
        document["carriers"] = [
            document["carriers"][0] | (carrier or {}),
            *document["carriers"][1:],
        ]
        path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in document.items()))
        return load(path, environ or {})

    return read


@pytest.fixture
def faults(read: Load) -> Callable[..., list[str]]:
    """The lines with which the same is refused."""

    def faults(**changes: object) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(**changes)
        return caught.value.errors

    return faults


Faulty = Callable[..., list[str]]


def tenant(name: str, **others: object) -> dict[str, object]:
    token = hashlib.sha256(name.encode()).hexdigest()
    return {"id": name, "token_sha256": [token], "senders": [name], **others}


def without(table: Mapping[str, object], key: str) -> dict[str, object]:
    return {name: value for name, value in table.items() if name != key}


# --- what is right ---


def test_the_smallest_file_has_the_defaults_of_every_part(read: Load) -> None:
    settings = read()
    assert settings.api.listen == ("tcp://127.0.0.1:7600",)
    assert settings.api.limits == ServerOptions()
    assert settings.queue == "var/gateway.db"
    assert settings.dispatch.retention == DispatchOptions().retention
    [acme] = settings.dispatch.tenants
    assert acme == TenantOptions(
        id="acme",
        token_sha256=(hashlib.sha256(b"token").digest(),),
        sender="10690001",
        numbers=frozenset({"10690001"}),
        confirmation="acme: you have opted out and will get no more messages.",
    )
    [alpha] = settings.dispatch.carriers
    assert (alpha.options.id, alpha.options.rate) == ("alpha", 0)
    [bind] = alpha.binds
    assert (bind.host, bind.port, bind.system_id, bind.password) == (
        "smsc.example",
        2775,
        "u",
        "hunter2",
    )
    assert (bind.mode, bind.window, bind.tls) == ("transceiver", 64, None)


def test_the_starter_file_works() -> None:
    settings = load(ROOT / "config" / "gateway.toml", {})
    assert [one.id for one in settings.dispatch.tenants] == ["acme"]
    assert [one.options.id for one in settings.dispatch.carriers] == ["alpha"]


def test_stated_keys_reach_their_parts(read: Load) -> None:
    settings = read(
        tenant={"rate": 5, "burst": 9, "weight": 3, "max_queued": 7, "quiet_hours": False},
        api={"max_batch": 17, "listen": ["unix:///run/gateway.sock"]},
        queue={"retention_days": 3.5, "validity": {"otp": 60}},
        scheduler={"floors": {"marketing": 0.2}, "quantum": 10},
        policy={"quiet_hours": {"regions": {"US-TX": {"open": "09:00-21:00"}}}},
        log={"level": "debug"},
    )
    assert settings.api.limits.max_batch == 17
    dispatch = settings.dispatch
    assert dispatch.retention == 3.5 * 86_400
    assert dispatch.tenants[0].validity["otp"] == 60
    assert dispatch.tenants[0].validity["marketing"] == 172_800
    share = dispatch.scheduler.shares["acme"]
    assert (share.rate, share.burst, share.weight) == (5, 9, 3)
    assert dispatch.scheduler.floors == {"transactional": 0.1, "marketing": 0.2}
    assert dispatch.policies["acme"].max_queued == 7
    assert not dispatch.policies["acme"].quiet_hours
    assert dispatch.policy.quiet_hours.regions["US-TX"].open == "09:00-21:00"
    assert settings.log == "debug"


def test_a_separate_bind_is_as_many_transmitters_as_receivers(read: Load) -> None:
    [carrier] = read(carrier={"bind": "separate", "binds": 2}).dispatch.carriers
    modes = [bind.mode for bind in carrier.binds]
    assert modes == ["transmitter", "transmitter", "receiver", "receiver"]


def test_statuses_are_actions_by_name_or_number(read: Load) -> None:
    statuses = {
        "ESME_RSUBMITFAIL": "refuse",
        "1035": {"do": "wait", "delay": 30, "tries": 3},
        "0x40c": {"do": "other", "slows": True},
    }
    [carrier] = read(carrier={"statuses": statuses}).dispatch.carriers
    assert carrier.options.statuses == {
        0x45: Action("refuse"),
        1035: Action("wait", 30, 3),
        0x40C: Action("other", slows=True),
    }


def test_routes_are_named_by_their_place_unless_they_have_a_name(read: Load) -> None:
    share = [{"id": "alpha", "weight": 3}]
    routes = [
        {"name": "china", "match": {"prefix": ["86"]}, "carriers": share},
        {"carriers": share},
    ]
    found = read(routes=routes).dispatch.routes
    assert [route.name for route in found] == ["china", "route-2"]
    assert found[0].match.prefix == ["86"]
    assert found[0].carriers[0].weight == 3


def test_the_confirmation_names_the_tenant_as_recipients_know_it(read: Load) -> None:
    [one] = read(tenant={"name": "Acme Shoes"}).dispatch.tenants
    assert one.confirmation.startswith("Acme Shoes: ")
    [one] = read(tenant={"confirmation": ""}).dispatch.tenants
    assert one.confirmation == ""


# --- who owns which number ---


def test_stated_numbers_come_before_senders(read: Load) -> None:
    tenants = [
        tenant("acme", senders=["+10690001", "ACME", "*"]),
        tenant("bravo", senders=["10690002", "10690001"], numbers=["10690001"]),
    ]
    acme, bravo = read(tenants=tenants).dispatch.tenants
    assert acme.numbers == frozenset()
    assert acme.sender == "10690001"
    assert bravo.numbers == {"10690001"}


def test_a_number_cannot_have_two_owners(faults: Faulty) -> None:
    by_default = [tenant(name, senders=["X", "10690001"]) for name in ("acme", "bravo")]
    assert faults(tenants=by_default) == [
        "tenants[1].senders[1]: the same as tenants[0].senders[1]; "
        "state in `numbers` which tenant gets what phones send to it"
    ]
    stated = [tenant(name, numbers=["10690001"]) for name in ("acme", "bravo")]
    assert faults(tenants=stated) == [
        "tenants[1].numbers[0]: the same as tenants[0].numbers[0]; a number has one owner"
    ]


# --- what is wrong ---


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"carrier": {"window": 0}}, "carriers[0].window: 0 is not between 1 and 10000"),
        (
            {"carrier": {"window": "ten"}},
            "carriers[0].window: 'ten' is not a whole number between 1 and 10000",
        ),
        (
            {"carrier": {"binds": True}},
            "carriers[0].binds: true is not a whole number between 1 and 100",
        ),
        ({"carrier": {"port": 65_536}}, "carriers[0].port: 65536 is not between 1 and 65535"),
        ({"carrier": {"rate": float("nan")}}, "carriers[0].rate: nan is not between 0 and 100000"),
        (
            {"carrier": {"enquire_link": date(2026, 1, 1)}},
            "carriers[0].enquire_link: a date or time is not a number between 1 and 3600",
        ),
        ({"carrier": {"windw": 1}}, "carriers[0].windw: unknown key; did you mean 'window'?"),
        ({"zzz": 1}, "zzz: unknown key"),
        ({"tenant": {"a.b": 1}}, "tenants[0].'a.b': unknown key"),
        (
            {"tenant": {"category": "promo"}},
            "tenants[0].category: 'promo' is not 'otp', 'transactional' or 'marketing'",
        ),
        ({"tenant": {"quiet_hours": "yes"}}, "tenants[0].quiet_hours: 'yes' is not true or false"),
        ({"tenant": {"weight": 0}}, "tenants[0].weight: 0 is not between 0.01 and 1000"),
        ({"tenant": {"senders": []}}, "tenants[0].senders: 0 entries, but at least 1 needed"),
        (
            {"tenant": {"senders": ["x" * 12]}},
            "tenants[0].senders[0]: 'xxxxxxxxxxxx' is neither a number, a name of up to 11 letters "
            "and digits nor '*'",
        ),
        (
            {"tenant": {"help": "x" * 481}},
            f"tenants[0].help: '{'x' * 39}… is not a text of up to 480 characters",
        ),
        ({"tenant": {"token_sha256": [HASH] * 17}}, "tenants[0].token_sha256: 17 entries, over 16"),
        ({"api": 3}, "api: 3 is not a table"),
        ({"api": {"listen": "tcp://x:1"}}, "api.listen: 'tcp://x:1' is not a list"),
        (
            {"api": {"listen": ["http://x:1"]}},
            "api.listen[0]: 'http://x:1' is neither tcp://host:port nor unix:///path",
        ),
        (
            {"api": {"listen": ["unix:///a", "unix:///a"]}},
            "api.listen[1]: the same as api.listen[0]; an address can be used once",
        ),
        (
            {"api": {"max_tenant_bytes": 65_536}},
            "api.max_tenant_bytes: 65536 is less than api.max_frame",
        ),
        (
            {"admin": {"listen": "7601"}},
            "admin.listen: '7601' is not an IP address and a port, such as '127.0.0.1:7601'",
        ),
        (
            {"admin": {"listen": "0.0.0.0:7601"}},
            "admin.token_sha256: is missing; it is needed because other machines can reach "
            "0.0.0.0:7601",
        ),
        ({"queue": {"backend": "redis"}}, "queue.backend: 'redis' is not 'sqlite'"),
        ({"queue": {"retention_days": 2}}, "queue.retention_days: 2 is not between 3 and 3650"),
        (
            {"policy": {"quiet_hours": {"open": "8-20"}}},
            "policy.quiet_hours.open: '8-20' is neither 'closed' nor hours such as '08:00-20:00'",
        ),
        (
            {"policy": {"quiet_hours": {"regions": {"FR": {"sundays": "closed"}}}}},
            "policy.quiet_hours.regions.FR.sundays: unknown key; did you mean 'sunday'?",
        ),
        (
            {"policy": {"quiet_hours": {"regions": {"XX": {}}}}},
            "policy.quiet_hours.regions.XX: no number belongs there; write a code as FR or US-TX",
        ),
        (
            {"carrier": {"statuses": {"ESME_RSUBMITFAI": "refuse"}}},
            "carriers[0].statuses.ESME_RSUBMITFAI: not a command_status: a name such as "
            "ESME_RSUBMITFAIL or a number between 1 and 4294967295; did you mean "
            "'ESME_RSUBMITFAIL'?",
        ),
        (
            {"carrier": {"statuses": {"8": "wait", "0x8": "other"}}},
            "carriers[0].statuses.0x8: the same status as an entry before",
        ),
        (
            {"carrier": {"statuses": {"8": "retry"}}},
            "carriers[0].statuses.8: 'retry' is not wait, other, refuse or a table",
        ),
        (
            {"tenants": [tenant("acme"), tenant("b") | {"id": "acme"}]},
            "tenants[1].id: the same as tenants[0].id; every tenant has an id of its own",
        ),
        (
            {
                "tenants": [
                    tenant("a", token_sha256=[HASH]),
                    tenant("b", token_sha256=[HASH.upper()]),
                ]
            },
            "tenants[1].token_sha256[0]: the same as tenants[0].token_sha256[0]; a token stands "
            "for one tenant",
        ),
        (
            {"carriers": SMALLEST["carriers"] * 2},
            "carriers[1].id: the same as carriers[0].id; every carrier has an id of its own",
        ),
        (
            {"routes": [{"carriers": [{"id": "alpa"}]}]},
            "routes[0].carriers[0].id: there is no carrier 'alpa'; did you mean 'alpha'?",
        ),
        (
            {"routes": [{"carriers": [{"id": "alpha"}], "backup": ["alpha"]}]},
            "routes[0].backup[0]: the same as routes[0].carriers[0].id; a route names a carrier "
            "once",
        ),
        (
            {"routes": [{"carriers": [{"id": "alpha", "weight": 0}]}]},
            "routes[0].carriers[0].weight: 0 is not between 1 and 1000",
        ),
        (
            {"routes": [{"match": {"tenant": ["x"]}, "carriers": [{"id": "alpha"}]}]},
            "routes[0].match.tenant[0]: there is no tenant 'x'",
        ),
        (
            {"routes": [{"match": {"prefix": ["+86"]}, "carriers": [{"id": "alpha"}]}]},
            "routes[0].match.prefix[0]: '+86' is not the leading digits of a number, without +",
        ),
        (
            {"routes": [{"name": "default", "carriers": [{"id": "alpha"}]}]},
            "routes[0].name: 'default' is what the route is called that is there without any",
        ),
        (
            {"routes": [{"name": name, "carriers": [{"id": "alpha"}]} for name in ("a", "a")]},
            "routes[1].name: the same as routes[0].name; every route has a name of its own, "
            "route-1, route-2, … by default",
        ),
        ({"carriers": [{}]}, "carriers[0].id: is missing"),
    ],
)
def test_a_fault_is_named_with_its_place_and_its_mend(
    faults: Faulty, changes: dict[str, Any], line: str
) -> None:
    found = faults(**changes)
    assert line in found
    if "carriers" not in changes or len(changes["carriers"]) != 1:
        assert found == [line]


def test_every_fault_is_listed(faults: Faulty) -> None:
    found = faults(
        tenants=[tenant("acme", rate=-1, sendrs=["X"]), tenant("acme", senders=["!"])],
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
        "tenants[1].token_sha256[0]",
    ]


def test_an_empty_file_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.touch()
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert caught.value.errors == ["tenants: is missing", "carriers: is missing"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"[api]\nlisten = [\n\noops", "(at line 4, column 1)"),
        (b"a = 1\na = 2", "(at line 2, column 6)"),
        (b"a = '\xff'", "byte 5 is not UTF-8"),
        (b"a = " + b"[" * 100_000, "nested too deeply"),
        (b"a = " + b"1" * 5_000, "not TOML"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_what_is_no_toml_is_refused_with_its_place(
    tmp_path: Path, content: bytes | None, fault: str
) -> None:
    path = tmp_path / "gateway.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    [line] = caught.value.errors
    assert line.startswith(f"{path}: ")
    assert fault in line


# --- passwords ---


def password(settings: Settings) -> str:
    return settings.dispatch.carriers[0].binds[0].password


def carrier_with(**others: object) -> list[dict[str, object]]:
    return [without(SMALLEST["carriers"][0], "password") | others]


def test_a_password_may_be_in_the_environment_or_in_a_file(read: Load, tmp_path: Path) -> None:
    environ = {"ALPHA": "p1"}
    assert password(read(carriers=carrier_with(password_env="ALPHA"), environ=environ)) == "p1"
    file = tmp_path / "password"
    file.write_text("p2\n")
    assert password(read(carriers=carrier_with(password_file=str(file)))) == "p2"
    assert password(read(carriers=carrier_with(password=""))) == ""


def test_a_password_is_in_one_place(faults: Faulty) -> None:
    places = "password, password_env, password_file"
    assert faults(carriers=carrier_with()) == [
        f"carriers[0]: needs exactly one of {places}, has none"
    ]
    assert faults(carrier={"password_env": "ALPHA"}, environ={"ALPHA": "x"}) == [
        f"carriers[0]: needs exactly one of {places}, has password and password_env"
    ]


@pytest.mark.parametrize(
    ("carrier", "environ"),
    [
        ({"password": "s3cr3t-too-long"}, {}),
        ({"password": ["s3cr3t"]}, {}),
        ({"password": {"s3": "s3cr3t"}}, {}),
        ({"password_env": "s3cr3t"}, {}),
        ({"password_env": "ALPHA"}, {"ALPHA": "s3cr3t-too-long"}),
        ({"password_file": "s3cr3t"}, {}),
        ({"password_file": "s3cr3t\0"}, {}),
    ],
)
def test_no_fault_shows_a_password(
    faults: Faulty, carrier: dict[str, object], environ: dict[str, str]
) -> None:
    [line] = faults(carriers=carrier_with(**carrier), environ=environ)
    assert line.startswith(f"carriers[0].{next(iter(carrier))}: ")
    assert "s3cr3t" not in line


def test_a_token_in_place_of_its_hash_is_not_shown(faults: Faulty) -> None:
    [line] = faults(tenant={"token_sha256": ["s3cr3t"]})
    assert line.startswith("tenants[0].token_sha256[0]: ")
    assert "s3cr3t" not in line


def test_a_table_of_secrets_in_the_wrong_place_is_not_shown(faults: Faulty) -> None:
    lines = faults(carriers={"alpha": {"password": "s3cr3t"}}, log=["s3cr3t"])
    assert "carriers: a table is not a list" in lines
    assert "s3cr3t" not in "".join(lines)


def test_settings_do_not_show_passwords(read: Load) -> None:
    assert "hunter2" not in repr(read())


# --- certificates ---


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an authority, ``ca.pem``, and a certificate of it, ``cert.pem`` with
    ``key.pem``; ``other.pem`` is the key of another."""
    directory = tmp_path_factory.mktemp("pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    one, other = (authority.issue_cert("localhost") for _ in range(2))
    one.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    one.private_key_pem.write_to_path(directory / "key.pem")
    other.private_key_pem.write_to_path(directory / "other.pem")
    locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
    (directory / "locked.pem").write_text(locked)
    (directory / "empty.pem").touch()
    return directory


def test_tls_to_a_carrier_checks_its_name(read: Load, pem: Path) -> None:
    plain = read(carrier={"tls": True}).dispatch.carriers[0].binds[0]
    own = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
    tls = {key: str(pem / name) for key, name in own.items()} | {"server_name": "alpha.example"}
    stated = read(carrier={"tls": tls}).dispatch.carriers[0].binds[0]
    for bind in (plain, stated):
        assert bind.tls is not None
        assert bind.tls.check_hostname
        assert bind.tls.verify_mode is ssl.CERT_REQUIRED
    assert stated.server_name == "alpha.example"


def test_a_carrier_has_the_identity_of_its_binds(read: Load, pem: Path, tmp_path: Path) -> None:
    def identity(**carrier: object) -> object:
        return read(carrier=carrier).dispatch.carriers[0].identity

    ca = tmp_path / "ca.pem"
    ca.write_bytes((pem / "ca.pem").read_bytes())
    tls = {"ca": str(ca)}
    before = identity(tls=tls)
    assert identity(tls=tls, rate=100) == before
    assert identity(tls=tls, window=9) != before
    assert identity(tls=tls, password="other") != before
    trustme.CA().cert_pem.write_to_path(ca)
    assert identity(tls=tls) != before


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"cert": "nowhere.pem", "key": "key.pem"}, "tls.cert"),
        ({"cert": "cert.pem", "key": "empty.pem"}, "tls.key"),
        ({"cert": "cert.pem", "key": "locked.pem"}, "tls.key"),
        ({"cert": "cert.pem", "key": "other.pem"}, "tls"),
        ({"cert": "key.pem", "key": "key.pem"}, "tls"),
    ],
)
def test_certificates_that_cannot_be_used_are_refused(
    faults: Faulty, pem: Path, files: dict[str, str], place: str
) -> None:
    tls = {key: str(pem / name) for key, name in files.items()}
    [line] = faults(carrier={"tls": tls})
    assert line.startswith(f"carriers[0].{place}: ")
    [line] = faults(api={"tls": tls})
    assert line.startswith(f"api.{place}: ")


def test_certificates_of_the_api_are_taken(read: Load, pem: Path) -> None:
    tls = {"cert": str(pem / "cert.pem"), "key": str(pem / "key.pem")}
    found = read(api={"tls": tls}).api.tls
    assert found is not None
    assert found.cert == tls["cert"]


def test_a_key_without_its_certificate_is_refused(faults: Faulty, pem: Path) -> None:
    [line] = faults(carrier={"tls": {"key": str(pem / "key.pem")}})
    assert line == "carriers[0].tls.cert: is missing; a key needs its certificate"


# --- nothing but ConfigError ---

anything = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["alpha", "acme", "1", "/", "closed", HASH]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def tables(kind: Any) -> st.SearchStrategy[Any]:
    """Tables in which any key may have any value, and many a right one."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return anything
    optional = {
        field.encode_name: anything | st.one_of([entries(one) for one in parts(field.type)])
        for field in msgspec.structs.fields(kind)
    }
    return st.fixed_dictionaries({}, optional=optional)


def entries(kind: Any) -> st.SearchStrategy[Any]:
    return tables(kind) | st.lists(tables(kind), max_size=2)


def parts(annotation: Any) -> Iterator[Any]:
    """The tables that a key takes, whether one, some or one among other things; else None."""
    kind, _ = _peel(annotation)
    structs = [
        peeled
        for one in (kind, *get_args(kind))
        if isinstance(peeled := _peel(one)[0], type) and issubclass(peeled, msgspec.Struct)
    ]
    yield from structs or [None]


@given(document=tables(keys.Keys))
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_a_file_says_it_is_read_or_refused(
    tmp_path: Path, document: dict[str, object]
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in document.items()))
    try:
        load(path, {})
    except ConfigError as error:
        assert error.errors
        assert all(line.isprintable() for line in error.errors)


# --- the page ---

NOT_STATED = "–"


def documented() -> dict[str, dict[str, tuple[str, str]]]:
    """Default and bounds by key, by table, as ``docs/configuration.md`` has them."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    rows: dict[str, tuple[str, str]] = {}
    for line in (ROOT / "docs" / "configuration.md").read_text().splitlines():
        if heading := re.fullmatch(r"##+ `\[*([\w.]+)\]*`", line):
            rows = found.setdefault(heading[1], {})
        elif row := re.fullmatch(r"\| `(\w+)` \| (.*?) \| (.*?) ?\| (.+) \|", line):
            rows[row[1]] = (row[2], row[3])
    return found


def declared(
    kind: type[msgspec.Struct], name: str
) -> Iterator[tuple[str, dict[str, tuple[str, str]]]]:
    """The same as the code has them."""
    fields = msgspec.structs.fields(kind)
    below = {field.encode_name: [one for one in parts(field.type) if one] for field in fields}
    yield name, {field.encode_name: (default(field), bounds(field.type)) for field in fields}
    for key, kinds in below.items():
        path = f"{name}.{key}".strip(".")
        for one in kinds:
            yield from declared(one, f"{path}.CODE" if key == "regions" else path)


def default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default
    if value is msgspec.NODEFAULT:
        value = field.default_factory()
    if value is None or isinstance(value, dict | msgspec.Struct):
        return NOT_STATED
    return f"`{written(value)}`"


def written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case frozenset():
            return written(tuple(one for one in CATEGORIES if one in value))
        case tuple() | list():
            return "[" + ", ".join(map(written, value)) + "]"
        case int() | float():
            return f"{value:.15g}"
    raise AssertionError(value)


def bounds(annotation: Any) -> str:
    kind, meta = _peel(annotation)
    items, _ = _peel(get_args(kind)[0]) if get_args(kind) else (kind, None)
    if meta.ge is not None:
        return f"{meta.ge} to {meta.le}"
    if get_origin(kind) in (tuple, frozenset) and meta.max_length:
        return f"{meta.min_length or 0} to {meta.max_length} entries"
    for one in (kind, items):
        if get_origin(one) is Literal:
            return ", ".join(f"`{written(value)}`" for value in get_args(one))
    return ""


def test_the_page_has_every_key_with_its_default_and_bounds() -> None:
    page = documented()
    code = dict(declared(keys.Keys, ""))
    # Tables of tables have no page of their own.
    del code[""], code["policy"]
    page["policy.quiet_hours"]["margin"] = ("`60`", "")  # its bounds are the policy's own check
    assert page == code

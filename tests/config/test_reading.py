"""A value that cannot be read is named with its place; nothing but ConfigError is ever raised."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import Settings, keys, load
from gateway.errors import ConfigError

Faulty = Callable[..., list[str]]


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
        (
            {"carrier": {"binds": 1.5}},
            "carriers[0].binds: 1.5 is not a whole number between 1 and 100",
        ),
        ({"carrier": {"port": 65_536}}, "carriers[0].port: 65536 is not between 1 and 65535"),
        (
            {"carrier": {"port": 1 << 20_000}},
            "carriers[0].port: a number beyond 64 bits is not between 1 and 65535",
        ),
        ({"carrier": {"rate": float("nan")}}, "carriers[0].rate: nan is not between 0 and 100000"),
        (
            {"carrier": {"enquire_link": date(2026, 1, 1)}},
            "carriers[0].enquire_link: a date or time is not a number between 1 and 3600",
        ),
        ({"carrier": {"windw": 1}}, "carriers[0].windw: unknown key; did you mean 'window'?"),
        ({"carrier": {"host": None}}, "carriers[0].host: is missing"),
        ({"carrier": {"tls": "on"}}, "carriers[0].tls: 'on' is not true, false or a table"),
        ({"zzz": 1}, "zzz: unknown key"),
        ({"tenant": {"a.b\n": 1}}, "tenants[0].'a.b\\n': unknown key"),
        (
            {"tenant": {"id": "a b"}},
            "tenants[0].id: 'a b' is not a name of 1 to 64 letters, digits, '.', '_' and '-'",
        ),
        (
            {"tenant": {"category": "promo"}},
            "tenants[0].category: 'promo' is not 'otp', 'transactional' or 'marketing'",
        ),
        ({"tenant": {"quiet_hours": "yes"}}, "tenants[0].quiet_hours: 'yes' is not true or false"),
        ({"tenant": {"weight": 0}}, "tenants[0].weight: 0 is not between 0.01 and 1000"),
        ({"tenant": {"senders": []}}, "tenants[0].senders: 0 entries, but at least 1 needed"),
        (
            {"tenant": {"numbers": ["12x"]}},
            "tenants[0].numbers[0]: '12x' is not a number of up to 20 digits",
        ),
        (
            {"tenant": {"senders": ["!"]}},
            (
                "tenants[0].senders[0]: '!' is neither a number, a name of up to 11 letters "
                "and digits nor '*'"
            ),
        ),
        (
            {"tenant": {"help": "x" * 481}},
            f"tenants[0].help: '{'x' * 39}… is not a text of up to 480 characters",
        ),
        ({"api": 3}, "api: 3 is not a table"),
        ({"api": {"listen": "tcp://x:1"}}, "api.listen: 'tcp://x:1' is not a list"),
        ({"api": {"listen": ["unix:///a"] * 17}}, "api.listen: 17 entries, over 16"),
        (
            {"api": {"listen": ["http://x:1"]}},
            "api.listen[0]: 'http://x:1' is neither tcp://host:port nor unix:///path",
        ),
        (
            {"admin": {"listen": "7601"}},
            "admin.listen: '7601' is not an IP address and a port, such as '127.0.0.1:7601'",
        ),
        (
            {"queue": {"backend": "redis"}},
            "queue.backend: 'redis' is not 'sqlite', 'postgresql' or 'memory'",
        ),
        ({"queue": {"retention_days": 2}}, "queue.retention_days: 2 is not between 3 and 3650"),
        (
            {"policy": {"quiet_hours": {"regions": {"FR": {"sundays": "closed"}}}}},
            "policy.quiet_hours.regions.FR.sundays: unknown key; did you mean 'sunday'?",
        ),
        (
            {"policy": {"quiet_hours": {"regions": []}}},
            "policy.quiet_hours.regions: a list is not a table",
        ),
        (
            {"routes": [{"carriers": [{"id": "alpha", "weight": 0}]}]},
            "routes[0].carriers[0].weight: 0 is not between 1 and 1000",
        ),
        (
            {"routes": [{"match": {"prefix": ["+86"]}, "carriers": [{"id": "alpha"}]}]},
            "routes[0].match.prefix[0]: '+86' is not the leading digits of a number, without +",
        ),
    ],
)
def test_a_fault_is_named_with_its_place_and_its_mend(
    faults: Faulty, changes: dict[str, Any], line: str
) -> None:
    assert line in faults(**changes)


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
        (b"a = 1\na = 2\n", "(at line 2, column 6)"),
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


def test_what_may_be_a_secret_is_not_shown(faults: Faulty) -> None:
    [line] = faults(tenant={"token_sha256": ["s3cr3t"]})
    assert line.startswith("tenants[0].token_sha256[0]: ")
    assert "s3cr3t" not in line
    lines = faults(carriers={"alpha": {"password": "s3cr3t"}}, log=["s3cr3t"])
    assert "carriers: a table is not a list" in lines
    assert "s3cr3t" not in "".join(lines)


# --- whatever a file says ---

anything = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["alpha", "acme", "1", "/", "closed", "ab" * 32]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def tables(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Tables with keys that exist and values that may fit."""
    optional = {
        field.encode_name: st.one_of(anything, *map(one_or_more, tables_of(field.type)))
        for field in msgspec.structs.fields(kind)
    }
    return st.fixed_dictionaries({}, optional=optional)


def one_or_more(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    table = tables(kind)
    return table | st.lists(table, max_size=2) | st.dictionaries(st.sampled_from("18"), table)


def tables_of(annotation: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield annotation
    for inner in get_args(annotation):
        yield from tables_of(inner)


@given(document=tables(keys.Keys))
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_a_file_says_it_is_read_or_refused(
    load_tables: Callable[..., Settings], document: dict[str, object]
) -> None:
    with suppress(ConfigError):
        load_tables(document)

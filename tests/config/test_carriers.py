"""Carriers: binds, passwords, certificates, statuses."""

import ssl
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateway.config import Settings, warnings
from gateway.dispatch.carriers.actions import Action
from gateway.policy.carrier_hours import CarrierHoursOptions
from gateway.policy.hours import RegionHours

Read = Callable[..., Settings]
Faulty = Callable[..., list[str]]


def test_a_separate_bind_is_as_many_transmitters_as_receivers(read: Read) -> None:
    [carrier] = read(carrier={"bind": "separate", "binds": 2}).dispatch.carriers
    modes = [bind.mode for bind in carrier.binds]
    assert modes == ["transmitter", "transmitter", "receiver", "receiver"]


def test_two_carriers_do_not_share_an_id(read: Read, faults: Faulty) -> None:
    carrier = {"id": "a", "host": "x", "system_id": "u", "password": "p"}
    assert len(read(carriers=[carrier, carrier | {"id": "b"}]).dispatch.carriers) == 2
    assert faults(carriers=[carrier, carrier]) == [
        "carriers[1].id: the same as carriers[0].id; every carrier has an id of its own"
    ]


# --- accounts ---


@pytest.mark.parametrize("size", [15, 16, 63])
def test_accounts_may_be_longer_than_the_book_has_room_for(read: Read, size: int) -> None:
    account = {"system_id": "u" * size, "password": "p" * size}
    [bind] = read(carrier=account).dispatch.carriers[0].binds
    assert (bind.system_id, bind.password) == (account["system_id"], account["password"])


@pytest.mark.parametrize(
    ("account", "lines"),
    [
        ({"system_id": "u" * 15, "password": "p" * 8}, []),
        (
            {"system_id": "u" * 16, "password": "hunter2!?"},
            ["system_id: is longer than the 15 ", "password: is longer than the 8 "],
        ),
    ],
)
def test_of_long_accounts_is_warned(read: Read, account: dict[str, Any], lines: list[str]) -> None:
    found = warnings.found(read(carrier=account), date(2026, 11, 26))
    assert len(found) == len(lines)
    for line, expected in zip(found, lines, strict=True):
        assert line.startswith(f"carriers[0].{expected}")
        assert "hunter2" not in line


def test_an_account_that_no_bind_holds_is_refused(faults: Faulty) -> None:
    [line] = faults(carrier={"system_id": "u" * 64})
    assert line.startswith("carriers[0].system_id: ")
    assert line.endswith("is not a text of 1 to 63 Latin-1 characters")


@pytest.mark.parametrize("version", [0x33, 0x34, 0x50])
def test_a_carrier_may_speak_another_version(read: Read, version: int) -> None:
    [bind] = read(carrier={"interface_version": version}).dispatch.carriers[0].binds
    assert bind.interface_version == version


@pytest.mark.parametrize("version", [0x35, 3, "3.4"])
def test_versions_that_there_are_not(faults: Faulty, version: Any) -> None:
    [line] = faults(carrier={"interface_version": version})
    assert line == (
        f"carriers[0].interface_version: {version!r} is not 0x33, 0x34 or 0x50 "
        "(SMPP 3.3, 3.4 or 5.0)"
    )


# --- addresses and validity ---


@pytest.mark.parametrize(
    ("keys", "source", "dest"),
    [
        ({}, (1, 2, 5, 3), (1, 2)),
        ({"source_ton": 0, "dest_ton": 4}, (0, 0, 0, 0), (4, 4)),
        ({"source_ton": {"alphanumeric": 0}}, (1, 2, 0, 3), (1, 2)),
        ({"source_ton": {"national": 6, "short_code": 0}}, (1, 6, 5, 0), (1, 2)),
        ({"dest_ton": {"national": 0}}, (1, 2, 5, 3), (1, 0)),
    ],
)
def test_types_of_number_are_stated_for_all_or_by_kind(
    read: Read, keys: dict[str, Any], source: tuple[int, ...], dest: tuple[int, ...]
) -> None:
    [carrier] = read(carrier=keys).dispatch.carriers
    assert carrier.options.source_ton == source
    assert carrier.options.dest_ton[:2] == dest


def test_numbering_plans_are_stated_likewise(read: Read) -> None:
    plans = {"source_npi": {"national": 9, "alphanumeric": 6}, "dest_npi": 18}
    [carrier] = read(carrier=plans).dispatch.carriers
    assert carrier.options.source_npi == (1, 9, 6, 0)
    assert carrier.options.dest_npi[:2] == (18, 18)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"source_ton": 7}, "source_ton: 7 is not a number between 0 and 6, or a table of them"),
        ({"source_ton": "1"}, "source_ton: '1' is not a number between 0 and 6"),
        ({"dest_npi": 19}, "dest_npi: 19 is not a number between 0 and 18, or a table"),
        ({"source_ton": {"shortcode": 0}}, "source_ton.shortcode: unknown key; did you mean "),
        ({"dest_ton": {"alphanumeric": 0}}, "dest_ton.alphanumeric: unknown key"),
        ({"dest_ton": {"national": 7}}, "dest_ton.national: 7 is not between 0 and 6"),
        ({"dest_form": "local"}, "dest_form: 'local' is not 'international' or 'national'"),
        ({"dest_form": "national"}, "country_code: is missing; it is needed because dest_form"),
        ({"trunk_prefix": "x"}, "trunk_prefix: 'x' is not up to 4 digits"),
        ({"validity_period": ""}, "validity_period: '' is not 'relative', 'absolute' or 'none'"),
        ({"long_messages": "tlv"}, "long_messages: 'tlv' is not 'udh', 'udh8', 'udh16', 'sar' or"),
        ({"min_validity": -1}, "min_validity: -1 is not between 0 and 86400"),
    ],
)
def test_what_is_no_dialect_is_refused(faults: Faulty, keys: dict[str, Any], line: str) -> None:
    [found] = faults(carrier=keys)
    assert found.startswith(f"carriers[0].{line}"), found


def test_of_a_carrier_that_is_told_no_end_is_warned(read: Read) -> None:
    [line] = warnings.found(read(carrier={"validity_period": "none"}), date(2026, 11, 26))
    assert line.startswith("carriers[0].validity_period: without one the carrier may deliver ")


# --- alphabets ---


def test_alphabets_of_texts_from_phones_are_stated_by_data_coding(read: Read) -> None:
    codings = {"15": "gbk", "0x00": "gsm7_packed"}
    [carrier] = read(carrier={"inbound_codings": codings, "gsm7_coding": 1}).dispatch.carriers
    reading = carrier.options.reading
    assert [reading.alphabet(coding) for coding in (15, 0, 1, 8)] == [
        "gbk", "gsm7_packed", "gsm7", "ucs2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("codings", "line"),
    [
        ({"15": "gkb"}, "15: 'gkb' is no alphabet; did you mean 'gbk'?; there are gsm7, "),
        ({"256": "gbk"}, "256: not a data_coding: a number between 0 and 255"),
        ({"-1": "gbk"}, "-1: not a data_coding"),
        ({"gbk": "gbk"}, "gbk: not a data_coding"),
        ({"15": "gbk", "0x0F": "gbk"}, "0x0F: the same data_coding as an entry before"),
        ({"15": 8}, "15: 8 is not a text"),
    ],
)
def test_alphabets_that_are_none(faults: Faulty, codings: dict[str, Any], line: str) -> None:
    [found] = faults(carrier={"inbound_codings": codings})
    assert found.startswith(f"carriers[0].inbound_codings.{line}")


# --- receipts ---


def test_words_of_receipts_are_states_by_name(read: Read) -> None:
    words = {"GONE": "undelivered", "mk:00*": "expired", "*": "rejected", "seen": "delivered"}
    [carrier] = read(carrier={"receipt_states": words}).dispatch.carriers
    assert carrier.options.receipt_states == {"GONE": 5, "MK:00*": 3, "*": 8, "SEEN": 2}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ({"GONE": "failed"}, "GONE: 'failed' is not 'scheduled', 'enroute', 'delivered', "),
        ({"": "expired"}, "'': not a word that stands behind stat:"),
        ({"NO WAY": "expired"}, "'NO WAY': not a word"),
        ({"*GONE": "expired"}, "'*GONE': not a word"),
        ({"GONE": "expired", "gone": "deleted"}, "gone: the same word as an entry before"),
        ({"2": "expired", "002": "deleted"}, "002: the same word as an entry before"),
    ],
)
def test_what_is_no_word_or_state_is_refused(
    faults: Faulty, words: dict[str, Any], line: str
) -> None:
    [found] = faults(carrier={"receipt_states": words})
    assert found.startswith(f"carriers[0].receipt_states.{line}"), found


@pytest.mark.parametrize("mode", ["auto", "each", "one"])
def test_how_many_receipts_long_messages_have(read: Read, mode: str) -> None:
    [carrier] = read(carrier={"long_receipts": mode}).dispatch.carriers
    assert carrier.options.long_receipts == mode


@pytest.mark.parametrize(
    ("long_messages", "narrow"),
    [("udh", False), ("udh8", False), ("udh16", True), ("sar", True), ("payload", False)],
)
def test_how_long_messages_go(read: Read, long_messages: str, narrow: bool) -> None:
    [carrier] = read(carrier={"long_messages": long_messages}).dispatch.carriers
    assert carrier.options.long_messages == long_messages
    assert carrier.options.narrow is narrow


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"shift_tables": ["tr", "de"]}, "shift_tables[1]: 'de' is not 'tr', 'es', 'pt', "),
        ({"shift_tables": "tr"}, "shift_tables: "),
        (
            {"shift_tables": ["tr"], "alphabet": "latin1"},
            "shift_tables: needs headers in texts of",
        ),
        ({"shift_tables": ["tr"], "long_messages": "sar"}, "shift_tables: needs headers in texts"),
        (
            {"shift_tables": ["tr"], "long_messages": "payload"},
            "shift_tables: needs headers in texts",
        ),
    ],
)
def test_shift_tables_that_cannot_be(faults: Faulty, keys: dict[str, Any], line: str) -> None:
    [found] = faults(carrier=keys)
    assert found.startswith(f"carriers[0].{line}"), found


def test_shift_tables(read: Read) -> None:
    [carrier] = read(carrier={"shift_tables": ["tr", "hi", "tr"]}).dispatch.carriers
    assert carrier.options.shift_tables == ("tr", "hi")
    assert warnings.found(read(carrier={"shift_tables": ["tr"]}), date(2026, 11, 26)) == []


# --- optional parameters ---


def test_parameters_are_texts_or_octets_by_their_tags(read: Read) -> None:
    tlvs = {"0x1401": "1107", "5120": "1101", "0x0005": {"hex": "00fF"}, "0x1402": {"hex": ""}}
    settings = read(carrier={"tlvs": tlvs}, tenant={"tlvs": {"0x1400": "1101"}})
    assert settings.dispatch.carriers[0].options.tlvs == (
        (0x0005, b"\x00\xff"), (0x1400, b"1101\0"), (0x1401, b"1107\0"), (0x1402, b""),
    )  # fmt: skip
    assert settings.dispatch.tenants[0].tlvs == ((0x1400, b"1101\0"),)


@pytest.mark.parametrize(
    ("tlvs", "line"),
    [
        ({"entity": "1"}, ".entity: not a tag: a number such as 5120 or 0x1400"),
        ({"0x10000": "1"}, ".0x10000: not a tag, 0 to 0xFFFF"),
        ({"0x0424": "1"}, ".0x0424: is written by the gateway, see long_messages"),
        ({"0x1400": 5}, ".0x1400: 5 is not a text, or a table with hex"),
        ({"0x1400": {"hex": "1"}}, ".0x1400.hex: '1' is not octets as pairs of hex digits"),
        ({"0x1400": {"octets": "1"}}, ".0x1400.octets: unknown key"),
        ({"0x1400": "模"}, ".0x1400: a text of characters that are not ASCII"),
        ({"0x1400": "1" * 255}, ".0x1400: 256 octets, over 255"),
        ({"0x1400": "1", "5120": "2"}, ".5120: the same tag as an entry before"),
        ({str(5120 + n): "1" for n in range(17)}, ": 17 entries, over 16"),
    ],
)
def test_what_is_no_parameter_is_refused(faults: Faulty, tlvs: dict[str, Any], line: str) -> None:
    found = faults(carrier={"tlvs": tlvs})
    assert found[0].startswith(f"carriers[0].tlvs{line}"), found
    found = faults(tenant={"tlvs": tlvs})
    assert found[0].startswith(f"tenants[0].tlvs{line}"), found


@pytest.mark.parametrize(
    ("keys", "warned"),
    [
        ({"interface_version": 0x33, "tlvs": {"0x1400": "1"}}, ["tlvs"]),
        ({"interface_version": 0x33, "long_messages": "sar"}, ["long_messages"]),
        ({"interface_version": 0x33, "long_messages": "payload"}, ["long_messages"]),
        ({"interface_version": 0x33, "long_messages": "udh8"}, []),
        ({"interface_version": 0x34, "tlvs": {"0x1400": "1"}}, []),
    ],
)
def test_of_parameters_that_a_version_does_not_have_is_warned(
    read: Read, keys: dict[str, Any], warned: list[str]
) -> None:
    found = warnings.found(read(carrier=keys), date(2026, 11, 26))
    assert [line.partition(":")[0] for line in found] == [f"carriers[0].{key}" for key in warned]


# --- hours ---


def test_hours_reach_the_carrier(read: Read) -> None:
    hours = {
        "open": "08:00-22:00",
        "zone": "Asia/Shanghai",
        "categories": ["marketing", "transactional"],
        "regions": {"FR": {"sunday": "closed"}},
    }
    [carrier] = read(carrier={"hours": hours}).dispatch.carriers
    assert carrier.options.hours == CarrierHoursOptions(
        open="08:00-22:00",
        zone="Asia/Shanghai",
        categories=frozenset({"marketing", "transactional"}),
        regions={"FR": RegionHours(sunday="closed")},
    )
    assert read().dispatch.carriers[0].options.hours is None


@pytest.mark.parametrize(
    ("hours", "line"),
    [
        ({"open": "8-20"}, "open: '8-20' is neither 'closed' nor hours such as '08:00-20:00'"),
        ({"opens": "08:00-20:00"}, "opens: unknown key; did you mean 'open'?"),
        ({"zone": "Asia/Peking"}, "zone: 'Asia/Peking' is no time zone, such as 'Asia/Shanghai'"),
        (
            {"regions": {"XX": {}}},
            "regions.XX: no number belongs there; write a code as FR or US-TX",
        ),
        (
            {"categories": ["promotions"]},
            "categories[0]: 'promotions' is not 'otp', 'transactional' or 'marketing'",
        ),
    ],
)
def test_hours_that_are_wrong(faults: Faulty, hours: dict[str, Any], line: str) -> None:
    assert faults(carrier={"hours": hours}) == [f"carriers[0].hours.{line}"]


# --- statuses ---


def test_statuses_are_actions_by_name_or_number(read: Read) -> None:
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


@pytest.mark.parametrize(
    ("statuses", "line"),
    [
        ({"ESME_RSUBMITFAI": "refuse"}, "ESME_RSUBMITFAI: not a command_status"),
        ({"ESME_ROK": "refuse"}, "ESME_ROK: not a command_status"),
        ({"4294967296": "refuse"}, "4294967296: not a command_status"),
        ({"8": "wait", "0x8": "other"}, "0x8: the same status as an entry before"),
        ({"8": "retry"}, "8: 'retry' is not wait, other, refuse or a table"),
        ({"8": {"do": "wait", "delay": 0}}, "8.delay: 0 is not between 0.1 and 3600"),
    ],
)
def test_what_is_no_status_or_action_is_refused(
    faults: Faulty, statuses: dict[str, Any], line: str
) -> None:
    [found] = faults(carrier={"statuses": statuses})
    assert found.startswith(f"carriers[0].statuses.{line}")


def test_a_misspelt_status_is_recognised(faults: Faulty) -> None:
    [found] = faults(carrier={"statuses": {"ESME_RSUBMITFAI": "refuse"}})
    assert found.endswith("; did you mean 'ESME_RSUBMITFAIL'?")


# --- passwords ---


def password(settings: Settings) -> str:
    return settings.dispatch.carriers[0].binds[0].password


def test_a_password_may_be_in_the_environment_or_in_a_file(read: Read, tmp_path: Path) -> None:
    by_name = {"password": None, "password_env": "ALPHA"}
    assert password(read(carrier=by_name, environ={"ALPHA": "p1"})) == "p1"
    file = tmp_path / "password"
    file.write_text("p2\n")
    assert password(read(carrier={"password": None, "password_file": str(file)})) == "p2"
    assert password(read(carrier={"password": ""})) == ""


def test_a_password_is_in_one_place(faults: Faulty) -> None:
    needs = "carriers[0]: needs exactly one of password, password_env, password_file"
    assert faults(carrier={"password": None}) == [f"{needs}, has none"]
    twice = faults(carrier={"password_env": "ALPHA"}, environ={"ALPHA": "x"})
    assert twice == [f"{needs}, has password and password_env"]


@pytest.mark.parametrize(
    ("carrier", "environ"),
    [
        ({"password": "s3cr3t" * 11}, {}),
        ({"password": ["s3cr3t"]}, {}),
        ({"password": {"s3": "s3cr3t"}}, {}),
        ({"password_env": "s3cr3t"}, {}),
        ({"password_env": "ALPHA"}, {"ALPHA": "s3cr3t" * 11}),
        ({"password_file": "s3cr3t"}, {}),
        ({"password_file": "s3cr3t\0"}, {}),
    ],
)
def test_no_fault_shows_a_password(
    faults: Faulty, carrier: dict[str, object], environ: dict[str, str]
) -> None:
    [line] = faults(carrier={"password": None, **carrier}, environ=environ)
    assert line.startswith(f"carriers[0].{next(iter(carrier))}: ")
    assert "s3cr3t" not in line


def test_settings_do_not_show_passwords(read: Read) -> None:
    assert password(read()) == "hunter2"
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


def test_tls_to_a_carrier_checks_its_name(read: Read, pem: Path) -> None:
    plain = read(carrier={"tls": True}).dispatch.carriers[0].binds[0]
    own = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
    tls = {key: str(pem / name) for key, name in own.items()} | {"server_name": "alpha.example"}
    stated = read(carrier={"tls": tls}).dispatch.carriers[0].binds[0]
    for bind in (plain, stated):
        assert bind.tls is not None
        assert bind.tls.check_hostname
        assert bind.tls.verify_mode is ssl.CERT_REQUIRED
    assert stated.server_name == "alpha.example"


def test_a_carrier_has_the_identity_of_its_binds(read: Read, pem: Path, tmp_path: Path) -> None:
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


def test_certificates_of_the_api_are_taken(read: Read, pem: Path) -> None:
    tls = {"cert": str(pem / "cert.pem"), "key": str(pem / "key.pem")}
    found = read(api={"tls": tls}).api.tls
    assert found is not None
    assert found.cert == tls["cert"]


def test_a_key_without_its_certificate_is_refused(faults: Faulty, pem: Path) -> None:
    [line] = faults(carrier={"tls": {"key": str(pem / "key.pem")}})
    assert line == "carriers[0].tls.cert: is missing; a key needs its certificate"


def test_fewer_binds_than_nodes_are_warned_of(read: Read) -> None:
    queue = {"backend": "postgresql", "dsn": "postgresql://db/gateway", "nodes": 3}
    [line] = warnings.found(read(queue=queue, carrier={"binds": 2}), date(2026, 11, 26))
    assert line.startswith(
        "carriers[0].binds: 2 is less than queue.nodes, so 1 of the 3 nodes accept and do not send"
    )
    assert warnings.found(read(queue=queue, carrier={"binds": 3}), date(2026, 11, 26)) == []

"""``[[carriers]]``: what a carrier's keys come to, with its password and certificates."""

import re
import ssl
from collections.abc import Mapping
from typing import Final

from msgspec import Struct, structs

from gateway.config import files
from gateway.config.keys import HOUR, PASSWORD, Carrier, CarrierTls, Octets, StatusAction
from gateway.config.reading import Faults, below, meant
from gateway.dispatch.carriers.actions import Action, Kind
from gateway.dispatch.carriers.addresses import NPI, TON, ByKind
from gateway.dispatch.carriers.fleet import CarrierSettings
from gateway.dispatch.intake.parameters import MOST, OPERATORS, parameter
from gateway.dispatch.options import WITHOUT_SHIFTS, CarrierOptions
from gateway.smpp.options import BindOptions, Mode
from gateway.smpp.receipt_states import NAMES, plain
from gateway.smpp.status import Status

_MODES: Final[Mapping[str, tuple[Mode, ...]]] = {
    "transceiver": ("transceiver",),
    "separate": ("transmitter", "receiver"),
}
_STATUSES: Final = {status.name: int(status) for status in Status if status}
_PASSWORDS: Final = ("password", "password_env", "password_file")


def build(
    carrier: Carrier, where: str, environ: Mapping[str, str], faults: Faults
) -> CarrierSettings:
    """The settings of the carrier at the path ``where``."""
    context: ssl.SSLContext | None = None
    digest = b""
    tls = CarrierTls() if carrier.tls is True else carrier.tls or None
    if tls is not None:
        context, digest = files.client_context(tls, f"{where}.tls", faults)
    bind = BindOptions(
        host=carrier.host,
        port=carrier.port,
        system_id=carrier.system_id,
        password=_password(carrier, where, environ, faults),
        window=carrier.window,
        enquire_link=carrier.enquire_link,
        response_timeout=carrier.response_timeout,
        interface_version=carrier.interface_version,
        system_type=carrier.system_type,
        address_range=carrier.address_range,
        addr_ton=carrier.address_ton,
        addr_npi=carrier.address_npi,
        server_name=tls.server_name if tls is not None else None,
    )
    binds = tuple(
        structs.replace(bind, mode=mode)
        for mode in _MODES[carrier.bind]
        for _ in range(carrier.binds)
    )
    for mistake in carrier.hours.mistakes() if carrier.hours is not None else ():
        faults.add("", f"{where}.hours.{mistake}")
    if carrier.dest_form == "national" and not carrier.country_code:
        faults.add(
            f"{where}.country_code",
            "is missing; it is needed because dest_form is 'national', and says whose numbers are",
        )
    if carrier.shift_tables:
        for key, value in (
            ("alphabet", carrier.alphabet),
            ("long_messages", carrier.long_messages),
        ):
            if value in WITHOUT_SHIFTS:
                faults.add(
                    f"{where}.shift_tables",
                    f"needs headers in texts of GSM 7, and {key} is {value!r}; leave one of them"
                    " out",
                )
    options = CarrierOptions(
        id=carrier.id,
        rate=carrier.rate,
        alphabet=carrier.alphabet,
        gsm7_coding=carrier.gsm7_coding,
        latin1_coding=carrier.latin1_coding,
        ucs2_coding=carrier.ucs2_coding,
        inbound_codings=_codings(carrier, f"{where}.inbound_codings", faults),
        service_type=carrier.service_type,
        source_ton=_by_kind(carrier.source_ton, TON),
        source_npi=_by_kind(carrier.source_npi, NPI),
        dest_ton=_by_kind(carrier.dest_ton, TON),
        dest_npi=_by_kind(carrier.dest_npi, NPI),
        country_code=carrier.country_code,
        dest_form=carrier.dest_form,
        trunk_prefix=carrier.trunk_prefix,
        validity_period=carrier.validity_period,
        min_validity=carrier.min_validity,
        receipt_id=carrier.receipt_id,
        long_receipts=carrier.long_receipts,
        long_messages=carrier.long_messages,
        shift_tables=tuple(dict.fromkeys(carrier.shift_tables)),
        receipt_states=_receipt_states(carrier, f"{where}.receipt_states", faults),
        accepted_is_delivered=carrier.accepted_is_delivered,
        receipt_wait=carrier.receipt_wait_hours * HOUR,
        unanswered=carrier.unanswered,
        statuses=_statuses(carrier, f"{where}.statuses", faults),
        hours=carrier.hours,
        bans=frozenset(carrier.bans),
        template_tlv=carrier.template_tlv,
        tlvs=parameters(carrier.tlvs, f"{where}.tlvs", faults),
    )
    # Contexts of the same files are not equal, so identity speaks of the files instead.
    return CarrierSettings(
        options=options,
        binds=tuple(structs.replace(one, tls=context) for one in binds),
        identity=(binds, tls, digest),
    )


def _by_kind(value: int | Struct | None, usual: ByKind) -> ByKind:
    """One for each kind of address: the same for all, or those of a table, or those of the book."""
    if value is None:
        return usual
    if isinstance(value, int):
        return ByKind._make([value] * len(usual))
    return usual._replace(**structs.asdict(value))


def _password(carrier: Carrier, where: str, environ: Mapping[str, str], faults: Faults) -> str:
    """The password, wherever it is kept. No fault ever shows it, nor what may be one by mistake."""
    given = [
        key
        for key in _PASSWORDS
        if getattr(carrier, key) is not None or faults.at(f"{where}.{key}")
    ]
    if len(given) != 1:
        has = " and ".join(given) or "none"
        faults.add(where, f"needs exactly one of {', '.join(_PASSWORDS)}, has {has}")
        return ""
    where = f"{where}.{given[0]}"
    if faults.at(where):
        return ""
    password = carrier.password
    if carrier.password_env is not None:
        password = environ.get(carrier.password_env)
        if password is None:
            faults.add(where, "the environment variable that it names is not set")
    elif carrier.password_file is not None:
        data = files.read(carrier.password_file, where, faults, "the file that it names")
        password = data.decode("latin-1").rstrip("\r\n")
    if password is not None and not re.search(PASSWORD.pattern or "", password):
        faults.add(where, f"what it names is not {PASSWORD.description}")
    return password or ""


def parameters(
    table: Mapping[str, str | Octets], where: str, faults: Faults
) -> tuple[tuple[int, bytes], ...]:
    """Optional parameters that a tenant's or a carrier's messages carry, by their tags."""
    found: dict[int, bytes] = {}
    if len(table) > MOST:
        faults.add(where, f"{len(table)} entries, over {MOST}")
    for name, value in table.items():
        given = bytes.fromhex(value.hex) if isinstance(value, Octets) else value
        try:
            tag, octets = parameter(name, given, OPERATORS)
        except ValueError as error:
            faults.add(below(where, name), str(error))
            continue
        if tag in found:
            faults.add(below(where, name), "the same tag as an entry before")
        found[tag] = octets
    return tuple(sorted(found.items()))


def _codings(carrier: Carrier, where: str, faults: Faults) -> dict[int, str]:
    """The alphabets of data_codings, by number."""
    found: dict[int, str] = {}
    for name, alphabet in carrier.inbound_codings.items():
        try:
            coding = int(name, 0)
        except ValueError:
            coding = -1
        if not 0 <= coding <= 255:
            faults.add(
                below(where, name),
                "not a data_coding: a number between 0 and 255, such as 15 or 0x0F",
            )
        elif coding in found:
            faults.add(below(where, name), "the same data_coding as an entry before")
        else:
            found[coding] = alphabet
    return found


def _statuses(carrier: Carrier, where: str, faults: Faults) -> dict[int, Action]:
    found: dict[int, Action] = {}
    for name, entry in carrier.statuses.items():
        status = _status(name)
        if status is None:
            faults.add(
                below(where, name),
                "not a command_status: a name such as ESME_RSUBMITFAIL or a number between 1 and "
                f"4294967295{meant(name, _STATUSES)}",
            )
        elif status in found:
            faults.add(below(where, name), "the same status as an entry before")
        else:
            found[status] = _action(entry)
    return found


def _receipt_states(carrier: Carrier, where: str, faults: Faults) -> dict[str, int]:
    found: dict[str, int] = {}
    for word, name in carrier.receipt_states.items():
        known = plain(word)
        if not known or re.search(r"[\s,;]", word) or "*" in known[:-1]:
            faults.add(
                below(where, word),
                "not a word that stands behind stat: in a receipt, or the beginning of one and *",
            )
        elif known in found:
            faults.add(below(where, word), "the same word as an entry before")
        else:
            found[known] = NAMES.index(name)
    return found


def _status(name: str) -> int | None:
    """The command_status of that name or number."""
    try:
        status = _STATUSES.get(name) or int(name, 0)
    except ValueError:
        return None
    return status if 0 < status < 1 << 32 else None


def _action(entry: Kind | StatusAction) -> Action:
    if isinstance(entry, str):
        entry = StatusAction(do=entry)
    if entry.do == "wait":
        return Action(entry.do, entry.delay, entry.tries, entry.slows)
    return Action(entry.do, slows=entry.slows)

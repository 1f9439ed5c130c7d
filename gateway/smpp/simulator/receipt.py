"""What a simulated carrier's receipts and ids look like."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

import msgspec

from gateway.smpp import tlv
from gateway.smpp.pdu import DataSm, DeliverSm, SubmitSm
from gateway.smpp.receipt_states import STATS
from gateway.smpp.simulator.options import IdForm, ReceiptForm

DELIVERED: Final = 2
DELETED: Final = 4
_RECEIPT = 0x04

_TEXT_CODINGS = (0, 1, 3)
"""The data_codings whose octets a receipt can repeat as they are."""


class Taken(msgspec.Struct, gc=False):
    """A submit_sm that was taken.

    Attributes:
        ref: its message id, as in the response.
        receipt_ref: its message id, as in the receipt.
        state: the message_state that it will have in the end.
        taken_at: Unix seconds.
        done_at: when it has that state, in Unix seconds.
    """

    ref: str
    receipt_ref: str
    pdu: SubmitSm
    state: int
    taken_at: float
    done_at: float


def _uuid(number: int) -> str:
    # Spread over all bits, so that no part of the ids looks like a counter.
    return str(UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128)))


IDS: Final[Mapping[IdForm, Callable[[int], tuple[str, str]]]] = {
    "same": lambda number: (str(number),) * 2,
    "hex_dec": lambda number: (f"{number:x}", str(number)),
    "dec_hex": lambda number: (str(number), f"{number:X}"),
    "padded": lambda number: (str(number), f"{number:016}"),
    "uuid": lambda number: (_uuid(number),) * 2,
}
"""The ids in the response and in the receipt, by the message's number."""


def _text(taken: Taken) -> bytes:
    repeated = taken.pdu.short_message[:20] if taken.pdu.data_coding in _TEXT_CODINGS else b""
    delivered = taken.state == DELIVERED
    head = (
        f"id:{taken.receipt_ref} sub:001 dlvrd:00{delivered:d}"
        f" submit date:{_minute(taken.taken_at // 60)} done date:{_minute(taken.done_at // 60)}"
        f" stat:{STATS[taken.state]} err:{'000' if delivered else '001'} text:"
    )
    return head.encode("ascii") + repeated


@lru_cache(maxsize=1024)
def _minute(minutes: float) -> str:
    return datetime.fromtimestamp(minutes * 60, UTC).strftime("%y%m%d%H%M")


def _parameters(taken: Taken) -> tlv.Tlvs:
    return (tlv.RECEIPTED_MESSAGE_ID.of(taken.receipt_ref), tlv.MESSAGE_STATE.of(taken.state))


def _deliver_sm(taken: Taken, short_message: bytes, tlvs: tlv.Tlvs) -> DeliverSm:
    submitted = taken.pdu
    return DeliverSm(
        source_addr_ton=submitted.dest_addr_ton,
        source_addr_npi=submitted.dest_addr_npi,
        source_addr=submitted.destination_addr,
        dest_addr_ton=submitted.source_addr_ton,
        dest_addr_npi=submitted.source_addr_npi,
        destination_addr=submitted.source_addr,
        esm_class=_RECEIPT,
        short_message=short_message,
        tlvs=tlvs,
    )


def _data_sm(taken: Taken) -> DataSm:
    submitted = taken.pdu
    return DataSm(
        source_addr_ton=submitted.dest_addr_ton,
        source_addr_npi=submitted.dest_addr_npi,
        source_addr=submitted.destination_addr,
        dest_addr_ton=submitted.source_addr_ton,
        dest_addr_npi=submitted.source_addr_npi,
        destination_addr=submitted.source_addr,
        esm_class=_RECEIPT,
        tlvs=(*_parameters(taken), tlv.MESSAGE_PAYLOAD.of(_text(taken))),
    )


RECEIPTS: Final[Mapping[ReceiptForm, Callable[[Taken], DeliverSm | DataSm]]] = {
    "text": lambda taken: _deliver_sm(taken, _text(taken), ()),
    "payload": lambda taken: _deliver_sm(taken, b"", (tlv.MESSAGE_PAYLOAD.of(_text(taken)),)),
    "tlv": lambda taken: _deliver_sm(taken, b"", _parameters(taken)),
    "data_sm": _data_sm,
}
"""The receipt on a message in its final state."""

"""Receipts that are another node's, where several share a store: a carrier sends them over any
bind, and the node that sends to the phone has the part in memory.

Those of one round go in a row for each carrier and node, which the node takes up within moments.
A receipt is passed on once: whoever has it then looks for what it means by itself.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from gateway.dispatch.carriers.carriers import Carrier
from gateway.dispatch.settling.outcomes import DELIVERED
from gateway.numbers import from_carrier
from gateway.queue.store import Held
from gateway.smpp.pdu import DataSm, DeliverSm
from gateway.smpp.quick import Told

PASSED_ON_FOR: Final = 24 * 3600.0
"""Seconds that what one node has received may wait for another; it takes 50 ms."""


class Receipts(msgspec.Struct, array_like=True):
    """Receipts of a carrier that one node has received for another.

    Attributes:
        told: those of the form of the book that say a part is delivered.
        deliver, data: the others, as they came.
    """

    carrier: str
    told: list[Told] = []
    deliver: list[DeliverSm] = []
    data: list[DataSm] = []

    @property
    def pdus(self) -> Iterator[DeliverSm | DataSm]:
        """The others."""
        yield from self.deliver
        yield from self.data


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Receipts).decode


def receipts_of(held: Held) -> Receipts:
    """Receipts that another node has received."""
    return _decode(held.body)


class Passing:
    """The receipts of one round that are other nodes'.

    Args:
        taker: see `gateway.queue.store.Store.taker`.
    """

    def __init__(self, taker: Callable[[str], int | None]) -> None:
        self._taker = taker
        self._rows: dict[tuple[str, int], tuple[Receipts, str]] = {}

    def pass_told(self, carrier: Carrier, told: Told) -> bool:
        """Pass a receipt on that says a part is delivered; False where it is to be looked at
        here."""
        source, _, _, word = told
        if carrier.words[word] != DELIVERED:
            return False
        receipts = self._of(carrier, source)
        if receipts is None:
            return False
        receipts.told.append(told)
        return True

    def pass_on(self, carrier: Carrier, pdu: DeliverSm | DataSm) -> bool:
        """Pass any other one on."""
        phone = from_carrier(pdu.source_addr, pdu.source_addr_ton, carrier.options.country_code)
        receipts = self._of(carrier, phone or pdu.source_addr)
        if receipts is None:
            return False
        if isinstance(pdu, DeliverSm):
            receipts.deliver.append(pdu)
        else:
            receipts.data.append(pdu)
        return True

    def _of(self, carrier: Carrier, phone: str) -> Receipts | None:
        taker = self._taker(phone)
        if taker is None:
            return None
        name = carrier.options.id
        found = self._rows.get((name, taker))
        if found is None:
            found = self._rows[name, taker] = (Receipts(name), phone)
        return found[0]

    def held(self, name: Callable[[], str], now: float) -> list[Held]:
        """What is to be kept for the others, each under a name of its own."""
        return [
            Held("receipts", name(), _encode(receipts), now + PASSED_ON_FOR, phone)
            for receipts, phone in self._rows.values()
        ]

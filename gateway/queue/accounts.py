"""What becomes of what messages were charged with, alike for the engines that keep rows."""

import msgspec

from gateway.message import Message
from gateway.queue.store import Settlement, went


class Settling(msgspec.Struct):
    """What messages cost after all, by their number and account, those that cost nothing, and those
    that are done with."""

    costs: dict[tuple[int, str], int] = {}
    back: list[int] = []
    done: dict[int, None] = {}


def settling(settlement: Settlement) -> Settling:
    """What becomes of what messages were charged with. Of several outcomes the first counts."""
    rows = Settling()
    for sent in settlement.sent:
        if sent.message.charges:
            _cost(rows, sent.message, sent.carrier)
    for final in settlement.finals:
        message = final.message
        if message.charges and message.id not in rows.done:
            rows.done[message.id] = None
            if went(final.event):
                _cost(rows, message, (final.event.detail or {}).get("carrier"))
            else:
                rows.back.append(message.id)
    return rows


def _cost(rows: Settling, message: Message, carrier: str | None) -> None:
    for one in message.charges:
        if one.by_carrier and carrier is not None:
            rows.costs[message.id, one.account] = one.at(carrier)

"""The gateway's own answers to phones: by the carrier and from the number that they texted.

A phone gets one of each kind a day from each tenant, however often it asks: some phones answer by
themselves, and two of those would never end. That is on record, so that it holds after a restart.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec
import structlog

from gateway.dispatch.intake.intake import Intake
from gateway.dispatch.intake.tenants import Tenant
from gateway.dispatch.release.routing import direct
from gateway.errors import StoreError
from gateway.message import Message
from gateway.numbers import canonical
from gateway.ops.metrics import Metrics
from gateway.policy import senders
from gateway.queue.store import Held, Settlement
from gateway.text.errors import TextError
from gateway.text.measuring import measure

log = structlog.get_logger(__name__)

VALIDITY: Final = 300.0
"""Seconds in which an answer is worth sending (field facts D: within five minutes)."""

AGAIN_AFTER: Final = 86_400.0
"""Seconds after which the same is answered again."""

REMEMBERED: Final = 100_000
"""Answers that are remembered, the latest: some 30 MB."""

_Name = tuple[str, str, str]
_decode_name = msgspec.json.Decoder(_Name).decode


class Caller(NamedTuple):
    """Who is answered: the phone, the carrier that its text came by, and the number it texted."""

    phone: str
    carrier: str
    number: str


class Replies:
    """Decides whether an answer goes out, and sends it."""

    def __init__(self, intake: Intake, metrics: Metrics) -> None:
        self._intake = intake
        self._metrics = metrics
        self._sent: OrderedDict[_Name, float] = OrderedDict()
        self._waiting: list[Message] = []

    def recover(self, held: Iterable[Held]) -> None:
        """Take over what was answered, from an opened store."""
        mine = sorted((one for one in held if one.kind == "reply"), key=lambda one: one.expires_at)
        for one in mine:
            self._sent[_decode_name(one.key)] = one.expires_at - AGAIN_AFTER

    def leave(self, keeps: Callable[[str], bool]) -> None:
        """Forget what phones had that are not kept: another node knows it now."""
        for name in [name for name in self._sent if not keeps(name[1])]:
            del self._sent[name]

    def want(
        self, kind: str, text: str, tenant: Tenant, to: Caller, now: float, settlement: Settlement
    ) -> bool:
        """Answer a phone, whatever its opt-outs and the hour, once the settlement is durable:
        unless the text is empty, or the phone had the same today. Says whether it is answered."""
        sender = senders.normalise(to.number) if to.number else tenant.options.sender
        if not text or sender is None:
            return False
        name: _Name = (tenant.options.id, canonical(to.phone), kind)
        last = self._sent.get(name)
        if last is not None and last <= now < last + AGAIN_AFTER:
            self._metrics.replies.add(1, tenant.options.id, kind, "spared")
            return False
        route = direct(to.carrier)
        router = self._intake.drafter.router
        try:
            encoding, parts = measure(
                text, "auto", route in router.narrow, router.tables.get(route, ())
            )
        except TextError as error:
            log.error("reply_unencodable", tenant=tenant.options.id, kind=kind, reason=str(error))
            return False
        self._note(name, now, settlement)
        self._metrics.replies.add(1, tenant.options.id, kind, "sent")
        self._waiting.append(
            Message(
                self._intake.number(),
                tenant.options.id,
                to.phone,
                sender,
                text,
                "transactional",
                route,
                encoding,
                parts,
                now,
                now,
                now + VALIDITY,
                exempt=True,
                reply=kind,
                tlvs=tenant.options.tlvs,
            )
        )
        return True

    async def send(self) -> None:
        """What was decided is durable: hand over the answers."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        try:
            await self._intake.reply(waiting)
        except StoreError as error:
            log.error("reply_failed", reason=str(error), replies=len(waiting))

    def forget(self, now: float, settlement: Settlement) -> None:
        """Let go of what may be answered again."""
        while self._sent:
            name, at = next(iter(self._sent.items()))
            if at + AGAIN_AFTER > now:
                break
            self._drop(name, settlement)

    def _note(self, name: _Name, now: float, settlement: Settlement) -> None:
        self._sent.pop(name, None)
        self._sent[name] = now
        settlement.hold.append(Held("reply", _key(name), b"", now + AGAIN_AFTER, name[1]))
        if len(self._sent) > REMEMBERED:
            self._drop(next(iter(self._sent)), settlement)

    def _drop(self, name: _Name, settlement: Settlement) -> None:
        del self._sent[name]
        settlement.drop.append(("reply", _key(name)))


def _key(name: _Name) -> str:
    return msgspec.json.encode(name).decode()

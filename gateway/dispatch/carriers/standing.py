"""How a carrier stands, as the log tells it: a line when it changes, and none while it goes on.

That no bind of it can send, or receive; that it refuses to let us bind, for a reason that only a
person mends; that it throttles. Each is a warning once, not at every attempt, and the end of it is
told too. The lines of single binds are `gateway.smpp.bind`'s, and how often something happens is
for metrics.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import structlog

from gateway.smpp.bind import HOPELESS, Bind
from gateway.smpp.options import Mode
from gateway.smpp.status import status_name

CALM: Final = 60.0
"""Seconds without a word of throttling after which it is over. The search for the rate that a
carrier bears meets its limit more often than that while there is something to send."""

ABILITIES: Final[Mapping[str, frozenset[Mode]]] = {
    "send": frozenset({"transceiver", "transmitter"}),
    "receive": frozenset({"transceiver", "receiver"}),
}
"""What a carrier's binds are for, and which modes do it."""

COMPARE: Final = (
    "compare system_id, password and system_type with what the carrier gave you, and ask whether"
    " the account is open to this address"
)

WAIT: Final = (
    "none: a bind is tried every few seconds, and taken once the carrier ends the old session, for"
    " want of answers to enquire_link"
)

log = structlog.get_logger(__name__)


class BindStanding(msgspec.Struct, frozen=True):
    """How a bind stands: ``up`` since when, and why it was lost or failed last, and when."""

    up: bool = False
    since: float | None = None
    error: str | None = None
    error_at: float | None = None


class Standing:
    """What was told of a carrier, and of which binds. ``now`` is any clock in seconds."""

    def __init__(self, carrier: str) -> None:
        self._carrier = carrier
        # Why a bind is not up: "" where it is, None where its first attempt is still under way.
        self._why: dict[Bind, str | None] = {}
        self._refused: dict[Bind, tuple[int, str]] = {}
        self._stands: dict[str, BindStanding] = {}
        self._cannot: tuple[str, ...] = ()
        self._down_since = 0.0
        self._throttled_since: float | None = None
        self._throttled_last = 0.0

    def use(self, binds: Sequence[Bind]) -> None:
        """These are its binds from now on, new ones about to make their first attempt."""
        self._why = {bind: self._why.get(bind) for bind in binds}
        self._refused = {bind: what for bind, what in self._refused.items() if bind in binds}
        if not binds:
            self._cannot = ()
        names = {bind.name for bind in binds}
        self._stands = {name: one for name, one in self._stands.items() if name in names}

    def of(self, bind: str) -> BindStanding:
        """How a bind of this name stands."""
        return self._stands.get(bind, BindStanding())

    @property
    def down_since(self) -> float | None:
        """Since when no bind can send, or none can receive; None where it is otherwise."""
        return self._down_since if self._cannot else None

    @property
    def throttled_since(self) -> float | None:
        """Since when it refuses parts for coming too fast; None where it does not."""
        return self._throttled_since

    def bound(self, bind: Bind, now: float) -> None:
        """A bind is up."""
        before = self.of(bind.name)
        self._stands[bind.name] = BindStanding(True, now, before.error, before.error_at)
        self._refused.pop(bind, None)
        self._judge(bind, "", now)

    def lost(self, bind: Bind, reason: str, now: float) -> None:
        """A bind was up and is not any more."""
        self._stands[bind.name] = BindStanding(False, now, reason, now)
        self._judge(bind, reason, now)

    def failed(self, bind: Bind, reason: str, status: int, now: float) -> None:
        """An attempt of a bind came to nothing; ``status`` is the carrier's refusal, if it was."""
        before = self.of(bind.name)
        since = now if before.since is None else before.since
        self._stands[bind.name] = BindStanding(False, since, reason, now)
        if status and bind in self._why:
            self._note_refusal(bind, status)
        self._judge(bind, reason, now)

    def _note_refusal(self, bind: Bind, status: int) -> None:
        whose = bind.left.whose if bind.left and bind.explained(status) else ""
        if not whose and status not in HOPELESS:
            return
        if (status, whose) not in self._refused.values():
            tell = {"carrier": self._carrier, "bind": bind.name, "status": status_name(status)}
            if whose:
                log.warning("session_left", session_of=whose, mend=WAIT, **tell)
            else:
                log.warning("bind_refused", mend=COMPARE, **tell)
        self._refused[bind] = status, whose

    def throttled(self, now: float, limit: float) -> None:
        """The carrier refused parts for coming too fast; ``limit`` is what it is given now."""
        self.look(now, limit)
        if self._throttled_since is None:
            self._throttled_since = now
            log.warning("throttled", carrier=self._carrier, parts_per_second=round(limit, 1))
        self._throttled_last = now

    def look(self, now: float, limit: float) -> None:
        """See whether what was told is over, which only time tells."""
        since = self._throttled_since
        self._throttled_last = min(self._throttled_last, now)  # a clock that was set back
        if since is not None and now - self._throttled_last >= CALM:
            self._throttled_since = None
            log.info(
                "throttling_over",
                carrier=self._carrier,
                seconds=max(0, round(self._throttled_last - since)),
                parts_per_second=round(limit, 1),
            )

    def _judge(self, bind: Bind, why: str, now: float) -> None:
        if bind not in self._why or bind.draining:
            return  # it ends because we want it to
        self._why[bind] = why
        cannot = tuple(ability for ability, modes in ABILITIES.items() if self._lacks(modes))
        if cannot == self._cannot:
            return
        if not self._cannot:
            self._down_since = now
        self._cannot = cannot
        if cannot:
            binds = len(self._why)
            log.warning(
                "carrier_down", carrier=self._carrier, cannot=cannot, binds=binds, detail=why
            )
        else:
            seconds = max(0, round(now - self._down_since))
            log.info("carrier_up", carrier=self._carrier, seconds=seconds)

    def _lacks(self, modes: frozenset[Mode]) -> bool:
        """Whether there are binds of these modes, and each of them is known to be down."""
        whys = [why for bind, why in self._why.items() if bind.options.mode in modes]
        return bool(whys) and all(whys)

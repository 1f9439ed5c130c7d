"""Which carrier takes a message: routes with their carriers, by weight, with backups."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from gateway.dispatch.carriers.carriers import ENOUGH, Carrier, Limit
from gateway.dispatch.release.routing import (
    DEFAULT_ROUTE,
    CarrierShare,
    RouteOptions,
    direct,
    is_direct,
)
from gateway.message import URGENT, Category, Message

AVOIDING = 50_000
"""Messages that are known to avoid a carrier which refused them, the latest: about 20 MB. One that
is forgotten may be refused by it once more."""

REROUTED = 1_000
"""Parts at once that leave a route which is there no more."""


DOWN = 30.0
"""Seconds after which a message is tried again whose only carrier at this hour is down."""


LEAST_LEAD: Final = 3.0
"""Parts, for each unit of weight, that others may be ahead by at least."""

LEAD: Final = 1.0
"""Seconds' worth of the route's parts that others may be ahead by: what one that had no room for a
moment catches up with, and for how long, at most, one that comes back is given all there is."""


class _Shares:
    """Who of a route's carriers has had how much lately, by weight. Levels are parts for each unit
    of weight.

    Each carrier has its weight's share of the parts, as exactly as whole messages allow, while all
    have room. One that had none for a while (it was down, or slow) then has a little more until it
    is even, but not what it missed: it would be given everything for as long as that takes.
    """

    def __init__(self) -> None:
        self._levels: dict[str, float] = {}
        self._since = 0.0  # a second of counting began
        self._parts = 0
        self._before = 0  # parts in the one before

    def level(self, name: str) -> float:
        """How much a carrier has had: the one with the least is next."""
        return self._levels.get(name, 0.0)

    def add(self, name: str, weight: int, parts: int) -> None:
        """A carrier has been given so many parts."""
        self._levels[name] = self._levels.get(name, 0.0) + parts / weight
        self._parts += parts

    def even_out(self, weights: Mapping[str, int], now: float) -> None:
        """Count from the level of the least used carrier up, and forget what is too far ahead of
        it; ``weights`` has all that are up."""
        flow = max(self._before, self._parts) / sum(weights.values())
        most = max(LEAST_LEAD, flow)
        floor = min(map(self.level, weights))
        self._levels = {name: min(self.level(name) - floor, most) for name in weights}
        if not 0.0 <= now - self._since < LEAD:
            self._since, self._before, self._parts = now, self._parts, 0


class _Route:
    """A route with its carriers looked up, and how many parts each has had."""

    def __init__(self, options: RouteOptions, carriers: Mapping[str, Carrier]) -> None:
        self.shares = [
            (carriers[share.id], max(share.weight, 1))
            for share in options.carriers
            if share.id in carriers
        ]
        self.backup = [carriers[name] for name in options.backup if name in carriers]
        self.had = _Shares()

    def usable(self) -> list[tuple[Carrier, int]]:
        """The carriers that take messages now: those that share the load, are up and not paused;
        failing them, the first backup that is."""
        found = [(carrier, weight) for carrier, weight in self.shares if carrier.usable]
        if not found:
            found = [(carrier, 1) for carrier in self.backup if carrier.usable][:1]
        return found

    @property
    def paused(self) -> bool:
        """Whether messages wait because what could take them is paused."""
        return any(carrier.paused and carrier.up for carrier in self.carriers())

    def carriers(self) -> Iterable[Carrier]:
        yield from (carrier for carrier, _ in self.shares)
        yield from self.backup

    def names(self) -> Iterable[str]:
        return (carrier.options.id for carrier in self.carriers())

    def shut(self, message: Message, at: float) -> dict[str, float]:
        """The carriers that do not take a message at this hour, and when each will again."""
        found = {}
        for carrier in self.carriers():
            if carrier.hours is not None:
                opens = carrier.hours.opens(message, at)
                if opens > at:
                    found[carrier.options.id] = opens
        return found


class CarrierPool:
    """All carriers, by route."""

    def __init__(self) -> None:
        self.carriers: dict[str, Carrier] = {}
        self._routes: dict[str, _Route] = {}
        self._routes_of: dict[str, list[str]] = {}
        self._avoid: OrderedDict[int, set[str]] = OrderedDict()

    def configure(self, carriers: Iterable[Carrier], routes: Iterable[RouteOptions]) -> None:
        """Use these carriers and routes from now on; with no route, every carrier shares one. Each
        carrier is a route of its own too, see `direct`."""
        self.carriers = {carrier.options.id: carrier for carrier in carriers}
        own = [RouteOptions(direct(name), [CarrierShare(name)]) for name in self.carriers]
        self._routes = {route.name: _Route(route, self.carriers) for route in [*routes, *own]}
        self._routes_of = {name: [] for name in self.carriers}
        for route in self.routes:
            for name in dict.fromkeys(self._routes[route].names()):
                self._routes_of[name].append(route)

    def has_route(self, name: str) -> bool:
        return name in self._routes

    @property
    def routes(self) -> list[str]:
        """The names of all routes, but for those that are one carrier."""
        return [name for name in self._routes if not is_direct(name)]

    def room(self, route: str, now: float, category: Category = URGENT) -> int:
        """Parts of a category that could go out on a route at once, as far as that matters
        (`ENOUGH`). One that a reload has removed has room for its messages to be given another
        route."""
        found = self._routes.get(route)
        if found is None:
            return REROUTED
        room = 0
        for carrier, _ in found.usable():
            room += carrier.room(now, category)
            if room >= ENOUGH:
                break
        return room

    def limited_by(
        self, route: str, now: float, category: Category
    ) -> Limit | Literal["no_bind", "paused"] | None:
        """Why a route has no `room` for a category; None where it has some. Of several carriers
        it is the first that tells."""
        found = self._routes.get(route)
        if found is None:
            return None
        limits = [carrier.limited_by(now, category) for carrier, _ in found.usable()]
        if not limits:
            return "paused" if found.paused else "no_bind"
        return None if None in limits else limits[0]

    def holds(self, route: str) -> bool:
        """Whether nothing is sent on a route because its carriers that are up are paused."""
        found = self._routes.get(route)
        return found is not None and found.paused and not found.usable()

    def routes_of(self, carrier: str) -> list[str]:
        """The routes that may use a carrier, but for its own."""
        return self._routes_of.get(carrier, [])

    def carriers_of(self, route: str) -> Iterable[str]:
        """The names of the carriers that a route may use."""
        found = self._routes.get(route)
        return () if found is None else found.names()

    @property
    def torn(self) -> bool:
        """Whether parts wait to be sent once more."""
        return any(carrier.torn for carrier in self.carriers.values())

    def ready_at(self, now: float) -> float | None:
        """When time alone will give some carrier room or parts to send once more."""
        moments = (carrier.ready_at(now) for carrier in self.carriers.values())
        return min((at for at in moments if at is not None), default=None)

    def place(
        self, route: str, messages: Sequence[Message], now: float, at: float | None = None
    ) -> tuple[list[tuple[Carrier, list[Message]]], list[Message]]:
        """Share messages out by weight among the carriers of a route that have room and take them
        at this hour.

        Args:
            route: its name.
            messages: what to share out.
            now: the moment by which tokens are counted.
            at: when the messages will be written; left out, ``now``.

        Returns:
            which carrier gets which messages, in order, and the messages that none can take now.
        """
        found = self._routes.get(route)
        usable = found.usable() if found else []
        if found is None or not usable:
            return [], list(messages)
        if len(usable) == 1 and not self._avoid and usable[0][0].hours is None:
            return [(usable[0][0], list(messages))], []
        room = {carrier.options.id: carrier.room(now) for carrier, _ in usable}
        weights = {carrier.options.id: weight for carrier, weight in usable}
        placed: dict[str, list[Message]] = {}
        left: list[Message] = []
        for message in messages:
            passed_over = found.shut(message, now if at is None else at).keys() | self._avoid.get(
                message.id, set()
            )
            name = min(
                (
                    (found.had.level(carrier.options.id), carrier.options.id)
                    for carrier, _ in usable
                    if room[carrier.options.id] > 0 and carrier.options.id not in passed_over
                ),
                default=(0.0, None),
            )[1]
            if name is None and passed_over:
                name = next(
                    (
                        backup.options.id
                        for backup in found.backup
                        if backup.options.id not in passed_over
                        and room.setdefault(backup.options.id, backup.room(now)) > 0
                    ),
                    None,
                )
            if name is None:
                left.append(message)
                continue
            room[name] -= message.parts
            found.had.add(name, weights.get(name, 1), message.parts)
            placed.setdefault(name, []).append(message)
        found.had.even_out(weights, now)
        return [(self.carriers[name], batch) for name, batch in placed.items()], left

    def takes_from(self, message: Message, at: float) -> float | None:
        """From when on a carrier of its route would take a message that none took at ``at``, where
        that is because of the hours that carriers keep; None where it is not. It is ``at`` itself
        where one is open and up and only has no room."""
        route = self._routes.get(message.route)
        shut = {} if route is None else route.shut(message, at)
        if route is None or not shut:
            return None
        avoided = self._avoid.get(message.id, ())
        left = [carrier for carrier in route.carriers() if carrier.options.id not in avoided]
        opened = [carrier for carrier in left if carrier.options.id not in shut]
        if any(carrier.usable for carrier in opened):
            return at
        openings = [shut[carrier.options.id] for carrier in left if carrier.options.id in shut]
        if opened:  # and down: nobody knows for how long
            openings.append(at + DOWN)
        return min(openings, default=None)

    def avoid(self, message: Message, carrier: str) -> bool:
        """Do not try this carrier again for a message; says whether another one is left."""
        avoided = self._avoid.setdefault(message.id, set())
        avoided.add(carrier)
        if len(self._avoid) > AVOIDING:
            self._avoid.popitem(last=False)
        route = self._routes.get(message.route)
        left = route is not None and any(name not in avoided for name in route.names())
        if not left:
            self._avoid.pop(message.id, None)
        return left

    @property
    def avoided(self) -> int:
        """How many messages are known to avoid a carrier."""
        return len(self._avoid)

    def settled(self, messages: Iterable[Message]) -> None:
        """Messages have their outcomes: forget which carriers they avoided."""
        if self._avoid:
            for message in messages:
                self._avoid.pop(message.id, None)


def routes_or_default(
    routes: Sequence[RouteOptions], carriers: Iterable[str]
) -> list[RouteOptions]:
    """The configured routes; without any, one that shares the load among every carrier."""
    return list(routes) or [
        RouteOptions(name=DEFAULT_ROUTE, carriers=[CarrierShare(id=name) for name in carriers])
    ]

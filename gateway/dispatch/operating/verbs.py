"""What operators have done, verb by verb. Each says what was and what is otherwise now, and refuses
what is not there, is so already, or has changed since it was looked at."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from gateway.api.schema import Accepted, OptoutResult, Rejected, SubmitMessage
from gateway.dispatch.core import Dispatch
from gateway.dispatch.operating.sights import Sights, which
from gateway.dispatch.operating.traces import phone_of
from gateway.dispatch.release.stops import RateSet, Stop
from gateway.errors import RequestError
from gateway.message import CATEGORIES
from gateway.ops import commands
from gateway.ops.operations import Caller, Configuration
from gateway.ops.problems import ProblemError
from gateway.ops.views import Done, Target
from gateway.queue.operators import OperatorStore, Owing, Which
from gateway.queue.store import GLOBAL, OptoutChange

AT_ONCE: Final = 10_000
"""Messages that a carrier owes receipts for and that are expired or requeued by one call: about a
second's work."""


class Verbs:
    """Does what operators want."""

    def __init__(
        self,
        dispatch: Dispatch,
        store: OperatorStore,
        sights: Sights,
        configuration: Configuration,
        clock: Callable[[], float],
    ) -> None:
        self._dispatch = dispatch
        self._store = store
        self._sights = sights
        self._configuration = configuration
        self._clock = clock

    async def do(self, command: commands.Command, caller: Caller) -> Done:
        """Do what a command says. Raises ProblemError or StoreError where it is not done."""
        match command:
            case commands.Pause():
                return await self._pause(command, caller)
            case commands.Resume():
                return await self._resume(command)
            case commands.Drain():
                return self._drain(command)
            case commands.Rebind():
                return self._rebind(command)
            case commands.Move() | commands.MoveBack():
                return await self._move(command)
            case commands.SetRate():
                return await self._set_rate(command, caller)
            case commands.UnsetRate():
                return await self._unset_rate(command)
            case commands.Cancel():
                return await self._cancel(command)
            case commands.Settle():
                return await self._settle(command)
            case commands.Disconnect():
                return self._disconnect(command)
            case commands.ChangeOptout():
                return await self._change_optout(command)
            case commands.Erase():
                return await self._erase(command)
            case commands.SendTest():
                return await self._send_test(command)
            case commands.Reload():
                return await self._reload(command)
        raise ProblemError("bad_request", f"{command.verb} is no verb")

    # --- pauses ---

    async def _pause(self, command: commands.Pause, caller: Caller) -> Done:
        target, now = command.target, self._clock()
        self._check_target(target)
        stops = self._dispatch.stops
        before = stops.get(target)
        until = None if command.seconds is None else now + command.seconds
        if before is not None and before.until == until:
            raise ProblemError("already_so", f"{target} is paused already, by {before.by}")
        if before is None and stops.full:
            raise ProblemError("bad_request", "there are too many pauses: resume some")
        stop = Stop(target, caller.name, now, until, command.why)
        await stops.pause(stop)
        return Done(
            verb=command.verb,
            subject=command.subject,
            messages=await self._held(target),
            before={"paused": _told(before)},
            after={"paused": _told(stop)},
        )

    async def _resume(self, command: commands.Resume) -> Done:
        target = command.target
        stops, holds = self._dispatch.stops, self._dispatch.upkeep.steering.holds
        before = stops.get(target)
        if before is None:
            own = target.tenant is not None and holds.paused_at(target.tenant, target.name)
            raise ProblemError(
                "already_so",
                f"{target} is paused by its tenant, which alone resumes it"
                if own
                else f"{target} is not paused",
            )
        if command.extend is not None and target.scope != "campaign":
            raise ProblemError("bad_request", "extend: only a campaign's messages are given time")
        held = await self._held(target)
        await stops.resume(target)
        if command.extend is not None and target.tenant is not None:
            await self._dispatch.upkeep.steering.extend(target.tenant, target.name, command.extend)
        return Done(
            verb=command.verb,
            subject=command.subject,
            messages=held,
            before={"paused": _told(before)},
            after={"paused": None, **({"extended": command.extend} if command.extend else {})},
        )

    def _check_target(self, target: Target) -> None:
        """Refuse to pause what is not there; a campaign may be paused in advance."""
        dispatch = self._dispatch
        known: dict[str, list[str]] = {
            "carrier": [one.options.id for one in dispatch.fleet.carriers],
            "tenant": [one.id for one in dispatch.options.tenants],
            "category": list(CATEGORIES),
            "route": dispatch.pool.routes,
        }
        if target.scope == "campaign":
            if target.tenant not in known["tenant"]:
                raise ProblemError("not_found", f"tenant: there is none called {target.tenant!r}")
            return
        if target.tenant is not None:
            raise ProblemError("bad_request", f"tenant: a {target.scope} has none")
        if target.name not in known[target.scope]:
            raise ProblemError("not_found", f"there is no {target}")

    async def _held(self, target: Target) -> int:
        """How many messages wait for the end of a pause."""
        if target.scope == "carrier":
            queues = await self._sights.queues()
            pool = self._dispatch.pool
            return sum(q.messages for q in queues if target.name in pool.carriers_of(q.route))
        return await self._count(which(target))

    async def _count(self, those: Which) -> int:
        here = sum(
            len(lane.messages) for lane in self._dispatch.lanes.each() if those.takes(lane.key)
        )
        return here + await self._store.waiting_where(those)

    # --- carriers ---

    def _drain(self, command: commands.Drain) -> Done:
        carrier, bind = self._dispatch.fleet.bind(command.bind)
        if bind.draining:
            raise ProblemError("already_so", f"{command.bind} is drained already")
        before = "bound" if bind.up else "down"
        self._dispatch.fleet.let_go(carrier, bind)
        return Done(
            verb=command.verb,
            subject=command.subject,
            messages=bind.in_use,
            before={"state": before},
            after={"state": "drained"},
            detail="until it is bound again, or the gateway starts",
        )

    def _rebind(self, command: commands.Rebind) -> Done:
        carrier, bind = self._dispatch.fleet.bind(command.bind)
        before = "drained" if bind.draining else "bound" if bind.up else "down"
        self._dispatch.fleet.replace(carrier, bind)
        return Done(
            verb=command.verb,
            subject=command.subject,
            messages=bind.in_use,
            before={"state": before},
            after={"state": "connecting"},
        )

    async def _move(self, command: commands.Move | commands.MoveBack) -> Done:
        away, name = isinstance(command, commands.Move), command.node
        nodes = await self._store.nodes()
        node = next((one for one in nodes if one.name == name), None)
        if node is None:
            raise ProblemError("not_found", f"there is no node {name!r} on this store")
        if node.moved == away:
            raise ProblemError(
                "already_so", f"node {name} is {'moved away already' if away else 'not moved away'}"
            )
        if away and not any(one.alive and not one.moved for one in nodes if one.name != name):
            raise ProblemError(
                "bad_request", f"node: no other one works that could take what {name} has"
            )
        await self._store.move(name, away=away)
        return Done(
            verb=command.verb,
            subject=command.subject,
            messages=0,
            before={"moved": node.moved},
            after={"moved": away},
            detail="it goes on accepting, for the others; what it has begun it ends"
            if away
            else "",
        )

    async def _set_rate(self, command: commands.SetRate, caller: Caller) -> Done:
        name, now = command.carrier, self._clock()
        carrier = self._dispatch.pool.carriers.get(name)
        if carrier is None:
            raise ProblemError("not_found", f"there is no carrier {name!r}")
        before = self._dispatch.stops.rate(name)
        stated = carrier.options.rate
        if stated and command.rate > stated:
            raise ProblemError(
                "bad_request",
                f"rate: the configuration allows {stated:g} parts a second; raise it there",
            )
        rate = RateSet(name, command.rate, caller.name, now, now + command.seconds)
        await self._dispatch.stops.set_rate(rate)
        return Done(
            verb=command.verb,
            subject=command.subject,
            before={"rate": before.rate if before else stated},
            after={"rate": rate.rate, "until": rate.until},
        )

    async def _unset_rate(self, command: commands.UnsetRate) -> Done:
        name = command.carrier
        before = self._dispatch.stops.rate(name)
        if before is None:
            raise ProblemError("already_so", f"no rate is set for carrier {name!r}")
        await self._dispatch.stops.unset_rate(name)
        carrier = self._dispatch.pool.carriers.get(name)
        return Done(
            verb=command.verb,
            subject=command.subject,
            before={"rate": before.rate, "until": before.until},
            after={"rate": carrier.options.rate if carrier else 0.0},
        )

    # --- messages ---

    async def _cancel(self, command: commands.Cancel) -> Done:
        those = Which(command.tenant, command.campaign, command.category, command.route)
        if those == Which():
            raise ProblemError("bad_request", "say which: tenant, campaign, category or route")
        if command.campaign is not None and command.tenant is None:
            raise ProblemError("bad_request", "tenant: say whose campaign it is")
        count = await self._count(those)
        if command.confirm is None:
            return Done(
                verb=command.verb,
                subject=command.subject,
                messages=count,
                detail=f"nothing is cancelled yet: confirm with {count}",
            )
        if command.confirm != count:
            raise ProblemError(
                "changed",
                f"{count} messages are meant now, not {command.confirm}: look again; what is "
                "paused stands still",
                messages=count,
            )
        if not count:
            raise ProblemError("not_found", "no carrier lacks any of them: nothing is to cancel")
        done = await self._dispatch.upkeep.steering.cancel_where(those)
        return Done(
            verb=command.verb,
            subject=command.subject,
            messages=done,
            before={"waiting": count},
            after={"cancelled": done},
        )

    async def _settle(self, command: commands.Settle) -> Done:
        now = self._clock()
        alive = now if command.to == "requeue" else 0.0
        owed = Owing(command.carrier, now - command.older, alive)
        count = await self._store.owed_count(owed)
        if command.confirm is None:
            return Done(
                verb=command.verb,
                subject=command.subject,
                messages=count,
                detail=f"nothing is done yet: confirm with {count}",
            )
        if command.confirm != count:
            raise ProblemError(
                "changed",
                f"{count} messages are meant now, not {command.confirm}: look again; with `older` "
                "the count stands still while no receipts come",
                messages=count,
            )
        if not count:
            raise ProblemError(
                "not_found", f"carrier {command.carrier!r} owes no receipts, as far as is known"
            )
        debts = self._dispatch.debts
        settle = debts.expire if command.to == "expire" else debts.requeue
        done = await settle(owed, AT_ONCE)
        left = count - done
        return Done(
            verb=command.verb,
            subject=command.subject,
            messages=done,
            before={"owed": count},
            after={"owed": left, command.to: done},
            detail=f"{left} are left: ask again for them" if left > 0 else "",
        )

    async def _send_test(self, command: commands.SendTest) -> Done:
        self._check_target(Target("tenant", command.tenant))
        message = SubmitMessage(to=command.to, text=command.text, sender=command.sender)
        try:
            [[result]] = await self._dispatch.service.submit(command.tenant, [[message]])
        except RequestError as error:
            raise ProblemError("busy", str(error)) from error
        if isinstance(result, Rejected):
            raise ProblemError("bad_request", f"{result.error.code}: {result.error.message}")
        if not isinstance(result, Accepted):
            raise AssertionError("neither accepted nor refused")
        return Done(
            verb=command.verb,
            subject=command.subject,
            messages=1,
            after={"message_id": result.message_id, "parts": result.parts},
            detail=f"its life is at /api/v1/messages/{result.message_id}",
        )

    # --- consumers, opt-outs, configuration ---

    def _disconnect(self, command: commands.Disconnect) -> Done:
        ended = self._dispatch.hub.disconnect(command.tenant, command.consumer)
        if not ended:
            raise ProblemError("not_found", f"{command.subject} is not connected")
        return Done(
            verb=command.verb,
            subject=command.subject,
            before={"connections": ended},
            after={"connections": 0},
        )

    async def _change_optout(self, command: commands.ChangeOptout) -> Done:
        adds = command.action == "add"
        if command.tenant is None:
            change = OptoutChange(
                GLOBAL, phone_of(command.number), adds, command.source, self._clock()
            )
            [changed] = await self._store.optout([change])
        else:
            self._check_target(Target("tenant", command.tenant))
            [result] = await self._dispatch.service.optout(
                command.tenant, command.action, [command.number], command.source
            )
            if not isinstance(result, OptoutResult):
                raise ProblemError("bad_request", f"number: {result.error.message}")
            changed = result.changed
        if not changed:
            raise ProblemError(
                "already_so",
                f"the opt-out is there already, by {command.source}"
                if adds
                else f"there is none that {command.source} takes back",
            )
        return Done(
            verb=command.verb,
            subject=command.subject,
            before={"opted_out": not adds},
            after={"opted_out": adds, "source": command.source},
        )

    async def _erase(self, command: commands.Erase) -> Done:
        phone = phone_of(command.number)
        if command.tenant is not None:
            self._check_target(Target("tenant", command.tenant))
        if command.again is None:
            count = await self._dispatch.erasure.count(command.tenant, phone)
            return Done(
                verb=command.verb,
                subject=command.subject,
                messages=count,
                detail="nothing is done yet: give the number once more, as `again`",
            )
        if phone_of(command.again) != phone:
            raise ProblemError("bad_request", "again: is another number than `number`")
        erased = await self._dispatch.erasure.erase(command.tenant, phone)
        counts = msgspec.structs.asdict(erased)
        del counts["number"]
        told = []
        if erased.left:
            told.append("a carrier is being given some at this moment: erase again in a minute")
        if command.tenant is None and not await self._dispatch.erasure.scrub():
            told.append("what is free in the storage may still hold some, see docs/operations.md")
        return Done(
            verb=command.verb,
            subject=command.subject,
            messages=erased.cancelled + erased.ended,
            after=counts,
            detail="; ".join(told),
        )

    async def _reload(self, command: commands.Reload) -> Done:
        before = self._configuration.running
        if command.confirm is not None:
            looked = await self._configuration.diff()
            if looked.file != command.confirm:
                raise ProblemError(
                    "changed",
                    f"the file is {looked.file} by now, not {command.confirm}: look again",
                    file=looked.file,
                )
        diff = await self._configuration.reload()
        if diff.errors:
            raise ProblemError("configuration", "; ".join(diff.errors), errors=list(diff.errors))
        return Done(
            verb=command.verb,
            subject=command.subject,
            before={"digest": before.digest},
            after={
                "digest": diff.running,
                "made": list(diff.made),
                "waiting": list(diff.waiting),
            },
        )


def _told(stop: Stop | None) -> dict[str, Any] | None:
    """A pause, for the audit."""
    if stop is None:
        return None
    return {"by": stop.by, "at": stop.at, "until": stop.until, "why": stop.why}

"""A store in memory, for tests: the same promises but durability, and no threads.

What it holds survives `MemoryStore.open` after an end of either kind, in order or not, so that
recovery can be tested. It looks through everything for most of its answers, so it is no store for
many messages.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import copy
from typing import Any, TypeVar

import msgspec
import trio

from gateway.errors import StoreError, StoreFenced
from gateway.facts import Facts, Use, Wants
from gateway.message import Event, Handed, LaneKey, Life, Message, WaitingState
from gateway.numbers import canonical
from gateway.queue import events, parts
from gateway.queue.alone import Alone
from gateway.queue.consents import RECORDS, Consent, allowed, is_new, withdrawn
from gateway.queue.failing import Failing, struck
from gateway.queue.operators import (
    DIGITS,
    Change,
    Counted,
    Found,
    HourCount,
    Owing,
    QueueCount,
    Which,
    held_of,
)
from gateway.queue.operators import KEPT as CHANGES_KEPT
from gateway.queue.signals import Signals
from gateway.queue.store import (
    GLOBAL,
    LIFTS,
    MANY,
    MOST_REFUSED,
    NEWEST,
    VERSIONS,
    Consumer,
    Count,
    Entry,
    EventChunk,
    Final,
    Held,
    HeldKind,
    Known,
    Lease,
    Leased,
    Match,
    Oldest,
    OptoutChange,
    OptoutEntry,
    Overtaken,
    Owed,
    Record,
    Recovery,
    Ref,
    Refused,
    Seen,
    Settled,
    Settlement,
    TemplateChange,
    TemplateVersion,
    went,
)
from gateway.queue.tallies import HOUR, KEPT, SPAN, Key, Stat, Stats, accepted, add, ended

K = TypeVar("K")
V = TypeVar("V")


class _Row(msgspec.Struct):
    """A message without an outcome. ``place`` is where it stands in the diagram of `store`."""

    message: Message
    place: str
    at: float
    deadline: float = 0.0
    states: bytes = b""
    handed: Handed | None = None


class _Told(msgspec.Struct, frozen=True):
    """An event as stored: its encoding, without ``seq``, and what of it is looked for."""

    seq: int
    event: Event
    encoded: bytes
    message: int | None
    life: Life | None = None


class _Node(msgspec.Struct):
    """What is known of the node that has the store, and of those that had it."""

    token: int = 0
    clean: bool = True
    last_id: int = 0
    last_accepted: float = 0.0


class MemoryStore(Alone):
    """A `gateway.queue.store.Store` that is gone with the process.

    Args:
        clock: tells Unix time: what is due, and when something was recorded.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._is_open = False
        self._token = 0
        self._signals = Signals()
        self._node = _Node()
        self._rows: dict[int, _Row] = {}
        self._keys: dict[tuple[str, str], tuple[Known, float]] = {}
        self._parts: dict[Ref, tuple[int, int, float]] = {}
        self._told: dict[str, list[_Told]] = {}
        self._last_seq: dict[str, int] = {}
        self._held: dict[tuple[HeldKind, str], Held] = {}
        self._optouts: dict[tuple[str, str], dict[str, OptoutEntry]] = {}
        self._uses: dict[tuple[str, str], dict[tuple[int, int], tuple[Use, int]]] = {}
        self._consents: dict[tuple[str, str], list[Consent]] = {}
        self._failing: dict[tuple[str, str], Failing] = {}
        self._refused: list[Refused] = []
        self._consumers: dict[tuple[str, str], Consumer] = {}
        self._memos: dict[str, bytes] = {}
        self._accounts: Counter[tuple[str, str]] = Counter()
        self._charges: dict[int, dict[str, int]] = {}
        self._templates: dict[tuple[str, str], list[TemplateVersion]] = {}
        self._tallies: dict[int, dict[Key, int]] = {}  # by the hour
        self._changes: dict[int, Change] = {}
        self._last_change = 0
        self.epoch = "memory"
        self.restored = False

    def beside(self) -> "MemoryStore":
        """Another store on what this one holds, not open: as of a second process."""
        other = copy(self)
        other._is_open = False  # noqa: SLF001  one of its own kind
        return other

    async def open(self) -> Recovery:
        await trio.lowlevel.checkpoint()
        node = self._node
        clean = node.clean
        node.token += 1
        self._token = node.token
        self._signals = Signals()
        for row in self._rows.values():
            if row.place == "leased":
                row.place = "waiting"
                row.message = msgspec.structs.replace(row.message, maybe_duplicate=True)
        self._is_open, node.clean = True, False
        lanes: dict[LaneKey, float] = {}
        counts: dict[tuple[str, str, str], int] = {}
        for row in self._rows.values():
            m = row.message
            if row.place == "waiting":
                lanes[m.lane] = min(m.due, lanes.get(m.lane, m.due))
            what = (m.tenant, m.category, self._state(row))
            counts[what] = counts.get(what, 0) + 1
        return Recovery(
            node=None,
            token=node.token,
            clean=clean,
            last_id=node.last_id,
            last_accepted=node.last_accepted,
            lanes=lanes,
            counts=[msgspec.convert((*what, n), Count) for what, n in counts.items()],
            held=list(self._held.values()),
        )

    async def aclose(self, *, in_doubt: bool = False) -> None:
        await trio.lowlevel.checkpoint()
        if self._is_open and not in_doubt and self._token == self._node.token:
            for row in self._rows.values():
                if row.place == "leased":
                    row.place = "waiting"
            self._node.clean = True
        self._is_open = False

    async def until_fenced(self) -> None:
        await self._signals.until_fenced()

    async def _enter(self) -> None:
        if not self._is_open:
            raise StoreError("memory: the store is not open")
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def _change(self) -> None:
        """Begin a call that changes something."""
        await self._enter()
        if self._token != self._node.token:
            why = "memory: another node has taken the store over"
            self._signals.fenced(why)
            raise StoreFenced(why)

    # --- the way in ---

    async def accept(
        self,
        entries: Sequence[Entry],
        seen: Seen | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> Mapping[int, Known]:
        await self._change()
        if not entries:
            return {}
        counting: list[Message] = []
        if seen is not None:
            counting = [entry.message for entry in entries if entry.message.counted]
            phones = {(m.tenant, canonical(m.to)) for m in counting}
            there = {(one, at[0]) for one in phones for at in self._uses.get(one, ())}
            if any(number not in seen.get(phone, ()) for (_, phone), number in there):
                raise Overtaken("more messages to the same phones were accepted meanwhile")
        if limits is not None and self._would_exceed(entries, limits):
            raise Overtaken("more messages of the same account were accepted meanwhile")
        ids = [entry.message.id for entry in entries]
        duplicates: dict[int, Known] = {}
        fresh: dict[tuple[str, str], tuple[Known, float]] = {}
        for index, entry in enumerate(entries):
            m = entry.message
            if m.key is None:
                continue
            name = (m.tenant, m.key)
            if standing := self._keys.get(name) or fresh.get(name):
                duplicates[index] = standing[0]
            else:
                fresh[name] = Known.of(entry), m.accepted_at
        stored = [entry for index, entry in enumerate(entries) if index not in duplicates]
        numbers = {entry.message.id for entry in stored}
        if len(numbers) < len(stored) or not numbers.isdisjoint(self._rows):
            raise StoreError("memory: a message with this id is stored already")
        self._keys |= fresh
        for m, leased in ((entry.message, entry.leased) for entry in stored):
            self._rows[m.id] = _Row(m, "leased" if leased else "waiting", m.accepted_at)
        for m in (entry.message for entry in stored):
            for one in m.charges:
                self._charges.setdefault(m.id, {})[one.account] = one.amount
                self._accounts[m.tenant, one.account] += one.amount
        for m in counting:
            if m.id in numbers:
                of_phone = self._uses.setdefault((m.tenant, canonical(m.to)), {})
                for mark, keep in m.counted:
                    of_phone[m.id, mark] = Use(mark, m.due, m.id, sent=False), keep
        node = self._node
        node.last_id = max([node.last_id, *ids])
        came = [entry.message.accepted_at for entry in stored]
        node.last_accepted = max([node.last_accepted, *came])
        self._count(accepted([entry.message for entry in stored]))
        return duplicates

    def _would_exceed(self, entries: Sequence[Entry], limits: Mapping[str, int]) -> bool:
        spent = Counter(self._spent_by(entries[0].message.tenant))
        for entry in entries:
            spent.update({one.account: one.amount for one in entry.message.charges})
        return any(spent[name] > limit for name, limit in limits.items())

    def _spent_by(self, tenant: str) -> dict[str, int]:
        return {name: sum_ for (owner, name), sum_ in self._accounts.items() if owner == tenant}

    def _pay(self, message: Message, carrier: str | None) -> None:
        """A carrier takes a message: it is charged with what that one costs."""
        charged = self._charges.get(message.id, {})
        for one in message.charges:
            if carrier is not None and one.account in charged:
                cost = one.at(carrier)
                self._accounts[message.tenant, one.account] += cost - charged[one.account]
                charged[one.account] = cost

    async def known(self, tenant: str, keys: Sequence[str]) -> Mapping[str, Known]:
        await self._enter()
        return {key: self._keys[tenant, key][0] for key in keys if (tenant, key) in self._keys}

    async def facts(self, tenant: str, numbers: Sequence[str], wants: Wants) -> Facts:
        if not self._is_open:
            raise StoreError("memory: the store is not open")
        return Facts(
            opted_out=self._opted_out(tenant, numbers) if "optouts" in wants else set(),
            withdrawn=self._by(withdrawn, tenant, numbers) if "withdrawals" in wants else {},
            consents=self._by(allowed, tenant, numbers) if "consents" in wants else {},
            uses=self._uses_of(tenant, numbers) if "uses" in wants else {},
            unreachable=self._silent(tenant, numbers) if "unreachable" in wants else {},
            spent=self._spent_by(tenant) if "spent" in wants else {},
        )

    def _by(
        self,
        tell: Callable[[Iterable[Consent]], frozenset[str]],
        tenant: str,
        numbers: Sequence[str],
    ) -> dict[str, frozenset[str]]:
        """Purposes that the records of phones tell, those of phones with any."""
        found = {n: tell(self._consents.get((tenant, canonical(n)), ())) for n in numbers}
        return {number: purposes for number, purposes in found.items() if purposes}

    def _silent(self, tenant: str, numbers: Sequence[str]) -> dict[str, float]:
        found = {n: self._failing.get((tenant, canonical(n)), Failing()) for n in numbers}
        return {number: one.until for number, one in found.items() if one.until}

    def _uses_of(self, tenant: str, numbers: Sequence[str]) -> Mapping[str, Sequence[Use]]:
        phones = set(map(canonical, numbers))
        return {
            phone: [use for use, _ in self._uses[tenant, phone].values()]
            for phone in phones
            if (tenant, phone) in self._uses
        }

    def _opted_out(self, tenant: str, numbers: Sequence[str]) -> set[str]:
        return {
            number
            for number in numbers
            if (tenant, phone := canonical(number)) in self._optouts
            or (GLOBAL, phone) in self._optouts
        }

    async def refuse(self, refused: Sequence[Refused]) -> None:
        await self._change()
        self._refused += [one._replace(number=canonical(one.number)) for one in refused]
        del self._refused[:-MOST_REFUSED]

    async def refusals(self, tenant: str, keys: Sequence[str]) -> Mapping[str, Sequence[Refused]]:
        await self._enter()
        found: dict[str, list[Refused]] = {}
        for one in self._refused:
            if one.tenant == tenant and one.key is not None and one.key in keys:
                found.setdefault(one.key, []).append(one)
        return found

    # --- lanes ---

    async def lease(self, lane: LaneKey, now: float, limit: int) -> Lease:
        await self._change()
        waiting = sorted(
            (row for row in self._waiting() if row.message.lane == lane),
            key=lambda row: (row.message.due, row.message.id),
        )
        due = [row for row in waiting if row.message.due <= now][:limit]
        rest = waiting[len(due) :]
        return Lease(_lease(due), rest[0].message.due if rest else None)

    async def lease_ids(self, tenant: str, numbers: Sequence[int]) -> list[Message]:
        await self._change()
        wanted = set(numbers)
        return _lease(
            row
            for row in self._waiting()
            if row.message.tenant == tenant and row.message.id in wanted
        )

    async def lease_campaign(
        self, tenant: str, campaign: str, last: int, limit: int
    ) -> list[Message]:
        await self._change()
        return _lease(self._waiting_in(tenant, campaign, last)[:limit])

    async def waiting_in(self, tenant: str, campaign: str, last: int = NEWEST) -> int:
        await self._enter()
        return len(self._waiting_in(tenant, campaign, last))

    async def extend(self, tenant: str, campaign: str, seconds: float) -> None:
        await self._change()
        for row in self._waiting_in(tenant, campaign):
            later = row.message.expires_at + seconds
            row.message = msgspec.structs.replace(row.message, expires_at=later)

    def _waiting_in(self, tenant: str, campaign: str, last: int = NEWEST) -> list[_Row]:
        return [
            row
            for row in self._waiting()
            if row.message.tenant == tenant
            and row.message.campaign == campaign
            and row.message.id <= last
        ]

    async def defer(self, messages: Sequence[Message]) -> None:
        await self._change()
        for message in messages:
            row = self._rows.get(message.id)
            if row and row.place == "leased":
                row.message, row.place, row.at = message, "waiting", self._clock()

    async def leased(self, after: int, limit: int) -> Leased:
        await self._enter()
        numbers = sorted(number for number, row in self._rows.items() if row.place == "leased")
        return Leased(len(numbers), [number for number in numbers if number > after][:limit])

    async def put_back(self, numbers: Sequence[int]) -> list[Message]:
        await self._change()
        back = []
        for number in numbers:
            row = self._rows.get(number)
            if row and row.place == "leased":
                row.message = msgspec.structs.replace(row.message, maybe_duplicate=True)
                row.place, row.at = "waiting", self._clock()
                back.append(row.message)
        return back

    def _waiting(self) -> list[_Row]:
        return [row for row in self._rows.values() if row.place == "waiting"]

    # --- outcomes ---

    async def match(self, refs: Sequence[Ref]) -> Mapping[Ref, Match]:
        await self._enter()
        found = {}
        for ref in refs:
            number, part, _ = self._parts.get(ref, (0, 0, 0.0))
            if row := self._rows.get(number):
                found[ref] = Match(row.message, part, _states(row), row.at, row.handed)
        return found

    async def settle(self, settlement: Settlement) -> Settled:
        await self._change()
        for event in [f.event for f in settlement.finals] + [n.event for n in settlement.notices]:
            events.encode(event)  # one that cannot be is refused before anything is done
        now = self._clock()
        final = {entry.message.id for entry in settlement.finals}
        for sent in settlement.sent:
            m = sent.message
            if m.id in final:
                continue
            if row := self._rows.get(m.id):
                row.place, row.at, row.deadline = "sent", now, sent.deadline
                row.message, row.handed = m, sent.handed
            for part, ref in enumerate(sent.refs):
                if ref:
                    self._parts[Ref(sent.carrier, ref)] = (m.id, part, now)
        for number, states in settlement.expected:
            if row := self._rows.get(number):
                row.states = states
        complete: dict[int, bytes] = {}
        for number, part, state, size in settlement.progress:
            if row := self._rows.get(number):
                known = bytearray(row.states or bytes(size))
                parts.fill(known, part, state)
                row.states = bytes(known)
                if parts.complete(known):
                    row.deadline = min(row.deadline, now)
                    complete[number] = row.states
        for sent in settlement.sent:
            self._spend(sent.message, now)
            self._pay(sent.message, sent.carrier)
        passed_over = set()
        told: list[Final] = []
        for one in settlement.finals:
            m, event = one.message, one.event
            for at_carrier in one.refs:
                self._parts.pop(at_carrier, None)
            if self._rows.pop(m.id, None):
                self._tell(m.tenant, event, m.id, one.life)
                self._spend(m, now if went(event) else None)
                if went(event):
                    self._pay(m, (event.detail or {}).get("carrier"))
                charged = self._charges.pop(m.id, {})
                if not went(event):
                    self._accounts.subtract({(m.tenant, of): sum_ for of, sum_ in charged.items()})
                told.append(one)
            else:
                passed_over.add(m.id)
        for tenant, event in settlement.notices:
            self._tell(tenant, event, None)
        for held in settlement.hold:
            self._held[held.kind, held.key] = held
        for name in settlement.drop:
            self._held.pop(name, None)
        self._change_optouts(settlement.optouts)
        self._change_consents(settlement.consents)
        for owner, phone in settlement.heard:
            self._failing.pop((owner, canonical(phone)), None)
        for strike in settlement.strikes:
            key = strike.tenant, canonical(strike.number)
            self._failing[key] = struck(self._failing.get(key, Failing()), strike)
        self._count(ended(told))
        self._count(settlement.tallies)
        return Settled(frozenset(passed_over), _without(complete, final))

    def _spend(self, message: Message, sent_at: float | None) -> None:
        """A message counts as sent from now on, or no more, unless it was sent before."""
        key = message.tenant, canonical(message.to)
        of_phone = self._uses.get(key, {})
        for mark, _ in message.counted:
            use, keep = of_phone.get((message.id, mark), (None, 0))
            if use is None or use.sent:
                continue
            del of_phone[message.id, mark]
            if sent_at is not None:
                of_phone[message.id, mark] = use._replace(at=sent_at, sent=True), keep
        if not of_phone:
            self._uses.pop(key, None)

    async def overdue(self, now: float, limit: int) -> list[Owed]:
        await self._enter()
        sent = (r for r in self._rows.values() if r.place == "sent" and r.deadline <= now)
        late = sorted(sent, key=lambda row: (row.deadline, row.message.id))
        return [_owed(row) for row in late[:limit]]

    async def expired(self, now: float, limit: int) -> list[Message]:
        await self._change()
        return _lease([row for row in self._waiting() if row.message.expires_at <= now][:limit])

    async def hasten(self, now: float, moment: float) -> None:
        await self._change()
        for row in self._waiting():
            if now < row.message.due <= row.at + moment:
                row.message = msgspec.structs.replace(row.message, due=now)

    # --- what tenants ask ---

    async def find(
        self, tenant: str, numbers: Sequence[int], keys: Sequence[str]
    ) -> tuple[list[Record | None], list[Record | None]]:
        await self._enter()
        standing = [self._keys.get((tenant, key)) for key in keys]
        return (
            [self._record(tenant, number) for number in numbers],
            [self._record(tenant, known[0].message) if known else None for known in standing],
        )

    def _record(self, tenant: str, number: int) -> Record | None:
        row = self._rows.get(number)
        if row and row.message.tenant == tenant:
            handed = row.handed if row.place == "sent" else None
            state = self._state(row)
            return Record(number, row.at, message=row.message, state=state, handed=handed)
        for told in self._told.get(tenant, ()):
            if told.message == number:
                return Record(number, told.event.at, event=told.event, life=told.life)
        return None

    def _state(self, row: _Row) -> WaitingState:
        if row.place == "sent":
            return "sent"
        later = row.place == "waiting" and row.message.due > self._clock()
        return "deferred" if later else "queued"

    async def optout(self, changes: Sequence[OptoutChange]) -> list[bool]:
        await self._change()
        return self._change_optouts(changes)

    def _change_optouts(self, changes: Sequence[OptoutChange]) -> list[bool]:
        changed = []
        for scope, written, out, source, at, message, text in changes:
            number = canonical(written)
            entries = self._optouts.setdefault((scope, number), {})
            before = len(entries)
            if out:
                entries.setdefault(source, OptoutEntry(scope, number, source, at, message, text))
            else:
                for lifted in LIFTS[source]:
                    entries.pop(lifted, None)
            changed.append(len(entries) != before)
            if not entries:
                del self._optouts[scope, number]
        return changed

    async def optout_entries(
        self, tenant: str, numbers: Sequence[str]
    ) -> Mapping[str, Sequence[OptoutEntry]]:
        await self._enter()
        found = {
            number: [
                entry
                for scope in (tenant, GLOBAL)
                for entry in self._optouts.get((scope, canonical(number)), {}).values()
            ]
            for number in numbers
        }
        return {number: entries for number, entries in found.items() if entries}

    async def optout_list(self, tenant: str, after: str, limit: int) -> Sequence[OptoutEntry]:
        await self._enter()
        wanted = sorted(n for scope, n in self._optouts if scope == tenant and n > after)[:limit]
        return [entry for n in wanted for entry in self._optouts[tenant, n].values()]

    # --- consents ---

    async def consent(self, changes: Sequence[Consent]) -> list[bool]:
        await self._change()
        return self._change_consents(changes)

    def _change_consents(self, changes: Sequence[Consent]) -> list[bool]:
        new = []
        for change in changes:
            number = canonical(change.number)
            records = self._consents.setdefault((change.tenant, number), [])
            new.append(is_new(records, change))
            if new[-1]:
                records.append(change._replace(number=number))
                del records[:-RECORDS]
        return new

    async def consents(
        self, tenant: str, numbers: Sequence[str]
    ) -> Mapping[str, Sequence[Consent]]:
        await self._enter()
        found = {n: [*self._consents.get((tenant, canonical(n)), ())] for n in numbers}
        return {number: records for number, records in found.items() if records}

    async def consent_list(self, tenant: str, after: str, limit: int) -> Sequence[Consent]:
        await self._enter()
        wanted = sorted(n for of, n in self._consents if of == tenant and n > after)[:limit]
        return [one for n in wanted for one in self._consents[tenant, n]]

    # --- counts ---

    def _count(self, counts: Mapping[Key, int]) -> None:
        if counts:
            add(self._tallies.setdefault(int(self._clock() // HOUR), {}), counts)

    async def stats(
        self, tenant: str, campaign: str | None, start: int, stop: int, limit: int
    ) -> Stats:
        await self._enter()
        rows: list[Stat] = []
        hours = sorted(hour for hour in self._tallies if start <= hour < stop)
        for hour in hours:
            of_hour = [
                Stat(hour, name, variant, carrier, code, number)
                for (owner, name, variant, carrier, code), number in self._tallies[hour].items()
                if owner == tenant and campaign in (None, name)
            ]
            if rows and (len(rows) + len(of_hour) > limit or hour >= hours[0] + SPAN):
                return Stats(rows, hour)
            rows += of_hour
        return Stats(rows, None)

    # --- events ---

    def _tell(
        self, tenant: str, event: Event, message: int | None, life: Life | None = None
    ) -> None:
        seq = self._last_seq[tenant] = self._last_seq.get(tenant, 0) + 1
        told = _Told(seq, event, events.encode(event), message, life)
        self._told.setdefault(tenant, []).append(told)
        self._signals.told([tenant])

    async def watch(self) -> Collection[str]:
        return await self._signals.watch()

    async def events(self, tenant: str, after: int, limit: int) -> list[EventChunk]:
        await self._enter()
        newer = [told for told in self._told.get(tenant, ()) if told.seq > after][:limit]
        if not newer:
            return []
        return events.chunks(tenant, newer[0].seq, [told.encoded for told in newer])

    async def acknowledge(
        self, tenant: str, consumer: str, seq: int, most: int = MANY
    ) -> int | None:
        await self._change()
        known, now = self._consumers.get((tenant, consumer)), self._clock()
        if seq > self._last_seq.get(tenant, 0):
            seq = 0
            if known is None:
                return 0
        if known is None:
            if sum(owner == tenant for owner, _ in self._consumers) >= most:
                return None
            known = Consumer(tenant, consumer, 0, 0, now, now)
        moved = known._replace(seq=max(seq, known.seq), seen=now)
        self._consumers[tenant, consumer] = moved
        return moved.seq

    async def consumers(self, tenant: str | None = None) -> list[Consumer]:
        await self._enter()
        return [
            each._replace(lag=self._last_seq.get(each.tenant, 0) - each.seq)
            for _, each in sorted(self._consumers.items())
            if tenant in (None, each.tenant)
        ]

    async def seen(self, consumers: Iterable[tuple[str, str]]) -> None:
        await self._change()
        for name in consumers:
            if known := self._consumers.get(name):
                self._consumers[name] = known._replace(seen=self._clock())

    async def forget_consumer(self, tenant: str, consumer: str) -> bool:
        await self._change()
        return self._consumers.pop((tenant, consumer), None) is not None

    async def bounds(self, tenant: str) -> tuple[int, int]:
        await self._enter()
        last = self._last_seq.get(tenant, 0)
        told = self._told.get(tenant)
        return (told[0].seq if told else last + 1), last

    # --- what operators ask ---

    async def vitals(self) -> None:
        return None

    async def waiting(self, now: float) -> Sequence[QueueCount]:
        await self._enter()
        lanes: dict[LaneKey, list[Message]] = {}
        for row in self._waiting():
            lanes.setdefault(row.message.lane, []).append(row.message)
        return [
            QueueCount(
                lane,
                sum(1 for m in found if m.due <= now),
                sum(1 for m in found if m.due > now),
                sum(m.parts for m in found),
                min((m.due for m in found if m.due <= now), default=None),
                min((m.due for m in found if m.due > now), default=None),
            )
            for lane, found in lanes.items()
        ]

    async def lease_where(self, which: Which, last: int, limit: int) -> list[Message]:
        await self._change()
        return _lease(self._waiting_where(which, last)[:limit])

    async def waiting_where(self, which: Which, last: int = NEWEST) -> int:
        await self._enter()
        return len(self._waiting_where(which, last))

    def _waiting_where(self, which: Which, last: int) -> list[_Row]:
        waiting = self._waiting()
        return [r for r in waiting if which.takes(r.message.lane) and r.message.id <= last]

    async def owed_count(self, owed: Owing) -> int:
        await self._enter()
        return len(self._owed(owed))

    async def owed_about(self, carrier: str, most: int) -> int:
        return await self.owed_count(Owing(carrier, math.inf))

    async def owed(self, owed: Owing, after: str, limit: int) -> tuple[list[Owed], str | None]:
        await self._enter()
        found = [row for ref, row in self._owed(owed) if ref > after][:limit]
        refs = [ref for ref, _ in self._owed(owed) if ref > after][:limit]
        return [_owed(row) for row in found], refs[-1] if refs else None

    def _owed(self, owed: Owing) -> list[tuple[str, _Row]]:
        return sorted(
            (
                (ref.ref, row)
                for ref, (number, part, _) in self._parts.items()
                if ref.carrier == owed.carrier
                and part == 0
                and (row := self._rows.get(number)) is not None
                and row.place == "sent"
                and row.at < owed.before
                and row.message.expires_at > owed.alive
            ),
            key=lambda one: one[0],
        )

    async def requeue(self, owed: Owing, numbers: Sequence[int], now: float) -> list[Message]:
        await self._change()
        wanted = set(numbers)
        rows = [r for n, r in self._rows.items() if n in wanted and r.place == "sent"]
        self._parts = {
            ref: part
            for ref, part in self._parts.items()
            if part[0] not in wanted or ref.carrier != owed.carrier
        }
        for row in rows:
            row.place, row.at, row.states = "waiting", now, b""
            row.message = msgspec.structs.replace(row.message, due=now, maybe_duplicate=True)
        return [row.message for row in rows]

    async def find_any(self, number: int) -> tuple[str, Record] | None:
        await self._enter()
        row = self._rows.get(number)
        for tenant in [row.message.tenant] if row else list(self._told):
            if record := self._record(tenant, number):
                return tenant, record
        return None

    async def search(self, phones: Sequence[str], after: str | None, limit: int) -> Found:
        await self._enter()
        rows = [row for number, row in sorted(self._rows.items(), reverse=True)]
        found = [
            (m.tenant, Record(m.id, row.at, message=m, state=self._state(row)))
            for row in rows
            if (m := row.message).to in phones
        ]
        for tenant, told in self._told.items():
            found += [
                (tenant, Record(one.message, one.event.at, event=one.event, life=one.life))
                for one in reversed(told)
                if one.message is not None and one.event.to in phones
            ]
        start = int(after or 0)
        more = str(start + limit) if len(found) > start + limit else None
        return Found(found[start : start + limit], more)

    async def tenants(self) -> Sequence[str]:
        await self._enter()
        return sorted({*self._told, *(row.message.tenant for row in self._rows.values())})

    async def live_to(
        self, phones: Collection[str], below: int = NEWEST
    ) -> tuple[list[tuple[str, Record]], int | None]:
        await self._enter()
        found = [
            m for n, row in self._rows.items() if n < below and (m := row.message).to in phones
        ]
        records = ((m.tenant, self._record(m.tenant, m.id)) for m in found)
        return [(tenant, one) for tenant, one in records if one is not None], None

    async def erase_events(
        self, tenant: str, phones: Collection[str], after: int
    ) -> tuple[int, int | None]:
        await self._change()
        erased = 0
        told = self._told.get(tenant, [])
        for at, one in enumerate(told):
            chunk = EventChunk(tenant, one.seq, 1, events.stamp([one.encoded], one.seq)[0])
            found = events.erase(chunk, phones) if one.seq > after else None
            if found is not None:
                event = events.decode(found.chunk.body)
                told[at] = _Told(one.seq, event, events.encode(event), one.message)
                erased += 1
                for key in found.keys:
                    self._keys.pop((tenant, key), None)
        return erased, None

    async def erase_records(self, tenant: str | None, phones: Collection[str]) -> int:
        await self._change()
        gone = 0
        table: dict[tuple[str, str], Any]
        for table in (self._consents, self._uses, self._failing):
            names = [key for key in table if key[0] == (tenant or key[0]) and key[1] in phones]
            gone += sum(len(of) if isinstance(of := table.pop(key), list) else 1 for key in names)
        mine = [
            one
            for one in self._refused
            if one.tenant == (tenant or one.tenant) and one.number in phones
        ]
        self._refused = [one for one in self._refused if one not in mine]
        for (scope, number), entries in self._optouts.items():
            if scope == (scope if tenant is None else tenant) and number in phones:
                for source, entry in entries.items():
                    entries[source] = entry._replace(message=None, text=None)
        tails = {phone[-DIGITS:] for phone in phones}
        held = [
            name
            for name, one in self._held.items()
            if one.key.startswith(held_of(tenant))
            and any(tail in one.key or tail.encode() in one.body for tail in tails)
        ]
        for name in held:
            del self._held[name]
        return gone + len(mine) + len(held)

    async def refused(self, phones: Collection[str], limit: int) -> Sequence[Refused]:
        await self._enter()
        return [one for one in reversed(self._refused) if one.number in phones][:limit]

    async def scrub(self) -> bool:
        await self._enter()
        return True

    async def campaigns(self, tenant: str | None, since: int, limit: int) -> Sequence[Counted]:
        await self._enter()
        found: dict[tuple[str, str, str], list[int]] = {}
        for hour, counts in sorted(self._tallies.items()):
            for (owner, campaign, _, _, code), number in counts.items():
                if campaign and hour >= since and tenant in (None, owner):
                    one = found.setdefault((owner, campaign, code), [0, hour, hour])
                    one[0] += number
                    one[2] = hour
        newest = list(dict.fromkeys(key[:2] for key in reversed(found)))[:limit]
        return [Counted(*key, *one) for key, one in found.items() if key[:2] in newest]

    async def counted_in(self, hour: int) -> Sequence[HourCount]:
        await self._enter()
        found: Counter[tuple[str, str]] = Counter()
        for (_, _, _, carrier, code), number in self._tallies.get(hour, {}).items():
            found[carrier, code] += number
        return [HourCount(*key, number) for key, number in found.items()]

    async def note_change(self, number: int | None, at: float, body: bytes) -> int:
        await self._change()
        if number is None:
            number = self._last_change = self._last_change + 1
        _forget(self._changes, lambda one: one.at < at - CHANGES_KEPT, len(self._changes))
        self._changes[number] = Change(number, at, body)
        return number

    async def changes(self, before: int, limit: int) -> Sequence[Change]:
        await self._enter()
        return [one for n, one in sorted(self._changes.items(), reverse=True) if n < before][:limit]

    # --- upkeep ---

    async def oldest(self, now: float) -> Sequence[Oldest]:
        await self._enter()
        found: dict[Oldest, float] = {}
        for row in self._rows.values():
            m = row.message
            if row.place == "sent":
                key, since = Oldest(m.tenant, m.category, "sent", 0.0), row.at
            elif row.place == "waiting" and m.due <= now:
                key, since = Oldest(m.tenant, m.category, "waiting", 0.0), m.due
            else:
                continue
            found[key] = min(since, found.get(key, since))
        return [key._replace(since=since) for key, since in found.items()]

    async def remember(self, name: str, value: bytes) -> None:
        await self._change()
        self._memos[name] = value

    async def recall(self, name: str) -> bytes | None:
        await self._enter()
        return self._memos.get(name)

    async def put_templates(self, changes: Sequence[TemplateChange]) -> list[int]:
        await self._change()
        given = []
        for tenant, name, at, body in changes:
            kept = self._templates.setdefault((tenant, name), [])
            version = kept[-1].version + 1 if kept else 1
            kept.append(TemplateVersion(tenant, name, version, at, body))
            del kept[:-VERSIONS]
            given.append(version)
        return given

    async def templates(self) -> Sequence[TemplateVersion]:
        await self._enter()
        newest = (kept[-1] for _, kept in sorted(self._templates.items()))
        return [one for one in newest if one.body]

    async def template_changes(self) -> int:
        await self._enter()
        return sum(one.version for kept in self._templates.values() for one in kept)

    async def template_versions(self, tenant: str, name: str) -> Sequence[TemplateVersion]:
        await self._enter()
        return list(self._templates.get((tenant, name), ()))

    async def prune(self, before: float, limit: int) -> int:
        await self._change()
        gone = 0
        for told in self._told.values():
            while told and told[0].event.at < before and gone < limit:
                del told[0]
                gone += 1
        gone += _forget(self._consumers, lambda one: one.seen < before, limit - gone)
        gone += _forget(
            self._keys,
            lambda known: known[1] < before and known[0].message not in self._rows,
            limit - gone,
        )
        gone += _forget(
            self._parts,
            lambda part: part[2] < before and part[0] not in self._rows,
            limit - gone,
        )
        old = [one for one in self._refused if one.at < before][: max(0, limit - gone)]
        self._refused = [one for one in self._refused if one not in old]
        gone += len(old)
        now = self._clock()
        for key, of_phone in list(self._uses.items()):
            kept = [(name, use, keep) for name, (use, keep) in of_phone.items() if use.sent]
            over = [name for name, use, keep in kept if use.at + keep < now]
            gone += len(over)
            for name in over:
                del of_phone[name]
            if not of_phone:
                del self._uses[key]
        now = self._clock()
        gone += _forget(self._failing, lambda one: one.expires < now, limit - gone)
        for hour in [one for one in self._tallies if one < self._clock() // HOUR - KEPT]:
            del self._tallies[hour]
        return gone


def _without(states: dict[int, bytes], final: Collection[int]) -> dict[int, bytes]:
    return {number: of for number, of in states.items() if number not in final}


def _states(row: _Row) -> bytes:
    return row.states or bytes(row.message.parts)


def _owed(row: _Row) -> Owed:
    return Owed(row.message, _states(row), row.at, row.handed)


def _lease(rows: Iterable[_Row]) -> list[Message]:
    leased = list(rows)
    for row in leased:
        row.place = "leased"
    return [row.message for row in leased]


def _forget(table: dict[K, V], is_old: Callable[[V], bool], limit: int) -> int:
    old = [key for key, value in table.items() if is_old(value)][:limit]
    for key in old:
        del table[key]
    return len(old)

"""The templates of all tenants: kept in the store, a version for each change, and at hand in memory
for what is submitted with them. The store tells every second whether anything of them was changed,
by whichever node."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import trio

from gateway.api.schema import TemplateState, TemplateVar
from gateway.errors import RequestError
from gateway.policy.template_matching import Book
from gateway.policy.templates import NAME, Definition, Template
from gateway.queue.store import VERSIONS, Store, TemplateChange, TemplateVersion

MOST: Final = 1_000
"""Templates of a tenant, some 2 MB in memory at most."""

PAGE: Final = 200
"""Templates in one reply: a megabyte at most."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Definition).decode


class Templates:
    """Templates by tenant.

    Args:
        on_change: told whose templates are others now.
    """

    def __init__(
        self, store: Store, clock: Callable[[], float], on_change: Callable[[str], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._on_change = on_change
        self._books: dict[str, Book] = {}
        self._stored: dict[str, dict[str, TemplateVersion]] = {}
        self._changes = 0
        self._turn = trio.Lock()

    async def look(self) -> None:
        """Take over what the store has, where that is another than it was."""
        async with self._turn:
            await self._look()

    async def _look(self) -> None:
        changes = await self._store.template_changes()
        if changes == self._changes:
            return
        stored: dict[str, dict[str, TemplateVersion]] = {}
        for one in await self._store.templates():
            stored.setdefault(one.tenant, {})[one.name] = one
        # What is changed between the two is looked at the next time.
        before, self._stored, self._changes = self._stored, stored, changes
        for tenant in sorted(before.keys() | stored.keys()):
            if before.get(tenant) != stored.get(tenant):
                self._bind(tenant)

    def of(self, tenant: str) -> Book:
        """A tenant's templates, empty where it has none."""
        return self._books.get(tenant) or Book()

    async def put(self, tenant: str, name: str, definition: Definition) -> TemplateState:
        """Make a template, or a new version of it. What is as it was stays the version it is.

        Raises:
            RequestError: it is none, or one too many.
        """
        if not NAME.fullmatch(name):
            mend = "letters, digits, '.', '_' and '-', up to 64, the first a letter or digit"
            raise RequestError("bad_request", f"name: {name[:64]!r} is no name: {mend}")
        if wrong := list(definition.problems()):
            raise RequestError("bad_request", "; ".join(wrong[:5]))
        async with self._turn:
            await self._look()
            theirs = self._stored.setdefault(tenant, {})
            known = theirs.get(name)
            if known is None and len(theirs) >= MOST:
                raise RequestError("bad_request", f"name: {MOST} templates are there, delete some")
            body = _encode(definition)
            if known is not None and known.body == body:
                return _state(known)
            theirs[name] = stored = await self._change(tenant, name, body)
            self._bind(tenant)
            return _state(stored)

    async def get(self, tenant: str, name: str, version: int | None) -> list[TemplateState]:
        """A template, or an earlier version of it; nothing where there is none."""
        await self.look()
        if version is None:
            known = self._stored.get(tenant, {}).get(name)
            return [] if known is None else [_state(known)]
        kept = await self._store.template_versions(tenant, name)
        return [_state(one) for one in kept if one.version == version and one.body]

    async def list(self, tenant: str, after: str) -> Sequence[TemplateState]:
        """The next templates behind a name, in order."""
        await self.look()
        theirs = self._stored.get(tenant, {})
        names = sorted(name for name in theirs if name > after)
        return [_state(theirs[name]) for name in names[:PAGE]]

    async def delete(self, tenant: str, name: str) -> Sequence[TemplateState]:
        """Forget a template; returns it as it stood."""
        async with self._turn:
            await self._look()
            theirs = self._stored.get(tenant, {})
            known = theirs.get(name)
            if known is None:
                return []
            await self._change(tenant, name, b"")
            del theirs[name]
            self._bind(tenant)
            return [_state(known)]

    async def _change(self, tenant: str, name: str, body: bytes) -> TemplateVersion:
        at = self._clock()
        [version] = await self._store.put_templates([TemplateChange(tenant, name, at, body)])
        self._changes += min(version, VERSIONS)  # so that our own is not looked for
        return TemplateVersion(tenant, name, version, at, body)

    def _bind(self, tenant: str) -> None:
        self._books[tenant] = Book(
            Template(one.name, one.version, _decode(one.body))
            for one in self._stored.get(tenant, {}).values()
        )
        self._on_change(tenant)


def _state(one: TemplateVersion) -> TemplateState:
    definition = _decode(one.body)
    variables = definition.vars.items()
    return TemplateState(
        one.name,
        one.version,
        one.at,
        definition.text,
        definition.category,
        {name: TemplateVar(each.type, each.max, each.default) for name, each in variables},
        definition.allow,
        definition.approved,
    )

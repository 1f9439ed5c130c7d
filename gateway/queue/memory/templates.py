"""Templates, the newest versions of each."""

from collections.abc import Sequence

from gateway.queue.memory.schema import Tables
from gateway.queue.store import VERSIONS, TemplateChange, TemplateVersion


class Templates(Tables):
    """The versions of templates."""

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

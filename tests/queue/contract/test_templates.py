"""`Store.put_templates`, `templates` and `template_versions`."""

from gateway.queue.store import VERSIONS, TemplateChange
from tests.queue.contract.rig import Rig


async def put(rig: Rig, name: str, body: bytes, tenant: str = "acme", at: float = 1.5) -> int:
    [version] = await rig.store.put_templates([TemplateChange(tenant, name, at, body)])
    return version


async def test_the_newest_versions_are_kept_over_a_crash(rig: Rig) -> None:
    assert list(await rig.store.templates()) == []
    assert await put(rig, "welcome", b"one") == 1
    assert await put(rig, "welcome", b"two", at=2.5) == 2
    assert await put(rig, "code", b"\0\xff") == 1
    assert await put(rig, "welcome", b"theirs", "umbrella") == 1
    await rig.crash()
    found = [tuple(one) for one in await rig.store.templates()]
    assert found == [
        ("acme", "code", 1, 1.5, b"\0\xff"),
        ("acme", "welcome", 2, 2.5, b"two"),
        ("umbrella", "welcome", 1, 1.5, b"theirs"),
    ]


async def test_several_are_put_at_once_in_order(rig: Rig) -> None:
    changes = [TemplateChange("acme", name, 1.5, b"x") for name in ("a", "b", "a")]
    assert await rig.store.put_templates(changes) == [1, 1, 2]
    assert await rig.store.put_templates([]) == []


async def test_one_that_is_deleted_is_gone_and_its_versions_go_on(rig: Rig) -> None:
    await put(rig, "welcome", b"one")
    assert await put(rig, "welcome", b"") == 2
    assert list(await rig.store.templates()) == []
    assert await put(rig, "welcome", b"three") == 3
    kept = await rig.store.template_versions("acme", "welcome")
    assert [(one.version, one.body) for one in kept] == [(1, b"one"), (2, b""), (3, b"three")]


async def test_every_change_is_counted_whichever_goes_for_it(rig: Rig) -> None:
    seen = [await rig.store.template_changes()]
    for number in range(2 * VERSIONS):
        await put(rig, "welcome", b"%d" % number)
        seen.append(await rig.store.template_changes())
    await put(rig, "welcome", b"")
    await put(rig, "code", b"theirs", "umbrella")
    seen.append(await rig.store.template_changes())
    assert seen[0] == 0
    assert seen == sorted(set(seen))
    await rig.crash()
    assert await rig.store.template_changes() == seen[-1]


async def test_versions_are_of_one_template_and_bounded(rig: Rig) -> None:
    await put(rig, "other", b"x")
    for number in range(VERSIONS + 3):
        await put(rig, "welcome", b"%d" % number)
    kept = await rig.store.template_versions("acme", "welcome")
    assert [one.version for one in kept] == list(range(4, VERSIONS + 4))
    assert list(await rig.store.template_versions("acme", "unknown")) == []
    assert list(await rig.store.template_versions("umbrella", "welcome")) == []

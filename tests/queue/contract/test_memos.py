"""`Store.remember` and `recall`: small named values."""

from tests.queue.contract.rig import Rig


async def test_memos_are_kept_and_replaced(rig: Rig) -> None:
    assert await rig.store.recall("forms") is None
    await rig.store.remember("forms", b"\0\xff")
    await rig.store.remember("other", b"")
    await rig.store.remember("forms", b"hex")
    await rig.crash()
    assert await rig.store.recall("forms") == b"hex"
    assert await rig.store.recall("other") == b""

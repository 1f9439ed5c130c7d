"""What a reload tells: which keys are otherwise now, and which wait for a restart."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from gateway.config import Settings
from gateway.config.changes import SHOWN, changes

from .conftest import CARRIER, TENANT

Load = Callable[..., Settings]

FILE: dict[str, Any] = {
    "tenants": [TENANT, {**TENANT, "id": "shop", "token_sha256": ["ab" * 32], "senders": ["Shop"]}],
    "carriers": [CARRIER, {**CARRIER, "id": "beta", "password_env": "BETA"}],
    "routes": [{"carriers": [{"id": "alpha"}], "match": {"prefix": ["86"]}}],
}
NEW = {**TENANT, "token_sha256": ["cd" * 32], "senders": ["New"]}
del FILE["carriers"][1]["password"]


def edited(edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    tables = copy.deepcopy(FILE)
    edit(tables)
    return tables


@pytest.mark.parametrize(
    ("edit", "made", "waiting"),
    [
        (lambda f: f.copy(), [], []),
        (lambda f: f["tenants"].append({**NEW, "id": "new"}), ["tenants.new: added"], []),
        (lambda f: f["tenants"].pop(), ["tenants.shop: removed"], []),
        (lambda f: f["tenants"].reverse(), [], []),
        (
            lambda f: f["tenants"][1].update(max_queued=5, rate=7),
            ["tenants.shop.rate", "tenants.shop.max_queued"],
            [],
        ),
        (
            lambda f: f["tenants"][0].update(token_sha256=["ef" * 32]),
            ["tenants.acme.token_sha256"],
            [],
        ),
        (lambda f: f["carriers"][0].update(window=5), ["carriers.alpha.window"], []),
        (lambda f: f["carriers"][0].update(password="other"), ["carriers.alpha.password"], []),
        (lambda f: f["routes"].append({"carriers": [{"id": "beta"}]}), ["routes"], []),
        (
            lambda f: f.update(policy={"quiet_hours": {"regions": {"FR": {"sunday": "closed"}}}}),
            ["policy.quiet_hours.regions.FR: added"],
            [],
        ),
        (
            lambda f: f.update(queue={"retention_days": 3, "validity": {"otp": 60}}),
            ["queue.retention_days", "queue.validity.otp"],
            [],
        ),
        (lambda f: f.update(queue={"path": "else.db"}), [], ["queue.path"]),
        (
            lambda f: f.update(api={"listen": ["unix:///x"], "max_batch": 7}),
            [],
            ["api.listen", "api.max_batch"],
        ),
        (
            lambda f: f.update(admin={"listen": "127.0.0.1:1"}, log={"level": "debug"}),
            [],
            ["admin.listen", "log.level"],
        ),
        (
            lambda f: f.update(admin={"token_sha256": ["a" * 64]}),
            ["admin.token_sha256"],
            [],
        ),
        (
            lambda f: f.update(log={"level": "debug"}, scheduler={"quantum": 9}),
            ["scheduler.quantum"],
            ["log.level"],
        ),
    ],
)
def test_what_is_told(
    load_tables: Load, edit: Callable[[dict[str, Any]], object], made: list[str], waiting: list[str]
) -> None:
    environ = {"BETA": "secret"}
    before = load_tables(FILE, environ)
    after = load_tables(edited(edit), environ)
    assert changes(before, before, after) == (made, waiting)


def test_a_password_that_changed_elsewhere_is_told_without_it(load_tables: Load) -> None:
    before, after = (load_tables(FILE, {"BETA": word}) for word in ("swordfish", "hunter2"))
    assert changes(before, before, after) == (["carriers.beta: its password or certificates"], [])


def test_what_waits_is_told_again_until_it_is_put_back(load_tables: Load) -> None:
    environ = {"BETA": "secret"}
    start = load_tables(FILE, environ)
    first = load_tables(edited(lambda f: f.update(log={"level": "debug"})), environ)
    second = load_tables(
        edited(lambda f: f.update(log={"level": "debug"}, scheduler={"quantum": 9})), environ
    )
    assert changes(start, start, first) == ([], ["log.level"])
    assert changes(start, first, second) == (["scheduler.quantum"], ["log.level"])
    assert changes(start, second, start) == (["scheduler.quantum"], [])


def test_more_than_a_line_holds_is_counted(load_tables: Load) -> None:
    environ = {"BETA": "secret"}

    def crowd(f: dict[str, Any]) -> None:
        f["tenants"] += [
            {**NEW, "id": f"t{n}", "token_sha256": [f"{n:064x}"], "senders": [f"T{n}"]}
            for n in range(200)
        ]

    before = load_tables(FILE, environ)
    made = changes(before, before, load_tables(edited(crowd), environ)).made
    assert len(made) == SHOWN + 1
    assert made[-1] == f"{200 - SHOWN} more"

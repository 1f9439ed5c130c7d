"""What is asked in a few words: ``status``, ``cancel``, ``pause``, ``resume``, ``consumers``."""

import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from gateway.api.wire import CancelResult, ConsumersAction, Status
from gateway.cli import looking, orders
from gateway.cli.access import Access
from gateway.cli.operators import LOCAL, NOBODY, AdminAccess, MaybeAccess
from gateway.cli.output import UsageError, record, show

Keys = Annotated[Sequence[str], Parameter(name="--key", show_default=False)]


def status(*ids: str, keys: Keys = (), access: Access) -> int:
    """Tell where messages stand.

    The exit status is 1 if one of them is not known.

    Parameters
    ----------
    ids
        Message ids.
    keys
        The key that a message was submitted with; repeat for more.
    """
    if not ids and not keys:
        raise UsageError("name message ids, or keys with --key")
    with access.client() as client:
        return _show_known([*ids, *keys], client.status(ids, keys))


def cancel(
    *ids: str,
    keys: Keys = (),
    campaign: str | None = None,
    tenant: str | None = None,
    route: str | None = None,
    category: str | None = None,
    confirm: int | None = None,
    access: MaybeAccess = NOBODY,
    operators: AdminAccess = LOCAL,
) -> int:
    """Cancel messages that no carrier has yet.

    The exit status is 1 if one of them is not known, or nothing of the campaign was left. With a
    tenant, route or category it is an operator who cancels: how many messages that are is told
    first, and nothing is done until that is confirmed.

    Parameters
    ----------
    ids
        Message ids.
    keys
        The key that a message was submitted with; repeat for more.
    campaign
        Cancel all that is left of a campaign.
    tenant
        Cancel all of a tenant's; of its campaign, where one is named.
    route
        Cancel what goes by a route.
    category
        Cancel what is of a category.
    confirm
        How many messages that are, as it was told.
    """
    if tenant or route or category:
        if ids or keys:
            raise UsageError("ids and keys are a tenant's: leave --tenant and the like out")
        which = {"tenant": tenant, "campaign": campaign, "route": route, "category": category}
        return orders.cancel(which, confirm, operators)
    if bool(ids or keys) == (campaign is not None):
        raise UsageError("name message ids and keys (--key), or a campaign (--campaign)")
    with access.required().client() as client:
        done = client.cancel(ids, keys, campaign)
    if campaign is not None:
        show([{"campaign": campaign, "cancelled": done.cancelled}])
        if not done.cancelled:
            print(
                f"gateway: {campaign!r}: nothing of this campaign waits: there is none of that "
                "name, or carriers have all of it",
                file=sys.stderr,
            )
        return int(not done.cancelled)
    return _show_known([*ids, *keys], done.results)


def pause(
    campaign: str | None = None,
    /,
    *,
    carrier: str | None = None,
    route: str | None = None,
    tenant: str | None = None,
    category: str | None = None,
    for_: Annotated[str | None, Parameter(name="--for")] = None,
    why: str = "",
    access: MaybeAccess = NOBODY,
    operators: AdminAccess = LOCAL,
) -> int:
    """Send nothing more of a campaign until it is resumed.

    With a carrier, route, tenant or category it is an operator who pauses that, or the campaign of
    that tenant.

    Parameters
    ----------
    campaign
        Its name; one that nothing has yet is paused in advance.
    carrier
        Send nothing more by a carrier: others of its routes take its share.
    route
        Send nothing more by a route.
    tenant
        Send nothing more of a tenant; or of its campaign, where one is named.
    category
        Send nothing more of a category.
    for_
        Until when, of an operator's pause: 90s, 30m, 2h, 7d.
    why
        For the audit, of an operator's pause.
    """
    what = orders.target(campaign, carrier, route, tenant, category)
    if what is not None:
        return orders.pause(what, for_, why, operators)
    if for_ is not None or why:
        raise UsageError("--for and --why are of an operator's pause: name the --tenant")
    with access.required().client() as client:
        show([{"campaign": campaign, "held": client.pause(campaign or "")}])
    return 0


def resume(
    campaign: str | None = None,
    /,
    *,
    extend: float | None = None,
    carrier: str | None = None,
    route: str | None = None,
    tenant: str | None = None,
    category: str | None = None,
    access: MaybeAccess = NOBODY,
    operators: AdminAccess = LOCAL,
) -> int:
    """Go on with a campaign that was paused.

    The exit status is 1 if nothing of it was held: perhaps the name is wrong. With a carrier,
    route, tenant or category it is an operator who lifts an operator's pause.

    Parameters
    ----------
    campaign
        Its name.
    extend
        Seconds by which what waits of it is to expire later.
    carrier
        Send by a carrier again.
    route
        Send by a route again.
    tenant
        Send a tenant's messages again; or those of its campaign, where one is named.
    category
        Send messages of a category again.
    """
    what = orders.target(campaign, carrier, route, tenant, category)
    if what is not None:
        return orders.resume(what, extend, operators)
    with access.required().client() as client:
        released = client.resume(campaign or "", extend)
    show([{"campaign": campaign, "released": released}])
    if not released:
        print(f"gateway: {campaign!r}: nothing of this campaign was held", file=sys.stderr)
    return int(not released)


def consumers(
    action: ConsumersAction | None = None,
    /,
    *names: str,
    access: MaybeAccess = NOBODY,
    operators: AdminAccess = LOCAL,
) -> int:
    """List or delete the consumers of events.

    The exit status is 1 if one of those that are named is not known. Without an action it is an
    operator who looks at those of all tenants.

    Parameters
    ----------
    action
        What to do.
    names
        Which ones; all where a list names none.
    """
    if action is None:
        return looking.consumers_of_all(operators)
    if action == "delete" and not names:
        raise UsageError("name the consumers to delete")
    with access.required().client() as client:
        found = [client.consumers(action, name) for name in names or (None,)]
    show([record(each) for some in found for each in some])
    unknown = [name for name, some in zip(names, found, strict=False) if not some]
    for name in unknown:
        print(f"gateway: {name}: not known", file=sys.stderr)
    return int(bool(unknown))


def _show_known(names: Sequence[str], found: Sequence[Status | CancelResult | None]) -> int:
    """Show what was found; the exit status is 1 if something was not."""
    show([record(each) for each in found if each is not None])
    unknown = [name for name, each in zip(names, found, strict=True) if each is None]
    for name in unknown:
        print(f"gateway: {name}: not known", file=sys.stderr)
    return int(bool(unknown))

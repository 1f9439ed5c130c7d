"""What is asked in a few words: ``status``, ``cancel``, ``pause``, ``resume``, ``consumers``."""

import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from gateway.api.wire import CancelResult, ConsumersAction, Status
from gateway.cli.access import Access
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


def cancel(*ids: str, keys: Keys = (), campaign: str | None = None, access: Access) -> int:
    """Cancel messages that no carrier has yet.

    The exit status is 1 if one of them is not known, or nothing of the campaign was left.

    Parameters
    ----------
    ids
        Message ids.
    keys
        The key that a message was submitted with; repeat for more.
    campaign
        Cancel all that is left of a campaign.
    """
    if bool(ids or keys) == (campaign is not None):
        raise UsageError("name message ids and keys (--key), or a campaign (--campaign)")
    with access.client() as client:
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


def pause(campaign: str, /, *, access: Access) -> int:
    """Send nothing more of a campaign until it is resumed.

    Parameters
    ----------
    campaign
        Its name; one that nothing has yet is paused in advance.
    """
    with access.client() as client:
        show([{"campaign": campaign, "held": client.pause(campaign)}])
    return 0


def resume(campaign: str, /, *, extend: float | None = None, access: Access) -> int:
    """Go on with a campaign that was paused.

    The exit status is 1 if nothing of it was held: perhaps the name is wrong.

    Parameters
    ----------
    campaign
        Its name.
    extend
        Seconds by which what waits of it is to expire later.
    """
    with access.client() as client:
        released = client.resume(campaign, extend)
    show([{"campaign": campaign, "released": released}])
    if not released:
        print(f"gateway: {campaign!r}: nothing of this campaign was held", file=sys.stderr)
    return int(not released)


def consumers(action: ConsumersAction, /, *names: str, access: Access) -> int:
    """List or delete the consumers of events.

    The exit status is 1 if one of those that are named is not known.

    Parameters
    ----------
    action
        What to do.
    names
        Which ones; all where a list names none.
    """
    if action == "delete" and not names:
        raise UsageError("name the consumers to delete")
    with access.client() as client:
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

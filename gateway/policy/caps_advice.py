"""What an operator should know of the frequency caps that a configuration comes to: caps that never
apply, caps whose deferrals hardly anything survives, and tenants that none holds for."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from gateway.message import CATEGORIES, Category
from gateway.policy.caps import EACH, FrequencyCap, expanded

Tenants = Mapping[str, Collection[Category]]
"""The categories that each tenant may send."""


def never_apply(caps: Sequence[FrequencyCap], tenants: Tenants) -> Iterator[str]:
    """Caps that another one always comes before, and caps of what nobody sends."""
    for at, cap in enumerate(caps):
        if cap.shipped is not None:
            continue
        stricter = next((i for i, one in enumerate(caps) if _implies(one, cap)), None)
        if stricter is not None:
            yield (
                f"[{at}]: never applies, for [{stricter}] allows no more messages in no less time;"
                " leave one of them out"
            )
        senders = [tenants[name] for name in cap.tenants or tenants if name in tenants]
        if cap.category is not None and not any(cap.category in sent for sent in senders):
            yield (
                f"[{at}].category: none of the tenants that it holds for may send {cap.category};"
                " name another, or leave the cap out"
            )


def _implies(one: FrequencyCap, other: FrequencyCap) -> bool:
    """Whether one cap is always reached before another, all of whose messages it counts too."""
    if one is other or one.shipped is not None or one.window != other.window:
        return False
    if one.same_text and not other.same_text:
        return False
    narrower = (
        _takes_in(one.category, other.category)
        and _takes_in(one.campaign, other.campaign)
        and _takes_in(one.signature, other.signature)
        and (not one.regions or (bool(other.regions) and {*other.regions} <= {*one.regions}))
        and (not one.tenants or (bool(other.tenants) and {*other.tenants} <= {*one.tenants}))
    )
    return narrower and one.width >= other.width and (one.max or 0) <= (other.max or 0)


def _takes_in(one: str | None, other: str | None) -> bool:
    """Whether what one names, each apart or all together, has all that another names."""
    return one is None or one == other or (one == EACH and other is not None)


def outlived(caps: Sequence[FrequencyCap], validity: Mapping[Category, float]) -> Iterator[str]:
    """Caps that defer for longer than their messages live."""
    for at, cap in enumerate(caps):
        if cap.shipped is None and cap.on_cap == "defer":
            most = max(
                validity[one] for one in (CATEGORIES if not cap.category else [cap.category])
            )
            if cap.width > most:
                yield (
                    f"[{at}].on_cap: defers for up to {cap.per}, and messages live for"
                    f" {most / 3600:g} hours unless they say expires_at; those that would expire"
                    " are refused: raise queue.validity, or refuse"
                )


def without(
    caps: Sequence[FrequencyCap], tenants: Tenants, on: Mapping[str, bool]
) -> Iterator[str]:
    """Tenants that no cap holds for, where there are caps."""
    held = expanded(caps)
    for number, name in enumerate(tenants):
        if held and on[name] and not any(not one.tenants or name in one.tenants for one in held):
            yield (
                f"tenants[{number}].id: {name} is in none of policy.frequency's tenants, so that no"
                " cap holds for it; name it there, or write frequency = false"
            )

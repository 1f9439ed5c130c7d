"""What the policy holds back and refuses, and what phones say, as operators see it."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from gateway.dispatch.core import Dispatch
from gateway.dispatch.operating.week import Week
from gateway.ops.instruments import Counter as Counted
from gateway.ops.metrics import Metrics
from gateway.ops.views import PolicyView, QueueView, TenantRuleView

TENANTS: Final = 50
"""Rows by tenant and rule, the largest."""


def policy(
    dispatch: Dispatch, metrics: Metrics, week: Week, queues: Sequence[QueueView]
) -> PolicyView:
    """What there is to tell, as far as the hours are known."""
    rules, codes = week.rules()
    due = [one.next_due for one in queues if one.next_due is not None]
    states = [one for one in dispatch.ledger.counts() if one.state == "deferred"]
    added: Counter[str] = Counter()
    lifted: Counter[str] = Counter()
    for (_, source, action), number in metrics.optouts.values().items():
        (added if action == "add" else lifted)[source] += number
    return PolicyView(
        deferred=sum(one.messages for one in states),
        next_due=min(due, default=None),
        rules=rules,
        tenants=_by_tenant(metrics),
        codes=codes,
        optouts=added,
        optouts_lifted=lifted,
        suspected=sum(metrics.optouts_suspected.values().values()),
        unowned=_named(metrics.inbound_unowned),
        maybe_duplicate=_named(metrics.messages_maybe_duplicate),
        repeated=_named(metrics.messages_repeated),
    )


def _named(counter: Counted) -> dict[str, int]:
    """What was counted, by the one label that it has."""
    return {name: number for (name,), number in counter.values().items() if number}


def _by_tenant(metrics: Metrics) -> tuple[TenantRuleView, ...]:
    refused, deferred = metrics.messages_ruled_out.values(), metrics.messages_deferred.values()
    found = [
        TenantRuleView(
            tenant=tenant,
            rule=rule,
            refused=int(refused.get((tenant, rule), 0)),
            deferred=int(deferred.get((tenant, rule), 0)),
        )
        for tenant, rule in dict.fromkeys((*refused, *deferred))
    ]
    found = [one for one in found if one.refused or one.deferred]
    found.sort(key=lambda one: (-one.refused - one.deferred, one.tenant, one.rule))
    return tuple(found[:TENANTS])

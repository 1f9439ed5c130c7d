"""Whether a gateway's carriers are simulated, by what its metrics say. Pure.

``gateway simulate`` calls itself ``simulator`` when it lets a bind in, and the metric
``gateway_carrier_info`` tells what each carrier called itself. A carrier that says something else,
or nothing since none of its binds is up, may hand messages to phones.
"""

from collections import defaultdict
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

SIMULATOR: Final = "simulator"
"""What a simulated carrier's system_id begins with."""


def doubts(exposition: str) -> list[str]:
    """Why a carrier may be a real one, a sentence each; empty where all are simulated. Raises
    ValueError for what are no metrics of a gateway."""
    carriers: dict[str, set[str]] = defaultdict(set)
    known = False
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            known = known or sample.name == "gateway_build_info"
            if sample.name == "gateway_bind_up":
                carriers[sample.labels["carrier"]] |= set()
            elif sample.name == "gateway_carrier_info":
                carriers[sample.labels["carrier"]].add(sample.labels["system_id"])
    if not known:
        raise ValueError("these are not the metrics of a gateway")
    found = []
    for carrier, names in sorted(carriers.items()):
        if not names:
            found.append(f"carrier {carrier}: no bind is up, so nobody knows what it is")
        found += [
            f"carrier {carrier} calls itself {name!r}, and not {SIMULATOR}"
            for name in sorted(names)
            if not name.startswith(SIMULATOR)
        ]
    return found if carriers else ["the gateway has no carriers yet"]

"""The pages that the list of pages leads to, as data."""

from typing import Final

import msgspec


class Page(msgspec.Struct, frozen=True):
    """A page.

    Attributes:
        path: its address.
        title: its name, in the list of pages too.
        template: of what is shown and renewed.
        live: whether it renews itself.
        board: whose panels are drawn below it.
        search: what the search on it looks for; empty where it has none.
    """

    path: str
    title: str
    template: str
    live: bool = False
    board: str = ""
    search: str = ""


PAGES: Final = {
    page.path: page
    for page in (
        Page("/", "Now", "now.html", live=True, board="now"),
        Page(
            "/carriers",
            "Carriers",
            "carriers.html",
            live=True,
            board="carriers",
            search="carrier, state, route",
        ),
        Page(
            "/queues",
            "Queues",
            "queues.html",
            live=True,
            search="tenant, category, route, campaign, reason",
        ),
        Page(
            "/tenants", "Tenants", "tenants.html", live=True, board="tenants", search="tenant, name"
        ),
        Page("/policy", "Policy", "policy.html", live=True, board="tenants"),
        Page("/campaigns", "Campaigns", "campaigns.html", live=True, search="tenant, campaign"),
        Page("/messages", "Messages", "messages.html", search="id of a message, number of a phone"),
        Page("/optouts", "Opt-outs", "optouts.html", search="number of a phone"),
        Page("/consumers", "Consumers", "consumers.html", live=True, search="tenant, consumer"),
        Page("/nodes", "Nodes", "nodes.html", live=True, search="node, carrier, configuration"),
        Page("/system", "System", "system.html", live=True, board="store"),
        Page("/audit", "Audit", "audit.html", search="who, verb, subject"),
        Page("/panels", "Panels", "panels.html"),
    )
}
"""Every page that the navigation leads to, in its order."""

"""How panels are put together: rates, levels and quantiles of metrics, by labels."""

from typing import Final

from gateway.ops.watching.declared import Panel, Query, Unit

RATE: Final = "[$__rate_interval]"


def per(metric: str, *labels: str, where: str = "") -> Query:
    """How often something happens, a second, by labels."""
    by = f" by ({', '.join(labels)})" if labels else ""
    return Query(f"sum{by} (rate(gateway_{metric}{{@{where}}}{RATE}))", legend(*labels))


def level(metric: str, *labels: str, how: str = "sum", where: str = "") -> Query:
    """How much there is of something, by labels."""
    by = f" by ({', '.join(labels)})" if labels else ""
    return Query(f"{how}{by} (gateway_{metric}{{@{where}}})", legend(*labels) or metric)


def spread(
    metric: str, *labels: str, quantiles: tuple[float, ...], where: str = ""
) -> tuple[Query, ...]:
    """Quantiles of seconds, by labels."""
    by = ", ".join((*labels, "le"))
    rate = f"sum by ({by}) (rate(gateway_{metric}_bucket{{@{where}}}{RATE}))"
    return tuple(
        Query(f"histogram_quantile({q}, {rate})", f"{legend(*labels)} {q:.0%}".strip())
        for q in quantiles
    )


def legend(*labels: str) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in labels)


def lines(title: str, description: str, unit: Unit, *queries: Query, **more: float) -> Panel:
    """A panel of lines over time."""
    return Panel(title, description, unit, queries, warn=more.get("warn"), alarm=more.get("alarm"))


def numbers(title: str, description: str, unit: Unit, *queries: Query, **more: float) -> Panel:
    """A panel of the last values."""
    return Panel(title, description, unit, queries, "stat", more.get("warn"), more.get("alarm"))

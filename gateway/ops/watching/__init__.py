"""What is watched, declared once: boards with their panels, recording rules, alerts and what to do
about each. `tools.boards` makes of it what Grafana, Prometheus, Alertmanager and readers of the
documentation need; nothing here is used while the gateway runs."""

from gateway.ops.watching.boards import BOARDS
from gateway.ops.watching.dues import DUES
from gateway.ops.watching.faults import FAULTS
from gateway.ops.watching.questions import QUESTIONS
from gateway.ops.watching.symptoms import RECORDINGS, SYMPTOMS

__all__ = ["ALERTS", "BOARDS", "QUESTIONS", "RECORDINGS"]

ALERTS = (*SYMPTOMS, *FAULTS, *DUES)
"""Every alert, those that people feel first."""

"""Which role may do what: one table, for the admin API, the console and the command line alike.

A viewer sees how it stands, with numbers masked and no texts. An operator steers the traffic as
well. Compliance sees numbers, texts and the audit and changes opt-outs, and steers nothing. An
admin may do everything.
"""

from collections.abc import Mapping
from typing import Final

from gateway.ops import commands
from gateway.ops.operations import Caller, Role
from gateway.ops.problems import ProblemError

STEERING: Final[frozenset[Role]] = frozenset({"operator", "admin"})
PERSONAL: Final[frozenset[Role]] = frozenset({"compliance", "admin"})
"""Who may see numbers and texts."""

AUDITING: Final[frozenset[Role]] = frozenset({"operator", "compliance", "admin"})

MAY_DO: Final[Mapping[type[commands.Command], frozenset[Role]]] = {
    commands.Pause: STEERING,
    commands.Resume: STEERING,
    commands.Drain: STEERING,
    commands.Rebind: STEERING,
    commands.Move: STEERING,
    commands.MoveBack: STEERING,
    commands.SetRate: STEERING,
    commands.UnsetRate: STEERING,
    commands.Cancel: STEERING,
    commands.Settle: STEERING,
    commands.Disconnect: STEERING,
    commands.SendTest: STEERING,
    commands.Reload: STEERING,
    commands.ChangeOptout: PERSONAL,
    commands.Erase: PERSONAL,
}


def check(caller: Caller, command: commands.Command) -> None:
    """Raises ProblemError where the caller's role does not allow a command."""
    demand(caller, MAY_DO[type(command)])


def demand(caller: Caller, allowed: frozenset[Role]) -> None:
    """Raises ProblemError where the caller has another role."""
    if caller.role not in allowed:
        raise ProblemError(
            "forbidden",
            f"{caller.name} is {caller.role}; this is for {' and '.join(sorted(allowed))}",
        )


def sees_numbers(caller: Caller) -> bool:
    """Whether phones' numbers and texts are shown to a caller."""
    return caller.role in PERSONAL

"""The commands of ``gateway``, and how they fail: with one clear line on stderr, never a traceback,
and an exit status that says whose turn it is.

Each command is a function in one of the modules here, imported only when it is called for, so that
none waits for what another needs. What the commands do is done by the layers below.
"""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Final, NoReturn

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter

import gateway
from gateway.api.wire import ApiError
from gateway.cli.output import UsageError
from gateway.errors import ConfigError, GatewayError

FAILED: Final = 1
"""Exit status: it was tried and did not work, or something was refused."""

MISTAKEN: Final = 2
"""Exit status: the command line or the configuration has to be mended first."""

_EXPECTED: Final = (CycloptsError, GatewayError, ApiError, OSError)
_MISTAKES: Final = (CycloptsError, UsageError, ConfigError)

COMMANDS: Final = (
    "beginning:init",
    "serving:serve",
    "configuring:check",
    "configuring:token",
    "keeping:backup",
    "keeping:migrate",
    "simulating:simulate",
    "sending:send",
    "sending:quote",
    "asking:status",
    "explaining:explain",
    "asking:cancel",
    "asking:pause",
    "asking:resume",
    "counting:stats",
    "optouts:optout",
    "consents:consent",
    "conversing:handover",
    "templating:template",
    "asking:consumers",
    "listening:events",
    "looking:overview",
    "top:top",
    "looking:carriers",
    "looking:reach",
    "looking:queues",
    "looking:sent",
    "looking:tenants",
    "looking:policy",
    "looking:campaigns",
    "looking:system",
    "looking:nodes",
    "looking:pauses",
    "looking:message",
    "looking:messages",
    "looking:person",
    "orders:erase",
    "looking:audit",
    "looking:diff",
    "orders:reload",
    "orders:drain",
    "orders:rebind",
    "orders:move",
    "orders:rate",
    "orders:settle",
    "orders:disconnect",
    "orders:probe",
)
"""Where each command is, in the order of the help."""

_NAME: Final = re.compile(r"--[a-z][a-z-]*")
_OPTION: Final = re.compile(r"--[a-z]")
"""An option whose value comes next, and how any begins."""

app = App(
    name="gateway",
    help="An SMS gateway: batches of messages in, SMPP out, one outcome for every message.",
    help_format="markdown",
    help_formatter="default" if sys.stdout.isatty() else "plain",
    version=lambda: gateway.__version__,
    default_parameter=Parameter(negative=()),
    result_action="return_value",
)
for position, place in enumerate(COMMANDS):
    app.command(f"gateway.cli.{place}", name=place.partition(":")[2], sort_key=position)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Carry out a command and exit; ``arguments`` are those of the process where none are given."""
    sys.exit(_run(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in app.help_flags:
        for name in app:
            app[name]  # imports it: the list of commands takes what their docstrings say
    try:
        status = app(_tied(arguments), exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has had enough; Python would complain of it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (*_EXPECTED, ExceptionGroup) as error:
        faults = list(_faults(error))
        for fault in faults:
            for line in _told(fault, arguments).splitlines():
                print(f"gateway: {line}", file=sys.stderr)
        return MISTAKEN if isinstance(faults[0], _MISTAKES) else FAILED
    return status if isinstance(status, int) else 0


def _tied(arguments: Sequence[str]) -> list[str]:
    """Arguments in which a value that begins with a hyphen is tied to its option, ``--token -abc``
    becoming ``--token=-abc``: else it would be taken for an option. What looks like an option
    stays one, so that a value that was forgotten is not the option behind it."""
    tied: list[str] = []
    for position, argument in enumerate(arguments):
        if argument == "--" and not (tied and _NAME.fullmatch(tied[-1])):
            return [*tied, *arguments[position:]]
        is_value = argument.startswith("-") and not _OPTION.match(argument)
        if is_value and tied and _NAME.fullmatch(tied[-1]) and argument not in app.help_flags:
            tied[-1] += f"={argument}"
        else:
            tied.append(argument)
    return tied


def _told(fault: Exception, arguments: Sequence[str]) -> str:
    if isinstance(fault, MissingArgumentError) and fault.argument is not None:
        for name in fault.argument.names:
            if name in arguments:
                return f"{fault} One that begins with -- is given as {name}=--..."
    return str(fault)


def _faults(error: Exception) -> Iterator[Exception]:
    """The errors that ``error`` consists of. Raises what nobody expected."""
    if not isinstance(error, ExceptionGroup):
        yield error
        return
    expected, unexpected = error.split(_EXPECTED)
    if unexpected is not None:
        raise unexpected
    for one in expected.exceptions if expected is not None else ():
        yield from _faults(one)

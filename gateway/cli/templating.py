"""``gateway template``: the tenant's templates from the command line."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter

from gateway.api.wire import Template
from gateway.cli.access import Access
from gateway.cli.output import UsageError, record, show
from gateway.message import Category

Action = Literal["put", "get", "list", "delete"]
Several = Annotated[Sequence[str], Parameter(show_default=False)]

_PARTS: Final = 3
"""What is said of a variable: its type, its greatest length, its default."""


def template(
    action: Action,
    name: str | None = None,
    /,
    *,
    text: str | None = None,
    category: Category | None = None,
    var: Several = (),
    allow: Several = (),
    approved: Several = (),
    version: int | None = None,
    access: Access,
) -> int:
    """Make, show, list or delete templates.

    The exit status is 1 if there is none of that name.

    Parameters
    ----------
    action
        What to do; put makes a template, or a new version of it.
    name
        Its name; a list takes none.
    text
        Its text, with ${name} for variables.
    category
        Of its messages; whatever they say where it is left out.
    var
        What there is to say of a variable: NAME=TYPE:MAX:DEFAULT, the last two where they are
        needed; TYPE is text, digits, number, code or link. Repeat for more.
    allow
        What variables may bring: links, brackets, breaks. Repeat for more.
    approved
        The id by which a carrier knows it: CARRIER=ID. Repeat for more.
    version
        An earlier version, for get.
    """
    if (action == "list") == (name is not None):
        raise UsageError("name the template; a list takes no name")
    if (action == "put") != (text is not None):
        raise UsageError("put needs the text, --text, and nothing else takes one")
    with access.client() as client:
        found: list[Template] = []
        if action == "put":
            found = [
                client.put_template(
                    name or "",
                    text or "",
                    category=category,
                    variables=dict(map(_variable, var)),
                    allow=allow,
                    approved=dict(_pair("--approved", one) for one in approved),
                )
            ]
        elif action == "list":
            after = ""
            while page := client.templates(after):
                found += page
                after = page[-1].name
        else:
            one = (
                client.delete_template(name or "")
                if action == "delete"
                else client.template(name or "", version)
            )
            found = [] if one is None else [one]
    show([record(one) for one in found])
    if name is not None and not found:
        print(f"gateway: {name}: not known", file=sys.stderr)
        return 1
    return 0


def _variable(text: str) -> tuple[str, dict[str, Any]]:
    name, said = _pair("--var", text)
    kind, *rest = said.split(":", _PARTS - 1)
    found: dict[str, Any] = {"type": kind} if kind else {}
    if rest and rest[0]:
        try:
            found["max"] = int(rest[0])
        except ValueError:
            raise UsageError(f"--var: {text[:40]!r}: {rest[0][:20]!r} is no length") from None
    if len(rest) > 1:
        found["default"] = rest[1]
    return name, found


def _pair(option: str, text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise UsageError(f"{option}: {text[:40]!r} is not NAME=VALUE")
    return name, value

"""Reads numbers for the commands that take them, those without a country code as some region's. The
gateway does so itself where no region is named, as the tenant's ``default_region`` says.
"""

from collections.abc import Callable

from gateway.cli.output import UsageError

Reader = Callable[[str], str]
"""Gives a number as the gateway is to have it. Raises ValueError where it is none."""

Region = str | None
"""ISO 3166 alpha-2; None leaves the reading to the gateway."""


def reader(region: Region) -> Reader:
    """What reads numbers of this region. Raises UsageError where there is none such."""
    if region is None:
        return str
    # Not before somebody asks for it: the plans take 10 ms.
    from gateway.numbers import check_region, read  # noqa: PLC0415

    try:
        check_region(region)
    except ValueError as error:
        raise UsageError(f"--region: {error}") from None

    return lambda written: f"+{read(written, region)}"

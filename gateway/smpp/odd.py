"""What can be odd about a PDU whose frame is whole: the words for it, and nothing else."""

from typing import Final, Literal, NamedTuple

OddKind = Literal[
    "short_body",
    "missing_nul",
    "overlong_string",
    "padded_string",
    "wrong_sm_length",
    "stray_octets",
    "cut_parameter",
    "parameter_size",
    "repeated_parameter",
]
"""``short_body``: fields are missing at the end; ``missing_nul``: a C-octet string has no end;
``overlong_string``: one is longer than its field may be; ``padded_string``: one has more than the
one NUL at its end; ``wrong_sm_length``: short_message has
more or fewer octets than sm_length says; ``stray_octets``: something after the last field that is
no optional parameter; ``cut_parameter``: the last optional parameter has fewer octets than it says;
``parameter_size``: one has more or fewer than its type has; ``repeated_parameter``: one is there
more than once."""


class Odd(NamedTuple):
    """One odd thing, and where: the field or parameter, never anything of its content."""

    kind: OddKind
    where: str


_HARMLESS: Final = frozenset[OddKind]({"parameter_size", "repeated_parameter"})
"""What is odd only to whoever reads the parameters."""


def breaks(odd: tuple[Odd, ...]) -> bool:
    """Whether any of these breaks the layout of a PDU."""
    return any(one.kind not in _HARMLESS for one in odd)

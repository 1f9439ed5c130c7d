"""Optional parameters as tenants and configurations state them."""

from typing import Any

import pytest

from gateway.dispatch.intake.parameters import OPERATORS, merged, read


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, ()),
        ({0x1400: b"\x01\x02"}, ((0x1400, b"\x01\x02"),)),
        ({"0x1400": b"\x01"}, ((0x1400, b"\x01"),)),
        ({"5120": b"\x01"}, ((0x1400, b"\x01"),)),
        ({"0x1400": "110145"}, ((0x1400, b"110145\0"),)),  # a C-octet string
        ({0x3FFF: ""}, ((0x3FFF, b"\0"),)),
        ({0x1400: b""}, ((0x1400, b""),)),
        ({0x1401: "b", "0x1400": "a"}, ((0x1400, b"a\0"), (0x1401, b"b\0"))),
        ({0x1400: b"x" * 255}, ((0x1400, b"x" * 255),)),
        ({0x1400: "x" * 254}, ((0x1400, b"x" * 254 + b"\0"),)),
    ],
)
def test_tags_and_values(given: dict[int | str, Any], found: object) -> None:
    assert read(given) == found


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"entity": "1"}, "'entity': not a tag: a number such as 5120 or 0x1400"),
        ({"": "1"}, "'': not a tag"),
        ({0x13FF: "1"}, "0x13ff: not a vendor's tag, 0x1400 to 0x3FFF"),
        ({"0x4000": "1"}, "'0x4000': not a vendor's tag"),
        ({-1: "1"}, "-0x001: not a vendor's tag"),
        ({0x0381: "1"}, "0x0381: not a vendor's tag"),  # callback_num
        ({0x0424: "1"}, "0x0424: is written by the gateway, see long_messages"),
        ({0x020C: "1"}, "0x020c: is written by the gateway"),
        ({0x1400: 5}, "0x1400: the value is neither octets nor a text"),
        ({0x1400: None}, "0x1400: the value is neither"),
        ({0x1400: ["1"]}, "0x1400: the value is neither"),
        ({0x1400: b"x" * 256}, "0x1400: 256 octets, over 255"),
        ({0x1400: "x" * 255}, "0x1400: 256 octets, over 255"),
        ({0x1400: "a\0b"}, "0x1400: a text of characters that are not ASCII, or NUL"),
        ({0x1400: "模板"}, "0x1400: a text of characters that are not ASCII"),
        ({0x1400: "a", "0x1400": "a"}, "0x1400 is there twice"),
        (dict.fromkeys(range(0x1400, 0x1411), "x"), "17 parameters, over 16"),
    ],
)
def test_what_is_wrong_is_named(given: dict[int | str, Any], why: str) -> None:
    with pytest.raises(ValueError, match="^" + why.replace("(", r"\(")):
        read(given)


@pytest.mark.parametrize(
    ("tag", "taken"),
    [(0x0005, True), (0x1400, True), (0x6001, True), (0xFFFF, True), (0x0424, False),
     (0x020F, False), (0x10000, False), (-1, False)],
)  # fmt: skip
def test_configurations_may_state_tags_of_the_book(tag: int, taken: bool) -> None:
    if taken:
        assert read({tag: b"x"}, OPERATORS) == ((tag, b"x"),)
    else:
        with pytest.raises(ValueError, match=r"0x.* (not a tag|is written by the gateway)"):
            read({tag: b"x"}, OPERATORS)


@pytest.mark.parametrize(
    ("first", "then", "found"),
    [
        ((), (), ()),
        (((1, b"a"),), (), ((1, b"a"),)),
        ((), ((1, b"a"),), ((1, b"a"),)),
        (((1, b"a"), (3, b"c")), ((3, b"z"), (2, b"b")), ((1, b"a"), (2, b"b"), (3, b"z"))),
    ],
)
def test_the_later_source_counts(first: Any, then: Any, found: Any) -> None:
    assert merged(first, then) == found

import math
from itertools import accumulate
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text.errors import EmptyTextError, TextError, TooLongError, UnencodableError
from gateway.text.measuring import MAX_PARTS, Measure, earliest_ends, fits, measure

Wanted = Literal["auto", "gsm7", "ucs2"]


@pytest.mark.parametrize(
    ("text", "parts", "narrow"),
    [
        ("a", 1, 1),
        ("a" * 160, 1, 1),
        ("a" * 161, 2, 2),
        ("a" * 304, 2, 2),
        ("a" * 305, 2, 3),  # headers with 8-bit references save a part
        ("a" * 306, 2, 3),
        ("a" * 307, 3, 3),
        ("a" * 254 * 153, 254, 256),
        ("a" * 255 * 152, 254, 255),
        ("@" * 160, 1, 1),
        ("é" * 160, 1, 1),
        ("€" * 80, 1, 1),
        ("€" * 80 + "a", 2, 2),
        ("€" * 152, 2, 2),
        ("€" * 153, 3, 3),  # 153 septets hold no more pairs than 152
        ("a" + "€" * 151, 2, 2),  # 303 septets, of which each part of 152 holds 151 or 152
        ("a" + "€" * 151 + "a", 2, 3),  # 304 septets, and of 152 neither part can be full
        ("a" * 151 + "€" + "a" * 151, 2, 3),
        ("a" * 152 + "€" + "a" * 152, 3, 3),
        ("a" * 152 + "€" + "a" * 150, 2, 2),
    ],
)
def test_parts_in_gsm7(text: str, parts: int, narrow: int) -> None:
    assert measure(text) == measure(text, "gsm7") == Measure("gsm7", parts)
    if narrow <= MAX_PARTS:
        assert measure(text, narrow=True) == Measure("gsm7", narrow)
    else:
        with pytest.raises(TooLongError):
            measure(text, narrow=True)


@pytest.mark.parametrize(
    ("text", "parts", "narrow"),
    [
        ("中", 1, 1),
        ("中" * 70, 1, 1),
        ("中" * 71, 2, 2),
        ("中" * 132, 2, 2),
        ("中" * 133, 2, 3),
        ("中" * 134, 2, 3),
        ("中" * 135, 3, 3),
        ("中" * 198, 3, 3),
        ("中" * 201, 3, 4),
        ("中" * 255 * 66, 252, 255),
        ("😀" * 35, 1, 1),
        ("😀" * 36, 2, 2),
        ("😀" * 66, 2, 2),
        ("😀" * 67, 3, 3),  # 67 units hold no more pairs than 66
        ("中" + "😀" * 65 + "中", 2, 3),  # 132 code units, and of 66 neither part can be full
        ("a" * 69 + "中", 1, 1),
        ("`" * 71, 2, 2),
        ("\0", 1, 1),
    ],
)
def test_parts_in_ucs2(text: str, parts: int, narrow: int) -> None:
    assert measure(text) == measure(text, "ucs2") == Measure("ucs2", parts)
    assert measure(text, narrow=True) == Measure("ucs2", narrow)


def test_ucs2_is_to_be_had_for_any_text() -> None:
    assert measure("a" * 71, "ucs2") == Measure("ucs2", 2)


@pytest.mark.parametrize("wanted", ["auto", "gsm7", "ucs2"])
def test_an_empty_text_is_refused(wanted: Wanted) -> None:
    with pytest.raises(EmptyTextError, match="the text is empty"):
        measure("", wanted)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a" * (255 * 153 + 1), "auto"),
        ("€" * (255 * 76 + 1), "auto"),
        ("€" * (255 * 76) + "aa", "gsm7"),  # would fit, were it not for escape pairs
        ("a" * (255 * 67 + 1), "ucs2"),
        ("中" * (255 * 67 + 1), "auto"),
        ("😀" * (255 * 33 + 1), "auto"),
        ("😀" * (255 * 33) + "中中", "auto"),
        ("中" * 100_000, "ucs2"),
    ],
    ids=lambda value: f"{len(value)} characters" if len(value) > 4 else value,
)
def test_a_text_of_more_than_255_parts_is_refused(text: str, wanted: Wanted) -> None:
    with pytest.raises(TooLongError, match=f"^{len(text)} characters need more than 255 parts$"):
        measure(text, wanted)


def test_what_gsm7_lacks_is_refused_where_gsm7_is_wanted() -> None:
    with pytest.raises(UnencodableError, match="position 2 has no form in gsm7") as caught:
        measure("ab中", "gsm7")
    assert caught.value.character == "中"


@pytest.mark.parametrize("wanted", ["auto", "gsm7", "ucs2"])
def test_half_a_surrogate_pair_is_refused(wanted: Wanted) -> None:
    with pytest.raises(UnencodableError, match=r"U\+DE00 at position 1"):
        measure("a\ude00", wanted)


def test_each_reason_has_its_code_on_the_wire() -> None:
    reasons: list[type[TextError]] = [EmptyTextError, TooLongError, UnencodableError]
    assert [reason.code for reason in reasons] == ["empty_text", "too_long", "unencodable"]


def earliest(offsets: list[int], room: int, left: int) -> int:
    """From where the rest of a text fits ``left`` parts, by trying each place."""

    def fits(start: int) -> bool:
        parts, used = 1, 0
        for before, after in zip(offsets[start:], offsets[start + 1 :], strict=False):
            if used + after - before > room:
                parts, used = parts + 1, 0
            used += after - before
        return parts <= left

    return next(start for start in range(len(offsets)) if fits(start))


@given(st.lists(st.integers(1, 2), min_size=10, max_size=60), st.integers(2, 7))
def test_parts_are_the_fewest(widths: list[int], room: int) -> None:
    offsets = [sum(widths[:at]) for at in range(len(widths) + 1)]
    fewest = [0]  # by how much of the text they hold
    for end in range(1, len(offsets)):
        fewest.append(
            1 + min(fewest[at] for at in range(end) if offsets[end] - offsets[at] <= room)
        )
    ends = earliest_ends(offsets, room)
    assert len(ends) == fewest[-1]
    assert ends[0] == len(widths)
    assert ends[1:] == [earliest(offsets, room, left) for left in range(1, len(ends))]


@given(
    st.lists(st.sampled_from([1, 1, 1, 2]), min_size=2, max_size=120),
    st.integers(1, 12),
    st.integers(4, 20),
)
def test_what_fits_is_what_could_be_cut(sizes: list[int], parts: int, room: int) -> None:
    offsets = list(accumulate(sizes, initial=0))
    assert fits(offsets, parts, room) == (len(earliest_ends(offsets, room)) <= parts)
    assert fits(offsets, math.inf, room)
    assert not fits(offsets, 0, room)

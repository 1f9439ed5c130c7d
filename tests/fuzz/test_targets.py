"""Every target with what is kept, with anything, and with what is nearly right."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, run

HERE: Final = Path(__file__).parent
KEPT: Final = sorted(
    path for folder in ("seeds", "regressions") for path in (HERE / folder).glob("*/*")
)
SEEDS: Final = {
    name: [path.read_bytes() for path in KEPT if path.parent.name == name] for name in TARGETS
}

DRAWS: Final = {"configurations": 60}
"""Examples of each test; fewer where one takes milliseconds."""

Test = TypeVar("Test", bound=Callable[..., None])

SPLICES: Final = [
    b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff" * 8, b"\xc1", b"\x80", b"\x1b", b"\xd8\x00",
    b"\0\0\0\0", b"\0\0\0\x10", b"\n", b'"', b"=", b"[[", b"{", b"nan", b"-1", b"1e400", b":", b",",
    b"\xde\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xa8defaults",
    "\u0301".encode(), "\U0001f1eb".encode(), "\ufeff".encode(),
]  # fmt: skip
"""What parsers trip over: lengths that lie, numbers at their ends, halves of pairs, quotes."""


def examples(name: str) -> Callable[[Test], Test]:
    """Settings under which a run is the same each time; `run` judges the time that examples take,
    which hypothesis would measure by the clock of a busy machine."""
    found: Callable[[Test], Test] = settings(
        derandomize=True,
        deadline=None,
        max_examples=DRAWS.get(name, 150),
        suppress_health_check=list(HealthCheck),
    )
    return found


@st.composite
def changed(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A seed with a few of its octets replaced, taken out, said twice or taken from another."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.sampled_from([0, 0, 1, 1, 2, 4, 8, 1000])))
        other = draw(st.sampled_from(seeds))
        at = draw(st.integers(0, len(other)))
        middle = draw(
            st.one_of(
                st.just(b""),
                st.binary(min_size=1, max_size=4),
                st.sampled_from(SPLICES),
                st.just(data[start:stop] * 2),
                st.just(other[at : at + 16]),
            )
        )
        data = data[:start] + middle + data[stop:]
    return data


@pytest.mark.parametrize("path", KEPT, ids=lambda path: str(path.relative_to(HERE)))
def test_what_is_kept(path: Path) -> None:
    run(path.parent.name, path.read_bytes())


def test_everything_kept_is_run() -> None:
    assert {path.parent.name for path in KEPT} == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_any_octets(name: str) -> None:
    @examples(name)
    @given(st.binary(max_size=300))
    def check(data: bytes) -> None:
        run(name, data)

    check()


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_nearly_right(name: str) -> None:
    @examples(name)
    @given(changed(SEEDS[name]))
    def check(data: bytes) -> None:
        run(name, data)

    check()

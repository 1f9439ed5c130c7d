import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.errors import LocalProtocolError
from gateway.smpp import window as window_module
from gateway.smpp.window import Window


def _add(window: Window, contexts: list[object], now: float = 0.0) -> list[int]:
    sequences = list(window.sequences(len(contexts)))
    window.add(sequences, contexts, now)
    return sequences


def test_a_context_comes_back_with_the_answer_once() -> None:
    window = Window(4)
    assert _add(window, ["a", "b"], 5.0) == [1, 2]
    assert window.resolve(2) == ("b", 5.0)
    assert window.resolve(2) is None
    assert window.resolve(1) == ("a", 5.0)


def test_room_is_what_is_left() -> None:
    window = Window(3)
    first, _ = _add(window, ["a", "b"])
    assert (len(window), window.room) == (2, 1)
    with pytest.raises(LocalProtocolError, match="2 requests, but room for 1"):
        _add(window, ["c", "d"])
    assert (len(window), window.room) == (2, 1)
    window.resolve(first)
    assert window.room == 2


def test_overdue_requests_come_out_oldest_first() -> None:
    window = Window(10)
    for moment in (1.0, 2.0, 3.0):
        _add(window, [moment, moment + 0.5], moment)
    assert window.oldest() == 1.0
    assert window.overdue(5.9, 5.0) == []
    assert window.overdue(7.0, 5.0) == [1.0, 1.5, 2.0, 2.5]
    assert window.oldest() == 3.0
    assert window.clear() == [3.0, 3.5]
    assert window.oldest() is None
    assert window.overdue(99.0, 5.0) == []


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are 12 sequence numbers only."""
    monkeypatch.setattr(window_module, "MAX_SEQUENCE", 12)


def test_there_are_as_many_sequence_numbers_as_the_specification_has() -> None:
    assert window_module.MAX_SEQUENCE == 0x7FFFFFFF


@pytest.mark.usefixtures("few")
def test_sequence_numbers_start_over_after_the_last() -> None:
    window = Window(10)
    window.sequences(10)
    assert _add(window, list("abcd")) == [11, 12, 1, 2]


@pytest.mark.usefixtures("few")
def test_sequence_numbers_in_use_are_passed_over_after_the_wrap() -> None:
    window = Window(10)
    _add(window, list("abc"))
    window.resolve(2)
    window.sequences(8)
    assert _add(window, list("xyz")) == [12, 2, 4]
    assert window.clear() == list("acxyz")


@pytest.mark.usefixtures("few")
def test_it_knows_which_sequence_numbers_it_gave() -> None:
    window = Window(10)
    window.sequences(3)
    assert [window.gave(n) for n in (0, 1, 3, 4)] == [False, True, True, False]
    window.sequences(11)
    assert [window.gave(n) for n in (0, 4, 12)] == [False, True, True]


LAST = 20


class _Wrapping(RuleBasedStateMachine):
    """Against a plain model, with so few sequence numbers that they start over again and again."""

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(window_module, "MAX_SEQUENCE", LAST)
        self.window = Window(8)
        self.model: dict[int, tuple[object, float]] = {}
        self.now = 0.0
        self.made = 0

    @rule(count=st.integers(1, 8))
    def add(self, count: int) -> None:
        contexts: list[object] = list(range(self.made, self.made + count))
        if count > 8 - len(self.model):
            with pytest.raises(LocalProtocolError):
                _add(self.window, contexts, self.now)
            return
        sequences = _add(self.window, contexts, self.now)
        assert len(set(sequences)) == count
        assert not self.model.keys() & set(sequences)
        assert all(1 <= sequence <= LAST for sequence in sequences)
        self.model.update(zip(sequences, ((c, self.now) for c in contexts), strict=True))
        self.made += count

    @rule(data=st.data())
    @precondition(lambda self: self.model)
    def resolve(self, data: st.DataObject) -> None:
        sequence = data.draw(st.sampled_from(sorted(self.model)))
        assert self.window.resolve(sequence) == self.model.pop(sequence)

    @rule(count=st.integers(1, 5))
    def skip(self, count: int) -> None:
        self.window.sequences(count)

    @rule(seconds=st.floats(0, 10))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(age=st.floats(0, 20))
    def expire(self, age: float) -> None:
        late = [context for context, at in self.model.values() if at + age <= self.now]
        assert self.window.overdue(self.now, age) == late
        self.model = {s: entry for s, entry in self.model.items() if entry[0] not in late}

    def teardown(self) -> None:
        self._patch.undo()

    @invariant()
    def agrees(self) -> None:
        assert len(self.window) == len(self.model)
        assert self.window.room == 8 - len(self.model)


TestWrapping = _Wrapping.TestCase
TestWrapping.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)


@given(st.lists(st.integers(1, 5), max_size=20))
def test_sequence_numbers_ascend(counts: list[int]) -> None:
    window = Window(100)
    given_out = [sequence for count in counts for sequence in window.sequences(count)]
    assert given_out == list(range(1, sum(counts) + 1))

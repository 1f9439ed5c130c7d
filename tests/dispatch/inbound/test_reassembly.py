"""Long inbound messages, put together from what carriers deliver: in any order, twice, in pieces of
other messages, days later."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dispatch.inbound import reassembly
from gateway.dispatch.inbound.pieces import Piece
from gateway.dispatch.inbound.reassembly import (
    DONE_FOR,
    INCOMPLETE_AFTER,
    TOGETHER,
    Reassembly,
)
from gateway.queue.store import Held, Settlement

HOUR = 3600.0


class Desk:
    """A reassembly, with what it keeps in a store."""

    def __init__(self) -> None:
        self.kept: dict[str, Held] = {}
        self.repeated = 0
        self.pieces = Reassembly(self._count)

    def _count(self, carrier: str) -> None:
        assert carrier == "alpha"
        self.repeated += 1

    def deliver(
        self, *texts: str, at: float = 0.0, reference: int = 7, total: int = 2, **fields: Any
    ) -> list[str]:
        """Pieces, ``1:text`` and so on, in one round; returns the messages that are told."""
        settlement = Settlement()
        told = [
            pieces
            for text in texts
            for pieces in self.pieces.add(piece(text, at, reference, total, **fields), settlement)
        ]
        return self._settle(settlement, told)

    def wait_until(self, now: float) -> list[str]:
        settlement = Settlement()
        return self._settle(settlement, self.pieces.overdue(now, settlement))

    def restart(self) -> None:
        self.pieces = Reassembly(self._count)
        self.pieces.recover(self.kept.values())

    def _settle(self, settlement: Settlement, told: Sequence[Sequence[Piece]]) -> list[str]:
        for held in settlement.hold:
            self.kept[held.key] = held
        for _, key in settlement.drop:
            self.kept.pop(key, None)
        return [_shown(pieces) for pieces in told]


def piece(text: str, at: float, reference: int, total: int, **fields: Any) -> Piece:
    sequence, _, rest = text.partition(":")
    made = Piece(
        "alpha", "447400123456", "10690001", reference, total, int(sequence), "447400123456", at,
        rest.encode(),
    )  # fmt: skip
    return msgspec.structs.replace(made, **fields)


def _shown(pieces: Sequence[Piece]) -> str:
    """``one two``, with ``_`` for each piece that is missing."""
    there = {one.sequence: one.octets.decode() for one in pieces}
    return "".join(there.get(n, "_") for n in range(1, pieces[0].total + 1))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_whole_message_is_told_at_once(desk: Desk) -> None:
    assert desk.deliver("1:hello", total=1) == ["hello"]
    assert desk.deliver("1:" + "x" * 300, total=2) == ["x" * 300 + "_"]  # too long to be kept
    assert desk.kept == {}


def test_pieces_are_told_once_all_are_there(desk: Desk) -> None:
    assert desk.deliver("2:b") == []
    assert desk.deliver("1:a") == ["ab"]


@pytest.mark.parametrize("reference", [7, 0x1234])
def test_the_same_piece_again_is_dropped(desk: Desk, reference: int) -> None:
    assert desk.deliver("1:a", "1:a", reference=reference) == []
    assert desk.deliver("1:a", "2:b", reference=reference) == ["ab"]
    assert desk.repeated == 2


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("again", [["2:b"], ["1:a"], ["1:a", "2:b"], ["2:b", "1:a"]])
def test_pieces_that_come_again_after_the_message_was_told_are_dropped(
    desk: Desk, again: list[str], restarted: bool
) -> None:
    desk.deliver("1:a", "2:b")
    if restarted:
        desk.restart()
    assert desk.deliver(*again, at=5 * HOUR) == []
    assert desk.wait_until(5 * HOUR + INCOMPLETE_AFTER) == []
    assert desk.repeated == len(again)
    assert desk.kept == {}


def test_other_content_in_a_place_begins_a_new_message(desk: Desk) -> None:
    assert desk.deliver("1:old ", at=0.0, total=3) == []
    assert desk.deliver("2:one ", at=60.0, total=3) == []
    assert desk.deliver("1:new ", at=120.0, total=3) == ["old one _"]
    assert desk.deliver("2:two ", "3:end", at=130.0, total=3) == ["new two end"]


def test_another_alphabet_is_other_content(desk: Desk) -> None:
    assert desk.deliver("1:a") == []
    assert desk.deliver("1:a", data_coding=8) == ["a_"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_new_message_in_the_round_that_ends_the_old_one_is_kept(
    desk: Desk, restarted: bool
) -> None:
    assert desk.deliver("1:old ", "1:new ") == ["old _"]
    if restarted:
        desk.restart()
    assert desk.deliver("2:end") == ["new end"]


@pytest.mark.parametrize(
    ("reference", "hours", "joined"),
    [(7, 5, True), (7, 7, False), (255, 20, False), (0x1234, 20, True), (0x100, 7, True)],
)
def test_a_reference_of_8_bits_is_soon_another_message_s(
    desk: Desk, reference: int, hours: int, joined: bool
) -> None:
    desk.deliver("1:yesterday ", reference=reference)
    told = desk.deliver("2:today", at=hours * HOUR, reference=reference)
    assert told == (["yesterday today"] if joined else ["yesterday _"])
    if not joined:
        assert desk.deliver("1:fresh ", at=hours * HOUR + 1, reference=reference) == ["fresh today"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_message_that_begins_like_the_last_one_of_its_reference_is_told(
    desk: Desk, restarted: bool
) -> None:
    assert desk.deliver("1:Dear all, ", "2:hello") == ["Dear all, hello"]
    assert desk.deliver("1:Dear all, ", at=2 * HOUR) == []
    if restarted:
        desk.restart()
    assert desk.deliver("2:goodbye", at=2 * HOUR + 5) == ["Dear all, goodbye"]


def test_a_piece_that_came_again_is_no_other_message_s(desk: Desk) -> None:
    desk.deliver("1:a", "2:b")
    assert desk.deliver("2:b", at=HOUR) == []  # a carrier delivers once more
    assert desk.deliver("1:c", at=HOUR + TOGETHER + 1) == []  # the phone has come round
    assert desk.deliver("2:d", at=HOUR + TOGETHER + 2) == ["cd"]


def test_the_same_message_may_be_sent_again_the_next_day(desk: Desk) -> None:
    desk.deliver("1:a", "2:b")
    assert desk.wait_until(DONE_FOR) == []
    assert desk.deliver("1:a", "2:b", at=DONE_FOR) == ["ab"]


@pytest.mark.parametrize("restarted", [False, True])
def test_what_is_incomplete_is_told_after_a_day(desk: Desk, restarted: bool) -> None:
    desk.deliver("1:one ", "3:three", total=3)
    if restarted:
        desk.restart()
    assert desk.wait_until(INCOMPLETE_AFTER - 1) == []
    assert desk.wait_until(INCOMPLETE_AFTER) == ["one _three"]
    # The one that was missing is told when it comes after all, and those that come again are not.
    assert desk.deliver("2:two ", "1:one ", at=INCOMPLETE_AFTER + 1, total=3) == []
    assert desk.wait_until(2 * INCOMPLETE_AFTER + 2) == ["one two _"]


def test_messages_of_other_marks_are_not_mixed(desk: Desk) -> None:
    assert desk.deliver("1:a") == []
    for other in (
        {"source": "447400999999"}, {"number": "10690002"}, {"reference": 8}, {"total": 3},
    ):  # fmt: skip
        assert desk.deliver("2:x", **other) == []
    assert desk.deliver("2:b") == ["ab"]


def test_what_is_kept_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reassembly, "MAX_INCOMPLETE", 3)
    monkeypatch.setattr(reassembly, "MAX_DONE", 2)
    told = [text for n in range(6) for text in desk.deliver(f"1:{n}", reference=n)]
    assert told == ["0_", "1_", "2_"]
    assert len(desk.kept) == 3 + 2
    assert desk.wait_until(2 * INCOMPLETE_AFTER) == ["3_", "4_", "5_"]
    assert len(desk.kept) == 2
    assert desk.wait_until(2 * INCOMPLETE_AFTER + DONE_FOR) == []
    assert desk.kept == {}


def test_pieces_of_the_first_version_are_taken_over(desk: Desk) -> None:
    old = ("alpha", "447400123456", "10690001", 7, 2, 1, "ucs2", "退".encode("utf-16-be"), 86_400.0)
    key = '["alpha","447400123456","10690001",7,2,1]'
    desk.kept[key] = Held("inbound", key, msgspec.msgpack.encode(old), 86_400.0)
    desk.restart()
    settlement = Settlement()
    [pieces] = desk.pieces.add(piece("2:x", 1.0, 7, 2), settlement)
    assert [one.octets for one in pieces] == ["退".encode("utf-16-be"), b"x"]
    assert [one.data_coding for one in pieces] == [8, 0]
    assert ("inbound", key) in settlement.drop


TEXT = st.text("ab", min_size=1, max_size=3)
SENT = st.lists(
    st.tuples(st.integers(0, 3), st.lists(TEXT, min_size=2, max_size=4)),
    max_size=5,
)


@given(SENT, st.data())
def test_messages_arrive_whole_whatever_the_order_and_however_often(
    sent: list[tuple[int, list[str]]], data: st.DataObject
) -> None:
    """Phones send long messages one after the other; the pieces of each come in any order, some of
    them twice, and the gateway is started anew now and then."""
    desk = Desk()
    told: list[str] = []
    now = 0.0
    for number, (reference, texts) in enumerate(sent):
        now += 2 * DONE_FOR
        told += desk.wait_until(now)
        marked = [f"{at}:{number}{text}" for at, text in enumerate(texts, 1)]
        order = data.draw(st.permutations(marked))
        again = data.draw(st.lists(st.sampled_from(marked), max_size=3))
        for text in [*order, *again]:
            told += desk.deliver(text, at=now, reference=reference, total=len(texts))
            if data.draw(st.booleans()):
                desk.restart()
    assert told == ["".join(f"{n}{text}" for text in texts) for n, (_, texts) in enumerate(sent)]
    desk.wait_until(now + 2 * DONE_FOR)
    desk.wait_until(now + 4 * DONE_FOR)
    assert desk.kept == {}


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(1, 3), TEXT, st.integers(0, 9)),
        max_size=20,
    )
)
def test_no_text_is_lost(came: list[tuple[int, int, str, int]]) -> None:
    """Whatever comes, every piece's content is told, at the latest after a day."""
    desk = Desk()
    told: list[str] = []
    now = 0.0
    for reference, sequence, text, hours in came:
        now += hours * HOUR
        told += desk.wait_until(now)
        told += desk.deliver(f"{sequence}:<{text}>", at=now, reference=reference, total=3)
    told += desk.wait_until(now + INCOMPLETE_AFTER)
    everything = "".join(told)
    assert all(f"<{text}>" in everything for _, _, text, _ in came)

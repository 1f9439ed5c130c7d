"""A file on its way: what happens where the queue is full, and what becomes of refused rows."""

# ruff: noqa: RUF001  texts as people write them

import codecs
import csv
import io
from collections.abc import Iterator

import pytest

from gateway.api.wire import Accepted, Message, Rejected
from gateway.cli.mailing import LONGEST, PROBE, SHORTEST, Mailing, Refusals
from gateway.cli.rows import Rows

CHINESE = "【优衣库】双十一大促，全场五折起，退订回T"


def rows_of(data: bytes | str) -> Rows:
    file = io.BytesIO(data.encode() if isinstance(data, str) else data)
    file.name = "list.csv"
    return Rows(file, {})


def mailing_of(count: int, *, patient: bool = True) -> Mailing:
    rows = rows_of("to,text\n" + "".join(f"4477009{i:05},Hi\n" for i in range(count)))
    return Mailing(rows, Refusals(rows, None), patient=patient)


class Queue:
    """A gateway's, with room for so many, that answers in batches as a client does."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.asked = 0
        self.taken: list[str] = []

    def ask(self, messages: Iterator[Message]) -> Iterator[Accepted | Rejected]:
        batch: list[Message] = []
        for message in messages:
            batch.append(message)
            if len(batch) == 100:
                yield from map(self._answer, batch)
                batch.clear()
        yield from map(self._answer, batch)

    def _answer(self, message: Message) -> Accepted | Rejected:
        self.asked += 1
        if self.room == 0:
            return Rejected("queue_full", "as many as may wait are waiting")
        self.room -= 1
        self.taken.append(message["to"])
        return Accepted("1", 1, "gsm7")


def play(mailing: Mailing, queue: Queue) -> None:
    for result in queue.ask(mailing.messages()):
        mailing.settle(result)
    mailing.rest()


def test_where_the_queue_is_full_the_file_waits_and_loses_no_row() -> None:
    mailing, queue = mailing_of(3000), Queue(250)
    rounds = 0
    while not mailing.done:
        play(mailing, queue)
        assert mailing.done == (mailing.accepted == 3000)
        queue.room += 400
        rounds += 1
    assert queue.taken == [f"4477009{i:05}" for i in range(3000)]
    assert (mailing.accepted, mailing.refused, mailing.unanswered) == (3000, 0, None)
    assert rounds < 20


def test_a_queue_that_stays_full_is_asked_rarely_and_with_little() -> None:
    mailing, queue = mailing_of(5000), Queue(0)
    pauses = []
    for _ in range(12):
        asked = queue.asked
        play(mailing, queue)
        assert queue.asked - asked <= PROBE
        pauses.append(mailing.pause)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (SHORTEST, LONGEST)
    assert 0 < mailing.without_room <= PROBE  # the rest of the file is not read
    assert (mailing.unanswered, mailing.done) == (None, False)


def test_who_interrupts_the_waiting_is_told_every_row_that_is_not_sent() -> None:
    rows = rows_of("to,text\n" + "".join(f"4477009{i:05},Hi\n" for i in range(500)))
    file = io.BytesIO()
    mailing, queue = Mailing(rows, Refusals(rows, file), patient=True), Queue(150)
    play(mailing, queue)
    mailing.give_up()
    written = [line.split(",") for line in file.getvalue().decode().splitlines()[1:]]
    assert {code for _, code, *_ in written} == {"queue_full"}
    left = [to for *_, to, _ in written]
    assert queue.taken + left == [f"4477009{i:05}" for i in range(rows.next_line - 2)]
    assert mailing.told()["refused"] == len(left)
    assert mailing.without_room == 0


def test_once_there_is_room_the_rest_goes_without_a_pause() -> None:
    mailing, queue = mailing_of(3000), Queue(0)
    play(mailing, queue)
    queue.room = 5000
    play(mailing, queue)
    assert (mailing.pause, mailing.done) == (0.0, False)
    play(mailing, queue)
    assert mailing.done
    assert mailing.accepted == 3000


def test_a_quote_tells_of_a_full_queue_and_waits_for_nothing() -> None:
    mailing, queue = mailing_of(300, patient=False), Queue(100)
    play(mailing, queue)
    assert mailing.done
    assert mailing.told()["codes"] == {"queue_full": 200}


def test_duplicates_that_did_not_arrive_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    mailing = mailing_of(3)
    note = "the message 1 that this key stands for was cancelled and is not sent again"
    results = (
        Accepted("1", 1, "gsm7", duplicate=True, state="cancelled", note=note),
        Accepted("2", 1, "gsm7", duplicate=True),
        Accepted("3", 1, "gsm7", note="send_at: passed 0:06:00 ago"),
    )
    for _, result in zip(mailing.messages(), results, strict=True):
        mailing.settle(result)
    told = mailing.told()
    assert (told["accepted"], told["duplicates"], told["ended"]) == (1, 2, {"cancelled": 1})
    assert capsys.readouterr().err == f"line 2: {note}\nline 4: send_at: passed 0:06:00 ago\n"


# --- refused rows ---


def refused(data: bytes, codes: dict[int, str]) -> bytes:
    """The file of refusals, where the gateway refuses the messages of some lines."""
    rows = rows_of(data)
    file = io.BytesIO()
    mailing = Mailing(rows, Refusals(rows, file), patient=True)
    lines = iter([row.record.line for row in rows_of(data) if row.message])
    for _ in mailing.messages():
        code = codes.get(next(lines))
        mailing.settle(Rejected(code, "why") if code else Accepted("1", 1, "gsm7"))
    return file.getvalue()


@pytest.mark.parametrize(
    ("codec", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("gb18030", b""),
    ],
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("stated", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_refused_rows_keep_the_form_of_the_file(
    codec: str, mark: bytes, separator: str, end: str, *, stated: bool
) -> None:
    head = f"sep={separator}{end}" if stated else ""
    table = [
        ["To", "Text", "#note", "Key"],
        ["nobody", f"{CHINESE}{separator}", "Wei", "k1"],
        ["8613912345678", CHINESE, "Li", "k2"],
        ["8613912345679", f"{CHINESE}{end}two lines", "=1", "k3"],
        ["8.61391E+12", CHINESE, "Xu", "k4"],
    ]

    def written(rows: list[list[str]]) -> bytes:
        file = io.StringIO()
        csv.writer(file, delimiter=separator, lineterminator=end).writerows(rows)
        return mark + (head + file.getvalue()).encode(codec)

    first = 2 + stated
    got = refused(written(table), {first: "invalid_recipient", first + 2: "opted_out"})
    fault = (
        "to: '8.61391E+12' is a number that a spreadsheet has rounded: format the column as text "
        "and enter the number again"
    )
    assert got == written(
        [
            ["#line", "#code", "#why", *table[0]],
            [str(first), "invalid_recipient", "why", *table[1]],
            [str(first + 2), "opted_out", "why", *table[3]],
            [str(first + 4), "bad_row", fault, *table[4]],
        ]
    )
    again = refused(got, {first: "invalid_recipient"})  # told once, in columns of its own
    assert again.decode(codec).count("#line") == 1


@pytest.mark.parametrize(
    "row",
    [b'4472,"Hi', b'4472,"Hi" she said', b"4472,\xff\xfe", b"4472", b"4472,a,b,c", b"'4472,#NAME?"],
)
def test_a_row_that_cannot_be_read_is_written_as_it_came(row: bytes) -> None:
    got = refused(b"\xef\xbb\xbfto,text\n" + row + b"\n4473,Hi\n", {})
    head, line, end = got.split(b"\n")
    assert head == b"\xef\xbb\xbf#line,#code,#why,to,text"
    assert line.startswith(b"2,bad_row,")
    assert line.endswith(b"," + row)
    assert end == b""
    mended = got.replace(row, b"4472,Hi")
    assert [row.message for row in rows_of(mended)] == [{"to": "4472", "text": "Hi"}]

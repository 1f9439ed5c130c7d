import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.output import UsageError
from gateway.cli.rows import FIELDS, Row, Rows


def read(data: bytes | str, **shared: str) -> list[Row]:
    file = io.BytesIO(data.encode() if isinstance(data, str) else data)
    return list(Rows(file, shared))  # type: ignore[arg-type]  # names come from the test


def test_every_column_is_a_field_of_the_message() -> None:
    rows = read("to,text,from,key,send_at\n+4477,Hello,1069,k1,1700000000\n")
    assert rows == [
        Row(
            2,
            ["+4477", "Hello", "1069", "k1", "1700000000"],
            {"to": "+4477", "text": "Hello", "from": "1069", "key": "k1", "send_at": 1.7e9},
        )
    ]


def test_an_empty_cell_says_nothing_unless_the_message_needs_it() -> None:
    (row,) = read("to,text,campaign\n,,\n")
    assert row.message == {"to": "", "text": ""}
    (row,) = read("to,text,campaign\n4477,,\n", text="for all")
    assert row.message == {"to": "4477"}


@pytest.mark.parametrize("text", ["2026-11-11T09:00+08:00", "2026-11-11 01:00Z", "1794358800"])
def test_times_may_be_written_for_people(text: str) -> None:
    (row,) = read(f"to,text,send_at\n4477,Hi,{text}\n")
    assert row.message is not None
    assert row.message["send_at"] == 1_794_358_800


@pytest.mark.parametrize("text", ["tomorrow", "2026-11-11T09:00"])
def test_a_time_without_its_zone_is_refused_with_its_row(text: str) -> None:
    bad, good = read(f"to,text,send_at\n4477,Hi,{text}\n4478,Hi,\n")
    assert bad.message is None
    assert bad.fault.startswith(f"send_at: {text!r} is neither")
    assert good.message == {"to": "4478", "text": "Hi"}


def test_bad_rows_are_told_by_their_line_and_lose_no_other() -> None:
    rows = read(
        b'to,text\n4471,"two\nlines"\n4472\n4473,\xff\n\n4474,a,b\n4475,' + b"x" * 200_000 + b"\n"
        b"4476,good\n"
    )
    assert [(row.line, row.message is None) for row in rows] == [
        (2, False), (4, True), (5, True), (7, True), (8, True), (9, False),
    ]  # fmt: skip
    assert [row.fault for row in rows[1:4]] == [
        "1 fields, but there are 2 columns",
        "not UTF-8",
        "3 fields, but there are 2 columns",
    ]


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("to,txt", "line 1: 'txt' is no field of a message; did you mean 'text'?"),
        ("to,text,to", "line 1: there are two columns 'to'"),
        ("to", "line 1: there is no column 'text'"),
        ("", "line 1: there is no column 'to'"),
    ],
)
def test_columns_that_make_no_messages_refuse_the_file(header: str, fault: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(f"{header}\n")
    assert str(refused.value) == fault


def test_a_spreadsheet_may_mark_its_encoding_and_columns_be_put_aside() -> None:
    (row,) = read("\ufeff#line, to ,text,#note\n7,4477,Hi,x\n".encode())
    assert row.message == {"to": "4477", "text": "Hi"}


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1))
def test_what_a_spreadsheet_writes_is_what_is_sent(rows: list[tuple[str, str]]) -> None:
    file = io.StringIO()
    csv.writer(file).writerows([("to", "text"), *rows])
    assert [row.message for row in read(file.getvalue())] == [
        {"to": to, "text": text} for to, text in rows
    ]


@given(st.binary())
def test_no_bytes_do_more_than_spoil_their_row(data: bytes) -> None:
    *_, last = read(b"to,text\n" + data.replace(b'"', b"") + b"\n4477,Hi\n")
    assert last.message == {"to": "4477", "text": "Hi"}


def test_every_field_of_the_wire_api_can_be_a_column() -> None:
    assert set(FIELDS) == {
        "to", "text", "from", "key", "category", "campaign", "send_at", "expires_at", "encoding",
        "report",
    }  # fmt: skip

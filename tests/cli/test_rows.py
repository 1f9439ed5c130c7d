"""Files as spreadsheets and people write them, and the messages that they come to."""

# ruff: noqa: RUF001  texts as people write them

import codecs
import csv
import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.output import UsageError
from gateway.cli.rows import FIELDS, Row, Rows

UNCLOSED = "a quotation mark is not closed: one within a text is written twice"
CHINESE = "【优衣库】双十一大促，全场五折起，退订回T"


def rows_of(data: bytes | str, **shared: str) -> Rows:
    file = io.BytesIO(data.encode() if isinstance(data, str) else data)
    file.name = "list.csv"
    return Rows(file, shared)  # type: ignore[arg-type]  # names come from the test


def read(data: bytes | str, **shared: str) -> list[Row]:
    return list(rows_of(data, **shared))


def messages(data: bytes | str, **shared: str) -> list[object]:
    return [row.message for row in read(data, **shared)]


def test_every_column_is_a_field_of_the_message() -> None:
    [row] = read("to,text,from,key,send_at\n+4477,Hello,1069,k1,1700000000\n")
    assert row.message == {
        "to": "+4477", "text": "Hello", "from": "1069", "key": "k1", "send_at": 1.7e9,
    }  # fmt: skip


def test_yes_and_no() -> None:
    cells = ["TRUE", "yes", "1", "false", "No", "0"]
    lines = "".join(f"4477,Hi,{cell}\n" for cell in cells)
    found = messages("to,text,allow_repeat\n" + lines)
    assert [one["allow_repeat"] for one in found] == [True] * 3 + [False] * 3  # type: ignore[index]
    [row] = read("to,text,allow_repeat\n4477,Hi,maybe\n")
    assert row.fault == "allow_repeat: 'maybe' is neither yes nor no"


def test_an_empty_cell_says_nothing_unless_the_message_needs_it() -> None:
    assert messages("to,text,campaign\n,,spring\n") == [
        {"to": "", "text": "", "campaign": "spring"}
    ]
    assert messages("to,text,campaign\n4477,,\n", text="for all") == [{"to": "4477"}]


# --- how it is written ---


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("codec", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-16-le", b""),
        ("gbk", b""),
    ],
)
def test_a_file_is_read_in_the_form_in_which_spreadsheets_write_it(
    codec: str, mark: bytes, end: str, separator: str
) -> None:
    text = f'{CHINESE}{end}"{separator}'
    file = io.StringIO()
    writer = csv.writer(file, delimiter=separator, lineterminator=end)
    writer.writerows([("to", "text"), ("8613912345678", text), ("8613912345679", CHINESE)])
    rows = read(mark + file.getvalue().encode(codec))
    assert [row.message for row in rows] == [
        {"to": "8613912345678", "text": text},
        {"to": "8613912345679", "text": CHINESE},
    ]


@pytest.mark.parametrize(
    "head",
    [
        "sep=;\nto;text",
        "SEP=;\r\nto;text",
        '"sep=;"\nto;text',
        "\ufeffsep=;\nto;text",
        "sep=\t\nto\ttext",
        "sep=^\nto^text",
        # Names in any form.
        "To,TEXT",
        " to , text ",
        '"to","text"',
        "\ufeff\ufeffto,text",
        "to\xa0,text",
        "to,text,#note",
        "\nto,text",
        ",,\nto,text",
        "\n\nto;text",
        ";;\r\n\r\nto;text;",
        "sep=;\n\nto;text",
        # Empty columns behind.
        "to;text;;",
        "to,text,,,",
    ],
)
def test_a_header_is_found_however_it_is_written(head: str) -> None:
    separator = next(one for one in ";\t^," if one in head.splitlines()[-1])
    rows = read(f"{head}\n4477{separator}Hi{separator * (head.count(separator) - 1)}\n")
    assert [row.message for row in rows] == [{"to": "4477", "text": "Hi"}]


def test_the_names_of_columns_may_be_written_as_words() -> None:
    [row] = read("To;Text;Send At;EXPIRES-AT\n4477;Hi;1700000000;1700000060\n")
    assert row.message == {"to": "4477", "text": "Hi", "send_at": 1.7e9, "expires_at": 1.70000006e9}


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        ("to,txt", "line 1: 'txt' is no field of a message; did you mean 'text'?"),
        ("to;txt", "line 1: 'txt' is no field of a message; did you mean 'text'?"),
        ("to,text,to", "line 1: there are two columns 'to'"),
        ("to,text,TO", "line 1: there are two columns 'to'"),
        ("to", "line 1: there is no column 'text'"),
        ("text", "line 1: there is no column 'to'"),
        ("", "line 1: there is no column 'to'"),
        ("sep=;\nto;txt", "line 2: 'txt' is no field of a message; did you mean 'text'?"),
        # Each line in quotation marks, and a separator that is stated and not used.
        (
            '"to,text"',
            (
                "line 1: 'to,text' is one cell: ',' stands between cells here, and quotation marks "
                "are around one cell, not around a line"
            ),
        ),
        (
            "sep=,\nto;text",
            (
                "line 2: 'to;text' is one cell: ',' stands between cells here, and quotation marks "
                "are around one cell, not around a line"
            ),
        ),
        ("sep=ab\nto;text", "line 1: 'sep=ab' names no separator of one character"),
        (
            "+447700900123,Hello",
            (
                "line 1: '+447700900123' is no name of a column: the file has no header, a line "
                "with the names of its columns, such as to and text"
            ),
        ),
        (
            'to,"text',
            f"line 1 is no header: {UNCLOSED}",
        ),
    ],
)
def test_columns_that_make_no_messages_refuse_the_file(head: str, fault: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(f"{head}\n")
    assert str(refused.value) == fault


# --- its rows ---


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("4472", "1 fields, but there are 3 columns"),
        ("4472,Hi", "2 fields, but there are 3 columns"),
        ("4472,Hello, all, x", "4 fields, but there are 3 columns"),
        ('4472,"Hi', UNCLOSED),
        ('4472,"Hi" she said,', "',' expected after '\"'"),
        ("4472,Hello, all", "column 3 says ' all' and has no name: give it one, "),
        ("8.61391E+12,Hi,", "to: '8.61391E+12' is a number that a spreadsheet has rounded: "),
        ("4472,#NAME?,", "text: '#NAME?' is the error of a spreadsheet: "),
        (b"4472,\xff,", 'not UTF-8: save it from the spreadsheet as "CSV UTF-8"'),
    ],
)
def test_a_bad_row_is_told_by_its_place_and_loses_no_other(row: str | bytes, fault: str) -> None:
    row = row if isinstance(row, bytes) else row.encode()
    before, bad, after = read(b"\xef\xbb\xbfto,text,\n4471,one,\n" + row + b"\n4473,three,\n")
    assert (bad.message, bad.place) == (None, "line 3")
    assert bad.fault.startswith(fault)
    assert before.message == {"to": "4471", "text": "one"}
    assert after.message == {"to": "4473", "text": "three"}


def short(row: int, *rows: str) -> str:
    """A file whose rows are full up to this one, and then these."""
    full = "".join(f"4477009{number:05},a,k{number}\n" for number in range(row - 2))
    return f"to,text,key\n{full}" + "\n".join(rows) + "\n"


NUMBERS = [f"4477008{number:05}" for number in range(40)]


@pytest.mark.parametrize(
    ("data", "bad"),
    [
        # Excel writes 16 rows at a time, and leaves out columns that are empty in all of them.
        (short(17, *(f"{to},b" for to in NUMBERS[:16]), f"{NUMBERS[16]},c,k"), []),
        (short(17, *(f"{to},b" for to in NUMBERS[:35])), []),
        (short(33, f"{NUMBERS[0]},b"), []),
        # Among the first are the names of the columns, so it never does there.
        (short(2, f"{NUMBERS[0]},b"), [2]),
        (short(16, f"{NUMBERS[0]},b", f"{NUMBERS[1]},b"), [16]),
        # A text that goes on in the next line is not sent by half.
        (short(2, f"{NUMBERS[0]},Hello", "world,k"), [2, 3]),
        (short(17, f"{NUMBERS[0]},Hello", "world,k"), [17, 18]),
        (short(17, f"{NUMBERS[0]},Call", "0800 1234567", f"{NUMBERS[1]},b,k"), [17, 18]),
        (short(18, f"{NUMBERS[0]},Call", "0800 1234567,k"), [18, 19]),
        (short(17, f"{NUMBERS[0]},b", f'{NUMBERS[1]},"b'), [17, 18]),
        # Nor is one of a file that breaks off, or a row without its text.
        (short(17, f"{NUMBERS[0]},Hel")[:-1], [17]),
        (short(17, NUMBERS[0], NUMBERS[1]), [17, 18]),
    ],
)
def test_a_row_with_too_few_cells_is_read_where_spreadsheets_write_it_so(
    data: str, bad: list[int]
) -> None:
    rows = read(data)
    assert [row.record.line for row in rows if row.message is None] == bad
    assert [row.record.line for row in rows] == list(range(2, len(data.splitlines()) + 1))


def test_it_is_known_at_which_line_reading_stands() -> None:
    rows = rows_of("to,text\n" + "".join(f"{to},b\n" for to in NUMBERS))
    assert [rows.next_line for _ in rows] == list(range(3, 3 + len(NUMBERS)))


@pytest.mark.parametrize("ending", ['6" wide', '"quoted"', 'He said "hi"', '""', "plain"])
def test_a_quotation_mark_too_many_sends_nobody_the_rows_of_others(ending: str) -> None:
    data = f'to,text\n447700900121,"oops\n447700900122,Hi\n447700900123,{ending}\n'
    rows = read(data + '447700900124,"good"\n')
    assert (rows[0].place, rows[0].message) == ("line 2", None)
    assert [row.message for row in rows if row.message and row.record.line in (3, 5)] == [
        {"to": "447700900122", "text": "Hi"},
        {"to": "447700900124", "text": "good"},
    ]
    assert all("\n" not in str(row.message) for row in rows)


def test_a_place_names_the_row_of_the_spreadsheet_too() -> None:
    rows = read('to,text\n4471,"two\nlines"\n\n;;;\n4472\n')
    assert [row.place for row in rows] == ["line 2", "line 5 (row 4)", "line 6 (row 5)"]


def test_empty_rows_are_passed_over() -> None:
    data = "to;text;\n;;\n4471;Hi;\n \t;;\n\n4472;Hi;;;;\n;;;;;\n"
    assert messages(data) == [{"to": "4471", "text": "Hi"}, {"to": "4472", "text": "Hi"}]


def test_a_row_of_another_encoding_is_never_sent_as_signs_that_nobody_wrote() -> None:
    head = f"to,text\n8613912345678,{CHINESE}\n".encode("gbk")
    mixed = (
        head + f"8613912345679,{CHINESE}\n".encode() + f"8613912345670,{CHINESE}\n".encode("gbk")
    )
    good, bad, too = read(mixed)
    assert bad.fault.startswith("this row is UTF-8, and others of the file are GB18030: ")
    assert (good.message, too.message) == (
        {"to": "8613912345678", "text": CHINESE},
        {"to": "8613912345670", "text": CHINESE},
    )


@pytest.mark.parametrize(
    ("codec", "mark", "spoilt"),
    [
        ("utf-16-le", codecs.BOM_UTF16_LE, b"\x00\xd8"),
        ("utf-16-be", codecs.BOM_UTF16_BE, b"\xdc\x00"),
        ("utf-8", codecs.BOM_UTF8, b"\xed\xa0\x80"),
        ("gb18030", b"", b"\xff"),
    ],
)
def test_octets_of_no_encoding_spoil_their_row(codec: str, mark: bytes, spoilt: bytes) -> None:
    def of(text: str) -> bytes:
        return text.encode(codec)

    good = of(f"8613912345678,{CHINESE}\n")
    bad = of("8613912345679,") + spoilt + of("\n")
    rows = read(mark + of("to,text\n") + good + bad + good)
    assert [row.message is None for row in rows] == [False, True, False]
    assert rows[1].fault.startswith("not ")


def test_a_file_that_ends_within_a_character_loses_no_row_but_that() -> None:
    data = codecs.BOM_UTF16_LE + "to,text\n4471,Hi\n4472,Hi".encode("utf-16-le")[:-1]
    good, bad = read(data)
    assert good.message == {"to": "4471", "text": "Hi"}
    assert bad.fault.startswith("not UTF-16-LE")


TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0?\ufffd"), max_size=60
)


@given(st.lists(TEXTS.filter(str.strip), min_size=1), st.sampled_from(",;\t"))
def test_what_a_spreadsheet_writes_is_what_is_sent(texts: list[str], separator: str) -> None:
    texts = [f"a {text}" for text in texts]  # nothing that a spreadsheet means something by
    file = io.StringIO()
    writer = csv.writer(file, delimiter=separator)
    writer.writerows([("to", "text"), *((f"44770090{i:04}", text) for i, text in enumerate(texts))])
    assert [row.message for row in read("\ufeff" + file.getvalue())] == [
        {"to": f"44770090{i:04}", "text": text} for i, text in enumerate(texts)
    ]


@given(st.binary())
def test_no_bytes_do_more_than_spoil_their_row(data: bytes) -> None:
    *_, last = read(codecs.BOM_UTF8 + b"to,text\n" + data + b"\n447700900123,Hi\n")
    assert last.message == {"to": "447700900123", "text": "Hi"}


@given(st.binary())
def test_no_bytes_do_more_than_refuse_the_file(data: bytes) -> None:
    with suppress(UsageError):
        read(data)


def test_every_field_of_the_wire_api_can_be_a_column() -> None:
    assert set(FIELDS) == {
        "to", "text", "from", "key", "category", "campaign", "send_at", "expires_at", "encoding",
        "report", "tlvs", "variant", "send_at_local", "time_zone", "region", "window",
        "template", "vars",
        "allow_repeat",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("0x1400=1101456700000012345", {"0x1400": "1101456700000012345"}),
        ("5120=a 5121=b=c", {"5120": "a", "5121": "b=c"}),
        (" 0x1400=a, 0x1401=b ", {"0x1400": "a", "0x1401": "b"}),
        ("0x1400=", {"0x1400": ""}),
        ("", None),
    ],
)
def test_optional_parameters_in_a_cell(cell: str, found: dict[str, str] | None) -> None:
    [row] = read(f'to,text,tlvs\n1234567,Hi,"{cell}"\n'.encode())
    assert row.message is not None
    assert row.message.get("tlvs") == found


def test_what_is_no_parameter_spoils_its_row() -> None:
    [row] = read(b"to,text,tlvs\n1234567,Hi,1101456700000012345\n")
    assert row.message is None
    assert "'1101456700000012345' is not tag=text, such as 0x1400=1101" in row.fault

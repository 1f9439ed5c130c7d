"""Files of numbers that have opted out, as people have them."""

import codecs
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.api.wire import Imported, OptoutResult
from gateway.cli.lists import Desk, Numbers, Whole
from gateway.cli.output import UsageError

ONE, TWO = "447700900140", "447700900141"


def read(data: str | bytes) -> list[tuple[str, str, str]]:
    file = io.BytesIO(data.encode() if isinstance(data, str) else data)
    file.name = "list.csv"
    return [(line.place, line.written, line.fault) for line in Numbers(file)]


@pytest.mark.parametrize(
    "data",
    [
        # One number a line.
        f"{ONE}\n{TWO}\n",
        f"{ONE}\r\n{TWO}",
        f"\n{ONE}\n\n{TWO}\n",
        f'"{ONE}"\n"{TWO}"\n',
        codecs.BOM_UTF8 + f"{ONE}\n{TWO}\n".encode(),
        (codecs.BOM_UTF16_LE + f"{ONE}\r\n{TWO}\r\n".encode("utf-16-le")),
        # A column, by its name, however it is spelt and wherever it stands.
        f"number\n{ONE}\n{TWO}\n",
        f"Phone Number\n{ONE}\n{TWO}\n",
        f"MSISDN\n{ONE}\n{TWO}\n",
        f"to,text\n{ONE},Hi\n{TWO},Hi\n",
        f"name;mobile;since\nAnn;{ONE};2026\nBob;{TWO};2026\n",
        f"name\tphone\nAnn\t{ONE}\nBob\t{TWO}\n",
        f"sep=;\nname;phone\nAnn;{ONE}\nBob;{TWO}\n",
        f'name,number\n"Smith, Ann",{ONE}\n"Bob ""B""",{TWO}\n',
    ],
)
def test_the_numbers_of_a_file(data: str | bytes) -> None:
    assert [written for _, written, fault in read(data) if not fault] == [ONE, TWO]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("name,since\nAnn,2026\n", "line 1: names no column 'number'"),
        (f"{ONE},Ann\n{TWO},Bob\n", "line 1: names no column 'number'"),
        (f"to,phone\n{ONE},{TWO}\n", "line 1: 'to' and 'phone' may both have the numbers"),
        (b"PK\x03\x04 workbook", "workbook"),
    ],
)
def test_which_column_has_the_numbers_must_be_plain(data: str | bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read(data)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (f"n/a\n{ONE}\n", [("line 1", "n/a", ""), ("line 2", ONE, "")]),
        (
            f"name,number\nAnn,\nBob,{ONE}\nEve\n",
            [
                ("line 2", "", "has no number"),
                ("line 3", ONE, ""),
                ("line 4", "", "has no number"),
            ],
        ),
        (
            f'name,number\n"Ann,{ONE}\nBob,{TWO}\n',
            [
                (
                    "line 2",
                    "",
                    "a quotation mark is not closed: one within a text is written twice",
                ),
                ("line 3", TWO, ""),
            ],
        ),
        ("", []),
    ],
)
def test_a_line_that_is_wrong_is_told_and_loses_no_other(
    data: str, lines: list[tuple[str, str, str]]
) -> None:
    assert read(data) == lines


def test_a_file_opts_out_all_that_are_numbers(shop: Any, tmp_path: Path) -> None:
    file = tmp_path / "stops.csv"
    file.write_text(
        "name,number\n"
        "Ann,+44 7700 900142\n"
        "Bob,nobody\n"
        "Cai,139 1234 5142\n"
        "Dov,\n"
        "Eve,+4407700900143\n"
        "Flo,+52 1 55 1234 5142\n"
    )
    added = shop("optout", "add", "--file", str(file), "--region", "CN")
    assert added.status == 1
    assert added.records == [{"numbers": 4, "changed": 4, "opted_out": 4, "refused": 2}]
    told = added.err.splitlines()
    assert told[0].startswith("gateway: line 3: 'nobody' has the letter 'n' in it")
    assert told[1:] == ["gateway: line 5: has no number"]
    for to in ("447700900142", "8613912345142", "447700900143", "525512345142"):
        refused = shop("send", "--to", f"+{to}", "--text", "Hello")
        assert refused.err.startswith("gateway: refused: opted_out: ")
    checked = shop("optout", "check", "--file", str(file), "--region", "CN").records
    assert [(one["number"], one["held_by"][0]["source"]) for one in checked] == [
        ("447700900142", "import"),
        ("8613912345142", "import"),
        ("447700900143", "import"),
        ("5215512345142", "import"),
    ]
    removed = shop("optout", "remove", "--file", str(file), "--region", "CN")
    assert removed.records == [{"numbers": 4, "changed": 4, "opted_out": 0, "refused": 2}]


def test_what_the_gateway_refuses_is_told_by_its_line_too(shop: Any, tmp_path: Path) -> None:
    file = tmp_path / "stops.txt"
    file.write_text("447700900144\n13912345678\n447700900145\n")
    ended = shop("optout", "add", "--file", str(file), "--source", "complaint")
    assert ended.records == [{"numbers": 2, "changed": 2, "opted_out": 2, "refused": 1}]
    assert ended.err.startswith("gateway: line 2: invalid_recipient: '13912345678' ")
    [kept] = shop("optout", "remove", "447700900144").records
    assert kept["opted_out"]


def test_all_opt_outs_are_listed(shop: Any) -> None:
    numbers = ["447700900147", "447700900148"]
    shop("optout", "add", *numbers)
    listed = [one["number"] for one in shop("optout", "list").records]
    assert set(numbers) <= set(listed)
    assert listed == sorted(listed)


@pytest.mark.parametrize(
    "arguments",
    [
        ("add",),
        ("list", "447700900146"),
        ("add", "447700900146", "--file", "stops.csv"),
        ("add", "--file", "no"),
    ],
)
def test_numbers_come_from_the_command_line_or_from_a_file(
    shop: Any, arguments: tuple[str, ...]
) -> None:
    ended = shop("optout", *arguments)
    assert ended.status in (1, 2)
    assert ended.out == ""
    assert ended.err.startswith("gateway: ")


def lost(*_: Any) -> Any:
    raise ConnectionError("gone")


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([lost], "gateway: either all of the list will hold, or nothing of it; give it again"),
        ([Imported(2, 1, 1), lost], "gateway: all of the list will hold, whatever ends meanwhile;"),
    ],
)
def test_what_it_means_that_an_answer_does_not_come(
    answers: list[Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"{ONE}\n{TWO}\n")
    whole = Whole()

    def ask(rows: Sequence[str]) -> list[OptoutResult]:
        results = [OptoutResult(row, False, False) for row in rows]
        whole.note(results)
        return results

    desk: Desk[str, OptoutResult] = Desk(lambda line: line.written, ask, lambda _: None)
    waiting = iter(answers)

    def apply(name: str, size: int) -> Imported:
        assert (len(name), size) == (16, 2)
        answer = next(waiting)
        return answer() if callable(answer) else answer  # type: ignore[no-any-return]

    with pytest.raises(ConnectionError):
        whole.carry(file, desk, apply)
    assert told in capsys.readouterr().err


def test_what_it_means_that_a_list_is_lost_on_its_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"{ONE}\n{TWO}\n")
    desk: Desk[str, OptoutResult] = Desk(lambda line: line.written, lost, lambda _: None)
    with pytest.raises(ConnectionError):
        Whole().carry(file, desk, lost)
    told = "gateway: no answer from line 1 on; nothing was done; give the list again"
    assert capsys.readouterr().err.strip() == told

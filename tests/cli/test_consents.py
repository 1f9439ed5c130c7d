"""Consents from the command line: by number, from files, and out to files again."""

import os
import re
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from gateway.cli.consents import moment


def test_a_consent_and_its_withdrawal(shop: Any) -> None:
    number = "+447700900240"
    [added] = shop("consent", "add", number, "--source=checkout", "--wording=Yes").records
    assert (added["number"], added["consented"], added["changed"]) == (number[1:], True, True)
    assert shop("consent", "check", number).records[0]["wording"] == "Yes"
    [gone] = shop("consent", "withdraw", number, "--by=Kim").records
    assert gone["consented"] is False
    [history] = shop("consent", "history", number).records
    assert [one["state"] for one in history["records"]] == ["given", "withdrawn"]


def test_a_file_of_them_goes_in_and_out_again(shop: Any, tmp_path: Path) -> None:
    file = tmp_path / "members.csv"
    file.write_text(
        "number,purpose,at,source,wording,by,state\n"
        '+447700900241,news,2024-05-01T10:00+01:00,form,"Yes, please",web,given\n'
        "+447700900242,news,1714557600,,,,withdrawn\n"
        "+447700900243,,,,,,\n"
    )
    added = shop("consent", "add", f"--file={file}", "--purpose=offers")
    assert added.records == [{"numbers": 3, "changed": 3, "consented": 2, "refused": 0}]
    again = shop("consent", "add", f"--file={file}", "--purpose=offers")
    assert again.records == [{"numbers": 3, "changed": 0, "consented": 2, "refused": 0}]
    listed = shop("consent", "list", "--csv").out.splitlines()
    assert listed[0] == "number,purpose,at,source,wording,by,state"
    assert '447700900241,news,1714554000.0,form,"Yes, please",web,given' in listed
    assert "447700900242,news,1714557600.0,import,,,withdrawn" in listed
    assert any(one.startswith("447700900243,offers,") for one in listed)


def test_a_list_comes_back_whole(shop: Any, tmp_path: Path) -> None:
    """Also what phones were asked, and values of several lines."""
    file = tmp_path / "members.csv"
    file.write_text(
        'number;wording;state\r\n+447700900252;"Yes; ""all""\r\nof it";given\r\n'
        "+447700900253;Reply YES;asked\r\n"
    )
    added = shop("consent", "add", f"--file={file}", "--all-or-nothing")
    assert added.records == [{"numbers": 2, "changed": 1, "refused": 0}]
    assert shop("consent", "check", "+447700900253").records[0]["consented"] is False
    file.write_text(shop("consent", "list", "--csv").out)
    again = shop("consent", "add", f"--file={file}", "--all-or-nothing")
    assert (again.status, again.records[0]["changed"]) == (0, 0)


def test_a_value_that_is_too_long_refuses_its_line_alone(shop: Any, tmp_path: Path) -> None:
    file = tmp_path / "long.csv"
    file.write_text(
        f"number,wording,by\n+447700900254,{'w' * 1001},\n+447700900255,,\n"
        f"+447700900256,,{'b' * 65}\n"
    )
    tried = shop("consent", "add", f"--file={file}", "--all-or-nothing")
    assert "line 2: invalid_value: wording: 1001 characters, not 0 to 1000" in tried.err
    assert "of 3 lines 2 are wrong" in tried.err
    done = shop("consent", "add", f"--file={file}")
    assert done.records == [{"numbers": 1, "changed": 1, "consented": 1, "refused": 2}]


def test_a_misspelt_column_is_not_passed_over(shop: Any, tmp_path: Path) -> None:
    file = tmp_path / "slip.csv"
    file.write_text("number,wordng,name\n+447700900257,Yes,Ann\n")
    done = shop("consent", "add", f"--file={file}")
    assert done.status == 2
    assert "line 1: 'wordng': did you mean 'wording'?" in done.err


def test_a_complaint_stays_one(shop: Any, tmp_path: Path) -> None:
    file = tmp_path / "gone.csv"
    file.write_text("number,source\n+447700900258,Complaint\n+447700900259,keyword\n")
    shop("optout", "add", f"--file={file}")
    lines = shop("optout", "list", "--csv").out.splitlines()
    assert any(line.startswith("447700900258,complaint,") for line in lines)
    assert any(line.startswith("447700900259,import,") for line in lines)
    left = shop("optout", "remove", "+447700900258", "+447700900259").records
    assert [one["opted_out"] for one in left] == [True, False]


def test_a_line_that_is_cut_off_gives_no_consent(shop: Any, tmp_path: Path) -> None:
    """Else one that was withdrawn would hold again."""
    file = tmp_path / "cut.csv"
    file.write_text(
        "number,wording,state\n+447700900271,Yes\n+447700900272,Yes, all,withdrawn\n"
        "+447700900273,Yes,with"
    )
    done = shop("consent", "add", f"--file={file}")
    assert done.records == [{"numbers": 0, "changed": 0, "consented": 0, "refused": 3}]
    for told in (
        "line 2: state: missing: 2 fields, but there are 3 columns",
        "line 3: 4 fields, but there are 3 columns: a separator or a line break within a text",
        "line 4: state: 'with' is neither 'given' nor 'withdrawn'",
    ):
        assert told in done.err


def test_a_column_that_is_there_twice_says_nothing_certain(shop: Any, tmp_path: Path) -> None:
    file = tmp_path / "twice.csv"
    file.write_text("number,State,state\n+447700900274,given,withdrawn\n")
    done = shop("consent", "add", f"--file={file}")
    assert (done.status, done.records) == (2, [])
    assert "line 1: there are two columns 'state': rename one of them" in done.err


@pytest.mark.parametrize("command", ["consent", "optout"])
def test_all_or_nothing_is_for_a_list_that_changes_something(
    shop: Any, tmp_path: Path, command: str
) -> None:
    file = tmp_path / "list.csv"
    file.write_text("number\n+447700900275\n")
    for arguments in (("add", "+447700900275"), ("check", f"--file={file}")):
        done = shop(command, *arguments, "--all-or-nothing")
        assert (done.status, done.records) == (2, [])
        assert "--all-or-nothing: add or " in done.err
        assert "a list, and name its file with --file" in done.err


@pytest.mark.parametrize("command", ["consent", "optout"])
def test_all_or_nothing_takes_what_another_program_writes(
    shop: Any, tmp_path: Path, command: str
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_text, args=("number\n+447700900277\n",))
    writer.start()
    done = shop(command, "add", f"--file={pipe}", "--all-or-nothing")
    writer.join()
    assert done.records == [{"numbers": 1, "changed": 1, "refused": 0}]


BROKEN = (
    "number,at,state\n+447700900244,,\nnobody,,\n+447700900245,yesterday,\n+447700900246,,maybe\n"
)


def test_row_by_row_heeds_all_that_can_be(shop: Any, tmp_path: Path) -> None:
    file = tmp_path / "broken.csv"
    file.write_text(BROKEN)
    done = shop("consent", "add", f"--file={file}")
    assert done.status == 1
    assert done.records == [{"numbers": 1, "changed": 1, "consented": 1, "refused": 3}]
    assert "line 3: invalid_recipient" in done.err
    assert "line 4: at: 'yesterday' is not Unix seconds or a time such as" in done.err
    assert "line 5: state: 'maybe' is neither 'given' nor 'withdrawn'" in done.err


@pytest.mark.parametrize("command", ["consent", "optout"])
def test_all_or_nothing_does_nothing_where_a_line_is_wrong(
    shop: Any, tmp_path: Path, command: str
) -> None:
    file = tmp_path / "broken.csv"
    file.write_text("number\n+447700900247\nnobody\n")
    done = shop(command, "add", f"--file={file}", "--all-or-nothing")
    assert (done.status, done.records) == (1, [])
    assert "line 3: invalid_recipient" in done.err
    assert "gateway: nothing was done: of 2 lines 1 are wrong" in done.err
    [known] = shop(command, "check", "+447700900247").records
    assert known["consented" if command == "consent" else "opted_out"] is False
    file.write_text("number\n+447700900247\n+447700900248\n")
    done = shop(command, "add", f"--file={file}", "--all-or-nothing")
    assert (done.status, done.records[0]["changed"]) == (0, 2)


def test_opt_outs_come_out_as_they_go_in(shop: Any, tmp_path: Path) -> None:
    shop("optout", "add", "+447700900249")
    lines = shop("optout", "list", "--csv").out.splitlines()
    assert lines[0] == "number,source,at,everybody,text"
    assert any(line.startswith("447700900249,api,") for line in lines)
    file = tmp_path / "again.csv"
    file.write_text("\n".join(lines))
    assert shop("optout", "check", f"--file={file}").status == 0


def test_without_a_question_nobody_is_asked(shop: Any) -> None:
    asked = shop("consent", "ask", "+447700900250")
    assert asked.status == 1
    assert "has no question to ask" in asked.err


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("1714554000", 1714554000.0),
        ("2024-05-01", 1714521600.0),
        ("2024-05-01T10:00", 1714557600.0),
        ("2024-05-01T10:00+08:00", 1714528800.0),
    ],
)
def test_times(written: str, at: float) -> None:
    assert moment(written) == at


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("45413", "at: '45413' is the date of a spreadsheet as a number, not Unix seconds"),
        ("1.71E+09", "at: '1.71E+09' is a number that a spreadsheet has rounded"),
        ("#VALUE!", "at: '#VALUE!' is the error of a spreadsheet"),
        ("11/12/2026", "at: '11/12/2026' is not Unix seconds or a time such as"),
    ],
)
def test_a_time_that_a_spreadsheet_has_spoilt(written: str, why: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(why)):
        moment(written)


def test_a_message_is_explained(shop: Any) -> None:
    [sent] = shop("send", "--to=+447700900251", "--text=hi", "--key=explained").records
    told = shop("explain", sent["message_id"])
    assert told.status == 0
    assert told.out.startswith(f"{sent['message_id']} to 447700900251: ")
    assert "UTC: was accepted" in told.out
    [data] = shop("explain", "--key=explained", "--data").records
    assert data["message_id"] == sent["message_id"]
    assert shop("explain", "1f").status == 1

"""What spreadsheets do to what is entered in their cells."""

import pytest

from gateway.cli.cells import moment, plain


@pytest.mark.parametrize(
    ("name", "cell", "meant"),
    [
        ("to", "8613912345678", "8613912345678"),
        ("to", " +44 7700 900123\xa0", "+44 7700 900123"),
        # Marked as text.
        ("to", "'+447700900123", "+447700900123"),
        ("to", '="0044770090012"', "0044770090012"),
        ("from", '="10690001"', "10690001"),
        ("key", "'0001", "0001"),
        ("key", '="1E+10"', "1E+10"),
        ("text", '="Say ""hi"""', 'Say "hi"'),
        ("text", "'=50% off", "=50% off"),
        ("text", "'-50% today", "-50% today"),
        # And what only looks so.
        ("text", "'Tis the season", "'Tis the season"),
        ("text", "= 5 for 4", "= 5 for 4"),
        ("text", ' "quoted" ', ' "quoted" '),
        ("text", "#1 in town!", "#1 in town!"),
        ("text", "#win!", "#win!"),
        ("text", "Add 1.5E+3 to it", "Add 1.5E+3 to it"),
        ("key", " spaces count ", " spaces count "),
        ("campaign", "1E3X", "1E3X"),
        ("campaign", "2e5", "2e5"),
        ("key", "3E10", "3E10"),
        ("text", "Really????", "Really????"),
        ("text", "???", "???"),
        ("text", '="????"', "????"),
        ("to", "", ""),
    ],
)
def test_a_cell_says_what_was_meant(name: str, cell: str, meant: str) -> None:
    assert plain(name, cell) == meant


@pytest.mark.parametrize("name", ["to", "from", "key", "text", "campaign", "send_at"])
@pytest.mark.parametrize(
    "cell",
    ["8.61391E+12", "8,61391E+12", "8\u066b61391E+12", "8.61E+12", "4E+11", "-1.5E+10", "1E+12"],
)
def test_a_number_that_was_rounded_is_refused_with_the_mend(name: str, cell: str) -> None:
    with pytest.raises(ValueError, match="has rounded: format the column as text") as refused:
        plain(name, cell)
    assert str(refused.value).startswith(f"{cell!r} is a number ")


@pytest.mark.parametrize("name", ["to", "text", "key"])
@pytest.mark.parametrize(
    "cell",
    ["#NAME?", "#REF!", "#VALUE!", "#DIV/0!", "#N/A", "#NUM!", "#NOM?", "#WERT!", "#NV", "#N/D",
     "#ИМЯ?", "#¿NOMBRE?", "#GETTING_DATA", "########"],
)  # fmt: skip
def test_the_error_of_a_spreadsheet_is_no_text(name: str, cell: str) -> None:
    with pytest.raises(ValueError, match="the error of a spreadsheet"):
        plain(name, cell)


@pytest.mark.parametrize(
    "text", ["????????5?,?TD??", "[Nike]?????123456,?????", "Votre caf\ufffd", "\ufffd\ufffd"]
)
def test_a_text_whose_characters_were_lost_is_not_sent(text: str) -> None:
    # As Excel saves Chinese on a computer of the West, and as editors open what is no UTF-8.
    with pytest.raises(ValueError, match="has lost characters"):
        plain("text", text)


@pytest.mark.parametrize(
    "text", ["2026-11-11T09:00+08:00", "2026-11-11 01:00Z", "1794358800", "1794358800.0"]
)
def test_times_may_be_written_for_people(text: str) -> None:
    assert moment(text) == 1_794_358_800


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tomorrow", "is neither Unix seconds nor a time with its offset"),
        ("2026-11-11T09:00", "is neither Unix seconds nor a time with its offset"),
        ("11/11/2026 9:00", "is neither Unix seconds nor a time with its offset"),
        # 11 November 2026, 09:00, as a spreadsheet counts: it would be sent at once.
        ("46337.375", "is the date of a spreadsheet as a number"),
        ("46337", "is the date of a spreadsheet as a number"),
    ],
)
def test_a_time_that_nobody_can_tell_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        moment(text)

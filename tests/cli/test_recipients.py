"""Numbers of a region that the command line names."""

import io

import pytest

from gateway.cli.mailing import Mailing, Refusals
from gateway.cli.output import UsageError
from gateway.cli.recipients import reader
from gateway.cli.rows import Rows

LIST = """\
to,text
13912345678,Hi
139 1234 5679,Hi
+13012345678,Hi
447700900123,Hi
13012345678,Hi
0612345678,Hi
10086,Hi
8.61391E12,Hi
"""


@pytest.mark.parametrize(
    ("written", "region", "read"),
    [
        ("13912345678", "CN", "+8613912345678"),
        ("07700 900123", "GB", "+447700900123"),
        ("+8613912345678", "US", "+8613912345678"),
        ("13912345678", None, "13912345678"),  # for the gateway to read
        ("07700 900123", None, "07700 900123"),
        ("n/a", None, "n/a"),
    ],
)
def test_a_number_is_read_as_one_of_the_region(written: str, region: str, read: str) -> None:
    assert reader(region)(written) == read


@pytest.mark.parametrize(("region", "hint"), [("cn", "did you mean 'CN'"), ("UK", "such as 'CN'")])
def test_a_region_that_does_not_exist_is_told(region: str, hint: str) -> None:
    with pytest.raises(UsageError, match=rf"^--region: '{region}' is no region.*{hint}"):
        reader(region)


def test_rows_that_are_no_numbers_of_the_region_are_told_by_their_line() -> None:
    file = io.BytesIO(LIST.encode())
    file.name = "list.csv"
    rows = Rows(file, {}, reader("CN"))
    refused = io.BytesIO()
    mailing = Mailing(rows, Refusals(rows, refused), patient=False)
    assert [message["to"] for message in mailing.messages()] == [
        "+8613912345678",
        "+8613912345679",
        "+13012345678",
        "+447700900123",
        "+8613012345678",
    ]
    told = [line.split(",", 2) for line in refused.getvalue().decode().splitlines()[1:]]
    assert [(line, code) for line, code, _ in told] == [
        ("7", "bad_row"),
        ("8", "bad_row"),
        ("9", "bad_row"),
    ]
    assert "neither a number of CN" in told[0][2]
    assert "short code" in told[1][2]
    assert "rounded by a spreadsheet" in told[2][2]

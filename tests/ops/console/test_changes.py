"""A page that follows what it is sent shows what it would show if it were drawn anew."""

import re

import pytest

from gateway.ops.console.changes import changes

WHOLE = re.compile(r'<hx-partial id="([^"]*)" hx-swap="outerMorph">(.*?)</hx-partial>', re.DOTALL)


def page(*rows: tuple[str, str], head: str = "two carriers") -> str:
    """A page with a table."""
    drawn = "\n".join(
        f'<tr role="row" id="row-{name}">\n<td>{told}</td></tr>' for name, told in rows
    )
    return f'<p>{head}</p><table><tr role="row"><th>a head</th></tr>\n{drawn}\n</table><p>end</p>'


def test_rows_that_are_others_are_sent_alone() -> None:
    before = page(("alpha", "up"), ("beta", "up"), ("a&amp;b c", "up"))
    after = page(("alpha", "up"), ("beta", "down"), ("a&amp;b c", "down"))
    sent = changes(before, after)
    assert WHOLE.sub("", sent) == ""
    rows = dict(WHOLE.findall(sent))
    assert rows.keys() == {"row-beta", "row-a&amp;b c"}
    assert all(row in after for row in rows.values())


@pytest.mark.parametrize(
    "after",
    [
        page(("beta", "up"), ("alpha", "up")),
        page(("alpha", "up")),
        page(("alpha", "up"), ("beta", "up"), ("gamma", "up")),
        page(("alpha", "down"), ("beta", "up"), head="one of two carriers"),
        page(("alpha", "up"), ("alpha", "down")),
        "<p>No carrier matches.</p>",
        page(),
    ],
)
def test_all_is_sent_where_anything_else_is_another(after: str) -> None:
    assert changes(page(("alpha", "up"), ("beta", "up")), after) == after
    assert changes("", after) == after


def test_of_rows_with_one_name_none_is_sent_in_the_place_of_another() -> None:
    after = page(("alpha", "up"), ("alpha", "down"))
    assert changes(page(("alpha", "up"), ("alpha", "up")), after) == after

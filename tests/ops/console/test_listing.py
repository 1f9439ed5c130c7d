import pytest

from gateway.ops.console.listing import ROWS, Listing, listing, most

NAMES = [f"tenant-{number:03}" for number in range(250)]


def shown(**query: str) -> Listing[str]:
    keys = {"name": lambda name: name, "last": lambda name: most(float(name[-3:]))}
    return listing(NAMES, query, "/tenants", lambda name: f"{name} acme", keys)


def test_a_page_has_a_hundred_rows() -> None:
    found = shown()
    assert (list(found.rows), found.pages, found.page) == (NAMES[:ROWS], 3, 1)
    assert list(shown(page="3").rows) == NAMES[200:]


def test_all_words_of_a_search_are_found_whatever_their_case() -> None:
    found = shown(q=" ACME 24 ")
    assert list(found.rows) == [name for name in NAMES if "24" in name]
    assert (found.matched, found.total) == (len(found.rows), 250)


def test_it_is_sorted_by_what_was_asked_for() -> None:
    assert shown(sort="last").rows[0] == "tenant-249"


@pytest.mark.parametrize("page", ["0", "-1", "99", "x", "", "²", "1e9", "9" * 30])
def test_a_page_that_is_none_is_the_next_best(page: str) -> None:
    assert shown(page=page).page in (1, 3)


def test_an_unknown_sort_is_the_default() -> None:
    assert shown(sort="nonsense").sort == "name"


def test_links_keep_what_was_asked_for() -> None:
    found = shown(q="a&b", sort="last")
    assert found.link(page=2) == "/tenants?q=a%26b&sort=last&page=2"


def test_what_is_not_there_comes_last() -> None:
    assert sorted([3.0, None, 9.0], key=most) == [9.0, 3.0, None]

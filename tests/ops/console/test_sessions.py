import pytest

from gateway.ops.console.sessions import LASTS, Seals, Session
from tests.ops.console.staging import NOW

DIGEST = "ab" * 32


def test_a_cookie_is_known_again_until_its_time() -> None:
    seals = Seals()
    cookie = seals.begin(DIGEST, NOW)
    assert seals.read(cookie, NOW + LASTS - 1) == Session(DIGEST, NOW + LASTS)
    assert seals.read(cookie, NOW + LASTS) is None
    assert seals.read(cookie, NOW + 7 * 86_400) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda _: "..",
        lambda _: "é",
        lambda cookie: cookie[:-1],
        lambda cookie: cookie.replace("ab", "cd", 1),
        lambda cookie: cookie.replace(str(int(NOW + LASTS)), str(int(NOW + 9 * LASTS))),
        lambda _: Seals().begin(DIGEST, NOW),  # of another process
    ],
)
def test_no_other_cookie_is(change: "object") -> None:
    seals = Seals()
    cookie = seals.begin(DIGEST, NOW)
    assert callable(change)
    assert seals.read(change(cookie), NOW) is None


def test_a_form_belongs_to_its_session() -> None:
    seals = Seals()
    mine, theirs = Session(DIGEST, NOW), Session("cd" * 32, NOW)
    assert seals.fits(mine, seals.of_form(mine))
    assert not seals.fits(mine, seals.of_form(theirs))
    assert not seals.fits(mine, "")
    assert not seals.fits(mine, "é")
    assert seals.of_form(mine) not in seals.begin(DIGEST, NOW)

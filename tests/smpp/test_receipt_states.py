"""What carriers' words for the end of a message mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.receipt_states import BY_STAT, NAMES, STATES, STATS, WORDS, StateWords

DELIVERED, EXPIRED, DELETED, UNDELIVERABLE, REJECTED = 2, 3, 4, 5, 8


@pytest.mark.parametrize(
    ("word", "state"),
    [
        # SMPP 3.4, appendix B, and full words
        ("ENROUTE", 1), ("DELIVRD", 2), ("EXPIRED", 3), ("DELETED", 4), ("UNDELIV", 5),
        ("ACCEPTD", 6), ("UNKNOWN", 7), ("REJECTD", 8), ("SCHEDULED", 0), ("SKIPPED", 9),
        ("delivrd", 2), ("Delivered", 2), ("UnDeliv", 5), ("undeliverable", 5),
        # misspelt
        ("UNDELIVRD", 5), ("UNDELIVERED", 5), ("DELIVERD", 2), ("REJECT", 8), ("REJECTED", 8),
        ("EXPIRD", 3), ("ACCEPTED", 6), ("CANCELLED", 4),
        # on the way
        ("BUFFRED", 1), ("ACKED", 1), ("PENDING", 1), ("SENT", 1), ("QUEUED", 1),
        # the reason instead of the state
        ("FAILED", 5), ("FAIL", 5), ("BLOCKED", 5), ("DND", 5), ("NO_ROUTE", 5), ("no-route", 5),
        ("ABSENT", 5), ("ABSENT_SUBSCRIBER", 5), ("ABSENT-SUB", 5), ("NO-CREDITS", 5),
        ("SYSERR", 5), ("BARRED", 5), ("NCPR FAIL", 5), ("INV-NUMBER", 5), ("MBBLACK", 5),
        ("MB_BLACK", 5), ("BLACKLIST", 5),
        ("NDNC_FAIL", 5), ("DELIVERY_FAILURE", 5), ("PERMANENT_FAILURE", 5), ("HLR_FAILURE", 5),
        ("INSUFFICIENT_BALANCE", 5), ("UNDEL", 5), ("TIMEOUT", 3), ("REJD", 8),
        # what phones and other interfaces call it
        ("DELIVERED_TO_HANDSET", 2), ("DeliveredToTerminal", 2), ("DELIVERY_SUCCESS", 2),
        ("SEEN", 2), ("DeliveredToNetwork", 1), ("MESSAGE_WAITING", 1), ("DELIVRD_FAILED", None),
        # codes of the Chinese protocols
        ("MK:0001", 5), ("mk:0001", 5), ("MK0001", 5), ("MI:0024", 5), ("MN:0013", 5),
        ("MA:0051", 5), ("MB:0009", 5), ("MC:0055", 5), ("MH:0000", 5), ("CA:0052", 5),
        ("CB:0007", 5), ("DA:0054", 5), ("DB:0141", 5), ("IA:0051", 5), ("IB:0072", 5),
        ("IC:0055", 5), ("ID:0012", 5), ("HD:0001", 5), ("HD31", 5), ("CJ:0007", 5),
        ("SGIP:67", 5), ("SMGP:602", 5), ("LIMIT:1-1:343", 5), ("R:00613", 5), ("R:-43", 5),
        ("MN00013", 5),
        # the word with its reason
        ("UNDELIV:21", 5), ("REJECTD:0045", 8), ("DELIVRD:000", 2), ("Expired:1", 3),
        ("UNDELIV/21", 5), ("EXPIRED(3)", 3), ("DELIVRD(0)", 2), ("DELIVRD_001", 2),
        ("DELIVRD-000", 2), ("UNDELIVRD1", 5), ("[DELIVRD]", 2), ("(UNDELIV)", 5), ("UNDELIV.", 5),
        ("FAILED/BLOCKED", 5), ("UNDELIV/MK:0001", 5), ("REJECTD|DND", None),
        ("DELIVRD/UNDELIV", None), ("DELIVRD/NOT", None), ("UNDELIV(RETRY)", None),
        ("NOT/DELIVRD", None),
        # numbers
        ("0", 0), ("2", 2), ("002", 2), ("5", 5), ("08", 8), ("9", 9),
        # nothing that is known
        ("PERHAPS", None), ("10", None), ("255", None), ("-2", None), ("-9209", None),
        ("2.5", None), ("0.2", None), ("OK:1", None), ("OK200", None), ("", None), (":", None),
        ("MK:", None), ("\u0662", None),
    ],
)  # fmt: skip
def test_words(word: str, state: int | None) -> None:
    assert WORDS[word] == state
    assert WORDS[f" {word.lower()} "] == state


@pytest.mark.parametrize(
    ("stated", "word", "state"),
    [
        ({"GONE": REJECTED}, "gone", REJECTED),
        ({"DELIVRD": UNDELIVERABLE}, "DELIVRD", UNDELIVERABLE),
        ({"mk:0001": EXPIRED}, "MK:0001", EXPIRED),
        ({"mk:0001": EXPIRED}, "MK:0002", UNDELIVERABLE),
        ({"MK:*": EXPIRED, "MK:00*": DELETED}, "MK:0002", DELETED),
        ({"MK:*": EXPIRED, "MK:00*": DELETED}, "MK:1102", EXPIRED),
        ({"MB_*": REJECTED}, "MB-BLACK", REJECTED),
        ({"NO ROUTE": EXPIRED}, "NO_ROUTE", EXPIRED),
        ({"*": UNDELIVERABLE}, "PERHAPS", UNDELIVERABLE),
        ({"*": UNDELIVERABLE}, "DELIVRD", DELIVERED),
        ({"*": UNDELIVERABLE}, "77", UNDELIVERABLE),
        ({"*": UNDELIVERABLE}, "", None),
        # as SGIP numbers them
        ({"0": DELIVERED, "1": 1, "2": UNDELIVERABLE}, "000", DELIVERED),
        ({"0": DELIVERED, "1": 1, "2": UNDELIVERABLE}, "2", UNDELIVERABLE),
    ],
)
def test_what_a_carrier_means_comes_first(
    stated: dict[str, int], word: str, state: int | None
) -> None:
    assert StateWords(stated)[word] == state


def test_numbers_mean_the_same_in_a_parameter() -> None:
    assert [WORDS.numbered(number) for number in (0, 2, 9, 10, 255)] == [0, 2, 9, None, None]
    words = StateWords({"2": UNDELIVERABLE, "77": DELIVERED})
    assert [words.numbered(number) for number in (1, 2, 77)] == [1, UNDELIVERABLE, DELIVERED]


def test_each_state_has_a_name_and_a_word() -> None:
    assert len(NAMES) == len(STATS)
    assert all(STATES[stat] == state for state, stat in STATS.items())
    assert [BY_STAT[STATS[state]] for state in STATS] == list(STATS)
    assert all(WORDS[name] == state for state, name in enumerate(NAMES))


@given(st.text())
def test_any_word_means_a_state_or_nothing(word: str) -> None:
    assert WORDS[word] in {None, *STATS}
    assert StateWords({word: EXPIRED})[word] in {EXPIRED, None}

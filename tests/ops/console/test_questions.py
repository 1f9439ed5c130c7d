"""What an operator asks at three in the morning is answered on the page that is said to answer it,
behind the words that are said to stand there."""

import html
import re
from typing import Final

import pytest

from gateway import cli
from gateway.ops.metrics import Metrics
from gateway.ops.watching import QUESTIONS
from gateway.ops.watching.declared import Question
from tests.ops.console.staging import FREE, Staged, ask, serving

ANSWERS: Final = {
    "How many messages are stuck, and where?": "12,722",
    "How old is the oldest that is due, by tenant, category and place?": "15 min",
    "How old is the oldest that a carrier has and owes an answer or a receipt for?": (
        "acme otp 381 0.4 s 8 min"
    ),
    "Which route do they wait for, and why do they not move?": "no bind is up",
    "Which tenant waits for its own rate, and what is it?": "50/s",
    "How many wait for their hour, and by which rule were they put off?": "4,100",
    "When is the first of them due?": "5 h",
    "What does policy refuse, by rule?": "optout 1,312",
    "What is put off: by a rule, a `send_at`, or a retry?": "61,000",
    "What is refused, by code?": "opted out 1,312",
    "Who has paused what, and how much?": (
        "campaign singles-day of acme: paused by night shift 15 min ago, for 45 min more: wrong "
        "price in the text; 4,212 messages held"
    ),
    "Which carrier is down?": "down",
    "Which carrier loses its binds?": "3 binds lost since the start",
    "Which carrier is slow?": "half within 180 ms, 99 of 100 within 2.4 s",
    "Are its windows full?": "34 / 128",
    "Which carrier refuses, and with which status?": "ok >99%, RTHROTTLED <1%, RSYSERR <1%",
    "Which carrier throttles, and to what rate is it held?": "throttles for 100 s",
    "Which carrier owes receipts, and since when?": "none for 5 min",
    "Whose receipts match nothing?": "17 since the start",
    "Which carrier reaches how many phones?": "83%",
    "Is that less than in the median hour of seven days?": "-12 points",
    "Why are messages not delivered?": "UNDELIV 2,100",
    "How long does a message take to a carrier, by category?": "otp 4 ms 310 ms",
    "And to the phone?": "2.2 s 7.5 s",
    "How long do programs wait for the answer to a submission?": "99 of 100 within 32 ms",
    "Whose consumer is behind, and how far?": "2,310",
    "How long do commits take?": "99 of 100 within 21 ms",
    "How large are the store and its log?": "2.1 GB",
    "Which tables of the database are the largest?": "message 1 GB",
    "What is not cleared away in it?": "part 1,200",
    "For how long is its oldest transaction open?": "this gateway 41 s",
    "How many standbys follow it?": "this gateway 1",
    "How far is each behind?": "east 3 MB",
    "The log alone?": "31 MB",
    "How much room is left?": "41 GB",
    "In how many seconds is the disk full?": "2 d, at the pace",
    "For how long did one thing hold up all else?": "34 ms",
    "How much memory is in use, of what there is?": "212 MB of 2 GB",
    "How much of the memory for messages is in use?": "12,000 of 200,000",
    "Did texts, a STOP perhaps, find nobody whose they are?": "beta 6",
    "Who opted out, and how?": "keyword 77, api 3",
    "Which certificate expires, in how many days?": "9 d more",
    "For how many days are public holidays known?": "700 d more",
    "Which configuration is in force?": "3f9c2a7e5b1d4c68",
    "Since when, in Unix seconds?": "2 h 13 min ago",
    "Was the last reload refused?": "the file has mistakes, and the one before holds",
    "Does something wait for a restart?": "nothing",
    "How many may have gone out twice, and how many came again?": "acme 31 since the start",
}
"""What is read there, where all is as it is staged."""


def read(page: str) -> str:
    """What stands on a page, as somebody reads it."""
    body = page[page.index("<main") :]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def metrics() -> Metrics:
    """What the panels are drawn from."""
    found = Metrics()
    found.store_table_bytes.feed(lambda: {("message",): 1e9})
    found.store_dead_rows.feed(lambda: {("part",): 1_200.0})
    found.store_oldest_transaction_seconds.feed(lambda: {(): 41.0})
    found.store_standbys.feed(lambda: {(): 1.0})
    found.store_standby_lag_bytes.feed(lambda: {("east",): 3e6})
    return found


def test_every_question_has_its_answer_and_its_command() -> None:
    assert ANSWERS.keys() == {one.asked for one in QUESTIONS}
    known = {place.partition(":")[2] for place in cli.COMMANDS}
    assert {one.command for one in QUESTIONS} <= known | {""}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.asked)
async def test_the_page_answers_the_question(question: Question) -> None:
    path, label = question.page
    async with serving(Staged(), FREE, metrics()) as address:
        page = await ask(address, path.replace("{carrier}", "beta"))
    assert page.status == 200
    told = read(page.text)
    assert label in told
    assert ANSWERS[question.asked] in told

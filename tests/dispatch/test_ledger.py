"""Counts of messages without an outcome."""

from collections.abc import Callable

from gateway.dispatch.ledger import Ledger
from gateway.message import Message
from gateway.queue.store import Count

Make = Callable[..., Message]


def counted(ledger: Ledger) -> dict[tuple[str, str, str], int]:
    return {count[:3]: count.messages for count in ledger.counts() if count.messages}


def test_messages_are_counted_from_acceptance_to_outcome(make_message: Make) -> None:
    ledger = Ledger()
    messages = [make_message(1), make_message(2), make_message(3, tenant="umbrella")]
    ledger.enter(messages, "queued")
    assert (ledger.total("acme"), ledger.total("umbrella")) == (2, 1)
    ledger.move(messages[:1], "queued", "sent")
    assert counted(ledger) == {
        ("acme", "transactional", "queued"): 1,
        ("acme", "transactional", "sent"): 1,
        ("umbrella", "transactional", "queued"): 1,
    }
    ledger.leave(messages[:1], "sent")
    ledger.leave(messages[1:], "queued")
    assert counted(ledger) == {}
    assert ledger.total("acme") == ledger.total("umbrella") == ledger.total("nobody") == 0


def test_it_starts_from_what_the_store_holds() -> None:
    ledger = Ledger()
    ledger.start([Count("acme", "otp", "sent", 3), Count("acme", "marketing", "queued", 4)], 9, 0)
    assert ledger.total("acme") == 7


def test_deferring_and_leasing_are_each_other_s_reverse(make_message: Make, start: float) -> None:
    ledger = Ledger()
    # Deferred; put back as due at once, as a message that is given another route is.
    messages = [make_message(1, due=start + 60), make_message(2, due=start)]
    ledger.enter(messages, "queued")
    ledger.deferred(messages)
    assert counted(ledger) == {
        ("acme", "transactional", "deferred"): 1,
        ("acme", "transactional", "queued"): 1,
    }
    ledger.leased(messages)
    assert counted(ledger) == {("acme", "transactional", "queued"): 2}


def test_what_fell_due_before_the_store_was_opened_counts_as_the_store_counted_it(
    make_message: Make, start: float
) -> None:
    opened = start + 3600
    ledger = Ledger()
    # The store says queued of the one that is due by now, and deferred of the other.
    ledger.start(
        [
            Count("acme", "transactional", "queued", 1),
            Count("acme", "transactional", "deferred", 1),
        ],
        2,
        opened,
    )
    messages = [make_message(1, due=start + 60), make_message(2, due=opened + 60)]
    ledger.leased(messages)
    ledger.leave(messages, "queued")
    assert counted(ledger) == {}

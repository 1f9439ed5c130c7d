"""``receipt_id = "auto"``: however a carrier writes its ids, no receipt is lost, from the first
message on, whether it comes after the response, before it, or days later to another process."""

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from gateway.smpp.pdu import SubmitSm
from tests.faults.smsc import Behaviour, Line, Smsc, gateway

Write = Callable[[int], str]

FORMS: dict[str, tuple[Write, Write]] = {
    "the same": (str, str),
    "padded in responses": ("{:012}".format, str),
    "padded in receipts": (str, "{:010}".format),
    "hexadecimal, then decimal": ("{:x}".format, str),
    "padded hexadecimal, then decimal": ("{:08X}".format, str),
    "padded hexadecimal, then padded decimal": ("{:016x}".format, "{:010}".format),
    "decimal, then hexadecimal": (str, "{:x}".format),
    "decimal, then padded hexadecimal": ("{:010}".format, "{:08X}".format),
    "uuid in another case": (
        "6ba7b810-9dad-11d1-80b4-{:012x}".format,
        "6BA7B810-9DAD-11D1-80B4-{:012X}".format,
    ),
}
"""How ids are written in responses and in receipts."""


SOURCES: dict[str, Callable[[str], str]] = {
    "none": lambda _phone: "",
    "ours": lambda _phone: "10690001",
    "national": lambda phone: phone[2:],
    "masked": lambda phone: f"{phone[:5]}****{phone[-4:]}",
}
"""What the source of a receipt is."""


def after(smsc: Smsc) -> Behaviour:
    """Receipts come after the responses."""
    return lambda line, sequence, pdu, _: smsc.take(line, sequence, pdu)


def before(smsc: Smsc) -> Behaviour:
    """Receipts come before the responses, which come in the order of their parity."""

    def behave(line: Line, sequence: int, pdu: SubmitSm, count: int) -> None:
        number = smsc.new_id()
        smsc.report(number, pdu)
        smsc.later(1.0 + count % 2, lambda: line.respond(sequence, smsc.write_id(number)))

    return behave


def both(smsc: Smsc) -> Behaviour:
    """Now one, then the other."""
    one, other = before(smsc), after(smsc)
    return lambda line, sequence, pdu, count: (one, other)[count % 2](line, sequence, pdu, count)


@pytest.mark.parametrize("first_id", [1, 90, 1_000_000_000])
@pytest.mark.parametrize("order", [after, before, both])
@pytest.mark.parametrize("form", FORMS)
async def test_no_receipt_is_lost(
    form: str, order: Callable[[Smsc], Behaviour], first_id: int, autojump_clock: MockClock
) -> None:
    smsc = Smsc(first_id=first_id)
    smsc.write_id, smsc.write_receipt_id = FORMS[form]
    smsc.behaviour = order(smsc)
    async with smsc.running(), gateway({"alpha": smsc}) as site:
        for _ in range(4):
            await site.submit(50)
        found = await site.finished(60.0)
    assert {event["type"] for event in found.values()} == {"delivered"}


@pytest.mark.parametrize("first_id", [1, 1_000_000_000])
@pytest.mark.parametrize("order", [after, before, both])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "form", ["the same", "hexadecimal, then decimal", "decimal, then hexadecimal"]
)
async def test_no_receipt_is_lost_whose_source_is_another(
    form: str, source: str, order: Callable[[Smsc], Behaviour], first_id: int,
    autojump_clock: MockClock,
) -> None:  # fmt: skip
    smsc = Smsc(first_id=first_id)
    smsc.write_id, smsc.write_receipt_id = FORMS[form]
    smsc.source = SOURCES[source]
    smsc.behaviour = order(smsc)
    async with smsc.running(), gateway({"alpha": smsc}) as site:
        for _ in range(4):
            await site.submit(50)
        found = await site.finished(600.0)
    assert {event["type"] for event in found.values()} == {"delivered"}


@pytest.mark.parametrize("form", FORMS)
async def test_no_receipt_is_lost_that_comes_days_later(form: str, mock_clock: MockClock) -> None:
    mock_clock.autojump_threshold = 0
    smsc = Smsc(first_id=90)
    smsc.write_id, smsc.write_receipt_id = FORMS[form]
    taken: list[tuple[int, SubmitSm]] = []

    def keep(line: Line, sequence: int, pdu: SubmitSm, count: int) -> None:
        taken.append((smsc.new_id(), pdu))
        line.respond(sequence, smsc.write_id(taken[-1][0]))

    smsc.behaviour = keep
    async with smsc.running():
        async with gateway({"alpha": smsc}) as site:
            await site.submit(100)
            while len(taken) < 100:
                await trio.sleep(1.0)
        mock_clock.jump(3 * 86_400.0)
        async with gateway({"alpha": smsc}, store=site.store) as after_days:
            await trio.sleep(1.0)
            for number, pdu in taken:
                smsc.report(number, pdu)
                smsc.report(number, pdu, "UNDELIV")
            after_days.accepted = site.accepted
            found = await after_days.finished(60.0)
    assert {event["type"] for event in found.values()} == {"delivered"}

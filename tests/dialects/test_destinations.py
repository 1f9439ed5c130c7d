"""Whose a text is, by the number that it was sent to: carriers lend a channel number, and behind it
digits that a tenant adds, or that they add themselves."""

import pytest

from tests.dialects.octets import RECEIPT, deliver_sm
from tests.dialects.speaking import speaking

PHONE = "8613912345678"

RIVAL = """
[[tenants]]
id = "rival"
name = "Rival"
token_sha256 = ["{token}"]
senders = ["1069000199"]
category = "transactional"
""".format(token="0" * 63 + "1")
"""Beside ``shop``, which has 10690001: a longer number on the same channel."""


@pytest.mark.parametrize(
    ("dest", "owner"),
    [
        ("10690001", "Shop"),
        ("1069000188", "Shop"),
        ("10690001888888", "Shop"),
        ("106900019", "Shop"),  # one digit short of the other's
        ("1069000199", "Rival"),
        ("106900019988", "Rival"),
        ("8610690001", "Shop"),
        ("861069000188", "Shop"),
        ("86106900019988", "Rival"),
        ("+86106900019988", "Rival"),
        ("0086106900019988", "Rival"),
    ],
)
async def test_a_stop_is_the_owner_s_of_the_longest_number_that_it_begins_with(
    dest: str, owner: str
) -> None:
    async with speaking('country_code = "86"', more=RIVAL) as (gateway, carrier):
        await carrier.deliver(deliver_sm(b"TD", source=PHONE, dest=dest))
        [reply] = await carrier.submits(1)
        assert reply.dest == PHONE
        assert reply.payload.decode("utf-16-be").startswith((f"{owner}:", f"【{owner}】"))
        assert await gateway.opted_out(PHONE) is (owner == "Shop")


@pytest.mark.parametrize("dest", ["1069000", "106800019988", "12345", "", "CHANNEL"])
async def test_to_nobody_s_number_it_holds_for_all_who_may_be_meant(dest: str) -> None:
    async with speaking('country_code = "86"', more=RIVAL) as (gateway, carrier):
        await carrier.deliver(deliver_sm(b"TD", source=PHONE, dest=dest))
        await gateway.event("optout", sender=PHONE)
        assert await gateway.opted_out(PHONE)
        assert gateway.counted("gateway_inbound_unowned_total") == {'{carrier="alpha"}': 1.0}


@pytest.mark.parametrize("dest", ["106800019988", ""])
async def test_or_for_who_last_texted_the_phone(dest: str) -> None:
    async with speaking('country_code = "86"', more=RIVAL) as (gateway, carrier):
        message = await gateway.submit(PHONE, "hello")
        await carrier.submits(1)
        await carrier.report()
        await gateway.outcome(message)
        await carrier.deliver(deliver_sm(b"TD", source=PHONE, dest=dest))
        await gateway.event("optout", sender=PHONE)
        *_, reply = await carrier.submits(2)  # where several may be meant, none answers
        assert reply.dest == PHONE
        assert reply.payload.decode("utf-16-be").startswith("【Shop】")


async def test_a_text_is_told_with_the_whole_number() -> None:
    async with speaking('country_code = "86"', more=RIVAL) as (gateway, carrier):
        await carrier.deliver(deliver_sm(b"OK", source=PHONE, dest="861069000188"))
        event = await gateway.event("inbound", sender=PHONE)
        assert event["to"] == "1069000188"


@pytest.mark.parametrize("dest", ["1069000188", "861069000188", "", "12345"])
async def test_a_receipt_to_more_digits_is_its_message_s(dest: str) -> None:
    async with speaking('country_code = "86"') as (gateway, carrier):
        message = await gateway.submit(PHONE, "hello")
        await carrier.submits(1)
        await carrier.report(dest=dest, esm_class=RECEIPT)
        assert (await gateway.outcome(message))["type"] == "delivered"

"""What phones say to a part of a tenant's texts, from the carrier's octets to what is sent."""

from tests.dialects.octets import deliver_sm
from tests.dialects.speaking import speaking

PHONE = "8613912345678"

SHOP = """
signatures = [{ text = "海岸百货", on_missing = "refuse" }]
question = "{name}: reply YES to get our offers"
"""
PER_SIGNATURE = """
[policy.optout.regions.CN]
scope = "signature"
"""
REQUIRED = """
[policy.consent]
require = ["CN"]
[policy.quiet_hours]
open = "00:00-24:00"
"""


async def test_a_chinese_r_stops_one_signature_and_is_explained() -> None:
    async with speaking(tenant=SHOP, more=PER_SIGNATURE) as (gateway, carrier):
        code = {"category": "otp", "key": "first"}
        await gateway.submit(f"+{PHONE}", "【海岸百货】验证码 1", **code)
        await carrier.submits(1)
        await carrier.deliver(deliver_sm(b"R", source=PHONE))
        told = await gateway.event("optout", sender=PHONE)
        assert told["detail"]["only"] == "signature:海岸百货"
        assert not await gateway.opted_out(PHONE)
        message = {"to": f"+{PHONE}", "text": "【海岸百货】验证码 2", "category": "otp", "key": "k"}
        [refused] = (await gateway.ask("submit", messages=[message]))["results"]
        assert refused["error"]["code"] == "opted_out"
        [one] = (await gateway.ask("explain", keys=["k"]))["messages"]
        [step] = one["steps"]
        assert (step["what"], step["code"], step["rule"]) == ("turned_away", "opted_out", "optout")
        assert step["why"] == "the recipient has opted out of the signature '海岸百货'"


async def test_a_phone_that_is_asked_confirms_and_is_texted() -> None:
    async with speaking(tenant='question = "{name}: reply YES"', more=REQUIRED) as (
        gateway,
        carrier,
    ):
        offer = {"to": f"+{PHONE}", "text": "Sale", "category": "marketing"}
        [refused] = (await gateway.ask("submit", messages=[offer]))["results"]
        assert refused["error"]["code"] == "no_consent"
        await gateway.ask("consent", action="ask", numbers=[f"+{PHONE}"])
        [question] = await carrier.submits(1)
        assert question.payload.endswith(b"reply YES")
        await carrier.deliver(deliver_sm(b"Yes", source=PHONE))
        await gateway.event("inbound", sender=PHONE)
        [known] = (await gateway.ask("consent", action="history", numbers=[f"+{PHONE}"]))["results"]
        assert [(one["state"], one["source"]) for one in known["records"]] == [
            ("asked", "api"),
            ("given", "confirmed"),
        ]
        await gateway.submit(offer.pop("to"), offer.pop("text"), **offer)
        sent = await carrier.submits(2)
        assert any(one.payload == b"Sale" for one in sent)

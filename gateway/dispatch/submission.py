"""From a message to the submit_sm PDUs of its parts, in the dialect of one carrier."""

from collections import OrderedDict
from functools import lru_cache

from gateway.dispatch.carriers import CarrierOptions
from gateway.message import Message
from gateway.smpp.pdu import SubmitSm
from gateway.smpp.times import relative
from gateway.text.alphabets import Alphabet
from gateway.text.splitting import encode
from gateway.text.udh import Concat, concat_header

UDHI = 0x40
"""esm_class: the user data begin with a header."""

FINAL_RECEIPT = 0x01
"""registered_delivery: a receipt for every final state. Where the tenant wants none it is 0."""

INTERNATIONAL, NETWORK_SPECIFIC, ALPHANUMERIC = 1, 3, 5
"""Types of number. A sender with letters is alphanumeric; one too short for a country and a
subscriber is a short code, which is the network's own."""

ISDN, NO_PLAN = 1, 0
SHORT_CODE = 6
"""The most digits of a short code."""


def source_type(sender: str) -> tuple[int, int]:
    """Type of number and numbering plan of a sender, by its form."""
    if not sender.isdigit():
        return ALPHANUMERIC, NO_PLAN
    if len(sender) <= SHORT_CODE:
        return NETWORK_SPECIFIC, NO_PLAN
    return INTERNATIONAL, ISDN


RECIPIENTS = 100_000
"""Recipients of long messages that are remembered, the latest: about 10 MB."""


class References:
    """Numbers for long messages, 16 bits, so that a phone can tell whose parts are whose.

    Each recipient has its own row of numbers, so that one comes again after 65,536 long messages
    to the same phone and not after as many to everybody, which takes a few seconds.
    """

    def __init__(self, first: int) -> None:
        self._fresh = first
        self._last: OrderedDict[str, int] = OrderedDict()

    def take(self, recipient: str) -> int:
        """A reference for the parts of a message."""
        last = self._last.pop(recipient, None)
        if last is None:
            self._fresh += 1
            last = self._fresh
        reference = self._last[recipient] = (last + 1) & 0xFFFF
        if len(self._last) > RECIPIENTS:
            self._last.popitem(last=False)
        return reference


def parts(
    message: Message, options: CarrierOptions, references: References, validity: float
) -> list[SubmitSm]:
    """The PDUs of a message, in order.

    Args:
        message: what to send.
        options: the carrier that it goes to.
        references: numbers for long messages.
        validity: seconds for which the carrier may try to deliver it.

    Raises:
        TextError: this carrier's alphabet makes too many parts of it.
    """
    encoded = encode(message.text, message.encoding, options.alphabet)
    payloads = encoded.payloads
    esm_class = 0
    if len(payloads) > 1:
        esm_class = UDHI
        total = len(payloads)
        reference = references.take(message.to)
        payloads = tuple(
            concat_header(Concat(reference, total, index + 1)) + payload
            for index, payload in enumerate(payloads)
        )
    ton, npi = _source(message.sender, options.source_ton, options.source_npi)
    registered = FINAL_RECEIPT if message.report == "final" else 0
    coding = _coding(encoded.alphabet, options)
    period = _period(int(validity))
    return [
        SubmitSm(
            service_type=options.service_type,
            source_addr_ton=ton,
            source_addr_npi=npi,
            source_addr=message.sender,
            dest_addr_ton=options.dest_ton,
            dest_addr_npi=options.dest_npi,
            destination_addr=message.to,
            esm_class=esm_class,
            validity_period=period,
            registered_delivery=registered,
            data_coding=coding,
            short_message=payload,
        )
        for payload in payloads
    ]


def _coding(alphabet: Alphabet, options: CarrierOptions) -> int:
    if alphabet == "gsm7":
        return options.gsm7_coding
    return options.ucs2_coding if alphabet == "ucs2" else options.latin1_coding


@lru_cache(maxsize=1024)
def _source(sender: str, ton: int | None, npi: int | None) -> tuple[int, int]:
    by_form = source_type(sender)
    return by_form[0] if ton is None else ton, by_form[1] if npi is None else npi


@lru_cache(maxsize=4096)
def _period(seconds: int) -> str:
    return relative(seconds)

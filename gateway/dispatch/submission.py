"""From a message to the submit_sm PDUs of its parts, in the dialect of one carrier."""

from collections import OrderedDict

import msgspec

from gateway.dispatch.options import CarrierOptions
from gateway.message import Message, Report
from gateway.smpp.pdu import Encoded, SubmitSm, decode, encoded
from gateway.smpp.template import SubmitTemplate
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


TEMPLATES = 4_096
"""Templates that a dialect keeps: senders times validities in seconds; forgotten all at once."""


class Dialect:
    """Makes the PDUs of messages as one carrier wants them."""

    def __init__(self, options: CarrierOptions) -> None:
        self._options = options
        self._templates: dict[tuple[str, Alphabet, bool, Report, int], SubmitTemplate] = {}

    def parts(self, message: Message, references: References, validity: float) -> list[Encoded]:
        """The PDUs of a message, in order.

        Args:
            message: what to send.
            references: numbers for long messages.
            validity: seconds for which the carrier may try to deliver it.

        Raises:
            TextError: this carrier's alphabet makes too many parts of it.
        """
        text = encode(message.text, message.encoding, self._options.alphabet)
        payloads = text.payloads
        key = (message.sender, text.alphabet, len(payloads) > 1, message.report, int(validity))
        template = self._templates.get(key) or self._template(*key)
        if len(payloads) == 1:
            return [template.write(message.to, payloads[0])]
        reference, total = references.take(message.to), len(payloads)
        return [
            template.write(message.to, concat_header(Concat(reference, total, number)) + payload)
            for number, payload in enumerate(payloads, 1)
        ]

    def renewed(self, pdu: Encoded, validity: float) -> Encoded:
        """A part that is sent some time after it was made, or once more: what time the carrier has
        is counted from then on."""
        made = decode(pdu.numbered(1)).pdu
        if not isinstance(made, SubmitSm) or not made.validity_period.endswith("R"):
            return pdu
        return encoded(msgspec.structs.replace(made, validity_period=relative(validity)))

    def _template(
        self, sender: str, alphabet: Alphabet, long: bool, report: Report, validity: int
    ) -> SubmitTemplate:
        """What such PDUs have in common."""
        options = self._options
        ton, npi = source_type(sender)
        if len(self._templates) >= TEMPLATES:
            self._templates.clear()
        template = SubmitTemplate(
            SubmitSm(
                service_type=options.service_type,
                source_addr_ton=ton if options.source_ton is None else options.source_ton,
                source_addr_npi=npi if options.source_npi is None else options.source_npi,
                source_addr=sender,
                dest_addr_ton=options.dest_ton,
                dest_addr_npi=options.dest_npi,
                esm_class=UDHI if long else 0,
                validity_period=relative(validity),
                registered_delivery=FINAL_RECEIPT if report == "final" else 0,
                data_coding=self._coding(alphabet),
            )
        )
        self._templates[sender, alphabet, long, report, validity] = template
        return template

    def _coding(self, alphabet: Alphabet) -> int:
        if alphabet == "gsm7":
            return self._options.gsm7_coding
        return self._options.ucs2_coding if alphabet == "ucs2" else self._options.latin1_coding

"""From a message to the submit_sm PDUs of its parts, in the dialect of one carrier."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from gateway.dispatch.carriers.addresses import AddressKind, sender_kind
from gateway.dispatch.intake.parameters import merged
from gateway.dispatch.options import CarrierOptions, ValidityPeriod
from gateway.dispatch.release.references import References
from gateway.message import Message, Report
from gateway.smpp.pdu import Encoded, SubmitSm, decode, encoded
from gateway.smpp.template import SubmitTemplate
from gateway.smpp.times import absolute, relative
from gateway.smpp.tlv import (
    MESSAGE_PAYLOAD,
    SAR_MSG_REF_NUM,
    SAR_SEGMENT_SEQNUM,
    SAR_TOTAL_SEGMENTS,
    Tlvs,
)
from gateway.text.alphabets import Alphabet
from gateway.text.septets import NO_SHIFTS
from gateway.text.splitting import Encoded as Text
from gateway.text.splitting import encode
from gateway.text.udh import Concat, concat_header, shift_header, short_header

UDHI = 0x40
"""esm_class: the user data begin with a header."""

FINAL_RECEIPT = 0x01
"""registered_delivery: a receipt for every final state. Where the tenant wants none it is 0."""

TEMPLATES = 4_096
"""Templates that a dialect keeps: senders times validities in seconds; forgotten all at once."""


Templates = dict[tuple[str, Alphabet, bool, Report, int], SubmitTemplate]


class Dialect:
    """Makes the PDUs of messages as one carrier wants them.

    There are as many parts as were measured, whatever the carrier takes: headers with 8 bits where
    that is what they were measured for. More there are only where the carrier is not one of the
    route that the message had then, or leaves no choice.
    """

    def __init__(self, options: CarrierOptions) -> None:
        self._options = options
        self._is_usual = (
            options.dest_form == "international"
            and options.validity_period == "relative"
            and not options.min_validity
        )
        self._is_measured = not options.narrow
        self._has_headers = options.long_messages not in ("sar", "payload")
        self._has_tlvs = bool(options.tlvs) or options.template_tlv is not None
        self._abroad: Templates = {}
        self._at_home: Templates = {}

    def parts(
        self, message: Message, references: References, validity: float, now: float
    ) -> list[Encoded]:
        """The PDUs of a message, in order.

        Args:
            message: what to send.
            references: numbers for long messages.
            validity: seconds for which the carrier may try to deliver it.

        Raises:
            TextError: this carrier's alphabet makes too many parts of it.
            LocalProtocolError: a field is there that no PDU has room for.
        """
        options = self._options
        narrow = message.parts if self._is_measured else math.inf
        text = self._encoded(message, narrow)
        payloads = text.payloads
        to, period, templates = message.to, int(validity), self._abroad
        if not self._is_usual:
            period = self._period(validity, now)
            if options.dest_form == "national" and to.startswith(options.country_code):
                to = options.trunk_prefix + to[len(options.country_code) :]
                templates = self._at_home
        long, is_shifted = len(payloads) > 1, text.shifts != NO_SHIFTS
        headed = is_shifted or (long and self._has_headers)
        key = (message.sender, text.alphabet, headed, message.report, period)
        template = templates.get(key) or self._template(templates, *key)
        if not long:
            head = shift_header(text.shifts) if is_shifted else b""
            pdus = [template.write(to, head + payloads[0])]
        elif options.long_messages == "payload":
            whole = MESSAGE_PAYLOAD.of(b"".join(payloads))
            pdus = [template.write(to, b"").extended((whole,))]
        elif options.long_messages == "sar":
            places = _places(references.take(message.to), len(payloads))
            pdus = [
                template.write(to, payload).extended(place)
                for payload, place in zip(payloads, places, strict=True)
            ]
        else:
            joined = self._with_headers(message, text, references, now + validity, now)
            pdus = [template.write(to, octets) for octets in joined]
        if message.tlvs or self._has_tlvs:
            tlvs = merged(merged(options.tlvs, self._template_id(message)), message.tlvs)
            return [pdu.extended(tlvs) for pdu in pdus] if tlvs else pdus
        return pdus

    def _template_id(self, message: Message) -> Tlvs:
        """The parameter by which the carrier knows the template of a message."""
        tag, name = self._options.template_tlv, self._options.id
        if tag is None:
            return ()
        return tuple(
            (tag, known.encode() + b"\0") for one, known in message.approved if one == name
        )

    def _with_headers(
        self, message: Message, text: Text, references: References, until: float, now: float
    ) -> list[bytes]:
        """The user data of the parts of a long message, which may come until then."""
        always = self._options.long_messages == "udh8"
        header, reference = short_header, None
        if always or not text.narrow:
            reference = references.take_short(message.to, until, now)
        if reference is None and always:
            reference = references.take(message.to) & 0xFF
        if reference is None:
            header, reference = concat_header, references.take(message.to)
            if not text.narrow:  # every 8-bit reference is open to that phone
                text = self._encoded(message, math.inf)
        # The headers differ in their last octet alone, which spares each part 0.4 us.
        head = header(Concat(reference, len(text.payloads), 1), text.shifts)[:-1]
        return [
            b"%b%c%b" % (head, number, payload) for number, payload in enumerate(text.payloads, 1)
        ]

    def _encoded(self, message: Message, parts: float) -> Text:
        options = self._options
        return encode(message.text, message.encoding, options.alphabet, parts, options.shift_tables)

    def renewed(self, pdu: Encoded, validity: float) -> Encoded:
        """A part that is sent some time after it was made, or once more: what time the carrier has
        is counted from then on."""
        made = decode(pdu.numbered(1)).pdu
        if not isinstance(made, SubmitSm) or not made.validity_period.endswith("R"):
            return pdu
        period = relative(max(validity, self._options.min_validity))
        return encoded(msgspec.structs.replace(made, validity_period=period))

    def _period(self, validity: float, now: float) -> int:
        """What stands for a validity_period in the name of a template: whole seconds, from now or
        of Unix time."""
        options = self._options
        validity = max(validity, options.min_validity)
        if options.validity_period == "relative":
            return int(validity)
        return int(now + validity) if options.validity_period == "absolute" else 0

    def _template(
        self,
        templates: Templates,
        sender: str,
        alphabet: Alphabet,
        headed: bool,
        report: Report,
        period: int,
    ) -> SubmitTemplate:
        """What such PDUs have in common."""
        options = self._options
        if len(templates) >= TEMPLATES:
            templates.clear()
        source = sender_kind(sender)
        dest: AddressKind = "national" if templates is self._at_home else "international"
        template = SubmitTemplate(
            SubmitSm(
                service_type=options.service_type,
                source_addr_ton=getattr(options.source_ton, source),
                source_addr_npi=getattr(options.source_npi, source),
                source_addr=sender,
                dest_addr_ton=getattr(options.dest_ton, dest),
                dest_addr_npi=getattr(options.dest_npi, dest),
                esm_class=UDHI if headed else 0,
                validity_period=_PERIODS[options.validity_period](period),
                registered_delivery=FINAL_RECEIPT if report == "final" else 0,
                data_coding=self._coding(alphabet),
            )
        )
        templates[sender, alphabet, headed, report, period] = template
        return template

    def _coding(self, alphabet: Alphabet) -> int:
        if alphabet == "gsm7":
            return self._options.gsm7_coding
        return self._options.ucs2_coding if alphabet == "ucs2" else self._options.latin1_coding


def _places(reference: int, total: int) -> Iterator[Tlvs]:
    """The places of the parts of a long message, as optional parameters (SMPP 3.4, 5.3.2.22)."""
    for number in range(1, total + 1):
        yield (
            SAR_MSG_REF_NUM.of(reference),
            SAR_TOTAL_SEGMENTS.of(total),
            SAR_SEGMENT_SEQNUM.of(number),
        )


_PERIODS: Final[Mapping[ValidityPeriod, Callable[[int], str]]] = {
    "relative": relative,
    "absolute": absolute,
    "none": lambda _: "",
}

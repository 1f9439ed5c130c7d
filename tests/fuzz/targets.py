"""What is fuzzed: for each parser of octets from outside, a function that feeds it some and checks
the answer. A target returns where the parser gives a typed value or its protocol's error, and lets
every other exception pass. Hypothesis (``make test``) and atheris (``make fuzz``) run the same.
"""

import math
import tempfile
import time
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Final

import msgpack
import msgspec

from gateway.api import codec, dialogue, schema
from gateway.api.frames import HEADER_SIZE, FrameReader, FrameTooLargeError, frame
from gateway.cli.output import UsageError
from gateway.cli.rows import Rows
from gateway.config import Settings, load
from gateway.errors import ConfigError, LocalProtocolError, RemoteProtocolError, RequestError
from gateway.policy.keywords import Vocabulary
from gateway.policy.optout import OptoutOptions
from gateway.smpp import framing, pdu, receipt_ids, receipt_states, receipts, times, tlv
from gateway.smpp.odd import breaks
from gateway.text.alphabets import DefaultAlphabet, decode
from gateway.text.errors import TextError
from gateway.text.measuring import GSM7_ROOM, UCS2_ROOM, measure
from gateway.text.reading import Dialect, Part, join
from gateway.text.septets import Shifts
from gateway.text.splitting import encode
from gateway.text.udh import concat_header, parse_user_data
from tests.fuzz import sessions
from tests.fuzz.tape import Tape

SECONDS: Final = 1.0
"""Of this thread's time that one input may take, whatever it is. The slowest that are known take a
fifth: a full frame of messages, and a configuration whose carriers speak TLS."""

BATCH: Final = 100
FRAME: Final = 1000
NOW: Final = 1.7e9
VOCABULARY: Final = Vocabulary(OptoutOptions())


def run(name: str, data: bytes) -> None:
    """Run a target and check the time that it takes."""
    started = time.thread_time()
    TARGETS[name](data)
    taken = time.thread_time() - started
    assert taken < SECONDS, f"{len(data)} octets took {taken:.1f} s"


# --- the API ---


def _frames(data: bytes) -> None:
    """A stream gives the same frames whatever the pieces that it comes in."""
    tape = Tape(data)
    sizes = [1 + tape.octet() for _ in range(4)]
    stream = tape.rest()
    expected, at = [], 0
    while len(stream) - at >= HEADER_SIZE:
        end = at + HEADER_SIZE + int.from_bytes(stream[at : at + HEADER_SIZE], "big")
        if end > len(stream) or end - at - HEADER_SIZE > FRAME:
            break
        expected.append(stream[at + HEADER_SIZE : end])
        at = end

    reader = FrameReader(FRAME)
    found = []
    try:
        while stream:
            piece, stream = stream[: sizes[0]], stream[sizes[0] :]
            sizes.append(sizes.pop(0))
            reader.receive(piece)
            while (body := reader.next_frame()) is not None:
                found.append(body)
            assert reader.buffered < HEADER_SIZE + FRAME
    except FrameTooLargeError:
        pass
    assert found == expected


def _requests(data: bytes) -> None:
    """What is no request is refused, in words that can be sent and are not long."""
    try:
        request = codec.decode(data, BATCH)
    except RequestError as error:
        answer = schema.refusal(codec.request_id(data), error.code, error.message)
    else:
        assert isinstance(request, schema.RequestBase)
        msgspec.msgpack.encode(request)
        return
    assert answer.error.code in {"bad_request", "unknown_op"}
    reply = bytearray()
    codec.encode(answer, reply)
    assert len(reply) < len(data) + 500


def _replies(data: bytes) -> None:
    """A client takes what a server sends for replies or for the end of the connection."""
    try:
        for reply in dialogue.Replies().receive(frame(data)):
            assert isinstance(reply, dict)
    except ConnectionError:
        pass


# --- SMPP ---

_PARAMETERS: Final = [one for one in vars(tlv).values() if isinstance(one, tlv.Parameter)]


def _smpp_frames(data: bytes) -> None:
    """A stream gives the same frames whatever the pieces that it comes in."""
    tape = Tape(data)
    sizes = [1 + tape.octet() for _ in range(4)]
    stream = tape.rest()
    expected = _split(framing.Splitter(), stream)

    splitter = framing.Splitter()
    found = []
    while stream:
        piece, stream = stream[: sizes[0]], stream[sizes[0] :]
        sizes.append(sizes.pop(0))
        found += _split(splitter, piece)
        assert splitter.buffered < framing.MAX_FRAME
    assert found == expected


def _split(splitter: framing.Splitter, data: bytes) -> list[bytes]:
    try:
        return splitter.feed(data)
    except framing.BadLengthError as error:
        return error.frames


def _pdus(data: bytes) -> None:
    """Any body of a known PDU is one. What fits its layout can be written, unless it is longer than
    we may write, and means the same when it is read again."""
    try:
        packet = pdu.decode(data)
    except RemoteProtocolError:
        assert len(data) < framing.MIN_FRAME
        return
    if isinstance(packet.pdu, pdu.Unparsed):
        assert packet.pdu.reason == "unknown command_id"
        return
    for parameter in _PARAMETERS:
        parameter.get(packet.pdu.tlvs)
    if isinstance(packet.pdu, (pdu.DeliverSm, pdu.DataSm)):
        receipts.parse(packet.pdu)
    try:
        again = pdu.encode(packet.pdu, packet.sequence, packet.status)
    except LocalProtocolError:
        return
    assert packet.broken or pdu.decode(again) == packet


def _tlvs(data: bytes) -> None:
    found, odd = tlv.read(data, 0)
    for parameter in _PARAMETERS:
        parameter.get(found)
    assert breaks(odd) or tlv.write(found) == data


def _receipts(data: bytes) -> None:
    """Whatever a receipt says, what is made of it is bounded and can be passed on."""
    tape = Tape(data)
    esm_class, data_coding, carried, state = (tape.octet() for _ in range(4))
    tlvs: tlv.Tlvs = ((tlv.MESSAGE_STATE.tag, bytes((state,))),) if carried & 1 else ()
    if carried & 2:
        tlvs += ((tlv.RECEIPTED_MESSAGE_ID.tag, tape.piece()),)
    text = tape.rest()
    if carried & 4:
        tlvs, text = (*tlvs, (tlv.MESSAGE_PAYLOAD.tag, text)), b""
    deliver = pdu.DeliverSm(
        esm_class=esm_class, data_coding=data_coding, short_message=text, tlvs=tlvs
    )
    receipt = receipts.parse(deliver)
    if receipt is None:
        return
    assert len(receipt.ref_raw) <= receipts.MAX_ID
    assert receipt.state is None or receipt.state in receipt_states.STATS
    assert max(receipt.submitted or 0, receipt.delivered or 0) < 1 << 63
    receipts.date(receipt.submit_date)
    receipts.date(receipt.done_date)
    for base in ("text", "dec", "hex"):
        receipts.canonical(receipt.ref_raw, base)
    assert len(receipt_ids.readings(receipt.ref_raw)) <= 8
    msgspec.msgpack.encode(receipt)


def _times(data: bytes) -> None:
    try:
        moment = times.parse(data.decode("latin-1"), NOW)
    except RemoteProtocolError:
        return
    assert moment is None or math.isfinite(moment)


# --- texts ---


def _headers(data: bytes) -> None:
    try:
        concat, payload = parse_user_data(data)
    except RemoteProtocolError:
        return
    assert data.endswith(payload)
    if concat is not None:
        assert parse_user_data(concat_header(concat) + payload) == (concat, payload)


def _payloads(data: bytes) -> None:
    """Whatever a phone sends is a text that can be passed on, and may ask for something."""
    tape = Tape(data)
    defaults: tuple[DefaultAlphabet, ...] = ("gsm7", "latin1")
    dialect = Dialect(defaults[tape.octet() & 1])
    parts = [
        Part(tape.piece(), tape.octet(), Shifts(tape.octet(), tape.octet()), tape.octet())
        for _ in range(2)
    ]
    text = join([*parts, Part(tape.rest(), parts[0].data_coding)], dialect).text
    text.encode()
    VOCABULARY.of("CN").read(text)


def _texts(data: bytes) -> None:
    """A text that can be sent at all arrives as it was, in parts that fit."""
    tape = Tape(data)
    choice = tape.octet()
    try:
        text = tape.rest().decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return
    try:
        chosen = measure(text, ("auto", "gsm7", "ucs2")[choice % 3])
        hint = (0, chosen.parts, chosen.parts + 1, math.inf)[choice >> 3 & 3]
        encoded = encode(text, chosen.encoding, "latin1" if choice & 128 else "gsm7", hint)
    except TextError as error:
        str(error).encode()
        return
    assert decode(b"".join(encoded.payloads), encoded.alphabet) == text
    if hint <= chosen.parts and encoded.alphabet != "ucs2":
        assert len(encoded.payloads) == chosen.parts
    room = UCS2_ROOM if encoded.alphabet == "ucs2" else GSM7_ROOM
    octets = 2 if encoded.alphabet == "ucs2" else 1
    most = room.narrow if encoded.narrow else room.of_several
    if len(encoded.payloads) == 1:
        most = room.alone
    assert all(0 < len(payload) <= most * octets for payload in encoded.payloads)


# --- files ---


def _configurations(data: bytes) -> None:
    """A file is settings or faults, each in one line that can be printed."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            settings = load(Path(file.name), {"SMSC_PASSWORD": "secret"})
        except ConfigError as error:
            faults = error.errors
        else:
            assert isinstance(settings, Settings)
            return
    assert faults
    for line in faults:
        assert line.isprintable(), line
        assert len(line) < 1000


class _Named(BytesIO):
    name = "list.csv"


def _rows(data: bytes) -> None:
    """Each row of a CSV file is a message that can be submitted, or says why it is none."""
    try:
        rows = list(Rows(_Named(data), {}))
    except UsageError as error:
        str(error).encode()
        return
    for row in rows:
        assert (row.message is None) == bool(row.fault)
        row.fault.encode()
        msgpack.packb(row.message)


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "frames": _frames,
    "requests": _requests,
    "replies": _replies,
    "smpp_frames": _smpp_frames,
    "pdus": _pdus,
    "tlvs": _tlvs,
    "esme": sessions.esme,
    "smsc": sessions.smsc,
    "receipts": _receipts,
    "times": _times,
    "headers": _headers,
    "payloads": _payloads,
    "texts": _texts,
    "configurations": _configurations,
    "rows": _rows,
}
"""Every target by its name, which is also that of its folders of seeds and of found cases."""

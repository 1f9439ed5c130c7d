"""Bytes of a frame's body to typed request, typed reply to bytes of a frame.

`decode` says what is wrong with a request, and where, in the words of ``docs/api.md``. No I/O.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin

import msgspec
from msgspec import Raw
from msgspec.structs import force_setattr as fill

from gateway.api import peek
from gateway.api.frames import HEADER_SIZE, put_length
from gateway.api.schema import (
    LATEST,
    OPS,
    Ack,
    Cancel,
    Consent,
    Consumers,
    Explain,
    Handover,
    Hello,
    Import,
    MessageOptions,
    Optout,
    Pause,
    Person,
    Quote,
    Reply,
    Request,
    RequestBase,
    Resume,
    Stats,
    Status,
    Submit,
    SubmitMessage,
    Subscribe,
    Template,
)
from gateway.errors import RequestError

MAX_TLVS: Final = 256
"""Parameters of a message that are decoded at all. Far fewer are taken, but those that are too many
by some are refused alone."""

_Tlvs = Annotated[dict[int | str, Raw], msgspec.Meta(max_length=MAX_TLVS)]


class _Defaults(MessageOptions, frozen=True, gc=False, kw_only=True):
    text: str | None = None
    tlvs: _Tlvs | None = None


class _PartialMessage(SubmitMessage, frozen=True, gc=False, kw_only=True):
    """A message before the defaults of its batch are filled in, which is done in place."""

    text: str | None = None  # type: ignore[assignment]  # only until then
    tlvs: _Tlvs | None = None


class _SubmitPartial(RequestBase, frozen=True, tag="submit"):
    messages: list[_PartialMessage]
    defaults: _Defaults = _Defaults()


class _QuotePartial(RequestBase, frozen=True, tag="quote"):
    messages: list[_PartialMessage]
    defaults: _Defaults = _Defaults()


_Partial = (
    Hello
    | _SubmitPartial
    | _QuotePartial
    | Status
    | Cancel
    | Pause
    | Resume
    | Stats
    | Subscribe
    | Ack
    | Consumers
    | Optout
    | Consent
    | Import
    | Handover
    | Person
    | Template
    | Explain
)

_plain: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_partial: msgspec.msgpack.Decoder[_Partial] = msgspec.msgpack.Decoder(_Partial)
_fields = msgspec.msgpack.Decoder(dict[str, Raw])
_rows = msgspec.msgpack.Decoder(list[Raw])
_anything = msgspec.msgpack.Decoder()
_encoder = msgspec.msgpack.Encoder()

_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode(body: bytes, max_batch: int) -> Request:
    """The request in the body of a frame.

    Raises:
        RequestError: ``bad_request`` with the path of what is wrong, or ``unknown_op``.
    """
    try:
        if len(body) > max_batch:  # else there is no room for so many
            _limit(body, max_batch)
        try:
            request = _decoder(body).decode(body)
        except msgspec.ValidationError:
            request = _leniently(_as_meant(_fields.decode(body)))
    except msgspec.ValidationError as error:
        raise _explain(body, str(error)) from None
    except msgspec.DecodeError as error:
        raise RequestError("bad_request", f"not one msgpack map: {error}") from None
    except UnicodeDecodeError:
        raise RequestError("bad_request", f"{_where(body)}a string is not UTF-8") from None
    except RecursionError:
        raise RequestError("bad_request", "nested too deeply") from None
    if isinstance(request, _SubmitPartial):
        return Submit(request.id, _filled(request.messages, request.defaults))
    if isinstance(request, _QuotePartial):
        return Quote(request.id, _filled(request.messages, request.defaults))
    return request


def _decoder(body: bytes) -> msgspec.msgpack.Decoder[Request] | msgspec.msgpack.Decoder[_Partial]:
    """A body without these words has no defaults and no parameters, which are to be looked at, and
    its messages are decoded in one step."""
    return _partial if b"defaults" in body or b"tlvs" in body or b"template" in body else _plain


def _leniently(body: bytes) -> Request | _Partial:
    try:
        return _partial.decode(body)  # takes a text that is nil; that it is missing is told later
    except msgspec.ValidationError:
        return _decoder(body).decode(body)


def request_id(body: bytes) -> peek.Echo | None:
    """The ``id`` of a request that could not be decoded, or None where none can be made out. It
    is echoed even where it is of no kind that an id may be."""
    try:
        found = _fields.decode(body).get("id")
    except _UNDECODABLE:
        return peek.find_id(body)
    return None if found is None else peek.echo(found)


_COUNTED: Final = (("messages",), ("ids", "keys"), ("numbers",), ("rows",))
"""The fields that are lists; those that count together."""


def _limit(body: bytes, most: int) -> None:
    """Refuse what has too much in it, before it is decoded: fields are told apart at 0.05 µs a
    message, and of a field that is there twice only the last would be counted."""
    fields = _fields.decode(body)
    if len(fields) < peek.pairs(body):
        raise RequestError("bad_request", "a field of the request is there twice")
    for names in _COUNTED:
        count = sum(peek.count(fields[name]) for name in names if name in fields)
        if count > most:
            what = " and ".join(names)
            raise RequestError("bad_request", f"{what}: {count} are more than max_batch, {most}")


# --- what is taken for what it is meant to be ---


class _Leniency(NamedTuple):
    """The fields of an op that may be left out, and those that are integers."""

    optional: frozenset[str]
    integers: frozenset[str]


def _leniency(kind: type[RequestBase]) -> _Leniency:
    fields = msgspec.structs.fields(kind)
    return _Leniency(
        frozenset(field.encode_name for field in fields if not field.required),
        frozenset(field.encode_name for field in fields if _takes_integers(field.type)),
    )


def _takes_integers(annotation: Any) -> bool:
    """Whether a type takes integers and no other numbers."""
    kinds = {annotation, *get_args(annotation)}
    return int in kinds and float not in kinds


_LENIENCIES: Final = {
    str(kind.__struct_config__.tag): _leniency(kind) for kind in get_args(_Partial)
}
_NIL: Final = 0xC0
"""The first octet of nil, and of nothing else."""


def _as_meant(fields: Mapping[str, Raw]) -> bytes:
    """A request that was refused as it stands, without fields that are nil and may be left out, and
    with integers where they were written as floats. In messages and defaults there is nothing to
    mend: their types take nil, and their numbers are floats."""
    known = _LENIENCIES.get(_op(fields) or "")
    pairs: list[bytes | Raw] = []
    for name, value in fields.items():
        if known is not None and name in known.optional and memoryview(value)[0] == _NIL:
            continue
        pairs.append(_encoder.encode(name))
        integer = known is not None and name in known.integers
        pairs.append(_as_integer(value) if integer else value)
    return b"".join((b"\xdf", (len(pairs) // 2).to_bytes(4), *pairs))


def _as_integer(value: Raw) -> bytes | Raw:
    number = peek.echo(value)
    if isinstance(number, float) and number.is_integer() and -(2.0**63) <= number < 2.0**64:
        return _encoder.encode(int(number))
    return value


def _op(fields: Mapping[str, Raw]) -> str | None:
    op = peek.echo(fields["op"]) if "op" in fields else None
    return op if isinstance(op, str) else None


MAX_FILLED: Final = 64 * 1024 * 1024
"""Bytes that the text of ``defaults`` may come to in all messages that have none of their own. A
short frame of 10,000 numbers and a text of 250 parts would stand for 400 MB."""


def _filled(messages: Sequence[_PartialMessage], common: _Defaults) -> list[SubmitMessage]:
    """Messages with what their batch says for them."""
    text, template = common.text, common.template
    # A text goes before a template of the defaults, a template before a text of theirs.
    bare = [i for i, m in enumerate(messages) if m.text is None and m.template is None]
    if template is not None and text is None:
        for index in bare:
            fill(messages[index], "template", template)
        bare = []
    if text is None and bare:
        raise RequestError("bad_request", f"messages[{bare[0]}].text: missing")
    if text is not None and (size := len(bare) * len(text.encode())) > MAX_FILLED:
        said = f"defaults.text: {size} bytes in {len(bare)} messages; at most {MAX_FILLED}"
        raise RequestError("bad_request", said)
    for index in bare:
        fill(messages[index], "text", text)
        fill(messages[index], "template", template)
    for message in messages:
        if message.text is None:
            fill(message, "text", "")
        if message.tlvs is not None:
            fill(message, "tlvs", _parameters(message.tlvs))
    if common.send_at is not None or common.send_at_local is not None:
        # One that says when in its own way does so instead of the batch.
        for message in messages:
            if message.send_at is None and message.send_at_local is None:
                fill(message, "send_at", common.send_at)
                fill(message, "send_at_local", common.send_at_local)
    if common.vars is not None:
        for message in messages:
            fill(message, "vars", {**common.vars, **(message.vars or {})})
    if common.tlvs is not None:
        _fill_in(messages, "tlvs", _parameters(common.tlvs))
    for name in _COMMON:
        value = getattr(common, name)
        if value is not None:
            _fill_in(messages, name, value)
    return [*messages]


_COMMON: Final = (
    "sender", "key", "category", "campaign", "variant", "time_zone", "region", "window",
    "allow_repeat", "expires_at", "encoding", "report",
)  # fmt: skip
"""What is filled in by itself."""


def _fill_in(messages: Sequence[_PartialMessage], name: str, value: object) -> None:
    """Let messages say what they do not say of themselves."""
    for message in messages:
        if getattr(message, name) is None:
            fill(message, name, value)


def _parameters(tlvs: _Tlvs | None) -> dict[int | str, object] | None:
    """Parameters with their values, but for those that are lists or maps: none is one, and what is
    in them is not taken apart."""
    return None if tlvs is None else {tag: peek.echo(value) for tag, value in tlvs.items()}


# --- what is wrong ---

_WHERE = re.compile(r"(.*?)(?: - at (`key` in )?`\$\.?(.*?)`)?", re.DOTALL)
_FIELD = re.compile(r"Object (contains unknown|missing required) field `(.*)`", re.DOTALL)
_SAID = {"contains unknown": "unknown field", "missing required": "missing"}
_WORDS = {
    "object": "map",
    "None": "nil",
    "null": "nil",
    "Invalid": "invalid",
    "Expected": "expected",
}
_WORD = re.compile("|".join(rf"\b{word}\b" for word in _WORDS))
_TOO_LATE: Final = f"<= {LATEST}"
_CHOICE = re.compile(r"Invalid enum value ('.*')", re.DOTALL)
_QUOTED_MAX = 64
"""Characters of the client's own words that an error repeats: enough to recognise them."""
_ERROR_END = 256
"""Characters at either end of an error that are looked at. What is in between is the client's, a
whole frame of it if it likes, which would take the patterns above a quarter of a second."""


_INDEX = re.compile(r"\[[^\]]*\]")
"""Which one of a list or a map a path goes through."""

_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_SOME: Final = "[...]"
"""Which value of a map it is, as msgspec has it: it does not say."""


def _kinds(kind: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The types of which a type is made, each with its path, without indices."""
    yield path, kind
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for field in msgspec.structs.fields(kind):
            yield from _kinds(field.type, f"{path}.{field.encode_name}".lstrip("."))
    else:
        for inner in get_args(kind):
            yield from _kinds(inner, path)


def _one_of(*words: str) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


_KINDS: Final = [
    ((str(request.__struct_config__.tag), path), kind)
    for request in get_args(_Partial)
    for path, kind in _kinds(request)
]
_CHOICES: Final = {
    place: _one_of(*get_args(kind)) for place, kind in _KINDS if get_origin(kind) is Literal
}
"""By op and path, where there is one of a few words, these."""

_MAPS: Final = {place: get_args(kind)[1] for place, kind in _KINDS if get_origin(kind) is dict}
"""By op and path, where there is a map, the type of its values."""


def _named(body: bytes, path: str) -> str:
    """A path into a map, with the key of the first value there that is refused."""
    before, some, after = path.partition(_SOME)
    if not some:
        return path
    values = _MAPS.get((_op(_fields.decode(body)) or "", _INDEX.sub("", before)))
    found = Raw(body)
    with suppress(KeyError, IndexError, *_UNDECODABLE):  # of a field that is there twice
        for index, name in _STEP.findall(before):
            found = _rows.decode(found)[int(index)] if index else _fields.decode(found)[name]
        for key, value in _fields.decode(found).items():
            try:
                msgspec.msgpack.decode(value, type=values)
            except msgspec.ValidationError:
                return f"{before}.{key[:_QUOTED_MAX]}{after}"
    return path


def _explain(body: bytes, error: str) -> RequestError:
    """msgspec's ``Expected `str`, got `int` - at `$.messages[3].to``` in the words of the API."""
    if len(error) > 2 * _ERROR_END:
        error = error[:_ERROR_END] + error[-_ERROR_END:]
    match = _WHERE.fullmatch(error)
    what, in_key, path = match.groups() if match else (error, None, None)
    path = path or ""
    if path == "op" and (op := _op(_fields.decode(body))) is not None:
        there_are = ", ".join(sorted(OPS))
        return RequestError(
            "unknown_op", f"op: there is no {op[:_QUOTED_MAX]!r}; there are {there_are}"
        )
    if chosen := _CHOICE.fullmatch(what):
        words = _CHOICES[_op(_fields.decode(body)) or "", _INDEX.sub("", path)]
        what = f"{chosen[1][:_QUOTED_MAX]} is not {words}"
    elif named := _FIELD.fullmatch(what):
        name = named[2][:_QUOTED_MAX]
        path, what = (f"{path}.{name}" if path else name), _SAID[named[1]]
    else:
        what = _WORD.sub(lambda word: _WORDS[word[0]], what.replace("`", ""))[:_QUOTED_MAX]
        if what.endswith(_TOO_LATE):
            what = "expected Unix seconds, and this looks like milliseconds"
    if in_key:
        what = f"a key of the map: {what}"
    path = _named(body, path)
    return RequestError("bad_request", f"{path}: {what}" if path else what)


def _where(body: bytes) -> str:
    """The path of the first message with a string that is not UTF-8, if it is in a message."""
    with suppress(KeyError, *_UNDECODABLE):
        for index, message in enumerate(_rows.decode(_fields.decode(body)["messages"])):
            try:
                _anything.decode(message)
            except UnicodeDecodeError:
                return f"messages[{index}]: "
    return ""


# --- replies ---


def encode(reply: Reply, buffer: bytearray) -> None:
    """Append a reply to ``buffer`` as a frame."""
    start = len(buffer)
    _encoder.encode_into(reply, buffer, start + HEADER_SIZE)
    put_length(buffer, start)


def events_prefix(consumer: str, epoch: str) -> bytes:
    """How the body of each of a consumer's event frames begins: all up to the array of events."""
    head = b"\x83\xa8consumer", _encoder.encode(consumer), b"\xa5epoch", _encoder.encode(epoch)
    return b"".join((*head, b"\xa6events"))


def encode_events(prefix: bytes, count: int, body: bytes, buffer: bytearray) -> None:
    """Append a frame of ``count`` events to ``buffer``; ``body`` is their maps, one after the
    other."""
    start = len(buffer)
    buffer += bytes(HEADER_SIZE) + prefix + _array_header(count)
    buffer += body
    put_length(buffer, start)


def _array_header(count: int) -> bytes:
    if count < 16:
        return bytes((0x90 | count,))
    return b"\xdc" + count.to_bytes(2) if count < 1 << 16 else b"\xdd" + count.to_bytes(4)

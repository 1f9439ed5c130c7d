"""How a load test reaches the gateway: as whom, and over connections that only put frames down and
pick frames up; the conversation is `driver`'s."""

from typing import Any, Final, NamedTuple

import msgspec
import trio

from benchmarks.target.tally import Event, Result
from gateway.api.address import UnixAddress
from gateway.api.dialogue import MAX_REPLY
from gateway.api.frames import FrameReader, frame
from gateway.api.link import Link, Target
from gateway.api.outbox import Outbox
from gateway.api.wire import Fields
from gateway.errors import RemoteProtocolError

NAME: Final = "load-test"
"""What the gateway's log calls us."""


class Party(NamedTuple):
    """A tenant: how to reach the gateway as it, how often it submits beside the others, and its
    name."""

    target: Target
    weight: float
    name: str = ""


class Reply(msgspec.Struct):
    """A reply or a frame of events, as far as it matters here."""

    id: int | str = 0
    ok: bool = True
    error: dict[str, Any] = {}
    results: list[Result] = []
    events: list[Event] = []


_decode = msgspec.msgpack.Decoder(Reply).decode


class Connection:
    """A connection past its hello."""

    def __init__(self, link: Link) -> None:
        self.stream = link.stream
        self.outbox = Outbox()
        self._reader = FrameReader(MAX_REPLY)

    def ask(self, fields: Fields) -> None:
        """Make a request whose reply nobody needs but for its refusal."""
        self.put(frame(msgspec.msgpack.encode({"id": "", **fields})))

    def put(self, data: bytes) -> None:
        """Have a frame written."""
        self.outbox.buffer += data
        self.outbox.wake()

    async def receive(self) -> list[Reply]:
        """The next replies. Raises ConnectionError at the end."""
        found: list[Reply] = []
        try:
            while not found:
                data = await self.stream.receive_some()
                if not data:
                    raise ConnectionError("the gateway closed the connection")
                self._reader.receive(data)
                while (body := self._reader.next_frame()) is not None:
                    found.append(_decode(body))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionError("the connection to the gateway was lost") from error
        except (RemoteProtocolError, msgspec.MsgspecError) as error:
            raise ConnectionError(f"the gateway sent what is no reply: {error}") from error
        return found


def address_of(target: Target) -> str:
    """The address as it is written."""
    address = target.address
    if isinstance(address, UnixAddress):
        return f"unix://{address.path}"
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"tcp://{host}:{address.port}"

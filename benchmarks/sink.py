"""Takes Kannel's receipt callbacks: answers every HTTP request on its port with 204 and, asked for
``/count``, with how many there were. As little work as can be, so that it is not what limits."""

import sys
from functools import partial
from typing import Final

import trio

_DONE: Final = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
_END: Final = b"\r\n\r\n"
READ: Final = 1 << 16


class Sink:
    """The count of callbacks."""

    def __init__(self) -> None:
        self.callbacks = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        """Answer the requests of one connection; none has a body."""
        waiting = b""
        try:
            while data := await stream.receive_some(READ):
                *requests, waiting = (waiting + data).split(_END)
                answers = [self._answer(request) for request in requests]
                await stream.send_all(b"".join(answers))
        except trio.BrokenResourceError:
            pass
        finally:
            await trio.aclose_forcefully(stream)

    def _answer(self, request: bytes) -> bytes:
        if not request.startswith(b"GET /count"):
            self.callbacks += 1
            return _DONE
        told = str(self.callbacks).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told)


if __name__ == "__main__":
    trio.run(partial(trio.serve_tcp, Sink().serve, int(sys.argv[1]), host="127.0.0.1"))

"""Where the API listens: ``tcp://host:port``, ``tcp://[v6]:port`` or ``unix:///path``.

Used by the server and by the clients, so it needs the standard library only.
"""

from typing import NamedTuple
from urllib.parse import unquote, urlsplit


class TcpAddress(NamedTuple):
    host: str
    port: int


class UnixAddress(NamedTuple):
    path: str


Address = TcpAddress | UnixAddress


def parse_address(text: str) -> Address:
    """The address that ``text`` stands for. Raises ValueError, saying what is expected."""
    try:
        url = urlsplit(text)
        if url.scheme == "tcp" and url.hostname and url.port is not None and not url.path:
            return TcpAddress(url.hostname, url.port)
        if url.scheme == "unix" and not url.netloc and len(url.path) > 1:
            return UnixAddress(unquote(url.path))
    except ValueError:
        pass
    raise ValueError(f"{text!r} is neither tcp://host:port nor unix:///path")

"""How the API is to be served: certificates, limits and timeouts."""

from msgspec import Struct

from gateway.api.frames import MAX_FRAME


class TlsOptions(Struct, frozen=True):
    """Files in PEM form: the certificate with its chain, its key, and the authorities whose client
    certificates are accepted. With ``client_ca`` a client without such a certificate is refused."""

    cert: str
    key: str
    client_ca: str | None = None


class ServerOptions(Struct, frozen=True):
    """Limits and timeouts of the API server; each is there so that one client cannot use up what
    the others need. Sizes are bytes, times seconds.

    Attributes:
        max_frame: the body of a frame.
        max_batch: messages, ids and keys, or numbers in one request. Others have turns while a
            batch is worked on, but for some 3 µs a message.
        max_in_flight: requests of one connection whose answer the socket was not offered yet.
            Further ones stay in the socket. A client that never has more than so many unanswered
            may write without reading and never blocks.
        max_tenant_bytes: frames of one tenant that are being read or are not answered yet, over
            all its connections, by the length that they announce: three of the largest, and a
            quarter kept for small ones, so that a one-time password never waits for campaigns.
            Further ones stay in the sockets, and are read in the order in which they came.
        max_connections: connections at a time.
        max_tenant_connections: of these, one tenant's.
        max_subscriptions: consumers on one connection.
        hello_timeout: from connecting to a complete ``hello``, the TLS handshake included.
        idle_timeout: without a complete frame from the client or bytes taken by it.
        stall_timeout: for a client to send more of a large frame that it has begun, where others
            of its tenant wait for the room that this takes.
        send_timeout: for a client to take the next piece of what waits for it, or to send a sign
            of life.
        refusal_delay: before a wrong token is answered, so that guessing is slow.
    """

    max_frame: int = MAX_FRAME
    max_batch: int = 10_000
    max_in_flight: int = 64
    max_tenant_bytes: int = 32 * 1024 * 1024
    max_connections: int = 1024
    max_tenant_connections: int = 256
    max_subscriptions: int = 16
    hello_timeout: float = 10.0
    idle_timeout: float = 300.0
    stall_timeout: float = 10.0
    send_timeout: float = 60.0
    refusal_delay: float = 1.0

import pytest

from gateway.api.address import Address, TcpAddress, UnixAddress, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp://127.0.0.1:7600", TcpAddress("127.0.0.1", 7600)),
        ("tcp://gateway.example:1", TcpAddress("gateway.example", 1)),
        ("tcp://[::1]:7600", TcpAddress("::1", 7600)),
        ("unix:///run/gateway.sock", UnixAddress("/run/gateway.sock")),
        ("unix:///run/my%20gateway.sock", UnixAddress("/run/my gateway.sock")),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "127.0.0.1:7600", "tcp://127.0.0.1", "tcp://:7600", "tcp://h:99999", "tcp://h:1/x",
     "http://h:1", "unix://run/x", "unix:///", "tcp://[::1:1"],
)  # fmt: skip
def test_what_is_no_address_is_refused_saying_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match="tcp://host:port nor unix:///path"):
        parse_address(text)

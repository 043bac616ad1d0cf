import pytest

from hops.featurestore.address import Address, is_private, parse_address
from hops.featurestore.errors import InvalidInputError


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("gateway.example.com", 443, Address("https", "gateway.example.com", 443)),
        (" gateway.example.com ", 443, Address("https", "gateway.example.com", 443)),
        ("gateway:8443", 443, Address("https", "gateway", 8443)),
        ("gateway:8443", 8443, Address("https", "gateway", 8443)),
        ("gateway", 8443, Address("https", "gateway", 8443)),
        ("https://gateway/", 443, Address("https", "gateway", 443)),
        ("http://127.0.0.1:8080", 443, Address("http", "127.0.0.1", 8080)),
        ("http://127.8.9.1", 443, Address("http", "127.8.9.1", 80)),
        ("http://localhost", 8080, Address("http", "localhost", 8080)),
        ("http://[::1]:8080", 443, Address("http", "::1", 8080)),
        ("::1", 443, Address("https", "::1", 443)),
        ("[2001:db8::1]:8443", 443, Address("https", "2001:db8::1", 8443)),
    ],
)
def test_addresses(host, port, address):
    assert parse_address(host, port) == address


@pytest.mark.parametrize(
    "host", ["http://gateway.example.com", "http://10.0.0.1", "http://localhost.example.com", "http://127.0.0.1.nip.io"]
)
def test_plain_http_leaves_this_machine_under_no_circumstances(host):
    with pytest.raises(InvalidInputError, match="unencrypted"):
        parse_address(host)


@pytest.mark.parametrize(
    "host", ["", "https://", "ftp://gateway", "https://gateway/path", "https://ada@gateway", "https://gateway?x=1"]
)
def test_no_address(host):
    with pytest.raises(InvalidInputError, match="no gateway address"):
        parse_address(host)


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("10.1.2.3", True),
        ("8.8.8.8", False),
        ("a.invalid", False),
    ],
)
def test_private_networks(host, private):
    assert is_private(host) is private


def test_two_ports():
    with pytest.raises(InvalidInputError, match="8443"):
        parse_address("gateway:8443", 9443)


def test_impossible_port():
    with pytest.raises(InvalidInputError, match="no valid port"):
        parse_address("gateway:70000")


def test_an_address_prints_as_a_url():
    assert str(parse_address("::1", 8443)) == "https://[::1]:8443"

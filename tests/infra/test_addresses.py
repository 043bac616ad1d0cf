"""Which addresses the gateway connects to: judged after resolving, whatever the spelling."""

import socket
from ipaddress import ip_address, ip_network

import pytest

from infra.ports.sources import SourceAddressRefusedError, SourceUnreachableError
from infra.sources import addresses
from infra.sources.addresses import AddressGuard, unwrapped

PUBLIC = ["8.8.8.8", "2606:4700:4700::1111"]
REFUSED = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "198.18.0.1"),
    *("169.254.1.1", "224.0.0.1", "239.1.1.1", "255.255.255.255", "192.0.0.8", "192.0.2.1", "240.0.0.1"),
    *("::1", "::", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1", "2001::1", "::127.0.0.1", "::ffff:127.0.0.1"),
    *(
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::",
    ),
]
METADATA = [
    *("169.254.169.254", "169.254.170.2", "169.254.170.23", "168.63.129.16", "100.100.100.200"),
    *("fd00:ec2::254", "fd20:ce::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"),
]
# What a resolver, not a parser of addresses, takes for 127.0.0.1.
SPELLINGS = ["127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "localhost", "LOCALHOST"]
EVERYTHING = tuple(ip_network(text) for text in ("0.0.0.0/0", "::/0"))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    AddressGuard().require_allowed(address)
    assert AddressGuard().addresses(address, 5432) == [address]


@pytest.mark.parametrize("address", REFUSED + METADATA)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(SourceAddressRefusedError, match="does not connect"):
        AddressGuard().require_allowed(address)
    with pytest.raises(SourceUnreachableError):
        AddressGuard().addresses(address, 5432)


@pytest.mark.parametrize("address", METADATA)
def test_metadata_is_refused_even_where_the_operator_allows_everything(address: str) -> None:
    with pytest.raises(SourceAddressRefusedError):
        AddressGuard(EVERYTHING).require_allowed(address)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings_are_judged_by_what_they_resolve_to(spelling: str) -> None:
    assert ip_address("127.0.0.1") in addresses.resolve(spelling, 5432), "else this proves nothing"
    AddressGuard().require_allowed(spelling)  # a name so far
    with pytest.raises(SourceUnreachableError):
        AddressGuard().addresses(spelling, 5432)


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1,8.8.8.8",
        "/var/run/postgresql",
        "8.8.8.8 ",
        "8.8.8.8@10.0.0.1",
        "nosuchhost.invalid",
        "①②⑦.0.0.1",
        "\ud800",
        "x" * 300,
    ],
)
def test_what_is_no_host_gives_no_address(text: str) -> None:
    with pytest.raises(SourceUnreachableError):
        AddressGuard().addresses(text, 5432)


def test_the_operators_networks_are_allowed() -> None:
    guard = AddressGuard((ip_network("127.0.0.0/8"), ip_network("fc00::/7")))
    assert guard.addresses("127.0.0.1", 1) == ["127.0.0.1"]
    assert guard.addresses("0x7f.1", 1) == ["127.0.0.1"]
    assert guard.addresses("::ffff:127.0.0.1", 1) == ["::ffff:7f00:1"]
    assert guard.addresses("fc00::1", 1) == ["fc00::1"]
    with pytest.raises(SourceUnreachableError):
        guard.addresses("10.0.0.1", 1)


def _answers(*texts: str) -> list[object]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, 0)) for text in texts]


def test_one_private_answer_spoils_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver is the one thing here that is not real: nobody's name server answers in a test."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: _answers("8.8.8.8", "10.0.0.1"))
    with pytest.raises(SourceUnreachableError):
        AddressGuard().addresses("rebound.example.com", 5432)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: _answers("8.8.8.8", "8.8.8.8", "8.8.4.4"))
    assert AddressGuard().addresses("fine.example.com", 5432) == ["8.8.8.8", "8.8.4.4"]


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    release = __import__("threading").Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(30) and [])
    monkeypatch.setattr(addresses, "RESOLVE_SECONDS", 0.05)
    with pytest.raises(SourceUnreachableError):
        AddressGuard().addresses("slow.example.com", 5432)
    release.set()


def test_the_gateway_and_its_database_are_refused() -> None:
    loopback = (ip_network("127.0.0.0/8"),)
    guard = AddressGuard(loopback, (("0.0.0.0", 8181), ("127.0.0.2", 5432)))
    for host, port in (("127.0.0.1", 8181), ("127.9.9.9", 8181), ("127.0.0.2", 5432)):
        with pytest.raises(SourceUnreachableError):
            guard.addresses(host, port)
    assert guard.addresses("127.0.0.1", 5432) == ["127.0.0.1"]
    wide = AddressGuard(EVERYTHING, (("0.0.0.0", 8181),))
    assert wide.addresses("192.0.2.1", 8181) == ["192.0.2.1"], "not of this machine"


def test_every_refusal_reads_the_same() -> None:
    """What differs would tell which internal names and ports there are."""
    texts = set()
    for host in ("127.0.0.1", "nosuchhost.invalid", "169.254.169.254"):
        with pytest.raises(SourceUnreachableError) as refusal:
            AddressGuard().addresses(host, 5432)
        texts.add(f"{refusal.value.detail} {refusal.value.hint}".replace(host, "HOST"))
    assert len(texts) == 1


def test_addresses_inside_addresses() -> None:
    assert unwrapped(ip_address("8.8.8.8")) == (ip_address("8.8.8.8"),)
    assert unwrapped(ip_address("::ffff:10.0.0.1")) == (ip_address("10.0.0.1"),)
    assert ip_address("10.0.0.1") in unwrapped(ip_address("64:ff9b::a00:1"))
    assert ip_address("10.0.0.1") in unwrapped(ip_address("2002:a00:1::"))

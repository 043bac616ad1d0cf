"""Where the gateway is: what a person passes as host, taken apart and checked."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from hops.featurestore.errors import InvalidInputError

HTTPS_PORT = 443


@dataclass(frozen=True)
class Address:
    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_address(host: str, port: int = HTTPS_PORT) -> Address:
    """`gateway.example.com`, `gateway:8443`, `https://gateway`, `http://127.0.0.1:8080`, `::1`, `[::1]:8443`.

    A port inside `host` counts if `port` was left at 443; two different ones are refused, as is plain HTTP to
    anything but this machine.
    """
    parts = _split(host)
    name = parts.hostname
    if not name or parts.scheme not in {"http", "https"} or _has_more_than_host(parts):
        raise InvalidInputError(
            f"{host!r} is no gateway address.", hint="Give a host name, or https://host, with a port if it is not 443."
        )
    if parts.scheme == "http" and not is_loopback(name):
        raise InvalidInputError(
            f"{host!r} would send the API key unencrypted.",
            hint="Use https://; plain http is accepted for this machine only (127.0.0.1, ::1, localhost).",
        )
    return Address(parts.scheme, name, _port(parts, port))


def is_loopback(host: str) -> bool:
    return ip_address(host).is_loopback if is_ip_address(host) else host.lower() == "localhost"


def is_ip_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_private(host: str) -> bool:
    """Whether every address that the name stands for is of this machine or of a private network."""
    try:
        found = {str(each[4][0]).partition("%")[0] for each in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return all(ip_address(each).is_private for each in found)


def _split(host: str) -> SplitResult:
    text = host.strip()
    if text.count(":") > 1 and "://" not in text and not text.startswith("["):
        text = f"[{text}]"  # a bare IPv6 address
    return urlsplit(text if "://" in text else f"https://{text}")


def _has_more_than_host(parts: SplitResult) -> bool:
    return bool(parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password)


def _port(parts: SplitResult, argument: int) -> int:
    try:
        written = parts.port
    except ValueError as error:
        raise InvalidInputError(f"{parts.netloc!r} has no valid port: {error}.") from error
    if written is None:
        return 80 if parts.scheme == "http" and argument == HTTPS_PORT else argument
    if argument not in {HTTPS_PORT, written}:
        raise InvalidInputError(f"The host says port {written} and port={argument} says another; give one of them.")
    return written

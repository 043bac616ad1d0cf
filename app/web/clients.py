"""Where a request comes from, as far as that can be known."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, cast

from flask import current_app, request

from app.settings import ServerSettings

EXTENSION: Final = "oasthouse.clients"
_OF_ONE_HOLDER: Final = 64  # bits of an IPv6 address that are one customer's to fill as they like

Address = IPv4Address | IPv6Address


def current_client() -> str | None:
    """The address that the request at hand is counted under."""
    clients = cast("Clients", current_app.extensions[EXTENSION])
    return clients.find(request.remote_addr, request.headers.get("X-Forwarded-For"))


class Clients:
    """Of `X-Forwarded-For` one entry is believed, of trusted proxies alone: the last, which they wrote themselves."""

    def __init__(self, server: ServerSettings) -> None:
        self._proxies = server.proxies
        self._is_hidden = server.behind_tls_proxy and not server.proxies

    def find(self, peer: str | None, forwarded: str | None) -> str | None:
        """None where clients cannot be told apart: behind a proxy that nobody named, all would be one."""
        address = _address(peer or "")
        if address is None or self._is_hidden:
            return None
        if any(address in network for network in self._proxies):
            address = _address((forwarded or "").rpartition(",")[2])
        elif address.is_loopback and forwarded is not None:
            return None
        return None if address is None else _holder(address)


@lru_cache(maxsize=4096)
def _address(text: str) -> Address | None:
    """With or without a port, as load balancers write it."""
    text = text.strip()
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _holder(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((address, _OF_ONE_HOLDER), strict=False))


def are_told_apart(server: ServerSettings) -> bool:
    """Whether limits by address hold at all."""
    return bool(not server.behind_tls_proxy or server.proxies)

"""Which addresses the gateway connects to on a user's word.

Names are resolved here, once, and what was checked is what is connected to: a name that answers differently a moment later
changes nothing. Addresses are judged, never spellings: `0x7f.1` and `127.1` are 127.0.0.1 to a resolver.
"""

import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

import structlog

from infra.ports.sources import SourceAddressRefusedError, SourceUnreachableError

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

RESOLVE_SECONDS: Final = 2.0
MOST_ADDRESSES: Final = 4
# IPv6 networks whose addresses end in an IPv4 address: the translators' two, and the form that preceded mapped addresses.
_TRANSLATED: Final = tuple(ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96"))
# Doors to somebody's credentials, some of them global by the registry's word, and what is nobody's at all: not opened even
# by the operator's list.
_NEVER: Final = tuple(
    ip_network(text)
    for text in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "168.63.129.16",
        "100.100.100.200",
        "192.88.99.0/24",
        "192.0.0.0/24",
        "3fff::/20",
        "fd00:ec2::/32",
        "fd20:ce::254",
    )
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class AddressGuard:
    """`allowed` are the operator's networks beyond the public ones; `own` the gateway's listeners and database."""

    allowed: tuple[Network, ...] = ()
    own: tuple[tuple[str, int], ...] = ()

    def require_allowed(self, host: str) -> None:
        """Refuse a literal address early; names are judged when they are resolved. Raises SourceAddressRefusedError."""
        address = _literal(host)
        if address is not None and not self._allows(address):
            raise SourceAddressRefusedError(
                f"The gateway does not connect to {host}.",
                hint="Public addresses are allowed; of others, those that the operator lists in "
                "OAST_CONNECTORS__ALLOWED_NETWORKS.",
            )

    def addresses(self, host: str, port: int) -> list[str]:
        """What `host` resolves to, for connecting to these and nothing else; raises SourceUnreachableError.

        One address that is not allowed spoils them all: who answers both a public and a private one wants something.
        """
        found = resolve(host, port)
        if not found:
            raise unreachable(host, port)
        refused = [address for address in found if not self._allows(address) or self._is_own(address, port)]
        if refused:
            _log.warning("source address refused", host=host, port=port, addresses=[str(one) for one in refused])
            raise unreachable(host, port)
        return [str(address) for address in found[:MOST_ADDRESSES]]

    def _allows(self, address: Address) -> bool:
        forms = unwrapped(address)
        if any(_within(form, _NEVER) for form in forms):
            return False
        return all(_within(form, self.allowed) or _is_public(form) for form in forms)

    def _is_own(self, address: Address, port: int) -> bool:
        for own_host, own_port in self.own:
            if own_port != port:
                continue
            own = resolve(own_host, own_port)
            if any(one.is_unspecified for one in own) and _is_of_this_machine(address):
                return True
            if set(unwrapped(address)) & set(own):
                return True
        return False


def unreachable(host: str, port: int) -> SourceUnreachableError:
    """The same words for a name without address, a refused address, a closed port and silence."""
    return SourceUnreachableError(
        f"The gateway gets no connection to {host} port {port}.",
        hint="Check host and port. The gateway connects to public addresses, and to networks that its operator lists in "
        "OAST_CONNECTORS__ALLOWED_NETWORKS.",
    )


def unwrapped(address: Address) -> tuple[Address, ...]:
    """The address and every IPv4 address inside it, by which a translator on the way would reach that."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    inner = [address.sixtofour] if address.sixtofour is not None else []
    if _within(address, _TRANSLATED):
        inner.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return (address, *inner)


def resolve(host: str, port: int) -> list[Address]:
    """Every address of `host`, each once; empty where there is none or the resolver takes too long."""
    found: list[Address] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found.extend(ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers)

    # getaddrinfo has no time-out of its own.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(RESOLVE_SECONDS)
    return [] if thread.is_alive() else list(dict.fromkeys(found))


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_of_this_machine(address: Address) -> bool:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
        return True

"""Who the client is when proxies stand in front: the address that a trusted proxy vouches for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

from starlette.types import Scope

Network: TypeAlias = IPv4Network | IPv6Network
_Address: TypeAlias = IPv4Address | IPv6Address

_MAPPED_BITS = 96  # before an IPv4 address that is mapped into IPv6 (RFC 4291, section 2.5.5.2)
_MAX_HOP = 64  # characters; what is longer is no address, and not to be remembered


class ClientAddress:
    """Reads ``X-Forwarded-For`` from the right, as far as each hop is a trusted proxy.

    What stands further left was written by strangers and is never believed.
    """

    def __init__(self, trusted_proxies: Iterable[Network]) -> None:
        self._networks = tuple(_network(one) for one in trusted_proxies)
        self._is_trusted = lru_cache(maxsize=1024)(self._in_networks)

    def of(self, scope: Scope) -> str:
        """The client's address, of an IPv4 client in IPv4's own notation; empty where the transport has none."""
        peer = scope["client"][0] if scope.get("client") else ""
        if ":" in peer:  # at a socket for both families an IPv4 peer comes mapped, too
            peer = _plain(peer) or peer
        if not self._networks or not self._is_trusted(peer):
            return peer
        written = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        for hop in reversed(written.decode("latin-1").split(",")):
            address = _plain(_bare(hop))
            if not address:
                return peer  # what follows cannot be judged
            if not self._is_trusted(address):
                return address
            peer = address
        return peer

    def _in_networks(self, peer: str) -> bool:
        address = _plain(peer)
        return bool(address) and any(ip_address(address) in network for network in self._networks)


def _bare(hop: str) -> str:
    """The address of a hop, without the port that some proxies write."""
    hop = hop.strip()[:_MAX_HOP]
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


@lru_cache(maxsize=4096)  # a client comes with many requests
def _plain(text: str) -> str:
    """The address that ``text`` writes, an IPv4 address as such also where it is mapped into IPv6; empty for anything else."""
    try:
        found = ip_address(text)
    except ValueError:
        return ""
    return str(_unmapped(found) or found)


def _network(network: Network) -> Network:
    """A trusted network, of IPv4 proxies as such also where it is written in mapped addresses."""
    first = _unmapped(network.network_address)
    beyond = network.prefixlen - _MAPPED_BITS
    return network if first is None or beyond < 0 else IPv4Network((first, beyond))


def _unmapped(address: _Address) -> IPv4Address | None:
    return address.ipv4_mapped if isinstance(address, IPv6Address) else None

"""Who the client is when proxies stand in front: the address that a trusted proxy vouches for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TypeAlias

from starlette.types import Scope

Network: TypeAlias = IPv4Network | IPv6Network


class ClientAddress:
    """Reads ``X-Forwarded-For`` from the right, as far as each hop is a trusted proxy.

    What stands further left was written by strangers and is never believed.
    """

    def __init__(self, trusted_proxies: Iterable[Network]) -> None:
        self._networks = tuple(trusted_proxies)
        self._is_trusted = lru_cache(maxsize=1024)(self._in_networks)

    def of(self, scope: Scope) -> str:
        """The client's address; empty where the transport has none."""
        peer = scope["client"][0] if scope.get("client") else ""
        if not self._networks or not self._is_trusted(peer):
            return peer
        written = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        for hop in reversed(written.decode("latin-1").split(",")):
            address = _bare(hop)
            if not _is_address(address):
                return peer  # what follows cannot be judged
            if not self._is_trusted(address):
                return address
            peer = address
        return peer

    def _in_networks(self, address: str) -> bool:
        return _is_address(address) and any(ip_address(address) in network for network in self._networks)


def _bare(hop: str) -> str:
    """The address of a hop, without the port that some proxies write."""
    hop = hop.strip()
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True

"""Addresses: what counts as one client on the network."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

_SITE = 64  # bits of an IPv6 address that a provider gives to one customer; the rest a client picks at will


def site_of(address: str) -> str:
    """The IPv4 address, or the /64 network of an IPv6 address; empty for what is no address."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is None:
            return str(ip_network((found.packed, _SITE), strict=False))
        found = found.ipv4_mapped
    return str(found)

from __future__ import annotations

from ipaddress import ip_network

import pytest

from libs.app.client_address import ClientAddress

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]


def seen(peer: str, *forwarded: str, trusted: bool = True) -> str:
    scope = {
        "client": (peer, 1),
        "headers": [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded],
    }
    return ClientAddress(TRUSTED if trusted else ()).of(scope)


def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert seen("10.0.0.1", "203.0.113.9", trusted=False) == "10.0.0.1"


def test_a_stranger_is_not_believed() -> None:
    assert seen("198.51.100.1", "203.0.113.9") == "198.51.100.1"


def test_a_trusted_proxy_names_the_client() -> None:
    assert seen("10.0.0.1", "203.0.113.9") == "203.0.113.9"


def test_what_the_client_wrote_itself_is_skipped() -> None:
    assert seen("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2") == "203.0.113.9"


def test_several_headers_are_one_list() -> None:
    assert seen("10.0.0.1", "203.0.113.9", "10.0.0.2") == "203.0.113.9"


def test_a_hop_that_is_no_address_ends_the_search() -> None:
    assert seen("10.0.0.1", "203.0.113.9, unknown, 10.0.0.2") == "10.0.0.2"


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db9::7]:443", "2001:db9::7"),
        ("2001:db9::7", "2001:db9::7"),
    ],
)
def test_ports_are_no_part_of_an_address(written: str, address: str) -> None:
    assert seen("10.0.0.1", written) == address


def test_a_proxy_over_ipv6_is_trusted_by_its_network() -> None:
    assert seen("2001:db8::1", "203.0.113.9") == "203.0.113.9"


@pytest.mark.parametrize("peer", ["::ffff:10.0.0.1", "::ffff:a00:1"])
def test_an_ipv4_proxy_is_trusted_at_a_socket_for_both_families(peer: str) -> None:
    """There the system writes its address mapped into IPv6."""
    assert seen(peer, "203.0.113.9") == "203.0.113.9"
    assert seen("::ffff:198.51.100.1", "203.0.113.9") == "198.51.100.1"


@pytest.mark.parametrize("hop", ["::ffff:10.0.0.2", "::FFFF:A00:2", "[::ffff:10.0.0.2]:80"])
def test_it_is_trusted_as_another_proxy_writes_it_too(hop: str) -> None:
    assert seen("10.0.0.1", f"203.0.113.9, {hop}") == "203.0.113.9"


@pytest.mark.parametrize("trusted", [True, False])
def test_a_client_has_one_address_whichever_socket_it_comes_by(trusted: bool) -> None:
    assert seen("::ffff:198.51.100.1", trusted=trusted) == "198.51.100.1"
    assert seen("2001:db9::7", trusted=trusted) == "2001:db9::7"


def test_a_mapped_hop_is_given_as_the_ipv4_client_that_it_is() -> None:
    assert seen("10.0.0.1", "::ffff:203.0.113.9") == "203.0.113.9"


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1"])
def test_a_network_written_in_mapped_addresses_is_one_of_ipv4(peer: str) -> None:
    address = ClientAddress([ip_network("::ffff:10.0.0.0/104")])
    assert (
        address.of({"client": (peer, 1), "headers": [(b"x-forwarded-for", b"203.0.113.9")]}) == "203.0.113.9"
    )


@pytest.mark.parametrize("peer", ["::ffff:192.0.2.1", "::a00:1", "64:ff9b::a00:1"])
def test_nobody_else_becomes_trusted_by_it(peer: str) -> None:
    assert seen(peer, "203.0.113.9") != "203.0.113.9"


def test_without_a_header_the_proxy_is_the_client() -> None:
    assert seen("10.0.0.1") == "10.0.0.1"


def test_a_transport_without_an_address_has_none() -> None:
    assert not ClientAddress(TRUSTED).of({"client": None, "headers": []})

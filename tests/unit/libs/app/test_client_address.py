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


def test_without_a_header_the_proxy_is_the_client() -> None:
    assert seen("10.0.0.1") == "10.0.0.1"


def test_a_transport_without_an_address_has_none() -> None:
    assert not ClientAddress(TRUSTED).of({"client": None, "headers": []})

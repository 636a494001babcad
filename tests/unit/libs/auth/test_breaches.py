from __future__ import annotations

import hashlib

import pytest
from pydantic import ValidationError

from libs.auth.breaches import Breaches, BreachSettings, speaks_of


@pytest.mark.parametrize(
    ("line", "known"),
    [
        (b"00AA:3", True),
        (b"00aa:3\r", True),
        (b"00AA:0", False),
        (b"00AB:3", False),
        (b"00AA", False),
        (b"00AA:many", False),
        (b"", False),
        (b"\xff:1", False),
    ],
)
def test_a_line_counts_when_it_is_the_rest_and_not_padding(line: bytes, known: bool) -> None:
    assert speaks_of(line, b"00AA") == known


async def test_without_an_address_nobody_is_asked() -> None:
    assert not await Breaches.off().know("password")


@pytest.mark.parametrize(
    "url", ["pwned", "ftp://host/range/", "https:///range", "http://[", "http://host:0/"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        BreachSettings(url=url)


def test_the_address_ends_where_the_prefix_begins() -> None:
    assert BreachSettings(url="https://host/range").url == "https://host/range/"


def test_the_digest_is_that_of_the_range_api() -> None:
    """The example of the API's documentation."""
    digest = hashlib.sha1(b"P@ssw0rd", usedforsecurity=False).hexdigest().upper()
    assert (digest[:5], digest[5:]) == ("21BD1", "2DC183F740EE76F27B78EB39C8AD972A757")

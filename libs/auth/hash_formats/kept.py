"""A kept hash: what a password can be held against."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Protocol

_DERIVED = 16  # bytes


class HashRefused(Exception):
    """This hash cannot be used; the message says why, and never repeats it."""


class KeptHash(Protocol):
    """The hash of one password, read from its text."""

    def check(self) -> None:
        """Raise `HashRefused` where one verification would take more memory or time than is ever given to it."""

    def matches(self, password: bytes) -> bool:
        """Whether this is the hash of ``password``; fills a core without holding the GIL."""


def at_most(value: int, limit: int, name: str) -> None:
    """Raise `HashRefused` where a parameter is beyond its limit."""
    if value > limit:
        raise HashRefused(f"{name} is {value:,}, more than {limit:,}")


def derived_bytes(text: str) -> bytes:
    """What a password was made of, from base64; raises `HashRefused` where so little is left that others fit as well."""
    derived = decoded(text)
    if len(derived) < _DERIVED:
        raise HashRefused(f"it is damaged: its last part has less than {_DERIVED} bytes")
    return derived


def decoded(text: str) -> bytes:
    """What stands in base64, padded or not, also in passlib's alphabet; raises `HashRefused`."""
    text = text.replace(".", "+").rstrip("=")
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise HashRefused("it is damaged: its base64 cannot be read") from None

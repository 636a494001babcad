"""Sealing: AES-256-GCM (NIST SP 800-38D) over what must not lie readable in the database."""

from __future__ import annotations

import binascii
import hmac
import secrets
from base64 import b64decode
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12


class SealBroken(Exception):
    """What was sealed cannot be opened: another key, other associated data, or damage."""


class Sealer:
    """Seals with the first of its keys, and opens what any of them sealed."""

    def __init__(self, *keys: bytes) -> None:
        self._keys = tuple(AESGCM(key) for key in keys)

    @classmethod
    def from_text(cls, keys: str) -> Self:
        """From keys of 32 bytes in base64, newest first, separated by commas; raises ValueError."""
        return cls(*keys_from_text(keys))

    def seal(self, data: bytes, *, bound_to: bytes) -> bytes:
        """``data`` for whoever has the key and knows what it is bound to (the associated data)."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._keys[0].encrypt(nonce, data, bound_to)

    def open(self, sealed: bytes, *, bound_to: bytes) -> bytes:
        """What was sealed; raises `SealBroken`."""
        for key in self._keys:
            try:
                return key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
            except (InvalidTag, ValueError):
                continue
        raise SealBroken


def derived_key(secret: bytes, purpose: bytes) -> bytes:
    """A key of 32 bytes for one purpose, from a secret of full entropy (HMAC-SHA-256 as in NIST SP 800-108)."""
    return hmac.digest(secret, purpose, "sha256")


def keys_from_text(keys: str) -> list[bytes]:
    """Keys of 32 bytes in base64, newest first, separated by commas; raises ValueError for others, and for none."""
    return [_key(one) for one in keys.replace(",", " ").split() or [""]]


def _key(text: str) -> bytes:
    try:
        key = b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"each key must be {KEY_BYTES} bytes in base64")
    return key

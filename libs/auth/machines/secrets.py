"""Secrets of programs: 256 random bits, shown once and kept as SHA-256, which is enough for so many."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self
from uuid import UUID

from libs.domain.auth import API_KEY_PREFIX

_BYTES = 32


def new_secret() -> str:
    """256 random bits in base64url."""
    return secrets.token_urlsafe(_BYTES)


def digest(secret: str) -> bytes:
    """What is stored of a secret."""
    return sha256(secret.encode()).digest()


def matches(secret: str, kept: bytes) -> bool:
    """Whether this is the secret, in a time that does not tell."""
    return hmac.compare_digest(digest(secret), kept)


@dataclass(frozen=True, slots=True)
class KeyText:
    """An API key as a program shows it: prefix, id, secret."""

    id: UUID
    secret: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """What a text of the contract's pattern says."""
        id_, _, secret = text.removeprefix(API_KEY_PREFIX).partition("_")
        return cls(UUID(id_), secret)

    def text(self) -> str:
        """The key in full."""
        return f"{API_KEY_PREFIX}{self.id.hex}_{self.secret}"

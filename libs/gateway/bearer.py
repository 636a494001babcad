"""Whoever was believed at the door."""

from __future__ import annotations

from dataclasses import dataclass

from libs.messaging import Identity


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who showed a good token, and until when it is good (Unix seconds)."""

    identity: Identity
    expires: int
    key: str = ""
    """The key that signed it; nothing where it is no signed token."""

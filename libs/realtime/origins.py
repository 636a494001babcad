"""Which web pages may connect: the same for WebSocket and HTTP."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TypeAlias
from urllib.parse import urlsplit

_ORIGIN = re.compile(rb"[!-~]{1,512}")
_NAMES_OF_HEADERS = re.compile(rb"[-A-Za-z0-9, ]{1,1024}")
_PREFLIGHT_SECONDS = b"300"

Headers: TypeAlias = Mapping[bytes, bytes]
"""A request's headers by lower-case name."""
RawHeaders: TypeAlias = list[tuple[bytes, bytes]]


class Origins:
    """The gateway's own pages, and those of ``allowed`` origins; ``*`` allows all."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._any = "*" in allowed
        self._allowed = frozenset(origin.encode("latin-1", "replace") for origin in allowed)

    def welcome(self, headers: Headers) -> bool:
        """Whether a page of this origin may connect; what sends no Origin is no browser (RFC 6455, section 10.2)."""
        origin = headers.get(b"origin")
        if origin is None:
            return True
        own = headers.get(b"host", b"").decode("latin-1")
        known = self._any or origin in self._allowed or _netloc(origin) == own
        return known and _ORIGIN.fullmatch(origin) is not None

    @staticmethod
    def answer(headers: Headers) -> RawHeaders:
        """What tells a browser that a welcome page may read the answer (Fetch standard, section 3.2)."""
        origin = headers.get(b"origin")
        if origin is None:
            return []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"vary", b"origin"),
        ]

    @staticmethod
    def preflight(headers: Headers, methods: str) -> RawHeaders:
        """What a welcome page's preflight is told beside `answer`; it may send the headers that it asks for."""
        told: RawHeaders = [
            (b"access-control-allow-methods", methods.encode()),
            (b"access-control-max-age", _PREFLIGHT_SECONDS),
        ]
        asked = headers.get(b"access-control-request-headers", b"")
        if _NAMES_OF_HEADERS.fullmatch(asked):
            told.append((b"access-control-allow-headers", asked))
        return told


def _netloc(origin: bytes) -> str:
    try:
        return urlsplit(origin.decode("latin-1")).netloc
    except ValueError:
        return ""

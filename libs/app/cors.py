"""CORS (Fetch standard, section 3.2): which web pages may read what the service answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping

_ALLOW_METHODS = b"GET, POST, PUT, PATCH, DELETE"
_ALLOW_HEADERS = b"authorization, content-type, idempotency-key, traceparent, x-request-id"
CORS_HEADERS = frozenset({b"access-control-allow-origin", b"access-control-expose-headers", b"vary"})
"""What `Cors.answer` gives."""
_EXPOSE_HEADERS = b"retry-after, www-authenticate, x-request-id"
_PREFLIGHT_SECONDS = b"600"

RawHeaders = list[tuple[bytes, bytes]]


class Cors:
    """Answers for the allowed origins; ``*`` allows all.

    Credentials are never allowed: a page of another origin shows its token in a header, and cookies are for our own pages.
    """

    def __init__(self, origins: Collection[str]) -> None:
        self._any = "*" in origins
        self._origins = frozenset(origin.encode() for origin in origins)

    def preflight(self, method: str, headers: Mapping[bytes, bytes]) -> RawHeaders | None:
        """What a preflight is told beside `answer`; None where it is none, or its origin is not allowed."""
        if (
            method != "OPTIONS"
            or b"access-control-request-method" not in headers
            or not self._allowed(headers)
        ):
            return None
        return [
            (b"access-control-allow-methods", _ALLOW_METHODS),
            (b"access-control-allow-headers", _ALLOW_HEADERS),
            (b"access-control-max-age", _PREFLIGHT_SECONDS),
        ]

    def answer(self, headers: Mapping[bytes, bytes]) -> RawHeaders:
        """The headers that every answer carries."""
        vary = [] if self._any else [(b"vary", b"origin")]
        if not (allowed := self._allowed(headers)):
            return vary
        return [
            (b"access-control-allow-origin", allowed),
            (b"access-control-expose-headers", _EXPOSE_HEADERS),
            *vary,
        ]

    def _allowed(self, headers: Mapping[bytes, bytes]) -> bytes:
        """What is allowed of the request's origin: all, it alone, or nothing."""
        origin = headers.get(b"origin", b"")
        if not origin:
            return b""
        if self._any:
            return b"*"
        return origin if origin in self._origins else b""

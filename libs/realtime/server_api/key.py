"""The API key of back ends."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from libs.messaging import AppError

_LEAST = 32  # bytes


class ApiKeyInvalid(AppError):
    """The request shows no API key, or not the one that is set."""

    code = "realtime.api_key_invalid"
    status = 401
    title = "The API key is missing or not valid"


class ApiKey:
    """The one key that opens the server API; a ``lenient`` one, for tests on loopback, may be short."""

    def __init__(self, key: str, *, lenient: bool = False) -> None:
        self._key = key.encode()
        if len(self._key) < (1 if lenient else _LEAST):
            raise ValueError(f"GATEWAY_REALTIME_API_KEY needs at least {_LEAST} bytes off loopback")

    def check(self, headers: Mapping[str, str]) -> None:
        """Look into ``X-API-Key``, or ``Authorization: apikey ...`` without one; raises `ApiKeyInvalid`."""
        shown = headers.get("x-api-key", "")
        if not shown:
            scheme, _, shown = headers.get("authorization", "").partition(" ")
            shown = shown.strip() if scheme.lower() == "apikey" else ""
        if not hmac.compare_digest(shown.encode("latin-1"), self._key):
            raise ApiKeyInvalid

"""Breached passwords: whether a new one is known from a theft, asked so that nobody learns it (k-anonymity).

Only the first five of forty hexadecimal digits of the password's SHA-1 leave; the server answers with the rest of every
breached password's digest that begins so. This is the range API of Have I Been Pwned, which can also be mirrored.
"""

from __future__ import annotations

import hashlib
import time
from typing import Annotated, Self
from urllib.parse import urlsplit

import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from libs.infra.http_client import FetchFailed, HttpClient

_log = structlog.get_logger(__name__)
_PREFIX = 5  # digits of the digest that are told
_MAX_ANSWER = 524_288  # bytes; a padded range has some 40,000
_PAUSE = 10.0  # s without asking after a failure, so that a dead server holds nobody up for long


def _range_url(url: str) -> str:
    if not url:
        return url
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("it must look like https://host/range/")
    return url.rstrip("/") + "/"


class BreachSettings(BaseModel):
    """Where new passwords are looked up."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_range_url)] = Field(
        "",
        validation_alias="AUTH_BREACHED_PASSWORDS_URL",
        description="Where to ask for breached passwords, such as `https://api.pwnedpasswords.com/range/`; empty is off.",
    )
    timeout: float = Field(
        2.0,
        gt=0,
        le=10,
        validation_alias="AUTH_BREACHED_PASSWORDS_TIMEOUT",
        description="How long that answer is waited for; without one the password is accepted, and the log says so (s).",
    )


class Breaches:
    """Asks whether passwords are known from thefts. It fails open: without an answer a password counts as unknown."""

    def __init__(self, settings: BreachSettings) -> None:
        self._url = settings.url
        self._http = HttpClient(timeout=settings.timeout, max_bytes=_MAX_ANSWER) if settings.url else None
        self._asks_again = 0.0

    @classmethod
    def off(cls) -> Self:
        """One that asks nobody."""
        return cls(BreachSettings())

    async def know(self, password: str) -> bool:
        """Whether the password, as it is given, is known to be breached."""
        if self._http is None or time.monotonic() < self._asks_again:
            return False
        # SHA-1 is what the range API speaks; it protects nothing here.
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        prefix, rest = digest[:_PREFIX], digest[_PREFIX:].encode()
        try:
            # Padded answers tell an eavesdropper nothing by their length; padding has the count 0.
            answer = await self._http.get(self._url + prefix, headers={"add-padding": "true"})
        except FetchFailed as failure:
            self._asks_again = time.monotonic() + _PAUSE
            _log.warning("breached_passwords_unchecked", reason=str(failure), asks_again_in=_PAUSE)
            return False
        return any(speaks_of(line, rest) for line in answer.splitlines())

    async def close(self) -> None:
        """Close every connection."""
        if self._http is not None:
            await self._http.close()


def speaks_of(line: bytes, rest: bytes) -> bool:
    """Whether this line of a range (``digest's rest:count``) is about ``rest``, and not padding."""
    found, _, count = line.strip().partition(b":")
    return found.upper() == rest and count.strip().isdigit() and int(count) > 0

"""API keys at the door: asked about once a minute, and refused the moment they are revoked."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from pydantic import BaseModel, ConfigDict, Field

from libs.domain.auth import (
    API_KEY_PATTERN,
    API_KEY_PREFIX,
    VALIDATE_API_KEY,
    ApiKeyValidation,
    TokenInvalid,
    ValidateApiKeyRequest,
)
from libs.gateway.bearer import Bearer
from libs.messaging import Bus, Identity

_PATTERN = re.compile(API_KEY_PATTERN)
_CONNECTION_SECONDS = 600  # a socket shows its key again after this, as it would refresh a token


class ApiKeyCacheSettings(BaseModel):
    """How long the auth service's word about API keys is kept."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    size: int = Field(
        10_000,
        ge=0,
        validation_alias="GATEWAY_API_KEY_CACHE",
        description="API keys whose validation one process remembers.",
    )
    seconds: float = Field(
        60.0,
        ge=0,
        le=60,
        validation_alias="GATEWAY_API_KEY_CACHE_SECONDS",
        description="How long it remembers each (s); a key that is revoked is forgotten at once.",
    )


@dataclass(frozen=True, slots=True)
class _Known:
    identity: Identity
    until: float
    """When to ask again."""
    ends: float
    """When the key expires."""


class ApiKeys:
    """Knows whose keys they are; only digests of them are kept."""

    def __init__(
        self, bus: Bus, settings: ApiKeyCacheSettings, *, now: Callable[[], float] = time.time
    ) -> None:
        self._bus = bus
        self._settings = settings
        self._now = now
        self._known: dict[bytes, _Known] = {}

    @staticmethod
    def recognises(token: str) -> bool:
        """Whether this is meant to be an API key."""
        return token.startswith(API_KEY_PREFIX)

    async def believe(self, key: str) -> Bearer:
        """Whose key it is; raises `TokenInvalid`, or `CallError` where the auth service does not answer."""
        if not _PATTERN.fullmatch(key):
            raise TokenInvalid
        digest = sha256(key.encode()).digest()
        known, now = self._known.get(digest), self._now()
        if known is None or min(known.until, known.ends) <= now:
            self._known.pop(digest, None)
            known = await self._ask(key, now)
            self._remember(digest, known)
        return Bearer(known.identity, int(min(known.ends, now + _CONNECTION_SECONDS)))

    def forget(self, key_id: str) -> None:
        """Drop what is known of a key that was revoked."""
        for digest in [digest for digest, one in self._known.items() if one.identity.sid == key_id]:
            del self._known[digest]

    async def _ask(self, key: str, now: float) -> _Known:
        found: ApiKeyValidation = await self._bus.call(VALIDATE_API_KEY, ValidateApiKeyRequest(key=key))
        if not found.active or found.expires_at is None:
            raise TokenInvalid
        identity = Identity(str(found.account_id), str(found.id), found.scope, "api_key")
        return _Known(identity, now + self._settings.seconds, found.expires_at.timestamp())

    def _remember(self, digest: bytes, known: _Known) -> None:
        if not self._settings.size:
            return
        if len(self._known) >= self._settings.size:
            del self._known[next(iter(self._known))]  # the oldest; it is asked about again if it comes back
        self._known[digest] = known

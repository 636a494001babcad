"""API keys at the door: asked about once a minute, and refused the moment they are revoked.

A refusal is kept as well, for as long: a key is random and told when it is good, and one that expired or was revoked never
is again. So whoever shows a bad key over and over costs the auth service one question a minute. Refusals have a room of
their own, and push out nobody whose key is good.
"""

from __future__ import annotations

import asyncio
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
from libs.gateway.recent import Recent
from libs.messaging import AppError, Bus, Identity

_PATTERN = re.compile(API_KEY_PATTERN)
_CONNECTION_SECONDS = 600  # a socket shows its key again after this, as it would refresh a token


class ApiKeyCacheSettings(BaseModel):
    """How long the auth service's word about API keys is kept."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    size: int = Field(
        10_000,
        ge=0,
        validation_alias="GATEWAY_API_KEY_CACHE",
        description="API keys that one process remembers as good, and as many that were refused.",
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
    ends: float
    """When the key expires."""


class ApiKeys:
    """Knows whose keys they are; only digests of them are kept."""

    def __init__(
        self, bus: Bus, settings: ApiKeyCacheSettings, *, now: Callable[[], float] = time.time
    ) -> None:
        self._bus = bus
        self._seconds = settings.seconds
        self._now = now
        self._known: Recent[_Known] = Recent(settings.size)
        self._refused: Recent[bool] = Recent(settings.size)
        self._asked: dict[bytes, asyncio.Future[_Known]] = {}

    @staticmethod
    def recognises(token: str) -> bool:
        """Whether this is meant to be an API key."""
        return token.startswith(API_KEY_PREFIX)

    async def believe(self, key: str) -> Bearer:
        """Whose key it is; raises `TokenInvalid`, or `CallError` where the auth service does not answer."""
        if not _PATTERN.fullmatch(key):
            raise TokenInvalid
        digest, now = sha256(key.encode()).digest(), self._now()
        known = self._known.get(digest, now)
        if known is None:
            if self._refused.get(digest, now):
                raise TokenInvalid
            known = await self._learn(digest, key)
        return Bearer(known.identity, int(min(known.ends, now + _CONNECTION_SECONDS)))

    def forget(self, key_id: str) -> None:
        """Drop what is known of a key that was revoked."""
        self._known.forget(lambda one: one.identity.sid == key_id)

    async def _learn(self, digest: bytes, key: str) -> _Known:
        """Ask, once for all who want to know it now; the next of them asks where the one who does goes away."""
        while asked := self._asked.get(digest):
            await asyncio.wait([asked])  # awaited itself, it would be cancelled with whoever waits
            if not asked.cancelled():
                return asked.result()
        asked = self._asked[digest] = asyncio.get_running_loop().create_future()
        try:
            known = await self._ask(digest, key)
        except AppError as error:
            asked.set_exception(error)
            asked.exception()  # seen: there may be nobody else to raise it to
            raise
        else:
            asked.set_result(known)
            return known
        finally:
            del self._asked[digest]
            asked.cancel()  # which does nothing to an answer

    async def _ask(self, digest: bytes, key: str) -> _Known:
        """The auth service's word, which is kept; that there is none is not."""
        until = self._now() + self._seconds
        found: ApiKeyValidation = await self._bus.call(VALIDATE_API_KEY, ValidateApiKeyRequest(key=key))
        if not found.active or found.expires_at is None:
            self._refused.keep(digest, True, until=until)
            raise TokenInvalid
        identity = Identity(str(found.account_id), str(found.id), found.scope, "api_key")
        known = _Known(identity, found.expires_at.timestamp())
        self._known.keep(digest, known, until=min(until, known.ends))
        return known

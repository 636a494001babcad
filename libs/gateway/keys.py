"""The public keys of the auth service, kept so that a token is verified without asking anybody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from libs.domain.auth import KEYS, Claims, KeySet
from libs.infra.jwt import TokenVerifier
from libs.messaging import Bus, Empty, Unavailable

_log = structlog.get_logger(__name__)
_SIGN_OF_LIFE = 1.5  # seconds
_PATIENCE = 5.0  # seconds between two questions about keys that nobody here knows


class PublicKeys:
    """Fills a verifier with the auth service's keys: when told to, and when a token names a key that is not there."""

    def __init__(
        self, bus: Bus, verifier: TokenVerifier[Claims], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._bus = bus
        self._verifier = verifier
        self._monotonic = monotonic
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")
        self._answered = False
        self._jwks = b""
        self.generation = 0
        """Grows whenever the set changes: what was verified before must be verified again."""
        self.on_dropped: list[Callable[[str], object]] = []
        """Told each key that is not believed any more: its tokens have all expired, or it was revoked."""

    @property
    def jwks(self) -> bytes:
        """The set as JSON (RFC 7517, section 5); raises `Unavailable` before it was loaded."""
        if not self._jwks:
            raise Unavailable("the public keys are not known yet")
        return self._jwks

    async def check(self) -> None:
        """Ask the auth service for a sign of life; raises `CallError` where it gives none."""
        await self._bus.call(KEYS, Empty(), timeout=_SIGN_OF_LIFE)

    async def load(self) -> None:
        """Ask for the set; raises `CallError` where no answer came."""
        async with self._asking:
            await self._load()

    async def look_again(self) -> None:
        """Ask for the set because a token names an unknown key, at most once per 5 s however many tokens do.

        Raises `CallError` where no answer came: the key may be a good one.
        """
        async with self._asking:
            if self._monotonic() - self._asked_at >= _PATIENCE:
                await self._load()
            elif not self._answered:
                raise Unavailable("the public keys cannot be asked for")

    async def _load(self) -> None:
        self._asked_at = self._monotonic()
        self._answered = False
        found = await self._bus.call(KEYS, Empty())
        self._answered = True
        jwks = KEYS.encode_reply(found)
        if jwks != self._jwks:
            self._replace(found)
            self._jwks = jwks

    def _replace(self, found: KeySet) -> None:
        before = self._verifier.kids
        self._verifier.replace_keys(key.model_dump() for key in found.keys)
        self.generation += 1
        _log.info("keys_loaded", kids=sorted(self._verifier.kids))
        for kid in before - self._verifier.kids:
            for told in self.on_dropped:
                told(kid)

"""The public keys of the auth service, kept so that a token is verified without asking anybody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from libs.domain.auth import KEYS, Claims, KeySet
from libs.infra.jwt import TokenVerifier
from libs.messaging import ANONYMOUS, AppError, Bus, Empty, Unavailable, acting_for

_log = structlog.get_logger(__name__)
_SIGN_OF_LIFE = 1.5  # seconds
_PAUSE = 5.0  # seconds after a question before tokens with unknown keys give rise to another


class PublicKeys:
    """Fills a verifier with the auth service's keys: when told to, and when a token names a key that is not there."""

    def __init__(
        self, bus: Bus, verifier: TokenVerifier[Claims], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._bus = bus
        self._verifier = verifier
        self._monotonic = monotonic
        self._question: asyncio.Task[None] | None = None
        """What is asked for all who have shown a token with an unknown key."""
        self._questions = 0
        self._heard = 0
        """The latest question that was answered."""
        self._ended_at = float("-inf")
        self._answered = False
        """How the question ended that was the last to end, at `_ended_at`."""
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
        """Ask for the set as it is from now on; raises `CallError` where no answer came.

        It waits for no question that was put before, whose answer may be an older set.
        """
        await self._ask(timeout=None)

    async def look_again(self) -> None:
        """Ask for the set because a token names an unknown key: once for all who want it now, and then not for 5 s.

        Raises `Unavailable` where no answer came within 1.5 s, or none to the last question: the key may be a good one.
        """
        if self._question is None and self._monotonic() - self._ended_at >= _PAUSE:
            self._question = asyncio.create_task(self._ask_for_all(), name="unknown-key")
        if self._question is not None:
            await asyncio.wait([self._question])  # it goes on when one who waits goes away
        if not self._answered:
            raise Unavailable("the public keys cannot be asked for")

    async def close(self) -> None:
        """Give up the question that is under way."""
        if self._question is not None:
            self._question.cancel()
            await asyncio.wait([self._question])

    async def _ask_for_all(self) -> None:
        try:
            with acting_for(ANONYMOUS):  # not for the one who came first, nor until a deadline of theirs
                await self._ask(timeout=_SIGN_OF_LIFE)
        except AppError as error:
            _log.warning("unknown_key_not_asked_for", reason=error.code)
        finally:
            self._question = None

    async def _ask(self, *, timeout: float | None) -> None:
        self._questions += 1
        question = self._questions
        answered = False
        try:
            self._hear(question, await self._bus.call(KEYS, Empty(), timeout=timeout))
            answered = True
        finally:
            self._answered, self._ended_at = answered, self._monotonic()

    def _hear(self, question: int, found: KeySet) -> None:
        if question < self._heard:
            return  # a later question was answered first, by a newer set
        self._heard = question
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

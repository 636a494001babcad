"""A recent sign-in: what a stolen token must not be enough for asks when its session began (RFC 9470)."""

from __future__ import annotations

from datetime import timedelta

from libs.auth.callers import SignedIn
from libs.auth.repository import Stored
from libs.auth.settings import SessionSettings
from libs.domain.auth import SessionEnded, SignInTooOld
from libs.infra.clock import Clock


class RecentSignIn:
    """Knows how old a sign-in may be."""

    def __init__(self, settings: SessionSettings, clock: Clock) -> None:
        self._seconds = settings.recent_seconds
        self._clock = clock

    async def expect(self, stored: Stored, who: SignedIn) -> None:
        """Raise `SignInTooOld` where ``who`` signed in too long ago, `SessionEnded` where the session is over."""
        now = self._clock.now()
        since = await stored.sessions.authenticated_at(who.session_id, who.account_id, now)
        if since is None:
            raise SessionEnded
        if now - since > timedelta(seconds=self._seconds):
            raise SignInTooOld(f"the last sign-in must be at most {self._seconds} s ago")

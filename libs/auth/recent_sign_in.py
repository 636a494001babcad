"""A recent sign-in: what a stolen token must not be enough for asks when its session began (RFC 9470)."""

from __future__ import annotations

from datetime import timedelta

from libs.auth.callers import SignedIn
from libs.auth.repository import Storage, Stored
from libs.auth.settings import SessionSettings
from libs.domain.auth import SessionEnded, SignInTooOld
from libs.infra.clock import Clock
from libs.messaging import Caller
from libs.messaging.contract import ReplyT, RequestT
from libs.messaging.handlers import Handler


class RecentSignIn:
    """Knows how old a sign-in may be."""

    def __init__(self, storage: Storage, settings: SessionSettings, clock: Clock) -> None:
        self._storage = storage
        self._seconds = settings.recent_seconds
        self._clock = clock

    def asked(self, handler: Handler[RequestT, ReplyT]) -> Handler[RequestT, ReplyT]:
        """The handler for whoever signed in recently; the others get `SignInTooOld`, or `SessionEnded`.

        Programs are let through. None of them has a sign-in that could grow old: an API key comes along with every call,
        and a service account shows its secret for every token, since it gets no refresh token.
        """

        async def asked(request: RequestT, caller: Caller) -> ReplyT:
            if caller.identity is None or caller.identity.kind == "account":
                async with self._storage.statements() as stored:
                    await self.expect(stored, SignedIn.of(caller))
            return await handler(request, caller)

        return asked

    async def expect(self, stored: Stored, who: SignedIn) -> None:
        """Raise `SignInTooOld` where ``who`` signed in too long ago, `SessionEnded` where the session is over."""
        now = self._clock.now()
        since = await stored.sessions.authenticated_at(who.session_id, who.account_id, now)
        if since is None:
            raise SessionEnded
        if now - since > timedelta(seconds=self._seconds):
            raise SignInTooOld(f"the last sign-in must be at most {self._seconds} s ago")

"""The sessions that ended while one of their access tokens may still be alive."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field

from libs.domain.auth import REVOCATIONS, RevocationsRequest, SessionEnded, TokenExpired
from libs.messaging import Bus, Unavailable

_LEEWAY = 60  # seconds that a verifier may at most believe a token beyond its `exp`


class RevocationSettings(BaseModel):
    """How the gateway refuses what was revoked."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    max_age: float = Field(
        60.0,
        ge=1,
        validation_alias="GATEWAY_REVOCATION_MAX_AGE",
        description="How long bearer tokens are believed without news of revocations, as when the broker is gone (s).",
    )
    max_sessions: int = Field(
        500_000,
        ge=1,
        validation_alias="GATEWAY_REVOCATION_MAX_SESSIONS",
        description="Revoked sessions kept in memory; beyond it the tokens that expire first are refused altogether.",
    )


class Revocations:
    """What is revoked, as far as this process has heard, and whether it has heard enough to judge."""

    def __init__(
        self,
        settings: RevocationSettings,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._now = now
        self._monotonic = monotonic
        self._until: dict[str, int] = {}
        self._by_time: list[tuple[int, str]] = []
        self._watermark = 0
        self._complete_at = float("-inf")
        self.on_revoked: list[Callable[[str], object]] = []
        """Told each session's id once, as soon as it is known to be revoked."""

    def __len__(self) -> int:
        return len(self._until)

    def confirm(self) -> None:
        """Every revocation up to this moment has been heard."""
        self._complete_at = self._monotonic()

    @property
    def is_current(self) -> bool:
        """Whether the last `confirm` is young enough to believe tokens."""
        return self._monotonic() - self._complete_at <= self._settings.max_age

    def check(self, session: str, expires: int) -> None:
        """Raise `SessionEnded` for a revoked session, or `Unavailable` where nobody can say.

        ``expires`` is the token's own end (Unix seconds).
        """
        if session in self._until:
            raise SessionEnded
        if expires <= self._watermark:
            raise TokenExpired
        if not self.is_current:
            raise Unavailable("revocations are not known at the moment")

    def add(self, session: str, until: int) -> None:
        """Refuse the session's tokens, of which none lives after ``until`` (Unix seconds)."""
        if session in self._until or until + _LEEWAY < self._now():
            return
        self._until[session] = until
        heapq.heappush(self._by_time, (until, session))
        if len(self._until) > self._settings.max_sessions:
            # Forgetting a revocation must not revive its tokens: whatever expires as early is refused from now on.
            self._watermark = max(self._watermark, self._forget_first())
        for told in self.on_revoked:
            told(session)

    def forget_expired(self) -> None:
        """Drop the sessions whose last token is over."""
        over = self._now() - _LEEWAY
        while self._by_time and self._by_time[0][0] < over:
            self._forget_first()

    def _forget_first(self) -> int:
        until, session = heapq.heappop(self._by_time)
        del self._until[session]
        return until


async def catch_up(bus: Bus, revocations: Revocations) -> None:
    """Add what was revoked while nobody listened, page by page, from the auth service; raises `CallError`."""
    request = RevocationsRequest()
    while True:
        page = await bus.call(REVOCATIONS, request)
        for one in page.sessions:
            revocations.add(str(one.session_id), one.until)
        if page.next is None:
            return
        request = RevocationsRequest(after=page.next)

"""Sessions: how a sign-in goes on and is checked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from libs.auth.callers import Origin
from libs.auth.endings import Endings
from libs.auth.extra_claims import ExtraClaimsSource
from libs.auth.families import Verdict, judge
from libs.auth.keys import Keys
from libs.auth.repository import Login, Opening, Rotation, Storage, Stored
from libs.auth.roles import Roles
from libs.auth.settings import SessionSettings
from libs.auth.tokens import (
    AccessTokens,
    LiveSession,
    digest,
    new_refresh_token,
    open_successor,
    seal_successor,
)
from libs.domain.auth import (
    REVOCATIONS_PAGE,
    Claims,
    RefreshInvalid,
    RefreshRequest,
    Revocations,
    RevocationsRequest,
    RevokedSession,
    SessionEnded,
    TokenExpired,
    TokenInvalid,
    TokenPair,
    ValidateRequest,
    Validation,
)
from libs.infra.clock import Clock
from libs.infra.jwt import TokenOutdated, TokenRejected
from libs.messaging import Caller, new_message_id

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that may start, and what its first token says beside."""

    id: UUID
    account_id: UUID
    extra: dict[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Renewal:
    """A session's live refresh token, until when it waits, and when it was made."""

    session: LiveSession
    refresh_token: str = field(repr=False)
    waits_until: datetime
    made_at: datetime


class Sessions:
    """The sessions of all accounts."""

    def __init__(
        self,
        storage: Storage,
        keys: Keys,
        access_tokens: AccessTokens,
        endings: Endings,
        roles: Roles,
        extra_claims: ExtraClaimsSource,
        settings: SessionSettings,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._keys = keys
        self._access_tokens = access_tokens
        self._endings = endings
        self._roles = roles
        self._extra_claims = extra_claims
        self._settings = settings
        self._idle = timedelta(seconds=settings.idle_seconds)
        self._clock = clock

    async def prepare(self, account_id: UUID) -> NewSession:
        """What a new session needs from others, before the transaction that starts it; raises `Unavailable`."""
        new = NewSession(UUID(new_message_id()), account_id)
        if not self._extra_claims.asks:
            return new
        async with self._storage.statements() as stored:
            scope = self._roles.scope(await stored.roles.of(account_id))
        return replace(new, extra=await self._extra_claims.of(account_id, new.id, scope))

    async def start(
        self, stored: Stored, new: NewSession, origin: Origin, *, methods: tuple[str, ...]
    ) -> TokenPair:
        """The session of an account that has just proved itself by ``methods`` (RFC 8176), and its first tokens."""
        session = self._session(new, methods, await stored.roles.of(new.account_id))
        refresh_token, waits_until = new_refresh_token(), self._waits_until(session)
        await stored.sessions.add(session, origin, token=digest(refresh_token), token_expires_at=waits_until)
        now = session.authenticated_at
        return self._pair(_Renewal(session, refresh_token, waits_until, now), now, new.extra)

    async def open(
        self, new: NewSession, login: Login, origin: Origin, *, methods: tuple[str, ...]
    ) -> TokenPair | None:
        """The same in one statement, audit and event included; None where the account is not what ``login`` says."""
        session = self._session(new, methods, login.roles)
        refresh_token, waits_until = new_refresh_token(), self._waits_until(session)
        opening = Opening(login, session, origin, digest(refresh_token), token_expires_at=waits_until)
        if not await self._storage.open_session(opening):
            return None
        now = session.authenticated_at
        return self._pair(_Renewal(session, refresh_token, waits_until, now), now, new.extra)

    def _session(self, new: NewSession, methods: tuple[str, ...], roles: tuple[str, ...]) -> LiveSession:
        now = self._clock.now()
        lasts = timedelta(seconds=self._settings.absolute_seconds)
        return LiveSession(new.id, new.account_id, now, methods, roles, expires_at=now + lasts)

    def _waits_until(self, session: LiveSession) -> datetime:
        return min(session.authenticated_at + self._idle, session.expires_at)

    async def refresh(self, request: RefreshRequest, caller: Caller) -> TokenPair:
        """New tokens for a refresh token; raises `RefreshInvalid` or `SessionEnded`."""
        presented, now = request.refresh_token, self._clock.now()
        successor = new_refresh_token()
        rotation = Rotation(
            presented=digest(presented),
            successor=digest(successor),
            sealed=seal_successor(presented, successor),
            now=now,
            idle_until=now + self._idle,
        )
        origin = Origin.of(caller)
        rotated = await self._storage.rotate(rotation, origin)
        if rotated is not None:
            renewal = _Renewal(rotated.session, successor, rotated.expires_at, now)
        else:
            renewal = await self._refresh_with_spent(presented, successor, rotation, origin)
        session = renewal.session
        # Where the claims are required and missing, the same token is presented again, and gives the same successor.
        extra = await self._extra_claims.of(session.account_id, session.id, self._roles.scope(session.roles))
        return self._pair(renewal, now, extra)

    async def _refresh_with_spent(
        self, presented: str, successor: str, rotation: Rotation, origin: Origin
    ) -> _Renewal:
        """What comes of a token that is not the live one of a session that goes on."""
        async with self._storage.statements() as stored:
            token = await stored.sessions.presented(rotation.presented)
        if token is None:
            raise RefreshInvalid
        verdict = judge(token, rotation.now, self._settings)
        if verdict in {Verdict.AGAIN, Verdict.REUSED}:
            async with self._storage.transaction() as stored:
                await stored.sessions.lock(token.session.id)
                token = await stored.sessions.presented(rotation.presented) or token
                verdict = judge(token, rotation.now, self._settings)
                if verdict is Verdict.AGAIN:
                    waits_until = await stored.sessions.rotate_again(token.session, rotation)
                    return _Renewal(token.session, successor, waits_until, rotation.now)
                if verdict is Verdict.REUSED:
                    await self._endings.one(stored, token.session.id, "refresh_reused", origin)
        if verdict is Verdict.SAME:
            same = open_successor(presented, token.successor or b"")
            waits_until, made = token.live_expires_at or rotation.now, token.rotated_at or rotation.now
            return _Renewal(token.session, same, waits_until, made)
        _log.info("refresh_refused", session_id=str(token.session.id), verdict=verdict.name)
        raise SessionEnded if verdict is Verdict.ENDED else RefreshInvalid

    async def revocations(self, request: RevocationsRequest, _caller: Caller) -> Revocations:
        """The sessions that ended while one of their access tokens may still be alive."""
        revoked_for = self._endings.revoked_for
        since = self._clock.now() - timedelta(seconds=revoked_for)
        async with self._storage.statements() as stored:
            ended = await stored.sessions.ended_since(since, after=request.after, limit=REVOCATIONS_PAGE)
        sessions = tuple(
            RevokedSession(session_id=id_, until=int(at.timestamp()) + revoked_for) for id_, at in ended
        )
        return Revocations(
            sessions=sessions, next=sessions[-1].session_id if len(sessions) == REVOCATIONS_PAGE else None
        )

    async def validate(self, request: ValidateRequest, _caller: Caller) -> Validation:
        """Whether an access token is good, also by what became of its session."""
        try:
            claims = self._keys.verifier.verify(request.access_token)
        except TokenOutdated:
            return Validation(active=False, reason=TokenExpired.code)
        except TokenRejected:
            return Validation(active=False, reason=TokenInvalid.code)
        async with self._storage.statements() as stored:
            if await _goes_on(stored, claims, self._clock.now()):
                return Validation(active=True, claims=claims)
        return Validation(active=False, reason=SessionEnded.code)

    def _pair(self, renewal: _Renewal, now: datetime, extra: dict[str, Any] | None) -> TokenPair:
        session = renewal.session
        access_token, expires_in = self._access_tokens.issue(
            session,
            self._keys.signing,
            scope=self._roles.scope(session.roles),
            refresh_token=renewal.refresh_token,
            at=renewal.made_at,
            extra=extra,
        )
        return TokenPair(
            access_token=access_token,
            expires_in=expires_in,
            refresh_token=renewal.refresh_token,
            refresh_expires_in=int((renewal.waits_until - now).total_seconds()),
            session_id=session.id,
        )


async def _goes_on(stored: Stored, claims: Claims, now: datetime) -> bool:
    """Whether tokens of this session, or of this service account's secret, are good."""
    if claims.of_service:
        return await stored.machines.secret_lives(UUID(claims.sid))
    return await stored.sessions.goes_on(UUID(claims.sid), now)

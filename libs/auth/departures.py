"""Departures: people see their sessions, and end this one, another one, the others, or all."""

from __future__ import annotations

from dataclasses import replace

from libs.auth.callers import Origin, SignedIn
from libs.auth.endings import Endings
from libs.auth.recent_sign_in import RecentSignIn
from libs.auth.repository import Storage
from libs.auth.tokens import digest
from libs.domain.auth import (
    RefreshRequest,
    SessionList,
    SessionNotFound,
    SessionRef,
    SessionsRequest,
    SessionSummary,
)
from libs.infra.clock import Clock
from libs.messaging import Caller, Empty


class Departures:
    """Every method that ends sessions returns when each gateway can know of it, or a second later."""

    def __init__(self, storage: Storage, endings: Endings, recent: RecentSignIn, clock: Clock) -> None:
        self._storage = storage
        self._endings = endings
        self._recent = recent
        self._clock = clock

    async def logout(self, _request: Empty, caller: Caller) -> Empty:
        """End the caller's session."""
        session_id = SignedIn.of(caller).session_id
        async with self._storage.transaction() as stored:
            told = await self._endings.one(stored, session_id, "logout", Origin.of(caller))
        await told.heard()
        return Empty()

    async def logout_by_token(self, request: RefreshRequest, caller: Caller) -> Empty:
        """End the session of a refresh token, also of one that is spent; nothing where there is no such token."""
        async with self._storage.transaction() as stored:
            token = await stored.sessions.presented(digest(request.refresh_token))
            if token is None:
                return Empty()
            origin = replace(Origin.of(caller), actor_id=token.session.account_id)
            told = await self._endings.one(stored, token.session.id, "logout", origin)
        await told.heard()
        return Empty()

    async def logout_all(self, _request: Empty, caller: Caller) -> Empty:
        """End every session of the caller's account. It asks for nothing more: the way out is always open."""
        account_id = SignedIn.of(caller).account_id
        async with self._storage.transaction() as stored:
            told = await self._endings.all_of(stored, account_id, "logout_all", Origin.of(caller))
        await told.heard()
        return Empty()

    async def logout_others(self, _request: Empty, caller: Caller) -> Empty:
        """End every session of the caller's account but this one; raises `SignInTooOld`."""
        who = SignedIn.of(caller)
        async with self._storage.transaction() as stored:
            await self._recent.expect(stored, who)
            told = await self._endings.all_of(
                stored, who.account_id, "logout_others", Origin.of(caller), but=who.session_id
            )
        await told.heard()
        return Empty()

    async def end_session(self, request: SessionRef, caller: Caller) -> Empty:
        """End one session of the caller's account; raises `SessionNotFound`, and `SignInTooOld` for another one."""
        who = SignedIn.of(caller)
        async with self._storage.transaction() as stored:
            if request.id != who.session_id:
                await self._recent.expect(stored, who)
            if not await stored.sessions.belongs(request.id, who.account_id):
                raise SessionNotFound
            told = await self._endings.one(stored, request.id, "ended_elsewhere", Origin.of(caller))
        await told.heard()
        return Empty()

    async def sessions(self, request: SessionsRequest, caller: Caller) -> SessionList:
        """A page of the sessions of the caller's account that go on, newest first."""
        who, now = SignedIn.of(caller), self._clock.now()
        async with self._storage.statements() as stored:
            found = await stored.sessions.going_on(
                who.account_id, now, older_than=request.after, limit=request.limit
            )
        return SessionList(
            sessions=tuple(
                SessionSummary(
                    id=one.id,
                    device=one.user_agent,
                    ip=one.ip,
                    created_at=one.created_at,
                    last_seen_at=one.last_seen_at,
                    current=one.id == who.session_id,
                )
                for one in found
            ),
            next=found[-1].id if len(found) == request.limit else None,
        )

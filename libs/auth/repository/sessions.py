"""Every statement about sessions and their refresh tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, func, insert, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from libs.auth.callers import Origin
from libs.auth.families import PresentedToken
from libs.auth.orm import ACCOUNTS, REFRESH_TOKENS, SESSIONS
from libs.auth.repository.accounts import ACTIVE
from libs.auth.repository.machine_rows import MACHINE_SESSIONS
from libs.auth.repository.role_rows import roles_of
from libs.auth.repository.rotation import ROTATE, Rotated, Rotation, live_session, presented_token
from libs.auth.tokens import LiveSession

_session = SESSIONS.c
_token = REFRESH_TOKENS.c


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that ended."""

    id: UUID
    account_id: UUID


def session_row(session: LiveSession, origin: Origin) -> dict[str, Any]:
    """The row of a session that starts."""
    started = session.authenticated_at
    return {
        "id": session.id,
        "account_id": session.account_id,
        "authenticated_at": started,
        "methods": list(session.methods),
        "created_at": started,
        "last_seen_at": started,
        "expires_at": session.expires_at,
        "ip": origin.ip,
        "user_agent": origin.user_agent,
    }


def token_row(session: LiveSession, token: bytes, expires_at: datetime) -> dict[str, Any]:
    """The row of a session's first refresh token."""
    return {
        "hash": token,
        "session_id": session.id,
        "issued_at": session.authenticated_at,
        "expires_at": expires_at,
    }


class SessionRepository:
    """The sessions, as one transaction sees them."""

    def __init__(self, session: AsyncSession | AsyncConnection) -> None:
        self._session = session

    async def add(
        self, session: LiveSession, origin: Origin, *, token: bytes, token_expires_at: datetime
    ) -> None:
        """A new session with its first refresh token."""
        await self._session.execute(insert(SESSIONS).values(session_row(session, origin)))
        await self._session.execute(
            insert(REFRESH_TOKENS).values(token_row(session, token, token_expires_at))
        )

    async def rotate(self, rotation: Rotation, origin: Origin) -> Rotated | None:
        """Exchange the live token of a session that goes on, in one round trip; None where it is no such token."""
        found = await self._session.execute(
            ROTATE,
            {
                "presented": rotation.presented,
                "successor": rotation.successor,
                "sealed": rotation.sealed,
                "now": rotation.now,
                "idle_until": rotation.idle_until,
                "ip": origin.ip,
                "user_agent": origin.user_agent,
            },
        )
        row = found.first()
        return None if row is None else Rotated(live_session(row), row.token_expires_at)

    async def lock(self, session_id: UUID) -> None:
        """Let nobody refresh or end this session until the transaction ends."""
        await self._session.execute(select(_session.id).where(_session.id == session_id).with_for_update())

    async def presented(self, token: bytes) -> PresentedToken | None:
        """The token with this hash and what surrounds it."""
        live = REFRESH_TOKENS.alias("live")
        is_live = and_(live.c.session_id == _session.id, live.c.used_at.is_(None))
        found = await self._session.execute(
            select(
                SESSIONS,
                and_(_session.ended_at.is_(None), ACCOUNTS.c.status == ACTIVE).label("open"),
                _token.expires_at.label("token_expires_at"),
                _token.used_at,
                _token.rotated_at,
                _token.successor,
                func.coalesce(live.c.parent == token, False).label("parent_of_live"),
                live.c.expires_at.label("live_expires_at"),
                roles_of(_session.account_id),
            )
            .join_from(SESSIONS, REFRESH_TOKENS, _session.id == _token.session_id)
            .join(ACCOUNTS, ACCOUNTS.c.id == _session.account_id)
            .outerjoin(live, is_live)
            .where(_token.hash == token)
        )
        row = found.first()
        return None if row is None else presented_token(row)

    async def rotate_again(self, session: LiveSession, rotation: Rotation) -> datetime:
        """Replace the live token, which never arrived, by another successor of the same token; says until when it waits."""
        expires_at = min(rotation.idle_until, session.expires_at)
        await self._session.execute(
            update(REFRESH_TOKENS)
            .where(_token.session_id == session.id, _token.used_at.is_(None))
            .values(used_at=rotation.now)
        )
        await self._session.execute(
            insert(REFRESH_TOKENS).values(
                hash=rotation.successor,
                session_id=session.id,
                parent=rotation.presented,
                issued_at=rotation.now,
                expires_at=expires_at,
            )
        )
        await self._session.execute(
            update(REFRESH_TOKENS)
            .where(_token.hash == rotation.presented)
            .values(rotated_at=rotation.now, successor=rotation.sealed)
        )
        return expires_at

    async def end(self, session_id: UUID, now: datetime, reason: str) -> list[Ended]:
        """End this session; empty where it has ended already."""
        return await self._end(_session.id == session_id, now, reason)

    async def end_all(
        self, account_id: UUID, now: datetime, reason: str, *, but: UUID | None = None
    ) -> list[Ended]:
        """End the sessions of an account that go on, ``but`` this one."""
        which = _session.account_id == account_id
        return await self._end(which if but is None else and_(which, _session.id != but), now, reason)

    async def belongs(self, session_id: UUID, account_id: UUID) -> bool:
        """Whether this is a session of the account, ended or not."""
        found = await self._session.execute(
            select(_session.id).where(_session.id == session_id, _session.account_id == account_id)
        )
        return found.first() is not None

    async def authenticated_at(self, session_id: UUID, account_id: UUID, now: datetime) -> datetime | None:
        """When this session of the account began by a sign-in; None where it does not go on."""
        return await self._session.scalar(
            select(_session.authenticated_at).where(
                _session.id == session_id,
                _session.account_id == account_id,
                _session.ended_at.is_(None),
                _session.expires_at > now,
            )
        )

    async def going_on(
        self, account_id: UUID, now: datetime, *, older_than: UUID | None, limit: int
    ) -> Sequence[Row[Any]]:
        """The sessions of an account whose live token can still be used, newest first, from the one after ``older_than``."""
        going_on = (
            select(SESSIONS)
            .join(REFRESH_TOKENS, and_(_token.session_id == _session.id, _token.used_at.is_(None)))
            .where(
                _session.account_id == account_id,
                _session.ended_at.is_(None),
                _session.expires_at > now,
                _token.expires_at > now,
            )
        )
        if older_than is not None:
            going_on = going_on.where(_session.id < older_than)
        found = await self._session.execute(going_on.order_by(_session.id.desc()).limit(limit))
        return found.all()

    async def _end(self, which: ColumnElement[bool], now: datetime, reason: str) -> list[Ended]:
        """In the order of their ids: whoever ends many may hold no lock on the account."""
        ending = and_(_session.ended_at.is_(None), which)
        locked = select(_session.id).where(ending).order_by(_session.id).with_for_update()
        ended = await self._session.execute(
            update(SESSIONS)
            .where(_session.id.in_(locked), _session.ended_at.is_(None))
            .values(ended_at=now, end_reason=reason)
            .returning(_session.id, _session.account_id)
        )
        return [Ended(row.id, row.account_id) for row in ended]

    async def goes_on(self, session_id: UUID, now: datetime) -> bool:
        """Whether tokens of this session are good."""
        found = await self._session.execute(
            select(_session.id)
            .join_from(SESSIONS, ACCOUNTS, ACCOUNTS.c.id == _session.account_id)
            .where(
                _session.id == session_id,
                _session.ended_at.is_(None),
                _session.expires_at > now,
                ACCOUNTS.c.status == ACTIVE,
            )
        )
        return found.first() is not None

    async def ended_since(
        self, since: datetime, *, after: UUID | None, limit: int
    ) -> list[tuple[UUID, datetime]]:
        """The sessions that ended after ``since``, in the order of their ids, from the one after ``after``.

        What programs prove themselves with counts as a session of theirs.
        """
        ended = union_all(
            select(_session.id, _session.ended_at).where(_session.ended_at > since),
            *(select(row.id, row.revoked_at).where(row.revoked_at > since) for row in MACHINE_SESSIONS),
        ).subquery()
        page = select(ended).order_by(ended.c.id).limit(limit)
        if after is not None:
            page = page.where(ended.c.id > after)
        return [(row.id, row.ended_at) for row in await self._session.execute(page)]

"""Every statement that removes what is over, at most so many rows at a time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Table, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from libs.auth.orm import ACCOUNTS, AUDIT_LOG, REFRESH_TOKENS, SESSIONS, SIGNING_KEYS
from libs.auth.repository.accounts import DELETED
from libs.auth.repository.machine_rows import API_KEYS, CLIENT_SECRETS
from libs.auth.repository.mail_rows import MAIL_REQUESTS
from libs.outbox import Outbox


class HousekeepingRepository:
    """What is over, as one transaction removes it; each method says how many rows there were."""

    def __init__(self, session: AsyncSession, outbox: Outbox) -> None:
        self._session = session
        self._outbox = outbox

    async def successors(self, before: datetime, limit: int) -> int:
        """Erase the sealed successors of refresh tokens that were rotated before this moment."""
        token = REFRESH_TOKENS.c
        sealed = token.successor.is_not(None) & (token.rotated_at < before)
        some = select(token.hash).where(sealed).limit(limit).with_for_update(skip_locked=True)
        erased = await self._session.execute(
            update(REFRESH_TOKENS).where(token.hash.in_(some)).values(successor=None).returning(token.hash)
        )
        return len(erased.all())

    async def spent_tokens(self, before: datetime, limit: int) -> int:
        """Remove spent refresh tokens that would have expired anyway: until then their reuse says something."""
        token = REFRESH_TOKENS.c
        return await self._remove(
            REFRESH_TOKENS, token.used_at.is_not(None) & (token.expires_at < before), limit
        )

    async def sessions(self, before: datetime, limit: int) -> int:
        """Remove sessions that ended or expired before this moment, with all of their tokens."""
        session = SESSIONS.c
        return await self._remove(
            SESSIONS, or_(session.ended_at < before, session.expires_at < before), limit
        )

    async def deleted_accounts(self, before: datetime, limit: int) -> int:
        """Remove what is left of accounts that were deleted before this moment, with their sessions."""
        deleted = (ACCOUNTS.c.status == DELETED) & (ACCOUNTS.c.updated_at < before)
        return await self._remove(ACCOUNTS, deleted, limit)

    async def keys(self, before: datetime, limit: int) -> int:
        """Remove signing keys that retired before this moment."""
        return await self._remove(SIGNING_KEYS, SIGNING_KEYS.c.retired_at < before, limit)

    async def api_keys(self, before: datetime, limit: int) -> int:
        """Remove API keys that were revoked or expired before this moment."""
        key = API_KEYS.c
        return await self._remove(API_KEYS, or_(key.revoked_at < before, key.expires_at < before), limit)

    async def client_secrets(self, before: datetime, limit: int) -> int:
        """Remove secrets of service accounts that were revoked before this moment."""
        return await self._remove(CLIENT_SECRETS, CLIENT_SECRETS.c.revoked_at < before, limit)

    async def audit(self, before: datetime, limit: int) -> int:
        """Remove audit rows that were written before this moment."""
        return await self._remove(AUDIT_LOG, AUDIT_LOG.c.at < before, limit)

    async def mail_requests(self, before: datetime, limit: int) -> int:
        """Remove requests whose code expired before this moment."""
        return await self._remove(MAIL_REQUESTS, MAIL_REQUESTS.c.expires_at < before, limit)

    async def sent_events(self, before: datetime, limit: int) -> int:
        """Remove outbox rows that were told before this moment."""
        return await self._outbox.sweep(self._session, older_than=before, limit=limit)

    async def _remove(self, table: Table, which: ColumnElement[bool], limit: int) -> int:
        (key,) = table.primary_key.columns
        some = select(key).where(which).limit(limit).with_for_update(skip_locked=True)
        removed = await self._session.execute(delete(table).where(key.in_(some)).returning(key))
        return len(removed.all())

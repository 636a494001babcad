"""Every statement about signing keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from libs.auth.orm import SigningKeyRow

_LOCK = 0x6B657973  # two processes that make or rotate keys wait for each other on this advisory lock


class KeyRepository:
    """The signing keys, as one transaction sees them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock(self) -> None:
        """Be the only one that changes keys until the transaction ends."""
        await self._session.execute(select(func.pg_advisory_xact_lock(_LOCK)))

    async def published(self, retired_after: datetime) -> list[SigningKeyRow]:
        """The keys that are to be believed: not retired, or only after this moment, and not revoked; oldest first."""
        return [row for row in await self.known(retired_after) if row.revoked_at is None]

    async def known(self, retired_after: datetime) -> list[SigningKeyRow]:
        """The keys that are to be believed, and whatever was revoked; oldest first."""
        row = SigningKeyRow
        shown = or_(row.retired_at.is_(None), row.retired_at > retired_after, row.revoked_at.is_not(None))
        found = await self._session.scalars(select(row).where(shown).order_by(row.created_at, row.kid))
        return list(found)

    async def add(self, key: SigningKeyRow) -> None:
        """A new key."""
        self._session.add(key)
        await self._session.flush()

    async def schedule(self, kid: str, signs_from: datetime) -> None:
        """The next key is wanted from this moment on."""
        await self._session.execute(
            update(SigningKeyRow).where(SigningKeyRow.kid == kid).values(signs_from=signs_from)
        )

    async def revoke(self, kid: str, now: datetime) -> None:
        """This key neither signs nor is believed."""
        await self._session.execute(
            update(SigningKeyRow)
            .where(SigningKeyRow.kid == kid)
            .values(revoked_at=now, retired_at=func.coalesce(SigningKeyRow.retired_at, now))
        )

    async def discard(self, kid: str, now: datetime) -> None:
        """A key that never signed never will."""
        await self._session.execute(
            update(SigningKeyRow).where(SigningKeyRow.kid == kid).values(retired_at=now)
        )

    async def retire(self, now: datetime) -> None:
        """The key that signs signs no more."""
        await self._session.execute(
            update(SigningKeyRow)
            .where(SigningKeyRow.activated_at.is_not(None), SigningKeyRow.retired_at.is_(None))
            .values(retired_at=now)
        )

    async def activate(self, kid: str, now: datetime) -> None:
        """From now on this key signs."""
        await self._session.execute(
            update(SigningKeyRow).where(SigningKeyRow.kid == kid).values(activated_at=now)
        )

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
        """The keys that are to be believed: those not retired, and those retired after this moment; oldest first."""
        found = await self._session.scalars(
            select(SigningKeyRow)
            .where(or_(SigningKeyRow.retired_at.is_(None), SigningKeyRow.retired_at > retired_after))
            .order_by(SigningKeyRow.created_at, SigningKeyRow.kid)
        )
        return list(found)

    async def add(self, key: SigningKeyRow) -> None:
        """A new key."""
        self._session.add(key)
        await self._session.flush()

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

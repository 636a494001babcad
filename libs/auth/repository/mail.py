"""Every statement about requests that a letter confirms, and about letters that wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from libs.auth.repository.mail_rows import LETTERS, MAIL_REQUESTS

_request = MAIL_REQUESTS.c
_letter = LETTERS.c


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A request to be kept; see `MailRequestRow`."""

    hash: bytes
    purpose: str
    account_id: UUID | None
    address: bytes
    code: bytes = field(repr=False)
    sealed: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SealedLetter:
    """A letter that waits; ``attempts`` counts those that were begun."""

    id: UUID
    account_id: UUID | None
    template: str
    sealed: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime
    attempts: int = 0


class MailRepository:
    """Requests and letters, as one transaction sees them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def open_request(self, new: NewRequest) -> None:
        """A request that waits for its code."""
        await self._session.execute(
            insert(MAIL_REQUESTS).values(
                hash=new.hash,
                purpose=new.purpose,
                account_id=new.account_id,
                address=new.address,
                code=new.code,
                sealed=new.sealed,
                created_at=new.created_at,
                expires_at=new.expires_at,
            )
        )

    async def attempt(
        self, hash_: bytes, purposes: Sequence[str], now: datetime, *, limit: int
    ) -> Row[Any] | None:
        """The open request with this hash, one attempt fewer left; None where there is none or none is left."""
        found = await self._session.execute(
            update(MAIL_REQUESTS)
            .where(
                _request.hash == hash_,
                _request.purpose.in_(purposes),
                _request.closed_at.is_(None),
                _request.expires_at > now,
                _request.attempts < limit,
            )
            .values(attempts=_request.attempts + 1)
            .returning(*MAIL_REQUESTS.c)
        )
        return found.first()

    async def close_request(self, hash_: bytes, now: datetime) -> bool:
        """Let nobody use this request again; False where it is closed already."""
        closed = await self._session.execute(
            update(MAIL_REQUESTS)
            .where(_request.hash == hash_, _request.closed_at.is_(None))
            .values(closed_at=now)
            .returning(_request.hash)
        )
        return closed.first() is not None

    async def close_all(self, account_id: UUID, now: datetime) -> None:
        """Let nobody use any request of this account."""
        await self._session.execute(
            update(MAIL_REQUESTS)
            .where(_request.account_id == account_id, _request.closed_at.is_(None))
            .values(closed_at=now)
        )

    async def post(self, letter: SealedLetter) -> None:
        """Let a letter be sent if this transaction commits."""
        await self._session.execute(
            insert(LETTERS).values(
                id=letter.id,
                account_id=letter.account_id,
                template=letter.template,
                sealed=letter.sealed,
                created_at=letter.created_at,
                expires_at=letter.expires_at,
                not_before=letter.created_at,
            )
        )

    async def take(self, now: datetime, *, lease: timedelta, limit: int) -> list[SealedLetter]:
        """The letters that are due, longest first; nobody else gets them until the lease has run out."""
        due = (
            select(_letter.id)
            .where(_letter.not_before <= now)
            .order_by(_letter.not_before)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        taken = await self._session.execute(
            update(LETTERS)
            .where(_letter.id.in_(due))
            .values(not_before=now + lease, attempts=_letter.attempts + 1)
            .returning(*LETTERS.c)
        )
        return [_waiting(row) for row in taken]

    async def postpone(self, letter_id: UUID, until: datetime) -> None:
        """Let this letter wait."""
        await self._session.execute(update(LETTERS).where(_letter.id == letter_id).values(not_before=until))

    async def done(self, letter_id: UUID) -> None:
        """Forget this letter."""
        await self._session.execute(delete(LETTERS).where(_letter.id == letter_id))


def _waiting(row: Row[Any]) -> SealedLetter:
    return SealedLetter(
        id=row.id,
        account_id=row.account_id,
        template=row.template,
        sealed=row.sealed,
        created_at=row.created_at,
        expires_at=row.expires_at,
        attempts=row.attempts,
    )

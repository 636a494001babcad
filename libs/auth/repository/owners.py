"""Every statement about accounts that a letter decides: whose an address is, and what its owner makes of the account."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from libs.auth.names import email_key
from libs.auth.orm import AccountRow, CredentialRow
from libs.auth.repository.accounts import ACTIVE, PASSWORD
from libs.domain.auth import AccountExists
from libs.messaging import new_message_id


@dataclass(frozen=True, slots=True)
class Owner:
    """An active account, as far as its letters go."""

    account_id: UUID
    email: str
    username: str | None
    verified: bool
    details: dict[str, Any]


class OwnerRepository:
    """The accounts behind addresses, as one transaction sees them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def by_address(self, email: str) -> Owner | None:
        """The active account that has this address."""
        return await self._one(AccountRow.email_key == email_key(email))

    async def taken(self, email: str) -> bool:
        """Whether an account has this address, also one that is shut."""
        found = await self._session.execute(
            select(AccountRow.id).where(AccountRow.email_key == email_key(email))
        )
        return found.first() is not None

    async def by_id(self, account_id: UUID) -> Owner | None:
        """The active account with this id."""
        return await self._one(AccountRow.id == account_id)

    async def locked(self, account_id: UUID) -> Owner | None:
        """The same, and nobody else changes it until the transaction ends."""
        await self._session.execute(
            select(AccountRow.id).where(AccountRow.id == account_id).with_for_update()
        )
        return await self.by_id(account_id)

    async def _one(self, which: ColumnElement[bool]) -> Owner | None:
        row = AccountRow
        found = await self._session.execute(
            select(row.id, row.email, row.username, row.email_verified_at, row.details).where(
                which, row.status == ACTIVE
            )
        )
        one = found.first()
        if one is None:
            return None
        verified = one.email_verified_at is not None
        return Owner(one.id, one.email, one.username, verified, one.details)

    async def verify(self, account_id: UUID, now: datetime) -> None:
        """Its address was shown to be its owner's."""
        await self._session.execute(
            update(AccountRow)
            .where(AccountRow.id == account_id)
            .values(email_verified_at=func.coalesce(AccountRow.email_verified_at, now), updated_at=now)
        )

    async def move(self, account_id: UUID, email: str, now: datetime) -> None:
        """Give the account another address, shown to be its owner's; raises `AccountExists` where it is taken."""
        try:
            await self._session.execute(
                update(AccountRow)
                .where(AccountRow.id == account_id)
                .values(email=email, email_key=email_key(email), email_verified_at=now, updated_at=now)
            )
        except IntegrityError as error:
            raise AccountExists from error

    async def set_password(self, account_id: UUID, password_hash: str, now: datetime) -> None:
        """The account's password from now on, whether it had one or not."""
        row = insert(CredentialRow).values(
            id=UUID(new_message_id()),
            account_id=account_id,
            kind=PASSWORD,
            hash=password_hash,
            created_at=now,
            changed_at=now,
        )
        await self._session.execute(
            row.on_conflict_do_update(
                index_elements=[CredentialRow.account_id],
                index_where=CredentialRow.kind == PASSWORD,
                set_={"hash": password_hash, "changed_at": now},
            )
        )

    async def drop_credentials(self, account_id: UUID, *, but: Iterable[str] = ()) -> frozenset[str]:
        """Remove what the account proves itself with, ``but`` these kinds; says which kinds there were."""
        dropped = await self._session.scalars(
            delete(CredentialRow)
            .where(CredentialRow.account_id == account_id, CredentialRow.kind.not_in(list(but)))
            .returning(CredentialRow.kind)
        )
        return frozenset(dropped.all())

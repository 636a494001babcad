"""Every statement about accounts and credentials."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.auth.names import email_key, is_email
from libs.auth.orm import AccountRow, CredentialRow
from libs.messaging import new_message_id

PASSWORD = "password"  # ruff: ignore[hardcoded-password-string]  # a kind of credential
ACTIVE, DISABLED = "active", "disabled"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be made."""

    id: UUID
    email: str
    username: str | None
    password_hash: str = field(repr=False)
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Login:
    """What a sign-in needs to know of an account; ``hash`` is None where it has no password."""

    account_id: UUID
    active: bool
    hash: str | None = field(repr=False)


class AccountRepository:
    """The accounts, as one transaction sees them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, account: NewAccount) -> bool:
        """A new account with a password; False where its address or username belongs to another one."""
        row = insert(AccountRow).values(
            id=account.id,
            email=account.email,
            email_key=email_key(account.email),
            username=account.username,
            created_at=account.created_at,
            updated_at=account.created_at,
        )
        added = await self._session.execute(row.on_conflict_do_nothing().returning(AccountRow.id))
        if added.first() is None:
            return False
        await self._session.execute(
            insert(CredentialRow).values(
                id=UUID(new_message_id()),
                account_id=account.id,
                kind=PASSWORD,
                hash=account.password_hash,
                created_at=account.created_at,
                changed_at=account.created_at,
            )
        )
        return True

    async def active(self, account_id: UUID) -> AccountRow | None:
        """The account, unless it is shut or gone."""
        return await self._session.scalar(
            select(AccountRow).where(AccountRow.id == account_id, AccountRow.status == ACTIVE)
        )

    async def by_login(self, login: str) -> Login | None:
        """The account that an address or a username names."""
        if "\0" in login:  # no text of PostgreSQL holds one
            return None
        named = (
            AccountRow.email_key == email_key(login)
            if is_email(login)
            else AccountRow.username == login.lower()
        )
        password = and_(CredentialRow.account_id == AccountRow.id, CredentialRow.kind == PASSWORD)
        found = await self._session.execute(
            select(AccountRow.id, AccountRow.status, CredentialRow.hash)
            .outerjoin(CredentialRow, password)
            .where(named)
        )
        row = found.first()
        return None if row is None else Login(row.id, row.status == ACTIVE, row.hash)

    async def still_opens(self, account_id: UUID, password_hash: str) -> bool:
        """Whether the account is active and this is its password, and stays so until the transaction ends."""
        found = await self._session.execute(
            select(AccountRow.id)
            .join(CredentialRow, CredentialRow.account_id == AccountRow.id)
            .where(
                AccountRow.id == account_id,
                AccountRow.status == ACTIVE,
                CredentialRow.kind == PASSWORD,
                CredentialRow.hash == password_hash,
            )
            .with_for_update(read=True)
        )
        return found.first() is not None

    async def rehash(self, account_id: UUID, *, old: str, new: str) -> None:
        """Keep the same password under a hash of the present parameters, unless it was changed meanwhile."""
        await self._session.execute(
            update(CredentialRow)
            .where(
                CredentialRow.account_id == account_id,
                CredentialRow.kind == PASSWORD,
                CredentialRow.hash == old,
            )
            .values(hash=new)
        )

    async def disable(self, account_id: UUID, now: datetime) -> bool:
        """Shut the account; False where it was shut already."""
        shut = await self._session.execute(
            update(AccountRow)
            .where(AccountRow.id == account_id, AccountRow.status != DISABLED)
            .values(status=DISABLED, updated_at=now)
            .returning(AccountRow.id)
        )
        return shut.first() is not None

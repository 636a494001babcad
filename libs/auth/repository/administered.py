"""Every statement about accounts that an admin asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Table, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from libs.auth.names import email_key
from libs.auth.orm import AUDIT_LOG, CREDENTIALS, SESSIONS, AccountRow
from libs.auth.repository.accounts import ACTIVE, DELETED, DISABLED
from libs.auth.repository.machine_rows import ApiKeyRow
from libs.auth.repository.role_rows import AccountRoleRow, roles_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which accounts: those that fit whatever is named."""

    id: UUID | None = None
    email: str | None = None
    username: str | None = None
    role: str | None = None
    status: Literal["active", "disabled"] | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """As SQL; a deleted account is nobody's any more."""
        row, role = AccountRow, AccountRoleRow
        named = {row.id: self.id, row.username: self.username, row.status: self.status}
        fitting = [column == value for column, value in named.items() if value is not None]
        if self.email is not None:
            fitting.append(row.email_key == email_key(self.email))
        if self.role is not None:
            fitting.append(exists().where(role.account_id == row.id, role.role == self.role))
        return [row.status != DELETED, *fitting]


class AdministeredRepository:
    """The accounts as an admin sees them, in one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(
        self, wanted: Wanted, *, older_than: UUID | None = None, limit: int = 1
    ) -> Sequence[tuple[AccountRow, Sequence[str]]]:
        """Accounts with their roles, newest first, from the one after ``older_than``."""
        found = select(AccountRow, roles_of(AccountRow.id)).where(*wanted.conditions())
        if older_than is not None:
            found = found.where(AccountRow.id < older_than)
        rows = await self._session.execute(found.order_by(AccountRow.id.desc()).limit(limit))
        return [(row[0], row[1]) for row in rows]

    async def enable(self, account_id: UUID, now: datetime) -> bool:
        """Open the account; False where it was not shut."""
        opened = await self._session.execute(
            update(AccountRow)
            .where(AccountRow.id == account_id, AccountRow.status == DISABLED)
            .values(status=ACTIVE, updated_at=now)
            .returning(AccountRow.id)
        )
        return opened.first() is not None

    async def credentials(self, account_id: UUID) -> Sequence[Row[*tuple[Any, ...]]]:
        """Kinds and times of what the account proves itself with."""
        row = CREDENTIALS.c
        found = await self._session.execute(
            select(row.kind, row.created_at, row.changed_at).where(row.account_id == account_id)
        )
        return list(found)

    async def api_keys(self, account_id: UUID) -> Sequence[ApiKeyRow]:
        """Every API key that is still kept."""
        keys = select(ApiKeyRow).where(ApiKeyRow.account_id == account_id).order_by(ApiKeyRow.id)
        return (await self._session.scalars(keys)).all()

    async def sessions(self, account_id: UUID, *, after: UUID | None, limit: int) -> Sequence[Row[Any]]:
        """Every session that is still kept, oldest first."""
        return await self._page(SESSIONS, account_id, after, limit)

    async def audit(self, account_id: UUID, *, after: UUID | None, limit: int) -> Sequence[Row[Any]]:
        """The audit rows about the account, oldest first."""
        return await self._page(AUDIT_LOG, account_id, after, limit)

    async def _page(
        self, table: Table, account_id: UUID, after: UUID | None, limit: int
    ) -> Sequence[Row[Any]]:
        rows = select(table).where(table.c.account_id == account_id)
        if after is not None:
            rows = rows.where(table.c.id > after)
        return (await self._session.execute(rows.order_by(table.c.id).limit(limit))).all()

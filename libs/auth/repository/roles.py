"""Every statement about roles."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.auth.orm import AccountRow
from libs.auth.repository.accounts import ACTIVE
from libs.auth.repository.role_rows import AccountRoleRow


class RoleRepository:
    """Who has which role, as one transaction sees it."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def of(self, account_id: UUID) -> tuple[str, ...]:
        """The roles of an account, by name."""
        row = AccountRoleRow
        found = await self._session.scalars(
            select(row.role).where(row.account_id == account_id).order_by(row.role)
        )
        return tuple(found)

    async def give(self, account_id: UUID, role: str, now: datetime) -> bool:
        """Give an account a role; False where it has it."""
        await self._touch(account_id)
        row = insert(AccountRoleRow).values(account_id=account_id, role=role, given_at=now)
        given = await self._session.execute(row.on_conflict_do_nothing().returning(AccountRoleRow.role))
        return given.first() is not None

    async def take(self, account_id: UUID, role: str) -> bool:
        """Take a role from an account; False where it does not have it. Nobody signs in to it meanwhile."""
        await self._touch(account_id)
        row = AccountRoleRow
        taken = await self._session.execute(
            delete(row).where(row.account_id == account_id, row.role == role).returning(row.role)
        )
        return taken.first() is not None

    async def _touch(self, account_id: UUID) -> None:
        """Lock the account's row, and change it: whoever signs in meanwhile must read the roles again."""
        row = AccountRow
        await self._session.execute(
            update(row).where(row.id == account_id).values(updated_at=func.clock_timestamp())
        )

    async def is_last(self, account_id: UUID, role: str) -> bool:
        """Whether this active account is the only one with the role.

        The role's rows stay locked until the transaction ends, so that of two accounts one is left.
        """
        row = AccountRoleRow
        await self._session.execute(
            select(row.account_id).where(row.role == role).order_by(row.account_id).with_for_update()
        )
        active = await self._session.scalars(  # a statement of its own, which sees what the lock waited for
            select(row.account_id)
            .join(AccountRow, AccountRow.id == row.account_id)
            .where(row.role == role, AccountRow.status == ACTIVE)
        )
        return set(active) == {account_id}

"""Every statement about imported accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.auth.names import email_key
from libs.auth.orm import AccountRow, CredentialRow
from libs.auth.repository.accounts import PASSWORD
from libs.messaging import new_message_id


@dataclass(frozen=True, slots=True)
class Foreign:
    """An account of another system, to be made."""

    id: UUID
    email: str
    username: str | None
    password_hash: str | None = field(repr=False)
    verified: bool
    metadata: dict[str, Any]
    created_at: datetime

    @property
    def email_key(self) -> str:
        """What makes its address unique."""
        return email_key(self.email)


@dataclass(frozen=True, slots=True)
class Existing:
    """An account that has one of the names or ids that were asked for."""

    id: UUID
    email_key: str
    username: str | None


class ImportRepository:
    """Imports, as one transaction writes them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def existing(self, accounts: Sequence[Foreign]) -> list[Existing]:
        """The accounts that have an id, an address or a username of these."""
        found = await self._session.execute(
            select(AccountRow.id, AccountRow.email_key, AccountRow.username).where(
                or_(
                    AccountRow.id.in_([one.id for one in accounts]),
                    AccountRow.email_key.in_([one.email_key for one in accounts]),
                    AccountRow.username.in_([one.username for one in accounts if one.username]),
                )
            )
        )
        return [Existing(row.id, row.email_key, row.username) for row in found]

    async def add(self, accounts: Sequence[Foreign], now: datetime) -> set[UUID]:
        """Make them with their passwords; the ids of those whose names nobody took in the last moment."""
        rows = [_account(one, now) for one in accounts]
        added = await self._session.scalars(
            insert(AccountRow).values(rows).on_conflict_do_nothing().returning(AccountRow.id)
        )
        ids = set(added)
        passwords = [_password(one, now) for one in accounts if one.password_hash and one.id in ids]
        if passwords:
            await self._session.execute(insert(CredentialRow).values(passwords))
        return ids


def _account(one: Foreign, now: datetime) -> dict[str, Any]:
    return {
        "id": one.id,
        "email": one.email,
        "email_key": one.email_key,
        "username": one.username,
        "email_verified_at": now if one.verified else None,
        "details": one.metadata,
        "created_at": one.created_at,
        "updated_at": now,
    }


def _password(one: Foreign, now: datetime) -> dict[str, Any]:
    return {
        "id": UUID(new_message_id()),
        "account_id": one.id,
        "kind": PASSWORD,
        "hash": one.password_hash,
        "created_at": now,
        "changed_at": now,
    }

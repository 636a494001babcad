"""Records: accounts as an admin finds them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap
from typing import Literal, cast
from uuid import UUID

from libs.auth.orm import AccountRow
from libs.auth.repository import Storage, Stored, Wanted
from libs.domain.auth import AccountNotFound, AccountPage, AccountRecord, AccountRef, FindAccounts
from libs.messaging import Caller


class Records:
    """Reads accounts."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def find(self, request: FindAccounts, _caller: Caller) -> AccountPage:
        """A page of the accounts that fit."""
        wanted = Wanted(
            id=request.id,
            email=request.email,
            username=request.username,
            role=request.role,
            status=request.status,
        )
        async with self._storage.statements() as stored:
            found = await stored.administered.find(wanted, older_than=request.after, limit=request.limit)
        return AccountPage(
            accounts=tuple(starmap(record, found)),
            next=found[-1][0].id if len(found) == request.limit else None,
        )

    async def get(self, request: AccountRef, _caller: Caller) -> AccountRecord:
        """One account; raises `AccountNotFound`."""
        async with self._storage.statements() as stored:
            return await record_of(stored, request.id)


async def record_of(stored: Stored, account_id: UUID) -> AccountRecord:
    """The account with this id; raises `AccountNotFound`."""
    for row, roles in await stored.administered.find(Wanted(id=account_id)):
        return record(row, roles)
    raise AccountNotFound


def record(row: AccountRow, roles: Sequence[str]) -> AccountRecord:
    """An account as an admin sees it."""
    return AccountRecord(
        id=row.id,
        email=row.email,
        username=row.username,
        status=cast("Literal['active', 'disabled']", row.status),
        email_verified=row.email_verified_at is not None,
        roles=tuple(roles),
        metadata=row.details,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )

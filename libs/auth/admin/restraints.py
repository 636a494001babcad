"""Restraints: what admins allow an account and what they end."""

from __future__ import annotations

from uuid import UUID

from libs.auth.admin.records import record_of
from libs.auth.callers import Origin
from libs.auth.closing import Closing
from libs.auth.endings import Endings
from libs.auth.repository import Storage, Stored
from libs.auth.roles import Roles
from libs.domain.auth import (
    ACCOUNT_ENABLED,
    AccountEnabled,
    AccountNotFound,
    AccountRef,
    EndedSessions,
    RoleOfAccount,
)
from libs.infra.clock import Clock
from libs.messaging import Caller, Empty


class Restraints:
    """Every method raises `AccountNotFound`; those that end sessions return when each gateway can know of it."""

    def __init__(
        self, storage: Storage, closing: Closing, roles: Roles, endings: Endings, clock: Clock
    ) -> None:
        self._storage = storage
        self._closing = closing
        self._roles = roles
        self._endings = endings
        self._clock = clock

    async def disable(self, request: AccountRef, caller: Caller) -> Empty:
        """Shut the account; raises `LastAdmin`."""
        await self._closing.disable(request.id, Origin.of(caller))
        async with self._storage.statements() as stored:  # afterwards: whoever deleted it meanwhile was first
            await record_of(stored, request.id)
        return Empty()

    async def enable(self, request: AccountRef, caller: Caller) -> Empty:
        """Open the account again."""
        async with self._storage.transaction() as stored:
            await expect_account(stored, request.id)
            if await stored.administered.enable(request.id, self._clock.now()):
                await stored.audit.add("account.enabled", account_id=request.id, origin=Origin.of(caller))
                await stored.tell(ACCOUNT_ENABLED, AccountEnabled(account_id=request.id))
        return Empty()

    async def delete(self, request: AccountRef, caller: Caller) -> Empty:
        """Delete the account for good; raises `LastAdmin`."""
        if not await self._closing.delete(request.id, Origin.of(caller)):
            raise AccountNotFound
        return Empty()

    async def end_sessions(self, request: AccountRef, caller: Caller) -> EndedSessions:
        """End every session of the account."""
        async with self._storage.transaction() as stored:
            await expect_account(stored, request.id)
            told = await self._endings.all_of(stored, request.id, "ended_by_admin", Origin.of(caller))
        await told.heard()
        return EndedSessions(ended=told.count)

    async def give_role(self, request: RoleOfAccount, caller: Caller) -> Empty:
        """Give the account a role; raises `ValidationFailed` for one that there is not."""
        self._roles.expect_known([request.role])
        async with self._storage.transaction() as stored:
            await expect_account(stored, request.id)
            await self._roles.give(stored, request.id, request.role, Origin.of(caller))
        return Empty()

    async def take_role(self, request: RoleOfAccount, caller: Caller) -> Empty:
        """Take a role from the account; raises `LastAdmin`."""
        async with self._storage.transaction() as stored:
            told = await self._roles.take(stored, request.id, request.role, Origin.of(caller))
            await expect_account(stored, request.id)
        await told.heard()
        return Empty()


async def expect_account(stored: Stored, account_id: UUID) -> None:
    """Raise `AccountNotFound` where there is no such account, and let nobody else change it until the transaction ends."""
    if not await stored.accounts.lock(account_id):
        raise AccountNotFound

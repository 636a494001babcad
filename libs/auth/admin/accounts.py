"""Accounts that admins make, or make safe again: their owners choose the passwords, by e-mail (ASVS 5.0, 6.4.6)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.auth.admin.records import record_of
from libs.auth.admin.restraints import expect_account
from libs.auth.callers import Origin
from libs.auth.endings import Endings
from libs.auth.mail import MailFlows, Template
from libs.auth.new_accounts import make_account
from libs.auth.repository import NewAccount, Owner, Storage, Stored
from libs.auth.roles import Roles
from libs.domain.auth import (
    AccountExists,
    AccountRecord,
    AccountRef,
    CreateAccountRequest,
)
from libs.infra.clock import Clock
from libs.messaging import Caller, Empty, new_message_id


class AdministeredAccounts:
    """Needs a mail server: without one nobody could sign in to such an account."""

    def __init__(
        self, storage: Storage, roles: Roles, endings: Endings, mail: MailFlows, clock: Clock
    ) -> None:
        self._storage = storage
        self._roles = roles
        self._endings = endings
        self._post = mail.post
        self._notices = mail.notices
        self._clock = clock

    async def create(self, request: CreateAccountRequest, caller: Caller) -> AccountRecord:
        """An account without a password, whose owner is written to.

        Raises `MailOff`, `AccountExists`, `ValidationFailed` for a role that there is not.
        """
        self._post.expect_delivery()
        self._roles.expect_known(request.roles, field="roles")
        async with self._storage.transaction() as stored:
            account_id = await self._add(stored, request, Origin.of(caller), self._clock.now())
            account = await record_of(stored, account_id)
            await self._notices.tell(stored, Template.INVITED, _owner(account), caller)
        self._post.posted()
        return account

    async def _add(
        self, stored: Stored, request: CreateAccountRequest, origin: Origin, now: datetime
    ) -> UUID:
        account_id = UUID(new_message_id())
        new = NewAccount(account_id, request.email, request.username, now)
        if not await make_account(stored, new, origin):
            raise AccountExists
        for role in sorted(set(request.roles)):
            await self._roles.give(stored, account_id, role, origin)
        return account_id

    async def reset_factors(self, request: AccountRef, caller: Caller) -> Empty:
        """Remove password, sessions, API keys and codes on their way; the owner is asked for another password.

        Raises `MailOff`, `AccountNotFound`.
        """
        self._post.expect_delivery()
        origin, now = Origin.of(caller), self._clock.now()
        async with self._storage.transaction() as stored:
            await expect_account(stored, request.id)
            account = await record_of(stored, request.id)
            kinds = await stored.owners.drop_credentials(account.id)
            await stored.mail.close_all(account.id, now)
            keys = await self._endings.api_keys(stored, account.id, origin)
            sessions = await self._endings.all_of(stored, account.id, "factors_reset", origin)
            await stored.audit.add("factors.reset", account_id=account.id, origin=origin, kinds=sorted(kinds))
            await self._notices.tell(stored, Template.FACTORS_RESET, _owner(account), caller)
        self._post.posted()
        await sessions.after(keys).heard()
        return Empty()


def _owner(account: AccountRecord) -> Owner:
    """To whom the letter goes."""
    return Owner(
        account.id,
        account.email,
        account.username,
        account.email_verified,
        account.metadata,
    )

"""Administration: what an operator does to accounts and keys, beside the running service.

It needs the database alone: its events lie in the outbox, and the service's relay is woken to tell them.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from libs.auth.accounts import Accounts
from libs.auth.callers import Origin
from libs.auth.closing import Closing
from libs.auth.imports import AccountImport, Format, ImportReport
from libs.auth.key_changes import KeyRevocation, Rotation
from libs.auth.keys import Keys, KeyState
from libs.auth.machines import NewSecret, ServiceAccounts, ServiceAccountState
from libs.auth.repository import Storage, Stored
from libs.auth.roles import Roles
from libs.domain.auth import ADMIN, Account, RegisterRequest
from libs.messaging import Caller, Client


class UnknownAccount(Exception):
    """There is no account with this login."""


@dataclass(frozen=True)
class Administration:
    """The operator's hands."""

    accounts: Accounts
    closing: Closing
    imports: AccountImport
    keys: Keys
    services: ServiceAccounts
    roles: Roles
    storage: Storage

    async def create_account(self, request: RegisterRequest, *, admin: bool = False) -> Account:
        """A new account, its address vouched for, perhaps with the role `admin`; raises `AccountExists`, or `ValidationFailed` for a weak password."""
        operator = Caller(client=Client(user_agent=_operator()))
        return await self.accounts.register(request, operator, vouched=True, roles=[ADMIN] if admin else [])

    async def disable_account(self, login: str) -> int:
        """Shut an account and end its sessions; says how many there were. Raises `UnknownAccount`."""
        ended = await self.closing.disable_by_login(login, Origin(user_agent=_operator()))
        if ended is None:
            raise UnknownAccount(f"there is no account {login}")
        return ended

    async def give_role(self, login: str, role: str) -> None:
        """Give an account a role; raises `UnknownAccount`, or `ValidationFailed` for a role that there is not."""
        self.roles.expect_known([role])
        async with self.storage.transaction() as stored:
            await self.roles.give(stored, await _account(stored, login), role, Origin(user_agent=_operator()))

    async def take_role(self, login: str, role: str) -> int:
        """Take a role from an account; says how many sessions ended. Raises `UnknownAccount`, `LastAdmin`."""
        async with self.storage.transaction() as stored:
            account_id = await _account(stored, login)
            told = await self.roles.take(stored, account_id, role, Origin(user_agent=_operator()))
        return told.count

    async def import_accounts(self, file: Path, format_: Format, *, write: bool) -> ImportReport:
        """Bring accounts of another system in, or only look whether that works; raises `FileUnreadable`."""
        return await self.imports.run(file, format_, write=write, origin=Origin(user_agent=_operator()))

    async def create_service(self, name: str, scope: str) -> NewSecret:
        """A service account with its secret; raises `ServiceAccountExists`."""
        return await self.services.create(name, scope, Origin(user_agent=_operator()))

    async def list_services(self) -> list[ServiceAccountState]:
        """The service accounts, by name."""
        return await self.services.states()

    async def replace_secret(self, name: str) -> NewSecret:
        """Another secret for a service account, the old one refused at once; raises `UnknownServiceAccount`."""
        return await self.services.replace_secret(name, Origin(user_agent=_operator()))

    async def disable_service(self, name: str) -> None:
        """Shut a service account; raises `UnknownServiceAccount`."""
        await self.services.disable(name, Origin(user_agent=_operator()))

    async def list_keys(self) -> list[KeyState]:
        """The signing keys that are believed and those that were revoked, oldest first."""
        return await self.keys.states()

    async def rotate_keys(self, *, at_once: bool) -> Rotation:
        """Let the next key sign, now or when it is ready. Raises `KeyUnreadable` where it could not be opened."""
        await self.keys.load()
        return await self.keys.rotate(at_once=at_once, origin=Origin(user_agent=_operator()))

    async def revoke_key(self, kid: str) -> KeyRevocation:
        """Believe no token of a key any more; raises `UnknownSigningKey`, or `KeyUnreadable`."""
        await self.keys.load()
        return await self.keys.revoke(kid, origin=Origin(user_agent=_operator()))


async def _account(stored: Stored, login: str) -> UUID:
    found = await stored.accounts.by_login(login)
    if found is None:
        raise UnknownAccount(f"there is no account {login}")
    return found.account_id


def _operator() -> str:
    return f"gatehouse command, {getpass.getuser()}"

"""Every statement about accounts and credentials."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Select,
    Table,
    Uuid,
    and_,
    any_,
    bindparam,
    delete,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from libs.auth.names import email_key, is_email
from libs.auth.orm import (
    ACCOUNTS,
    AUDIT_LOG,
    CREDENTIALS,
    SESSIONS,
    AccountRow,
    Base,
    CredentialRow,
)
from libs.auth.repository.role_rows import roles_of
from libs.domain.auth import AccountExists
from libs.messaging import new_message_id

PASSWORD = "password"  # ruff: ignore[hardcoded-password-string]  # a kind of credential
ACTIVE, DISABLED, DELETED = "active", "disabled", "deleted"

_SHOWN = (
    ACCOUNTS.c.id,
    ACCOUNTS.c.email,
    ACCOUNTS.c.username,
    ACCOUNTS.c.email_verified_at,
    ACCOUNTS.c.created_at,
    ACCOUNTS.c.metadata.label("details"),
)
# Made once: putting a statement together costs as much as sending it.
_ACTIVE = select(*_SHOWN).where(
    ACCOUNTS.c.id == any_(bindparam("account_ids", type_=ARRAY(Uuid()))), ACCOUNTS.c.status == ACTIVE
)
_ONE = select(literal(1)).subquery("one")


def _login_by(named: ColumnElement[bool]) -> Select[Any]:
    """One row always, empty where nobody is named so: to read no row at all would be faster, and tell it."""
    password = and_(CREDENTIALS.c.account_id == ACCOUNTS.c.id, CREDENTIALS.c.kind == PASSWORD)
    return select(
        ACCOUNTS.c.id,
        ACCOUNTS.c.status,
        ACCOUNTS.c.email,
        ACCOUNTS.c.username,
        ACCOUNTS.c.email_verified_at,
        ACCOUNTS.c.updated_at,
        CREDENTIALS.c.hash,
        CREDENTIALS.c.changed_at.label("password_since"),
        roles_of(ACCOUNTS.c.id),
    ).select_from(_ONE.outerjoin(ACCOUNTS, named).outerjoin(CREDENTIALS, password))


_BY_ADDRESS = _login_by(ACCOUNTS.c.email_key == bindparam("named"))
_BY_USERNAME = _login_by(ACCOUNTS.c.username == bindparam("named"))
_BY_ID = _login_by(ACCOUNTS.c.id == bindparam("named"))


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be made; one without a password is for whoever reads its mail."""

    id: UUID
    email: str
    username: str | None
    created_at: datetime
    password_hash: str | None = field(default=None, repr=False)
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Login:
    """What a sign-in needs to know of an account; ``hash`` is None where it has no password."""

    account_id: UUID
    active: bool
    verified: bool
    hash: str | None = field(repr=False)
    names: tuple[str, ...]
    """How it is called: its address, and its username where it has one."""
    roles: tuple[str, ...]
    updated_at: datetime
    """What is read here is true as long as the account's row has this time, and its password this hash."""
    password_since: datetime | None
    """When this password was chosen, whatever its hash is now; None where there is none."""


class StoredAccount(NamedTuple):
    """An account as its owner sees it; the columns of `_SHOWN`."""

    id: UUID
    email: str
    username: str | None
    email_verified_at: datetime | None
    created_at: datetime
    details: dict[str, Any]


class AccountRepository:
    """The accounts, as one transaction sees them."""

    def __init__(self, session: AsyncSession | AsyncConnection) -> None:
        self._session = session

    async def add(self, account: NewAccount) -> bool:
        """A new account; False where its address or username belongs to another one."""
        row = insert(AccountRow).values(
            id=account.id,
            email=account.email,
            email_key=email_key(account.email),
            username=account.username,
            email_verified_at=account.created_at if account.verified else None,
            created_at=account.created_at,
            updated_at=account.created_at,
        )
        added = await self._session.execute(row.on_conflict_do_nothing().returning(AccountRow.id))
        if added.first() is None:
            return False
        if account.password_hash is not None:
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

    async def active(self, account_ids: AbstractSet[UUID]) -> dict[UUID, StoredAccount]:
        """Those of the accounts that are neither shut nor gone."""
        rows = await self._session.execute(_ACTIVE, {"account_ids": list(account_ids)})
        return {row.id: StoredAccount(*row) for row in rows}

    async def lock(self, account_id: UUID) -> bool:
        """Let nobody else change or sign in to this account until the transaction ends; False where it is gone.

        Before anything else of the account is locked: see `Storage`.
        """
        row = AccountRow
        found = await self._session.execute(
            select(row.id).where(row.id == account_id, row.status != DELETED).with_for_update()
        )
        return found.first() is not None

    async def by_login(self, login: str) -> Login | None:
        """The account that an address or a username names."""
        if "\0" in login:  # no text of PostgreSQL holds one
            return None
        if is_email(login):
            return await self._login(_BY_ADDRESS, email_key(login))
        return await self._login(_BY_USERNAME, login.lower())

    async def by_id(self, account_id: UUID) -> Login | None:
        """The account with this id."""
        return await self._login(_BY_ID, account_id)

    async def _login(self, statement: Select[Any], named: str | UUID) -> Login | None:
        row = (await self._session.execute(statement, {"named": named})).one()
        login = Login(
            row.id,
            active=row.status == ACTIVE,
            verified=row.email_verified_at is not None,
            hash=row.hash,
            names=tuple(name for name in (row.email, row.username) if name),
            roles=tuple(row.roles),
            updated_at=row.updated_at,
            password_since=row.password_since,
        )
        return None if row.id is None else login

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
            .where(AccountRow.id == account_id, AccountRow.status == ACTIVE)
            .values(status=DISABLED, updated_at=now)
            .returning(AccountRow.id)
        )
        return shut.first() is not None

    async def update(self, account_id: UUID, now: datetime, changes: dict[str, Any]) -> StoredAccount | None:
        """Set columns of an active account; None where it is none. Raises `AccountExists` for a taken username."""
        statement = (
            update(ACCOUNTS)
            .where(ACCOUNTS.c.id == account_id, ACCOUNTS.c.status == ACTIVE)
            .values({ACCOUNTS.c[name]: value for name, value in {**changes, "updated_at": now}.items()})
            .returning(*_SHOWN)
        )
        try:
            row = (await self._session.execute(statement)).first()
        except IntegrityError as error:
            raise AccountExists from error
        return None if row is None else StoredAccount(*row)

    async def change_password(self, account_id: UUID, now: datetime, *, old: str, new: str) -> bool:
        """Keep another password of an active account; False where ``old`` is its hash no more."""
        changed = await self._session.execute(
            update(CredentialRow)
            .where(
                CredentialRow.account_id == account_id,
                CredentialRow.kind == PASSWORD,
                CredentialRow.hash == old,
                CredentialRow.account_id == AccountRow.id,
                AccountRow.status == ACTIVE,
            )
            .values(hash=new, changed_at=now)
            .returning(CredentialRow.id)
        )
        return changed.first() is not None

    async def delete(self, account_id: UUID, now: datetime) -> None:
        """Remove the account and whatever belongs to it.

        An empty row stays with its sessions, without addresses and devices, as long as those are told as revoked.
        """
        emptied: dict[str, Any] = {
            "status": DELETED,
            "email": "",
            "email_key": f"deleted:{account_id}",  # no address: it has no @
            "username": None,
            "email_verified_at": None,
            "details": {},
            "updated_at": now,
        }
        await self._session.execute(update(AccountRow).where(AccountRow.id == account_id).values(**emptied))
        for table, owner in belongings():
            await self._session.execute(delete(table).where(owner == account_id))
        await self._session.execute(
            update(SESSIONS).where(SESSIONS.c.account_id == account_id).values(ip="", user_agent="")
        )


def belongings() -> Iterator[tuple[Table, Column[Any]]]:
    """Every table whose rows name an account, by a foreign key or without; not the sessions and what is audited."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            named = column.name == "account_id" or column.references(ACCOUNTS.c.id)
            if named and table not in {SESSIONS, AUDIT_LOG}:
                yield table, column

"""Every statement about service accounts, their secrets, and API keys."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.auth.orm import AccountRow
from libs.auth.repository.accounts import ACTIVE
from libs.auth.repository.machine_rows import ApiKeyRow, ClientSecretRow, ServiceAccountRow

_LAZY = timedelta(seconds=60)  # how exactly the last use is kept


@dataclass(frozen=True, slots=True)
class Secret:
    """A live secret of a service account that may sign in."""

    id: UUID
    service_account_id: UUID
    scope: str
    hash: bytes = field(repr=False)


class MachineRepository:
    """What programs prove themselves with, as one transaction sees it."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add_service(self, id_: UUID, name: str, scope: str, now: datetime) -> bool:
        """A new service account; False where the name is taken."""
        row = upsert(ServiceAccountRow).values(id=id_, name=name, scope=scope, created_at=now)
        added = await self._session.execute(row.on_conflict_do_nothing().returning(ServiceAccountRow.id))
        return added.first() is not None

    async def services(self) -> list[ServiceAccountRow]:
        """Every service account, by name."""
        return list(await self._session.scalars(select(ServiceAccountRow).order_by(ServiceAccountRow.name)))

    async def service(self, name: str) -> ServiceAccountRow | None:
        """The service account of this name, locked until the transaction ends."""
        named = select(ServiceAccountRow).where(ServiceAccountRow.name == name)
        return await self._session.scalar(named.with_for_update())

    async def disable_service(self, id_: UUID, now: datetime) -> None:
        """Shut a service account."""
        await self._session.execute(
            update(ServiceAccountRow).where(ServiceAccountRow.id == id_).values(disabled_at=now)
        )

    async def add_secret(self, id_: UUID, service_account_id: UUID, hash_: bytes, now: datetime) -> None:
        """A new secret of a service account."""
        await self._session.execute(
            insert(ClientSecretRow).values(
                id=id_, service_account_id=service_account_id, hash=hash_, created_at=now
            )
        )

    async def secrets(self, service_account_id: UUID) -> list[Secret]:
        """The live secrets of a service account that is not shut."""
        return await self._secrets(ClientSecretRow.service_account_id == service_account_id)

    async def secret_lives(self, id_: UUID) -> bool:
        """Whether tokens of this secret are good."""
        return bool(await self._secrets(ClientSecretRow.id == id_))

    async def secret_used(self, id_: UUID, now: datetime) -> None:
        """Note the use of a secret, unless that was done a moment ago."""
        await self._used(ClientSecretRow, id_, now)

    async def revoke_secrets(self, service_account_id: UUID, now: datetime) -> Sequence[UUID]:
        """End every live secret of a service account; which they were."""
        row = ClientSecretRow
        ended = await self._session.scalars(
            update(row)
            .where(row.service_account_id == service_account_id, row.revoked_at.is_(None))
            .values(revoked_at=now)
            .returning(row.id)
        )
        return ended.all()

    async def add_key(self, key: ApiKeyRow) -> None:
        """A new API key."""
        self._session.add(key)
        await self._session.flush()

    async def count_keys(self, account_id: UUID, now: datetime) -> int:
        """How many good keys an account has; nobody adds one to it until the transaction ends."""
        await self._session.execute(
            select(AccountRow.id).where(AccountRow.id == account_id).with_for_update(key_share=True)
        )
        good = select(func.count()).select_from(ApiKeyRow).where(_good(account_id, now))
        return await self._session.scalar(good) or 0

    async def keys(self, account_id: UUID, now: datetime) -> list[ApiKeyRow]:
        """The good keys of an account, newest first."""
        good = select(ApiKeyRow).where(_good(account_id, now)).order_by(ApiKeyRow.id.desc())
        return list(await self._session.scalars(good))

    async def key(self, id_: UUID, now: datetime) -> ApiKeyRow | None:
        """A good key of an active account."""
        row = ApiKeyRow
        return await self._session.scalar(
            select(row)
            .join(AccountRow, AccountRow.id == row.account_id)
            .where(row.id == id_, row.revoked_at.is_(None), row.expires_at > now, AccountRow.status == ACTIVE)
        )

    async def key_used(self, id_: UUID, now: datetime) -> None:
        """Note the use of a key, unless that was done a moment ago."""
        await self._used(ApiKeyRow, id_, now)

    async def revoke_keys(
        self, account_id: UUID, now: datetime, *, only: Collection[UUID] | None = None
    ) -> Sequence[UUID]:
        """End the keys of an account, or ``only`` these; which they were."""
        row = ApiKeyRow
        which = and_(row.account_id == account_id, row.revoked_at.is_(None))
        if only is not None:
            which = and_(which, row.id.in_(only))
        ended = await self._session.scalars(update(row).where(which).values(revoked_at=now).returning(row.id))
        return ended.all()

    async def _used(self, row: type[ApiKeyRow | ClientSecretRow], id_: UUID, now: datetime) -> None:
        stale = or_(row.last_used_at.is_(None), row.last_used_at < now - _LAZY)
        noted = update(row).where(row.id == id_, stale).values(last_used_at=now)
        await self._session.execute(noted.execution_options(synchronize_session=False))

    async def _secrets(self, which: ColumnElement[bool]) -> list[Secret]:
        secret, service = ClientSecretRow, ServiceAccountRow
        found = await self._session.execute(
            select(secret.id, secret.service_account_id, service.scope, secret.hash)
            .join(service, service.id == secret.service_account_id)
            .where(which, secret.revoked_at.is_(None), service.disabled_at.is_(None))
        )
        return [Secret(row.id, row.service_account_id, row.scope, row.hash) for row in found]


def _good(account_id: UUID, now: datetime) -> ColumnElement[bool]:
    row = ApiKeyRow
    return and_(row.account_id == account_id, row.revoked_at.is_(None), row.expires_at > now)

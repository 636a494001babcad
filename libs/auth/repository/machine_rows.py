"""The tables of what programs prove themselves with."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from libs.auth.orm import SCHEMA, AccountRow, Base


class ServiceAccountRow(Base):
    """A program that is nobody's: what it may do is its `scope`."""

    __tablename__ = "service_accounts"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    scope: Mapped[str]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class ClientSecretRow(Base):
    """A secret of a service account, known only by its SHA-256; its tokens carry its id as their `sid`."""

    __tablename__ = "client_secrets"
    __table_args__ = (
        Index("ix_client_secrets_service_account_id", "service_account_id"),
        Index("ix_client_secrets_revoked_at", "revoked_at", postgresql_where=text("revoked_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    service_account_id: Mapped[UUID] = mapped_column(ForeignKey(ServiceAccountRow.id, ondelete="CASCADE"))
    hash: Mapped[bytes]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class ApiKeyRow(Base):
    """A key of somebody's own program, known only by the SHA-256 of its secret."""

    __tablename__ = "api_keys"
    __table_args__ = (
        Index("ix_api_keys_account_id", "account_id"),
        Index("ix_api_keys_expires_at", "expires_at"),
        Index("ix_api_keys_revoked_at", "revoked_at", postgresql_where=text("revoked_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(AccountRow.id, ondelete="CASCADE"))
    name: Mapped[str]
    scope: Mapped[str]
    hash: Mapped[bytes]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


MACHINE_SESSIONS = (ClientSecretRow, ApiKeyRow)
"""What gateways refuse by its id once it is revoked, as they do with sessions."""

CLIENT_SECRETS = Base.metadata.tables[f"{SCHEMA}.{ClientSecretRow.__tablename__}"]
API_KEYS = Base.metadata.tables[f"{SCHEMA}.{ApiKeyRow.__tablename__}"]

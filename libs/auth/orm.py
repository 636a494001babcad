"""The tables of identity, in the schema `auth`."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, LargeBinary, MetaData, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.infra.jwt import Algorithm
from libs.outbox import inbox_table, outbox_table

SCHEMA = "auth"


class Base(DeclarativeBase):
    """A row of the schema `auth`; all times are aware, in UTC."""

    metadata = MetaData(
        schema=SCHEMA,
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        },
    )
    type_annotation_map = {  # ruff: ignore[mutable-class-default]  # read once by SQLAlchemy
        str: Text(),
        datetime: DateTime(timezone=True),
        bytes: LargeBinary(),
        dict[str, Any]: JSONB(),
        list[str]: ARRAY(Text()),
    }


class AccountRow(Base):
    """Somebody who may sign in. `email` is as typed; `email_key` is what makes an address unique.

    A deleted one says nothing about anybody any more; it stays while its sessions are still told as revoked.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'disabled', 'deleted')", name="status"),
        Index("ix_accounts_deleted", "updated_at", postgresql_where=text("status = 'deleted'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    email_key: Mapped[str] = mapped_column(unique=True)
    username: Mapped[str | None] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(server_default="active")
    email_verified_at: Mapped[datetime | None]
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class CredentialRow(Base):
    """How an account proves itself; `hash` is in the format that its kind says (PHC string for a password)."""

    __tablename__ = "credentials"
    __table_args__ = (
        Index(
            "uq_credentials_password", "account_id", unique=True, postgresql_where=text("kind = 'password'")
        ),
        Index("ix_credentials_account_id", "account_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(AccountRow.id, ondelete="CASCADE"))
    kind: Mapped[str]
    hash: Mapped[str]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class SessionRow(Base):
    """One sign-in on one device: the family of its refresh tokens."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_account_id", "account_id"),
        Index("ix_sessions_ended_at", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
        Index("ix_sessions_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey(AccountRow.id, ondelete="CASCADE"))
    authenticated_at: Mapped[datetime]
    methods: Mapped[list[str]]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    ip: Mapped[str] = mapped_column(server_default="")
    user_agent: Mapped[str] = mapped_column(server_default="")


class RefreshTokenRow(Base):
    """One refresh token, known only by its SHA-256.

    The live token of a session is the one that was not used; the index makes a second one impossible. `successor` is
    the token that replaced this one at `rotated_at`, sealed under a key that only this token gives.
    """

    __tablename__ = "refresh_tokens"
    __table_args__ = (
        Index("uq_refresh_tokens_live", "session_id", unique=True, postgresql_where=text("used_at IS NULL")),
        Index("ix_refresh_tokens_session_id", "session_id"),
        Index("ix_refresh_tokens_expires_at", "expires_at"),
        Index("ix_refresh_tokens_sealed", "rotated_at", postgresql_where=text("successor IS NOT NULL")),
    )

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey(SessionRow.id, ondelete="CASCADE"))
    parent: Mapped[bytes | None]
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    rotated_at: Mapped[datetime | None]
    successor: Mapped[bytes | None]


class SigningKeyRow(Base):
    """A key of access tokens: published when it is made, signing from `activated_at` to `retired_at`.

    The partial indexes admit one key that signs and one that signs next. `signs_from` is when an operator wants the
    next one to take over; a key with a `revoked_at` is believed by nobody.
    """

    __tablename__ = "signing_keys"
    __table_args__ = (
        Index(
            "uq_signing_keys_current",
            text("(true)"),
            unique=True,
            postgresql_where=text("activated_at IS NOT NULL AND retired_at IS NULL"),
        ),
        Index(
            "uq_signing_keys_next",
            text("(true)"),
            unique=True,
            postgresql_where=text("activated_at IS NULL AND retired_at IS NULL"),
        ),
    )

    kid: Mapped[str] = mapped_column(primary_key=True)
    algorithm: Mapped[Algorithm] = mapped_column(Text())
    public_jwk: Mapped[dict[str, Any]]
    sealed: Mapped[bytes]
    created_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
    signs_from: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AuditRow(Base):
    """What happened to whom, when, by whom and from where. It outlives accounts, so nothing refers to them by key.

    `actor_id` is the account that was signed in, or the service account that called; nobody is at a sign-in, nor at the
    operator's command.
    """

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_account_id", "account_id", "id"),
        Index("ix_audit_log_at", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    event: Mapped[str]
    account_id: Mapped[UUID | None]
    actor_id: Mapped[UUID | None]
    session_id: Mapped[UUID | None]
    ip: Mapped[str] = mapped_column(server_default="")
    user_agent: Mapped[str] = mapped_column(server_default="")
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


OUTBOX = outbox_table(Base.metadata)
INBOX = inbox_table(Base.metadata)
ACCOUNTS = Base.metadata.tables[f"{SCHEMA}.accounts"]
CREDENTIALS = Base.metadata.tables[f"{SCHEMA}.credentials"]
SESSIONS = Base.metadata.tables[f"{SCHEMA}.sessions"]
REFRESH_TOKENS = Base.metadata.tables[f"{SCHEMA}.refresh_tokens"]
SIGNING_KEYS = Base.metadata.tables[f"{SCHEMA}.signing_keys"]
AUDIT_LOG = Base.metadata.tables[f"{SCHEMA}.audit_log"]
